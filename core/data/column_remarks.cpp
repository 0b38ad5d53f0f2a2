#include "core/data/column_remarks.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "core/data/csv_fields.hpp"
#include "core/data/number.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using number_detail::is_digit;

// "1:0.5 7:3", as the lines of libsvm are behind their labels.
bool are_pairs(std::string_view text) {
  text = csv_trimmed(text);
  bool any = false;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find(' '));
    const std::size_t colon = pair.find_first_not_of("0123456789");
    if (colon == 0 || colon == std::string_view::npos || pair[colon] != ':' ||
        possible_numbers(pair.substr(colon + 1)) == 0) {
      return false;
    }
    any = true;
    text = csv_trimmed(text.substr(pair.size()));
  }
  return any;
}

// Whether each colon stands between two digits, as in the times of a log.
bool only_in_clocks(std::string_view text) {
  for (std::size_t at = text.find(':'); at != std::string_view::npos; at = text.find(':', at + 1)) {
    if (at == 0 || at + 1 == text.size() || !is_digit(text[at - 1]) || !is_digit(text[at + 1])) {
      return false;
    }
  }
  return text.find(' ') != std::string_view::npos;
}

}  // namespace

void refuse_many_categories(const std::string& file, const std::string& column) {
  throw InputError(file + ": the column " + column + " has more than " +
                   std::to_string(most_column_categories) +
                   " distinct texts, so it is an identifier or not a category; leave it out with " +
                   option("ignore") + " " + column);
}

std::string unknown_categories(const std::string& file, const std::string& column, Index values,
                               const std::vector<std::string>& examples) {
  const bool one = values == 1;
  return file + ": " + std::to_string(values) + (one ? " value of " : " values of ") + column +
         (one ? " is a category" : " are categories") + " that the model does not know, such as " +
         listed_names(examples) + "; taken as missing";
}

std::string identifier_remark(const std::string& file, const std::string& column, Index texts,
                              Index rows) {
  if (texts < 10 || texts <= rows / 2) return "";
  return file + ": " + (texts == rows ? "every" : "nearly every") + " value of the column " +
         column + " is different (" + std::to_string(texts) + " texts), so that it is encoded as " +
         std::to_string(texts) + " categories; if it is an identifier, leave it out with " +
         option("ignore") + " " + column;
}

std::string case_remark(const std::string& file, const std::string& column,
                        const std::vector<std::string>& texts) {
  // Of more, some do by chance.
  constexpr std::size_t most = 1000;
  if (texts.size() > most) return "";
  std::map<std::string, const std::string*> seen;
  for (const std::string& text : texts) {
    std::string plain;
    for (const char c : text) {
      if (c == ' ' || c == '\t') continue;
      plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    const auto [found, added] = seen.emplace(std::move(plain), &text);
    if (added) continue;
    return file + ": the column " + column +
           " has texts that differ in case or blanks alone, such as " +
           quoted_field(*found->second) + " and " + quoted_field(text) +
           ", and each is a category of its own; where they mean the same, write them alike";
  }
  return "";
}

std::string mixture_advice(const std::string& column, const std::string& text, Index texts) {
  if (text == column) return "; that is the column's name: is the header in the file twice?";
  if (text.starts_with('#')) {
    return "; if it begins a comment, " + option("comment") + " '#' leaves such lines out";
  }
  if (texts == 1) {
    return "; if it is a unit or belongs to the header, take its line out of the file, and if it "
           "stands for a missing value, say so with " +
           option("missing");
  }
  return "; if that stands for a missing value, say so with " + option("missing");
}

bool begin_with_numbers(const std::vector<std::string>& texts) {
  constexpr std::size_t judged = 1000;
  const auto begins = [](std::string_view text) {
    const auto at = text.find_first_not_of("'\"=~<>+-.,(");
    return at != std::string_view::npos && is_digit(text[at]) && possible_numbers(text) == 0;
  };
  const auto end = texts.begin() + static_cast<std::ptrdiff_t>(std::min(judged, texts.size()));
  return !texts.empty() && std::all_of(texts.begin(), end, begins);
}

std::string quantity_remark(const std::string& file, const std::vector<std::string>& columns,
                            const std::string& example) {
  const bool one = columns.size() == 1;
  return columns_remark(
      file, columns, "holds texts that begin with numbers, such as",
      "hold texts that begin with numbers, such as",
      " " + quoted_field(example) + ", and " + (one ? "is" : "are") +
          " read as categories; where they are quantities or dates, write them as plain numbers, "
          "without a unit, or as 2024-01-31; " +
          option("columns") + " NAME:category says that they are names");
}

std::string uncut_remark(const std::string& file, const std::string& name,
                         const std::vector<std::string>& texts) {
  constexpr std::size_t judged = 1000;
  constexpr std::size_t least = 2;
  if (texts.size() + (name.empty() ? 0 : 1) < least || texts.empty()) return "";
  if (are_pairs(name) && std::all_of(texts.begin(), texts.end(), are_pairs)) {
    return file + ": is read as one column of texts; its lines look as those of libsvm without " +
           "their labels: put a number before each, 0 say, and call it with " + option("format") +
           " libsvm";
  }
  for (const std::string_view mark :
       {"::", ":", "~", "^", "\x01", "\x1F", "&", "#", "/", "，", "；", "、", "  "}) {
    const auto count_in = [&](std::string_view text) {
      std::size_t count = 0;
      for (std::size_t at = text.find(mark); at != std::string_view::npos; ++count) {
        at = text.find_first_not_of(mark.front(), at);
        at = at == std::string_view::npos ? at : text.find(mark, at);
      }
      return count;
    };
    const std::size_t count = count_in(texts.front());
    if (count == 0 || (!name.empty() && count_in(name) != count)) continue;
    if (mark == ":" && only_in_clocks(texts.front())) continue;
    // Of a date or a path in a line of words.
    if (mark == "/" && texts.front().find(' ') != std::string::npos) continue;
    const auto end = texts.begin() + static_cast<std::ptrdiff_t>(std::min(judged, texts.size()));
    if (!std::all_of(texts.begin(), end,
                     [&](const std::string& text) { return count_in(text) == count; })) {
      continue;
    }
    const std::string start = file + ": is read as one column of texts; each of its lines holds ";
    const std::string often = count == 1 ? " once" : " " + std::to_string(count) + " times";
    if (mark == "  ") {
      return start + "blanks" + often +
             ", as tables of fixed widths do, which are not read: save it with commas";
    }
    if (mark.size() > 1) {
      return start + quoted_field(mark) + often +
             ", and a delimiter is one character: replace it in the file, by sed 's/" +
             std::string(mark) + "/,/g' say";
    }
    const bool control = mark.front() < ' ';
    return start + (control ? "a control character" : quoted_field(mark)) + often + "; " +
           option("delimiter") + " " +
           (control ? std::string("$'\\x") + (mark.front() == 1 ? "01'" : "1f'")
                    : "'" + std::string(mark) + "'") +
           " cuts there";
  }
  // Sentences and lines of logs: several words in most of them.
  const auto words = std::count_if(texts.begin(), texts.end(), [](const std::string& text) {
    return text.find_first_of(" \t") != std::string::npos;
  });
  if (2 * words < static_cast<std::ptrdiff_t>(texts.size())) return "";
  return file + ": is read as one column of texts" +
         (name.empty() ? std::string() : ", which its first line names") +
         "; if its lines hold several values, " + option("delimiter") +
         " says what separates them, and " + option("header") + " whether the first is a header";
}

std::string total_remark(const std::string& file, const std::string& column,
                         const std::string& text) {
  constexpr std::array<std::string_view, 14> words{
      "total",    "totals", "grand total", "sum",    "subtotal", "average",   "mean",
      "averages", "gesamt", "summe",       "totale", "totaal",   "insgesamt", "overall"};
  const bool listed = std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return text.size() == word.size() &&
           std::equal(text.begin(), text.end(), word.begin(), [](char a, char b) {
             return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
           });
  });
  if (!listed) return "";
  return file + ": the last row is called " + quoted_field(text) + " in the column " + column +
         " and is a row as the others are; if it sums them up, take it out of the file";
}

std::string columns_remark(const std::string& file, const std::vector<std::string>& columns,
                           const std::string& one, const std::string& many,
                           const std::string& rest) {
  if (columns.empty()) return "";
  const bool single = columns.size() == 1;
  return file + ": the column" + (single ? " " : "s ") + listed_names(columns) + " " +
         (single ? one : many) + rest;
}

std::string dates_remark(const std::string& file, const std::vector<std::string>& columns,
                         bool parts) {
  return columns_remark(file, columns, "holds dates, which become", "hold dates, which become",
                        std::string(parts ? " year, month, weekday and hour"
                                          : " seconds since 1970-01-01 00:00:00 UTC") +
                            "; " + option("dates") + (parts ? " seconds" : " parts") + " or " +
                            option("columns") + " NAME:category says otherwise");
}

std::string rounded_dates_remark(const std::string& file, const std::vector<std::string>& columns) {
  return columns_remark(
      file, columns, "is kept", "are kept",
      " in 32-bit numbers, which tell dates of today apart from 128 seconds on; " +
          option("precision") + " float64 keeps them exactly");
}

std::string order_remark(const std::string& file, const std::string& column, DateOrders possible,
                         DateOrders taken) {
  const bool month = taken == month_first;
  const DateOrders other = month ? day_first : month_first;
  std::string orders;
  if ((possible & day_first) != 0) orders = "day first";
  if ((possible & month_first) != 0) orders += orders.empty() ? "month first" : " or month first";
  if ((possible & year_first) != 0) orders += " or year first";
  std::string message = file + ": the dates of " + column + " could be " + orders +
                        " and are read " + (month ? "month" : "day") + " first; ";
  if ((possible & other) != 0) {
    message += option("columns") + " " + column + ":date/" + (month ? "dmy" : "mdy");
  } else {
    message += option("columns") + " " + column + ":category";
  }
  return message + " says otherwise";
}

std::string short_year_remark(const std::string& file, const std::string& column) {
  return file + ": the dates of " + column +
         " seem to begin with years of two digits, as 24-01-31 does, and are left as categories; "
         "write years with four digits, or say " +
         option("columns") + " " + column + ":date/dmy where the day is first";
}

std::string times_remark(const std::string& file, const std::vector<std::string>& columns) {
  return columns_remark(file, columns, "holds times or durations, which become",
                        "hold times or durations, which become",
                        " seconds; " + option("columns") + " NAME:category says otherwise");
}

}  // namespace tandem

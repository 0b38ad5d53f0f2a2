#include "core/data/column_remarks.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/data/csv_fields.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

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

std::string mixture_advice(const std::string& text, Index texts) {
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

std::string uncut_remark(const std::string& file, const std::string& name,
                         const std::vector<std::string>& texts) {
  constexpr std::size_t judged = 1000;
  constexpr std::size_t least = 2;
  if (texts.size() < least) return "";
  for (const std::string_view mark : {"::", ":", "~", "^", "\x01", "\x1F", "&", "#", "/", "  "}) {
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

std::string order_remark(const std::string& file, const std::string& column, bool month_first) {
  return file + ": the dates of " + column + " could be day first or month first and are read " +
         (month_first ? "month" : "day") + " first; " + option("columns") + " " + column +
         ":date/" + (month_first ? "dmy" : "mdy") + " says otherwise";
}

std::string times_remark(const std::string& file, const std::vector<std::string>& columns) {
  return columns_remark(file, columns, "holds times or durations, which become",
                        "hold times or durations, which become",
                        " seconds; " + option("columns") + " NAME:category says otherwise");
}

}  // namespace tandem

#include "tandem/data/reading.hpp"

#include <algorithm>
#include <climits>

#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"

namespace tandem {
namespace {

// The text up to the first of `ends` that is not quoted, without its quotes, which are doubled
// where they stand for themselves; `text` moves to that end.
std::string take_word(std::string_view& text, std::string_view ends) {
  std::string word;
  bool quoted = false;
  while (!text.empty() && (quoted || ends.find(text.front()) == std::string_view::npos)) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '"') {
      word += c;
    } else if (quoted && !text.empty() && text.front() == '"') {
      word += '"';
      text.remove_prefix(1);
    } else {
      quoted = !quoted;
    }
  }
  if (quoted)
    throw InputError(
        "a quote in the list is never closed; a quote inside a quoted name is written twice");
  return word;
}

std::string quoted_word(const std::string& word, std::string_view special) {
  if (word.find_first_of(special) == std::string::npos && !word.empty()) return word;
  std::string text = "\"";
  for (const char c : word) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + "\"";
}

constexpr std::string_view special_in_texts = ",\"";
constexpr std::string_view special_in_names = ",:/\"";

ThousandsMark thousands_from(char c) {
  switch (c) {
    case ',': return ThousandsMark::comma;
    case '.': return ThousandsMark::point;
    case '\'': return ThousandsMark::apostrophe;
    case '_':
    case ' ': return ThousandsMark::space;
    default: break;
  }
  throw InputError("'" + std::string(1, c) +
                   "' is no thousands mark; expected , . ' or _ (a blank)");
}

char mark_of(ThousandsMark mark) {
  switch (mark) {
    case ThousandsMark::comma: return ',';
    case ThousandsMark::point: return '.';
    case ThousandsMark::apostrophe: return '\'';
    case ThousandsMark::space: return '_';
    case ThousandsMark::automatic:
    case ThousandsMark::none: break;
  }
  return 0;
}

// Takes the part after the slash of "price:number/,.": the decimal and thousands marks.
void take_form(std::string_view form, ColumnReading& column) {
  if (column.kind == ColumnKind::date) {
    column.order = parse_enum<DateOrder>("order of a date", form);
    return;
  }
  if (column.kind != ColumnKind::number || form.empty() || form.size() > 2) {
    throw InputError("'/" + std::string(form) + "' does not belong to a column of kind " +
                     std::string(to_string(column.kind)) +
                     "; expected number/, or number/,. or date/dmy, say");
  }
  if (form[0] != '.' && form[0] != ',') {
    throw InputError("'" + std::string(form) +
                     "' does not begin with a decimal mark, . or ,; write number/, or number/.,");
  }
  column.decimal = form[0] == ',' ? DecimalMark::comma : DecimalMark::point;
  column.thousands = form.size() == 2 ? thousands_from(form[1]) : ThousandsMark::none;
  if (form.size() == 2 && form[0] == form[1]) {
    throw InputError("'" + std::string(form) +
                     "': the two marks of a number differ; write number/,. or number/.,");
  }
}

}  // namespace

FormatName FormatName::parse(std::string_view text) {
  std::vector<std::string_view> names{"auto"};
  names.insert(names.end(), format_names().begin(), format_names().end());
  return {std::string(names[find_name("format", text, names)])};
}

Delimiter Delimiter::parse(std::string_view text) {
  Delimiter result;
  if (text.empty() || text == "auto") return result;
  if (text == "whitespace") {
    result.whitespace = true;
    return result;
  }
  constexpr std::array<std::pair<std::string_view, char>, 7> words{{{"\\t", '\t'},
                                                                    {"tab", '\t'},
                                                                    {"space", ' '},
                                                                    {"comma", ','},
                                                                    {"semicolon", ';'},
                                                                    {"pipe", '|'},
                                                                    {"colon", ':'}}};
  for (const auto& [word, character] : words) {
    if (text == word) return {character};
  }
  if (text.size() > 1) {
    throw InputError("'" + std::string(text) +
                     "' is not one character; expected ; or tab or whitespace, say");
  }
  return {text.front()};
}

std::string Delimiter::to_string() const {
  if (whitespace) return "whitespace";
  if (character == 0) return "auto";
  if (character == '\t') return "tab";
  return character == ' ' ? "space" : std::string(1, character);
}

CommentMark CommentMark::parse(std::string_view text) {
  if (text == "auto") return {};
  if (text.empty() || text == "none") return {'\0'};
  if (text.size() > 1) {
    throw InputError("'" + std::string(text) + "' is not one character; expected # or none, say");
  }
  return {text.front()};
}

std::string CommentMark::to_string() const {
  if (automatic) return "auto";
  return character == 0 ? "none" : std::string(1, character);
}

const std::vector<std::string>& default_missing_texts() {
  // Those of pandas, and "?", which the data sets of UCI have.
  static const std::vector<std::string> texts{
      "",     "?",    "NA",   "N/A",     "n/a",      "NaN",    "nan",      "-NaN",
      "-nan", "NULL", "null", "None",    "<NA>",     "#N/A",   "#N/A N/A", "#NA",
      "NAN",  "nat",  "NaT",  "-1.#IND", "-1.#QNAN", "1.#IND", "1.#QNAN"};
  return texts;
}

MissingTexts MissingTexts::parse(std::string_view text) {
  MissingTexts result;
  result.texts.clear();
  result.standard = false;
  for (;;) {
    result.texts.push_back(take_word(text, ","));
    if (text.empty()) break;
    text.remove_prefix(1);
  }
  result.standard = result.texts == default_missing_texts();
  return result;
}

std::string MissingTexts::to_string() const {
  std::string text;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    text += (i > 0 ? "," : "") +
            (texts[i].empty() ? std::string() : quoted_word(texts[i], special_in_texts));
  }
  return text;
}

ColumnReadings ColumnReadings::parse(std::string_view text) {
  ColumnReadings result;
  if (text.empty()) return result;
  for (;;) {
    ColumnReading column;
    column.name = take_word(text, ":,");
    if (text.empty() || text.front() != ':' || column.name.empty()) {
      throw InputError("'" + column.name + "' is not NAME:KIND; expected " +
                       "age:number,zip:category,when:date, say; a name with a comma or a colon is "
                       "quoted");
    }
    text.remove_prefix(1);
    column.kind = parse_enum<ColumnKind>("kind of a column", take_word(text, "/,"));
    if (!text.empty() && text.front() == '/') {
      text.remove_prefix(1);
      // The form itself may hold a comma.
      std::size_t size = 0;
      if (column.kind == ColumnKind::number) {
        size = std::min<std::size_t>(text.size(), 1);
        if (text.size() > 1 && (text[1] != ',' || (text.size() > 2 && text[2] == ','))) size = 2;
        if (text.size() == 2 && text[1] == ',') size = 2;
      } else {
        size = std::min(text.find(','), text.size());
      }
      take_form(text.substr(0, size), column);
      text.remove_prefix(size);
    }
    result.list.push_back(std::move(column));
    if (text.empty()) return result;
    if (text.front() != ',')
      throw InputError("expected a comma before '" + std::string(text) + "'");
    text.remove_prefix(1);
  }
}

std::string ColumnReadings::to_string() const {
  std::string text;
  for (const ColumnReading& column : list) {
    if (!text.empty()) text += ',';
    text += quoted_word(column.name, special_in_names) + ":" +
            std::string(tandem::to_string(column.kind));
    if (column.kind == ColumnKind::number && column.decimal != DecimalMark::automatic &&
        (column.decimal == DecimalMark::comma || mark_of(column.thousands) != 0)) {
      text += column.decimal == DecimalMark::comma ? "/," : "/.";
      if (const char mark = mark_of(column.thousands)) text += mark;
    }
    if (column.kind == ColumnKind::date && column.order != DateOrder::automatic) {
      text += "/" + std::string(tandem::to_string(column.order));
    }
  }
  return text;
}

void Reading::visit(OptionVisitor& visitor) {
  visitor.written("format", format,
                  "the format of the file: csv, tsv, npy, npz, libsvm, idx, parquet or arrow; auto "
                  "looks at it",
                  "WORD");
  visitor.choice("header", header, "text tables: whether the first line names the columns");
  visitor.written("delimiter", delimiter,
                  "text tables: what separates fields: a character, tab, or whitespace for any run "
                  "of blanks",
                  "TEXT");
  visitor.choice("decimal", decimal, "text tables: the mark before the fraction of a number");
  visitor.choice("thousands", thousands,
                 "text tables: the mark between groups of three digits; space is any blank");
  visitor.written("comment", comment,
                  "text tables: what begins a comment, to the end of its line; auto: # where the "
                  "file begins with it",
                  "C");
  visitor.integer("skip_lines", skip_lines,
                  "text tables: lines before the table, which are left out; -1: found out", -1,
                  INT_MAX);
  visitor.text(
      "encoding", encoding,
      "text tables: the encoding as iconv calls it, as in utf-16 or windows-1252; UTF-8, or "
      "what a byte order mark says, if left out");
  visitor.written("missing", missing, "text tables: texts that stand for a missing value",
                  "TEXT,...");
  visitor.written("columns", columns,
                  "text tables: what columns hold: number, category, date, time or boolean; marks "
                  "and orders follow a slash: price:number/,. when:date/dmy",
                  "NAME:KIND,...");
  visitor.choice("dates", dates,
                 "text tables: dates become seconds since 1970-01-01 00:00:00 UTC, or parts: year, "
                 "month, weekday (0 is Monday) and hour");
  visitor.integer("features", features, "libsvm: number of features; 0 takes the largest index", 0,
                  INT64_MAX);
  visitor.choice("index_base", index_base, "libsvm: the index of the first feature");
}

void Reading::complete_from(const Reading& other) {
  if (format == "auto") format = other.format;
  if (header == HeaderChoice::automatic) header = other.header;
  if (delimiter.automatic()) delimiter = other.delimiter;
  if (decimal == DecimalMark::automatic) decimal = other.decimal;
  if (thousands == ThousandsMark::automatic) thousands = other.thousands;
  if (comment.automatic) comment = other.comment;
  if (skip_lines < 0) skip_lines = other.skip_lines;
  if (encoding.empty()) encoding = other.encoding;
  if (missing.standard) missing = other.missing;
  for (const ColumnReading& column : other.columns.list) {
    if (find(column.name) == nullptr) columns.list.push_back(column);
  }
  if (dates == DateUse::automatic) dates = other.dates;
  if (features == 0) features = other.features;
  if (index_base == IndexBase::automatic) index_base = other.index_base;
}

const ColumnReading* Reading::find(std::string_view column) const {
  const auto found = std::find_if(columns.list.begin(), columns.list.end(),
                                  [&](const ColumnReading& one) { return one.name == column; });
  return found == columns.list.end() ? nullptr : &*found;
}

bool Reading::operator==(const Reading& o) const {
  return format == o.format && header == o.header && delimiter == o.delimiter &&
         decimal == o.decimal && thousands == o.thousands && comment == o.comment &&
         skip_lines == o.skip_lines && encoding == o.encoding && missing == o.missing &&
         columns == o.columns && dates == o.dates && features == o.features &&
         index_base == o.index_base;
}

}  // namespace tandem

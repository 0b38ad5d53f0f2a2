// Fields and records of delimited text (RFC 4180 and relatives).
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/types.hpp"

namespace tandem {

inline constexpr Index most_csv_columns = Index{1} << 22;

// How a text is cut into fields.
struct CsvDialect {
  char delimiter = ',';     // ' ' where any run of blanks and tabs separates
  bool whitespace = false;  // blanks at either end of a line separate nothing
  char comment = 0;         // begins a comment to the end of the line; 0: none
};

inline bool is_csv_blank(char c) { return c == ' ' || c == '\t'; }

inline std::string_view csv_trimmed(std::string_view text) {
  while (!text.empty() && is_csv_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_csv_blank(text.back())) text.remove_suffix(1);
  return text;
}

// One field, from the first character of it. What follows it: the delimiter, or the record's end.
struct CsvField {
  std::string_view text;       // without quotes; blanks around it are left out unless it was quoted
  const char* next = nullptr;  // the delimiter, or the line feed that ends the record
  Index line_feeds = 0;        // inside the quotes
  bool quoted = false;
  const char* mistake = nullptr;
};

// `scratch` holds the text of quoted fields. The last byte before `end` is a line feed. Where
// blanks separate, p stands behind them, and field.next is the first character of the next field or
// the line feed.
[[nodiscard]] CsvField read_csv_field(const char* p, const char* end, const CsvDialect& dialect,
                                      std::string& scratch);

// Skips lines that are empty, or hold blanks alone that separate nothing, or a comment; false at
// the end.
[[nodiscard]] inline bool skip_empty_lines(const char*& p, const char* end, Index& lines,
                                           const CsvDialect& dialect) {
  while (p < end) {
    const char* q = p;
    if (dialect.whitespace) {
      while (is_csv_blank(*q)) ++q;
    } else if (is_csv_blank(*q) && *q != dialect.delimiter) {
      const char* r = q;
      while (is_csv_blank(*r) && *r != dialect.delimiter) ++r;
      if (*r == '\n' || (*r == '\r' && r[1] == '\n')) q = r;
    }
    if (*q == '\n') {
      p = q + 1;
    } else if (*q == '\r' && q[1] == '\n') {
      p = q + 2;
    } else if (dialect.comment != 0 && *q == dialect.comment) {
      p = static_cast<const char*>(std::memchr(q, '\n', static_cast<std::size_t>(end - q))) + 1;
    } else {
      p = q;
      return true;
    }
    ++lines;
  }
  return false;
}

struct CsvRecordFields {
  std::vector<std::string> fields;
  std::vector<bool> quoted;
  Index line = 0;  // of its beginning, from 0

  [[nodiscard]] std::size_t size() const noexcept { return fields.size(); }
  [[nodiscard]] const std::string& operator[](std::size_t i) const { return fields[i]; }
};

// The fields of the record at p, which moves behind it. A mistake ends the record.
const char* split_csv_record(const char*& p, const char* end, const CsvDialect& dialect,
                             CsvRecordFields& record, Index& lines);

// Shows a field in a message: shortened, and printable.
[[nodiscard]] std::string quoted_field(std::string_view text);
// "a, b, c, ... (20 in all)"
[[nodiscard]] std::string listed_names(const std::vector<std::string>& names);

[[nodiscard]] bool is_valid_utf8(std::string_view text);
// Throws InputError that names the file and the option.
void require_utf8(const std::string& file, std::string_view text);

}  // namespace tandem

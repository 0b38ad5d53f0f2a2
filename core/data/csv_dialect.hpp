// How a text file is cut into records and fields, found out from its beginning.
//
// Every candidate for the delimiter is tried and judged by what comes out: whether records have the
// same number of fields, and whether the fields are whole numbers, dates and words or pieces of
// some, as "5;2" is. This follows van den Burg, Nazábal and Sutton, "Wrangling messy CSV files by
// detecting row and type patterns" (2019), which scores by row pattern times share of typed cells.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/data/csv_fields.hpp"
#include "core/data/input.hpp"
#include "tandem/data/reading.hpp"

namespace tandem {

// The file as UTF-8 text with line feeds, and its beginning.
struct TextHead {
  std::string text;      // whole records, with the padding that parse_number wants behind them
  std::size_t size = 0;  // without the padding
  bool whole = false;    // it is the whole file
  [[nodiscard]] const char* begin() const { return text.data(); }
  [[nodiscard]] const char* end() const { return text.data() + size; }
};

// The input decoded to UTF-8 with line feeds, by the encoding that is named or that a byte order
// mark or the pattern of zero bytes shows, and without its first `skip` lines. The input itself
// where nothing is to be done. `encoding` receives what was decided.
[[nodiscard]] Input as_text(const Input& input, const Reading& asked, bool of_model,
                            std::string& encoding);
[[nodiscard]] Input without_first_lines(const Input& input, Index lines);

// At least one record and enough to judge by. `longest`: of a record that is read.
[[nodiscard]] TextHead read_text_head(const Input& input, std::size_t longest);

// The records at the beginning, up to `most`; ends at a mistake.
[[nodiscard]] std::vector<CsvRecordFields> first_records(const TextHead& head,
                                                         const CsvDialect& dialect,
                                                         std::size_t most);

struct FoundDialect {
  CsvDialect dialect;
  Index skip_lines = 0;         // before the table
  bool separator_line = false;  // one of them is "sep=;"
  // Names that stand in a comment right before the table, "#x y z".
  std::optional<std::vector<std::string>> names_in_comment;
  std::vector<std::string> notices;
};
// `asked`: what is not automatic in it is taken as it is. `tabs`: a .tsv file.
[[nodiscard]] FoundDialect find_dialect(const TextHead& head, const Reading& asked, bool tabs,
                                        const std::string& file);

// A number in some form, a date, a time, true or false.
[[nodiscard]] bool is_typed(std::string_view text);

}  // namespace tandem

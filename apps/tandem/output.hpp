// Standard output belongs to results; standard error to messages and progress.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::program {

// A result to be read by a person: control characters in it are written out, not obeyed (see
// tandem/core/visible.hpp). Throws SystemError where standard output does not take it all, such as
// a full disk. Where nobody reads any more (`tandem ... | head`), the process ends as by SIGPIPE,
// without a word.
void print(std::string_view text);
// A result to be read by a program, such as CSV: its bytes, unless they go to a terminal.
void print_data(std::string_view text);
// Indented, with a final line feed. NaN and infinities are null; numbers read back to the same
// bits.
void print_json(const nlohmann::json& json);
// For JSON, whose writer knows numbers of 64 bits only: the double with the same shortest decimal
// text, 0.1 for 0.1F. It reads back to the same number of 32 bits.
[[nodiscard]] double short_number(float value);
[[nodiscard]] inline double short_number(double value) { return value; }
// A line on standard error.
void note(std::string_view text);

// Columns of the terminal that standard output goes to, or what the environment's COLUMNS says, and
// 80 where neither is known; at least 40, and at most 100, beyond which lines are hard to read.
[[nodiscard]] std::size_t terminal_width();
// The text with line feeds in place of blanks, so that no line is wider where words allow; lines
// after the first of each paragraph begin with `indent` blanks. Ends with a line feed.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t width, std::size_t indent = 0);
// "  term      what it is": the explanation from column `column` on, or on lines of its own.
[[nodiscard]] std::string definition(std::string_view term, std::string_view explanation,
                                     std::size_t width, std::size_t column);

// Six significant digits: what a person reads; "undefined" for NaN.
[[nodiscard]] std::string readable(double value);
// "0.0123" or "12.3", in seconds.
[[nodiscard]] std::string readable_seconds(double seconds);
[[nodiscard]] std::string counted(std::int64_t count, std::string_view singular,
                                  std::string_view plural = {});

// Lines of equal columns, control characters in them written out, the first aligned to the left and
// the others to the right.
[[nodiscard]] std::string table(const std::vector<std::vector<std::string>>& rows,
                                std::string_view indent = "  ");

}  // namespace tandem::program

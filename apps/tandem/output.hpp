// Standard output belongs to results; standard error to messages and progress.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::program {

// Throws SystemError where standard output does not take it all: a closed pipe, a full disk.
void print(std::string_view text);
// Indented, with a final line feed. NaN and infinities are null; numbers read back to the same
// bits.
void print_json(const nlohmann::json& json);
// A line on standard error.
void note(std::string_view text);

// Six significant digits: what a person reads.
[[nodiscard]] std::string readable(double value);
// "0.0123" or "12.3", in seconds.
[[nodiscard]] std::string readable_seconds(double seconds);
[[nodiscard]] std::string counted(std::int64_t count, std::string_view singular,
                                  std::string_view plural = {});

// Lines of equal columns, the first aligned to the left and the others to the right.
[[nodiscard]] std::string table(const std::vector<std::vector<std::string>>& rows,
                                std::string_view indent = "  ");

}  // namespace tandem::program

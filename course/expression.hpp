// Whole numbers worked out from sizes: "ceil(n / 256)", "min(rows, 65535)", "4 * columns".
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "course/challenge.hpp"

namespace tandem::course {

class ExpressionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Has + - * / and parentheses, names of sizes, min(a, b), max(a, b), and ceil(a / b), which rounds
// the division up; a division elsewhere rounds down. Throws ExpressionError where the text is none,
// a name is unknown, a number does not fit 64 bits, a divisor is not positive or a dividend
// negative.
[[nodiscard]] std::int64_t value_of(std::string_view expression, const Sizes& sizes);

}  // namespace tandem::course

#include "course/expression.hpp"

#include <algorithm>
#include <cctype>

namespace tandem::course {
namespace {

class Reader {
 public:
  Reader(std::string_view text, const Sizes& sizes) : text_(text), sizes_(sizes) {}

  std::int64_t whole() {
    const std::int64_t value = sum();
    skip();
    if (at_ != text_.size()) fail("'" + std::string(text_.substr(at_, 10)) + "' was not expected");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw ExpressionError("'" + std::string(text_.substr(0, 60)) + "': " + what);
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void want(char c) {
    if (!take(c)) fail(std::string("expected '") + c + "'");
  }

  std::int64_t added(std::int64_t a, std::int64_t b) const {
    std::int64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) fail("the number is too large");
    return sum;
  }
  std::int64_t sum() {
    std::int64_t value = product(nullptr);
    for (;;) {
      if (take('+')) {
        value = added(value, product(nullptr));
      } else if (take('-')) {
        if (__builtin_sub_overflow(value, product(nullptr), &value)) {
          fail("the number is too large");
        }
      } else {
        return value;
      }
    }
  }
  std::int64_t divided(std::int64_t a, std::int64_t b) const {
    if (b <= 0) fail("a divisor has to be positive");
    if (a < 0) fail("a dividend has to be 0 or more");
    return a / b;
  }
  // Where `last_divisor` is given, the last division is left to the caller, which rounds it up.
  std::int64_t product(std::int64_t* last_divisor) {
    std::int64_t value = factor();
    for (;;) {
      if (take('*')) {
        settle(value, last_divisor);
        const std::int64_t other = factor();
        if (__builtin_mul_overflow(value, other, &value)) fail("the number is too large");
      } else if (take('/')) {
        const std::int64_t divisor = factor();
        if (divisor <= 0) fail("a divisor has to be positive");
        if (last_divisor == nullptr) {
          value = divided(value, divisor);
        } else if (*last_divisor == 0) {
          *last_divisor = divisor;
        } else if (__builtin_mul_overflow(*last_divisor, divisor, last_divisor)) {
          fail("the number is too large");
        }
      } else {
        return value;
      }
    }
  }
  void settle(std::int64_t& value, std::int64_t* last_divisor) const {
    if (last_divisor == nullptr || *last_divisor == 0) return;
    value = divided(value, *last_divisor);
    *last_divisor = 0;
  }
  std::int64_t factor() {
    skip();
    if (++depth_ > 50) fail("too deep");
    const std::int64_t value = factor_inside();
    --depth_;
    return value;
  }
  std::int64_t factor_inside() {
    if (take('(')) {
      const std::int64_t value = sum();
      want(')');
      return value;
    }
    if (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) {
      std::int64_t value = 0;
      while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) {
        if (__builtin_mul_overflow(value, 10, &value)) fail("the number is too large");
        value = added(value, text_[at_++] - '0');
      }
      return value;
    }
    std::string name;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_')) {
      name += text_[at_++];
    }
    if (name.empty()) fail("expected a number or the name of a size");
    if (name == "ceil") return rounded_up();
    if (name == "min" || name == "max") {
      want('(');
      const std::int64_t a = sum();
      want(',');
      const std::int64_t b = sum();
      want(')');
      return name == "min" ? std::min(a, b) : std::max(a, b);
    }
    if (const auto size = sizes_.find(name); size != sizes_.end()) return size->second;
    std::string names;
    for (const auto& size : sizes_) names += (names.empty() ? "" : ", ") + size.first;
    fail("there is no size '" + name + "'; there is " + names);
  }
  std::int64_t rounded_up() {
    want('(');
    std::int64_t divisor = 0;
    const std::int64_t value = product(&divisor);
    if (divisor == 0) fail("ceil takes a division: ceil(n / 256)");
    want(')');
    const std::int64_t below = divided(value, divisor);
    return value % divisor == 0 ? below : added(below, 1);
  }
  std::string_view text_;
  const Sizes& sizes_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::int64_t value_of(std::string_view expression, const Sizes& sizes) {
  return Reader(expression, sizes).whole();
}

}  // namespace tandem::course

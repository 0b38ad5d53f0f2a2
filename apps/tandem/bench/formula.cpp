#include "tandem/bench/formula.hpp"

#include <cctype>
#include <charconv>

#include "tandem/core/error.hpp"

namespace tandem::program {
namespace {

class Parser {
 public:
  Parser(std::string_view text, const Numbers& numbers) : text_(text), numbers_(numbers) {}

  double all() {
    const double value = sum();
    skip();
    if (at_ < text_.size()) fail("an operator or the end");
    return value;
  }

 private:
  [[noreturn]] void fail(const std::string& expected) const {
    throw InputError("formula '" + std::string(text_) + "': expected " + expected +
                     " at character " + std::to_string(at_ + 1));
  }

  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  bool takes(char sign) {
    skip();
    if (at_ >= text_.size() || text_[at_] != sign) return false;
    ++at_;
    return true;
  }

  double sum() {
    double value = product();
    for (;;) {
      if (takes('+')) {
        value += product();
      } else if (takes('-')) {
        value -= product();
      } else {
        return value;
      }
    }
  }

  double product() {
    double value = factor();
    for (;;) {
      if (takes('*')) {
        value *= factor();
      } else if (takes('/')) {
        value /= factor();
      } else {
        return value;
      }
    }
  }

  double factor() {
    if (++depth_ > 64) fail("fewer parentheses");
    skip();
    double value = 0;
    if (takes('(')) {
      value = sum();
      if (!takes(')')) fail("')'");
    } else if (at_ < text_.size() && std::isalpha(static_cast<unsigned char>(text_[at_])) != 0) {
      value = named();
    } else {
      const char* const end = text_.data() + text_.size();
      const auto read = std::from_chars(text_.data() + at_, end, value);
      if (read.ec != std::errc()) fail("a number, a name or '('");
      at_ = static_cast<std::size_t>(read.ptr - text_.data());
    }
    --depth_;
    return value;
  }

  double named() {
    std::size_t end = at_;
    while (end < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[end])) != 0 || text_[end] == '_')) {
      ++end;
    }
    const std::string_view name = text_.substr(at_, end - at_);
    const auto found = numbers_.find(name);
    if (found == numbers_.end()) {
      std::string known;
      for (const auto& [one, value] : numbers_) known += (known.empty() ? "" : ", ") + one;
      fail("one of " + known + " in place of '" + std::string(name) + "'");
    }
    at_ = end;
    return found->second;
  }

  std::string_view text_;
  const Numbers& numbers_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

double value_of(std::string_view formula, const Numbers& numbers) {
  return Parser(formula, numbers).all();
}

}  // namespace tandem::program

// The words of a file of rules.
#pragma once

#include <string>
#include <string_view>

namespace tandem::fraud {

struct RuleToken {
  enum class Kind { end, name, number, text, sign };
  Kind kind = Kind::end;
  std::string text;  // of a text without its quotes and escapes
  double number = 0;
  int line = 1;
  int column = 1;

  [[nodiscard]] bool is(std::string_view what) const {
    return (kind == Kind::name || kind == Kind::sign) && text == what;
  }
  // As a message quotes it.
  [[nodiscard]] std::string shown() const;
};

class RuleLexer {
 public:
  RuleLexer(std::string_view text, std::string name);
  [[nodiscard]] const RuleToken& current() const noexcept { return current_; }
  // The token that was current; the one after it is from then on.
  RuleToken take();
  // Throws InputError that begins with the place of the token.
  [[noreturn]] void fail(const RuleToken& at, const std::string& message) const;

 private:
  void advance();
  void read_text();
  [[nodiscard]] char peek(std::size_t ahead = 0) const;
  void step();

  std::string_view text_;
  std::string name_;
  std::size_t at_ = 0;
  int line_ = 1;
  int column_ = 1;
  RuleToken current_;
};

}  // namespace tandem::fraud

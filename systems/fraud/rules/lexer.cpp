#include "systems/fraud/rules/lexer.hpp"

#include "core/text.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string RuleToken::shown() const {
  switch (kind) {
    case Kind::end: return "the end of the file";
    case Kind::text: return "the text \"" + text + "\"";
    case Kind::name:
    case Kind::number:
    case Kind::sign: break;
  }
  return "'" + text + "'";
}

RuleLexer::RuleLexer(std::string_view text, std::string name)
    : text_(text), name_(std::move(name)) {
  advance();
}

RuleToken RuleLexer::take() {
  RuleToken taken = std::move(current_);
  advance();
  return taken;
}

void RuleLexer::fail(const RuleToken& at, const std::string& message) const {
  throw InputError(name_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " +
                   message);
}

char RuleLexer::peek(std::size_t ahead) const {
  return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
}

void RuleLexer::step() {
  if (text_[at_++] == '\n') {
    ++line_;
    column_ = 1;
  } else {
    ++column_;
  }
}

void RuleLexer::advance() {
  while (at_ < text_.size()) {
    const char c = peek();
    if (c == '#') {
      while (at_ < text_.size() && peek() != '\n') step();
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      step();
    } else {
      break;
    }
  }
  current_ = {};
  current_.line = line_;
  current_.column = column_;
  if (at_ == text_.size()) return;
  const std::size_t begin = at_;
  const char c = peek();
  if (is_letter(c)) {
    current_.kind = RuleToken::Kind::name;
    while (is_letter(peek()) || is_digit(peek())) step();
    // The one word with a dash, so that "a-b" stays a difference.
    if (text_.substr(begin, at_ - begin) == "dry" && text_.substr(at_, 4) == "-run") {
      for (int i = 0; i < 4; ++i) step();
    }
    current_.text = std::string(text_.substr(begin, at_ - begin));
  } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
    current_.kind = RuleToken::Kind::number;
    while (is_digit(peek()) || peek() == '.' || is_letter(peek()) ||
           ((peek() == '-' || peek() == '+') && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E'))) {
      step();
    }
    current_.text = std::string(text_.substr(begin, at_ - begin));
    if (!read_number(current_.text, current_.number)) {
      fail(current_, "expected a number, not '" + current_.text + "'");
    }
  } else if (c == '"') {
    read_text();
  } else {
    current_.kind = RuleToken::Kind::sign;
    const std::string_view two = text_.substr(at_, 2);
    const bool pair = two == "<=" || two == ">=" || two == "==" || two == "!=";
    if (!pair && std::string_view("<>+-*/(){},").find(c) == std::string_view::npos) {
      if (c == '=') fail(current_, "'=' is no sign of the language; equality is '=='");
      if (c == '!') fail(current_, "'!' is no sign of the language; write 'not'");
      if (c == '&' || c == '|') {
        fail(current_, std::string("'") + c + "' is no sign of the language; write " +
                           (c == '&' ? "'and'" : "'or'"));
      }
      fail(current_, "this character is not of the language");
    }
    current_.text = std::string(pair ? two : two.substr(0, 1));
    for (std::size_t i = 0; i < current_.text.size(); ++i) step();
  }
}

void RuleLexer::read_text() {
  current_.kind = RuleToken::Kind::text;
  step();
  for (;;) {
    const char c = peek();
    if (at_ == text_.size() || c == '\n') fail(current_, "the text does not end on its line");
    step();
    if (c == '"') return;
    if (c != '\\') {
      current_.text += c;
      continue;
    }
    const char escaped = peek();
    if (escaped != '"' && escaped != '\\') {
      fail(current_, "in a text, a backslash stands before \" or another backslash only");
    }
    current_.text += escaped;
    step();
  }
}

}  // namespace tandem::fraud

// The parser of rules: by recursive descent, with types, straight to operations.
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "systems/fraud/rules/lexer.hpp"
#include "systems/fraud/rules/rules.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/options.hpp"

namespace tandem::fraud {
namespace {

using Kind = RuleOperation::Kind;

constexpr std::string_view reserved[] = {
    "version", "rule", "priority", "when", "weight", "action", "reason", "dry-run", "and",
    "or",      "not",  "in",       "true", "false",  "min",    "max",    "abs",     "known"};

// What an expression is, once its operations are written.
struct Typed {
  RuleType type = RuleType::number;
  const RuleVariable* variable = nullptr;  // whose choices a value of `choice` has
  bool literal = false;                    // a text, which stands for a choice of the other side
  RuleToken at{};
};

class Parser {
 public:
  Parser(std::string_view text, const std::string& name, const std::vector<RuleVariable>& variables,
         const RuleLimits& limits)
      : lexer_(text, name), variables_(variables), limits_(limits) {
    for (std::size_t i = 0; i < variables.size(); ++i) {
      places_.emplace(variables[i].name, static_cast<int>(i));
    }
  }

  std::int64_t version() {
    const RuleToken at = lexer_.current();
    if (!at.is("version")) lexer_.fail(at, "expected 'version N' first, not " + at.shown());
    lexer_.take();
    return whole(1, 2'000'000'000, "the version");
  }

  std::vector<Rule> rules() {
    std::vector<Rule> rules;
    std::set<std::string> names;
    std::size_t operations = 0;
    while (lexer_.current().kind != RuleToken::Kind::end) {
      const RuleToken at = lexer_.current();
      if (rules.size() == limits_.rules) {
        lexer_.fail(at, "a file may have " + std::to_string(limits_.rules) + " rules");
      }
      rules.push_back(rule());
      if (!names.insert(rules.back().name).second) {
        lexer_.fail(at, "there is a rule " + rules.back().name + " already");
      }
      operations += rules.back().program.size();
      if (operations > limits_.operations) {
        lexer_.fail(at, "all rules together take more than " + std::to_string(limits_.operations) +
                            " operations");
      }
    }
    std::stable_sort(rules.begin(), rules.end(),
                     [](const Rule& a, const Rule& b) { return a.priority > b.priority; });
    return rules;
  }

 private:
  std::int64_t whole(std::int64_t lowest, std::int64_t highest, const std::string& what) {
    const RuleToken first = lexer_.current();
    const bool negative = first.is("-");
    if (negative) lexer_.take();
    const RuleToken token = lexer_.take();
    const double value = negative ? -token.number : token.number;
    if (token.kind != RuleToken::Kind::number || value != std::floor(value) ||
        value < static_cast<double>(lowest) || value > static_cast<double>(highest)) {
      lexer_.fail(first, "expected a whole number from " + std::to_string(lowest) + " to " +
                             std::to_string(highest) + " as " + what);
    }
    return static_cast<std::int64_t>(value);
  }

  Rule rule() {
    const RuleToken begin = lexer_.take();
    if (!begin.is("rule")) lexer_.fail(begin, "expected 'rule NAME', not " + begin.shown());
    const RuleToken name = lexer_.take();
    if (name.kind != RuleToken::Kind::name || is_reserved(name.text)) {
      lexer_.fail(name, "expected the name of a rule, not " + name.shown());
    }
    Rule rule;
    rule.name = name.text;
    rule.line = begin.line;
    std::set<std::string> seen;
    for (;;) {
      const RuleToken word = lexer_.current();
      if (word.kind == RuleToken::Kind::end || word.is("rule")) break;
      lexer_.take();
      if (!seen.insert(word.text).second) {
        lexer_.fail(word, "rule " + rule.name + " has '" + word.text + "' already");
      }
      clause(rule, word);
    }
    if (rule.program.empty()) lexer_.fail(begin, "rule " + rule.name + " has no 'when'");
    if (rule.reason.empty()) lexer_.fail(begin, "rule " + rule.name + " has no 'reason'");
    if (rule.weight == 0 && rule.action == RuleAction::none) {
      lexer_.fail(begin, "rule " + rule.name + " has neither 'weight' nor 'action'");
    }
    return rule;
  }

  void clause(Rule& rule, const RuleToken& word) {
    if (word.is("priority")) {
      rule.priority = whole(-1'000'000, 1'000'000, "the priority");
    } else if (word.is("when")) {
      program_ = &rule.program;
      const RuleToken at = lexer_.current();
      const Typed condition = either();
      if (condition.type != RuleType::truth) {
        lexer_.fail(at,
                    "expected a condition, which is true or false; this is a " + named(condition));
      }
    } else if (word.is("weight")) {
      const RuleToken token = lexer_.take();
      if (token.kind != RuleToken::Kind::number || token.number < 0 || token.number > 1) {
        lexer_.fail(token, "expected a weight from 0 to 1, not " + token.shown());
      }
      rule.weight = token.number;
    } else if (word.is("action")) {
      const RuleToken token = lexer_.take();
      for (const RuleAction action :
           {RuleAction::approve, RuleAction::review, RuleAction::decline}) {
        if (token.is(to_string(action))) rule.action = action;
      }
      if (rule.action == RuleAction::none) {
        lexer_.fail(token, "expected approve, review or decline, not " + token.shown());
      }
    } else if (word.is("reason")) {
      const RuleToken token = lexer_.take();
      if (token.kind != RuleToken::Kind::text || token.text.empty()) {
        lexer_.fail(token, "expected the reason as a text in quotes, not " + token.shown());
      }
      rule.reason = reason(token);
    } else if (word.is("dry-run")) {
      rule.dry_run = true;
    } else {
      lexer_.fail(
          word, "expected priority, when, weight, action, reason, dry-run or the next rule, not " +
                    word.shown());
    }
  }

  std::vector<Rule::ReasonPart> reason(const RuleToken& token) {
    std::vector<Rule::ReasonPart> parts(1);
    for (std::size_t i = 0; i < token.text.size(); ++i) {
      const char c = token.text[i];
      const bool twice = i + 1 < token.text.size() && token.text[i + 1] == c;
      if ((c == '{' || c == '}') && twice) {
        parts.back().text += c;
        ++i;
      } else if (c == '{') {
        const auto end = token.text.find('}', i);
        if (end == std::string::npos) {
          lexer_.fail(token, "a '{' has no '}' in the reason; write '{{' for the sign itself");
        }
        const std::string name = token.text.substr(i + 1, end - i - 1);
        parts.back().variable = place_of(name, token);
        parts.emplace_back();
        i = end;
      } else if (c == '}') {
        lexer_.fail(token, "a '}' has no '{' in the reason; write '}}' for the sign itself");
      } else {
        parts.back().text += c;
      }
    }
    return parts;
  }

  static bool is_reserved(std::string_view word) {
    return std::find(std::begin(reserved), std::end(reserved), word) != std::end(reserved);
  }

  int place_of(const std::string& name, const RuleToken& at) const {
    const auto found = places_.find(name);
    if (found != places_.end()) return found->second;
    std::vector<std::string> names;
    for (const RuleVariable& variable : variables_) names.push_back(variable.name);
    const std::string meant = nearest_name(name, names);
    lexer_.fail(at, "there is no feature '" + name + "'" +
                        (meant.empty() ? "" : "; did you mean " + meant + "?"));
  }

  static std::string named(const Typed& value) {
    if (value.literal) return "text";
    return value.type == RuleType::truth    ? "condition"
           : value.type == RuleType::number ? "number"
                                            : "choice";
  }

  void emit(Kind kind, std::uint32_t target = 0, double value = 0) {
    if (program_->size() == limits_.rule_operations) {
      lexer_.fail(lexer_.current(), "the condition takes more than " +
                                        std::to_string(limits_.rule_operations) + " operations");
    }
    program_->push_back({kind, target, value});
  }

  void expect(std::string_view sign) {
    const RuleToken token = lexer_.take();
    if (!token.is(sign)) {
      lexer_.fail(token, "expected '" + std::string(sign) + "', not " + token.shown());
    }
  }

  void need(const Typed& value, RuleType type, const std::string& where) {
    if (value.type == type && !value.literal) return;
    lexer_.fail(value.at, where + " takes a " + (type == RuleType::truth ? "condition" : "number") +
                              "; this is a " + named(value));
  }

  // a or b or ...
  Typed either() {
    return chain("or", Kind::jump_if_true, [this] { return both(); });
  }
  // a and b and ...
  Typed both() {
    return chain("and", Kind::jump_if_false, [this] { return negated(); });
  }

  // The first operand that decides ends the chain.
  template <class Operand>
  Typed chain(std::string_view word, Kind jump, Operand operand) {
    Typed first = operand();
    if (!lexer_.current().is(word)) return first;
    std::vector<std::size_t> jumps;
    need(first, RuleType::truth, "'" + std::string(word) + "'");
    while (lexer_.current().is(word)) {
      lexer_.take();
      jumps.push_back(program_->size());
      emit(jump);
      need(operand(), RuleType::truth, "'" + std::string(word) + "'");
    }
    for (const std::size_t place : jumps) {
      (*program_)[place].target = static_cast<std::uint32_t>(program_->size());
    }
    return {.type = RuleType::truth, .at = first.at};
  }

  Typed negated() {
    const RuleToken at = lexer_.current();
    std::size_t count = 0;
    while (lexer_.current().is("not")) {
      lexer_.take();
      if (++count > limits_.depth) lexer_.fail(at, "too many 'not'");
    }
    const Typed value = comparison();
    if (count == 0) return value;
    need(value, RuleType::truth, "'not'");
    for (std::size_t i = 0; i < count; ++i) emit(Kind::negation);
    return {.type = RuleType::truth, .at = at};
  }

  Typed comparison() {
    Typed left = sum();
    const RuleToken sign = lexer_.current();
    if (sign.is("in")) return membership(left);
    static const std::map<std::string, Kind, std::less<>> kinds{
        {"<", Kind::less},           {"<=", Kind::less_equal}, {">", Kind::greater},
        {">=", Kind::greater_equal}, {"==", Kind::equal},      {"!=", Kind::unequal}};
    const auto found = sign.kind == RuleToken::Kind::sign ? kinds.find(sign.text) : kinds.end();
    if (found == kinds.end()) {
      if (left.literal) {
        lexer_.fail(left.at, "a text can only be compared with a feature of choices");
      }
      return left;
    }
    lexer_.take();
    // A text on the left is written once its other side is known: places are swapped.
    const std::size_t before = program_->size();
    Typed right = sum();
    if (lexer_.current().kind == RuleToken::Kind::sign && kinds.contains(lexer_.current().text)) {
      lexer_.fail(lexer_.current(),
                  "comparisons do not follow each other; write 'a < b and b < c'");
    }
    const bool equality = found->second == Kind::equal || found->second == Kind::unequal;
    if (left.literal || right.literal || left.type == RuleType::choice ||
        right.type == RuleType::choice) {
      if (!equality) lexer_.fail(sign, "choices have no order; compare them by '==' or '!='");
      compare_choices(left, right, before, sign);
    } else if (left.type != right.type) {
      lexer_.fail(sign, "a " + named(left) + " cannot be compared with a " + named(right));
    } else if (left.type == RuleType::truth && !equality) {
      lexer_.fail(sign, "conditions have no order; compare them by '==' or '!='");
    }
    emit(found->second);
    return {.type = RuleType::truth, .at = left.at};
  }

  void compare_choices(const Typed& left, const Typed& right, std::size_t before,
                       const RuleToken& sign) {
    if (left.literal && right.literal) lexer_.fail(sign, "two texts are compared");
    if (left.literal) {
      if (right.type != RuleType::choice) mismatch(left, right, sign);
      (*program_)[before - 1].value = choice_of(right, left.at);
    } else if (right.literal) {
      if (left.type != RuleType::choice) mismatch(left, right, sign);
      program_->back().value = choice_of(left, right.at);
    } else if (left.type != right.type || left.variable->choices != right.variable->choices) {
      mismatch(left, right, sign);
    }
  }

  [[noreturn]] void mismatch(const Typed& left, const Typed& right, const RuleToken& sign) const {
    lexer_.fail(sign, "a " + named(left) + " cannot be compared with a " + named(right) +
                          (left.type == RuleType::choice && right.type == RuleType::choice
                               ? " of other choices"
                               : ""));
  }

  double choice_of(const Typed& of, const RuleToken& text) const {
    const auto& choices = of.variable->choices;
    const auto found = std::find(choices.begin(), choices.end(), text.text);
    if (found != choices.end()) return static_cast<double>(found - choices.begin());
    std::string all;
    for (const std::string& choice : choices) all += (all.empty() ? "" : ", ") + choice;
    lexer_.fail(text, of.variable->name + " is never \"" + text.text + "\"; it is one of " + all);
  }

  // x in {1, 2}: written as x == 1 or x == 2, so that x must be one feature.
  Typed membership(const Typed& left) {
    const RuleToken word = lexer_.take();
    if (program_->empty() || program_->back().kind != Kind::load || left.variable == nullptr ||
        left.type == RuleType::truth) {
      lexer_.fail(word, "'in' takes the name of a number or of a choice on its left");
    }
    const RuleOperation load = program_->back();
    program_->pop_back();
    expect("{");
    std::vector<std::size_t> jumps;
    for (;;) {
      const bool negative = lexer_.current().is("-");
      if (negative) lexer_.take();
      const RuleToken token = lexer_.take();
      double value = negative ? -token.number : token.number;
      if (left.type == RuleType::choice) {
        if (token.kind != RuleToken::Kind::text || negative) {
          lexer_.fail(token, "expected a text, not " + token.shown());
        }
        value = choice_of(left, token);
      } else if (token.kind != RuleToken::Kind::number) {
        lexer_.fail(token, "expected a number, not " + token.shown());
      }
      emit(Kind::load, load.target);
      emit(Kind::constant, 0, value);
      emit(Kind::equal);
      if (!lexer_.current().is(",")) break;
      lexer_.take();
      jumps.push_back(program_->size());
      emit(Kind::jump_if_true);
    }
    expect("}");
    for (const std::size_t place : jumps) {
      (*program_)[place].target = static_cast<std::uint32_t>(program_->size());
    }
    return {.type = RuleType::truth, .at = left.at};
  }

  Typed sum() {
    return arithmetic({{"+", Kind::add}, {"-", Kind::subtract}}, [this] { return product(); });
  }
  Typed product() {
    return arithmetic({{"*", Kind::multiply}, {"/", Kind::divide}}, [this] { return sign(); });
  }

  template <class Operand>
  Typed arithmetic(const std::map<std::string, Kind>& kinds, Operand operand) {
    Typed value = operand();
    for (;;) {
      const RuleToken token = lexer_.current();
      const auto found = token.kind == RuleToken::Kind::sign ? kinds.find(token.text) : kinds.end();
      if (found == kinds.end()) return value;
      lexer_.take();
      need(value, RuleType::number, "'" + token.text + "'");
      need(operand(), RuleType::number, "'" + token.text + "'");
      emit(found->second);
      value = {.type = RuleType::number, .at = value.at};
    }
  }

  Typed sign() {
    const RuleToken at = lexer_.current();
    if (!at.is("-")) return primary();
    lexer_.take();
    need(primary(), RuleType::number, "'-'");
    emit(Kind::negate);
    return {.type = RuleType::number, .at = at};
  }

  Typed primary() {
    const RuleToken token = lexer_.take();
    if (token.kind == RuleToken::Kind::number) {
      emit(Kind::constant, 0, token.number);
      return {.type = RuleType::number, .at = token};
    }
    if (token.kind == RuleToken::Kind::text) {
      emit(Kind::constant);
      return {.type = RuleType::choice, .literal = true, .at = token};
    }
    if (token.is("(")) {
      if (++depth_ > limits_.depth) {
        lexer_.fail(token, "brackets are nested deeper than " + std::to_string(limits_.depth));
      }
      Typed inner = either();
      expect(")");
      --depth_;
      inner.variable = nullptr;
      inner.at = token;
      if (inner.type == RuleType::choice) lexer_.fail(token, "a choice needs no brackets");
      return inner;
    }
    if (token.kind != RuleToken::Kind::name) {
      lexer_.fail(token, "expected a feature, a number or '(', not " + token.shown());
    }
    if (token.is("true") || token.is("false")) {
      emit(Kind::constant, 0, token.is("true") ? 1 : 0);
      return {.type = RuleType::truth, .at = token};
    }
    if (token.is("min") || token.is("max")) {
      return function(token, token.is("min") ? Kind::minimum : Kind::maximum, 2);
    }
    if (token.is("abs")) return function(token, Kind::absolute, 1);
    if (token.is("known")) {
      expect("(");
      const RuleToken name = lexer_.take();
      if (name.kind != RuleToken::Kind::name) {
        lexer_.fail(name, "expected the name of a feature, not " + name.shown());
      }
      emit(Kind::load, static_cast<std::uint32_t>(place_of(name.text, name)));
      emit(Kind::known);
      expect(")");
      return {.type = RuleType::truth, .at = token};
    }
    if (is_reserved(token.text)) {
      lexer_.fail(token, "expected a feature, a number or '(', not " + token.shown());
    }
    const int place = place_of(token.text, token);
    emit(Kind::load, static_cast<std::uint32_t>(place));
    const RuleVariable& variable = variables_[static_cast<std::size_t>(place)];
    return {.type = variable.type, .variable = &variable, .at = token};
  }

  Typed function(const RuleToken& name, Kind kind, int arguments) {
    expect("(");
    if (++depth_ > limits_.depth) {
      lexer_.fail(name, "brackets are nested deeper than " + std::to_string(limits_.depth));
    }
    for (int i = 0; i < arguments; ++i) {
      if (i > 0) expect(",");
      need(sum(), RuleType::number, name.text);
    }
    expect(")");
    --depth_;
    emit(kind);
    return {.type = RuleType::number, .at = name};
  }

  RuleLexer lexer_;
  const std::vector<RuleVariable>& variables_;
  RuleLimits limits_;
  std::map<std::string, int, std::less<>> places_;
  std::vector<RuleOperation>* program_ = nullptr;
  std::size_t depth_ = 0;
};

}  // namespace

RuleSet RuleSet::parse(std::string_view text, const std::string& name,
                       const std::vector<RuleVariable>& variables, const RuleLimits& limits) {
  if (text.size() > limits.bytes) {
    throw InputError(name + ": expected at most " + std::to_string(limits.bytes) + " bytes");
  }
  Parser parser(text, name, variables, limits);
  RuleSet set;
  set.version_ = parser.version();
  set.rules_ = parser.rules();
  set.variables_ = variables;
  set.text_ = std::string(text);
  for (const Rule& rule : set.rules_) set.operations_ += rule.program.size();
  std::array<char, 40> id{};
  std::snprintf(id.data(), id.size(), "%lld-%08x", static_cast<long long>(set.version_),
                static_cast<unsigned>(
                    crc32_z(0, reinterpret_cast<const unsigned char*>(text.data()), text.size())));
  set.id_ = id.data();
  return set;
}

}  // namespace tandem::fraud

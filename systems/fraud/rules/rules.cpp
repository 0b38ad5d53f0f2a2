#include "systems/fraud/rules/rules.hpp"

#include <cmath>
#include <cstdio>
#include <limits>

namespace tandem::fraud {
namespace {

using Kind = RuleOperation::Kind;

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

// What is not finite counts as not known, so that no rule holds by an overflow.
double finite(double value) { return std::isfinite(value) ? value : unknown; }

double of_two(Kind kind, double a, double b) {
  if (std::isnan(a) || std::isnan(b)) {
    // Neither arithmetic nor an order knows what is not known.
    return kind >= Kind::less && kind <= Kind::unequal ? 0 : unknown;
  }
  switch (kind) {
    case Kind::add: return finite(a + b);
    case Kind::subtract: return finite(a - b);
    case Kind::multiply: return finite(a * b);
    case Kind::divide: return b == 0 ? unknown : finite(a / b);
    case Kind::minimum: return a < b ? a : b;
    case Kind::maximum: return a < b ? b : a;
    case Kind::less: return a < b ? 1 : 0;
    case Kind::less_equal: return a <= b ? 1 : 0;
    case Kind::greater: return a > b ? 1 : 0;
    case Kind::greater_equal: return a >= b ? 1 : 0;
    case Kind::equal: return a == b ? 1 : 0;
    case Kind::unequal: return a != b ? 1 : 0;
    default: return unknown;
  }
}

bool holds(const std::vector<RuleOperation>& program, std::span<const double> values) {
  // The parser sees to it that no program needs more.
  std::array<double, 300> stack;  // NOLINT: filled before it is read
  std::size_t top = 0;
  for (std::size_t i = 0; i < program.size(); ++i) {
    const RuleOperation& operation = program[i];
    switch (operation.kind) {
      case Kind::constant: stack[top++] = operation.value; break;
      case Kind::load: stack[top++] = finite(values[operation.target]); break;
      case Kind::negate: stack[top - 1] = -stack[top - 1]; break;
      case Kind::absolute: stack[top - 1] = std::abs(stack[top - 1]); break;
      case Kind::negation: stack[top - 1] = stack[top - 1] == 1 ? 0 : 1; break;
      case Kind::known: stack[top - 1] = std::isnan(stack[top - 1]) ? 0 : 1; break;
      case Kind::jump_if_false:
      case Kind::jump_if_true:
        // A truth value that is not known is false.
        if ((stack[top - 1] == 1) == (operation.kind == Kind::jump_if_true)) {
          i = operation.target - 1;
        } else {
          --top;
        }
        break;
      default: stack[top - 2] = of_two(operation.kind, stack[top - 2], stack[top - 1]); --top;
    }
  }
  return stack[0] == 1;
}

}  // namespace

RuleSet::RuleSet() = default;

void RuleSet::evaluate(std::span<const double> values, std::vector<int>& hits) const {
  hits.clear();
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (holds(rules_[i].program, values)) hits.push_back(static_cast<int>(i));
  }
}

std::string RuleSet::reason(std::size_t rule, std::span<const double> values) const {
  std::string text;
  for (const Rule::ReasonPart& part : rules_[rule].reason) {
    text += part.text;
    if (part.variable < 0) continue;
    const auto place = static_cast<std::size_t>(part.variable);
    text += value_in_words(variables_[place], values[place]);
  }
  return text;
}

std::string value_in_words(const RuleVariable& variable, double value) {
  if (!std::isfinite(value)) return "unknown";
  if (variable.type == RuleType::truth) return value == 1 ? "yes" : "no";
  if (variable.type == RuleType::choice) {
    const auto place = static_cast<std::size_t>(value < 0 ? 0 : value);
    return value >= 0 && place < variable.choices.size() ? variable.choices[place] : "unknown";
  }
  std::array<char, 340> text{};
  const bool small = value != 0 && std::abs(value) < 0.01;
  const int length = std::snprintf(text.data(), text.size(), small ? "%.2g" : "%.2f", value);
  std::string written(text.data(), static_cast<std::size_t>(length));
  if (!small) {
    while (written.back() == '0') written.pop_back();
    if (written.back() == '.') written.pop_back();
  }
  return written == "-0" ? "0" : written;
}

}  // namespace tandem::fraud

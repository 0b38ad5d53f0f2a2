// The language that people review and change while decisions are made: conditions over named
// features, each with a weight or an action and a reason in words. docs/fraud.md describes it.
//
//   version 4
//   rule new_device_far_away
//     priority 20
//     when device_is_new and distance_km > 500 and amount > 3 * user_amount_mean
//     weight 0.35
//     reason "a new device {distance_km} km from the last place"
//
// There are no loops, calls or variables of its own, so that what an evaluation costs is known when
// the text is read: at most `RuleLimits::operations` operations.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/names.hpp"

namespace tandem::fraud {

enum class RuleType { number, truth, choice };
// What a rule asks for, beside the weight that it adds. The action of the rule of highest priority
// decides where several have one.
enum class RuleAction { none, approve, review, decline };

}  // namespace tandem::fraud

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 3> enum_names<fraud::RuleType>{"number", "truth",
                                                                             "choice"};
template <>
inline constexpr std::array<std::string_view, 4> enum_names<fraud::RuleAction>{"none", "approve",
                                                                               "review", "decline"};
}  // namespace tandem

namespace tandem::fraud {

// A name that rules may use. Its place in the list is the place of its value: a number, 0 or 1, the
// position of a choice, or NaN where the value is not known.
struct RuleVariable {
  std::string name;
  RuleType type = RuleType::number;
  std::vector<std::string> choices{};
};

struct RuleLimits {
  std::size_t bytes = 1 << 20;
  std::size_t rules = 1000;
  std::size_t depth = 32;             // of brackets within brackets
  std::size_t rule_operations = 256;  // of one rule
  std::size_t operations = 20'000;    // of all of them
};

struct RuleOperation {
  enum class Kind : std::uint8_t {
    constant,
    load,
    negate,
    add,
    subtract,
    multiply,
    divide,
    minimum,
    maximum,
    absolute,
    less,
    less_equal,
    greater,
    greater_equal,
    equal,
    unequal,
    negation,
    known,
    // Where the top of the stack is false (true), go on at `target` and keep it; else take it off.
    jump_if_false,
    jump_if_true,
  };
  Kind kind = Kind::constant;
  std::uint32_t target = 0;  // of a jump; the place of a variable
  double value = 0;          // of a constant
};

struct Rule {
  struct ReasonPart {
    std::string text;   // that stands before the variable
    int variable = -1;  // -1: none follows
  };
  std::string name;
  std::int64_t priority = 0;
  double weight = 0;  // added to the part of the rules, 0 to 1
  RuleAction action = RuleAction::none;
  bool dry_run = false;  // counted, and without effect
  int line = 0;
  std::vector<RuleOperation> program;
  std::vector<ReasonPart> reason;
};

// A file of rules, checked. It never changes; several threads may evaluate it at once.
class RuleSet {
 public:
  // No rules, version 0.
  RuleSet();
  // Throws InputError "name:line:column: ..." for whatever is not of the language, for a name that
  // is no variable (with the nearest that is one), for types that do not fit, and beyond limits.
  [[nodiscard]] static RuleSet parse(std::string_view text, const std::string& name,
                                     const std::vector<RuleVariable>& variables,
                                     const RuleLimits& limits = {});

  // In the order in which they are looked at: the highest priority first, then as in the file.
  [[nodiscard]] const std::vector<Rule>& rules() const noexcept { return rules_; }
  [[nodiscard]] std::int64_t version() const noexcept { return version_; }
  // "4-9f3c12ab": the number in the text and a checksum of it, for two texts may claim one number.
  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] std::size_t operations() const noexcept { return operations_; }

  // Places in rules() of those that hold for `values`, one per variable, ascending; those in dry
  // run are among them. `hits` is emptied first.
  void evaluate(std::span<const double> values, std::vector<int>& hits) const;
  // The reason with its placeholders filled in.
  [[nodiscard]] std::string reason(std::size_t rule, std::span<const double> values) const;

 private:
  std::vector<Rule> rules_;
  std::vector<RuleVariable> variables_;
  std::int64_t version_ = 0;
  std::string id_ = "0-none";
  std::string text_;
  std::size_t operations_ = 0;
};

// A value as people read it: "1234.5", "yes", the name of a choice, "unknown".
[[nodiscard]] std::string value_in_words(const RuleVariable& variable, double value);

}  // namespace tandem::fraud

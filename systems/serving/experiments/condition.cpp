#include "systems/serving/experiments/condition.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tandem/core/error.hpp"

namespace tandem::experiments {
namespace {

using nlohmann::json;

constexpr int most_levels = 32;
constexpr std::array<std::string_view, 9> value_operators{"$eq",  "$ne", "$lt",  "$lte",   "$gt",
                                                          "$gte", "$in", "$nin", "$exists"};

bool is_operator_object(const json& value) {
  return value.is_object() &&
         std::all_of(value.items().begin(), value.items().end(),
                     [](const auto& item) { return item.key().starts_with('$'); });
}

// --- the check -----------------------------------------------------------------------------------

[[noreturn]] void refuse(const std::string& place, const std::string& what) {
  throw InputError("condition" + place + ": " + what);
}

void check_condition(const json& condition, const std::string& place, int level);

void check_value(const json& value, const std::string& place, int level) {
  if (level > most_levels) refuse(place, "has more than 32 levels");
  if (!value.is_object()) return;
  if (!is_operator_object(value)) {
    if (std::any_of(value.items().begin(), value.items().end(),
                    [](const auto& item) { return item.key().starts_with('$'); })) {
      refuse(place, "mixes operators and names of members");
    }
    return;
  }
  for (const auto& [name, operand] : value.items()) {
    const std::string here = place + "." + name;
    if (name == "$not") {
      check_value(operand, here, level + 1);
      continue;
    }
    if (std::find(value_operators.begin(), value_operators.end(), name) == value_operators.end()) {
      refuse(here,
             "is no operator that is known here; expected $eq, $ne, $lt, $lte, $gt, $gte, $in, "
             "$nin, $exists or $not");
    }
    if ((name == "$in" || name == "$nin") && !operand.is_array()) refuse(here, "takes a list");
    if (name == "$exists" && !operand.is_boolean()) refuse(here, "takes true or false");
    if ((name == "$lt" || name == "$lte" || name == "$gt" || name == "$gte") &&
        !operand.is_number() && !operand.is_string()) {
      refuse(here, "takes a number or a text");
    }
  }
}

void check_condition(const json& condition, const std::string& place, int level) {
  if (level > most_levels) refuse(place, "has more than 32 levels");
  if (!condition.is_object()) refuse(place, "is no JSON object");
  for (const auto& [name, value] : condition.items()) {
    const std::string here = place + "." + name;
    if (name == "$and" || name == "$or" || name == "$nor") {
      if (!value.is_array()) refuse(here, "takes a list of conditions");
      std::size_t at = 0;
      for (const json& part : value) {
        check_condition(part, here + "[" + std::to_string(at++) + "]", level + 1);
      }
    } else if (name == "$not") {
      check_condition(value, here, level + 1);
    } else if (name.starts_with('$')) {
      refuse(here, "is no operator on conditions; expected $and, $or, $nor or $not");
    } else {
      check_value(value, here, level + 1);
    }
  }
}

// --- the evaluation ------------------------------------------------------------------------------

bool equal(const json& a, const json& b) {
  if (a.is_number() && b.is_number()) return a.get<double>() == b.get<double>();
  if (a.is_array() && b.is_array()) {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(),
                      [](const json& x, const json& y) { return equal(x, y); });
  }
  return a == b;
}

// The operator $eq compares values, never lists or objects.
bool equal_values(const json& a, const json& b) { return !a.is_structured() && equal(a, b); }

bool is_in(const json& list, const json& value) {
  if (value.is_array()) {
    return std::any_of(value.begin(), value.end(),
                       [&](const json& one) { return is_in(list, one); });
  }
  return std::any_of(list.begin(), list.end(),
                     [&](const json& one) { return equal_values(one, value); });
}

// −1, 0, 1; 2 where the two have no order.
int order(const json& a, const json& b) {
  if (a.is_number() && b.is_number()) {
    const double x = a.get<double>();
    const double y = b.get<double>();
    return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
  }
  if (a.is_string() && b.is_string()) {
    const int by_bytes = a.get_ref<const std::string&>().compare(b.get_ref<const std::string&>());
    return by_bytes < 0 ? -1 : by_bytes > 0 ? 1 : 0;
  }
  return 2;
}

bool value_matches(const json& wanted, const json& value);

bool operator_matches(const std::string& name, const json& operand, const json& value) {
  if (name == "$eq") return equal_values(value, operand);
  if (name == "$ne") return !equal_values(value, operand);
  if (name == "$in") return is_in(operand, value);
  if (name == "$nin") return !is_in(operand, value);
  if (name == "$exists") return operand.get<bool>() != value.is_null();
  if (name == "$not") return !value_matches(operand, value);
  const int found = order(value, operand);
  if (found == 2) return false;
  if (name == "$lt") return found < 0;
  if (name == "$lte") return found <= 0;
  if (name == "$gt") return found > 0;
  return found >= 0;  // $gte
}

bool value_matches(const json& wanted, const json& value) {
  if (!is_operator_object(wanted)) return equal(wanted, value);
  return std::all_of(wanted.items().begin(), wanted.items().end(), [&](const auto& item) {
    return operator_matches(item.key(), item.value(), value);
  });
}

bool condition_matches(const json& condition, const json& attributes) {
  const auto matches = [&](const json& part) { return condition_matches(part, attributes); };
  for (const auto& [name, value] : condition.items()) {
    bool holds = false;
    if (name == "$and") {
      holds = std::all_of(value.begin(), value.end(), matches);
    } else if (name == "$or") {
      holds = value.empty() || std::any_of(value.begin(), value.end(), matches);
    } else if (name == "$nor") {
      holds = !(value.empty() || std::any_of(value.begin(), value.end(), matches));
    } else if (name == "$not") {
      holds = !matches(value);
    } else {
      holds = value_matches(value, attribute_at(attributes, name));
    }
    if (!holds) return false;
  }
  return true;
}

const json& nothing() {
  static const json null;
  return null;
}

}  // namespace

const json& attribute_at(const json& attributes, const std::string& path) {
  const json* at = &attributes;
  std::size_t from = 0;
  for (;;) {
    const std::size_t dot = path.find('.', from);
    if (!at->is_object()) return nothing();
    const auto found = at->find(path.substr(from, dot - from));
    if (found == at->end()) return nothing();
    at = &*found;
    if (dot == std::string::npos) return *at;
    from = dot + 1;
  }
}

Condition::Condition() : condition_(std::make_shared<const json>(json::object())) {}

Condition Condition::parse(const json& condition) {
  check_condition(condition, "", 1);
  Condition result;
  result.condition_ = std::make_shared<const json>(condition);
  return result;
}

bool Condition::matches(const json& attributes) const {
  return condition_matches(*condition_, attributes);
}

bool Condition::empty() const { return condition_->empty(); }

}  // namespace tandem::experiments

// Conditions on the attributes of a unit: who takes part in an experiment. The language is that of
// GrowthBook's targeting conditions, which is MongoDB's: {"country": "NO", "age": {"$gte": 18}}.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace tandem::experiments {

// Checked once, then evaluated many times, by several threads at once.
//
// Operators: $and, $or, $nor, $not; $eq, $ne, $lt, $lte, $gt, $gte, $in, $nin, $exists. A value
// that is no object of operators must be equal, in type too. A name such as "address.city" goes
// into objects. Only two numbers, or two texts, have an order: anything else is neither less nor
// more.
class Condition {
 public:
  // True of everything.
  Condition();
  // Throws InputError that names the operator and the place for what is not of the language, and
  // for more than 32 levels.
  [[nodiscard]] static Condition parse(const nlohmann::json& condition);

  [[nodiscard]] bool matches(const nlohmann::json& attributes) const;
  [[nodiscard]] const nlohmann::json& definition() const { return *condition_; }
  [[nodiscard]] bool empty() const;

 private:
  std::shared_ptr<const nlohmann::json> condition_;
};

// The value at a path of names separated by dots; null where there is none.
[[nodiscard]] const nlohmann::json& attribute_at(const nlohmann::json& attributes,
                                                 const std::string& path);

}  // namespace tandem::experiments

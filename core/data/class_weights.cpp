#include "tandem/data/class_weights.hpp"

#include <cmath>

#include "core/data/class_names.hpp"
#include "core/text.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/core/names.hpp"

namespace tandem {

ClassWeights ClassWeights::parse(std::string_view text) {
  if (text == "none") return {};
  if (text == "balanced") return {.rule = Rule::balanced, .weights = {}};
  if (same_name(text, "balanced_subsample")) {
    return {.rule = Rule::balanced_subsample, .weights = {}};
  }
  ClassWeights result{.rule = Rule::listed, .weights = {}};
  for (const std::string& entry : split(text, ',')) {
    const std::size_t equals = entry.rfind('=');
    double weight = 0;
    if (equals == std::string::npos ||
        !read_number(std::string_view(entry).substr(equals + 1), weight) || !(weight >= 0) ||
        !std::isfinite(weight)) {
      throw InputError("'" + entry +
                       "' is not CLASS=WEIGHT with a weight of 0 or more; expected none, balanced, "
                       "or a list such as yes=2,no=1");
    }
    std::string name = entry.substr(0, equals);
    for (const auto& [other, ignored] : result.weights) {
      if (other == name) throw InputError("class '" + name + "' is named twice");
    }
    result.weights.emplace_back(std::move(name), weight);
  }
  return result;
}

std::string ClassWeights::to_string() const {
  if (rule == Rule::none) return "none";
  if (rule == Rule::balanced) return "balanced";
  if (rule == Rule::balanced_subsample) return "balanced_subsample";
  std::string text;
  for (const auto& [name, weight] : weights) {
    text += (text.empty() ? "" : ",") + name + "=" + shortest(weight);
  }
  return text;
}

std::vector<double> ClassWeights::of(const std::vector<std::string>& classes,
                                     std::span<const std::int32_t> labels) const {
  if (rule == Rule::balanced_subsample) {
    throw InputError(option("class_weight") +
                     " balanced_subsample is for forests, whose trees draw rows of their own; use "
                     "balanced");
  }
  std::vector<double> result(classes.size(), 1.0);
  if (rule == Rule::balanced) {
    std::vector<std::int64_t> counts(classes.size(), 0);
    for (const auto label : labels) ++counts[static_cast<std::size_t>(label)];
    const auto present = counts.size() - static_cast<std::size_t>(std::count(
                                             counts.begin(), counts.end(), std::int64_t{0}));
    for (std::size_t c = 0; c < classes.size(); ++c) {
      if (counts[c] == 0) continue;
      result[c] = static_cast<double>(labels.size()) /
                  (static_cast<double>(present) * static_cast<double>(counts[c]));
    }
  } else if (rule == Rule::listed) {
    const ClassMatcher matcher(classes);
    std::vector<bool> set(classes.size(), false);
    for (const auto& [name, weight] : weights) {
      if (!(weight >= 0) || !std::isfinite(weight)) {
        throw InputError(option("class_weight") + ": the weight of class '" + name + "' is " +
                         shortest(weight) + "; expected a finite number of 0 or more");
      }
      const ClassMatcher::Match found = matcher.find(name);
      if (found.name < 0) {
        std::string known;
        for (std::size_t c = 0; c < classes.size() && c < 10; ++c) {
          known += (c > 0 ? ", '" : "'") + classes[c] + "'";
        }
        throw InputError(option("class_weight") + ": the target has no class '" + name +
                         "'; it has " + known + (classes.size() > 10 ? ", ..." : ""));
      }
      const auto at = static_cast<std::size_t>(found.name);
      if (set[at]) {
        throw InputError(option("class_weight") + ": the class '" + classes[at] +
                         "' is named twice");
      }
      if (found.by_value) {
        log::warning(option("class_weight") + ": '" + name + "' is taken as the class '" +
                     classes[at] + "', which has the same value");
      }
      set[at] = true;
      result[at] = weight;
    }
  }
  return result;
}

}  // namespace tandem

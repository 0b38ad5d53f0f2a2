// Weights of classes, which multiply those of their rows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/core/export.hpp"

namespace tandem {

struct TANDEM_API ClassWeights {
  // none: all classes weigh 1. balanced: rows / (classes · rows of the class). listed: as `weights`
  // says; classes that it does not name weigh 1. balanced_subsample: of forests, as balanced, but
  // counted among the rows that each tree has drawn.
  enum class Rule { none, balanced, listed, balanced_subsample };
  Rule rule = Rule::none;
  std::vector<std::pair<std::string, double>> weights;  // by class name; finite, >= 0

  // "none", "balanced", "balanced_subsample", or a list such as "setosa=1,virginica=2.5"; a name
  // may hold "=", the last one counts. Throws InputError.
  [[nodiscard]] static ClassWeights parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  // One per class. labels: one per row, an index into `classes`. A listed class is
  // found by its text, else by an equal value where one class has it; throws InputError
  // where it is none, and for balanced_subsample, which has no weights before rows are drawn.
  [[nodiscard]] std::vector<double> of(const std::vector<std::string>& classes,
                                       std::span<const std::int32_t> labels) const;
  [[nodiscard]] bool operator==(const ClassWeights&) const = default;
};

}  // namespace tandem

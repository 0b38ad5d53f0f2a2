// Quantiles of the rows of a leaf, in integers: the same whatever the order of the rows.
//
// With the rows in the order of their values and their weights as whole numbers that add up to W,
// the quantile of share a is the mean of the least value up to which the weights reach a·W and the
// least up to which they exceed it: the median of 1, 2, 3, 4 is 2.5 (type 2 of Hyndman and Fan,
// "Sample Quantiles in Statistical Packages", The American Statistician 50, 1996). Between the two
// every value minimises the objective.
#pragma once

#include <cstdint>

#include "core/tree/order_key.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem::tree {

struct QuantileRule {
  double share = 0.5;
  // A power of two; weights times it are rounded to whole numbers of at least 1.
  double weight_scale = 1;
};

template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline std::int64_t whole_weight(T weight, double scale) {
  const auto whole = static_cast<std::int64_t>(static_cast<double>(weight) * scale + 0.5);
  return whole < 1 ? 1 : whole;
}

// The weight that the lower of the two values reaches: the least whole number >= a·W. At least 1.
[[nodiscard]] TANDEM_HOST_DEVICE inline std::int64_t lower_need(const QuantileRule& rule,
                                                                std::int64_t total) {
  const double wanted = rule.share * static_cast<double>(total);
  auto need = static_cast<std::int64_t>(wanted);
  if (static_cast<double>(need) < wanted) ++need;
  return need < 1 ? 1 : need > total ? total : need;
}
// The least above a·W. At most W.
[[nodiscard]] TANDEM_HOST_DEVICE inline std::int64_t upper_need(const QuantileRule& rule,
                                                                std::int64_t total) {
  const auto need = static_cast<std::int64_t>(rule.share * static_cast<double>(total)) + 1;
  return need > total ? total : need;
}

template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T middle_of(T low, T high) {
  return low == high ? low : static_cast<T>(0.5) * low + static_cast<T>(0.5) * high;
}

}  // namespace tandem::tree

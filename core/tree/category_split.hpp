// Splits by sets of categories, which every engine seeks in the same way.
//
// Fisher ("On Grouping for Maximum Homogeneity", JASA 53, 1958) showed that the best of all
// partitions into two sets, for a sum of squares, is one of those that cut the order of the
// categories by their means; here by G / (H + cat_smooth), as LightGBM has it (Ke et al., NIPS
// 2017). A candidate takes the first n categories of that order to the left, or the last n, n up to
// max_cat_threshold, and is scored with cat_l2 added to λ. Features of few categories are tried one
// category against the others, without either.
//
// Only categories that rows of the node have take part. On the right, with those that are not
// taken, are missing values, the bin that rare categories share, and categories that training did
// not see.
#pragma once

#include <cstdint>

#include "core/tree/boosting_gain.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem::tree {

enum class BinKind : std::uint8_t {
  numbers,              // in the order of the bins
  categories,           // a bin each
  categories_and_rest,  // the last bin is of all that have none of their own
};

// A set of bins, those that go left, is a bit for each.
[[nodiscard]] constexpr Index words_of_set(Index bins) noexcept { return (bins + 31) / 32; }
[[nodiscard]] TANDEM_HOST_DEVICE inline bool has_bin(const std::uint32_t* set, std::int32_t bin) {
  return ((set[bin / 32] >> (bin % 32)) & 1) != 0;
}
TANDEM_HOST_DEVICE inline void add_bin(std::uint32_t* set, std::int32_t bin) {
  set[bin / 32] |= 1U << (bin % 32);
}

// Bins that may be in a set.
[[nodiscard]] TANDEM_HOST_DEVICE inline std::int32_t set_bins(BinKind kind, std::int32_t bins) {
  return kind == BinKind::categories_and_rest ? bins - 1 : bins;
}
[[nodiscard]] TANDEM_HOST_DEVICE inline bool one_against_rest(const GainRules& rules,
                                                              std::int32_t bins) {
  return bins <= rules.categories.max_to_onehot;
}
// What categories are ordered by; the lower bin comes first among equals.
[[nodiscard]] TANDEM_HOST_DEVICE inline double category_place(const GainRules& rules,
                                                              std::int64_t g, std::int64_t h) {
  return static_cast<double>(g) * rules.gradient_unit /
         (static_cast<double>(h) * rules.hessian_unit + rules.categories.smooth);
}
// The rules by which a candidate of several categories is scored.
[[nodiscard]] TANDEM_HOST_DEVICE inline GainRules rules_of_sets(const GainRules& rules) {
  GainRules result = rules;
  result.lambda += rules.categories.l2;
  return result;
}

// A candidate as HistogramSplit::bin has it: the bin that goes left alone; or n − 1 where the first
// n of the order go left, last_first + n − 1 where the last n do.
inline constexpr std::int32_t last_first = 65536;
// Whether a candidate of several categories takes the one at `place` of an order of `used`.
[[nodiscard]] TANDEM_HOST_DEVICE inline bool takes_place(std::int32_t candidate, std::int32_t place,
                                                         std::int32_t used) {
  return candidate < last_first ? place <= candidate : place >= used - 1 - (candidate - last_first);
}

}  // namespace tandem::tree

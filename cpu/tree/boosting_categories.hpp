// Splits by sets of categories on the CPU: some hundred bins at most, sorted.
#pragma once

#include "core/tree/category_split.hpp"
#include "cpu/tree/boosting_histogram.hpp"

namespace tandem::cpu {

// As find_cut(), for a feature of categories.
void find_set(const CutBlock& block, tree::BinKind kind, tree::HistogramSplit& best);
// The bins that go left by a split that find_set() found in the same block.
[[nodiscard]] tree::BinSet set_of(const CutBlock& block, tree::BinKind kind,
                                  const tree::HistogramSplit& split);

}  // namespace tandem::cpu

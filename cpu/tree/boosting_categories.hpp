// Splits by sets of categories on the CPU: those that a node has are sorted.
#pragma once

#include "core/tree/category_split.hpp"
#include "cpu/tree/boosting_histogram.hpp"

namespace tandem::cpu {

// As find_cut(), for a feature of categories.
void find_set(const CutBlock& block, tree::BinKind kind, tree::HistogramSplit& best);
// Adds to `set` the bins that go left by a split that find_set() found in the same block.
void add_set(const CutBlock& block, tree::BinKind kind, const tree::HistogramSplit& split,
             std::uint32_t* set);

}  // namespace tandem::cpu

// Folding one user in on the calling thread.
#pragma once

#include <vector>

#include "core/recommend/bpr_steps.hpp"

namespace tandem::cpu {

// A step of a fold-in: x = fma(g, y_item − y_drawn, keep·x).
struct BprFoldInStep {
  std::int32_t place;  // of the item among the history's
  std::int32_t drawn;
  float g;
};

// x (pitch) ← as BprSteps::fold_in. steps: where they are wanted, in their order.
template <Real T>
void bpr_fold_in_row(const BprFoldIn<T>& in, const std::int32_t* items, Index count, T* x,
                     std::vector<BprFoldInStep>* steps = nullptr);

}  // namespace tandem::cpu

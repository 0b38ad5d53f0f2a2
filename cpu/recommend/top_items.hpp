// Scores of one user on the calling thread.
#pragma once

#include "tandem/core/types.hpp"

namespace tandem::cpu {

// scores[i] = the chain of core/recommend/top_items_steps.hpp of one user and item i.
// items: rows × pitch.
template <Real T>
void score_all_items(const T* user, const T* items, Index rows, Index factors, Index pitch,
                     T* scores);

}  // namespace tandem::cpu

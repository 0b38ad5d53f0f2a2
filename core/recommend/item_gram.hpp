// XᵀX of users × items.
#pragma once

#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/recommend/interactions.hpp"

namespace tandem {

// XᵀX + λI, items × items. Weights are whole numbers times a unit, so that products and sums are
// exact in 64 bits, whatever their order; each is rounded to double once, and scaled by a power of
// two.
[[nodiscard]] std::vector<double> item_gram(const Engine& engine, const SparseMatrix<double>& users,
                                            double lambda);

}  // namespace tandem

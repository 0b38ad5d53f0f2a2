// Arguments that all metrics share: one weight per row, or none for 1 each.
#pragma once

#include <cmath>
#include <span>
#include <string>

#include "tandem/core/error.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

inline void require_rows(std::size_t rows, std::string_view metric) {
  if (rows == 0) throw InputError(std::string(metric) + ": there are no rows");
}

inline void require_same_size(std::size_t rows, std::size_t other, std::string_view metric,
                              std::string_view what) {
  if (rows != other) {
    throw InputError(std::string(metric) + ": " + std::to_string(other) + " " + std::string(what) +
                     " for " + std::to_string(rows) + " rows");
  }
}

inline void require_weights(std::span<const double> weights, std::size_t rows,
                            std::string_view metric) {
  if (weights.empty()) return;
  require_same_size(rows, weights.size(), metric, "weights");
  bool any = false;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!(weights[i] >= 0) || std::isinf(weights[i])) {
      throw InputError(std::string(metric) + ": row " + std::to_string(i + 1) + ": the weight is " +
                       std::to_string(weights[i]) + ", expected a finite number >= 0");
    }
    any = any || weights[i] > 0;
  }
  if (!any) throw InputError(std::string(metric) + ": all weights are 0");
}

// The weight of row i.
inline double weight_of(std::span<const double> weights, Index i) {
  return weights.empty() ? 1.0 : weights[static_cast<std::size_t>(i)];
}

}  // namespace tandem

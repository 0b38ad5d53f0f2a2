// The areas under the curves of a ranking, for all classes of a model.
#pragma once

#include <cstdint>
#include <span>

#include "tandem/core/matrix.hpp"

namespace tandem {

// Means over classes as roc_auc() and average_precision() have them, by scores of any range:
// rows × classes, larger for rows more likely to be of the class (Margins). For two classes only
// the second one's are looked at. Throws InputError for NaN.
struct RankingScores {
  double roc_auc = 0;
  double average_precision = 0;
};
template <Real T>
[[nodiscard]] RankingScores ranking_scores(std::span<const std::int32_t> truth,
                                           MatrixView<const T> scores,
                                           std::span<const double> weights = {}, int threads = 1);

}  // namespace tandem

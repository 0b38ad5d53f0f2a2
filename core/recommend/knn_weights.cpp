// Weights of item-kNN as whole numbers.
#include <algorithm>
#include <cmath>

#include "core/recommend/knn_weights.hpp"

namespace tandem {

KnnWeights knn_weights(SparseMatrix<double> matrix) {
  KnnWeights made;
  // The longest sum: the elements of a column.
  std::vector<Index> counts(static_cast<std::size_t>(matrix.cols), 0);
  for (const std::int32_t column : matrix.columns) ++counts[static_cast<std::size_t>(column)];
  const Index longest = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  int count_bits = 0;
  while ((Index{1} << count_bits) < longest) ++count_bits;
  // 2·bits + count_bits <= 62, and a weight fits into 31 bits.
  const int bits = std::min(30, (62 - count_bits) / 2);
  double largest = 0;
  bool whole = true;
  for (const double value : matrix.values) {
    largest = std::max(largest, value);
    whole = whole && value == std::floor(value);
  }
  if (largest > 0 && (!whole || largest > std::ldexp(1.0, bits))) {
    int exponent = 0;
    (void)std::frexp(largest, &exponent);  // largest < 2^exponent
    made.unit = std::ldexp(1.0, exponent - bits);
    for (double& value : matrix.values) value = std::nearbyint(value / made.unit);
    largest = std::nearbyint(largest / made.unit);
  }
  made.narrow = largest * largest * static_cast<double>(std::max<Index>(longest, 1)) < 0x1p31;
  made.values = std::move(matrix);
  return made;
}

}  // namespace tandem

// Weights of item-kNN as whole numbers.
#pragma once

#include "tandem/recommend/interactions.hpp"

namespace tandem {

// A matrix in whole numbers; one value stands for `unit` times itself.
struct KnnWeights {
  SparseMatrix<double> values;  // whole numbers of at most 31 bits
  double unit = 1;
  bool narrow = false;  // no sum of products reaches 2^31
};

// `rows` may have rows of any length; columns are what is compared.
[[nodiscard]] KnnWeights knn_weights(SparseMatrix<double> matrix);

}  // namespace tandem

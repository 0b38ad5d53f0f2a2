// Data and fits that the tests of gradient boosting share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "core/random.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/math.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/model/custom.hpp"
#include "tandem/tree/gradient_boosting.hpp"
#include "tree/tree_rows.hpp"

namespace tandem::test {

inline std::unique_ptr<Engine> engine_of(Device device, int threads = 1) {
  return Engine::create({.device = device, .threads = threads});
}

template <Real T>
Dataset<T> dataset(Index cols, const std::vector<double>& features,
                   const std::vector<double>& target) {
  Dataset<T> data;
  data.source = "test";
  data.features = Matrix<T>(static_cast<Index>(target.size()), cols,
                            std::vector<T>(features.begin(), features.end()));
  data.columns = numbered_columns(cols);
  data.target.assign(target.begin(), target.end());
  data.target_column.name = "y";
  return data;
}

// classes: 0 regression, else classes.
template <Real T>
Dataset<T> make(Index rows, Index cols, Index classes, std::uint64_t seed, double missing = 0) {
  return rows_of_trees<T>(rows, cols, classes, seed, missing, 0.2);
}

template <Real T>
GradientBoostingModel<T> train(const Dataset<T>& data, const GradientBoostingOptions& options,
                               Device device = Device::cpu, int threads = 1,
                               const FitContext<T>& context = {}) {
  return fit(*engine_of(device, threads), data, options, context);
}

template <Real T>
void expect_same(const GradientBoostingModel<T>& a, const GradientBoostingModel<T>& b) {
  EXPECT_EQ(a.trees, b.trees);
  EXPECT_EQ(a.log, b.log);
  EXPECT_EQ(a.class_names, b.class_names);
}

// The derivatives of the logistic objective, by the caller: they grow the same trees.
template <Real T>
CustomObjective<T> logistic_by_hand() {
  return {[](const ScoredRows<T>& rows, MatrixView<T> gradients, MatrixView<T> hessians) {
    for (Index i = 0; i < rows.scores.rows; ++i) {
      const T p = math::sigmoid(rows.scores(i, 0));
      gradients(i, 0) = p - rows.target[static_cast<std::size_t>(i)];
      hessians(i, 0) = std::max(p * (1 - p), static_cast<T>(1e-16));
    }
  }};
}

}  // namespace tandem::test

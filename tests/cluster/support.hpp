// Data for the tests of clustering.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "tandem/cluster/kmeans.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem::test {

// Uniform values in [-1, 1) around one of `groups` points in [-4, 4)^cols, plus `offset`.
template <Real T>
Matrix<T> grouped_rows(Index rows, Index cols, Index groups, std::uint64_t seed,
                       double offset = 0) {
  const Random random(seed, Purpose::test);
  Matrix<T> x(rows, cols);
  for (Index i = 0; i < rows; ++i) {
    const Index group = random.below(groups, static_cast<std::uint64_t>(i));
    for (Index j = 0; j < cols; ++j) {
      const auto centre = static_cast<std::uint64_t>((1 << 20) + group * cols + j);
      const auto noise = static_cast<std::uint64_t>((1 << 24) + i * cols + j);
      x(i, j) =
          static_cast<T>(offset + 8 * random.uniform(centre) - 4 + 2 * random.uniform(noise) - 1);
    }
  }
  return x;
}

// A fit on rows alone.
template <Real T>
KMeansModel<T> fit_rows(Engine& engine, const Matrix<T>& x, const KMeansOptions& options,
                        const FitContext<std::type_identity_t<T>>& context = {}) {
  return fit(engine, DatasetView<T>{.features = x.view()}, options, context);
}

// The four numeric columns of data/iris.csv.
template <Real T>
Matrix<T> iris() {
  std::ifstream file(std::string(TANDEM_DATA_DIR) + "/iris.csv");
  std::string line;
  std::getline(file, line);
  std::vector<T> values;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string field;
    for (int j = 0; j < 4 && std::getline(fields, field, ','); ++j) {
      values.push_back(static_cast<T>(std::stod(field)));
    }
  }
  const auto rows = static_cast<Index>(values.size() / 4);
  return {rows, 4, std::move(values)};
}

}  // namespace tandem::test

// The rows that a model of neighbours keeps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/data/dataset.hpp"
#include "tandem/neighbors/neighbours.hpp"

namespace tandem {

// The numbers of the rows of weight > 0. Throws InputError for data without dense, finite rows of
// which distances can be made, or where there are not more than `neighbours` rows less one.
// `algorithm` for messages.
template <Real T>
[[nodiscard]] std::vector<Index> rows_to_keep(const DatasetView<T>& data, Index neighbours,
                                              NeighbourMetric metric, std::string_view algorithm,
                                              int threads);

// Puts those rows and their weights into the model.
template <Real T>
void keep_rows(const DatasetView<T>& data, const std::vector<Index>& kept,
               const NeighbourOptions& options, NeighbourModel<T>& model);

// values[kept[0]], values[kept[1]], ...
template <class V>
[[nodiscard]] std::vector<V> kept_of(std::span<const V> values, const std::vector<Index>& kept) {
  std::vector<V> some;
  some.reserve(kept.size());
  for (const Index i : kept) some.push_back(values[static_cast<std::size_t>(i)]);
  return some;
}

// How much each of the k neighbours of row i has to say, k numbers in double: its weight, by the
// weighting of the model's options. Relative to the nearest, so that no reciprocal overflows.
template <Real T>
void say_of(const NeighbourModel<T>& model, const std::int32_t* nearest, const T* distances,
            Index k, double* say);

}  // namespace tandem

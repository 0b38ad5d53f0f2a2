// Rows on disk, written anew in the order of RowOrder's first permutation: an epoch's batches then
// come from one block each, or two, where the rows as the file has them would come from all over
// it.
#pragma once

#include <algorithm>
#include <span>

#include "core/external_memory.hpp"
#include "core/nn/mlp_network.hpp"
#include "core/nn/row_order.hpp"
#include "core/parallel.hpp"

namespace tandem {

// The rows `chosen` of `data` (ascending; empty: all), such that row p of the result is the one
// that `place_of(i) = p` says of the i-th chosen row; place_of is a permutation. On an engine that
// reads host memory. The result is filled a part after the other, each as large as may be in memory
// at a time, and for each part the rows are read from the first to the last.
template <Real T, class PlaceOf>
[[nodiscard]] MlpRows<T> rows_in_places(Engine& engine, const MlpRows<T>& data,
                                        std::span<const Index> chosen, const PlaceOf& place_of) {
  const Index count = chosen.empty() ? data.rows : static_cast<Index>(chosen.size());
  const Index cols = data.cols;
  MlpRows<T> result;
  result.rows = count;
  result.cols = cols;
  result.uploaded = Buffer<T>(engine, count * cols, Placement::rows);
  result.x = result.uploaded.data();
  result.labels = Buffer<std::int32_t>(engine, data.labels.empty() ? 0 : count);
  result.values = Buffer<T>(engine, data.values.empty() ? 0 : count);
  result.weights = Buffer<T>(engine, data.weights.empty() ? 0 : count);
  const auto row_of = [&](Index i) {
    return chosen.empty() ? i : chosen[static_cast<std::size_t>(i)];
  };
  const Index row_bytes = cols * static_cast<Index>(sizeof(T));
  const Index part = std::max<Index>(1, external_memory_window() / std::max<Index>(1, row_bytes));
  for (Index begin = 0; begin < count; begin += part) {
    const Index size = std::min(part, count - begin);
    parallel_pieces(engine.threads(), count, 4096, [&](Piece piece) {
      const Index first = row_of(piece.begin);
      visit_elements(data.x + first * cols, (row_of(piece.end - 1) - first + 1) * cols);
      visit_elements(result.x + begin * cols, size * cols, external::Access::write);
      for (Index i = piece.begin; i < piece.end; ++i) {
        const Index place = place_of(i);
        if (place < begin || place >= begin + size) continue;
        const Index row = row_of(i);
        std::copy_n(data.x + row * cols, cols, result.uploaded.data() + place * cols);
        if (!data.labels.empty()) result.labels.data()[place] = data.labels.data()[row];
        if (!data.values.empty()) result.values.data()[place] = data.values.data()[row];
        if (!data.weights.empty()) result.weights.data()[place] = data.weights.data()[row];
      }
    });
  }
  external::end_visits(result.x);
  return result;
}

}  // namespace tandem

// Whether a data set's numbers are finite, on several threads.
#pragma once

#include <atomic>

#include "core/data/finite.hpp"
#include "core/external_memory.hpp"
#include "core/parallel.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// Throws InputError that names the first feature that is NaN (unless those are allowed) or
// infinite. rows_before: of the source, where `data` is a part of it, for the number of the row.
template <Real T>
void require_finite_features(const DatasetView<T>& data, bool allow_missing, Index rows_before);

// Requires: dense rows.
template <Real T>
[[nodiscard]] bool has_finite_features(const DatasetView<T>& data, int threads) {
  std::atomic<bool> all{true};
  parallel_pieces(threads, data.rows(), 256, [&](Piece rows) {
    visit_rows(data.features, rows.begin, rows.end);
    for (Index r = rows.begin; r < rows.end; ++r) {
      if (!all_finite(data.features.row(r))) all.store(false, std::memory_order_relaxed);
    }
  });
  return all.load();
}

// As require_finite(), which names the first value that is not and so goes over the rows in order:
// it is asked only where there is something to name, or where missing values are allowed.
template <Real T>
void require_finite_rows(const DatasetView<T>& data, bool with_target, bool allow_missing,
                         int threads) {
  if (has_finite_features(data, threads) && (!with_target || all_finite(data.target))) return;
  require_finite(data, with_target, allow_missing);
}

}  // namespace tandem

// A data set's way to the engine, for the linear models.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "core/engine_backend.hpp"
#include "core/linear/linear_steps.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// The rows begin .. begin + count − 1 of `data` into the first rows of `rows`, with `target` in
// place of the data's own where it is not empty.
template <Real T>
void upload_rows(Engine& engine, const DatasetView<T>& data, Index begin, Index count,
                 RowMajorRows<T>& rows, std::span<const T> target = {}) {
  const auto upload = [&](Buffer<T>& to, const T* from, Index values) {
    if (values > 0) {
      backend(engine).copy_from_host(to.data(), from, static_cast<std::size_t>(values) * sizeof(T));
    }
  };
  const Index d = data.cols();
  const MatrixView<const T> part = data.features.rows_from(begin, count);
  if (part.contiguous()) {
    upload(rows.x, part.data, count * d);
  } else {
    std::vector<T> packed;
    packed.reserve(static_cast<std::size_t>(count * d));
    for (Index i = 0; i < count; ++i) {
      packed.insert(packed.end(), part.row(i).begin(), part.row(i).end());
    }
    upload(rows.x, packed.data(), count * d);
  }
  if (target.empty()) target = data.target;
  if (!rows.target.empty()) upload(rows.target, target.data() + begin, count);
  if (!rows.weights.empty()) upload(rows.weights, data.weights.data() + begin, count);
}

// Row-major memory for `count` rows of `data`; on the host where they do not fit the engine's.
template <Real T>
[[nodiscard]] RowMajorRows<T> room_for(Engine& engine, const DatasetView<T>& data, Index count) {
  return {count, data.cols(), Buffer<T>(engine, count * data.cols(), Placement::rows),
          Buffer<T>(engine, count, Placement::rows),
          Buffer<T>(engine, data.has_weights() ? count : 0, Placement::rows)};
}

// All rows, row-major.
template <Real T>
[[nodiscard]] RowMajorRows<T> upload_all(Engine& engine, const DatasetView<T>& data,
                                         std::span<const T> target = {}) {
  const Index n = data.rows();
  RowMajorRows<T> rows = room_for(engine, data, n);
  upload_rows(engine, data, 0, n, rows, target);
  return rows;
}

// All rows, packed; they go through a row-major buffer that stays in cache, the second-level one
// for one thread. Several threads share the last-level cache and are woken less often. The packed
// ones stand on the host where they do not fit the engine's memory.
template <Real T>
[[nodiscard]] PackedRows<T> pack_all(Engine& engine, LinearSteps<T>& steps,
                                     const DatasetView<T>& data, std::span<const T> target = {}) {
  const Index n = data.rows();
  const Index d = data.cols();
  const Index chunk_bytes = engine.threads() > 1 ? Index{8} << 20 : Index{1} << 20;
  const Index row_bytes = std::max<Index>(1, d) * static_cast<Index>(sizeof(T));
  const Index chunk = std::max<Index>(2, chunk_bytes / row_bytes / sum_block) * sum_block;
  PackedRows<T> packed(engine, n, d, data.has_weights(), Placement::rows);
  const Index staged = std::min(chunk, n);
  RowMajorRows<T> rows = room_for(engine, data, staged);
  for (Index begin = 0; begin < n; begin += chunk) {
    const Index count = std::min(chunk, n - begin);
    upload_rows(engine, data, begin, count, rows, target);
    steps.pack(rows, count, begin, packed);
  }
  return packed;
}

// Sizes that fit together, at least one row, weights that are >= 0 and not all 0. Throws
// InputError.
template <Real T>
void check_rows(const DatasetView<T>& data) {
  const auto n = static_cast<std::size_t>(data.rows());
  if (n == 0) throw InputError(data.source + ": has no rows; nothing can be learnt from it");
  if (data.cols() == 0) {
    throw InputError(data.source + ": has no feature columns; expected at least one");
  }
  if (!data.has_target()) {
    throw InputError(data.source + ": has no target column; name one with " + option("target"));
  }
  if (data.target.size() != n || (data.has_weights() && data.weights.size() != n)) {
    throw InputError(data.source + ": has " + std::to_string(n) + " rows but " +
                     std::to_string(data.target.size()) + " targets and " +
                     std::to_string(data.weights.size()) + " weights");
  }
  bool some = !data.has_weights();
  for (std::size_t i = 0; i < data.weights.size(); ++i) {
    const T weight = data.weights[i];
    if (!(weight >= T{0}) || !std::isfinite(weight)) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) +
                       ": the weight must be a finite number that is not negative");
    }
    some = some || weight > T{0};
  }
  if (!some)
    throw InputError(data.source + ": all weights are zero; nothing can be learnt from it");
}

}  // namespace tandem

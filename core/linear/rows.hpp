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

// Whether steps of this engine read the host's memory.
[[nodiscard]] inline bool works_in_host_memory(const Engine& engine) noexcept {
  return engine.device() == Device::cpu || engine.device() == Device::reference;
}

// A data set's rows as an engine's steps read them: where they stand, on an engine that works in
// the host's memory; else brought to the device piece by piece. `target` stands in for the data's
// own where it is not empty. The data set and the target must outlive it.
template <Real T>
class RowSource {
 public:
  // Pieces of at most `most` rows will be asked for.
  RowSource(Engine& engine, MatrixView<const T> x, std::span<const T> target,
            std::span<const T> weights, Index most)
      : engine_(engine), x_(x), target_(target), weights_(weights) {
    if (works_in_host_memory(engine)) return;
    const auto room = [&](Index size) { return Buffer<T>(engine, size, Placement::rows); };
    staged_ = {most, x.cols, room(most * x.cols), room(target.empty() ? 0 : most),
               room(weights.empty() ? 0 : most)};
  }
  RowSource(Engine& engine, const DatasetView<T>& data, Index most, std::span<const T> target = {})
      : RowSource(engine, data.features, target.empty() ? data.target : target, data.weights,
                  most) {}

  // The rows begin .. begin + count − 1, until the next call.
  [[nodiscard]] RowsView<T> rows(Index begin, Index count) {
    const auto from = [&](std::span<const T> values) {
      return values.empty() ? nullptr : values.data() + begin;
    };
    if (works_in_host_memory(engine_)) {
      return {count,         x_.cols,       x_.stride, x_.data + begin * x_.stride,
              from(target_), from(weights_)};
    }
    const auto upload = [&](Buffer<T>& to, Index at, const T* values, Index size) {
      if (size == 0) return;
      backend(engine_).copy_from_host(to.data() + at, values,
                                      static_cast<std::size_t>(size) * sizeof(T));
    };
    if (x_.contiguous()) {
      upload(staged_.x, 0, x_.data + begin * x_.stride, count * x_.cols);
    } else {
      for (Index i = 0; i < count; ++i) {
        upload(staged_.x, i * x_.cols, x_.data + (begin + i) * x_.stride, x_.cols);
      }
    }
    if (!target_.empty()) upload(staged_.target, 0, from(target_), count);
    if (!weights_.empty()) upload(staged_.weights, 0, from(weights_), count);
    RowsView<T> view = staged_;
    view.rows = count;
    return view;
  }

 private:
  Engine& engine_;
  MatrixView<const T> x_;
  std::span<const T> target_;
  std::span<const T> weights_;
  RowMajorRows<T> staged_;
};

// Rows of a piece that goes to a device at a time: whole units of `unit` rows, about 16 MiB; all on
// an engine that works in the host's memory.
template <Real T>
[[nodiscard]] Index rows_at_once(const Engine& engine, Index rows, Index features, Index unit) {
  const Index units = (rows + unit - 1) / unit;
  if (works_in_host_memory(engine)) return units * unit;
  constexpr Index piece_bytes = Index{16} << 20;
  const Index unit_bytes = unit * std::max<Index>(1, features) * static_cast<Index>(sizeof(T));
  return std::clamp<Index>(piece_bytes / unit_bytes, 1, std::max<Index>(1, units)) * unit;
}

// All rows, packed; on the host where they do not fit the engine's memory.
template <Real T>
[[nodiscard]] PackedRows<T> pack_all(Engine& engine, LinearSteps<T>& steps,
                                     const DatasetView<T>& data, std::span<const T> target = {}) {
  const Index n = data.rows();
  const Index piece = rows_at_once<T>(engine, n, data.cols(), sum_block);
  PackedRows<T> packed(engine, n, data.cols(), data.has_weights(), Placement::rows);
  RowSource<T> source(engine, data, piece, target);
  for (Index begin = 0; begin < n; begin += piece) {
    const Index count = std::min(piece, n - begin);
    steps.pack(source.rows(begin, count), count, begin, packed);
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

// What every fit of a recommender begins and ends with.
#pragma once

#include <utility>

#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/recommend/recommender.hpp"

namespace tandem {

// Names, events of each item, and the log.
inline void set_common(Recommender& model, const Interactions& events, TrainingLog log) {
  std::vector<Index> counts(events.items.size(), 0);
  for (const std::int32_t item : events.item) ++counts[static_cast<std::size_t>(item)];
  model.set_items(events.items, std::move(counts));
  model.set_training(std::move(log));
}

// Throws InputError where there is nothing to learn from.
inline void require_events(const Interactions& events) {
  if (events.size() == 0) throw InputError(events.source + ": has no events to learn from");
}

// A matrix of the archive by its parts; fails where rows, columns or order are not what they say.
template <Real T>
[[nodiscard]] SparseMatrix<T> load_sparse(const Archive& archive, Index rows, Index cols) {
  SparseMatrix<T> made;
  made.rows = rows;
  made.cols = cols;
  made.offsets = archive.get_tensor<std::int64_t>("offsets", rows + 1);
  made.columns = archive.get_tensor<std::int32_t>("columns");
  made.values = archive.get_tensor<T>("values", made.size());
  if (made.offsets.front() != 0 || made.offsets.back() != made.size()) {
    archive.fail("offsets", "do not begin at 0 or do not end with the values");
  }
  for (Index r = 0; r < rows; ++r) {
    const Index begin = made.offsets[static_cast<std::size_t>(r)];
    const Index end = made.offsets[static_cast<std::size_t>(r) + 1];
    if (end < begin || end > made.size()) archive.fail("offsets", "are not ascending");
    for (Index p = begin; p < end; ++p) {
      const std::int32_t column = made.columns[static_cast<std::size_t>(p)];
      if (column < 0 || column >= cols ||
          (p > begin && column <= made.columns[static_cast<std::size_t>(p) - 1])) {
        archive.fail("columns", "are not ascending within a row, or there is no such column");
      }
    }
  }
  for (const T value : made.values) {
    if (!(value - value == 0)) archive.fail("values", "has one that is not finite");
  }
  return made;
}

template <Real T>
void save_sparse(Archive& archive, const SparseMatrix<T>& matrix) {
  archive.set_tensor("offsets", std::vector<std::int64_t>(matrix.offsets));
  archive.set_tensor("columns", std::vector<std::int32_t>(matrix.columns));
  archive.set_tensor("values", std::vector<T>(matrix.values));
}

}  // namespace tandem

// Transforms one after the other, fitted on the training part of a table.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/export.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/transform/transform.hpp"

namespace tandem {

// Neighbouring transforms that treat each value by itself are carried out in one pass over the
// rows, in their memory where no column becomes several. Several threads may use one at once;
// copies share the transforms.
template <Real T>
class TANDEM_API TransformChain {
 public:
  // Takes any features and returns them as they are.
  TransformChain() = default;

  // Each step is fitted on the rows as the steps before it leave them. On return `train` is as the
  // algorithm should see it: transformed, without the rows that a step dropped; its target is left
  // as it is. Rows of weight 0 count for nothing, and a row of weight w as w equal rows would.
  // `task` says what the rows are for. `threads` 0 means all cores; no result depends on it. Throws
  // InputError for options out of range, no rows, an infinite feature, weights that are negative or
  // all 0, and what a step refuses.
  [[nodiscard]] static TransformChain fit(Dataset<T>& train,
                                          std::span<const std::unique_ptr<TransformStep>> steps,
                                          Task task, int threads = 0);

  // The chain that fit() gives where none of the steps has anything to do with these columns, which
  // needs no copy of the rows; nothing where one has. Checks what fit() checks.
  [[nodiscard]] static std::optional<TransformChain> fit_nothing(
      const DatasetView<T>& train, std::span<const std::unique_ptr<TransformStep>> steps);

  // As many rows as `data`, with the columns outputs(); target and weights are untouched. Columns
  // are matched by position, categories by name. Throws InputError where the number of columns or
  // their kind (numbers, texts) differs, or, where both have names other than x0, x1, ..., a name
  // differs.
  [[nodiscard]] Dataset<T> transform(Dataset<T> data, int threads = 0) const;

  // True where rows leave as they are.
  [[nodiscard]] bool changes_nothing() const noexcept { return transforms_.empty(); }
  // Throws InputError for columns that transform() refuses. `names` may be empty: `count` columns
  // x0, x1, ...
  void check_columns(const std::string& source, std::span<const Column> names, Index count) const;

  // The target as the algorithm is trained on it, and predictions in the target's own units.
  [[nodiscard]] bool changes_target() const noexcept;
  void transform_target(std::span<T> target) const;
  void restore_target(std::span<T> predictions) const;

  [[nodiscard]] const std::vector<Column>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const std::vector<Column>& outputs() const noexcept { return outputs_; }
  [[nodiscard]] const std::vector<std::shared_ptr<const Transform<T>>>& transforms()
      const noexcept {
    return transforms_;
  }
  // The first transform of that name, or nullptr.
  [[nodiscard]] const Transform<T>* find(std::string_view name) const noexcept;
  // Rows of the training part that were dropped.
  [[nodiscard]] Index dropped_rows() const noexcept { return dropped_; }
  // The value of an input column at which output j has `value`: a feature in the units of the file.
  // The value itself where the output is made of several columns, or is an indicator.
  [[nodiscard]] double unscale(Index j, double value) const;

  void save(Archive& archive) const;
  // Throws InputError for anything that save could not have written, or not for these columns.
  [[nodiscard]] static TransformChain load(const Archive& archive, std::vector<Column> inputs);
  // A JSON array with an object per transform: its name as "transform", and what it says of itself.
  [[nodiscard]] std::string to_json() const;

 private:
  std::vector<Column> inputs_;
  std::vector<Column> outputs_;
  std::vector<std::shared_ptr<const Transform<T>>> transforms_;
  Index dropped_ = 0;
};

}  // namespace tandem

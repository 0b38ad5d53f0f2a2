// Principal component analysis: the orthogonal directions in which rows differ most.
// docs/algorithms/pca.md has the method, the rule for signs and the error bounds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/options.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

struct TANDEM_API PrincipalAxesOptions {
  std::int64_t components = 0;  // 0: as many as there are, the least of rows and features
  bool whiten = false;          // coordinates of variance 1

  void visit(OptionVisitor& visitor);
  void check() const {}
};

// Plain host data. A row's coordinates are its differences from the mean along the components.
struct TANDEM_API PrincipalAxes {
  std::vector<double> mean;  // one per feature
  // components × features; rows of length 1, orthogonal to each other, in order of their variance.
  // The entry of the largest magnitude is positive; of several that are as large up to one part in
  // 2^20, the first.
  Matrix<double> components;
  // Of the rows along each component, descending, with the divisor Σ w − 1.
  std::vector<double> explained_variance;
  double total_variance = 0;  // of the features, added up
  // The mean of the variances along those directions that are left out; 0 where none is.
  double noise_variance = 0;
  // Σ w ‖x − x̂‖² / Σ w over the training rows, x̂ what reconstruct() makes of their coordinates.
  double reconstruction_error = 0;
  bool whitened = false;

  [[nodiscard]] Index features() const noexcept { return components.cols(); }
  [[nodiscard]] Index count() const noexcept { return components.rows(); }
  // Each component's share of the total variance; 0 where that is 0.
  [[nodiscard]] std::vector<double> explained_variance_ratio() const;

  void save(Archive& archive) const;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static PrincipalAxes load(const Archive& archive);
  // A JSON object with all of it, and text as a table. feature_names has features() entries.
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const;
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const;
  [[nodiscard]] bool operator==(const PrincipalAxes&) const = default;
};

// Rows are weighted by data.weights, where there are any: a row of weight w counts as w equal rows
// would. The target is not looked at. In exact mode the bits depend neither on the device nor on
// threads; the reference engine goes another way, by singular values. Throws InputError for options
// out of range, fewer than two rows that count, values that are not finite, weights that are
// negative or add up to no more than one row, more components than the least of rows and features,
// and for whitening along a direction in which nothing varies; NumericalError where squares leave
// the range of double; Interrupted.
template <Real T>
[[nodiscard]] TANDEM_API PrincipalAxes principal_axes(Engine& engine, const DatasetView<T>& data,
                                                      const PrincipalAxesOptions& options = {});

// rows × components: the coordinates of rows, (x − mean)·component, over the root of the
// component's variance where whitened. In exact mode a coordinate is one chain of fmas in T over
// the differences, which are taken in double and rounded to T. x: rows × features. Throws
// InputError where the number of columns differs or a value is not finite; it names the column by
// feature_names, or by its number where there are none.
template <Real T>
[[nodiscard]] TANDEM_API Matrix<T> project(Engine& engine, const PrincipalAxes& axes,
                                           MatrixView<const T> x,
                                           const std::vector<std::string>& feature_names = {});

// rows × features: the rows of the span of the components that have these coordinates. The same as
// the rows that were projected, up to rounding, where there are as many components as features.
template <Real T>
[[nodiscard]] TANDEM_API Matrix<T> reconstruct(Engine& engine, const PrincipalAxes& axes,
                                               MatrixView<const T> coordinates);

}  // namespace tandem

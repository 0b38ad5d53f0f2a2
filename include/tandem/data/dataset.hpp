// A table in memory: features, and optionally a target and sample weights.
#pragma once

#include <string>
#include <vector>

#include "tandem/core/matrix.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

struct Column {
  std::string name;
  // Names of the categories, in order of code; empty for a numeric column. A categorical column
  // holds the codes 0, 1, ... .
  std::vector<std::string> categories;

  [[nodiscard]] bool categorical() const noexcept { return !categories.empty(); }
  [[nodiscard]] bool operator==(const Column&) const = default;
};

// A missing value, feature or target, is a NaN.
template <Real T>
struct Dataset {
  std::string source;           // the file or generator it comes from, for messages
  Matrix<T> features;           // rows × columns.size()
  std::vector<Column> columns;  // one per feature
  std::vector<T> target;        // one per row, or empty; codes where target_column is categorical
  Column target_column;
  std::vector<T> weights;  // one per row, or empty; >= 0

  [[nodiscard]] Index rows() const noexcept { return features.rows(); }
  [[nodiscard]] Index cols() const noexcept { return features.cols(); }
  [[nodiscard]] bool has_target() const noexcept { return !target.empty(); }
  [[nodiscard]] bool has_weights() const noexcept { return !weights.empty(); }
};

// The rows named, in that order; columns and names are kept.
template <Real T>
[[nodiscard]] Dataset<T> select_rows(const Dataset<T>& data, const std::vector<Index>& rows);

// Column names "x0", "x1", ... for data that comes without any.
[[nodiscard]] std::vector<Column> numbered_columns(Index count);

// A target read as classes. Class names are the categories of a categorical target in their order,
// else the distinct numbers in ascending order, written as short as they read back ("0", "2.5").
struct Classes {
  std::vector<std::string> names;
  std::vector<std::int32_t> labels;  // one per row: index into names; −1 for a class not in names
};

// Throws InputError (naming the row) for a missing target, and where a numeric target has a
// fractional value and more than 100 distinct values: it is then a regression target. Categories
// that no row has are left out.
template <Real T>
[[nodiscard]] Classes encode_classes(const Dataset<T>& data);

// The same with the class names fixed by an earlier training set; unknown ones give −1.
template <Real T>
[[nodiscard]] Classes encode_classes(const Dataset<T>& data, const std::vector<std::string>& names);

// What a target asks for where nobody says: classification where it is categorical or has at most
// 20 distinct values, all whole numbers; else regression. Missing values are passed over.
template <Real T>
[[nodiscard]] Task task_of_target(const Dataset<T>& data);

// Throws InputError where there is no target or it holds texts, whose codes are no quantities.
template <Real T>
void require_numeric_target(const Dataset<T>& data);

// Throws InputError that names the source, row and column of the first feature (and target, where
// with_target) that is NaN or infinite, and the option that helps. With allow_missing, NaN features
// pass and infinite ones do not.
template <Real T>
void require_finite(const Dataset<T>& data, bool with_target, bool allow_missing = false);

}  // namespace tandem

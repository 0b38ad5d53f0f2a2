// A table in memory: features, and optionally a target, sample weights, queries and base margins.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

struct Reading;  // tandem/data/reading.hpp

struct Column {
  std::string name;
  // Names of the categories, in order of code; empty for a numeric column. A categorical column
  // holds the codes 0, 1, ... .
  std::vector<std::string> categories;

  [[nodiscard]] bool categorical() const noexcept { return !categories.empty(); }
  [[nodiscard]] bool operator==(const Column&) const = default;
};

// Rows in compressed sparse row form: row i holds the values[p] in the columns columns[p] for
// p = offsets[i] .. offsets[i + 1] − 1, columns ascending within a row; all others are 0.
template <Real T>
struct CsrView {
  Index rows = 0;
  Index cols = 0;
  std::span<const Index> offsets;         // rows + 1
  std::span<const std::int32_t> columns;  // one per value
  std::span<const T> values;
};

// A target read as classes. A class is called what the data calls it: the categories of a
// categorical target in their order; where the target's texts are kept, those texts, ascending by
// the number that they are and then bytewise; else the distinct numbers in ascending order ("0",
// "2.5", "100000").
struct Classes {
  std::vector<std::string> names;
  std::vector<std::int32_t> labels;  // one per row: index into names; −1 for a class not in names
};

// A table that somebody else keeps: what algorithms are trained on and evaluated with. Nothing is
// copied; what it points to must stay as it is while it is used. A missing value, feature or
// target, is a NaN. Several threads may read one view.
template <Real T>
struct TANDEM_API DatasetView {
  std::string source = "data";        // the file or generator it comes from, for messages
  MatrixView<const T> features{};     // rows × columns; empty where `sparse` holds them
  CsrView<T> sparse{};                // in place of `features`, where it has rows
  std::span<const Column> columns{};  // one per feature; none: numeric features x0, x1, ...
  std::span<const T> target{};  // one per row, or empty; codes where target_column is categorical
  std::reference_wrapper<const Column> target_description = no_column();
  // Of a numeric target whose texts say more than its numbers ("02139", "1.10"): row i is written
  // target_texts[target_text_of_row[i]], −1 where it is missing. Else empty.
  std::span<const std::string> target_texts{};
  std::span<const std::int32_t> target_text_of_row{};
  std::span<const T> weights{};  // one per row, or empty; >= 0
  // Ranking: the number of the query that each row belongs to, any number, or empty. The rows of a
  // query stand together: see group_starts().
  std::span<const Index> groups{};
  std::span<const T> base_margin{};  // rows × outputs raw scores that a fit starts from; or empty

  [[nodiscard]] Index rows() const noexcept { return is_sparse() ? sparse.rows : features.rows; }
  [[nodiscard]] Index cols() const noexcept { return is_sparse() ? sparse.cols : features.cols; }
  [[nodiscard]] bool is_sparse() const noexcept { return sparse.rows > 0; }
  [[nodiscard]] bool has_target() const noexcept { return !target.empty(); }
  [[nodiscard]] bool has_weights() const noexcept { return !weights.empty(); }
  [[nodiscard]] bool has_groups() const noexcept { return !groups.empty(); }
  [[nodiscard]] const Column& target_column() const noexcept { return target_description; }
  [[nodiscard]] std::string feature_name(Index j) const {
    return columns.empty() ? "x" + std::to_string(j) : columns[static_cast<std::size_t>(j)].name;
  }

 private:
  static const Column& no_column() noexcept {
    static const Column none;
    return none;
  }
};

// A table in memory that owns what it holds.
template <Real T>
struct Dataset {
  std::string source;           // the file or generator it comes from, for messages
  Matrix<T> features;           // rows × columns.size()
  std::vector<Column> columns;  // one per feature
  std::vector<T> target;        // one per row, or empty; codes where target_column is categorical
  Column target_column;
  std::vector<T> weights;  // one per row, or empty; >= 0
  // As in DatasetView.
  std::vector<Index> groups{};
  std::vector<T> base_margin{};
  // Kept for a numeric target whose texts say more than its numbers: see DatasetView. Else empty.
  Classes target_texts{};
  // How its file was read; null for data that comes from none.
  std::shared_ptr<const Reading> reading{};

  [[nodiscard]] Index rows() const noexcept { return features.rows(); }
  [[nodiscard]] Index cols() const noexcept { return features.cols(); }
  [[nodiscard]] bool has_target() const noexcept { return !target.empty(); }
  [[nodiscard]] bool has_weights() const noexcept { return !weights.empty(); }
  [[nodiscard]] bool has_groups() const noexcept { return !groups.empty(); }
  [[nodiscard]] DatasetView<T> view() const {
    DatasetView<T> view;
    view.source = source;
    view.features = features.view();
    view.columns = columns;
    view.target = target;
    view.target_description = target_column;
    view.target_texts = target_texts.names;
    view.target_text_of_row = target_texts.labels;
    view.weights = weights;
    view.groups = groups;
    view.base_margin = base_margin;
    return view;
  }
  operator DatasetView<T>() const { return view(); }  // NOLINT(google-explicit-constructor)
};

// The rows named, in that order, with their target, weights, groups and base margins; columns and
// names are kept, and a Dataset's `reading`. Sparse rows are written out. Throws InputError where
// there is not one weight, target or group per row, or not the same number of margins for each.
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> select_rows(const DatasetView<T>& data,
                                                const std::vector<Index>& rows);

// The first row of each query in ascending order, and rows() at the end. Throws InputError where
// there are no groups, not one per row, or where the rows of a query do not stand together; it
// names the query and the row.
template <Real T>
[[nodiscard]] TANDEM_API std::vector<Index> group_starts(const DatasetView<T>& data);

// The name of a number as a class: whole numbers of up to 18 digits as such, others as short as
// they read back.
template <Real T>
[[nodiscard]] TANDEM_API std::string class_name(T value);

// Column names "x0", "x1", ... for data that comes without any.
[[nodiscard]] TANDEM_API std::vector<Column> numbered_columns(Index count);

// Throws InputError (naming the row) for a missing target, and where a numeric target has a
// fractional value and more than 100 distinct values: it is then a regression target. Categories
// that no row has are left out.
template <Real T>
[[nodiscard]] TANDEM_API Classes encode_classes(const DatasetView<T>& data);

// The same with the class names fixed by an earlier training set. A class is matched by its text,
// else by an equal value where that is unique ("1.0" is "1", "2139" is "02139"), with a
// notice; others are unknown: they give −1, and a warning that counts and names them.
template <Real T>
[[nodiscard]] TANDEM_API Classes encode_classes(const DatasetView<T>& data,
                                                const std::vector<std::string>& names);

// The task of a target where the caller names none: classification where it is categorical or has
// at most 20 distinct values, all whole numbers; else regression. Missing values are passed over.
template <Real T>
[[nodiscard]] TANDEM_API Task task_of_target(const DatasetView<T>& data);

// Throws InputError where there is no target or it holds texts, whose codes are no quantities.
template <Real T>
TANDEM_API void require_numeric_target(const DatasetView<T>& data);

// Throws InputError that names the source, row and column of the first feature (and target, where
// with_target) that is NaN or infinite, and the option that helps. With allow_missing, NaN features
// pass and infinite ones do not.
template <Real T>
TANDEM_API void require_finite(const DatasetView<T>& data, bool with_target,
                               bool allow_missing = false);

// Throws InputError where the rows are sparse; `algorithm` needs them dense.
template <Real T>
TANDEM_API void require_dense(const DatasetView<T>& data, std::string_view algorithm);

// The rows of a sparse view written out, with target, weights and the rest; throws InputError that
// states the bytes where they do not fit into memory.
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> to_dense(const DatasetView<T>& data);

// The same for a table that owns its rows.
template <Real T>
[[nodiscard]] Dataset<T> select_rows(const Dataset<T>& data, const std::vector<Index>& rows) {
  Dataset<T> part = select_rows(data.view(), rows);
  part.reading = data.reading;
  return part;
}
template <Real T>
[[nodiscard]] std::vector<Index> group_starts(const Dataset<T>& data) {
  return group_starts(data.view());
}
template <Real T>
[[nodiscard]] Classes encode_classes(const Dataset<T>& data) {
  return encode_classes(data.view());
}
template <Real T>
[[nodiscard]] Classes encode_classes(const Dataset<T>& data,
                                     const std::vector<std::string>& names) {
  return encode_classes(data.view(), names);
}
template <Real T>
[[nodiscard]] Task task_of_target(const Dataset<T>& data) {
  return task_of_target(data.view());
}
template <Real T>
void require_numeric_target(const Dataset<T>& data) {
  require_numeric_target(data.view());
}
template <Real T>
void require_finite(const Dataset<T>& data, bool with_target, bool allow_missing = false) {
  require_finite(data.view(), with_target, allow_missing);
}

}  // namespace tandem

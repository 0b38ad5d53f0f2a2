// Turns raw columns into the features that an algorithm is trained on. Everything it knows is
// learned from the training part alone and travels with the model.
//
// The order of the steps is fixed, per input column:
//   1. categories are matched by name with those of the training part;
//   2. outliers of numeric columns are found (bounds from the training part's present values) and
//      reported, clipped, or their training rows dropped;
//   3. missing values are filled;
//   4. categorical columns are encoded;
//   5. numeric and ordinal columns are scaled (one-hot indicators are not: they stay 0 and 1).
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/options.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// none:     values as they are
// standard: (x − mean) / standard deviation (of the population: divided by n)
// minmax:   (x − min) / (max − min), so that the training part spans [0, 1]
// A column that is constant in the training part is shifted and divided by 1: it becomes 0.
enum class Scale { none, standard, minmax };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<Scale>{"none", "standard", "minmax"};

// How a missing value (NaN) is filled. mean, median and most_frequent are those of the training
// part's present values; the median of an even count is the mean of the two middle values; of
// equally frequent values the least wins. In categorical columns mean, median and most_frequent
// all take the most frequent category, and constant makes "missing" a category of its own.
enum class Impute { none, mean, median, most_frequent, constant };
template <>
inline constexpr std::array<std::string_view, 5> enum_names<Impute>{"none", "mean", "median",
                                                                    "most-frequent", "constant"};

// What becomes of a categorical column.
//   one_hot: an indicator per category that occurs in the training part, "column=category", in the
//            order of the codes. A category that the training part lacks, and a missing value that
//            is not imputed, is all zeros.
//   ordinal: the position 0, 1, ... among the categories that occur in the training part. One that
//            the training part lacks counts as missing: imputed, or NaN where impute is none.
//   none:    as ordinal, over all categories that the training data declares, and the column stays
//            marked as categorical. It is not scaled.
enum class Encode { one_hot, ordinal, none };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<Encode>{"one-hot", "ordinal", "none"};

// How outliers are found. Missing values never are outliers; columns that are constant in the
// training part have none.
//   zscore: |x − mean| > threshold · standard deviation
//   iqr:    x < Q1 − threshold · (Q3 − Q1) or x > Q3 + threshold · (Q3 − Q1), quartiles by linear
//           interpolation (Hyndman and Fan, "Sample quantiles in statistical packages", The
//           American Statistician 50, 1996: definition 7); a column whose quartiles coincide has
//           no outliers
enum class Outliers { none, zscore, iqr };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<Outliers>{"none", "zscore", "iqr"};

// report: only counted. drop: rows of the training part with an outlier are removed before anything
// else is learned; transform() never removes a row. clip: values are moved to the nearest bound, in
// the training part and in transform().
enum class OutlierAction { report, drop, clip };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<OutlierAction>{"report", "drop",
                                                                           "clip"};

struct PreprocessOptions {
  Scale scale = Scale::none;
  Impute impute = Impute::none;
  double impute_constant = 0;  // numeric columns, with Impute::constant; finite
  Encode encode = Encode::one_hot;
  Outliers outliers = Outliers::none;
  OutlierAction outlier_action = OutlierAction::report;
  double outlier_threshold = 0;  // > 0; 0 means 3 for zscore and 1.5 for iqr

  void visit(OptionVisitor& visitor);
  void check() const {}
  [[nodiscard]] bool operator==(const PreprocessOptions&) const = default;
};

// What was learned of one input column.
struct ColumnFit {
  Index missing = 0;   // in the training part, before anything was dropped
  Index outliers = 0;  // in the training part; 0 where they were not looked for
  // Values outside [low, high] are outliers; infinite where there are no bounds.
  double low = 0;
  double high = 0;
  double fill = 0;   // what a missing value becomes; NaN where it stays missing. Categorical: code
  double shift = 0;  // scaled value = (value − shift) / divisor
  double divisor = 1;
  // Categorical: the categories that have a code of their own, in order of code.
  std::vector<std::string> categories;
};

template <Real T>
class Preprocessor {
 public:
  // Changes nothing: no columns, to be assigned to.
  Preprocessor() = default;

  struct Fitted;

  // `threads` 0 means all cores; no result depends on it. Throws InputError for options out of
  // range, no rows, an infinite feature, a column without a single value that is to be imputed, and
  // where dropping outliers leaves no row.
  [[nodiscard]] static Preprocessor fit(const Dataset<T>& train, const PreprocessOptions& options,
                                        int threads = 0);
  // The same, and the training part as the algorithm should see it (rows dropped where outliers are
  // to be). Pass by std::move to work in the memory of `train`.
  [[nodiscard]] static Fitted fit_transform(Dataset<T> train, const PreprocessOptions& options,
                                            int threads = 0);

  // As many rows as `data`, in output_columns(); target and weights are untouched. Works in the
  // memory of `data` where no column is one-hot encoded. Columns are matched by position; throws
  // InputError where their number or kind (numeric, categorical) differs, or, where both have names
  // other than x0, x1, ..., a name differs.
  [[nodiscard]] Dataset<T> transform(Dataset<T> data, int threads = 0) const;

  [[nodiscard]] const PreprocessOptions& options() const noexcept { return options_; }
  [[nodiscard]] const std::vector<Column>& input_columns() const noexcept { return input_; }
  [[nodiscard]] const std::vector<Column>& output_columns() const noexcept { return output_; }
  [[nodiscard]] const std::vector<ColumnFit>& fits() const noexcept { return fits_; }
  // Rows that fit_transform dropped as outliers.
  [[nodiscard]] Index dropped_rows() const noexcept { return dropped_; }
  // True where transform() returns its argument.
  [[nodiscard]] bool changes_nothing() const noexcept;
  // A feature in the units of the input: inverse of the scaling of output column j.
  [[nodiscard]] double unscale(Index j, double value) const;

  void save(Archive& archive) const;
  // Throws InputError for anything that save could not have written.
  [[nodiscard]] static Preprocessor load(const Archive& archive);
  // Options, per column what was learned, outliers per column, dropped rows.
  [[nodiscard]] nlohmann::json to_json() const;

 private:
  void make_outputs();

  PreprocessOptions options_;
  std::vector<Column> input_;
  std::vector<Column> output_;
  std::vector<ColumnFit> fits_;  // one per input column
  std::vector<Index> source_;    // one per output column: its input column
  Index dropped_ = 0;
};

template <Real T>
struct Preprocessor<T>::Fitted {
  Preprocessor<T> preprocessor;
  Dataset<T> data;
};

}  // namespace tandem

#include "tandem/data/dataset.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <unordered_set>

#include "core/data/class_names.hpp"
#include "core/data/finite.hpp"
#include "core/external_memory.hpp"
#include "core/memory.hpp"
#include "core/text.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

template <Real T>
[[noreturn]] void missing_target(const DatasetView<T>& data, std::size_t row) {
  throw InputError(data.source + ": row " + std::to_string(row + 1) + ": the target " +
                   data.target_column().name +
                   " is missing; remove the row, or leave out such rows with " +
                   option("drop_missing_target"));
}

// The place of a value in a table of small whole numbers, which most targets of classes consist of:
// found without a comparison that the processor guesses wrong. −1 for others.
constexpr int least_whole = -64;
constexpr std::size_t whole_numbers = 320;
template <Real T>
int whole_number(T value) {
  constexpr int past = least_whole + static_cast<int>(whole_numbers);
  if (!(value >= T{least_whole} && value < T{past})) return -1;
  const int number = static_cast<int>(value);
  return static_cast<T>(number) == value ? number - least_whole : -1;
}

// Ascending, without repetition; -0 counts as 0. Requires: no NaN.
template <Real T>
std::vector<T> distinct_values(std::span<const T> values) {
  // Few are found by insertion; where there are many, sorting a copy is cheaper.
  constexpr std::size_t few = 256;
  std::vector<T> distinct;
  std::array<bool, whole_numbers> seen{};
  for (const T value : values) {
    if (const int number = whole_number(value); number >= 0) {
      bool& known = seen[static_cast<std::size_t>(number)];
      if (known) continue;
      known = true;
    }
    const auto at = std::lower_bound(distinct.begin(), distinct.end(), value);
    if (at != distinct.end() && *at == value) continue;
    distinct.insert(at, value == T{0} ? T{0} : value);
    if (distinct.size() > few) break;
  }
  if (distinct.size() <= few) return distinct;
  distinct.assign(values.begin(), values.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  const auto zero = std::lower_bound(distinct.begin(), distinct.end(), T{0});
  if (zero != distinct.end() && *zero == T{0}) *zero = T{0};
  return distinct;
}

// Throws InputError unless there are as many of `what` as rows, or none.
template <Real T>
void require_one_per_row(const DatasetView<T>& data, std::size_t count, std::string_view what) {
  if (count == 0 || count == static_cast<std::size_t>(data.rows())) return;
  throw InputError(data.source + ": has " + std::to_string(count) + " " + std::string(what) +
                   " for " + std::to_string(data.rows()) + " rows; expected one per row");
}

// Writes row i of dense or sparse features.
template <Real T>
void copy_row(const DatasetView<T>& data, Index i, std::span<T> to) {
  if (!data.is_sparse()) {
    const auto from = data.features.row(i);
    std::copy(from.begin(), from.end(), to.begin());
    return;
  }
  std::fill(to.begin(), to.end(), T{0});
  const auto first = static_cast<std::size_t>(data.sparse.offsets[static_cast<std::size_t>(i)]);
  const auto last = static_cast<std::size_t>(data.sparse.offsets[static_cast<std::size_t>(i) + 1]);
  for (std::size_t p = first; p < last; ++p) {
    to[static_cast<std::size_t>(data.sparse.columns[p])] = data.sparse.values[p];
  }
}

// The texts that some row has, in the order of classes.
template <Real T>
Classes classes_of_texts(const DatasetView<T>& data) {
  std::vector<bool> present(data.target_texts.size(), false);
  for (std::size_t i = 0; i < data.target_text_of_row.size(); ++i) {
    const std::int32_t text = data.target_text_of_row[i];
    if (text < 0) missing_target(data, i);
    present[static_cast<std::size_t>(text)] = true;
  }
  std::vector<std::size_t> order;
  for (std::size_t c = 0; c < present.size(); ++c) {
    if (present[c]) order.push_back(c);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return class_before(data.target_texts[a], data.target_texts[b]);
  });
  Classes classes;
  std::vector<std::int32_t> position(present.size(), -1);
  for (const std::size_t c : order) {
    position[c] = static_cast<std::int32_t>(classes.names.size());
    classes.names.push_back(data.target_texts[c]);
  }
  classes.labels.reserve(data.target_text_of_row.size());
  for (const std::int32_t text : data.target_text_of_row) {
    classes.labels.push_back(position[static_cast<std::size_t>(text)]);
  }
  return classes;
}

std::string some_of(std::span<const std::string> names) {
  constexpr std::size_t most = 5;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) {
    text += (i > 0 ? ", '" : "'") + names[i] + "'";
  }
  return names.size() > most ? text + ", ..." : text;
}

template <Real T>
void require_target(const DatasetView<T>& data) {
  if (!data.has_target()) {
    throw InputError(data.source + ": has no target column; name one with " + option("target"));
  }
}

}  // namespace

template <Real T>
Dataset<T> select_rows(const DatasetView<T>& data, const std::vector<Index>& rows) {
  Dataset<T> part;
  part.source = data.source;
  part.columns.assign(data.columns.begin(), data.columns.end());
  if (part.columns.empty()) part.columns = numbered_columns(data.cols());
  part.target_column = data.target_column();
  const auto count = static_cast<Index>(rows.size());
  require_one_per_row(data, data.target.size(), "target values");
  require_one_per_row(data, data.weights.size(), "weights");
  require_one_per_row(data, data.groups.size(), "groups");
  part.features = Matrix<T>(count, data.cols());
  for (Index i = 0; i < count; ++i) {
    if (i % 1024 == 0) {
      visit_elements(part.features.row(i).data(), std::min<Index>(1024, count - i) * data.cols(),
                     external::Access::write);
    }
    copy_row(data, rows[static_cast<std::size_t>(i)], part.features.row(i));
  }
  // `width` values belong to each row.
  const auto pick = [&]<class Value>(std::span<const Value> all, std::size_t width) {
    std::vector<Value> picked;
    if (all.empty()) return picked;
    picked.reserve(rows.size() * width);
    for (const Index row : rows) {
      const auto values = all.subspan(static_cast<std::size_t>(row) * width, width);
      picked.insert(picked.end(), values.begin(), values.end());
    }
    return picked;
  };
  part.target = pick(data.target, 1);
  part.weights = pick(data.weights, 1);
  part.groups = pick(data.groups, 1);
  if (!data.base_margin.empty()) {
    const auto of_rows = static_cast<std::size_t>(data.rows());
    if (of_rows == 0 || data.base_margin.size() % of_rows != 0) {
      throw InputError(data.source + ": has " + std::to_string(data.base_margin.size()) +
                       " base margins for " + std::to_string(of_rows) +
                       " rows; expected the same number for each");
    }
    part.base_margin = pick(data.base_margin, data.base_margin.size() / of_rows);
  }
  if (!data.target_text_of_row.empty()) {
    part.target_texts.names.assign(data.target_texts.begin(), data.target_texts.end());
    part.target_texts.labels.reserve(rows.size());
    for (const Index row : rows) {
      part.target_texts.labels.push_back(data.target_text_of_row[static_cast<std::size_t>(row)]);
    }
  }
  return part;
}

template <Real T>
std::vector<Index> group_starts(const DatasetView<T>& data) {
  if (!data.has_groups()) {
    throw InputError(data.source +
                     ": says of no row which query it belongs to; ranking needs that");
  }
  require_one_per_row(data, data.groups.size(), "groups");
  std::vector<Index> starts;
  std::unordered_set<Index> seen;
  for (std::size_t i = 0; i < data.groups.size(); ++i) {
    if (i > 0 && data.groups[i] == data.groups[i - 1]) continue;
    if (!seen.insert(data.groups[i]).second) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) + " belongs to query " +
                       std::to_string(data.groups[i]) +
                       ", whose other rows stand further up; expected the rows of a query "
                       "together: sort them by query");
    }
    starts.push_back(static_cast<Index>(i));
  }
  starts.push_back(data.rows());
  return starts;
}

template <Real T>
std::string class_name(T value) {
  constexpr T most = static_cast<T>(1e18);
  if (value == std::trunc(value) && value > -most && value < most) {
    return std::to_string(static_cast<std::int64_t>(value));
  }
  return shortest(value);
}

std::vector<Column> numbered_columns(Index count) {
  std::vector<Column> columns(static_cast<std::size_t>(count));
  for (Index j = 0; j < count; ++j) {
    columns[static_cast<std::size_t>(j)].name = "x" + std::to_string(j);
  }
  return columns;
}

template <Real T>
Classes encode_classes(const DatasetView<T>& data) {
  require_target(data);
  Classes classes;
  if (data.target_column().categorical()) {
    const auto& categories = data.target_column().categories;
    std::vector<bool> present(categories.size(), false);
    for (std::size_t i = 0; i < data.target.size(); ++i) {
      const T code = data.target[i];
      if (std::isnan(code)) missing_target(data, i);
      if (!(code >= 0 && code < static_cast<T>(categories.size()))) {
        throw InputError(data.source + ": row " + std::to_string(i + 1) + ": the target " +
                         data.target_column().name + " has a code that stands for no category");
      }
      present[static_cast<std::size_t>(code)] = true;
    }
    std::vector<std::int32_t> position(categories.size(), -1);
    for (std::size_t c = 0; c < categories.size(); ++c) {
      if (!present[c]) continue;
      position[c] = static_cast<std::int32_t>(classes.names.size());
      classes.names.push_back(categories[c]);
    }
    classes.labels.reserve(data.target.size());
    for (const T code : data.target) {
      classes.labels.push_back(position[static_cast<std::size_t>(code)]);
    }
    return classes;
  }
  for (std::size_t i = 0; i < data.target.size(); ++i) {
    if (std::isnan(data.target[i])) missing_target(data, i);
  }
  constexpr std::size_t most_classes_of_fractions = 100;
  const std::vector<T> distinct = distinct_values<T>(data.target);
  const bool fractions =
      std::any_of(distinct.begin(), distinct.end(), [](T v) { return v != std::trunc(v); });
  if (fractions && distinct.size() > most_classes_of_fractions) {
    throw InputError(data.source + ": the target " + data.target_column().name + " has more than " +
                     std::to_string(most_classes_of_fractions) +
                     " distinct values, some of them fractions; that is a regression target, "
                     "expected classes");
  }
  if (!data.target_text_of_row.empty()) return classes_of_texts(data);
  for (const T value : distinct) classes.names.push_back(class_name(value));
  std::array<std::int32_t, whole_numbers> label_of{};
  for (std::size_t c = 0; c < distinct.size(); ++c) {
    const int number = whole_number(distinct[c]);
    if (number >= 0) label_of[static_cast<std::size_t>(number)] = static_cast<std::int32_t>(c);
  }
  classes.labels.reserve(data.target.size());
  for (const T value : data.target) {
    if (const int number = whole_number(value); number >= 0) {
      classes.labels.push_back(label_of[static_cast<std::size_t>(number)]);
      continue;
    }
    const auto at = std::lower_bound(distinct.begin(), distinct.end(), value);
    classes.labels.push_back(static_cast<std::int32_t>(at - distinct.begin()));
  }
  return classes;
}

template <Real T>
Classes encode_classes(const DatasetView<T>& data, const std::vector<std::string>& names) {
  Classes own = encode_classes(data);
  const ClassMatcher matcher(names);
  std::vector<std::int32_t> translated;
  translated.reserve(own.names.size());
  std::string by_value;
  std::vector<std::string> unknown;
  for (const auto& name : own.names) {
    const ClassMatcher::Match match = matcher.find(name);
    translated.push_back(match.name);
    if (match.name < 0) unknown.push_back(name);
    if (match.by_value && by_value.empty()) {
      by_value = "'" + name + "' as '" + names[static_cast<std::size_t>(match.name)] + "'";
    }
  }
  for (auto& label : own.labels) label = translated[static_cast<std::size_t>(label)];
  if (!by_value.empty()) {
    log::warning(
        data.source + ": classes of " + data.target_column().name +
        " that are written otherwise than in the training data are taken by their value: " +
        by_value);
  }
  if (!unknown.empty()) {
    const auto rows = std::count(own.labels.begin(), own.labels.end(), -1);
    const bool most = 2 * rows > static_cast<std::ptrdiff_t>(own.labels.size());
    log::warning(data.source + ": " + (most ? "MOST LABELS ARE UNKNOWN TO THE MODEL: " : "") +
                 std::to_string(rows) + " of " + std::to_string(own.labels.size()) + " labels of " +
                 data.target_column().name + " are no class of the model and count as wrong: " +
                 some_of(unknown) + "; the model's classes are " + some_of(names));
  }
  own.names = names;
  return own;
}

template <Real T>
Task task_of_target(const DatasetView<T>& data) {
  constexpr std::size_t most_classes = 20;
  if (data.target_column().categorical()) return Task::classification;
  std::vector<T> distinct;  // sorted
  std::array<bool, whole_numbers> seen{};
  for (const T value : data.target) {
    if (std::isnan(value)) continue;
    if (const int number = whole_number(value); number >= 0) {
      bool& known = seen[static_cast<std::size_t>(number)];
      if (known) continue;
      known = true;
    }
    if (value != std::trunc(value)) return Task::regression;
    const auto at = std::lower_bound(distinct.begin(), distinct.end(), value);
    if (at != distinct.end() && *at == value) continue;
    if (distinct.size() == most_classes) return Task::regression;
    distinct.insert(at, value);
  }
  return Task::classification;
}

template <Real T>
void require_numeric_target(const DatasetView<T>& data) {
  require_target(data);
  if (!data.target_column().categorical()) return;
  throw InputError(data.source + ": the target " + data.target_column().name +
                   " holds texts; a regression expects numbers: name another column with " +
                   option("target") + ", or choose an algorithm that classifies");
}

template <Real T>
void require_finite_features(const DatasetView<T>& data, bool allow_missing, Index rows_before) {
  for (Index i = 0; i < data.rows(); ++i) {
    const auto row = data.features.row(i);
    if (all_finite(row)) continue;
    for (std::size_t j = 0; j < row.size(); ++j) {
      if (std::isfinite(row[j]) || (allow_missing && std::isnan(row[j]))) continue;
      const std::string where = data.source + ": row " + std::to_string(rows_before + i + 1) +
                                ", column " + data.feature_name(static_cast<Index>(j));
      if (std::isnan(row[j])) {
        throw InputError(where + ": the value is missing or not a number; fill it with " +
                         option("impute"));
      }
      throw InputError(where + ": the value is infinite; expected a finite number");
    }
  }
}

template <Real T>
void require_finite(const DatasetView<T>& data, bool with_target, bool allow_missing) {
  require_finite_features(data, allow_missing, 0);
  if (!with_target) return;
  for (std::size_t i = 0; i < data.target.size(); ++i) {
    if (std::isnan(data.target[i])) missing_target(data, i);
    if (!std::isfinite(data.target[i])) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) + ": the target " +
                       data.target_column().name + " is infinite; expected a finite number");
    }
  }
}

template <Real T>
void require_dense(const DatasetView<T>& data, std::string_view algorithm) {
  if (!data.is_sparse()) return;
  throw InputError(data.source + ": holds sparse rows, and " + std::string(algorithm) +
                   " takes dense ones; write them out with to_dense() first");
}

template <Real T>
Dataset<T> to_dense(const DatasetView<T>& data) {
  Dataset<T> dense;
  dense.source = data.source;
  dense.columns.assign(data.columns.begin(), data.columns.end());
  if (dense.columns.empty()) dense.columns = numbered_columns(data.cols());
  dense.target.assign(data.target.begin(), data.target.end());
  dense.target_column = data.target_column();
  dense.weights.assign(data.weights.begin(), data.weights.end());
  dense.groups.assign(data.groups.begin(), data.groups.end());
  dense.base_margin.assign(data.base_margin.begin(), data.base_margin.end());
  dense.target_texts.names.assign(data.target_texts.begin(), data.target_texts.end());
  dense.target_texts.labels.assign(data.target_text_of_row.begin(), data.target_text_of_row.end());
  const double bytes = static_cast<double>(data.rows()) * static_cast<double>(data.cols()) *
                       static_cast<double>(sizeof(T));
  if (bytes > static_cast<double>(available_memory())) {
    throw InputError(data.source + ": " + std::to_string(data.rows()) + " rows of " +
                     std::to_string(data.cols()) + " dense values would take " +
                     shortest(std::ceil(bytes / 1e6)) +
                     " MB, more than the memory that is left; choose fewer rows or columns");
  }
  dense.features = Matrix<T>(data.rows(), data.cols());
  for (Index i = 0; i < data.rows(); ++i) copy_row(data, i, dense.features.row(i));
  return dense;
}

template std::vector<Index> group_starts(const DatasetView<float>&);
template std::vector<Index> group_starts(const DatasetView<double>&);
template void require_dense(const DatasetView<float>&, std::string_view);
template void require_dense(const DatasetView<double>&, std::string_view);
template Dataset<float> to_dense(const DatasetView<float>&);
template Dataset<double> to_dense(const DatasetView<double>&);
template Dataset<float> select_rows(const DatasetView<float>&, const std::vector<Index>&);
template Dataset<double> select_rows(const DatasetView<double>&, const std::vector<Index>&);
template std::string class_name(float);
template std::string class_name(double);
template Classes encode_classes(const DatasetView<float>&);
template Classes encode_classes(const DatasetView<double>&);
template Classes encode_classes(const DatasetView<float>&, const std::vector<std::string>&);
template Classes encode_classes(const DatasetView<double>&, const std::vector<std::string>&);
template Task task_of_target(const DatasetView<float>&);
template Task task_of_target(const DatasetView<double>&);
template void require_numeric_target(const DatasetView<float>&);
template void require_numeric_target(const DatasetView<double>&);
template void require_finite_features(const DatasetView<float>&, bool, Index);
template void require_finite_features(const DatasetView<double>&, bool, Index);
template void require_finite(const DatasetView<float>&, bool, bool);
template void require_finite(const DatasetView<double>&, bool, bool);

}  // namespace tandem

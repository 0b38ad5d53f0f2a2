#include "tandem/model/training_summary.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

constexpr Index most_sampled_rows = 65'536;
constexpr Index most_intervals = 64;
constexpr Index fewest_intervals = 16;
constexpr Index columns_of_most_intervals = 512;
constexpr std::int64_t known_version = 1;

// Edges that part the finite values into about as many rows each, or every distinct value from all
// others where they are few.
std::vector<double> edges_of(std::vector<double> values, Index intervals) {
  std::sort(values.begin(), values.end());
  std::vector<double> edges;
  for (const double value : values) {
    if (edges.empty() || value > edges.back()) edges.push_back(value);
    if (static_cast<Index>(edges.size()) > intervals) break;
  }
  if (static_cast<Index>(edges.size()) > intervals) {
    edges.clear();
    const auto count = static_cast<Index>(values.size());
    for (Index k = 1; k < intervals; ++k) {
      const double value = values[static_cast<std::size_t>(k * count / intervals)];
      if (edges.empty() || value > edges.back()) edges.push_back(value);
    }
  } else if (!edges.empty()) {
    // What lies below all of them, and above, is told apart from the first and the last.
    const double below = std::nextafter(edges.front(), -std::numeric_limits<double>::infinity());
    if (std::isfinite(below)) edges.insert(edges.begin(), below);
  }
  return edges;
}

void save_columns(Archive& archive, const std::vector<ColumnSummary>& columns) {
  std::vector<std::string> names;
  std::vector<std::string> categories;
  std::vector<std::uint8_t> categorical;
  std::vector<double> edges;
  std::vector<Index> intervals;
  std::vector<Index> counts;
  std::vector<Index> missing;
  for (const ColumnSummary& column : columns) {
    names.push_back(column.name);
    categorical.push_back(column.categorical ? 1 : 0);
    categories.insert(categories.end(), column.categories.begin(), column.categories.end());
    edges.insert(edges.end(), column.edges.begin(), column.edges.end());
    intervals.push_back(static_cast<Index>(column.counts.size()));
    counts.insert(counts.end(), column.counts.begin(), column.counts.end());
    missing.push_back(column.missing);
  }
  archive.set("names", std::move(names));
  archive.set("categories", std::move(categories));
  archive.set_tensor("categorical", std::move(categorical));
  archive.set("edges", std::move(edges));
  archive.set_tensor("intervals", std::move(intervals));
  archive.set_tensor("counts", std::move(counts));
  archive.set_tensor("missing", std::move(missing));
}

std::vector<ColumnSummary> load_columns(const Archive& archive) {
  const auto& names = archive.get_strings("names");
  const auto columns = static_cast<Index>(names.size());
  const auto& categories = archive.get_strings("categories");
  const auto& categorical = archive.get_tensor<std::uint8_t>("categorical", columns);
  const auto& edges = archive.get_doubles("edges");
  const auto& intervals = archive.get_tensor<Index>("intervals", columns);
  const auto& counts = archive.get_tensor<Index>("counts");
  const auto& missing = archive.get_tensor<Index>("missing", columns);
  // Sums of rows must not overflow.
  constexpr Index most_rows = Index{1} << 48;
  const auto check_count = [&](const char* entry, Index count) {
    if (count < 0 || count > most_rows) archive.fail(entry, "has a number of rows out of range");
  };
  std::vector<ColumnSummary> result;
  std::size_t edge = 0;
  std::size_t category = 0;
  std::size_t counted = 0;
  for (std::size_t j = 0; j < names.size(); ++j) {
    ColumnSummary column;
    column.name = names[j];
    column.categorical = categorical[j] != 0;
    if (intervals[j] < 1 || static_cast<std::size_t>(intervals[j]) > counts.size() - counted) {
      archive.fail("intervals", "does not fit the number of counts");
    }
    const auto here = static_cast<std::size_t>(intervals[j]);
    for (std::size_t k = 0; k < here; ++k) {
      check_count("counts", counts[counted]);
      column.counts.push_back(counts[counted++]);
    }
    if (column.categorical) {
      if (here > categories.size() - category) {
        archive.fail("categories", "are fewer than the counts of categories");
      }
      const auto from = categories.begin() + static_cast<std::ptrdiff_t>(category);
      column.categories.assign(from, from + static_cast<std::ptrdiff_t>(here));
      category += here;
    } else {
      if (here - 1 > edges.size() - edge) archive.fail("edges", "are fewer than the intervals ask");
      for (std::size_t k = 0; k + 1 < here; ++k, ++edge) {
        if (!std::isfinite(edges[edge]) || (k > 0 && edges[edge] <= column.edges.back())) {
          archive.fail("edges", "are not finite and ascending");
        }
        column.edges.push_back(edges[edge]);
      }
    }
    check_count("missing", missing[j]);
    column.missing = missing[j];
    result.push_back(std::move(column));
  }
  if (edge != edges.size()) archive.fail("edges", "are more than the intervals ask");
  if (category != categories.size()) archive.fail("categories", "are more than their counts");
  if (counted != counts.size()) archive.fail("counts", "are more than the intervals ask");
  return result;
}

}  // namespace

Index ColumnSummary::present() const {
  return std::accumulate(counts.begin(), counts.end(), Index{0});
}

ColumnSummary ColumnSummary::without_rows() const {
  ColumnSummary empty = *this;
  std::fill(empty.counts.begin(), empty.counts.end(), Index{0});
  empty.missing = 0;
  empty.unseen = 0;
  return empty;
}

void ColumnSummary::count(double value) {
  if (std::isnan(value)) {
    ++missing;
  } else if (categorical) {
    if (value >= 0 && value < static_cast<double>(counts.size()) && value == std::floor(value)) {
      ++counts[static_cast<std::size_t>(value)];
    } else {
      ++unseen;
    }
  } else {
    ++counts[static_cast<std::size_t>(std::lower_bound(edges.begin(), edges.end(), value) -
                                      edges.begin())];
  }
}

void TrainingSummary::save(Archive& archive) const {
  archive.set("version", known_version);
  Archive part;
  save_columns(part, features);
  archive.set_part("features", part);
  part = {};
  save_columns(part, scores);
  archive.set_part("scores", part);
  archive.set("scores_held_out", scores_held_out);
}

TrainingSummary TrainingSummary::load(const Archive& archive) {
  TrainingSummary summary;
  summary.version = archive.get_int("version");
  if (summary.version != known_version) return summary;
  summary.features = load_columns(archive.part("features"));
  summary.scores = load_columns(archive.part("scores"));
  summary.scores_held_out = archive.get_bool("scores_held_out");
  return summary;
}

TrainingSummary summary_of(const Archive& model) {
  return model.has_part("summary") ? TrainingSummary::load(model.part("summary"))
                                   : TrainingSummary();
}

void set_summary(Archive& model, const TrainingSummary& summary) {
  Archive part;
  summary.save(part);
  model.set_part("summary", part);
}

template <Real T>
std::vector<ColumnSummary> summarise_columns(const DatasetView<T>& data,
                                             const SummaryOptions& options) {
  if (data.is_sparse()) return summarise_columns(to_dense(data).view(), options);
  std::vector<std::string> names;
  for (Index j = 0; j < data.cols(); ++j) names.push_back(data.feature_name(j));
  for (const std::string& name : options.leave_out) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      throw InputError(data.source + ": has no column '" + name + "' to leave out of the summary");
    }
  }
  const Index rows = data.rows();
  const Index stride = std::max<Index>(1, (rows + most_sampled_rows - 1) / most_sampled_rows);
  const Index intervals =
      std::clamp(most_intervals * columns_of_most_intervals / std::max<Index>(1, data.cols()),
                 fewest_intervals, most_intervals);
  std::vector<ColumnSummary> result;
  for (Index j = 0; j < data.cols(); ++j) {
    ColumnSummary column;
    column.name = names[static_cast<std::size_t>(j)];
    if (std::find(options.leave_out.begin(), options.leave_out.end(), column.name) !=
        options.leave_out.end()) {
      continue;
    }
    if (!data.columns.empty() && data.columns[static_cast<std::size_t>(j)].categorical()) {
      column.categorical = true;
      column.categories = data.columns[static_cast<std::size_t>(j)].categories;
      column.counts.resize(column.categories.size());
    } else {
      std::vector<double> sample;
      sample.reserve(static_cast<std::size_t>(rows / stride + 1));
      for (Index i = 0; i < rows; i += stride) {
        const auto value = static_cast<double>(data.features(i, j));
        if (std::isfinite(value)) sample.push_back(value);
      }
      column.edges = edges_of(std::move(sample), intervals);
      column.counts.resize(column.edges.size() + 1);
    }
    for (Index i = 0; i < rows; ++i) column.count(static_cast<double>(data.features(i, j)));
    result.push_back(std::move(column));
  }
  return result;
}

template <Real T>
Dataset<double> score_columns(const Model<T>& model, const Predictions<T>& predictions) {
  Dataset<double> data;
  const Index rows =
      static_cast<Index>(std::max(predictions.values.size(), predictions.labels.size()));
  std::vector<std::vector<double>> columns;
  const auto add = [&](Column column) -> std::vector<double>& {
    data.columns.push_back(std::move(column));
    return columns.emplace_back(static_cast<std::size_t>(rows));
  };
  const auto& classes = model.classes();
  if (!predictions.values.empty()) {
    auto& to = add({model.task() == Task::regression ? "prediction" : "score", {}});
    std::copy(predictions.values.begin(), predictions.values.end(), to.begin());
  }
  const auto& probabilities = predictions.probabilities;
  if (probabilities.rows() == rows && probabilities.cols() == 2 && classes.size() == 2) {
    auto& to = add({"probability of " + classes[1], {}});
    for (Index i = 0; i < rows; ++i) {
      to[static_cast<std::size_t>(i)] = static_cast<double>(probabilities(i, 1));
    }
  } else if (probabilities.rows() == rows && probabilities.cols() > 2) {
    auto& to = add({"confidence", {}});
    for (Index i = 0; i < rows; ++i) {
      T most = probabilities(i, 0);
      for (Index k = 1; k < probabilities.cols(); ++k) most = std::max(most, probabilities(i, k));
      to[static_cast<std::size_t>(i)] = static_cast<double>(most);
    }
  }
  if (!predictions.labels.empty()) {
    std::vector<std::string> names = classes;
    if (names.empty()) {
      // Clusters: as many as there are, whether one of these rows is in them or not.
      const auto most = *std::max_element(predictions.labels.begin(), predictions.labels.end());
      for (std::int32_t k = 0; k <= most; ++k) names.push_back(std::to_string(k));
    }
    auto& to = add({"answer", std::move(names)});
    std::copy(predictions.labels.begin(), predictions.labels.end(), to.begin());
  }
  data.features = Matrix<double>(rows, static_cast<Index>(columns.size()));
  for (std::size_t j = 0; j < columns.size(); ++j) {
    for (Index i = 0; i < rows; ++i) {
      data.features(i, static_cast<Index>(j)) = columns[j][static_cast<std::size_t>(i)];
    }
  }
  data.source = "predictions";
  return data;
}

#define TANDEM_INSTANTIATE(T)                                                   \
  template std::vector<ColumnSummary> summarise_columns(const DatasetView<T>&,  \
                                                        const SummaryOptions&); \
  template Dataset<double> score_columns(const Model<T>&, const Predictions<T>&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem

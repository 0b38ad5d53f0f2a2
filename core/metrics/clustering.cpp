#include "tandem/metrics/clustering.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "core/host_engine.hpp"
#include "core/metrics/cluster_steps.hpp"
#include "core/metrics/row_sums.hpp"
#include "core/metrics/silhouette_steps.hpp"
#include "core/metrics/weights.hpp"
#include "core/parallel.hpp"
#include "core/rows_on_engine.hpp"
#include "core/steps.hpp"
#include "tandem/core/math.hpp"

namespace tandem {
namespace {

// Labels without gaps, in the order of the given ones.
struct Parts {
  Index count = 0;
  std::vector<std::int32_t> of_row;
};

Parts parts_of(std::span<const std::int32_t> labels, std::string_view metric) {
  require_rows(labels.size(), metric);
  std::map<std::int32_t, std::int32_t> position;
  std::int32_t last = -1;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) {
      throw InputError(std::string(metric) + ": row " + std::to_string(i + 1) + ": the label is " +
                       std::to_string(labels[i]) + ", expected a number >= 0");
    }
    if (labels[i] != last) position.emplace(labels[i], 0);
    last = labels[i];
  }
  Parts parts;
  for (auto& [label, number] : position) number = static_cast<std::int32_t>(parts.count++);
  parts.of_row.reserve(labels.size());
  for (const std::int32_t label : labels) parts.of_row.push_back(position.find(label)->second);
  return parts;
}

// Row numbers cluster by cluster, ascending inside; cluster c is [first[c], first[c + 1]).
struct Members {
  std::vector<Index> rows;
  std::vector<Index> first;
  [[nodiscard]] Index size(Index c) const {
    return first[static_cast<std::size_t>(c) + 1] - first[static_cast<std::size_t>(c)];
  }
};

Members members_of(const Parts& parts) {
  Members members;
  members.first.assign(static_cast<std::size_t>(parts.count) + 1, 0);
  for (const std::int32_t c : parts.of_row) ++members.first[static_cast<std::size_t>(c) + 1];
  for (std::size_t c = 1; c < members.first.size(); ++c) members.first[c] += members.first[c - 1];
  members.rows.resize(parts.of_row.size());
  std::vector<Index> next(members.first.begin(), members.first.end() - 1);
  for (std::size_t i = 0; i < parts.of_row.size(); ++i) {
    members.rows[static_cast<std::size_t>(next[static_cast<std::size_t>(parts.of_row[i])]++)] =
        static_cast<Index>(i);
  }
  return members;
}

template <Real T>
Parts parts_of(MatrixView<const T> x, std::span<const std::int32_t> labels,
               std::string_view metric) {
  require_same_size(static_cast<std::size_t>(x.rows), labels.size(), metric, "labels");
  Parts parts = parts_of(labels, metric);
  if (parts.count < 2 || parts.count >= x.rows) {
    throw InputError(std::string(metric) + ": there are " + std::to_string(parts.count) +
                     " clusters of " + std::to_string(x.rows) +
                     " rows; expected at least 2, and fewer than rows");
  }
  for (Index i = 0; i < x.rows; ++i) {
    for (Index j = 0; j < x.cols; ++j) {
      if (!std::isfinite(x(i, j))) {
        throw InputError(std::string(metric) + ": row " + std::to_string(i + 1) + ", column " +
                         std::to_string(j + 1) + ": the value is not a finite number");
      }
    }
  }
  return parts;
}

// A clustering where the engine's steps can see it. The arguments of the constructor must outlive
// it.
template <Real T>
class OnEngine {
 public:
  OnEngine(Engine& engine, MatrixView<const T> x, const Parts& parts, const Members& members)
      : cluster_(to_engine(engine, parts.of_row)), members_(to_engine(engine, members.rows)) {
    rows.x = x.data;
    rows.stride = x.stride;
    if (!reads_host_memory(engine)) {
      x_ = rows_on_engine(engine, x, Placement::rows);
      rows.x = x_.data();
      rows.stride = x.cols;
    }
    rows.rows = x.rows;
    rows.cols = x.cols;
    rows.members = members_.data();
    rows.cluster = cluster_.data();
    rows.first = members.first;
  }

  ClusteredRows<T> rows;

 private:
  Buffer<std::int32_t> cluster_;
  Buffer<Index> members_;
  Buffer<T> x_;
};

double squared_distance(const double* a, const double* b, Index cols) {
  double squares = 0;
  for (Index j = 0; j < cols; ++j) {
    const double d = a[j] - b[j];
    squares = std::fma(d, d, squares);
  }
  return squares;
}

// How often part a of the one meets part b of the other, and the sizes of the parts.
struct Contingency {
  std::map<std::pair<std::int32_t, std::int32_t>, Index> cells;
  std::vector<Index> truth;
  std::vector<Index> labels;
};

Contingency contingency_of(std::span<const std::int32_t> truth,
                           std::span<const std::int32_t> labels, std::string_view metric) {
  require_same_size(truth.size(), labels.size(), metric, "labels");
  const Parts a = parts_of(truth, metric);
  const Parts b = parts_of(labels, metric);
  Contingency table;
  table.truth.assign(static_cast<std::size_t>(a.count), 0);
  table.labels.assign(static_cast<std::size_t>(b.count), 0);
  for (std::size_t i = 0; i < truth.size(); ++i) {
    ++table.cells[{a.of_row[i], b.of_row[i]}];
    ++table.truth[static_cast<std::size_t>(a.of_row[i])];
    ++table.labels[static_cast<std::size_t>(b.of_row[i])];
  }
  return table;
}

double entropy(const std::vector<Index>& sizes, double total) {
  double sum = 0;
  for (const Index size : sizes) {
    const double n = static_cast<double>(size);
    sum -= n / total * math::log(n / total);
  }
  return sum;
}

}  // namespace

template <Real T>
std::vector<double> silhouette_values(Engine& engine, MatrixView<const T> x,
                                      std::span<const std::int32_t> labels) {
  const Parts parts = parts_of(x, labels, "silhouette");
  const Members members = members_of(parts);
  const Buffer<T> rows = rows_on_engine(engine, x, Placement::engine);
  const auto member_rows = to_engine(engine, members.rows);
  const auto first = to_engine(engine, members.first);
  const auto cluster = to_engine(engine, parts.of_row);
  Buffer<double> values(engine, x.rows);
  make_steps<SilhouetteSteps, T>(engine)->values(rows, x.cols, member_rows, first, cluster, values);
  std::vector<double> result = values.to_host();
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (!std::isfinite(result[i])) {
      throw NumericalError("silhouette: the distances from row " + std::to_string(i + 1) +
                           " are too large for " + std::string(to_string(precision_of<T>)) +
                           "; scale the features");
    }
  }
  return result;
}

template <Real T>
double silhouette(Engine& engine, MatrixView<const T> x, std::span<const std::int32_t> labels) {
  const std::vector<double> values = silhouette_values(engine, x, labels);
  const double sum = long_sum(x.rows, [&](Index i) { return values[static_cast<std::size_t>(i)]; });
  return sum / static_cast<double>(x.rows);
}

template <Real T>
double davies_bouldin(Engine& engine, MatrixView<const T> x, std::span<const std::int32_t> labels) {
  const Parts parts = parts_of(x, labels, "Davies-Bouldin index");
  const Members members = members_of(parts);
  const OnEngine<T> there(engine, x, parts, members);
  const auto steps = make_steps<ClusterMetricSteps, T>(engine);
  Buffer<double> centroids_there(engine, parts.count * x.cols);
  Buffer<double> spreads_there(engine, parts.count);
  steps->centroids(there.rows, centroids_there);
  steps->spreads(there.rows, centroids_there, spreads_there);
  const std::vector<double> centroids = centroids_there.to_host();
  const std::vector<double> spreads = spreads_there.to_host();
  double total = 0;
  for (Index c = 0; c < parts.count; ++c) {
    double worst = 0;
    for (Index other = 0; other < parts.count; ++other) {
      if (other == c) continue;
      const double squares = squared_distance(centroids.data() + c * x.cols,
                                              centroids.data() + other * x.cols, x.cols);
      const double both =
          spreads[static_cast<std::size_t>(c)] + spreads[static_cast<std::size_t>(other)];
      if (both > 0) worst = std::max(worst, both / std::sqrt(squares));
    }
    total += worst;
  }
  return total / static_cast<double>(parts.count);
}

template <Real T>
double davies_bouldin(MatrixView<const T> x, std::span<const std::int32_t> labels, int threads) {
  return davies_bouldin(*Engine::create({.threads = threads}), x, labels);
}

template <Real T>
double calinski_harabasz(Engine& engine, MatrixView<const T> x,
                         std::span<const std::int32_t> labels) {
  const Parts parts = parts_of(x, labels, "Calinski-Harabasz index");
  const Members members = members_of(parts);
  const OnEngine<T> there(engine, x, parts, members);
  const auto steps = make_steps<ClusterMetricSteps, T>(engine);
  Buffer<double> centroids_there(engine, parts.count * x.cols);
  Buffer<double> within_there(engine, 1);
  steps->centroids(there.rows, centroids_there);
  steps->within(there.rows, centroids_there, within_there);
  const std::vector<double> centroids = centroids_there.to_host();
  const double within = within_there.to_host()[0];
  // The mean of all rows: one cluster of them.
  const Parts one{1, std::vector<std::int32_t>(static_cast<std::size_t>(x.rows), 0)};
  const Members all = members_of(one);
  ClusteredRows<T> whole = there.rows;
  const Buffer<Index> in_order = to_engine(engine, all.rows);
  whole.members = in_order.data();
  whole.first = all.first;
  Buffer<double> mean_there(engine, x.cols);
  steps->centroids(whole, mean_there);
  const std::vector<double> mean = mean_there.to_host();
  double between = 0;
  for (Index c = 0; c < parts.count; ++c) {
    between += static_cast<double>(members.size(c)) *
               squared_distance(centroids.data() + c * x.cols, mean.data(), x.cols);
  }
  if (within == 0) return 1.0;
  return (between / static_cast<double>(parts.count - 1)) /
         (within / static_cast<double>(x.rows - parts.count));
}

template <Real T>
double calinski_harabasz(MatrixView<const T> x, std::span<const std::int32_t> labels, int threads) {
  return calinski_harabasz(*Engine::create({.threads = threads}), x, labels);
}

double adjusted_rand(std::span<const std::int32_t> truth, std::span<const std::int32_t> labels) {
  const Contingency table = contingency_of(truth, labels, "adjusted Rand index");
  const auto pairs = [](Index n) {
    return static_cast<double>(n) * static_cast<double>(n - 1) / 2;
  };
  double together = 0;
  for (const auto& [cell, count] : table.cells) together += pairs(count);
  double in_truth = 0;
  for (const Index size : table.truth) in_truth += pairs(size);
  double in_labels = 0;
  for (const Index size : table.labels) in_labels += pairs(size);
  const double all = pairs(static_cast<Index>(truth.size()));
  const double expected = all > 0 ? in_truth / all * in_labels : 0.0;
  const double largest = (in_truth + in_labels) / 2;
  // Both all in one part, or both all apart.
  if (largest == expected) return 1.0;
  return (together - expected) / (largest - expected);
}

double normalized_mutual_information(std::span<const std::int32_t> truth,
                                     std::span<const std::int32_t> labels) {
  const Contingency table = contingency_of(truth, labels, "normalized mutual information");
  const auto total = static_cast<double>(truth.size());
  if (table.truth.size() == 1 && table.labels.size() == 1) return 1.0;
  double information = 0;
  for (const auto& [cell, count] : table.cells) {
    const double n = static_cast<double>(count);
    const double a = static_cast<double>(table.truth[static_cast<std::size_t>(cell.first)]);
    const double b = static_cast<double>(table.labels[static_cast<std::size_t>(cell.second)]);
    information += n / total * math::log(n / a * (total / b));
  }
  const double mean = (entropy(table.truth, total) + entropy(table.labels, total)) / 2;
  // Roundings may leave independent partitions just below 0, and equal ones just above 1.
  return std::clamp(information / mean, 0.0, 1.0);
}

#define TANDEM_INSTANTIATE(T)                                                                     \
  template std::vector<double> silhouette_values(Engine&, MatrixView<const T>,                    \
                                                 std::span<const std::int32_t>);                  \
  template double silhouette(Engine&, MatrixView<const T>, std::span<const std::int32_t>);        \
  template double davies_bouldin(Engine&, MatrixView<const T>, std::span<const std::int32_t>);    \
  template double calinski_harabasz(Engine&, MatrixView<const T>, std::span<const std::int32_t>); \
  template double davies_bouldin(MatrixView<const T>, std::span<const std::int32_t>, int);        \
  template double calinski_harabasz(MatrixView<const T>, std::span<const std::int32_t>, int);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem

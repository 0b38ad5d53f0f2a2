#include "tandem/metrics/clustering.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "core/host_engine.hpp"
#include "core/metrics/cluster_indices.hpp"
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

double squared_distance(const double* a, const double* b, Index cols) {
  double squares = 0;
  for (Index j = 0; j < cols; ++j) {
    const double d = a[j] - b[j];
    squares = std::fma(d, d, squares);
  }
  return squares;
}

// Where each cluster's rows begin among its members: clusters + 1 entries.
std::vector<Index> starts_of(const Parts& parts) {
  std::vector<Index> first(static_cast<std::size_t>(parts.count) + 1, 0);
  for (const std::int32_t c : parts.of_row) ++first[static_cast<std::size_t>(c) + 1];
  for (std::size_t c = 1; c < first.size(); ++c) first[c] += first[c - 1];
  return first;
}

// A clustering where the engine's steps can see it, for as many indices as are asked for: its
// labels cross once, and who belongs to a cluster is found there. The rows must outlive it.
template <Real T>
class OnEngine {
 public:
  OnEngine(Engine& engine, MatrixView<const T> x, const Parts& parts)
      : engine_(engine),
        x_(x),
        first_(starts_of(parts)),
        steps_(make_steps<ClusterMetricSteps, T>(engine)),
        cluster_(to_engine(engine, parts.of_row)),
        members_(engine, x.rows) {
    steps_->list_members(cluster_.data(), x.rows, parts.count, members_);
  }

  double davies_bouldin() {
    const ClusteredRows<T> there = rows();
    Buffer<double> spreads_there(engine_, there.clusters());
    steps_->spreads(there, centroids_there(), spreads_there);
    const std::vector<double> centroids = centroids_there().to_host();
    const std::vector<double> spreads = spreads_there.to_host();
    double total = 0;
    for (Index c = 0; c < there.clusters(); ++c) {
      double worst = 0;
      for (Index other = 0; other < there.clusters(); ++other) {
        if (other == c) continue;
        const double squares = squared_distance(centroids.data() + c * x_.cols,
                                                centroids.data() + other * x_.cols, x_.cols);
        const double both =
            spreads[static_cast<std::size_t>(c)] + spreads[static_cast<std::size_t>(other)];
        if (both > 0) worst = std::max(worst, both / std::sqrt(squares));
      }
      total += worst;
    }
    return total / static_cast<double>(there.clusters());
  }

  double calinski_harabasz() {
    const ClusteredRows<T> there = rows();
    Buffer<double> within_there(engine_, 1);
    steps_->within(there, centroids_there(), within_there);
    const std::vector<double> centroids = centroids_there().to_host();
    const double within = within_there.to_host()[0];
    // The mean of all rows: one cluster of them.
    const Index all[] = {0, x_.rows};
    ClusteredRows<T> whole = there;
    whole.members = nullptr;
    whole.first = all;
    Buffer<double> mean_there(engine_, x_.cols);
    steps_->centroids(whole, mean_there);
    const std::vector<double> mean = mean_there.to_host();
    double between = 0;
    for (std::size_t c = 0; c + 1 < first_.size(); ++c) {
      between += static_cast<double>(first_[c + 1] - first_[c]) *
                 squared_distance(centroids.data() + static_cast<Index>(c) * x_.cols, mean.data(),
                                  x_.cols);
    }
    if (within == 0) return 1.0;
    return (between / static_cast<double>(there.clusters() - 1)) /
           (within / static_cast<double>(x_.rows - there.clusters()));
  }

  std::vector<double> silhouette_values() {
    const Buffer<T> all = rows_on_engine(engine_, x_, Placement::engine);
    const auto first = to_engine(engine_, first_);
    Buffer<double> values(engine_, x_.rows);
    make_steps<SilhouetteSteps, T>(engine_)->values(all, x_.cols, members_, first, cluster_,
                                                    values);
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

 private:
  [[nodiscard]] ClusteredRows<T> rows() {
    ClusteredRows<T> rows;
    rows.x = x_.data;
    rows.stride = x_.stride;
    if (!reads_host_memory(engine_)) {
      if (x_there_.empty()) x_there_ = rows_on_engine(engine_, x_, Placement::rows);
      rows.x = x_there_.data();
      rows.stride = x_.cols;
    }
    rows.rows = x_.rows;
    rows.cols = x_.cols;
    rows.members = members_.data();
    rows.cluster = cluster_.data();
    rows.first = first_;
    return rows;
  }
  [[nodiscard]] const Buffer<double>& centroids_there() {
    if (centroids_.empty()) {
      const ClusteredRows<T> there = rows();
      centroids_ = Buffer<double>(engine_, there.clusters() * x_.cols);
      steps_->centroids(there, centroids_);
    }
    return centroids_;
  }

  Engine& engine_;
  MatrixView<const T> x_;
  std::vector<Index> first_;
  std::unique_ptr<ClusterMetricSteps<T>> steps_;
  Buffer<std::int32_t> cluster_;
  Buffer<Index> members_;
  Buffer<T> x_there_;  // where the engine does not read the host's memory
  Buffer<double> centroids_;
};

double mean_of(const std::vector<double>& values) {
  const auto count = static_cast<Index>(values.size());
  return long_sum(count, [&](Index i) { return values[static_cast<std::size_t>(i)]; }) /
         static_cast<double>(count);
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
  return OnEngine<T>(engine, x, parts_of(x, labels, "silhouette")).silhouette_values();
}

template <Real T>
double silhouette(Engine& engine, MatrixView<const T> x, std::span<const std::int32_t> labels) {
  return mean_of(silhouette_values(engine, x, labels));
}

template <Real T>
double davies_bouldin(Engine& engine, MatrixView<const T> x, std::span<const std::int32_t> labels) {
  return OnEngine<T>(engine, x, parts_of(x, labels, "Davies-Bouldin index")).davies_bouldin();
}

template <Real T>
double davies_bouldin(MatrixView<const T> x, std::span<const std::int32_t> labels, int threads) {
  return davies_bouldin(*Engine::create({.threads = threads}), x, labels);
}

template <Real T>
double calinski_harabasz(Engine& engine, MatrixView<const T> x,
                         std::span<const std::int32_t> labels) {
  return OnEngine<T>(engine, x, parts_of(x, labels, "Calinski-Harabasz index")).calinski_harabasz();
}

template <Real T>
double calinski_harabasz(MatrixView<const T> x, std::span<const std::int32_t> labels, int threads) {
  return calinski_harabasz(*Engine::create({.threads = threads}), x, labels);
}

template <Real T>
ClusterIndices cluster_indices(Engine& engine, MatrixView<const T> x,
                               std::span<const std::int32_t> labels, bool silhouette) {
  OnEngine<T> there(engine, x, parts_of(x, labels, "clustering metrics"));
  ClusterIndices indices;
  indices.davies_bouldin = there.davies_bouldin();
  indices.calinski_harabasz = there.calinski_harabasz();
  if (silhouette) indices.silhouette = mean_of(there.silhouette_values());
  return indices;
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
  template double calinski_harabasz(MatrixView<const T>, std::span<const std::int32_t>, int);     \
  template ClusterIndices cluster_indices(Engine&, MatrixView<const T>,                           \
                                          std::span<const std::int32_t>, bool);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem

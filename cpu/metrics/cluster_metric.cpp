#include <cmath>
#include <vector>

#include "core/metrics/cluster_steps.hpp"
#include "core/metrics/row_sums.hpp"

namespace tandem {
namespace {

template <Real T>
double squared_distance(const ClusteredRows<T>& rows, Index row, const double* centroid) {
  double sum = 0;
  for (Index j = 0; j < rows.cols; ++j) {
    const double d = static_cast<double>(rows.x[row * rows.stride + j]) - centroid[j];
    sum = std::fma(d, d, sum);
  }
  return sum;
}

template <Real T>
class CpuClusterMetric final : public ClusterMetricSteps<T> {
 public:
  explicit CpuClusterMetric(Engine& engine) : engine_(engine) {}

  void list_members(const std::int32_t* cluster, Index rows, Index clusters,
                    Buffer<Index>& members) override {
    std::vector<Index> next(static_cast<std::size_t>(clusters) + 1, 0);
    for (Index i = 0; i < rows; ++i) ++next[static_cast<std::size_t>(cluster[i]) + 1];
    for (std::size_t c = 1; c < next.size(); ++c) next[c] += next[c - 1];
    for (Index i = 0; i < rows; ++i) {
      members.data()[next[static_cast<std::size_t>(cluster[i])]++] = i;
    }
  }

  void centroids(const ClusteredRows<T>& rows, Buffer<double>& centroids) override {
    for (Index c = 0; c < rows.clusters(); ++c) {
      const Index first = rows.first[static_cast<std::size_t>(c)];
      const std::vector<double> sums =
          column_sums(engine_.threads(), size_of(rows, c), rows.cols, [&](Index m, Index j) {
            return static_cast<double>(rows.x[row_of(rows, first + m) * rows.stride + j]);
          });
      for (Index j = 0; j < rows.cols; ++j) {
        centroids.data()[c * rows.cols + j] =
            sums[static_cast<std::size_t>(j)] / static_cast<double>(size_of(rows, c));
      }
    }
  }

  void spreads(const ClusteredRows<T>& rows, const Buffer<double>& centroids,
               Buffer<double>& spreads) override {
    for (Index c = 0; c < rows.clusters(); ++c) {
      const Index first = rows.first[static_cast<std::size_t>(c)];
      const double* centroid = centroids.data() + c * rows.cols;
      const auto [sum] =
          row_sums<1>(engine_.threads(), size_of(rows, c), [&](Index m, double* terms) {
            terms[0] = std::sqrt(squared_distance(rows, row_of(rows, first + m), centroid));
          });
      spreads.data()[c] = sum / static_cast<double>(size_of(rows, c));
    }
  }

  void within(const ClusteredRows<T>& rows, const Buffer<double>& centroids,
              Buffer<double>& within) override {
    const auto [sum] = row_sums<1>(engine_.threads(), rows.rows, [&](Index i, double* terms) {
      terms[0] = squared_distance(rows, i, centroids.data() + rows.cluster[i] * rows.cols);
    });
    within.data()[0] = sum;
  }

 private:
  static Index row_of(const ClusteredRows<T>& rows, Index position) {
    return rows.members != nullptr ? rows.members[position] : position;
  }
  static Index size_of(const ClusteredRows<T>& rows, Index c) {
    return rows.first[static_cast<std::size_t>(c) + 1] - rows.first[static_cast<std::size_t>(c)];
  }

  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<ClusterMetricSteps<T>> ClusterMetricSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuClusterMetric<T>>(engine);
}
template std::unique_ptr<ClusterMetricSteps<float>> ClusterMetricSteps<float>::make_cpu(Engine&);
template std::unique_ptr<ClusterMetricSteps<double>> ClusterMetricSteps<double>::make_cpu(Engine&);

}  // namespace tandem

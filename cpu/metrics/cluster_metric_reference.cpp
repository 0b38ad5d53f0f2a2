// The passes behind the cluster indices by their formulas, on one thread and in ascending order.
#include <cmath>

#include "core/metrics/cluster_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceClusterMetric final : public ClusterMetricSteps<T> {
 public:
  void list_members(const std::int32_t* cluster, Index rows, Index clusters,
                    Buffer<Index>& members) override {
    Index* to = members.data();
    for (Index c = 0; c < clusters; ++c) {
      for (Index i = 0; i < rows; ++i) {
        if (cluster[i] == c) *to++ = i;
      }
    }
  }

  void centroids(const ClusteredRows<T>& rows, Buffer<double>& centroids) override {
    for (Index c = 0; c < rows.clusters(); ++c) {
      for (Index j = 0; j < rows.cols; ++j) {
        double sum = 0;
        for (Index m = first(rows, c); m < first(rows, c + 1); ++m) {
          sum += static_cast<double>(rows.x[row_of(rows, m) * rows.stride + j]);
        }
        centroids.data()[c * rows.cols + j] = sum / size(rows, c);
      }
    }
  }

  void spreads(const ClusteredRows<T>& rows, const Buffer<double>& centroids,
               Buffer<double>& spreads) override {
    for (Index c = 0; c < rows.clusters(); ++c) {
      double sum = 0;
      for (Index m = first(rows, c); m < first(rows, c + 1); ++m) {
        sum += std::sqrt(squared_distance(rows, row_of(rows, m), centroids, c));
      }
      spreads.data()[c] = sum / size(rows, c);
    }
  }

  void within(const ClusteredRows<T>& rows, const Buffer<double>& centroids,
              Buffer<double>& within) override {
    double sum = 0;
    for (Index i = 0; i < rows.rows; ++i) {
      sum += squared_distance(rows, i, centroids, rows.cluster[i]);
    }
    within.data()[0] = sum;
  }

 private:
  static Index row_of(const ClusteredRows<T>& rows, Index position) {
    return rows.members != nullptr ? rows.members[position] : position;
  }
  static Index first(const ClusteredRows<T>& rows, Index c) {
    return rows.first[static_cast<std::size_t>(c)];
  }
  static double size(const ClusteredRows<T>& rows, Index c) {
    return static_cast<double>(first(rows, c + 1) - first(rows, c));
  }
  static double squared_distance(const ClusteredRows<T>& rows, Index row,
                                 const Buffer<double>& centroids, Index c) {
    double sum = 0;
    for (Index j = 0; j < rows.cols; ++j) {
      const double difference =
          static_cast<double>(rows.x[row * rows.stride + j]) - centroids.data()[c * rows.cols + j];
      sum += difference * difference;
    }
    return sum;
  }
};

}  // namespace

template <Real T>
std::unique_ptr<ClusterMetricSteps<T>> ClusterMetricSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceClusterMetric<T>>();
}

template std::unique_ptr<ClusterMetricSteps<float>> ClusterMetricSteps<float>::make_reference(
    Engine&);
template std::unique_ptr<ClusterMetricSteps<double>> ClusterMetricSteps<double>::make_reference(
    Engine&);

}  // namespace tandem

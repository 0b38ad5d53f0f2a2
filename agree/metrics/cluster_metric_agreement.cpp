// Agreement of the passes behind the Davies-Bouldin and the Calinski-Harabasz index.
#include <cmath>
#include <limits>
#include <numeric>

#include "agree/case.hpp"
#include "core/metrics/cluster_steps.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class PassesCase final : public Case {
 public:
  explicit PassesCase(const Key& key) {
    Draw draw(key.seed, 121);
    x_ = make_features<T>(key.kind, key.rows, draw.between(1, 40), draw);
    const Index clusters = std::min(x_.rows(), draw.between(1, 6));
    for (Index i = 0; i < x_.rows(); ++i) {
      // Each has a row; beside that the sizes differ much.
      const double u = draw.uniform();
      cluster_.push_back(static_cast<std::int32_t>(
          i < clusters ? i : static_cast<Index>(u * u * static_cast<double>(clusters))));
    }
    for (Index c = 0; c < clusters; ++c) {
      first_.push_back(static_cast<Index>(members_.size()));
      for (Index i = 0; i < x_.rows(); ++i) {
        if (cluster_[static_cast<std::size_t>(i)] == c) members_.push_back(i);
      }
    }
    first_.push_back(x_.rows());
  }

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    const auto steps = make_steps<ClusterMetricSteps, T>(engine);
    const auto x = to_engine(engine, x_.values());
    const auto cluster = to_engine(engine, cluster_);
    Buffer<Index> members(engine, x_.rows());
    steps->list_members(cluster.data(), x_.rows(), clusters(), members);
    out.add("members", members);
    const ClusteredRows<T> rows{x.data(),       x_.cols(),      x_.rows(), x_.cols(),
                                members.data(), cluster.data(), first_};
    Buffer<double> centroids(engine, clusters() * x_.cols());
    Buffer<double> spreads(engine, clusters());
    Buffer<double> within(engine, 1);
    steps->centroids(rows, centroids);
    out.add("centroids", centroids);
    // Distances are to the engine's centroids on both sides.
    if (follow != nullptr) centroids.upload(follow->get<double>("centroids"));
    steps->spreads(rows, centroids, spreads);
    steps->within(rows, centroids, within);
    out.add("spreads", spreads);
    out.add("within", within);
  }

  // Sums in two orders. A difference is rounded once, its square and the chain over the features
  // are a sum of d terms >= 0, with fma or without; the root halves that. Squares below the
  // smallest number are lost: a distance is then off by the root of d of them.
  void judge(Judge& judge) const override {
    judge.exact("members");
    const Index n = x_.rows();
    const double lost =
        static_cast<double>(x_.cols() + 1) * std::numeric_limits<double>::denorm_min();
    const double order = long_sum_bound(n) + gamma_bound<double>(n + 4);
    const double relative = order + 2 * gamma_bound<double>(x_.cols() + 6);
    judge.within("centroids", Tolerance::reduction, [&](std::size_t e) {
      const Index c = static_cast<Index>(e) / x_.cols();
      const Index j = static_cast<Index>(e) % x_.cols();
      double magnitude = 0;
      const Index begin = first_[static_cast<std::size_t>(c)];
      const Index end = first_[static_cast<std::size_t>(c) + 1];
      for (Index m = begin; m < end; ++m) {
        magnitude += std::abs(static_cast<double>(x_(members_[static_cast<std::size_t>(m)], j)));
      }
      return order * magnitude / static_cast<double>(end - begin) +
             2 * std::numeric_limits<double>::denorm_min();
    });
    const auto& spreads = judge.reference.get<double>("spreads");
    judge.within("spreads", Tolerance::reduction,
                 [&](std::size_t c) { return relative * spreads[c] + 2 * std::sqrt(lost); });
    judge.within("within", Tolerance::reduction,
                 relative * judge.reference.number("within") + 2 * static_cast<double>(n) * lost);
  }

 private:
  [[nodiscard]] Index clusters() const { return static_cast<Index>(first_.size()) - 1; }

  Matrix<T> x_;
  std::vector<std::int32_t> cluster_;
  std::vector<Index> members_;
  std::vector<Index> first_;
};

}  // namespace

Agreement make_cluster_metric_agreement() {
  return {over_many_blocks(
      part<PassesCase>("passes", "centroids of clusters, and distances to them", {"cluster_metric"},
                       "reduction: two orders of a long sum, and 2γ(d+6) of a distance"))};
}

}  // namespace tandem::agree

// Agreement of the silhouette.
#include <limits>

#include "agree/case.hpp"
#include "tandem/metrics/clustering.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class SilhouetteCase final : public Case {
 public:
  explicit SilhouetteCase(const Key& key) : draw_(key.seed, 21) {
    x_ = make_features<T>(key.kind, key.rows, draw_.between(1, 20), draw_);
    const Index clusters = draw_.between(2, 6);
    for (Index i = 0; i < x_.rows(); ++i) {
      // Sizes from 1 upwards.
      const double u = draw_.uniform();
      labels_.push_back(i == 0 ? static_cast<std::int32_t>(clusters)
                               : static_cast<std::int32_t>(u * u * static_cast<double>(clusters)));
    }
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    out.add("values", silhouette_values<T>(engine, x_.view(), labels_));
    out.add("mean", silhouette<T>(engine, x_.view(), labels_));
  }

  // A squared distance is a chain of fmas of squared differences: its root has the relative error
  // γ_{d+2}/2 + u, and so have a and b, sums of such; their quotient has twice that, and the
  // silhouette is one minus it or the like. Squares below the smallest number are lost: distances
  // are then off by the root of it, and the quotient by that over the larger of a and b.
  void judge(Judge& judge) const override {
    const Index n = x_.rows();
    const double smallest = static_cast<double>(std::numeric_limits<T>::denorm_min());
    const double relative =
        2.1 * (gamma_bound<T>(x_.cols() + 2) / 2 + unit_roundoff<T>)+4 * long_sum_bound(n);
    const double lost = std::sqrt(static_cast<double>(x_.cols() + 1) * smallest);
    double sum = 0;
    const auto bound = [&](std::size_t i) {
      const double larger = larger_mean(static_cast<Index>(i));
      if (larger == 0 && !near_zero(static_cast<Index>(i), lost)) return relative;
      return std::min(2.0, relative + (larger > 0 ? 4 * lost / larger : 2.0));
    };
    judge.within("values", Tolerance::reduction, [&](std::size_t i) {
      const double b = bound(i);
      sum += b;
      return b;
    });
    judge.within("mean", Tolerance::reduction,
                 sum / static_cast<double>(n) + long_sum_bound(n) * 2);
  }

 private:
  [[nodiscard]] double distance(Index i, Index j) const {
    double sum = 0;
    for (Index f = 0; f < x_.cols(); ++f) {
      const double difference = static_cast<double>(x_(i, f)) - static_cast<double>(x_(j, f));
      sum += difference * difference;
    }
    return std::sqrt(sum);
  }
  // The larger of the mean distances to the own cluster and to the nearest other one.
  [[nodiscard]] double larger_mean(Index i) const {
    std::vector<double> sum(8, 0), count(8, 0);
    for (Index j = 0; j < x_.rows(); ++j) {
      if (j == i) continue;
      const auto c = static_cast<std::size_t>(labels_[static_cast<std::size_t>(j)]);
      sum[c] += distance(i, j);
      count[c] += 1;
    }
    const auto own = static_cast<std::size_t>(labels_[static_cast<std::size_t>(i)]);
    double a = 0;
    double b = std::numeric_limits<double>::infinity();
    for (std::size_t c = 0; c < sum.size(); ++c) {
      if (count[c] == 0) continue;
      if (c == own) {
        a = sum[c] / count[c];
      } else {
        b = std::min(b, sum[c] / count[c]);
      }
    }
    return std::max(a, b);
  }
  // Some row that is not the same is nearer than what squares can show.
  [[nodiscard]] bool near_zero(Index i, double lost) const {
    for (Index j = 0; j < x_.rows(); ++j) {
      for (Index f = 0; f < x_.cols(); ++f) {
        if (x_(i, f) != x_(j, f) && distance(i, j) <= lost) return true;
      }
    }
    return false;
  }

  Draw draw_;
  Matrix<T> x_;
  std::vector<std::int32_t> labels_;
};

}  // namespace

Agreement make_silhouette_agreement() {
  return {part<SilhouetteCase>("values", "silhouette of every row, and their mean", {"silhouette"},
                               "reduction: 2.1·(γ(d+2)/2 + u) and 4 long sums", 257)};
}

}  // namespace tandem::agree

// Agreement of the nearest points, which is exact on all engines.
#include <algorithm>

#include "agree/case.hpp"
#include "core/neighbors/neighbour_search.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class NearestCase final : public Case {
 public:
  explicit NearestCase(const Key& key) {
    Draw draw(key.seed, 161);
    const Index columns = draw.between(1, 70);
    points_ = make_features<T>(key.kind, key.rows, columns, draw);
    // The points themselves, or others.
    own_ = draw.flip();
    const Index most = std::min<Index>(points_.rows(), 40);
    queries_ = own_ ? points_ : make_features<T>(key.kind, draw.between(1, 40), columns, draw);
    if (queries_.cols() != points_.cols()) queries_ = points_;
    rows_ = own_ ? most : queries_.rows();
    k_ = draw.of<Index>({1, 2, 5, 33, 100, 1024});
    metric_ =
        draw.of({NeighbourMetric::euclidean, NeighbourMetric::manhattan, NeighbourMetric::cosine});
    if (metric_ == NeighbourMetric::cosine) queries_ = unit_rows<T>(queries_.view(), 1);
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<NeighbourSteps, T>(engine);
    const auto points = pack_points<T>(engine, points_.view(), metric_);
    const auto queries = to_engine(engine, queries_.values());
    Buffer<std::int32_t> nearest(engine, rows_ * k_);
    Buffer<T> separations(engine, rows_ * k_);
    steps->nearest(separation_of(metric_), {points_.rows(), points_.cols(), points.data()},
                   {rows_, queries_.cols(), queries.data(), own_ ? Index{0} : Index{-1}}, k_,
                   nearest, separations);
    out.add("nearest", nearest);
    out.add("separations", separations);
  }

  void judge(Judge& judge) const override {
    judge.exact("nearest");
    judge.exact("separations");
  }

 private:
  Matrix<T> points_, queries_;
  Index rows_ = 0, k_ = 1;
  bool own_ = false;
  NeighbourMetric metric_ = NeighbourMetric::euclidean;
};

}  // namespace

Agreement make_neighbours_agreement() {
  return {part<NearestCase>("nearest", "the nearest points of rows, by three distances",
                            {"neighbours"}, "exact: one chain of fmas on every engine")};
}

}  // namespace tandem::agree

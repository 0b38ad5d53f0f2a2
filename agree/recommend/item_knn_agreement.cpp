// Agreement of the neighbours of items.
#include <algorithm>
#include <cmath>

#include "agree/case.hpp"
#include "core/recommend/item_knn_steps.hpp"
#include "core/recommend/knn_weights.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class NeighboursCase final : public Case {
 public:
  explicit NeighboursCase(const Key& key) {
    Draw draw(key.seed, 66);
    SparseMatrix<double> users;
    users.rows = key.kind == DataKind::one_row ? 1 : std::min<Index>(key.rows, 300);
    users.cols = key.kind == DataKind::one_column ? 1 : draw.between(1, 120);
    const bool fractions = draw.flip();
    // The kinds' numbers are weights: their magnitudes.
    const std::vector<T> drawn = make_values<T>(key.kind, users.rows * users.cols, draw);
    for (Index u = 0; u < users.rows; ++u) {
      const Index every = draw.between(1, 12);
      for (Index i = 0; i < users.cols; ++i) {
        // The first items are those of most users.
        if (draw.below(every + i / 8) != 0) continue;
        const auto value =
            std::abs(static_cast<double>(drawn[static_cast<std::size_t>(u * users.cols + i)]));
        const double weight =
            fractions ? value
                      : 1 + static_cast<double>(draw.below(key.kind == DataKind::ties ? 1 : 4));
        if (!(weight > 0) || !std::isfinite(weight)) continue;
        users.columns.push_back(static_cast<std::int32_t>(i));
        users.values.push_back(weight);
      }
      users.offsets.push_back(users.size());
    }
    similarity_ = draw.of({KnnSimilarity::cosine, KnnSimilarity::jaccard});
    if (similarity_ == KnnSimilarity::jaccard) users.values.assign(users.values.size(), 1.0);
    shrinkage_ = draw.of({0.0, 0.0, 2.5});
    n_ = draw.of({1, 2, 5, 40, 130});
    weights_ = knn_weights(std::move(users));
    items_ = transposed(weights_.values.view());
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto whole = [](const std::vector<double>& values) {
      return std::vector<std::int32_t>(values.begin(), values.end());
    };
    std::vector<std::int64_t> norms;
    for (Index i = 0; i < items_.rows; ++i) {
      std::int64_t sum = 0;
      for (const double value : items_.values_of(i)) {
        sum += static_cast<std::int64_t>(value) * static_cast<std::int64_t>(value);
      }
      norms.push_back(sum);
    }
    KnnProblem problem;
    problem.users = weights_.values.rows;
    problem.items = weights_.values.cols;
    problem.user_offsets = to_engine(engine, weights_.values.offsets);
    problem.user_items = to_engine(engine, weights_.values.columns);
    problem.user_weights = to_engine(engine, whole(weights_.values.values));
    problem.item_offsets = to_engine(engine, items_.offsets);
    problem.item_users = to_engine(engine, items_.columns);
    problem.item_weights = to_engine(engine, whole(items_.values));
    problem.norms = to_engine(engine, norms);
    problem.similarity = similarity_;
    problem.shrinkage = shrinkage_;
    problem.narrow = weights_.narrow;
    Buffer<std::int32_t> items(engine, problem.items * n_);
    Buffer<double> likeness(engine, problem.items * n_);
    make_steps<ItemKnnStepsOf, T>(engine)->neighbours(problem, n_, items, likeness);
    out.add("items", items);
    out.add("likeness", likeness);
  }

  // Sums are exact on the engines; the reference's, in double, are off by γ(users) where they do
  // not fit into 53 bits, and a likeness is 6 roundings more on either side. Two items may change
  // places where their likenesses are as near as that.
  void judge(Judge& judge) const override {
    const double relative = gamma_bound<double>(weights_.values.rows + 2) + gamma_bound<double>(12);
    const auto& items = judge.got.template get<std::int32_t>("items");
    const auto& expected = judge.reference.template get<std::int32_t>("items");
    const auto& likeness = judge.got.template get<double>("likeness");
    const auto& other = judge.reference.template get<double>("likeness");
    judge.within("likeness", Tolerance::reduction,
                 [&](std::size_t at) { return relative * std::max(likeness[at], other[at]); });
    for (std::size_t at = 0; at < items.size(); ++at) {
      if (items[at] == expected[at]) continue;
      const double gap = items[at] < 0 || expected[at] < 0 ? std::numeric_limits<double>::infinity()
                                                           : std::abs(likeness[at] - other[at]);
      judge.choice("items", static_cast<Index>(at), items[at], expected[at], gap,
                   2 * relative * std::max(likeness[at], other[at]));
    }
  }

 private:
  KnnWeights weights_;
  SparseMatrix<double> items_;
  KnnSimilarity similarity_ = KnnSimilarity::cosine;
  double shrinkage_ = 0;
  Index n_ = 1;
};

}  // namespace

Agreement make_item_knn_agreement() {
  return {part<NeighboursCase>("neighbours", "the items most like each, by their users",
                               {"item_knn"},
                               "tie-aware: γ(users+2) and 12 roundings of the likeness", 257)};
}

}  // namespace tandem::agree

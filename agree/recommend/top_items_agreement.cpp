// Agreement of the best items by inner products.
#include <algorithm>
#include <cmath>

#include "agree/case.hpp"
#include "core/recommend/top_items_steps.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class TopCase final : public Case {
 public:
  explicit TopCase(const Key& key) {
    Draw draw(key.seed, 65);
    items_ = key.rows;
    users_ = draw.between(1, 40);
    factors_ = draw.between(1, 70);
    n_ = draw.of({1, 2, 10, 33, 100, 1024});
    const Index pitch = als_pitch(factors_);
    const auto padded = [&](Index rows) {
      const Matrix<T> values = make_features<T>(key.kind, rows, factors_, draw);
      std::vector<T> made(static_cast<std::size_t>(rows * pitch), T{0});
      for (Index i = 0; i < values.rows(); ++i) {
        std::copy_n(values.row(i).begin(), values.cols(), made.begin() + i * pitch);
      }
      return made;
    };
    x_ = padded(users_);
    y_ = padded(items_);
    offsets_ = {0};
    for (Index u = 0; u < users_; ++u) {
      const Index every = draw.between(1, 20);
      for (Index i = draw.below(every + 1); i < items_; i += draw.between(1, every)) {
        left_out_.push_back(static_cast<std::int32_t>(i));
      }
      offsets_.push_back(static_cast<Index>(left_out_.size()));
    }
    for (Index i = 0; i < items_; ++i) allowed_.push_back(draw.below(8) != 0 ? 1 : 0);
    with_left_out_ = draw.flip();
    with_allowed_ = draw.flip();
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<TopItemsSteps, T>(engine);
    const auto x = to_engine(engine, x_);
    const auto y = to_engine(engine, y_);
    const auto offsets = to_engine(engine, offsets_);
    const auto left_out = to_engine(engine, left_out_);
    const auto allowed = to_engine(engine, allowed_);
    TopItemsProblem<T> problem;
    problem.users = users_;
    problem.items = items_;
    problem.factors = factors_;
    problem.user_factors = x.data();
    problem.item_factors = y.data();
    if (with_left_out_) {
      problem.offsets = offsets.data();
      problem.left_out = left_out.data();
    }
    if (with_allowed_) problem.allowed = allowed.data();
    Buffer<std::int32_t> items(engine, users_ * n_);
    Buffer<T> scores(engine, users_ * n_);
    steps->top(problem, n_, items, scores);
    out.add("items", items);
    out.add("scores", scores);
  }

  // A score is a chain of f fmas. The k-th best of values that are each off by at most B is off by
  // at most the largest B; an item in a place may be another than the reference's where the two
  // exact scores are no more than 2B apart.
  void judge(Judge& judge) const override {
    const auto& items = judge.got.template get<std::int32_t>("items");
    const auto& expected = judge.reference.template get<std::int32_t>("items");
    const double infinity = std::numeric_limits<double>::infinity();
    std::vector<double> largest(static_cast<std::size_t>(users_), 0.0);
    for (Index u = 0; u < users_; ++u) {
      for (Index i = 0; i < items_; ++i) {
        double magnitude = 0;
        for (Index k = 0; k < factors_; ++k) magnitude += std::abs(term(u, i, k));
        double bound =
            (gamma_bound<T>(factors_ + 2) + gamma_bound<double>(factors_ + 2)) * magnitude +
            static_cast<double>(2 * factors_) *
                static_cast<double>(std::numeric_limits<T>::denorm_min());
        if (!(magnitude < static_cast<double>(std::numeric_limits<T>::max()) / 4)) bound = infinity;
        largest[static_cast<std::size_t>(u)] =
            std::max(largest[static_cast<std::size_t>(u)], bound);
      }
    }
    judge.within("scores", Tolerance::reduction,
                 [&](std::size_t at) { return largest[at / static_cast<std::size_t>(n_)]; });
    for (std::size_t at = 0; at < items.size(); ++at) {
      if (items[at] == expected[at]) continue;
      const auto u = static_cast<Index>(at) / n_;
      const double gap = items[at] < 0 || expected[at] < 0
                             ? infinity
                             : std::abs(score(u, items[at]) - score(u, expected[at]));
      judge.choice("items", static_cast<Index>(at), items[at], expected[at], gap,
                   2 * largest[static_cast<std::size_t>(u)]);
    }
  }

 private:
  [[nodiscard]] double term(Index u, Index i, Index k) const {
    const Index pitch = als_pitch(factors_);
    return static_cast<double>(x_[static_cast<std::size_t>(u * pitch + k)]) *
           static_cast<double>(y_[static_cast<std::size_t>(i * pitch + k)]);
  }
  [[nodiscard]] double score(Index u, Index i) const {
    double sum = 0;
    for (Index k = 0; k < factors_; ++k) sum += term(u, i, k);
    return sum;
  }

  Index users_ = 0, items_ = 0, factors_ = 1, n_ = 1;
  std::vector<T> x_, y_;
  std::vector<Index> offsets_;
  std::vector<std::int32_t> left_out_;
  std::vector<std::uint8_t> allowed_;
  bool with_left_out_ = false, with_allowed_ = false;
};

}  // namespace

Agreement make_top_items_agreement() {
  return {part<TopCase>("top", "the best items of many users, with items left out", {"top_items"},
                        "tie-aware: γ(f+2)·Σ|x||y| of either score", 1025)};
}

}  // namespace tandem::agree

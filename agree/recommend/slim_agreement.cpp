// Agreement of SLIM's coordinate descent.
#include <algorithm>
#include <cmath>

#include "agree/case.hpp"
#include "agree/running_error.hpp"
#include "core/recommend/slim_steps.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class WeightsCase final : public Case {
 public:
  explicit WeightsCase(const Key& key) {
    Draw draw(key.seed, 70);
    n_ = draw.of({1, 2, 7, 31, 33, 64, 100});
    const Index rows = draw.between(1, 2 * n_);
    const bool usual = key.kind != DataKind::huge && key.kind != DataKind::tiny &&
                       key.kind != DataKind::denormal && key.kind != DataKind::mixed_scales;
    const Matrix<T> x = make_features<T>(usual ? key.kind : DataKind::random, rows, n_, draw);
    gram_.assign(static_cast<std::size_t>(n_ * n_), 0.0);
    const Index every = draw.between(1, 4);
    double largest = 0;
    for (Index i = 0; i < x.rows(); ++i) {
      std::vector<double> row(static_cast<std::size_t>(n_), 0.0);
      for (Index j = 0; j < std::min(n_, x.cols()); ++j) {
        if (draw.below(every) == 0) row[static_cast<std::size_t>(j)] = std::abs(x(i, j));
      }
      for (std::size_t j = 0; j < row.size(); ++j) {
        for (std::size_t k = 0; k < row.size(); ++k) {
          gram_[j * row.size() + k] += row[j] * row[k];
          largest = std::max(largest, gram_[j * row.size() + k]);
        }
      }
    }
    problem_.items = n_;
    problem_.l1 = largest * draw.of({0.0, 0.001, 0.05});
    problem_.l2 = std::max(largest, 1.0) * draw.of({0.01, 0.3});
    problem_.tolerance = draw.of({0.0, 1e-3});
    problem_.sweeps = draw.between(1, 12);
    first_ = draw.below(n_);
    count_ = draw.between(1, n_ - first_);
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const Buffer<double> gram = to_engine(engine, gram_);
    SlimProblem problem = problem_;
    problem.gram = gram.data();
    Buffer<double> weights(engine, count_ * n_);
    Buffer<std::int32_t> sweeps(engine, count_);
    make_steps<SlimStepsOf, T>(engine)->solve(problem, first_, count_, weights, sweeps);
    out.add("weights", weights);
    out.add("sweeps", sweeps);
  }

  // The sweeps once more, as many as the engine did, with a bound on the distance between two
  // computations in double: max(0, ·) carries it on as it is. Where the reference did another
  // number of sweeps, since a change was as large as the tolerance but for rounding, there is no
  // bound.
  void judge(Judge& judge) const override {
    const auto n = static_cast<std::size_t>(n_);
    const auto& sweeps = judge.got.template get<std::int32_t>("sweeps");
    const auto& others = judge.reference.template get<std::int32_t>("sweeps");
    std::vector<double> bounds(static_cast<std::size_t>(count_) * n, 0.0);
    for (Index i = 0; i < count_; ++i) {
      const auto j = static_cast<std::size_t>(first_ + i);
      std::vector<Number> w(n, Number(0.0));
      for (std::int32_t s = 0; s < std::abs(sweeps[static_cast<std::size_t>(i)]); ++s) {
        for (std::size_t k = 0; k < n; ++k) {
          if (k == j) continue;
          Number rest(gram_[j * n + k]);
          for (std::size_t m = 0; m < n; ++m) {
            // Either side's order, and that what is left is kept from sweep to sweep.
            if (m != k) rest = fma(-Number(gram_[k * n + m]), w[m], rest).round();
          }
          const Number above =
              (rest - Number(problem_.l1)) / (Number(gram_[k * n + k]) + Number(problem_.l2));
          const double scale = std::abs(w[k].value()) + std::abs(above.value());
          w[k] = Number(std::max(0.0, above.value()),
                        above.error() + 16 * unit_roundoff<double> * scale);
        }
      }
      const bool same = sweeps[static_cast<std::size_t>(i)] == others[static_cast<std::size_t>(i)];
      for (std::size_t k = 0; k < n; ++k) {
        bounds[static_cast<std::size_t>(i) * n + k] = same || problem_.tolerance == 0
                                                          ? 8 * w[k].error()
                                                          : std::numeric_limits<double>::infinity();
      }
    }
    judge.within("weights", Tolerance::trajectory, [&](std::size_t at) { return bounds[at]; });
  }

 private:
  using Number = Traced<double>;
  Index n_ = 1, first_ = 0, count_ = 1;
  std::vector<double> gram_;
  SlimProblem problem_;
};

}  // namespace

Agreement make_slim_agreement() {
  return {part<WeightsCase>("weights", "weights of items by coordinate descent", {"slim"},
                            "trajectory: running error of the sweeps", 65)};
}

}  // namespace tandem::agree

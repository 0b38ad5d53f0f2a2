// Agreement of the products of the columns.
#include <algorithm>
#include <cmath>
#include <limits>

#include "agree/case.hpp"
#include "core/linear/normal_equations_steps.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class ProductsCase final : public Case {
 public:
  explicit ProductsCase(const Key& key) {
    Draw draw(key.seed, 43);
    // Past 32 columns there are several tiles of a GPU's; the rows then stay few.
    const Index most = key.rows <= 257 && draw.below(4) == 0 ? 70 : 14;
    x_ = make_features<T>(key.kind, key.rows, draw.between(1, most), draw);
    target_ = make_target<T>(key.kind, x_, draw);
    if (draw.flip()) weights_ = make_weights<T>(x_.rows(), draw);
    intercept_ = draw.flip();
    for (Index j = 0; j <= x_.cols(); ++j) {
      const Index row = draw.below(x_.rows());
      centre_.push_back(intercept_ ? value(row, j) : 0.0);
    }
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<NormalEquationsSteps, T>(engine);
    const RowMajorRows<T> rows{x_.rows(), x_.cols(), to_engine(engine, x_.values()),
                               to_engine(engine, target_), to_engine(engine, weights_)};
    Buffer<double> products(engine, product_count(columns()));
    steps->products(rows, intercept_, to_engine(engine, centre_), products);
    out.add("products", products);
  }

  // The values less the centre are the same on both sides. The engine's chain over a block and the
  // tree above it, and the weight's rounding; the reference's chain over all rows, and two
  // roundings of each term.
  void judge(Judge& judge) const override {
    const Index n = x_.rows();
    const Index p = columns();
    const double relative =
        gamma_bound<double>(std::min(n, sum_block) + sum_tree_height(sum_blocks(n)) + 2) +
        gamma_bound<double>(n + 3);
    std::vector<double> bounds;
    for (Index a = 0; a < p; ++a) {
      for (Index b = a; b < p; ++b) {
        long double magnitudes = 0;
        for (Index i = 0; i < n; ++i) {
          const double weight =
              weights_.empty() ? 1.0 : static_cast<double>(weights_[static_cast<std::size_t>(i)]);
          // An intermediate product may overflow where the whole term does not.
          const long double left = static_cast<long double>(weight) * term(i, a);
          if (std::abs(left) > static_cast<long double>(std::numeric_limits<double>::max())) {
            magnitudes = std::numeric_limits<long double>::infinity();
          }
          magnitudes += std::abs(left * term(i, b));
        }
        const double smallest = std::numeric_limits<double>::denorm_min();
        double bound = static_cast<double>(magnitudes);
        bound = bound < std::numeric_limits<double>::max() / 4
                    ? relative * bound + 4 * static_cast<double>(n) * smallest
                    : std::numeric_limits<double>::infinity();
        // A weighted value that becomes a denormal number is off by half of the smallest one, times
        // the other factor.
        if (!weights_.empty()) {
          double most = 0;
          for (Index i = 0; i < n; ++i) {
            most = std::max(most, static_cast<double>(std::abs(term(i, b))));
          }
          bound += 2 * static_cast<double>(n) * smallest * most;
        }
        bounds.push_back(bound);
      }
    }
    judge.within("products", Tolerance::reduction, [&](std::size_t k) { return bounds[k]; });
  }

 private:
  [[nodiscard]] Index columns() const { return normal_equations_columns(x_.cols(), intercept_); }
  [[nodiscard]] double value(Index i, Index j) const {
    return static_cast<double>(j < x_.cols() ? x_(i, j) : target_[static_cast<std::size_t>(i)]);
  }
  [[nodiscard]] long double term(Index i, Index j) const {
    if (j > x_.cols()) return 1;
    return static_cast<long double>(value(i, j) - centre_[static_cast<std::size_t>(j)]);
  }

  Matrix<T> x_;
  std::vector<T> target_, weights_;
  std::vector<double> centre_;
  bool intercept_ = true;
};

}  // namespace

Agreement make_normal_equations_agreement() {
  return {over_many_blocks(
      part<ProductsCase>("products", "products of the columns of the rows", {"normal_equations"},
                         "reduction: γ(1026+⌈log₂ blocks⌉) and γ(n+3) of Σ w|t_a t_b|"))};
}

}  // namespace tandem::agree

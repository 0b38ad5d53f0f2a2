// Agreement of the orthogonal factorisation.
#include <limits>

#include "agree/case.hpp"
#include "core/linear/least_squares_steps.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class FactorCase final : public Case {
 public:
  explicit FactorCase(const Key& key) {
    Draw draw(key.seed, 41);
    x_ = make_features<T>(key.kind, key.rows, draw.between(1, 14), draw);
    target_ = make_target<T>(key.kind, x_, draw);
    if (draw.flip()) weights_ = make_weights<T>(x_.rows(), draw);
    intercept_ = draw.flip();
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<LeastSquaresSteps, T>(engine);
    const RowMajorRows<T> rows{x_.rows(), x_.cols(), to_engine(engine, x_.values()),
                               to_engine(engine, target_), to_engine(engine, weights_)};
    const Index p = columns();
    // Twice the same rows, so that factors are merged however few there are.
    const Index groups = (x_.rows() + least_squares_group(p) - 1) / least_squares_group(p);
    Buffer<double> factors(engine, 2 * groups * p * p);
    steps->factor(rows, x_.rows(), intercept_, 0, factors);
    steps->factor(rows, x_.rows(), intercept_, groups, factors);
    steps->merge(0, 2 * groups, p, factors);
    auto all = factors.to_host();
    all.resize(static_cast<std::size_t>(p * p));
    out.add("r", all);
  }

  // RᵀR = AᵀA. A factorisation by p reflections (or rotations) of columns of m elements changes a
  // column by p·γ(c·m) of its length (Higham, theorem 19.4, with c = 4); the product of two columns
  // then by the sum of both. Squares below 2^-960 are passed over: lengths are off by its
  // root. Signs of rows of R are free.
  void judge(Judge& judge) const override {
    const Index p = columns();
    const Index m = 2 * x_.rows();
    const auto& got = judge.got.get<double>("r");
    const auto& expected = judge.reference.get<double>("r");
    const auto product = [&](const std::vector<double>& r, Index a, Index b) {
      long double sum = 0;
      for (Index i = 0; i <= std::min(a, b); ++i) {
        sum += static_cast<long double>(r[static_cast<std::size_t>(i * p + a)]) *
               static_cast<long double>(r[static_cast<std::size_t>(i * p + b)]);
      }
      return static_cast<double>(sum);
    };
    const double lost = std::sqrt(static_cast<double>(m + p) * least_squares_negligible);
    std::vector<double> length;
    for (Index a = 0; a < p; ++a) length.push_back(std::sqrt(product(expected, a, a)) + lost);
    const double relative = 2 * 2 * static_cast<double>(p) * gamma_bound<double>(4 * (m + p));
    for (Index a = 0; a < p; ++a) {
      for (Index b = a; b < p; ++b) {
        const double la = length[static_cast<std::size_t>(a)];
        const double lb = length[static_cast<std::size_t>(b)];
        judge.compare("RᵀR", a * p + b, Tolerance::reduction, product(got, a, b),
                      product(expected, a, b), relative * la * lb + 4 * lost * (la + lb));
        if (b > a) {
          judge.compare("below the diagonal", b * p + a, Tolerance::exact,
                        got[static_cast<std::size_t>(b * p + a)], 0, 0);
        }
      }
    }
  }

 private:
  [[nodiscard]] Index columns() const { return least_squares_columns(x_.cols(), intercept_); }

  Matrix<T> x_;
  std::vector<T> target_, weights_;
  bool intercept_ = true;
};

}  // namespace

Agreement make_least_squares_agreement() {
  return {over_many_blocks(
      part<FactorCase>("factor", "triangular factors of the rows, merged", {"least_squares"},
                       "reduction: 4p·γ(4(2n+p)) of the columns' lengths, in RᵀR"))};
}

}  // namespace tandem::agree

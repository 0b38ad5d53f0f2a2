// Agreement of the inverse that EASE is made of.
#include <cmath>

#include "agree/case.hpp"
#include "core/recommend/spd_inverse_steps.hpp"
#include "core/steps.hpp"
#include "tandem/core/error.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class InverseCase final : public Case {
 public:
  explicit InverseCase(const Key& key) {
    Draw draw(key.seed, 67);
    // Around whole blocks, and several of them.
    n_ = draw.of({1, 2, 7, 63, 64, 65, 130, 150});
    const Index rows = draw.between(1, n_ + 20);
    const bool usual = key.kind != DataKind::huge && key.kind != DataKind::tiny &&
                       key.kind != DataKind::denormal && key.kind != DataKind::mixed_scales;
    const Matrix<T> x = make_features<T>(usual ? key.kind : DataKind::random, rows, n_, draw);
    a_.assign(static_cast<std::size_t>(n_ * n_), 0.0);
    double largest = 0;
    for (Index j = 0; j < n_; ++j) {
      for (Index k = 0; k < n_; ++k) {
        double sum = 0;
        for (Index i = 0; i < x.rows(); ++i) {
          if (j < x.cols() && k < x.cols()) {
            sum += static_cast<double>(x(i, j)) * static_cast<double>(x(i, k));
          }
        }
        a_[static_cast<std::size_t>(j * n_ + k)] = sum;
        if (j == k) largest = std::max(largest, sum);
      }
    }
    const double lambda = largest > 0 ? largest * draw.of({0.5, 0.01}) : 1.0;
    for (Index j = 0; j < n_; ++j) a_[static_cast<std::size_t>(j * n_ + j)] += lambda;
    // Sometimes not positive definite: all refuse it.
    if (draw.below(12) == 0) a_[static_cast<std::size_t>(n_ * n_ - 1)] = -1;
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    Buffer<double> a = to_engine(engine, a_);
    try {
      invert_spd(engine, n_, a, "singular");
    } catch (const NumericalError&) {
      out.add_count("refused", 1);
      return;
    }
    out.add_count("refused", 0);
    out.add("inverse", a);
  }

  // A + E = UᵀU with |E| <= γ(n + 1)|Uᵀ||U| (Higham, theorem 10.3); a column of V solves (U + F)v =
  // e with |F| <= γ(n + 1)|U| (theorem 8.5); the product is off by γ(n + 1)|V||Vᵀ|. To first order
  // the inverse is off by |P||E||P| + 2 |V||F||V||Vᵀ| and the product's; the reference is off by as
  // much.
  void judge(Judge& judge) const override {
    judge.exact("refused");
    if (!judge.got.has("inverse") || !judge.reference.has("inverse")) return;
    const auto n = static_cast<std::size_t>(n_);
    std::vector<double> u = a_;
    for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t m = 0; m < j; ++m) {
        for (std::size_t k = j; k < n; ++k) u[j * n + k] -= u[m * n + j] * u[m * n + k];
      }
      const double root = std::sqrt(u[j * n + j]);
      for (std::size_t k = j; k < n; ++k) u[j * n + k] /= root;
      for (std::size_t k = 0; k < j; ++k) u[j * n + k] = 0;
    }
    std::vector<double> v(n * n, 0.0);
    for (std::size_t j = n; j-- > 0;) {
      for (std::size_t k = j; k < n; ++k) {
        double sum = k == j ? 1 : 0;
        for (std::size_t m = j + 1; m <= k; ++m) sum -= u[j * n + m] * v[m * n + k];
        v[j * n + k] = sum / u[j * n + j];
      }
    }
    for (double& value : u) value = std::abs(value);
    for (double& value : v) value = std::abs(value);
    const auto turned = [&](const std::vector<double>& m) {
      std::vector<double> t(n * n);
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t k = 0; k < n; ++k) t[k * n + j] = m[j * n + k];
      }
      return t;
    };
    const auto product = [&](const std::vector<double>& x, const std::vector<double>& y) {
      std::vector<double> z(n * n, 0.0);
      for (std::size_t j = 0; j < n; ++j) {
        for (std::size_t m = 0; m < n; ++m) {
          if (x[j * n + m] == 0) continue;
          for (std::size_t k = 0; k < n; ++k) z[j * n + k] += x[j * n + m] * y[m * n + k];
        }
      }
      return z;
    };
    const std::vector<double> vvt = product(v, turned(v));
    const std::vector<double> of_factor = product(vvt, product(product(turned(u), u), vvt));
    const std::vector<double> of_inverse = product(product(v, u), vvt);
    const double gamma = gamma_bound<double>(n_ + 2);
    judge.within("inverse", Tolerance::reduction, [&](std::size_t at) {
      const std::size_t mirrored = at % n * n + at / n;
      return 2 * 1.01 * gamma * (of_factor[at] + of_inverse[at] + of_inverse[mirrored] + vvt[at]);
    });
  }

 private:
  Index n_ = 1;
  std::vector<double> a_;
};

}  // namespace

Agreement make_ease_agreement() {
  return {part<InverseCase>("inverse", "the inverse of a symmetric positive definite matrix",
                            {"spd_inverse", "gemm"},
                            "reduction: γ(n+2) of |P||Uᵀ||U||P|, |V||U||V||Vᵀ| and |V||Vᵀ|", 65)};
}

}  // namespace tandem::agree

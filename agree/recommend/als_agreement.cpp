// Agreement of alternating least squares: Gram matrices, both solvers, the loss.
#include <algorithm>
#include <cmath>

#include "agree/case.hpp"
#include "agree/running_error.hpp"
#include "core/recommend/als_steps.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

// Factors that are no features of somebody's data: lengths that ALS may meet. Of kinds that go to
// the ends of the range the engines are compared with each other, and no bound exists.
bool bounded_kind(DataKind kind) {
  return kind != DataKind::huge && kind != DataKind::tiny && kind != DataKind::denormal &&
         kind != DataKind::mixed_scales;
}

template <Real T>
std::vector<T> padded_factors(DataKind kind, Index rows, Index factors, Draw& draw) {
  const Matrix<T> values = make_features<T>(kind, rows, factors, draw);
  const Index pitch = als_pitch(factors);
  std::vector<T> made(static_cast<std::size_t>(rows * pitch), T{0});
  for (Index i = 0; i < values.rows(); ++i) {
    for (Index j = 0; j < values.cols(); ++j) {
      made[static_cast<std::size_t>(i * pitch + j)] = values(i, j);
    }
  }
  return made;
}

template <Real T>
class GramCase final : public Case {
 public:
  explicit GramCase(const Key& key) : kind_(key.kind) {
    Draw draw(key.seed, 61);
    rows_ = key.rows;
    factors_ = rows_ > 2 * sum_block ? draw.between(1, 9) : draw.between(1, 70);
    y_ = padded_factors<T>(key.kind, rows_, factors_, draw);
    lambda_ = static_cast<T>(draw.of({0.0, 0.01, 3.5}));
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<AlsSteps, T>(engine);
    const Index pitch = als_pitch(factors_);
    Buffer<T> gram(engine, pitch * pitch);
    steps->gram(to_engine(engine, y_), rows_, factors_, lambda_, gram);
    out.add("gram", gram);
  }

  // Chains of a block and the tree above it, and the reference's chain over all rows, in double;
  // two roundings to T, the sum's and λ's, by either side where T is double.
  void judge(Judge& judge) const override {
    const Index pitch = als_pitch(factors_);
    const double sums =
        gamma_bound<double>(std::min(rows_, sum_block) + sum_tree_height(sum_blocks(rows_)) + 2) +
        gamma_bound<double>(rows_ + 3);
    const double both = sizeof(T) == 4 ? 1 : 2;
    judge.within("gram", Tolerance::reduction, [&](std::size_t at) {
      const Index j = static_cast<Index>(at) / pitch;
      const Index k = static_cast<Index>(at) % pitch;
      double magnitude = 0;
      for (Index i = 0; i < rows_; ++i) {
        magnitude += std::abs(static_cast<double>(y_[static_cast<std::size_t>(i * pitch + j)]) *
                              static_cast<double>(y_[static_cast<std::size_t>(i * pitch + k)]));
      }
      if (!(magnitude < static_cast<double>(std::numeric_limits<T>::max()) / 4)) {
        return std::numeric_limits<double>::infinity();
      }
      return sums * magnitude +
             both * (2.1 * unit_roundoff<T> * (magnitude + static_cast<double>(lambda_)) +
                     2 * static_cast<double>(std::numeric_limits<T>::denorm_min())) +
             static_cast<double>(2 * rows_) * std::numeric_limits<double>::denorm_min();
    });
  }

 private:
  DataKind kind_;
  Index rows_ = 0, factors_ = 1;
  std::vector<T> y_;
  T lambda_ = 0;
};

// A few rows of ratings, one of them with as many as the key says.
template <Real T>
class Ratings {
 public:
  Ratings(const Key& key, std::uint32_t stream, Index most_factors) : draw(key.seed, stream) {
    longest = key.rows;
    factors =
        draw.between(1, key.rows > 2 * sum_block ? std::min<Index>(most_factors, 6) : most_factors);
    cols = longest + draw.between(0, 5);
    y = padded_factors<T>(key.kind, cols, factors, draw);
    const std::vector<Index> lengths{0, longest, draw.between(1, std::min<Index>(cols, 40)), 1};
    offsets = {0};
    for (const Index length : lengths) {
      // `length` of the columns, each as likely as the other, ascending.
      Index left = length;
      for (Index c = 0; c < cols && left > 0; ++c) {
        if (draw.below(cols - c) >= left) continue;
        columns.push_back(static_cast<std::int32_t>(c));
        extra.push_back(static_cast<T>(0.5 * static_cast<double>(draw.below(9))));
        --left;
      }
      offsets.push_back(static_cast<Index>(columns.size()));
    }
    // YᵀY + λI with a λ at which the equations are well posed.
    const Index pitch = als_pitch(factors);
    gram.assign(static_cast<std::size_t>(pitch * pitch), T{0});
    double largest = 0;
    std::vector<double> sums(gram.size(), 0.0);
    for (Index j = 0; j < factors; ++j) {
      for (Index k = 0; k < factors; ++k) {
        double sum = 0;
        for (Index c = 0; c < cols; ++c) sum += at(c, j) * at(c, k);
        sums[static_cast<std::size_t>(j * pitch + k)] = sum;
        if (j == k) largest = std::max(largest, sum);
      }
    }
    const double lambda = largest > 0 ? largest / 8 : 0.125;
    for (Index j = 0; j < factors; ++j) {
      for (Index k = 0; k < factors; ++k) {
        const auto e = static_cast<std::size_t>(j * pitch + k);
        gram[e] = static_cast<T>(sums[e] + (j == k ? lambda : 0.0));
      }
    }
    x.assign(static_cast<std::size_t>(rows() * pitch), T{0});
    for (Index u = 0; u < rows(); ++u) {
      for (Index j = 0; j < factors; ++j) {
        x[static_cast<std::size_t>(u * pitch + j)] = static_cast<T>(draw.uniform(-0.01, 0.01));
      }
    }
  }

  [[nodiscard]] Index rows() const { return static_cast<Index>(offsets.size()) - 1; }
  [[nodiscard]] double at(Index column, Index j) const {
    return static_cast<double>(y[static_cast<std::size_t>(column * als_pitch(factors) + j)]);
  }
  [[nodiscard]] AlsRatings<T> on(Engine& engine) const {
    return {rows(), cols, to_engine(engine, offsets), to_engine(engine, columns),
            to_engine(engine, extra)};
  }

  Draw draw;
  Index longest = 0, factors = 1, cols = 0;
  std::vector<T> y, gram, x, extra;
  std::vector<Index> offsets;
  std::vector<std::int32_t> columns;
};

template <Real T>
class CholeskyCase final : public Case {
 public:
  explicit CholeskyCase(const Key& key) : kind_(key.kind), data_(key, 62, 40) {}

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<AlsSteps, T>(engine);
    Buffer<T> x = to_engine(engine, data_.x);
    const Index failures =
        steps->solve(data_.on(engine), to_engine(engine, data_.y), to_engine(engine, data_.gram),
                     data_.factors, AlsSolver::cholesky, 1, x);
    out.add_count("failures", failures);
    out.add("x", x);
  }

  // The computed x solves (A + E) x = b + e exactly. |E_jk| is the error of the element's sum,
  // γ(min(n, 1024) + tree + 3)·(|G| + Σ a|y_j||y_k|), and that of the factorisation and the two
  // substitutions, γ(3f + 1)·sqrt(A_jj A_kk) (Higham, theorem 10.4 and what bounds |Rᵀ||R|); |e_j|
  // that of the right side. So x is off by at most |A⁻¹|(|e| + |E||x|), with the x that it is. The
  // reference adds n terms and factors in double.
  void judge(Judge& judge) const override {
    judge.exact("failures");
    const Index f = data_.factors;
    const Index pitch = als_pitch(f);
    std::vector<double> bounds(data_.x.size(), 0.0);
    const auto& x = judge.got.template get<T>("x");
    const auto& other = judge.reference.template get<T>("x");
    for (Index u = 0; u < data_.rows(); ++u) {
      const Index begin = data_.offsets[static_cast<std::size_t>(u)];
      const Index end = data_.offsets[static_cast<std::size_t>(u) + 1];
      if (begin == end) continue;
      const Index n = end - begin;
      const auto size = static_cast<std::size_t>(f);
      std::vector<double> a(size * size), magnitude(size * size), b(size, 0.0);
      for (std::size_t j = 0; j < size; ++j) {
        for (std::size_t k = 0; k < size; ++k) {
          a[j * size + k] =
              static_cast<double>(data_.gram[j * static_cast<std::size_t>(pitch) + k]);
          magnitude[j * size + k] = std::abs(a[j * size + k]);
        }
      }
      for (Index p = begin; p < end; ++p) {
        const Index column = data_.columns[static_cast<std::size_t>(p)];
        const auto extra = static_cast<double>(data_.extra[static_cast<std::size_t>(p)]);
        for (std::size_t j = 0; j < size; ++j) {
          const double own = data_.at(column, static_cast<Index>(j));
          b[j] += (1 + extra) * std::abs(own);
          for (std::size_t k = 0; k < size; ++k) {
            const double term = extra * own * data_.at(column, static_cast<Index>(k));
            a[j * size + k] += term;
            magnitude[j * size + k] += std::abs(term);
          }
        }
      }
      const std::vector<double> inverse = inverse_of(a, size);
      const Index terms = std::min(n, als_block) + sum_tree_height(sum_blocks(n)) + 4;
      const double of_sums = gamma_bound<T>(terms) + gamma_bound<double>(n + 4);
      const double of_solution = gamma_bound<T>(3 * f + 1) + gamma_bound<double>(3 * f + 1);
      std::vector<double> right(size);
      for (std::size_t j = 0; j < size; ++j) {
        double sum = of_sums * b[j];
        for (std::size_t k = 0; k < size; ++k) {
          const auto at = static_cast<std::size_t>(u * pitch) + k;
          const double length = std::max(std::abs(static_cast<double>(x[at])),
                                         std::abs(static_cast<double>(other[at])));
          sum += (of_sums * magnitude[j * size + k] +
                  of_solution * std::sqrt(a[j * size + j] * a[k * size + k])) *
                 length;
        }
        right[j] = sum;
      }
      for (std::size_t j = 0; j < size; ++j) {
        double bound = 0;
        for (std::size_t k = 0; k < size; ++k) {
          bound += std::abs(inverse[j * size + k]) * right[k];
        }
        // The inverse is computed itself; the reference's result is rounded to T.
        bound = 1.001 * bound +
                unit_roundoff<T> *
                    std::abs(static_cast<double>(other[static_cast<std::size_t>(u * pitch) + j])) +
                4 * static_cast<double>(std::numeric_limits<T>::denorm_min());
        bounds[static_cast<std::size_t>(u * pitch) + j] =
            bounded_kind(kind_) ? bound : std::numeric_limits<double>::infinity();
      }
    }
    judge.within("x", Tolerance::reduction, [&](std::size_t i) { return bounds[i]; });
  }

 private:
  // Of a symmetric positive definite matrix, by elimination.
  static std::vector<double> inverse_of(std::vector<double> a, std::size_t n) {
    std::vector<double> made(n * n, 0.0);
    for (std::size_t j = 0; j < n; ++j) made[j * n + j] = 1;
    for (std::size_t j = 0; j < n; ++j) {
      const double pivot = a[j * n + j];
      for (std::size_t k = 0; k < n; ++k) {
        a[j * n + k] /= pivot;
        made[j * n + k] /= pivot;
      }
      for (std::size_t i = 0; i < n; ++i) {
        if (i == j) continue;
        const double factor = a[i * n + j];
        for (std::size_t k = 0; k < n; ++k) {
          a[i * n + k] -= factor * a[j * n + k];
          made[i * n + k] -= factor * made[j * n + k];
        }
      }
    }
    return made;
  }

  DataKind kind_;
  Ratings<T> data_;
};

template <Real T>
class CgCase final : public Case {
 public:
  explicit CgCase(const Key& key) : data_(key, 63, 40) { steps_ = data_.draw.between(0, 4); }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<AlsSteps, T>(engine);
    Buffer<T> x = to_engine(engine, data_.x);
    (void)steps->solve(data_.on(engine), to_engine(engine, data_.y), to_engine(engine, data_.gram),
                       data_.factors, AlsSolver::cg, steps_, x);
    out.add("x", x);
  }

  // The recursion once more, each number with a bound on the distance between the engine's, of type
  // T, and the reference's, in double. Where a residual may lie on either side of the one that ends
  // it, there is no bound.
  void judge(Judge& judge) const override {
    std::vector<double> bounds(data_.x.size(), 0.0);
    for (Index u = 0; u < data_.rows(); ++u) trace(u, bounds);
    judge.within("x", Tolerance::trajectory, [&](std::size_t i) { return bounds[i]; });
  }

 private:
  using Number = Traced<T>;
  using Numbers = std::vector<Number>;

  [[nodiscard]] Number y(Index column, std::size_t j) const {
    return Number(data_.at(column, static_cast<Index>(j)));
  }
  static Number dot(const Numbers& a, const Numbers& b) {
    Number sum(0.0);
    for (std::size_t j = 0; j < a.size(); ++j) sum = fma(a[j], b[j], sum);
    return sum;
  }
  [[nodiscard]] Numbers product(const Numbers& v) const {
    Numbers made(v.size());
    const Index pitch = als_pitch(data_.factors);
    for (std::size_t j = 0; j < v.size(); ++j) {
      Number sum(0.0);
      for (std::size_t k = 0; k < v.size(); ++k) {
        sum = fma(v[k],
                  Number(static_cast<double>(data_.gram[k * static_cast<std::size_t>(pitch) + j])),
                  sum);
      }
      made[j] = sum;
    }
    return made;
  }
  // In chains of a block; an addition per block bounds those of the tree.
  template <class Weight>
  [[nodiscard]] Numbers sum(Index u, const Numbers& v, Weight&& weight) const {
    Numbers total(v.size());
    const Index end = data_.offsets[static_cast<std::size_t>(u) + 1];
    for (Index first = data_.offsets[static_cast<std::size_t>(u)]; first < end;
         first += als_block) {
      Numbers own(v.size());
      for (Index p = first; p < std::min(end, first + als_block); ++p) {
        const Index column = data_.columns[static_cast<std::size_t>(p)];
        Number d(0.0);
        for (std::size_t j = 0; j < v.size(); ++j) d = fma(y(column, j), v[j], d);
        const Number w =
            weight(Number(static_cast<double>(data_.extra[static_cast<std::size_t>(p)])), d);
        for (std::size_t j = 0; j < v.size(); ++j) own[j] = fma(w, y(column, j), own[j]);
      }
      for (std::size_t j = 0; j < v.size(); ++j) total[j] = total[j] + own[j];
    }
    return total;
  }

  void trace(Index u, std::vector<double>& bounds) const {
    if (data_.offsets[static_cast<std::size_t>(u)] ==
        data_.offsets[static_cast<std::size_t>(u) + 1]) {
      return;
    }
    const auto f = static_cast<std::size_t>(data_.factors);
    const auto first = static_cast<std::size_t>(u * als_pitch(data_.factors));
    Numbers x(f);
    for (std::size_t j = 0; j < f; ++j) x[j] = Number(static_cast<double>(data_.x[first + j]));
    Numbers r =
        sum(u, x, [](const Number& a, const Number& d) { return fma(-a, d, Number(1.0) + a); });
    const Numbers gx = product(x);
    for (std::size_t j = 0; j < f; ++j) r[j] = r[j] - gx[j];
    Numbers p = r;
    Number s = dot(r, r);
    bool known = true;
    for (Index step = 0; step < steps_; ++step) {
      if (std::abs(s.value() - als_residual) <= s.error()) known = false;
      if (!known || s.value() < als_residual) break;
      Numbers v = sum(u, p, [](const Number& a, const Number& d) { return a * d; });
      const Numbers gp = product(p);
      for (std::size_t j = 0; j < f; ++j) v[j] = v[j] + gp[j];
      const Number alpha = s / dot(p, v);
      for (std::size_t j = 0; j < f; ++j) {
        x[j] = fma(alpha, p[j], x[j]);
        r[j] = fma(-alpha, v[j], r[j]);
      }
      const Number next = dot(r, r);
      const Number beta = next / s;
      for (std::size_t j = 0; j < f; ++j) p[j] = fma(beta, p[j], r[j]);
      s = next;
    }
    bool finite = true;
    for (std::size_t j = 0; j < f; ++j) {
      const double error = x[j].round().error();
      bounds[first + j] = known && error == error ? error : std::numeric_limits<double>::infinity();
      finite = finite && bounds[first + j] < std::numeric_limits<double>::infinity();
    }
    // The zeros behind the factors stay zeros unless an infinite step is multiplied by them.
    for (std::size_t j = f; j < static_cast<std::size_t>(als_pitch(data_.factors)); ++j) {
      bounds[first + j] = finite ? 0.0 : std::numeric_limits<double>::infinity();
    }
  }

  Ratings<T> data_;
  Index steps_ = 3;
};

template <Real T>
class LossCase final : public Case {
 public:
  explicit LossCase(const Key& key) : data_(key, 64, 40) {}

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<AlsSteps, T>(engine);
    Buffer<double> terms(engine, data_.rows());
    steps->rating_loss(data_.on(engine), to_engine(engine, data_.y), to_engine(engine, data_.x),
                       data_.factors, terms);
    out.add("terms", terms);
  }

  // d is off by e = γ(f + 6)·Σ|x||y| in T and in double; a term by c(2|1 − d|e + e²) + 2|d|e + e²;
  // both sums add n terms in double.
  void judge(Judge& judge) const override {
    judge.within("terms", Tolerance::reduction, [&](std::size_t row) {
      const auto u = static_cast<Index>(row);
      const Index pitch = als_pitch(data_.factors);
      double bound = 0;
      double magnitude = 0;
      const Index begin = data_.offsets[row];
      const Index end = data_.offsets[row + 1];
      for (Index p = begin; p < end; ++p) {
        double d = 0;
        double sum = 0;
        for (Index j = 0; j < data_.factors; ++j) {
          const double term = data_.at(data_.columns[static_cast<std::size_t>(p)], j) *
                              static_cast<double>(data_.x[static_cast<std::size_t>(u * pitch + j)]);
          d += term;
          sum += std::abs(term);
        }
        if (!(sum < static_cast<double>(std::numeric_limits<T>::max()) / 4)) {
          return std::numeric_limits<double>::infinity();
        }
        const double e =
            (gamma_bound<T>(data_.factors + 6) + gamma_bound<double>(data_.factors + 6)) * sum +
            static_cast<double>(2 * data_.factors) *
                static_cast<double>(std::numeric_limits<T>::denorm_min());
        const double c = 1 + static_cast<double>(data_.extra[static_cast<std::size_t>(p)]);
        bound += c * (2 * std::abs(1 - d) * e + e * e) + 2 * std::abs(d) * e + e * e;
        magnitude += c * (1 - d) * (1 - d) + d * d + c * e * e + e * e;
      }
      return 1.01 * bound + 2 * gamma_bound<double>(end - begin + 8) * magnitude;
    });
  }

 private:
  Ratings<T> data_;
};

}  // namespace

Agreement make_als_agreement() {
  return {over_many_blocks(part<GramCase>("gram", "products of the columns of factors", {"als"},
                                          "reduction: γ(1026+⌈log₂ blocks⌉) in double, 2u", 257)),
          over_many_blocks(part<CgCase>("cg", "rows of ratings by conjugate gradients", {"als"},
                                        "trajectory: running error of the recursion", 257)),
          over_many_blocks(part<CholeskyCase>(
              "cholesky", "rows of ratings by Cholesky", {"als"},
              "reduction: |A⁻¹|(|e| + |E||x|) of the sums and the factorisation", 257)),
          over_many_blocks(part<LossCase>("loss", "what ratings add to the loss", {"als"},
                                          "reduction: γ(f+6) of the products, n terms in double",
                                          257))};
}

}  // namespace tandem::agree

// Alternating least squares as the paper has it, in double precision, one thread.
#include <cmath>
#include <vector>

#include "core/recommend/als_steps.hpp"

namespace tandem {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

template <Real T>
class ReferenceAls final : public AlsSteps<T> {
 public:
  void gram(const Buffer<T>& y, Index rows, Index factors, T lambda, Buffer<T>& gram) override {
    const Index pitch = als_pitch(factors);
    for (Index j = 0; j < pitch; ++j) {
      for (Index k = 0; k < pitch; ++k) {
        double sum = 0;
        for (Index i = 0; i < rows; ++i) {
          sum += static_cast<double>(y.data()[i * pitch + j]) *
                 static_cast<double>(y.data()[i * pitch + k]);
        }
        if (j == k && j < factors) sum += static_cast<double>(lambda);
        gram.data()[j * pitch + k] = static_cast<T>(sum);
      }
    }
  }

  Index solve(const AlsRatings<T>& ratings, const Buffer<T>& y, const Buffer<T>& gram,
              Index factors, AlsSolver solver, Index cg_steps, Buffer<T>& x) override {
    const Index pitch = als_pitch(factors);
    Index failures = 0;
    for (Index u = 0; u < ratings.rows; ++u) {
      T* const row = x.data() + u * pitch;
      const Index begin = ratings.offsets.data()[u];
      const Index end = ratings.offsets.data()[u + 1];
      Vector solution(static_cast<std::size_t>(factors), 0.0);
      if (begin < end) {
        // A = G + Σ a y yᵀ, b = Σ (1 + a) y.
        std::vector<Vector> a(static_cast<std::size_t>(factors),
                              Vector(static_cast<std::size_t>(factors)));
        Vector b(static_cast<std::size_t>(factors), 0.0);
        for (Index j = 0; j < factors; ++j) {
          for (Index k = 0; k < factors; ++k) {
            a[static_cast<std::size_t>(j)][static_cast<std::size_t>(k)] =
                static_cast<double>(gram.data()[j * pitch + k]);
          }
        }
        for (Index p = begin; p < end; ++p) {
          const T* const item = y.data() + ratings.columns.data()[p] * pitch;
          const auto extra = static_cast<double>(ratings.extra.data()[p]);
          for (std::size_t j = 0; j < b.size(); ++j) {
            b[j] += (1 + extra) * static_cast<double>(item[j]);
            for (std::size_t k = 0; k < b.size(); ++k) {
              a[j][k] += extra * static_cast<double>(item[j]) * static_cast<double>(item[k]);
            }
          }
        }
        if (solver == AlsSolver::cholesky) {
          if (!cholesky(a, b, solution)) {
            ++failures;
            solution.assign(solution.size(), 0.0);
          }
        } else {
          for (std::size_t j = 0; j < b.size(); ++j) solution[j] = static_cast<double>(row[j]);
          conjugate_gradients(Row{ratings, y, gram, pitch, begin, end}, cg_steps, solution);
        }
      }
      for (Index j = 0; j < pitch; ++j) {
        row[j] = j < factors ? static_cast<T>(solution[static_cast<std::size_t>(j)]) : T{0};
      }
    }
    return failures;
  }

  void rating_loss(const AlsRatings<T>& ratings, const Buffer<T>& y, const Buffer<T>& x,
                   Index factors, Buffer<double>& terms) override {
    const Index pitch = als_pitch(factors);
    for (Index u = 0; u < ratings.rows; ++u) {
      double sum = 0;
      for (Index p = ratings.offsets.data()[u]; p < ratings.offsets.data()[u + 1]; ++p) {
        const T* const item = y.data() + ratings.columns.data()[p] * pitch;
        double d = 0;
        for (Index j = 0; j < factors; ++j) {
          d += static_cast<double>(item[j]) * static_cast<double>(x.data()[u * pitch + j]);
        }
        sum += (1 + static_cast<double>(ratings.extra.data()[p])) * (1 - d) * (1 - d) - d * d;
      }
      terms.data()[u] = sum;
    }
  }

 private:
  static bool cholesky(std::vector<Vector>& a, Vector& b, Vector& x) {
    const std::size_t n = b.size();
    for (std::size_t j = 0; j < n; ++j) {
      if (!(a[j][j] > 0) || !std::isfinite(a[j][j])) return false;
      a[j][j] = std::sqrt(a[j][j]);
      for (std::size_t k = j + 1; k < n; ++k) a[j][k] /= a[j][j];
      for (std::size_t m = j + 1; m < n; ++m) {
        for (std::size_t k = m; k < n; ++k) a[m][k] -= a[j][m] * a[j][k];
      }
    }
    for (std::size_t j = 0; j < n; ++j) {
      b[j] /= a[j][j];
      for (std::size_t k = j + 1; k < n; ++k) b[k] -= a[j][k] * b[j];
    }
    for (std::size_t j = n; j-- > 0;) {
      x[j] = b[j] / a[j][j];
      for (std::size_t k = 0; k < j; ++k) b[k] -= a[k][j] * x[j];
    }
    return true;
  }

  struct Row {
    const AlsRatings<T>& ratings;
    const Buffer<T>& y;
    const Buffer<T>& gram;
    Index pitch;
    Index begin;
    Index end;

    // G v.
    [[nodiscard]] Vector product(const Vector& v) const {
      Vector made(v.size(), 0.0);
      for (std::size_t j = 0; j < v.size(); ++j) {
        for (std::size_t k = 0; k < v.size(); ++k) {
          made[j] += v[k] * static_cast<double>(
                                gram.data()[static_cast<Index>(k) * pitch + static_cast<Index>(j)]);
        }
      }
      return made;
    }
    // Σ weight(a, y·v) y over the ratings.
    template <class Weight>
    [[nodiscard]] Vector sum(const Vector& v, Weight&& weight) const {
      Vector made(v.size(), 0.0);
      for (Index p = begin; p < end; ++p) {
        const T* const item = y.data() + ratings.columns.data()[p] * pitch;
        double d = 0;
        for (std::size_t j = 0; j < v.size(); ++j) d += static_cast<double>(item[j]) * v[j];
        const double w = weight(static_cast<double>(ratings.extra.data()[p]), d);
        for (std::size_t j = 0; j < v.size(); ++j) made[j] += w * static_cast<double>(item[j]);
      }
      return made;
    }
  };

  static void conjugate_gradients(const Row& row, Index steps, Vector& x) {
    const std::size_t n = x.size();
    // b − A x = Σ ((1 + a) − a y·x) y − G x
    Vector r = row.sum(x, [](double a, double d) { return (1 + a) - a * d; });
    const Vector gx = row.product(x);
    for (std::size_t j = 0; j < n; ++j) r[j] -= gx[j];
    Vector p = r;
    double s = dot(r, r);
    for (Index step = 0; step < steps && s >= als_residual; ++step) {
      Vector v = row.sum(p, [](double a, double d) { return a * d; });
      const Vector gp = row.product(p);
      for (std::size_t j = 0; j < n; ++j) v[j] += gp[j];
      const double alpha = s / dot(p, v);
      for (std::size_t j = 0; j < n; ++j) {
        x[j] += alpha * p[j];
        r[j] -= alpha * v[j];
      }
      const double next = dot(r, r);
      const double beta = next / s;
      for (std::size_t j = 0; j < n; ++j) p[j] = r[j] + beta * p[j];
      s = next;
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<AlsSteps<T>> AlsSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceAls<T>>();
}
template std::unique_ptr<AlsSteps<float>> AlsSteps<float>::make_reference(Engine&);
template std::unique_ptr<AlsSteps<double>> AlsSteps<double>::make_reference(Engine&);

}  // namespace tandem

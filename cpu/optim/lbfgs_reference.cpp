// L-BFGS as the textbook has it (Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm
// 7.4): in double precision, sums in ascending order.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/optim/lbfgs_steps.hpp"

namespace tandem {
namespace {

using Vector = std::vector<double>;

template <Real T>
Vector in_double(const T* values, Index size) {
  return {values, values + size};
}

double product(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// initial·x. With groups, the matrix acts on the variables of each group by itself: m − 1 that lie
// side by side, and one of those at the end.
Vector times(const LbfgsInitial& initial, const Vector& x) {
  const double* inverse = initial.inverse.data();
  const auto size = static_cast<Index>(x.size());
  Vector out(x.size());
  if (initial.groups == 0) {
    for (std::size_t i = 0; i < x.size(); ++i) out[i] = inverse[i] * x[i];
    return out;
  }
  const Index m = size / initial.groups;
  for (Index k = 0; k < initial.groups; ++k) {
    const auto at = [&](Index j) {
      return static_cast<std::size_t>(j + 1 < m ? k * (m - 1) + j : initial.groups * (m - 1) + k);
    };
    for (Index i = 0; i < m; ++i) {
      for (Index j = 0; j < m; ++j) out[at(i)] += inverse[i * m + j] * x[at(j)];
    }
  }
  return out;
}

template <Real T>
class ReferenceLbfgs final : public LbfgsSteps<T> {
 public:
  void direction(const LbfgsPairs<T>& pairs, const LbfgsInitial& initial, const Buffer<T>& gradient,
                 Buffer<T>& direction) override {
    const Index n = pairs.size;
    std::vector<Vector> s;  // from the newest pair on
    std::vector<Vector> y;
    for (Index age = 0; age < pairs.count; ++age) {
      const Index slot = (pairs.newest - age + pairs.memory) % pairs.memory;
      s.push_back(in_double(pairs.s.data() + slot * n, n));
      y.push_back(in_double(pairs.y.data() + slot * n, n));
    }
    Vector q = in_double(gradient.data(), n);
    for (double& value : q) value = -value;
    Vector alpha(s.size());
    for (std::size_t k = 0; k < s.size(); ++k) {
      alpha[k] = product(s[k], q) / product(s[k], y[k]);
      for (std::size_t i = 0; i < q.size(); ++i) q[i] -= alpha[k] * y[k][i];
    }
    double gamma = 1;
    if (!s.empty()) gamma = product(s[0], y[0]) / product(y[0], times(initial, y[0]));
    q = times(initial, q);
    for (double& value : q) value *= gamma;
    for (std::size_t k = s.size(); k-- > 0;) {
      const double beta = product(y[k], q) / product(s[k], y[k]);
      for (std::size_t i = 0; i < q.size(); ++i) q[i] += (alpha[k] - beta) * s[k][i];
    }
    for (std::size_t i = 0; i < q.size(); ++i) {
      direction.data()[i] = static_cast<T>(q[i]);
    }
  }

  double store(Index slot, const Buffer<T>& x, const Buffer<T>& x_before, const Buffer<T>& g,
               const Buffer<T>& g_before, LbfgsPairs<T>& pairs) override {
    const Index n = pairs.size;
    T* const s = pairs.s.data() + slot * n;
    T* const y = pairs.y.data() + slot * n;
    for (Index i = 0; i < n; ++i) {
      s[i] = x.data()[i] - x_before.data()[i];
      y[i] = g.data()[i] - g_before.data()[i];
    }
    const Vector wide_y = in_double(y, n);
    const double sy = product(in_double(s, n), wide_y);
    const double yy = product(wide_y, wide_y);
    pairs.products.data()[slot] = static_cast<T>(sy);
    return yy > 0 ? sy / yy : 0;
  }

  void move(const Buffer<T>& from, double length, const Buffer<T>& direction,
            Buffer<T>& x) override {
    const auto step = static_cast<double>(static_cast<T>(length));
    for (Index i = 0; i < x.size(); ++i) {
      x.data()[i] = static_cast<T>(static_cast<double>(from.data()[i]) +
                                   step * static_cast<double>(direction.data()[i]));
    }
  }

  double dot(const Buffer<T>& a, const Buffer<T>& b) override {
    return product(in_double(a.data(), a.size()), in_double(b.data(), b.size()));
  }

  double largest(const Buffer<T>& a) override {
    double value = 0;
    for (Index i = 0; i < a.size(); ++i) {
      const double magnitude = std::abs(static_cast<double>(a.data()[i]));
      if (std::isnan(magnitude)) return magnitude;
      value = std::max(value, magnitude);
    }
    return value;
  }
};

}  // namespace

template <Real T>
std::unique_ptr<LbfgsSteps<T>> LbfgsSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceLbfgs<T>>();
}

template std::unique_ptr<LbfgsSteps<float>> LbfgsSteps<float>::make_reference(Engine&);
template std::unique_ptr<LbfgsSteps<double>> LbfgsSteps<double>::make_reference(Engine&);

}  // namespace tandem

// L-BFGS on the CPU. The vectors are as long as a model has parameters: plain loops.
#include <cmath>
#include <vector>

#include "core/optim/lbfgs_steps.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {
namespace {

template <Real T>
double product(const T* a, const T* b, Index size) {
  SumTree<> tree;
  for (Index begin = 0; begin < size; begin += sum_block) {
    const Index end = std::min(begin + sum_block, size);
    double lanes[sum_lanes] = {};
    for (Index i = begin; i < end; ++i) {
      double& lane = lanes[(i - begin) % sum_lanes];
      lane = std::fma(static_cast<double>(a[i]), static_cast<double>(b[i]), lane);
    }
    tree.add(add_lanes(lanes));
  }
  return tree.total();
}

// out ← initial·x.
template <Real T>
void apply(const LbfgsInitial& initial, Index size, const T* x, T* out) {
  const double* inverse = initial.inverse.data();
  if (initial.groups == 0) {
    for (Index i = 0; i < size; ++i) out[i] = static_cast<T>(inverse[i]) * x[i];
    return;
  }
  const Index m = size / initial.groups;
  for (Index k = 0; k < initial.groups; ++k) {
    const auto at = [&](Index j) {
      return j + 1 < m ? k * (m - 1) + j : initial.groups * (m - 1) + k;
    };
    for (Index i = 0; i < m; ++i) {
      double sum = 0;
      for (Index j = 0; j < m; ++j) {
        sum = std::fma(inverse[i * m + j], static_cast<double>(x[at(j)]), sum);
      }
      out[at(i)] = static_cast<T>(sum);
    }
  }
}

template <Real T>
class CpuLbfgs final : public LbfgsSteps<T> {
 public:
  void direction(const LbfgsPairs<T>& pairs, const LbfgsInitial& initial, const Buffer<T>& gradient,
                 Buffer<T>& direction) override {
    const Index n = pairs.size;
    T* q = direction.data();
    for (Index i = 0; i < n; ++i) q[i] = -gradient.data()[i];
    std::vector<T> alpha(static_cast<std::size_t>(pairs.memory));
    const auto slot = [&](Index age) { return (pairs.newest - age + pairs.memory) % pairs.memory; };
    for (Index age = 0; age < pairs.count; ++age) {
      const Index k = slot(age);
      const T* y = pairs.y.data() + k * n;
      const T a = static_cast<T>(product(pairs.s.data() + k * n, q, n) / pairs.products.data()[k]);
      alpha[static_cast<std::size_t>(k)] = a;
      for (Index i = 0; i < n; ++i) q[i] = std::fma(-a, y[i], q[i]);
    }
    T gamma = T{1};
    std::vector<T> scaled(static_cast<std::size_t>(n));
    if (pairs.count > 0) {
      const T* y = pairs.y.data() + pairs.newest * n;
      apply(initial, n, y, scaled.data());
      gamma = static_cast<T>(pairs.products.data()[pairs.newest] / product(y, scaled.data(), n));
    }
    apply(initial, n, q, scaled.data());
    for (Index i = 0; i < n; ++i) q[i] = gamma * scaled[static_cast<std::size_t>(i)];
    for (Index age = pairs.count - 1; age >= 0; --age) {
      const Index k = slot(age);
      const T* s = pairs.s.data() + k * n;
      const T b = static_cast<T>(product(pairs.y.data() + k * n, q, n) / pairs.products.data()[k]);
      const T difference = alpha[static_cast<std::size_t>(k)] - b;
      for (Index i = 0; i < n; ++i) q[i] = std::fma(difference, s[i], q[i]);
    }
  }

  double store(Index slot, const Buffer<T>& x, const Buffer<T>& x_before, const Buffer<T>& g,
               const Buffer<T>& g_before, LbfgsPairs<T>& pairs) override {
    const Index n = pairs.size;
    T* s = pairs.s.data() + slot * n;
    T* y = pairs.y.data() + slot * n;
    for (Index i = 0; i < n; ++i) {
      s[i] = x.data()[i] - x_before.data()[i];
      y[i] = g.data()[i] - g_before.data()[i];
    }
    const double sy = product(s, y, n);
    const double yy = product(y, y, n);
    pairs.products.data()[slot] = static_cast<T>(sy);
    return yy > 0 ? sy / yy : 0;
  }

  void move(const Buffer<T>& from, double length, const Buffer<T>& direction,
            Buffer<T>& x) override {
    const T step = static_cast<T>(length);
    for (Index i = 0; i < x.size(); ++i) {
      x.data()[i] = std::fma(step, direction.data()[i], from.data()[i]);
    }
  }

  double dot(const Buffer<T>& a, const Buffer<T>& b) override {
    return product(a.data(), b.data(), a.size());
  }

  double largest(const Buffer<T>& a) override {
    double value = 0;
    for (Index i = 0; i < a.size(); ++i) {
      const double magnitude = std::abs(static_cast<double>(a.data()[i]));
      if (!(magnitude <= value)) value = magnitude;
      if (std::isnan(value)) break;
    }
    return value;
  }
};

}  // namespace

template <Real T>
std::unique_ptr<LbfgsSteps<T>> LbfgsSteps<T>::make_cpu(Engine& /*engine*/) {
  return std::make_unique<CpuLbfgs<T>>();
}
template std::unique_ptr<LbfgsSteps<float>> LbfgsSteps<float>::make_cpu(Engine&);
template std::unique_ptr<LbfgsSteps<double>> LbfgsSteps<double>::make_cpu(Engine&);

}  // namespace tandem

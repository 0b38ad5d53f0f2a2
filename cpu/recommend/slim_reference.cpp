// Coordinate descent over all items, candidates or not.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/recommend/slim_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceSlim final : public SlimStepsOf<T> {
 public:
  void solve(const SlimProblem& problem, Index first, Index count, Buffer<double>& weights,
             Buffer<std::int32_t>& sweeps) override {
    const auto n = static_cast<std::size_t>(problem.items);
    for (Index i = 0; i < count; ++i) {
      const auto j = static_cast<std::size_t>(first + i);
      double* const w = weights.data() + i * problem.items;
      std::fill_n(w, n, 0.0);
      std::int32_t done = 0;
      bool converged = false;
      while (!converged && done < problem.sweeps) {
        double change = 0;
        for (std::size_t k = 0; k < n; ++k) {
          if (k == j) continue;
          double rest = problem.gram[j * n + k];
          for (std::size_t m = 0; m < n; ++m) {
            if (m != k) rest -= problem.gram[k * n + m] * w[m];
          }
          const double value =
              std::max(0.0, rest - problem.l1) / (problem.gram[k * n + k] + problem.l2);
          if (!(rest > problem.l1)) {
            change = std::max(change, w[k]);
            w[k] = 0;
            continue;
          }
          change = std::max(change, std::abs(value - w[k]));
          w[k] = value;
        }
        ++done;
        converged = change <= problem.tolerance * *std::max_element(w, w + n);
      }
      sweeps.data()[i] = converged ? done : -done;
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<SlimStepsOf<T>> SlimStepsOf<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceSlim<T>>();
}
template std::unique_ptr<SlimStepsOf<float>> SlimStepsOf<float>::make_reference(Engine&);
template std::unique_ptr<SlimStepsOf<double>> SlimStepsOf<double>::make_reference(Engine&);

}  // namespace tandem

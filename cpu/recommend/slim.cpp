// SLIM's coordinate descent with SIMD and threads: an item is a thread's. What is left to explain
// of the candidates lies side by side, and an update gathers their products from one row of G.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recommend/slim.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.hpp"
#include "core/recommend/slim_steps.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// rest[m] ← fma(minus, row[candidates[m]], rest[m]). Requires: both have a whole number of vectors
// of the widest kind.
void AddRow(double minus, const double* HWY_RESTRICT row,
            const std::int64_t* HWY_RESTRICT candidates, Index count, double* HWY_RESTRICT rest) {
  const hn::ScalableTag<double> d;
  const hn::RebindToSigned<decltype(d)> di;
  const auto factor = hn::Set(d, minus);
  for (Index m = 0; m < count; m += static_cast<Index>(hn::Lanes(d))) {
    const auto value = hn::GatherIndex(d, row, hn::LoadU(di, candidates + m));
    hn::StoreU(Fma(d, factor, value, hn::LoadU(d, rest + m)), d, rest + m);
  }
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {
HWY_EXPORT(AddRow);

// Doubles of the widest vector.
constexpr std::size_t widest_doubles = 8;

struct SlimScratch {
  std::vector<std::int64_t> candidates;
  std::vector<double> rest;
  std::vector<double> weights;
  std::vector<double> squares;  // G_kk
};

// The sweeps that it took, negative where it did not converge.
std::int32_t solve_item(const SlimProblem& problem, Index j, SlimScratch& scratch, double* out) {
  const double* const own = problem.gram + j * problem.items;
  auto& [candidates, rest, weights, squares] = scratch;
  candidates.clear();
  rest.clear();
  squares.clear();
  for (Index k = 0; k < problem.items; ++k) {
    if (k == j || !(own[k] > problem.l1)) continue;
    candidates.push_back(k);
    rest.push_back(own[k]);
    squares.push_back(problem.gram[k * problem.items + k]);
  }
  const std::size_t count = candidates.size();
  const std::size_t padded = (count + widest_doubles - 1) / widest_doubles * widest_doubles;
  candidates.resize(padded, 0);
  rest.resize(padded, 0);
  weights.assign(count, 0);
  std::int32_t done = 0;
  bool converged = false;
  while (!converged && done < problem.sweeps) {
    double change = 0;
    double largest = 0;
    for (std::size_t k = 0; k < count; ++k) {
      const double before = weights[k];
      const double value =
          slim_weight(std::fma(before, squares[k], rest[k]), problem.l1, squares[k], problem.l2);
      largest = std::max(largest, value);
      const double difference = value - before;
      if (difference == 0) continue;
      change = std::max(change, std::abs(difference));
      weights[k] = value;
      HWY_DYNAMIC_DISPATCH(AddRow)
      (-difference, problem.gram + candidates[k] * problem.items, candidates.data(),
       static_cast<Index>(padded), rest.data());
    }
    ++done;
    converged = change <= problem.tolerance * largest;
  }
  std::fill_n(out, problem.items, 0.0);
  for (std::size_t k = 0; k < count; ++k) out[candidates[k]] = weights[k];
  return converged ? done : -done;
}

}  // namespace
}  // namespace cpu

namespace {

template <Real T>
class CpuSlim final : public SlimStepsOf<T> {
 public:
  explicit CpuSlim(Engine& engine) : engine_(engine) {}

  void solve(const SlimProblem& problem, Index first, Index count, Buffer<double>& weights,
             Buffer<std::int32_t>& sweeps) override {
    parallel_for(engine_.threads(), count, [&](Index i) {
      thread_local cpu::SlimScratch scratch;
      sweeps.data()[i] =
          cpu::solve_item(problem, first + i, scratch, weights.data() + i * problem.items);
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<SlimStepsOf<T>> SlimStepsOf<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuSlim<T>>(engine);
}
template std::unique_ptr<SlimStepsOf<float>> SlimStepsOf<float>::make_cpu(Engine&);
template std::unique_ptr<SlimStepsOf<double>> SlimStepsOf<double>::make_cpu(Engine&);

}  // namespace tandem
#endif

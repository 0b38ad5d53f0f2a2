// ROC-AUC and average precision of n scores, a third of them positive. Arguments: n, and the number
// of distinct scores (0: as many as fit). Bytes: what one pass of the radix sort reads and writes.
//
// scikit-learn on the same data: bench/metrics/sklearn_metrics.py.
#include <benchmark/benchmark.h>

#include <cmath>

#include "core/random.hpp"
#include "tandem/metrics/curves.hpp"

namespace tandem {
namespace {

template <Real T>
void ranking(benchmark::State& state) {
  const Index rows = state.range(0);
  const Index distinct = state.range(1);
  const Random random(1, Purpose::test);
  std::vector<T> scores(static_cast<std::size_t>(rows));
  std::vector<std::uint8_t> positive(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < scores.size(); ++i) {
    scores[i] = random.uniform<T>(i);
    if (distinct > 0) {
      scores[i] = static_cast<T>(std::floor(scores[i] * static_cast<T>(distinct))) /
                  static_cast<T>(distinct);
    }
    positive[i] = random.below(3, i + scores.size()) == 0 ? 1 : 0;
  }
  for (auto _ : state) benchmark::DoNotOptimize(ranking_areas(scores, positive));
  state.SetItemsProcessed(state.iterations() * rows);
  state.SetBytesProcessed(state.iterations() * rows * static_cast<Index>(4 * sizeof(T)));
}

BENCHMARK(ranking<float>)
    ->Args({1'000'000, 0})
    ->Args({1'000'000, 100})
    ->ArgNames({"rows", "distinct"})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(ranking<double>)
    ->Args({1'000'000, 0})
    ->Args({1'000'000, 100})
    ->ArgNames({"rows", "distinct"})
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tandem

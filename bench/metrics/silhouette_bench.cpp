// Silhouettes of n rows of d columns in k clusters of random data. Arguments: n, d, k, threads.
// flops: 3 per pair and feature (a subtraction and an fma); the square roots are not counted.
//
// scikit-learn on the same data: bench/metrics/sklearn_metrics.py.
#include <benchmark/benchmark.h>

#include "core/random.hpp"
#include "tandem/metrics/clustering.hpp"

namespace tandem {
namespace {

template <Real T>
void silhouette_mean(benchmark::State& state) {
  const Index rows = state.range(0);
  const Index cols = state.range(1);
  const Index clusters = state.range(2);
  const auto engine =
      Engine::create({.device = Device::cpu, .threads = static_cast<int>(state.range(3))});
  Matrix<T> x(rows, cols);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(rows));
  const Random random(1, Purpose::test);
  for (Index i = 0; i < rows; ++i) {
    const Index c = i % clusters;
    labels[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(c);
    for (Index j = 0; j < cols; ++j) {
      x(i, j) = random.uniform<T>(static_cast<std::uint64_t>(i * cols + j)) +
                static_cast<T>(j % clusters == c ? 1 : 0);
    }
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(silhouette<T>(*engine, std::as_const(x).view(), labels));
  }
  const double pairs = static_cast<double>(rows) * static_cast<double>(rows);
  state.counters["flops"] = benchmark::Counter(3 * pairs * static_cast<double>(cols),
                                               benchmark::Counter::kIsIterationInvariantRate,
                                               benchmark::Counter::kIs1000);
  state.counters["pairs"] = benchmark::Counter(pairs, benchmark::Counter::kIsIterationInvariantRate,
                                               benchmark::Counter::kIs1000);
}

#define TANDEM_SIZES                                      \
  Args({10'000, 16, 8, 1})                                \
      ->Args({10'000, 16, 8, 2})                          \
      ->Args({10'000, 64, 8, 1})                          \
      ->Args({10'000, 784, 10, 1})                        \
      ->ArgNames({"rows", "cols", "clusters", "threads"}) \
      ->Unit(benchmark::kMillisecond)                     \
      ->MeasureProcessCPUTime()                           \
      ->UseRealTime()
BENCHMARK(silhouette_mean<float>)->TANDEM_SIZES;
BENCHMARK(silhouette_mean<double>)->TANDEM_SIZES;
#undef TANDEM_SIZES

}  // namespace
}  // namespace tandem

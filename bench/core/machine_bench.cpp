// The most that the machine can do, for benchmarks to state their share of it: fused multiply-adds
// of one core and of several, and the bandwidth of main memory (the triad of McCalpin's STREAM).
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <memory>
#include <thread>

#include "cpu/machine_limits.hpp"

namespace tandem::cpu {
namespace {

template <class T>
void fma_peak(benchmark::State& state) {
  const int threads = static_cast<int>(state.range(0));
  double flops = 0;
  for (auto _ : state) {
#pragma omp parallel num_threads(threads) reduction(+ : flops)
    {
      T sink;
      flops += fma_chains(1 << 20, &sink);
      benchmark::DoNotOptimize(sink);
    }
  }
  flops *= threads;  // from per thread-second to the whole team's
  state.counters["flops"] = benchmark::Counter(flops, benchmark::Counter::kIsRate);
}

// a = b + s · c over arrays far larger than the caches: two reads and one write of each element
// (the line that a write fetches first is not counted, as STREAM does not).
void triad_bandwidth(benchmark::State& state) {
  const int threads = static_cast<int>(state.range(0));
  constexpr std::int64_t size = std::int64_t{1} << 24;
  const std::unique_ptr<double[]> a(new double[size]);
  const std::unique_ptr<double[]> b(new double[size]);
  const std::unique_ptr<double[]> c(new double[size]);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (std::int64_t i = 0; i < size; ++i) {
    a[i] = 0;
    b[i] = 1;
    c[i] = 2;
  }
  for (auto _ : state) {
#pragma omp parallel for simd num_threads(threads) schedule(static)
    for (std::int64_t i = 0; i < size; ++i) a[i] = b[i] + 3 * c[i];
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(threads * static_cast<std::int64_t>(state.iterations()) * size * 3 *
                          static_cast<std::int64_t>(sizeof(double)));
}

void for_threads(benchmark::internal::Benchmark* b) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  b->Arg(1);
  if (cores > 1) b->Arg(cores);
  // The processor time of all threads: rates are per thread-second, and other work on the machine
  // distorts them less than wall time.
  b->MeasureProcessCPUTime();
}
BENCHMARK_TEMPLATE(fma_peak, float)->Apply(for_threads);
BENCHMARK_TEMPLATE(fma_peak, double)->Apply(for_threads);
BENCHMARK(triad_bandwidth)->Apply(for_threads);

}  // namespace
}  // namespace tandem::cpu

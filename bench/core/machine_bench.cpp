// The most that the machine can do, for benchmarks to state their share of it: fused multiply-adds
// of one core and of several, and the bandwidth of main memory (the triad of McCalpin's STREAM).
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cstdint>
#include <memory>
#include <thread>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/core/machine_bench.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// `steps` rounds of 12 independent chains of fmas; returns the flops done. 12 chains hide a latency
// of 4 cycles on up to 3 units, and fit 16 registers.
template <class T>
double fma_chains(std::int64_t steps, T* sink) {
  const hn::ScalableTag<T> d;
  const auto factor = hn::Set(d, static_cast<T>(0.5));
  const auto term = hn::Set(d, static_cast<T>(1));
  // Different values, or the compiler would see one chain.
  const auto start = hn::Iota(d, 1);
  auto c0 = start, c1 = hn::Add(c0, start), c2 = hn::Add(c1, start), c3 = hn::Add(c2, start);
  auto c4 = hn::Add(c3, start), c5 = hn::Add(c4, start), c6 = hn::Add(c5, start);
  auto c7 = hn::Add(c6, start), c8 = hn::Add(c7, start), c9 = hn::Add(c8, start);
  auto c10 = hn::Add(c9, start), c11 = hn::Add(c10, start);
  for (std::int64_t i = 0; i < steps; ++i) {
    c0 = Fma(d, c0, factor, term);
    c1 = Fma(d, c1, factor, term);
    c2 = Fma(d, c2, factor, term);
    c3 = Fma(d, c3, factor, term);
    c4 = Fma(d, c4, factor, term);
    c5 = Fma(d, c5, factor, term);
    c6 = Fma(d, c6, factor, term);
    c7 = Fma(d, c7, factor, term);
    c8 = Fma(d, c8, factor, term);
    c9 = Fma(d, c9, factor, term);
    c10 = Fma(d, c10, factor, term);
    c11 = Fma(d, c11, factor, term);
  }
  const auto sum = hn::Add(hn::Add(hn::Add(hn::Add(c0, c1), hn::Add(c2, c3)), hn::Add(c4, c5)),
                           hn::Add(hn::Add(c6, c7), hn::Add(hn::Add(c8, c9), hn::Add(c10, c11))));
  *sink = hn::GetLane(sum);
  return 12.0 * 2.0 * static_cast<double>(hn::Lanes(d)) * static_cast<double>(steps);
}

double fma_chains_float(std::int64_t steps, float* sink) { return fma_chains(steps, sink); }
double fma_chains_double(std::int64_t steps, double* sink) { return fma_chains(steps, sink); }

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {
namespace {

HWY_EXPORT(fma_chains_float);
HWY_EXPORT(fma_chains_double);

template <class T>
void fma_peak(benchmark::State& state) {
  const int threads = static_cast<int>(state.range(0));
  double flops = 0;
  for (auto _ : state) {
#pragma omp parallel num_threads(threads) reduction(+ : flops)
    {
      T sink;
      if constexpr (sizeof(T) == 4) {
        flops += HWY_DYNAMIC_DISPATCH(fma_chains_float)(1 << 20, &sink);
      } else {
        flops += HWY_DYNAMIC_DISPATCH(fma_chains_double)(1 << 20, &sink);
      }
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
#endif  // HWY_ONCE

#include "cpu/machine_limits.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/machine_limits.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// 12 chains hide a latency of 4 cycles on up to 3 units, and fit 16 registers.
template <class T>
double Chains(std::int64_t steps, T* sink) {
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

double ChainsFloat(std::int64_t steps, float* sink) { return Chains(steps, sink); }
double ChainsDouble(std::int64_t steps, double* sink) { return Chains(steps, sink); }

void Triad(double* HWY_RESTRICT a, const double* HWY_RESTRICT b, const double* HWY_RESTRICT c,
           Index size) {
  const hn::ScalableTag<double> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const auto factor = hn::Set(d, 3);
  Index i = 0;
  for (; i + lanes <= size; i += lanes) {
    hn::StoreU(Fma(d, hn::LoadU(d, c + i), factor, hn::LoadU(d, b + i)), d, a + i);
  }
  for (; i < size; ++i) a[i] = b[i] + 3 * c[i];
}

double Sum(const double* HWY_RESTRICT x, Index size) {
  const hn::ScalableTag<double> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
  Index i = 0;
  for (; i + 8 * lanes <= size; i += 8 * lanes) {
    s0 = hn::Add(s0, hn::LoadU(d, x + i));
    s1 = hn::Add(s1, hn::LoadU(d, x + i + lanes));
    s2 = hn::Add(s2, hn::LoadU(d, x + i + 2 * lanes));
    s3 = hn::Add(s3, hn::LoadU(d, x + i + 3 * lanes));
    s4 = hn::Add(s4, hn::LoadU(d, x + i + 4 * lanes));
    s5 = hn::Add(s5, hn::LoadU(d, x + i + 5 * lanes));
    s6 = hn::Add(s6, hn::LoadU(d, x + i + 6 * lanes));
    s7 = hn::Add(s7, hn::LoadU(d, x + i + 7 * lanes));
  }
  const auto all =
      hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), hn::Add(hn::Add(s4, s5), hn::Add(s6, s7)));
  double sum = hn::GetLane(hn::SumOfLanes(d, all));
  for (; i < size; ++i) sum += x[i];
  return sum;
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "core/parallel.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/machine_limits.hpp"

namespace tandem::cpu {

HWY_EXPORT(ChainsFloat);
HWY_EXPORT(ChainsDouble);
HWY_EXPORT(Triad);
HWY_EXPORT(Sum);

double fma_chains(std::int64_t steps, float* sink) {
  return HWY_DYNAMIC_DISPATCH(ChainsFloat)(steps, sink);
}
double fma_chains(std::int64_t steps, double* sink) {
  return HWY_DYNAMIC_DISPATCH(ChainsDouble)(steps, sink);
}
void triad(double* a, const double* b, const double* c, Index size) {
  HWY_DYNAMIC_DISPATCH(Triad)(a, b, c, size);
}
double sum_quickly(const double* x, Index size) { return HWY_DYNAMIC_DISPATCH(Sum)(x, size); }

}  // namespace tandem::cpu

namespace tandem {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The most of `what`, an amount of work that a call of f returns, per second, over calls that
// together take `seconds`.
template <class F>
double best_rate(double seconds, F&& f) {
  double best = 0;
  const double end = now() + seconds;
  do {
    const double from = now();
    const double work = f();
    const double took = now() - from;
    if (took > 0) best = std::max(best, work / took);
  } while (now() < end);
  return best;
}

// body(member) once for each of the threads.
template <class F>
void on_each(int threads, F&& body) {
  parallel_for(threads, threads, [&](Index member) { body(static_cast<int>(member)); });
}

template <class T>
double fma_rate(int threads, double seconds) {
  constexpr std::int64_t steps = 1 << 18;
  std::vector<T> sinks(static_cast<std::size_t>(threads) * 64);
  std::vector<double> done(static_cast<std::size_t>(threads) * 8);
  const double rate = best_rate(seconds, [&] {
    on_each(threads, [&](int member) {
      const auto at = static_cast<std::size_t>(member);
      done[at * 8] = cpu::fma_chains(steps, &sinks[at * 64]);
    });
    double all = 0;
    for (int member = 0; member < threads; ++member)
      all += done[static_cast<std::size_t>(member) * 8];
    return all;
  });
  // The values are looked at, so that they have to be computed.
  return sinks[0] == static_cast<T>(-1) ? 0 : rate;
}

double triad_rate(int threads, double seconds) {
  constexpr Index size = Index{1} << 23;
  std::vector<double> a(size, 0);
  std::vector<double> b(size, 1);
  std::vector<double> c(size, 2);
  return best_rate(seconds, [&] {
    on_each(threads, [&](int member) {
      const Index from = size * member / threads;
      const Index to = size * (member + 1) / threads;
      cpu::triad(a.data() + from, b.data() + from, c.data() + from, to - from);
    });
    return 3.0 * static_cast<double>(size * static_cast<Index>(sizeof(double)));
  });
}

double read_rate(Index bytes, double seconds) {
  const Index size = bytes / static_cast<Index>(sizeof(double));
  const std::vector<double> x(static_cast<std::size_t>(size), 1);
  const Index times = std::max<Index>(1, (Index{1} << 22) / bytes);
  double sum = 0;
  const double rate = best_rate(seconds, [&] {
    for (Index i = 0; i < times; ++i) sum += cpu::sum_quickly(x.data(), size);
    return static_cast<double>(times) * static_cast<double>(bytes);
  });
  return sum < 0 ? 0 : rate;
}

double wake_time(int threads, double seconds) {
  if (threads <= 1) return 0;
  const double rate = best_rate(seconds, [&] {
    constexpr int calls = 32;
    for (int i = 0; i < calls; ++i) on_each(threads, [](int) {});
    return static_cast<double>(calls);
  });
  return rate > 0 ? 1 / rate : 0;
}

}  // namespace

MachineLimits measure_machine(int threads, double seconds) {
  if (threads < 1) throw InputError("expected 1 thread or more to measure the machine with");
  MachineLimits limits;
  limits.threads = threads;
  limits.flops_float32 = fma_rate<float>(threads, seconds);
  limits.flops_float64 = fma_rate<double>(threads, seconds);
  limits.memory_bytes = triad_rate(threads, seconds);
  for (Index bytes = Index{16} << 10; bytes <= (Index{64} << 20); bytes *= 4) {
    limits.cache_bytes.emplace_back(bytes, read_rate(bytes, seconds / 2));
  }
  limits.wake_seconds = wake_time(threads, seconds / 2);
  return limits;
}

}  // namespace tandem

#endif  // HWY_ONCE

// Ten iterations of Lloyd's algorithm from given centres, with everything that fit_kmeans does
// around them, and one assignment of all rows by itself.
//
// Counters: flops and bytes per second that the method needs at least, by kmeans_assign_cost for
// each of the 11 assignments of ten iterations; iterations in which rows are skipped need fewer, so
// that flops may exceed the peak of the fma units. That peak: fma_peak of tandem_core_bench.
#include <benchmark/benchmark.h>

#include "core/cluster/kmeans_steps.hpp"
#include "tandem/cluster/kmeans.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/random.hpp"

namespace tandem {
namespace {

struct Size {
  Index rows;
  Index features;
  Index clusters;
};
constexpr Size sizes[] = {{1000000, 16, 16}, {200000, 64, 64}, {100000, 128, 256}};

// Overlapping clusters, so that ten iterations do not reach the end: normal noise around `clusters`
// normal points.
Matrix<float> made_rows(const Size& size) {
  const Random random(1, Purpose::generated_value);
  Matrix<float> x(size.rows, size.features);
  for (Index i = 0; i < size.rows; ++i) {
    const auto group =
        static_cast<std::uint64_t>(random.below(size.clusters, static_cast<std::uint64_t>(i)));
    for (Index j = 0; j < size.features; ++j) {
      const auto at = static_cast<std::uint64_t>(j);
      const auto width = static_cast<std::uint64_t>(size.features);
      x(i, j) = static_cast<float>(
          random.normal((1U << 28) + group * width + at) +
          random.normal((1U << 30) + static_cast<std::uint64_t>(i) * width + at));
    }
  }
  return x;
}

KMeansOptions<float> options_for(const Size& size, const Matrix<float>& x) {
  KMeansOptions<float> options;
  options.clusters = size.clusters;
  options.init = KMeansInit::given;
  options.centres = Matrix<float>(size.clusters, size.features,
                                  {x.data(), x.data() + size.clusters * size.features});
  options.max_iterations = 10;
  options.tolerance = 0;
  return options;
}

void report(benchmark::State& state, const Size& size, Index assignments) {
  const KMeansCost cost =
      kmeans_assign_cost(size.rows, size.features, size.clusters, sizeof(float));
  using benchmark::Counter;
  const auto times = static_cast<double>(assignments);
  state.counters["flops"] =
      Counter(times * cost.flops, Counter::kIsIterationInvariantRate, Counter::kIs1000);
  state.counters["bytes"] =
      Counter(times * cost.bytes, Counter::kIsIterationInvariantRate, Counter::kIs1000);
}

void ten_iterations(benchmark::State& state) {
  const Size& size = sizes[state.range(0)];
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(1))});
  const Matrix<float> x = made_rows(size);
  const KMeansOptions<float> options = options_for(size, x);
  for (auto _ : state) {
    if (fit_kmeans<float>(*engine, x.view(), options).log.iterations != 10) {
      state.SkipWithError("fewer than ten iterations");
    }
  }
  report(state, size, 11);
  state.SetLabel(std::to_string(size.rows) + " x " + std::to_string(size.features) +
                 ", k = " + std::to_string(size.clusters));
}

// The first assignment of a start: every row is scored and added to a sum.
void assign(benchmark::State& state) {
  const Size& size = sizes[state.range(0)];
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(1))});
  const Matrix<float> x = made_rows(size);
  const auto steps = make_steps<KMeansSteps, float>(*engine);
  const std::vector<float> origin(static_cast<std::size_t>(size.features), 1.0F);
  (void)steps->load(x.view(), {}, origin);
  const Buffer<float> centres = to_engine(*engine, options_for(size, x).centres.values());
  for (auto _ : state) {
    steps->begin(size.clusters);
    steps->assign(centres);
    engine->wait();
  }
  report(state, size, 1);
}

void for_sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"size", "threads"})
      ->ArgsProduct({{0, 1, 2}, {1, 2}})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime()
      ->MeasureProcessCPUTime();
}
BENCHMARK(ten_iterations)->Apply(for_sizes);
BENCHMARK(assign)->Apply(for_sizes);

}  // namespace
}  // namespace tandem

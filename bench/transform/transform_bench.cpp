// Fitting and applying transforms to n rows of 28 numeric columns. Arguments: n, threads. Bytes:
// the table read once by each pass and written once; standardising reads it four times (range and
// count, mean, deviation, transform), and a copy of it is made for each repetition outside the
// timing.
//
// scikit-learn on the same data: bench/metrics/sklearn_metrics.py.
#include <benchmark/benchmark.h>

#include <array>
#include <limits>
#include <memory>
#include <vector>

#include "core/random.hpp"
#include "tandem/transform/chain.hpp"

namespace tandem {
namespace {

constexpr Index cols = 28;

// Step, option, value.
using Settings = std::vector<std::array<const char*, 3>>;

std::vector<std::unique_ptr<TransformStep>> steps_with(const Settings& settings) {
  auto steps = standard_steps();
  for (const auto& [name, option, value] : settings) {
    for (const auto& step : steps) {
      if (step->name() == name) step->set(option, value);
    }
  }
  return steps;
}

template <Real T>
void fit_transform(benchmark::State& state, const Settings& settings, double missing) {
  const Index rows = state.range(0);
  Dataset<T> data;
  data.source = "generated";
  data.columns = numbered_columns(cols);
  data.features = Matrix<T>(rows, cols);
  const Random random(1, Purpose::test);
  for (std::size_t i = 0; i < data.features.values().size(); ++i) {
    T value = random.uniform<T>(i) * T{10} + T{3};
    if (missing > 0 && random.uniform(i + (std::uint64_t{1} << 40)) < missing) {
      value = std::numeric_limits<T>::quiet_NaN();
    }
    data.features.values()[i] = value;
  }
  const auto steps = steps_with(settings);
  for (auto _ : state) {
    state.PauseTiming();
    Dataset<T> copy = data;
    state.ResumeTiming();
    const auto chain =
        TransformChain<T>::fit(copy, steps, Task::clustering, static_cast<int>(state.range(1)));
    benchmark::DoNotOptimize(copy.features.data());
  }
  state.SetItemsProcessed(state.iterations() * rows);
  state.SetBytesProcessed(state.iterations() * rows * cols * static_cast<Index>(5 * sizeof(T)));
}

void standardise(benchmark::State& state) {
  fit_transform<float>(state, {{"scale", "method", "standard"}}, 0);
}
void impute_and_standardise(benchmark::State& state) {
  fit_transform<float>(state, {{"scale", "method", "standard"}, {"impute", "method", "mean"}},
                       0.05);
}
void clip_by_quartiles(benchmark::State& state) {
  fit_transform<float>(state, {{"outliers", "method", "iqr"}, {"outliers", "action", "clip"}}, 0);
}

BENCHMARK(standardise)
    ->Args({1'000'000, 1})
    ->Args({1'000'000, 2})
    ->ArgNames({"rows", "threads"})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(impute_and_standardise)
    ->Args({1'000'000, 1})
    ->Args({1'000'000, 2})
    ->ArgNames({"rows", "threads"})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(clip_by_quartiles)
    ->Args({1'000'000, 1})
    ->Args({1'000'000, 2})
    ->ArgNames({"rows", "threads"})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace tandem

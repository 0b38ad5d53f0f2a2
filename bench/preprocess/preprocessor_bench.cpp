// Fitting and applying preprocessing to n rows of 28 numeric columns. Arguments: n, threads. Bytes:
// the table read once by each pass and written once; standardising reads it four times (range and
// count, mean, deviation, transform), and a copy of it is made for each repetition outside the
// timing.
//
// scikit-learn on the same data: bench/metrics/sklearn_metrics.py.
#include <benchmark/benchmark.h>

#include <limits>

#include "tandem/core/random.hpp"
#include "tandem/preprocess/preprocessor.hpp"

namespace tandem {
namespace {

constexpr Index cols = 28;

template <Real T>
void fit_transform(benchmark::State& state, const PreprocessOptions& options, double missing) {
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
  for (auto _ : state) {
    state.PauseTiming();
    Dataset<T> copy = data;
    state.ResumeTiming();
    auto fitted =
        Preprocessor<T>::fit_transform(std::move(copy), options, static_cast<int>(state.range(1)));
    benchmark::DoNotOptimize(fitted.data.features.data());
  }
  state.SetItemsProcessed(state.iterations() * rows);
  state.SetBytesProcessed(state.iterations() * rows * cols * static_cast<Index>(5 * sizeof(T)));
}

void standardise(benchmark::State& state) {
  fit_transform<float>(state, {.scale = Scale::standard}, 0);
}
void impute_and_standardise(benchmark::State& state) {
  fit_transform<float>(state, {.scale = Scale::standard, .impute = Impute::mean}, 0.05);
}
void clip_by_quartiles(benchmark::State& state) {
  fit_transform<float>(state, {.outliers = Outliers::iqr, .outlier_action = OutlierAction::clip},
                       0);
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

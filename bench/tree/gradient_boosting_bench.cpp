// Boosted trees: growing them, and predicting with them. `updates` are additions to histograms that
// the trees grown ask for with siblings by subtraction, `bytes` the words, row numbers and bins
// read for them (core/tree/gradient_boosting_steps.hpp).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>

#include "core/tree/gradient_boosting_steps.hpp"
#include "core/tree/tree_ensemble_steps.hpp"
#include "tandem/tree/binned_table.hpp"
#include "tandem/tree/gradient_boosting.hpp"
#include "tree/overlapping_rows.hpp"

namespace tandem {
namespace {

// Rows of the nodes that histograms were built from their rows for: the smaller of two siblings,
// and the root. Covers are rows where Hessians are 1.
template <Real T>
double rows_added(const TreeEnsemble<T>& trees, double rows) {
  double sum = 0;
  for (const auto& tree : trees.trees) {
    sum += rows;
    const double unit = tree.cover[0] / rows;
    for (std::size_t i = 0; i < tree.feature.size(); ++i) {
      if (tree.feature[i] < 0) continue;
      const auto left = static_cast<std::size_t>(tree.left[i]);
      const auto right = static_cast<std::size_t>(tree.right[i]);
      sum += std::min(tree.cover[left], tree.cover[right]) / unit;
    }
  }
  return sum;
}

void grow(benchmark::State& state, bool classes, Index depth, Index leaves) {
  const auto data = overlapping_rows<float>(state.range(0), state.range(1), classes);
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(2))});
  GradientBoostingOptions options;
  options.rounds = 20;
  options.max_depth = depth;
  options.max_leaves = leaves;
  options.grow_policy = leaves > 0 ? GrowPolicy::lossguide : GrowPolicy::depthwise;
  double added = 0;
  for (auto _ : state) {
    const auto model = fit(*engine, data, options);
    added = rows_added(model.trees, static_cast<double>(data.rows()));
  }
  const auto iterations = static_cast<double>(state.iterations());
  const auto features = static_cast<double>(data.cols());
  const auto stride = static_cast<double>(binned_stride(data.cols()));
  state.counters["updates"] = benchmark::Counter(
      tree::histogram_updates(added, features) * iterations, benchmark::Counter::kIsRate);
  state.counters["bytes"] = benchmark::Counter(tree::histogram_bytes(added, stride) * iterations,
                                               benchmark::Counter::kIsRate);
}

void logistic_depth_6(benchmark::State& state) { grow(state, true, 6, 0); }
void logistic_255_leaves(benchmark::State& state) { grow(state, true, 0, 255); }
void squared_error_depth_6(benchmark::State& state) { grow(state, false, 6, 0); }

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "features", "threads"})
      ->Args({100000, 28, 1})
      ->Args({100000, 28, 2})
      ->Unit(benchmark::kMillisecond)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}
BENCHMARK(logistic_depth_6)->Apply(sizes)->Args({1000000, 28, 2});
BENCHMARK(logistic_255_leaves)->Apply(sizes);
BENCHMARK(squared_error_depth_6)->Apply(sizes);

void bin_table(benchmark::State& state) {
  const auto data = overlapping_rows<float>(state.range(0), state.range(1), true);
  const auto threads = static_cast<int>(state.range(2));
  const auto engine = Engine::create({.threads = threads});
  for (auto _ : state) {
    const auto cuts = make_bin_cuts(data.features.view(), std::span<const float>(), 255, threads);
    benchmark::DoNotOptimize(bin_rows(*engine, data.features.view(), cuts));
  }
  state.counters["values"] = benchmark::Counter(
      static_cast<double>(data.features.size() * state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(bin_table)->Apply(sizes);

// 300 trees of depth 6 on 48 features; per row of a batch, and single rows.
void predict(benchmark::State& state) {
  const auto data = overlapping_rows<float>(5000, 48, true);
  GradientBoostingOptions options;
  options.rounds = 300;
  const auto engine = Engine::create({.threads = 1});
  const auto model = fit(*engine, data, options);
  const auto on_engine = tree::to_engine(*engine, model.trees);
  const auto steps = make_steps<tree::TreeEnsembleSteps, float>(*engine);
  const Index rows = state.range(0);
  Buffer<float> x(*engine, rows * 48);
  x.upload({data.features.data(), static_cast<std::size_t>(x.size())});
  Buffer<float> scores(*engine, rows);
  for (auto _ : state) {
    steps->set_base(on_engine, rows, scores);
    steps->add_trees(on_engine, 0, on_engine.trees, x, rows, scores);
  }
  state.counters["rows"] = benchmark::Counter(static_cast<double>(rows * state.iterations()),
                                              benchmark::Counter::kIsRate);
}
BENCHMARK(predict)->ArgName("rows")->Arg(1)->Arg(5000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tandem

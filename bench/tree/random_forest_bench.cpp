// Forests: growing them, judging them by the rows that trees have not drawn, and predicting.
// `values` are those that nodes look at: the rows of each node times the features that it looks at.
#include <benchmark/benchmark.h>

#include <cmath>
#include <utility>

#include "tandem/tree/isolation_forest.hpp"
#include "tandem/tree/random_forest.hpp"
#include "tree/overlapping_rows.hpp"

namespace tandem {
namespace {

constexpr Index trees_grown = 10;

// Rows of the nodes that are split, each once: where rows are drawn, covers count draws, and a tree
// has 1 − 1/e of the rows that they are of.
template <Real T>
double rows_searched(const TreeEnsemble<T>& trees, bool draws) {
  double rows = 0;
  for (const auto& tree : trees.trees) {
    for (std::size_t i = 0; i < tree.feature.size(); ++i) {
      if (tree.feature[i] >= 0) rows += tree.cover[i];
    }
  }
  return draws ? rows * (1 - std::exp(-1.0)) : rows;
}

template <Real T>
void count(benchmark::State& state, const TreeEnsemble<T>& trees, double values) {
  double nodes = 0;
  for (const auto& tree : trees.trees) nodes += static_cast<double>(tree.size());
  state.counters["values"] = benchmark::Counter(values * static_cast<double>(state.iterations()),
                                                benchmark::Counter::kIsRate);
  state.counters["nodes"] = nodes / static_cast<double>(trees.trees.size());
}

template <ForestKind kind>
void grow(benchmark::State& state, bool classes, TreeSplitter splitter, bool out_of_bag) {
  const auto data = overlapping_rows<float>(state.range(0), state.range(1), classes);
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(2))});
  ForestOptions<kind> options;
  options.task = classes ? TaskChoice::classification : TaskChoice::regression;
  options.trees = trees_grown;
  options.splitter = splitter;
  options.oob_score = out_of_bag;
  TreeEnsemble<float> trees;
  for (auto _ : state) trees = fit(*engine, data, options).trees;
  const auto cols = static_cast<double>(data.cols());
  const double features = classes ? std::floor(std::sqrt(cols)) : cols;
  count(state, trees, features * rows_searched(trees, options.bootstrap));
}

void random_forest_classes(benchmark::State& state, TreeSplitter splitter, bool out_of_bag) {
  grow<ForestKind::random_forest>(state, true, splitter, out_of_bag);
}
void random_forest_values(benchmark::State& state, TreeSplitter splitter) {
  grow<ForestKind::random_forest>(state, false, splitter, false);
}
void extra_trees_classes(benchmark::State& state) {
  grow<ForestKind::extra_trees>(state, true, TreeSplitter::exact, false);
}
void extra_trees_values(benchmark::State& state) {
  grow<ForestKind::extra_trees>(state, false, TreeSplitter::exact, false);
}

void isolation_forest(benchmark::State& state) {
  const auto data = overlapping_rows<float>(state.range(0), state.range(1), false);
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(2))});
  TreeEnsemble<float> trees;
  for (auto _ : state) trees = fit(*engine, data, IsolationForestOptions{}).trees;
  count(state, trees, rows_searched(trees, false));
}

void sizes(benchmark::internal::Benchmark* benchmark, Index rows) {
  benchmark->ArgNames({"rows", "features", "threads"})
      ->Args({rows, 28, 1})
      ->Args({rows, 28, 2})
      ->Unit(benchmark::kMillisecond)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}
void large(benchmark::internal::Benchmark* benchmark) { sizes(benchmark, 100000); }
void small(benchmark::internal::Benchmark* benchmark) { sizes(benchmark, 20000); }
BENCHMARK_CAPTURE(random_forest_classes, exact, TreeSplitter::exact, false)->Apply(large);
BENCHMARK_CAPTURE(random_forest_classes, histogram, TreeSplitter::histogram, false)->Apply(large);
BENCHMARK_CAPTURE(random_forest_classes, out_of_bag, TreeSplitter::exact, true)->Apply(large);
BENCHMARK_CAPTURE(random_forest_values, exact, TreeSplitter::exact)->Apply(small);
BENCHMARK_CAPTURE(random_forest_values, histogram, TreeSplitter::histogram)->Apply(small);
BENCHMARK(extra_trees_classes)->Apply(large);
BENCHMARK(extra_trees_values)->Apply(small);
BENCHMARK(isolation_forest)->Apply(large);

// Predictions of a model that stands ready, of a batch and of single rows; `rows` per second.
template <class Model>
void predict(benchmark::State& state, const Model& model, Engine& engine,
             const Dataset<float>& data) {
  const Index rows = state.range(0);
  const auto ready = model.ready_on(engine);
  const MatrixView<const float> x{data.features.data(), rows, data.cols(), data.cols()};
  for (auto _ : state) benchmark::DoNotOptimize(ready->predict(x));
  state.counters["rows"] = benchmark::Counter(static_cast<double>(rows * state.iterations()),
                                              benchmark::Counter::kIsRate);
}

void random_forest_predict(benchmark::State& state) {
  const auto data = overlapping_rows<float>(20000, 28, true);
  const auto engine = Engine::create({.threads = 1});
  RandomForestOptions options;
  options.task = TaskChoice::classification;
  predict(state, fit(*engine, data, options), *engine, data);
}
void isolation_forest_predict(benchmark::State& state) {
  const auto data = overlapping_rows<float>(20000, 28, false);
  const auto engine = Engine::create({.threads = 1});
  predict(state, fit(*engine, data, IsolationForestOptions{}), *engine, data);
}
BENCHMARK(random_forest_predict)
    ->ArgName("rows")
    ->Arg(1)
    ->Arg(20000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(isolation_forest_predict)
    ->ArgName("rows")
    ->Arg(1)
    ->Arg(20000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tandem

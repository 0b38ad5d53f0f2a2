// Forests: growing them. `values` are those that nodes gather, sort and score: the rows of each
// node times the features that it looks at.
#include <benchmark/benchmark.h>

#include <cmath>

#include "core/random.hpp"
#include "tandem/tree/random_forest.hpp"

namespace tandem {
namespace {

template <Real T>
Dataset<T> overlapping(Index rows, Index cols, bool classes) {
  const Random random(1, Purpose::test);
  Dataset<T> data;
  data.source = "generated";
  data.features = Matrix<T>(rows, cols);
  data.columns = numbered_columns(cols);
  data.target_column.name = "y";
  std::uint64_t next = 0;
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) {
      data.features(i, j) = static_cast<T>(2 * random.uniform(next++) - 1);
    }
    const auto x = data.features.row(i);
    const double score =
        static_cast<double>(x[0] * x[1] + x[2] - std::fabs(x[3])) + random.uniform(next++) - 0.5;
    data.target.push_back(static_cast<T>(classes ? (score > 0 ? 1 : 0) : score));
  }
  return data;
}

template <ForestKind kind>
void grow(benchmark::State& state, bool classes) {
  const auto data = overlapping<float>(state.range(0), state.range(1), classes);
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(2))});
  ForestOptions<kind> options;
  options.task = classes ? TaskChoice::classification : TaskChoice::regression;
  options.trees = 10;
  double values = 0;
  double nodes = 0;
  for (auto _ : state) {
    const auto model = fit(*engine, data, options);
    values = 0;
    nodes = 0;
    const auto cols = static_cast<double>(data.cols());
    const double features = classes ? std::floor(std::sqrt(cols)) : cols;
    for (const auto& tree : model.trees.trees) {
      nodes += static_cast<double>(tree.size());
      for (std::size_t i = 0; i < tree.feature.size(); ++i) {
        // Covers count draws; a root's draws are 1 / (1 − 1/e) of its rows where rows are drawn.
        if (tree.feature[i] >= 0) values += tree.cover[i] * features;
      }
    }
    if (options.bootstrap) values *= 1 - std::exp(-1.0);
  }
  state.counters["values"] = benchmark::Counter(values * static_cast<double>(state.iterations()),
                                                benchmark::Counter::kIsRate);
  state.counters["nodes"] = nodes / static_cast<double>(options.trees);
}

void random_forest_classes(benchmark::State& state) {
  grow<ForestKind::random_forest>(state, true);
}
void random_forest_values(benchmark::State& state) {
  grow<ForestKind::random_forest>(state, false);
}
void extra_trees_classes(benchmark::State& state) { grow<ForestKind::extra_trees>(state, true); }

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const int threads : {1, 2}) benchmark->Args({100000, 28, threads});
}
BENCHMARK(random_forest_classes)->Apply(sizes);
BENCHMARK(extra_trees_classes)->Apply(sizes);
BENCHMARK(random_forest_values)->Args({20000, 28, 1})->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace tandem

// Shapley values of random trees of depth 6, and scores of single rows. `rows` are rows per second;
// `flops` counts what shap_cost() does.
#include <benchmark/benchmark.h>

#include <utility>

#include "core/random.hpp"
#include "core/tree/tree_shap_steps.hpp"
#include "tandem/tree/tree_scorer.hpp"
#include "tandem/tree/tree_shap.hpp"

namespace tandem {
namespace {

constexpr Index depth = 6;

TreeEnsemble<float> grown(Index trees, Index features) {
  const Random random(1, Purpose::test);
  std::uint64_t next = 0;
  TreeEnsemble<float> ensemble;
  ensemble.features = features;
  ensemble.base = {0};
  constexpr Index inner = (Index{1} << depth) - 1;
  for (Index t = 0; t < trees; ++t) {
    EnsembleTree<float> tree;
    for (Index i = 0; i < 2 * inner + 1; ++i) {
      const auto value = static_cast<float>(random.normal(next++));
      tree.add_leaf(value, 1 + random.uniform(next++));
    }
    for (Index i = 0; i < inner; ++i) {
      const auto feature = static_cast<std::int32_t>(random.below(features, next++));
      tree.split(i, feature, static_cast<float>(random.normal(next++)), 2 * i + 1, 2 * i + 2,
                 i % 2 == 0);
    }
    ensemble.trees.push_back(std::move(tree));
  }
  return ensemble;
}

Matrix<float> rows_of(Index rows, Index features) {
  const Random random(2, Purpose::test);
  Matrix<float> x(rows, features);
  for (Index e = 0; e < x.size(); ++e) {
    x.values()[static_cast<std::size_t>(e)] =
        static_cast<float>(random.normal(static_cast<std::uint64_t>(e)));
  }
  return x;
}

void count_rows(benchmark::State& state, double rows) {
  state.counters["rows"] = benchmark::Counter(rows * static_cast<double>(state.iterations()),
                                              benchmark::Counter::kIsRate);
}

void shapley_values(benchmark::State& state) {
  const Index features = state.range(1);
  const auto trees = grown(100, features);
  const auto x = rows_of(state.range(0), features);
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(2))});
  for (auto _ : state) benchmark::DoNotOptimize(shap_values(*engine, trees, x.view()));
  const auto rows = static_cast<double>(x.rows());
  count_rows(state, rows);
  const auto cost = tree::shap_cost(rows, static_cast<double>(features), 1,
                                    100.0 * (Index{1} << depth), static_cast<double>(depth), 4);
  state.counters["flops"] = benchmark::Counter(cost.flops * static_cast<double>(state.iterations()),
                                               benchmark::Counter::kIsRate);
}

void shapley_interactions(benchmark::State& state) {
  const Index features = state.range(1);
  const auto trees = grown(100, features);
  const auto x = rows_of(state.range(0), features);
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(2))});
  for (auto _ : state) benchmark::DoNotOptimize(shap_interactions(*engine, trees, x.view()));
  count_rows(state, static_cast<double>(x.rows()));
}

void single_rows(benchmark::State& state) {
  const auto trees = grown(300, 48);
  const auto x = rows_of(1000, 48);
  const TreeScorer<float> scorer(trees);
  float score = 0;
  for (auto _ : state) {
    for (Index i = 0; i < x.rows(); ++i) {
      scorer.score(x.row(i), {&score, 1});
      benchmark::DoNotOptimize(score);
    }
  }
  count_rows(state, static_cast<double>(x.rows()));
}

BENCHMARK(shapley_values)
    ->ArgNames({"rows", "features", "threads"})
    ->Args({2000, 12, 1})
    ->Args({2000, 48, 1})
    ->Args({2000, 48, 2})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(shapley_interactions)
    ->ArgNames({"rows", "features", "threads"})
    ->Args({500, 12, 1})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(single_rows)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tandem

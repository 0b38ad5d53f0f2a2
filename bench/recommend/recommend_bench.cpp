// Steps of recommenders: half an iteration of ALS, the best items of many users, neighbours of
// items, a pass of BPR, weights of SLIM. Bytes and flops are those of the steps' cost functions.
//
// implicit on the same data: bench/recommend/against_implicit.py.
#include <benchmark/benchmark.h>

#include <vector>

#include "core/random.hpp"
#include "core/recommend/als_steps.hpp"
#include "core/recommend/bpr_schedule.hpp"
#include "core/recommend/top_items_steps.hpp"
#include "core/steps.hpp"
#include "tandem/recommend/item_knn.hpp"
#include "tandem/recommend/slim.hpp"

namespace tandem {
namespace {

// Users with items drawn by a long-tailed popularity.
Interactions drawn(Index users, Index items, Index each) {
  Interactions events;
  for (Index u = 0; u < users; ++u) events.users.push_back(std::to_string(10000000 + u));
  for (Index i = 0; i < items; ++i) events.items.push_back(std::to_string(10000000 + i));
  const Random random(1, Purpose::test);
  std::uint64_t at = 0;
  for (Index u = 0; u < users; ++u) {
    for (Index k = 0; k < each; ++k) {
      const double place = random.uniform(at++);
      events.user.push_back(static_cast<std::int32_t>(u));
      events.item.push_back(
          static_cast<std::int32_t>(place * place * place * static_cast<double>(items)));
    }
  }
  return events;
}

std::unique_ptr<Engine> one_thread() {
  EngineOptions options;
  options.threads = 1;
  return Engine::create(options);
}

std::vector<float> factors_of(Index rows, Index pitch) {
  const Random random(2, Purpose::test);
  std::vector<float> made(static_cast<std::size_t>(rows * pitch));
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i] = static_cast<float>(random.uniform(i) - 0.3) / static_cast<float>(1 + i % 7);
  }
  return made;
}

void als_half(benchmark::State& state) {
  const Index users = 10000;
  const Index items = 8000;
  const Index factors = state.range(0);
  const auto solver = static_cast<AlsSolver>(state.range(1));
  const auto engine = one_thread();
  const SparseMatrix<float> matrix = interaction_matrix<float>(drawn(users, items, 40));
  const AlsRatings<float> ratings{users, items, to_engine(*engine, matrix.offsets),
                                  to_engine(*engine, matrix.columns),
                                  to_engine(*engine, matrix.values)};
  const Index pitch = als_pitch(factors);
  const auto y = to_engine(*engine, factors_of(items, pitch));
  auto x = to_engine(*engine, factors_of(users, pitch));
  Buffer<float> gram(*engine, pitch * pitch);
  const auto steps = make_steps<AlsSteps, float>(*engine);
  for (auto _ : state) {
    steps->gram(y, items, factors, 0.01F, gram);
    benchmark::DoNotOptimize(steps->solve(ratings, y, gram, factors, solver, 3, x));
  }
  if (solver == AlsSolver::cg) {
    const Cost cost = als_cg_cost(users, matrix.size(), factors, 3, sizeof(float));
    state.counters["flop/s"] =
        benchmark::Counter(cost.flops, benchmark::Counter::kIsIterationInvariantRate);
    state.counters["bytes/s"] =
        benchmark::Counter(cost.bytes, benchmark::Counter::kIsIterationInvariantRate);
  }
}
BENCHMARK(als_half)
    ->Args({64, 0})
    ->Args({128, 0})
    ->Args({64, 1})
    ->ArgNames({"factors", "cholesky"})
    ->Unit(benchmark::kMillisecond);

void top_items(benchmark::State& state) {
  const Index users = 480;
  const Index items = 40000;
  const Index factors = 128;
  const auto engine = one_thread();
  const auto x = to_engine(*engine, factors_of(users, als_pitch(factors)));
  const auto y = to_engine(*engine, factors_of(items, als_pitch(factors)));
  TopItemsProblem<float> problem;
  problem.users = users;
  problem.items = items;
  problem.factors = factors;
  problem.user_factors = x.data();
  problem.item_factors = y.data();
  Buffer<std::int32_t> best(*engine, users * 10);
  Buffer<float> scores(*engine, users * 10);
  const auto steps = make_steps<TopItemsSteps, float>(*engine);
  for (auto _ : state) steps->top(problem, 10, best, scores);
  const Cost cost = top_items_cost(users, items, factors, sizeof(float));
  state.counters["flop/s"] =
      benchmark::Counter(cost.flops, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(top_items)->Unit(benchmark::kMillisecond);

void item_knn(benchmark::State& state) {
  const Interactions events = drawn(10000, 8000, 40);
  const auto engine = one_thread();
  ItemKnnOptions options;
  options.similarity = static_cast<KnnSimilarity>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(fit(*engine, {events}, options));
}
BENCHMARK(item_knn)->Arg(0)->Arg(1)->ArgName("jaccard")->Unit(benchmark::kMillisecond);

// One pass over 400,000 pairs.
void bpr_pass(benchmark::State& state) {
  const Index factors = state.range(0);
  const auto engine = one_thread();
  SparseMatrix<float> users = interaction_matrix<float>(drawn(10000, 8000, 40));
  const BprSchedule schedule = bpr_schedule(users, bpr_blocks(users.rows, users.cols, users.size()),
                                            BprNegatives::uniform, 1);
  BprOnEngine on_engine(*engine, schedule, users);
  auto x = to_engine(*engine, factors_of(users.rows, als_pitch(factors)));
  auto y = to_engine(*engine, factors_of(users.cols, als_pitch(factors)));
  auto biases = to_engine(*engine, std::vector<float>(static_cast<std::size_t>(users.cols), 0.0F));
  Buffer<std::int64_t> tally(*engine, 2);
  const auto steps = make_steps<BprSteps, float>(*engine);
  std::uint32_t pass = 0;
  for (auto _ : state) {
    steps->pass(on_engine.view(factors, 1, pass++), 0.01F, 0.999F, {x, y, biases}, tally);
  }
  const Cost cost = bpr_cost(users.size(), factors, sizeof(float));
  state.counters["flop/s"] =
      benchmark::Counter(cost.flops, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["bytes/s"] =
      benchmark::Counter(cost.bytes, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(bpr_pass)->Arg(64)->Arg(128)->ArgName("factors")->Unit(benchmark::kMillisecond);

void slim(benchmark::State& state) {
  const Interactions events = drawn(4000, 1500, 40);
  const auto engine = one_thread();
  for (auto _ : state) benchmark::DoNotOptimize(fit(*engine, {events}, SlimOptions{}));
}
BENCHMARK(slim)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tandem

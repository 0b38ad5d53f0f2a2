// Growing and applying decision trees. Bytes and operations are those that the trees grown ask for
// (core/tree/decision_tree_steps.hpp), not those that happened.
#include <benchmark/benchmark.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/tree/decision_tree_steps.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/tree/decision_tree.hpp"
#include "tree/overlapping_rows.hpp"

namespace tandem {
namespace {

template <Real T>
Dataset<T> overlapping(Index rows, Index cols, Index classes) {
  return overlapping_rows<T>(rows, cols, [&](double score) {
    return classes == 0 ? score
                        : std::floor(std::fmod(std::fabs(score) * 4, static_cast<double>(classes)));
  });
}

template <Real T>
Cost cost_of(const DecisionTreeModel<T>& model) {
  const auto& nodes = model.nodes;
  double searched = 0;
  double partitioned = 0;
  for (std::size_t i = 0; i < nodes.feature.size(); ++i) {
    if (nodes.feature[i] < 0) continue;
    const auto rows = static_cast<double>(nodes.rows[i]);
    searched += rows;
    const bool open = nodes.feature[static_cast<std::size_t>(nodes.left[i])] >= 0 ||
                      nodes.feature[static_cast<std::size_t>(nodes.right[i])] >= 0;
    if (open) partitioned += rows;
  }
  const auto features = static_cast<double>(model.features());
  const auto find = tree::find_splits_cost(searched, features);
  const auto apply = tree::apply_splits_cost(partitioned, features);
  const auto prepare = tree::prepare_cost<T>(static_cast<double>(nodes.rows[0]), features);
  return {find.bytes + apply.bytes + prepare.bytes, find.flops + apply.flops + prepare.flops};
}

template <Real T>
void grow(benchmark::State& state, TreeCriterion criterion, Index classes) {
  const auto data = overlapping<T>(state.range(0), state.range(1), classes);
  EngineOptions engine_options;
  engine_options.threads = static_cast<int>(state.range(2));
  const auto engine = Engine::create(engine_options);
  DecisionTreeOptions options;
  options.task = classes == 0 ? TaskChoice::regression : TaskChoice::classification;
  options.criterion = criterion;
  Cost cost;
  for (auto _ : state) {
    const auto model = fit(*engine, data, options);
    cost = cost_of(model);
    state.counters["nodes"] = static_cast<double>(model.nodes.size());
  }
  const auto iterations = static_cast<double>(state.iterations());
  state.counters["bytes"] =
      benchmark::Counter(cost.bytes * iterations, benchmark::Counter::kIsRate);
  state.counters["operations"] =
      benchmark::Counter(cost.flops * iterations, benchmark::Counter::kIsRate);
}

void entropy_of_two(benchmark::State& state) { grow<float>(state, TreeCriterion::entropy, 2); }
void entropy_of_two_double(benchmark::State& state) {
  grow<double>(state, TreeCriterion::entropy, 2);
}
void entropy_of_ten(benchmark::State& state) { grow<float>(state, TreeCriterion::entropy, 10); }
void gini_of_two(benchmark::State& state) { grow<float>(state, TreeCriterion::gini, 2); }
void squared_error(benchmark::State& state) { grow<float>(state, TreeCriterion::squared_error, 0); }

void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"rows", "features", "threads"})
      ->Args({100000, 28, 1})
      ->Args({100000, 28, 2})
      ->Unit(benchmark::kMillisecond)
      ->MeasureProcessCPUTime()
      ->UseRealTime();
}
BENCHMARK(entropy_of_two)->Apply(sizes)->Args({1000000, 28, 2});
BENCHMARK(entropy_of_two_double)->Apply(sizes);
BENCHMARK(entropy_of_ten)->Apply(sizes);
BENCHMARK(gini_of_two)->Apply(sizes);
BENCHMARK(squared_error)->Apply(sizes);

// A row reads one node of 21 bytes and one value per level.
void find_leaves(benchmark::State& state) {
  const auto data = overlapping<float>(state.range(0), state.range(1), 2);
  EngineOptions engine_options;
  engine_options.threads = static_cast<int>(state.range(2));
  const auto engine = Engine::create(engine_options);
  const auto model = fit(*engine, data, DecisionTreeOptions{});
  double visits = 0;
  for (const auto rows : model.nodes.rows) visits += static_cast<double>(rows);
  for (auto _ : state) benchmark::DoNotOptimize(model.apply(*engine, data.features.view()));
  state.counters["bytes"] = benchmark::Counter(
      visits * 25 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(find_leaves)->Apply(sizes);

// A whole fit on the software GPU. Its time is that of a simulation on this machine's processor and
// says nothing about a GPU; what is worth reading are the counters, which are the same on both: the
// bytes that its kernels move at least (each once per launch), beside those that the tree asks for,
// how well they are coalesced, and how many launches there are.
void softgpu_grow(benchmark::State& state, TreeCriterion criterion, Index classes) {
  std::unique_ptr<Engine> engine;
  try {
    engine = Engine::create({.device = Device::softgpu});
  } catch (const DeviceError& e) {
    state.SkipWithError(e.what());
    return;
  }
  const auto data = overlapping<float>(state.range(0), state.range(1), classes);
  DecisionTreeOptions options;
  options.task = classes == 0 ? TaskChoice::regression : TaskChoice::classification;
  options.criterion = criterion;
  options.max_depth = state.range(2);
  const software_gpu::Counting counting;
  Cost cost;
  for (auto _ : state) cost = cost_of(fit(*engine, data, options));
  const auto counters = nlohmann::ordered_json::parse(counting.counters());
  const auto fits = static_cast<double>(state.iterations());
  double bytes = 0;
  double sectors = 0;
  double ideal = 0;
  double launches = 0;
  for (const auto& kernel : counters.at("kernels")) {
    launches += kernel.at("launches").get<double>();
    bytes += kernel.at("touched").at("read_bytes").get<double>() +
             kernel.at("touched").at("written_bytes").get<double>();
    for (const char* access : {"load", "store"}) {
      sectors += kernel.at("global").at(access).at("sectors").get<double>();
      ideal += kernel.at("global").at(access).at("ideal_sectors").get<double>();
    }
  }
  state.counters["counted_bytes"] = bytes / fits;
  state.counters["bytes_per_stated"] = bytes / fits / cost.bytes;
  state.counters["sectors_per_ideal"] = sectors / ideal;
  state.counters["launches"] = launches / fits;
  state.SetLabel("simulated: the time is not a GPU's");
}
BENCHMARK_CAPTURE(softgpu_grow, entropy_of_two, TreeCriterion::entropy, 2)
    ->ArgNames({"rows", "features", "max_depth"})
    ->Args({20000, 8, 4})
    ->Args({20000, 8, 0})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(softgpu_grow, squared_error, TreeCriterion::squared_error, 0)
    ->ArgNames({"rows", "features", "max_depth"})
    ->Args({20000, 8, 4})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tandem

// One update of an optimiser, one pass over parameters, gradient and state.
#include <benchmark/benchmark.h>

#include "core/optim/optimizer_steps.hpp"
#include "tandem/optim/optimizer.hpp"

namespace tandem {
namespace {

template <Real T>
void update(benchmark::State& state, OptimizerMethod method) {
  const Index size = state.range(0);
  EngineOptions engine_options;
  engine_options.threads = static_cast<int>(state.range(1));
  const auto engine = Engine::create(engine_options);
  OptimizerOptions options;
  options.method = method;
  Optimizer<T> optimizer(*engine, options, size, 1);
  auto parameters =
      to_engine(*engine, std::vector<T>(static_cast<std::size_t>(size), static_cast<T>(0.5)));
  const auto gradient =
      to_engine(*engine, std::vector<T>(static_cast<std::size_t>(size), static_cast<T>(0.01)));
  for (auto _ : state) {
    optimizer.step(parameters, gradient);
    engine->wait();
  }
  const auto cost = optimizer_cost(method, size, sizeof(T));
  const auto rate = [](double value) {
    return benchmark::Counter(value, benchmark::Counter::kIsIterationInvariantRate,
                              benchmark::Counter::OneK::kIs1000);
  };
  state.counters["bytes"] = rate(cost.bytes);
  state.counters["flops"] = rate(cost.flops);
}

void update_float(benchmark::State& state, OptimizerMethod method) { update<float>(state, method); }
void update_double(benchmark::State& state, OptimizerMethod method) {
  update<double>(state, method);
}

// In cache, and beyond it.
void sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"size", "threads"})->Args({100000, 1})->Args({10000000, 1})->UseRealTime();
}
BENCHMARK_CAPTURE(update_float, gradient_descent, OptimizerMethod::gradient_descent)->Apply(sizes);
BENCHMARK_CAPTURE(update_float, nesterov, OptimizerMethod::nesterov)->Apply(sizes);
BENCHMARK_CAPTURE(update_float, rmsprop, OptimizerMethod::rmsprop)->Apply(sizes);
BENCHMARK_CAPTURE(update_float, adam, OptimizerMethod::adam)->Apply(sizes);
BENCHMARK_CAPTURE(update_double, adam, OptimizerMethod::adam)->Apply(sizes);

}  // namespace
}  // namespace tandem

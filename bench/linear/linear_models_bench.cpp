// Training linear models. Bytes and operations are those that the method asks for
// (core/linear/*_steps.hpp): what one pass must read times the number of passes.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/linear/least_squares_steps.hpp"
#include "core/linear/linear_steps.hpp"
#include "core/linear/normal_equations_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/linear/linear_regression.hpp"
#include "tandem/linear/logistic_regression.hpp"

namespace tandem {
namespace {

// Uniform features; classes 0: a number, else a class, that depends on all of them and on noise.
template <Real T>
Dataset<T> generated(Index rows, Index cols, Index classes) {
  const Random random(1, Purpose::test);
  Dataset<T> data;
  data.source = "generated";
  data.features = Matrix<T>(rows, cols);
  data.columns = numbered_columns(cols);
  data.target_column.name = "y";
  std::uint64_t next = 0;
  for (Index i = 0; i < rows; ++i) {
    double score = 0;
    for (Index j = 0; j < cols; ++j) {
      const double x = 2 * random.uniform(next++) - 1;
      data.features(i, j) = static_cast<T>(x);
      score += x * static_cast<double>(j % 5 - 2);
    }
    score += 4 * random.uniform(next++) - 2;
    if (classes > 0) {
      score = std::min(static_cast<double>(classes - 1),
                       std::max(0.0, std::floor(score / 2 + static_cast<double>(classes) / 2)));
    }
    data.target.push_back(static_cast<T>(score));
  }
  return data;
}

std::unique_ptr<Engine> engine_with(Index threads) {
  EngineOptions options;
  options.threads = static_cast<int>(threads);
  return Engine::create(options);
}

void count(benchmark::State& state, const Cost& cost, double passes) {
  state.counters["bytes"] =
      benchmark::Counter(passes * cost.bytes, benchmark::Counter::kIsIterationInvariantRate,
                         benchmark::Counter::OneK::kIs1000);
  state.counters["flops"] =
      benchmark::Counter(passes * cost.flops, benchmark::Counter::kIsIterationInvariantRate,
                         benchmark::Counter::OneK::kIs1000);
}

template <Real T, LinearSolver solver>
void closed_form(benchmark::State& state) {
  const auto data = generated<T>(state.range(0), state.range(1), 0);
  const auto engine = engine_with(state.range(2));
  for (auto _ : state) {
    benchmark::DoNotOptimize(fit(*engine, data, LinearRegressionOptions{.solver = solver}));
  }
  const Index columns = least_squares_columns(data.cols(), true);
  count(state,
        solver == LinearSolver::qr ? least_squares_cost(data.rows(), columns, sizeof(T))
                                   : normal_equations_cost(data.rows(), columns, sizeof(T)),
        1);
}

template <Real T>
void lbfgs(benchmark::State& state) {
  const auto data = generated<T>(state.range(0), state.range(1), state.range(3));
  const auto engine = engine_with(state.range(2));
  Index iterations = 0;
  for (auto _ : state) {
    iterations = fit(*engine, data, LogisticRegressionOptions{}).log.iterations;
  }
  const Index outputs = state.range(3) == 2 ? 1 : state.range(3);
  const auto cost = linear_pass_cost(outputs == 1 ? LinearLoss::logistic : LinearLoss::softmax,
                                     data.rows(), data.cols(), outputs, sizeof(T));
  // One evaluation per iteration, where no line search needs a second one, and one at the start.
  count(state, cost, static_cast<double>(iterations + 1));
  state.counters["iterations"] = static_cast<double>(iterations);
}

// One pass alone, the data already packed.
void pass(benchmark::State& state, LinearLoss loss) {
  using T = float;
  const Index n = state.range(0);
  const Index d = state.range(1);
  const auto engine = engine_with(state.range(2));
  const Index outputs = loss == LinearLoss::softmax ? 10 : 1;
  const auto data = generated<T>(n, d, loss == LinearLoss::squared ? 0 : outputs + 1);
  const auto steps = make_steps<LinearSteps, T>(*engine);
  PackedRows<T> packed(*engine, n, d, false);
  const RowMajorRows<T> rows{n, d, to_engine(*engine, data.features.values()),
                             to_engine(*engine, data.target), Buffer<T>()};
  steps->pack(rows, n, 0, packed);
  Buffer<double> parameters(*engine, outputs * (d + 1));
  parameters.fill_zero();
  Buffer<double> gradient(*engine, outputs * (d + 1));
  Buffer<double> cost(*engine, 1);
  cost.fill_zero();
  for (auto _ : state) {
    steps->pass(loss, packed, outputs, true, parameters, 1.0, gradient, cost);
    engine->wait();
  }
  count(state, linear_pass_cost(loss, n, d, outputs, sizeof(T)), 1);
}

// One pass on the software GPU. Its times are those of a simulation on this machine's processor and
// say nothing about a GPU; what is worth reading are the counters, which are the same on both:
// bytes and operations of the pass as the kernels' cost function states them (the tests hold the
// kernels to it), and how often the rows are read.
void softgpu_pass(benchmark::State& state, LinearLoss loss) {
  using T = float;
  const Index n = state.range(0);
  const Index d = state.range(1);
  const Index outputs = state.range(2);
  std::unique_ptr<Engine> engine;
  try {
    engine = Engine::create({.device = Device::softgpu});
  } catch (const DeviceError& e) {
    state.SkipWithError(e.what());
    return;
  }
  const auto data =
      generated<T>(n, d, loss == LinearLoss::squared ? 0 : std::max<Index>(2, outputs));
  const auto steps = make_steps<LinearSteps, T>(*engine);
  PackedRows<T> packed(*engine, n, d, false);
  const RowMajorRows<T> rows{n, d, to_engine(*engine, data.features.values()),
                             to_engine(*engine, data.target), Buffer<T>()};
  steps->pack(rows, n, 0, packed);
  Buffer<double> parameters(*engine, outputs * (d + 1));
  parameters.fill_zero();
  Buffer<double> gradient(*engine, outputs * (d + 1));
  Buffer<double> cost(*engine, 1);
  cost.fill_zero();
  for (auto _ : state) {
    steps->pass(loss, packed, outputs, true, parameters, 1.0, gradient, cost);
    engine->wait();
  }
  const software_gpu::Counting counting;
  steps->pass(loss, packed, outputs, true, parameters, 1.0, gradient, cost);
  engine->wait();
  double bytes = 0;
  double flops = 0;
  double sectors = 0;
  double ideal = 0;
  const auto counters = nlohmann::ordered_json::parse(counting.counters());
  for (const auto& kernel : counters.at("kernels")) {
    bytes += kernel.at("touched").at("read_bytes").get<double>() +
             kernel.at("touched").at("written_bytes").get<double>();
    for (const auto& of_type : kernel.at("flops")) flops += of_type.get<double>();
    for (const char* access : {"load", "store"}) {
      sectors += kernel.at("global").at(access).at("sectors").get<double>();
      ideal += kernel.at("global").at(access).at("ideal_sectors").get<double>();
    }
  }
  const Cost least = linear_pass_cost(loss, n, d, outputs, sizeof(T));
  state.counters["counted_bytes"] = bytes;
  state.counters["counted_flops"] = flops;
  state.counters["bytes_per_least"] = bytes / least.bytes;
  state.counters["sectors_per_ideal"] = sectors / ideal;
  state.SetLabel("simulated: the time is not a GPU's");
}

constexpr auto unit = benchmark::kMillisecond;
BENCHMARK_CAPTURE(softgpu_pass, squared, LinearLoss::squared)
    ->ArgNames({"rows", "cols", "outputs"})
    ->Args({16384, 28, 1})
    ->Args({16384, 300, 1})
    ->Iterations(1)
    ->Unit(unit);
BENCHMARK_CAPTURE(softgpu_pass, logistic, LinearLoss::logistic)
    ->ArgNames({"rows", "cols", "outputs"})
    ->Args({16384, 28, 1})
    ->Iterations(1)
    ->Unit(unit);
BENCHMARK_CAPTURE(softgpu_pass, softmax, LinearLoss::softmax)
    ->ArgNames({"rows", "cols", "outputs"})
    ->Args({16384, 13, 3})
    ->Args({16384, 64, 10})
    ->Iterations(1)
    ->Unit(unit);
void closed_form_sizes(benchmark::internal::Benchmark* of) {
  of->ArgNames({"rows", "cols", "threads"})
      ->Args({1000000, 28, 1})
      ->Args({1000000, 28, 2})
      ->Args({100000, 128, 1})
      ->UseRealTime()
      ->Unit(unit);
}
BENCHMARK(closed_form<float, LinearSolver::qr>)->Apply(closed_form_sizes);
BENCHMARK(closed_form<float, LinearSolver::cholesky>)->Apply(closed_form_sizes);
BENCHMARK(closed_form<double, LinearSolver::qr>)->Apply(closed_form_sizes);
BENCHMARK(closed_form<double, LinearSolver::cholesky>)->Apply(closed_form_sizes);
BENCHMARK(lbfgs<float>)
    ->ArgNames({"rows", "cols", "threads", "classes"})
    ->Args({1000000, 28, 1, 2})
    ->Args({1000000, 28, 2, 2})
    ->Args({100000, 64, 1, 10})
    ->UseRealTime()
    ->Unit(unit);
BENCHMARK_CAPTURE(pass, squared, LinearLoss::squared)
    ->ArgNames({"rows", "cols", "threads"})
    ->Args({1000000, 28, 1})
    ->Args({1000000, 28, 2})
    ->UseRealTime()
    ->Unit(unit);
BENCHMARK_CAPTURE(pass, logistic, LinearLoss::logistic)
    ->ArgNames({"rows", "cols", "threads"})
    ->Args({1000000, 28, 1})
    ->Args({20000, 28, 1})
    ->UseRealTime()
    ->Unit(unit);
BENCHMARK_CAPTURE(pass, softmax, LinearLoss::softmax)
    ->ArgNames({"rows", "cols", "threads"})
    ->Args({100000, 64, 1})
    ->UseRealTime()
    ->Unit(unit);

}  // namespace
}  // namespace tandem

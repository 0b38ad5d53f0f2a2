// One epoch of a 784-128-10 perceptron with Adam, batches of 128: the size of the MNIST digits.
//
// Counters: seconds of processor time per epoch, GFLOP/s and GB/s by mlp_batch_cost and
// optimizer_cost, and the share of the peak of one core's fma units, measured in the same run.
#include <benchmark/benchmark.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <vector>

#include "core/nn/mlp_network.hpp"
#include "core/optim/optimizer_steps.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/random.hpp"
#include "tandem/nn/mlp.hpp"

namespace tandem {
namespace {

constexpr Index rows = 60000;
constexpr Index features = 784;
constexpr Index hidden = 128;
constexpr Index classes = 10;
constexpr Index batch = 128;

const Dataset<float>& data() {
  static const Dataset<float> set = [] {
    Dataset<float> made;
    made.source = "random";
    made.columns = numbered_columns(features);
    made.features = Matrix<float>(rows, features);
    const Random random(1, Purpose::generated_value);
    std::uint64_t index = 0;
    for (float& value : made.features.values()) value = random.uniform<float>(index++);
    made.target_column.name = "y";
    for (Index i = 0; i < rows; ++i) {
      made.target.push_back(static_cast<float>(random.below(classes, index++)));
    }
    return made;
  }();
  return set;
}

MlpOptions options() {
  MlpOptions made;
  made.hidden = {hidden};
  made.batch_size = batch;
  made.epochs = 1;
  return made;
}

double epoch_flops() {
  double flops = 0;
  const Index batches = (rows + batch - 1) / batch;
  for (Index b = 0; b < batches; ++b) {
    const Index size = std::min(batch, rows - b * batch);
    flops += mlp_batch_cost({features, hidden, classes}, size, sizeof(float)).flops;
  }
  const Index parameters = (features + 1) * hidden + (hidden + 1) * classes;
  return flops + static_cast<double>(batches) *
                     optimizer_cost(OptimizerMethod::adam, parameters, sizeof(float)).flops;
}

double epoch_bytes() {
  const Index batches = (rows + batch - 1) / batch;
  const Index parameters = (features + 1) * hidden + (hidden + 1) * classes;
  return static_cast<double>(batches) *
         (mlp_batch_cost({features, hidden, classes}, batch, sizeof(float)).bytes +
          optimizer_cost(OptimizerMethod::adam, parameters, sizeof(float)).bytes);
}

void report(benchmark::State& state) {
  state.counters["flops"] = benchmark::Counter(
      epoch_flops(), benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
  state.counters["bytes"] = benchmark::Counter(
      epoch_bytes(), benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}

// Everything that fit_mlp does: checks, the upload, one epoch, the model.
void fit(benchmark::State& state) {
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(0))});
  RunControl control;
  const Dataset<float>& set = data();
  for (auto _ : state) {
    benchmark::DoNotOptimize(fit_mlp<float>(*engine, options(), set, nullptr, control));
  }
  report(state);
}
BENCHMARK(fit)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace tandem

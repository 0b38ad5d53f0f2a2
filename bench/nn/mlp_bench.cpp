// A 784-128-10 perceptron with Adam and batches of 128 over 60,000 rows: the size of the MNIST
// digits. Each line states flops and bytes per second by mlp_batch_cost and optimizer_cost; peak
// figures are tandem_core_bench's. bench/against_sklearn.py compares the epoch with scikit-learn.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "core/nn/mlp_network.hpp"
#include "core/optim/optimizer_steps.hpp"
#include "core/random.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/nn/mlp.hpp"
#include "tandem/optim/optimizer.hpp"

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

// Everything that a fit does: checks, the upload, one epoch, the model.
void fit(benchmark::State& state) {
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(0))});
  const Dataset<float>& set = data();
  for (auto _ : state) {
    benchmark::DoNotOptimize(tandem::fit(*engine, set, options()));
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

MlpDesign design() {
  MlpDesign made;
  made.widths = {features, hidden, classes};
  made.batch_size = batch;
  return made;
}

// One batch forwards and backwards, without the optimiser.
void train_batch(benchmark::State& state) {
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(0))});
  MlpNetwork<float> network(*engine, design(), batch, true);
  const Dataset<float>& set = data();
  MlpRows<float> on_engine;
  on_engine.rows = rows;
  on_engine.cols = features;
  on_engine.uploaded = to_engine(*engine, set.features.values());
  on_engine.x = on_engine.uploaded.data();
  on_engine.labels = to_engine(*engine, encode_classes(set).labels);
  std::vector<Index> order(static_cast<std::size_t>(rows));
  const Random random(2, Purpose::shuffle);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = random.below(rows, i);
  const Buffer<Index> order_on_engine = to_engine(*engine, order);
  Index at = 0;
  for (auto _ : state) {
    network.train_batch(on_engine, order_on_engine.data() + at, batch, 0);
    at = at + 2 * batch <= rows ? at + batch : 0;
  }
  const Cost cost = mlp_batch_cost(design().widths, batch, sizeof(float));
  state.counters["flops"] = benchmark::Counter(
      cost.flops, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
  state.counters["bytes"] = benchmark::Counter(
      cost.bytes, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
}
BENCHMARK(train_batch)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

// The outputs of 10,000 rows on the host.
void predict(benchmark::State& state) {
  const auto engine = Engine::create({.threads = static_cast<int>(state.range(0))});
  constexpr Index count = 10000;
  MlpNetwork<float> network(*engine, design(), 1024, false);
  std::vector<float> out(static_cast<std::size_t>(count * classes));
  for (auto _ : state) network.predict(data().features.view().rows_from(0, count), out);
  state.counters["flops"] = benchmark::Counter(2.0 * count * (features * hidden + hidden * classes),
                                               benchmark::Counter::kIsIterationInvariantRate,
                                               benchmark::Counter::kIs1000);
}
BENCHMARK(predict)
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

// One batch with its step of Adam on the software GPU. The time is that of a simulation on this
// machine's processor and says nothing about a GPU; the counters are what the kernels do on either:
// instructions of warps, bytes that must move (each once per kernel), operations, and sectors of
// memory per perfect access. least_bytes and least_flops are mlp_batch_cost and optimizer_cost.
void counted_batch(benchmark::State& state) {
  std::unique_ptr<Engine> engine;
  try {
    engine = Engine::create({.device = Device::softgpu});
  } catch (const DeviceError& e) {
    state.SkipWithError(e.what());
    return;
  }
  MlpNetwork<float> network(*engine, design(), batch, true);
  Optimizer<float> optimizer(*engine, OptimizerOptions{}, network.layout().parameters, 1);
  MlpRows<float> on_engine;
  constexpr Index few = 1024;
  on_engine.rows = few;
  on_engine.cols = features;
  on_engine.uploaded =
      to_engine(*engine, std::span<const float>(data().features.values()).first(few * features));
  on_engine.x = on_engine.uploaded.data();
  auto labels = encode_classes(data()).labels;
  labels.resize(few);
  on_engine.labels = to_engine(*engine, labels);
  std::vector<Index> order(batch);
  const Random random(2, Purpose::shuffle);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = random.below(few, i);
  const Buffer<Index> order_on_engine = to_engine(*engine, order);
  const auto train = [&] {
    network.train_batch(on_engine, order_on_engine.data(), batch, 0);
    optimizer.step(network.parameters(), network.gradient());
    engine->wait();
  };
  for (auto _ : state) train();
  const software_gpu::Counting counting;
  train();
  double kernels = 0;
  double instructions = 0;
  double bytes = 0;
  double flops = 0;
  double sectors = 0;
  double ideal = 0;
  const auto counters = nlohmann::ordered_json::parse(counting.counters());
  for (const auto& kernel : counters.at("kernels")) {
    kernels += kernel.at("launches").get<double>();
    instructions += kernel.at("instructions").at("warp").get<double>();
    bytes += kernel.at("touched").at("read_bytes").get<double>() +
             kernel.at("touched").at("written_bytes").get<double>();
    for (const char* group : {"flops", "special"}) {
      for (const auto& of_type : kernel.at(group)) flops += of_type.get<double>();
    }
    for (const char* access : {"load", "store"}) {
      sectors += kernel.at("global").at(access).at("sectors").get<double>();
      ideal += kernel.at("global").at(access).at("ideal_sectors").get<double>();
    }
  }
  const Index parameters = network.layout().parameters;
  const Cost cost = mlp_batch_cost(design().widths, batch, sizeof(float));
  const Cost step = optimizer_cost(OptimizerMethod::adam, parameters, sizeof(float));
  state.counters["kernels"] = kernels;
  state.counters["warp_instructions"] = instructions;
  state.counters["bytes"] = bytes;
  state.counters["least_bytes"] = cost.bytes + step.bytes;
  state.counters["flops"] = flops;
  state.counters["least_flops"] = cost.flops + step.flops;
  state.counters["sectors_per_ideal"] = sectors / ideal;
  state.SetLabel("simulated: the time is not a GPU's");
}
BENCHMARK(counted_batch)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tandem

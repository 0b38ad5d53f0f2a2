// Fast numerics on the GPU: products may take any order and include a layer's bias and activation.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "core/nn/mlp_network.hpp"
#include "core/random.hpp"
#include "support/agreement.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

std::vector<float> small_integers(Index count, std::uint32_t stream) {
  const Random random(23, Purpose::test, stream);
  std::vector<float> v(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(random.below(5, i) - 2);
  return v;
}

struct Batch {
  std::vector<float> gradient;
  std::vector<double> totals;
  std::vector<float> outputs;
};

// One batch of a network whose numbers are all small integers, or those divided by the number of
// rows, a power of two: no operation rounds.
Batch one_batch(Engine& engine, double dropout) {
  MlpDesign design;
  design.widths = {7, 20, 131, 5, 1};
  design.activation = Activation::relu;
  design.output = MlpOutput::identity;
  design.loss = MlpLoss::squared_error;
  design.dropout = dropout;
  design.seed = 3;
  design.batch_size = 16;
  constexpr Index rows = 16;
  MlpNetwork<float> network(engine, design, 20, true);
  std::vector<MlpLayer<float>> layers;
  for (std::size_t l = 0; l < design.layers(); ++l) {
    const Index inputs = design.widths[l];
    const Index outputs = design.widths[l + 1];
    const auto stream = static_cast<std::uint32_t>(10 * l);
    MlpLayer<float> layer;
    std::vector<float> weights = small_integers(inputs * outputs, stream);
    const Random random(29, Purpose::test, stream);
    // Few of them, so that no layer's numbers grow out of the range in which all is exact.
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (random.below(4, i) != 0) weights[i] = 0;
    }
    layer.weights = Matrix<float>(inputs, outputs, weights);
    layer.bias = small_integers(outputs, stream + 1);
    layers.push_back(std::move(layer));
  }
  network.set_layers(layers);
  MlpRows<float> data;
  data.rows = rows;
  data.cols = design.widths.front();
  data.uploaded = to_engine(engine, small_integers(rows * data.cols, 100));
  data.x = data.uploaded.data();
  data.values = to_engine(engine, small_integers(rows, 101));
  std::vector<Index> order(rows);
  std::iota(order.begin(), order.end(), Index{0});
  const Buffer<Index> order_buffer = to_engine(engine, order);
  network.prepare_batch(data, order_buffer.data(), rows);
  network.train_batch(data, order_buffer.data(), rows, 0);
  Batch batch;
  batch.gradient = network.gradient().to_host();
  network.prepare_batch(data, order_buffer.data(), 13);
  network.evaluate_batch(data, order_buffer.data(), 13);
  batch.totals = network.totals().to_host();
  batch.outputs.resize(rows);
  const std::vector<float> x = small_integers(rows * data.cols, 100);
  network.predict({x.data(), rows, data.cols, data.cols}, batch.outputs);
  return batch;
}

// Where nothing rounds, no order of sums can change a bit: fast and exact numerics are the same.
TEST(MlpFastCuda, SameBitsWhereNothingRounds) {
  const auto cpu = Engine::create({.device = Device::cpu, .threads = 2});
  const Batch expected = one_batch(*cpu, 0);
  EXPECT_GT(std::accumulate(expected.gradient.begin(), expected.gradient.end(), 0.0,
                            [](double sum, float g) { return sum + std::abs(g); }),
            100.0);
  for (const Numerics numerics : {Numerics::exact, Numerics::fast}) {
    const auto gpu = test::cuda_engine({.numerics = numerics});
    const Batch value = one_batch(*gpu, 0);
    EXPECT_TRUE(test::same_bits(value.gradient, expected.gradient)) << to_string(numerics);
    EXPECT_EQ(value.totals, expected.totals) << to_string(numerics);
    EXPECT_TRUE(test::same_bits(value.outputs, expected.outputs)) << to_string(numerics);
  }
}

// Dropout doubles or drops, which is exact too; products do not include it.
TEST(MlpFastCuda, SameBitsWithDropoutWhereNothingRounds) {
  const auto cpu = Engine::create({.device = Device::cpu, .threads = 2});
  const auto gpu = test::cuda_engine({.numerics = Numerics::fast});
  const Batch expected = one_batch(*cpu, 0.5);
  const Batch value = one_batch(*gpu, 0.5);
  EXPECT_TRUE(test::same_bits(value.gradient, expected.gradient));
  EXPECT_TRUE(test::same_bits(value.outputs, expected.outputs));
}

}  // namespace
}  // namespace tandem

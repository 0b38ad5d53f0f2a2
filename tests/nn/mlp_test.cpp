// The multi-layer perceptron: whole fits, gradients by finite differences, bits, checkpoints.
#include "tandem/nn/mlp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "core/nn/mlp_network.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/random.hpp"
#include "tandem/data/read.hpp"
#include "tandem/data/split.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Engine> engine_of(Device device, int threads = 1) {
  EngineOptions options;
  options.device = device;
  options.threads = threads;
  return Engine::create(options);
}

// Features uniform on [-1, 1]; classes by the sign of products, values by a smooth function.
template <Real T>
Dataset<T> random_data(Index rows, Index cols, Index classes, std::uint64_t seed = 3) {
  Dataset<T> data;
  data.source = "random";
  data.columns = numbered_columns(cols);
  data.features = Matrix<T>(rows, cols);
  data.target_column.name = "y";
  const Random random(seed, Purpose::test);
  std::uint64_t index = 0;
  for (T& value : data.features.values()) {
    value = static_cast<T>(2 * random.uniform(index++) - 1);
  }
  for (Index i = 0; i < rows; ++i) {
    if (classes > 0) {
      data.target.push_back(static_cast<T>(i < classes ? i : random.below(classes, index++)));
    } else {
      data.target.push_back(data.features(i, 0) * data.features(i, cols - 1) +
                            static_cast<T>(random.uniform(index++)));
    }
  }
  return data;
}

template <Real T>
Dataset<T> xor_data() {
  Dataset<T> data;
  data.source = "xor";
  data.columns = numbered_columns(2);
  data.features = Matrix<T>(4, 2, std::vector<T>{0, 0, 0, 1, 1, 0, 1, 1});
  data.target = {0, 1, 1, 0};
  data.target_column.name = "y";
  return data;
}

template <Real T>
std::vector<T> all_parameters(const MlpModel<T>& model) {
  std::vector<T> all;
  for (const auto& layer : model.layers) {
    const auto add = [&](const std::vector<T>& part) {
      all.insert(all.end(), part.begin(), part.end());
    };
    add(layer.weights.values());
    add(layer.bias);
    add(layer.scale);
    add(layer.running_mean);
    add(layer.running_variance);
  }
  return all;
}

template <Real T>
double accuracy_of(const Model<T>& model, Engine& engine, const Dataset<T>& data) {
  const auto predicted = model.predict(engine, data.features.view()).labels;
  const auto truth = encode_classes(data, model.classes()).labels;
  Index right = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) right += predicted[i] == truth[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(truth.size());
}

// --- gradients
// ------------------------------------------------------------------------------------

struct GradientCase {
  std::vector<Index> widths;
  Activation activation = Activation::tanh;
  MlpOutput output = MlpOutput::softmax;
  MlpLoss loss = MlpLoss::cross_entropy;
  double dropout = 0;
  bool batch_norm = false;
  bool weighted = false;
};

std::string describe(const GradientCase& c) {
  std::string text;
  for (const Index width : c.widths) text += std::to_string(width) + " ";
  text += std::string(to_string(c.activation)) + " " + std::string(to_string(c.output)) + " " +
          std::string(to_string(c.loss));
  if (c.dropout > 0) text += " dropout";
  if (c.batch_norm) text += " batch-norm";
  if (c.weighted) text += " weights";
  return text;
}

// Every element of the gradient against the central difference of the batch's mean loss in double:
// its truncation error is of the order of h² = 1e-10 and its rounding error of 1e-16/h = 1e-11.
void check_gradient(Device device, const GradientCase& c) {
  SCOPED_TRACE(std::string(to_string(device)) + ": " + describe(c));
  const auto engine = engine_of(device);
  const Index rows = 7;
  MlpDesign design;
  design.widths = c.widths;
  design.activation = c.activation;
  design.output = c.output;
  design.loss = c.loss;
  design.dropout = c.dropout;
  design.batch_norm = c.batch_norm;
  design.batch_size = rows;
  design.seed = 5;
  MlpNetwork<double> network(*engine, design, rows, true);

  const Random random(11, Purpose::test);
  std::uint64_t index = 0;
  const auto next = [&] { return 2 * random.uniform(index++) - 1; };
  std::vector<MlpLayer<double>> layers;
  for (std::size_t l = 0; l + 1 < c.widths.size(); ++l) {
    MlpLayer<double> layer;
    layer.weights = Matrix<double>(c.widths[l], c.widths[l + 1]);
    for (double& w : layer.weights.values()) w = next();
    layer.bias.resize(static_cast<std::size_t>(c.widths[l + 1]));
    for (double& b : layer.bias) b = 0.5 * next();
    if (design.normalised(l)) {
      layer.scale.resize(layer.bias.size());
      for (double& s : layer.scale) s = 1 + 0.5 * next();
      layer.running_mean.assign(layer.bias.size(), 0);
      layer.running_variance.assign(layer.bias.size(), 1);
    }
    layers.push_back(layer);
  }

  MlpRows<double> data;
  data.rows = rows;
  data.cols = c.widths.front();
  std::vector<double> x(static_cast<std::size_t>(rows * data.cols));
  for (double& value : x) value = next();
  data.x = to_engine(*engine, x);
  std::vector<std::int32_t> labels;
  std::vector<double> values;
  std::vector<double> weights;
  const Index classes = c.output == MlpOutput::sigmoid ? 2 : c.widths.back();
  for (Index i = 0; i < rows; ++i) {
    labels.push_back(static_cast<std::int32_t>(i % classes));
    values.push_back(next());
    weights.push_back(0.25 + static_cast<double>(i % 3));
  }
  data.labels = to_engine(*engine, labels);
  data.values = to_engine(*engine, values);
  if (c.weighted) data.weights = to_engine(*engine, weights);
  std::vector<Index> rows_in_order(static_cast<std::size_t>(rows));
  std::iota(rows_in_order.rbegin(), rows_in_order.rend(), Index{0});
  const Buffer<Index> order = to_engine(*engine, rows_in_order);

  const auto loss_of = [&](const std::vector<MlpLayer<double>>& at) {
    network.set_layers(at);
    network.totals().fill_zero();
    network.train_batch(data, order.data(), rows, 3);
    return network.totals().to_host()[MlpTotals::loss] / static_cast<double>(rows);
  };
  (void)loss_of(layers);
  const std::vector<double> gradient = network.gradient().to_host();

  constexpr double h = 1e-5;
  constexpr double bound = 2e-9;
  const auto check = [&](double& parameter, Index position, const char* what) {
    const double kept = parameter;
    parameter = kept + h;
    const double above = loss_of(layers);
    parameter = kept - h;
    const double below = loss_of(layers);
    parameter = kept;
    const double expected = (above - below) / (2 * h);
    ASSERT_NEAR(gradient[static_cast<std::size_t>(position)], expected, bound)
        << what << " at " << position;
  };
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto& block = network.layout().blocks[l];
    const auto check_all = [&](std::vector<double>& part, Index begin, const char* what) {
      for (std::size_t i = 0; i < part.size(); ++i) {
        check(part[i], begin + static_cast<Index>(i), what);
      }
    };
    check_all(layers[l].weights.values(), block.weights, "weight");
    check_all(layers[l].bias, block.bias, "bias");
    check_all(layers[l].scale, block.scale, "scale");
  }
}

TEST(MlpGradient, EveryCombinationAgreesWithFiniteDifferences) {
  struct Ending {
    MlpOutput output;
    MlpLoss loss;
    Index width;
  };
  const std::vector<Ending> endings{{MlpOutput::softmax, MlpLoss::cross_entropy, 3},
                                    {MlpOutput::softmax, MlpLoss::squared_error, 3},
                                    {MlpOutput::sigmoid, MlpLoss::cross_entropy, 1},
                                    {MlpOutput::sigmoid, MlpLoss::squared_error, 1},
                                    {MlpOutput::identity, MlpLoss::squared_error, 1}};
  for (const Device device : {Device::reference, Device::cpu}) {
    for (const auto& hidden : {std::vector<Index>{}, {5}, {6, 4}}) {
      for (const auto activation :
           {Activation::sigmoid, Activation::tanh, Activation::relu, Activation::gelu}) {
        for (const auto& ending : endings) {
          for (const double dropout : {0.0, 0.4}) {
            for (const bool batch_norm : {false, true}) {
              // Without hidden layers the rest makes no difference.
              if (hidden.empty() &&
                  (activation != Activation::sigmoid || dropout > 0 || batch_norm)) {
                continue;
              }
              GradientCase c;
              c.widths = {3};
              c.widths.insert(c.widths.end(), hidden.begin(), hidden.end());
              c.widths.push_back(ending.width);
              c.activation = activation;
              c.output = ending.output;
              c.loss = ending.loss;
              c.dropout = dropout;
              c.batch_norm = batch_norm;
              c.weighted = hidden.size() == 1;
              check_gradient(device, c);
              if (HasFatalFailure()) return;
            }
          }
        }
      }
    }
  }
}

// --- whole fits
// -----------------------------------------------------------------------------------

TEST(Mlp, SolvesExclusiveOr) {
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_of(device);
    RunControl control;
    for (const char* output : {"softmax", "sigmoid"}) {
      for (const char* loss : {"cross-entropy", "squared-error"}) {
        MlpOptions options;
        options.hidden = {8};
        options.activation = "tanh";
        options.output = output;
        options.loss = loss;
        options.optimizer.learning_rate = 0.05;
        options.epochs = 500;
        const auto data = xor_data<float>();
        const auto model = fit_mlp(*engine, options, data, nullptr, control);
        EXPECT_EQ(accuracy_of(*model, *engine, data), 1.0) << output << " " << loss;
        EXPECT_LT(model->log.history.at("loss").back(), 0.05) << output << " " << loss;
        EXPECT_EQ(model->log.history.at("accuracy").back(), 1.0);
      }
    }
  }
}

}  // namespace
}  // namespace tandem

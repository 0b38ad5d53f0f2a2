// The multi-layer perceptron: whole fits, gradients by finite differences, bits, checkpoints.
#include "tandem/nn/mlp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "core/nn/mlp_network.hpp"
#include "core/random.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"
#include "support/messages.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"
#include "tandem/data/split.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/transform/chain.hpp"

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

// --- gradients -----------------------------------------------------------------------------------

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
  data.x = x.data();
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

// --- whole fits ----------------------------------------------------------------------------------

TEST(Mlp, SolvesExclusiveOr) {
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_of(device);
    for (const MlpOutput output : {MlpOutput::softmax, MlpOutput::sigmoid}) {
      for (const MlpLoss loss : {MlpLoss::cross_entropy, MlpLoss::squared_error}) {
        MlpOptions options;
        options.hidden = {8};
        options.activation = Activation::tanh;
        options.output = output;
        options.loss = loss;
        options.optimizer.learning_rate = 0.05;
        options.epochs = 500;
        const auto data = xor_data<float>();
        const auto model = fit(*engine, data, options);
        EXPECT_EQ(accuracy_of(model, *engine, data), 1.0)
            << to_string(output) << " " << to_string(loss);
        EXPECT_LT(model.log.history.at("loss").back(), 0.05)
            << to_string(output) << " " << to_string(loss);
        EXPECT_EQ(model.log.history.at("accuracy").back(), 1.0);
      }
    }
  }
}

// Scaled to mean 0 and deviation 1 by the training part.
template <Real T>
Split scaled_digits(Dataset<T>& train, Dataset<T>& test, std::uint64_t seed) {
  ReadOptions read;
  read.target = "last";
  const auto digits = read_dataset<T>(std::string(TANDEM_DATA_DIR) + "/digits.csv", read);
  Split split = stratified_train_test_split(encode_classes(digits).labels, 0.25, seed);
  train = select_rows(digits, split.train);
  std::vector<std::unique_ptr<TransformStep>> steps;
  steps.push_back(make_transform("scale"));
  steps.back()->set("method", "standard");
  const auto chain = TransformChain<T>::fit(train, steps, Task::classification, 1);
  test = chain.transform(select_rows(digits, split.test), 1);
  return split;
}

TEST(Mlp, ReadsDigits) {
  const auto engine = engine_of(Device::cpu, 1);
  Dataset<float> train;
  Dataset<float> test;
  scaled_digits(train, test, 0);
  MlpOptions options;
  const auto model = fit(*engine, train, options);
  EXPECT_GE(accuracy_of(model, *engine, test), 0.97);
  EXPECT_EQ(accuracy_of(model, *engine, train), 1.0);
  // Dropout and batch normalisation train a network of their own that predicts as well.
  options.dropout = 0.2;
  options.batch_norm = true;
  options.epochs = 30;
  const auto other = fit(*engine, train, options);
  EXPECT_GE(accuracy_of(other, *engine, test), 0.96);
}

TEST(Mlp, FitsValues) {
  // y = sin(3·x0) + x1², which no plane fits: R² of the best plane is below 0.75.
  const auto engine = engine_of(Device::cpu, 1);
  Dataset<double> data = random_data<double>(400, 2, 0);
  double mean = 0;
  for (Index i = 0; i < data.rows(); ++i) {
    const double value =
        std::sin(3 * data.features(i, 0)) + data.features(i, 1) * data.features(i, 1);
    data.target[static_cast<std::size_t>(i)] = value;
    mean += value / 400;
  }
  for (const Activation activation :
       {Activation::sigmoid, Activation::tanh, Activation::relu, Activation::gelu}) {
    MlpOptions options;
    options.hidden = {32, 32};
    options.activation = activation;
    options.optimizer.learning_rate = 0.01;
    options.l2 = 0;
    options.epochs = 300;
    options.patience = 0;
    const auto model = fit(*engine, data, options);
    EXPECT_EQ(model.task(), Task::regression);
    const auto predictions = model.predict(*engine, data.features.view());
    EXPECT_TRUE(predictions.labels.empty());
    double residual = 0;
    double total = 0;
    for (std::size_t i = 0; i < predictions.values.size(); ++i) {
      residual += std::pow(predictions.values[i] - data.target[i], 2);
      total += std::pow(data.target[i] - mean, 2);
    }
    EXPECT_GT(1 - residual / total, 0.95) << to_string(activation);
    // The reported loss is half the mean square of the last epoch's residuals, as they were seen.
    EXPECT_LT(model.log.history.at("loss").back(), 0.05 * total / 400);
    EXPECT_EQ(model.log.history.count("accuracy"), 0U);
  }
}

// Without hidden layers a perceptron is a multinomial logistic regression, whose cost is convex:
// gradient descent on all rows at once never raises it, and l2 makes the minimum unique.
TEST(Mlp, FullBatchDescentNeverRaisesAConvexCost) {
  const auto engine = engine_of(Device::cpu, 1);
  const auto data = random_data<double>(60, 4, 3);
  MlpOptions options;
  options.hidden = {};
  options.optimizer.method = OptimizerMethod::gradient_descent;
  options.optimizer.learning_rate = 0.5;
  options.batch_size = 60;
  options.l2 = 0;
  options.patience = 0;
  options.epochs = 300;
  const auto model = fit(*engine, data, options);
  const auto& loss = model.log.history.at("loss");
  ASSERT_EQ(loss.size(), 300U);
  for (std::size_t e = 1; e < loss.size(); ++e) ASSERT_LE(loss[e], loss[e - 1]) << e;
  // Another start and another method reach the same minimum.
  options.l2 = 0.1;
  options.epochs = 3000;
  const auto first = fit(*engine, data, options);
  options.seed = 77;
  options.optimizer.method = OptimizerMethod::nesterov;
  options.optimizer.learning_rate = 0.1;
  const auto second = fit(*engine, data, options);
  // With a softmax the biases are determined up to a common shift; weights and outputs are unique.
  EXPECT_TRUE(test::within(first.layers[0].weights.values(), second.layers[0].weights.values(),
                           [](std::size_t) { return 1e-9; }));
}

// The reference and the CPU take the same path: their difference grows from roundings by what each
// step multiplies it with. A few dozen steps of a small network in double multiply by less than
// 1e4, measured at the first disagreement of a wrong sign or order, which is at 1e-3 and more.
TEST(Mlp, ReferenceAndCpuTakeTheSamePath) {
  const auto data = random_data<double>(70, 5, 3);
  for (const bool batch_norm : {false, true}) {
    MlpOptions options;
    options.hidden = {9, 6};
    options.activation = Activation::gelu;
    options.dropout = 0.2;
    options.batch_norm = batch_norm;
    options.batch_size = 16;
    options.epochs = 6;
    options.validation_fraction = 0.2;
    const auto reference = engine_of(Device::reference);
    const auto cpu = engine_of(Device::cpu, 2);
    const auto expected = fit(*reference, data, options);
    const auto model = fit(*cpu, data, options);
    EXPECT_TRUE(test::within(all_parameters(model), all_parameters(expected),
                             [](std::size_t) { return 1e-11; }));
    for (const auto& [name, series] : expected.log.history) {
      EXPECT_TRUE(test::within(model.log.history.at(name), series, [](std::size_t) {
        return 1e-11;
      })) << name;
    }
    const auto a = model.predict(*cpu, data.features.view());
    const auto b = expected.predict(*reference, data.features.view());
    EXPECT_EQ(a.labels, b.labels);
    EXPECT_TRUE(test::within(a.probabilities.values(), b.probabilities.values(),
                             [](std::size_t) { return 1e-11; }));
  }
}

template <Real T>
void same_bits_everywhere() {
  const auto classes = random_data<T>(150, 7, 3);
  const auto values = random_data<T>(150, 7, 0);
  for (const bool regression : {false, true}) {
    MlpOptions options;
    options.hidden = {130, 17};
    options.activation = regression ? Activation::tanh : Activation::gelu;
    options.dropout = 0.1;
    options.batch_norm = true;
    options.batch_size = 70;
    options.epochs = 2;
    options.validation_fraction = 0.1;
    options.l2 = 0.01;
    const auto trained = [&](int threads) {
      const auto engine = engine_of(Device::cpu, threads);
      const auto& data = regression ? values : classes;
      const auto model = fit(*engine, data, options);
      std::vector<T> all = all_parameters(model);
      const auto predictions = model.predict(*engine, data.features.view());
      all.insert(all.end(), predictions.values.begin(), predictions.values.end());
      const auto& p = predictions.probabilities.values();
      all.insert(all.end(), p.begin(), p.end());
      for (const double loss : model.log.history.at("validation_loss")) {
        all.push_back(static_cast<T>(loss));
      }
      return all;
    };
    const auto expected = trained(1);
    EXPECT_TRUE(test::same_bits(trained(1), expected)) << "run to run";
    for (const char* set : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(set);
      } catch (const InputError&) {
        continue;
      }
      EXPECT_TRUE(test::same_bits(trained(1), expected)) << set;
    }
    for (const char* set : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(set);
        break;
      } catch (const InputError&) {
      }
    }
    for (const int threads : {2, 7}) {
      EXPECT_TRUE(test::same_bits(trained(threads), expected)) << threads;
    }
  }
}
TEST(Mlp, SameBitsForAllThreadsAndInstructionSetsFloat) { same_bits_everywhere<float>(); }
TEST(Mlp, SameBitsForAllThreadsAndInstructionSetsDouble) { same_bits_everywhere<double>(); }

// --- early stopping and history ------------------------------------------------------------------

TEST(Mlp, StopsEarlyAndRestoresTheBestWeights) {
  const auto engine = engine_of(Device::cpu, 1);
  // Labels without any relation to the features: what is learned is noise.
  const auto train = random_data<double>(60, 6, 2, 1);
  const auto validation = random_data<double>(80, 6, 2, 2);
  MlpOptions options;
  options.hidden = {64};
  options.optimizer.learning_rate = 0.01;
  options.l2 = 0;
  options.patience = 5;
  options.epochs = 500;
  const auto model = fit(*engine, train, options, {.validation = validation.view()});
  const auto& losses = model.log.history.at("validation_loss");
  const auto best = std::min_element(losses.begin(), losses.end());
  ASSERT_LT(losses.size(), 500U);
  EXPECT_TRUE(model.log.converged);
  EXPECT_EQ(static_cast<std::size_t>(model.log.iterations), losses.size());
  EXPECT_THAT(model.log.stopped_because, HasSubstr("validation loss did not improve"));
  EXPECT_THAT(model.log.stopped_because,
              HasSubstr("epoch " + std::to_string(best - losses.begin() + 1)));
  for (const char* series : {"loss", "accuracy", "validation_accuracy", "learning_rate"}) {
    EXPECT_EQ(model.log.history.at(series).size(), losses.size()) << series;
  }
  // The model's own loss on the validation rows is the smallest of the history.
  const auto probabilities = model.predict(*engine, validation.features.view()).probabilities;
  const auto labels = encode_classes(validation, model.classes()).labels;
  double loss = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    loss -= std::log(probabilities(static_cast<Index>(i), labels[i])) / 80;
  }
  EXPECT_NEAR(loss, *best, 1e-12);
}

TEST(Mlp, WithoutValidationStopsWhereTrainingStalls) {
  const auto engine = engine_of(Device::cpu, 1);
  const auto data = xor_data<double>();
  MlpOptions options;
  options.hidden = {8};
  options.patience = 3;
  options.tolerance = 10;  // no improvement is enough
  const auto model = fit(*engine, data, options);
  EXPECT_EQ(model.log.iterations, 4);  // the first epoch improves on infinity
  EXPECT_TRUE(model.log.converged);
  options.patience = 0;
  options.epochs = 20;
  const auto all = fit(*engine, data, options);
  EXPECT_EQ(all.log.iterations, 20);
  EXPECT_FALSE(all.log.converged);
  EXPECT_THAT(all.log.stopped_because, HasSubstr("all 20 epochs"));
}

TEST(Mlp, SchedulesChangeTheLearningRate) {
  const auto engine = engine_of(Device::cpu, 1);
  MlpOptions options;
  options.hidden = {4};
  options.epochs = 5;
  options.optimizer.schedule = LearningRateSchedule::step;
  options.optimizer.decay = 0.5;
  options.optimizer.decay_every = 2;
  const auto model = fit(*engine, xor_data<double>(), options);
  EXPECT_THAT(model.log.history.at("learning_rate"),
              ::testing::ElementsAre(1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4));
}

TEST(Mlp, AllOptimizersLearn) {
  const auto engine = engine_of(Device::cpu, 1);
  const auto data = xor_data<float>();
  for (const auto name : enum_names<OptimizerMethod>) {
    const auto method = parse_enum<OptimizerMethod>("optimizer", name);
    MlpOptions options;
    options.hidden = {8};
    options.activation = Activation::tanh;
    options.optimizer.method = method;
    options.optimizer.learning_rate = method == OptimizerMethod::gradient_descent ? 0.5 : 0.05;
    options.l2 = 0;
    options.epochs = 1000;
    const auto model = fit(*engine, data, options);
    EXPECT_EQ(accuracy_of(model, *engine, data), 1.0) << name;
  }
}

// A row of weight 2 counts like the same row twice.
TEST(Mlp, WeightsCountLikeRepeatedRows) {
  const auto engine = engine_of(Device::cpu, 1);
  auto weighted = random_data<double>(12, 3, 2);
  std::vector<Index> rows;
  for (Index i = 0; i < 12; ++i) {
    weighted.weights.push_back(i % 3 == 0 ? 2 : 1);
    rows.push_back(i);
    if (i % 3 == 0) rows.push_back(i);
  }
  auto repeated = select_rows(weighted, rows);
  repeated.weights.clear();
  MlpOptions options;
  options.hidden = {5};
  options.batch_size = 100;
  options.epochs = 50;
  const auto a = fit(*engine, weighted, options);
  const auto b = fit(*engine, repeated, options);
  EXPECT_TRUE(
      test::within(all_parameters(a), all_parameters(b), [](std::size_t) { return 1e-10; }));
  EXPECT_NEAR(a.log.history.at("loss").back(), b.log.history.at("loss").back(), 1e-11);
}

TEST(Mlp, FirstWeightsHaveTheirDistribution) {
  const auto engine = engine_of(Device::cpu, 1);
  auto data = random_data<double>(4, 300, 2);
  const auto first_layer = [&](MlpInitialization method) {
    MlpOptions options;
    options.hidden = {200};
    options.initialization = method;
    options.optimizer.method = OptimizerMethod::gradient_descent;
    options.optimizer.learning_rate = 1e-12;
    options.l2 = 0;
    options.epochs = 1;
    return fit(*engine, data, options).layers[0].weights.values();
  };
  const auto check = [&](MlpInitialization method, double variance, double limit) {
    const auto weights = first_layer(method);
    double sum = 0;
    double squares = 0;
    double largest = 0;
    for (const double w : weights) {
      sum += w;
      squares += w * w;
      largest = std::max(largest, std::abs(w));
    }
    const auto n = static_cast<double>(weights.size());
    EXPECT_NEAR(sum / n, 0, 6 * std::sqrt(variance / n)) << to_string(method);
    // The variance of w² is at most 2·variance² (normal).
    EXPECT_NEAR(squares / n, variance, 6 * variance * std::sqrt(2 / n)) << to_string(method);
    EXPECT_LE(largest, limit) << to_string(method);
    EXPECT_GT(largest, 0.99 * std::sqrt(3 * variance)) << to_string(method);
  };
  check(MlpInitialization::xavier_uniform, 2.0 / 500, std::sqrt(6.0 / 500) + 1e-9);
  check(MlpInitialization::xavier_normal, 2.0 / 500, 8.6 * std::sqrt(2.0 / 500));
  check(MlpInitialization::he_uniform, 2.0 / 300, std::sqrt(6.0 / 300) + 1e-9);
  check(MlpInitialization::he_normal, 2.0 / 300, 8.6 * std::sqrt(2.0 / 300));
}

TEST(Mlp, BatchNormalisationLeavesOutALastBatchOfOneRow) {
  const auto engine = engine_of(Device::cpu, 1);
  MlpOptions options;
  options.hidden = {5};
  options.batch_norm = true;
  options.batch_size = 4;
  options.epochs = 3;
  const auto model = fit(*engine, random_data<double>(9, 3, 2), options);
  for (const double accuracy : model.log.history.at("accuracy")) {
    EXPECT_EQ(accuracy * 8, std::round(accuracy * 8));  // of 8 rows
  }
  options.batch_size = 1;
  EXPECT_THROW((void)fit(*engine, random_data<double>(9, 3, 2), options), InputError);
}

// --- interruption --------------------------------------------------------------------------------

// Keeps the state with which it stops.
class StopAt final : public RunControl {
 public:
  // Wants to stop once it has been told that often how far the fit is.
  explicit StopAt(int reports) : left_(reports) {}
  void report(const Progress&) override { --left_; }
  [[nodiscard]] bool stop_requested() const noexcept override { return left_ <= 0; }
  [[nodiscard]] bool keeps_checkpoints() const noexcept override { return true; }
  void save_checkpoint(const Archive& state) override { state_ = state; }
  [[nodiscard]] const Archive& state() const { return state_; }

 private:
  int left_;
  Archive state_;
};

class ResumeFrom final : public RunControl {
 public:
  explicit ResumeFrom(Archive state) : state_(std::move(state)) {}
  [[nodiscard]] const Archive* resume_state() const noexcept override { return &state_; }

 private:
  Archive state_;
};

TEST(Mlp, ResumingAnywhereGivesTheSameBits) {
  const auto engine = engine_of(Device::cpu, 1);
  const auto data = random_data<float>(50, 4, 3);
  for (const bool validated : {false, true}) {
    MlpOptions options;
    options.hidden = {6, 5};
    options.dropout = 0.2;
    options.batch_norm = true;
    options.batch_size = 16;
    options.epochs = 4;
    options.patience = 2;
    options.tolerance = 0.02;
    options.validation_fraction = validated ? 0.2 : 0;
    RunControl control;
    const auto expected = fit(*engine, data, options);
    int stops = 0;
    for (int reports = 1; reports < 40; ++reports) {
      StopAt stop(reports);
      try {
        (void)fit(*engine, data, options, {.control = &stop});
        continue;
      } catch (const Interrupted&) {
        ++stops;
      }
      // Through the bytes of a file, as the program keeps it.
      const auto bytes = encode_archive(stop.state(), "checkpoint");
      ResumeFrom resumed(decode_archive(bytes, "checkpoint", "state"));
      const auto model = fit(*engine, data, options, {.control = &resumed});
      EXPECT_TRUE(test::same_bits(all_parameters(model), all_parameters(expected))) << reports;
      EXPECT_EQ(model.log, expected.log) << reports;
    }
    // Between batches and at the ends of epochs.
    EXPECT_GE(stops, static_cast<int>(expected.log.iterations) * 3);
  }
}

TEST(Mlp, RefusesAStateOfAnotherNetwork) {
  const auto engine = engine_of(Device::cpu, 1);
  const auto data = random_data<float>(50, 4, 3);
  MlpOptions options;
  options.hidden = {6};
  StopAt stop(0);
  EXPECT_THROW((void)fit(*engine, data, options, {.control = &stop}), Interrupted);
  options.hidden = {60};
  ResumeFrom resumed(stop.state());
  EXPECT_THROW((void)fit(*engine, data, options, {.control = &resumed}), InputError);
}

// --- bad input -----------------------------------------------------------------------------------

TEST(Mlp, BadInputIsExplained) {
  const auto engine = engine_of(Device::cpu, 1);
  const auto error = [&](const MlpOptions& options, const Dataset<float>& data,
                         const Dataset<float>* validation = nullptr) {
    FitContext<float> context;
    if (validation != nullptr) context.validation = validation->view();
    return test::message_of<Error>([&] { (void)fit(*engine, data, options, context); });
  };
  const auto good = random_data<float>(20, 3, 2);
  MlpOptions small;
  small.hidden = {3};
  small.epochs = 2;

  auto data = good;
  data.features(3, 1) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(error(small, data), HasSubstr("row 4, column x1"));
  data = good;
  data.features(2, 0) = std::numeric_limits<float>::infinity();
  EXPECT_THAT(error(small, data), HasSubstr("row 3, column x0"));
  data = good;
  data.target.clear();
  EXPECT_THAT(error(small, data), HasSubstr("name one with target"));
  data = good;
  std::fill(data.target.begin(), data.target.end(), 1.0F);
  EXPECT_THAT(error(small, data), HasSubstr("one class only"));
  EXPECT_THAT(error(small, select_rows(good, {})), HasSubstr("no rows"));
  EXPECT_THAT(error(small, select_rows(good, {0})), HasSubstr("one class only"));
  data = good;
  data.weights.assign(20, 0.0F);
  EXPECT_THAT(error(small, data), HasSubstr("weight"));
  data.weights.assign(20, -1.0F);
  EXPECT_THAT(error(small, data), HasSubstr("row 1: the weight is -1"));
  auto other = random_data<float>(20, 4, 2);
  EXPECT_THAT(error(small, good, &other), HasSubstr("4 features, expected 3"));
  other = random_data<float>(20, 3, 3);
  EXPECT_THAT(error(small, good, &other), HasSubstr("does not occur in the training rows"));

  MlpOptions options = small;
  options.hidden = {3, 0};
  EXPECT_THAT(error(options, good), HasSubstr("hidden: 0 is out of range"));
  options = small;
  options.hidden = {3, std::int64_t{1} << 62};
  EXPECT_THAT(error(options, good), HasSubstr("hidden: 4611686018427387904 is out of range"));
  // More weights than can be counted.
  MlpDesign wide;
  wide.widths = {Index{1} << 40, Index{1} << 40};
  EXPECT_THAT(test::message_of<Error>([&] { (void)MlpLayout(wide); }), HasSubstr("too large"));
  options = small;
  options.output = MlpOutput::sigmoid;
  EXPECT_THAT(error(options, random_data<float>(20, 3, 3)), HasSubstr("two classes"));
  options = small;
  options.task = TaskChoice::regression;
  options.loss = MlpLoss::cross_entropy;
  EXPECT_THAT(error(options, good), HasSubstr("loss cross-entropy"));
  options = small;
  options.loss = MlpLoss::cross_entropy;
  EXPECT_THAT(error(options, random_data<float>(30, 3, 0)), HasSubstr("loss cross-entropy"));
  options = small;
  options.dropout = 1;
  EXPECT_THAT(error(options, good), HasSubstr("dropout: 1 is out of range"));
  options = small;
  options.validation_fraction = 1;
  EXPECT_THAT(error(options, good), HasSubstr("validation_fraction: 1 is out of range"));

  const auto model = fit(*engine, good, small);
  EXPECT_THAT(test::message_of<Error>([&] {
                (void)model.predict(*engine, random_data<float>(5, 4, 2).features.view());
              }),
              HasSubstr("trained on 3 features, but the data has 4"));
  EXPECT_EQ(model.predict(*engine, Matrix<float>(0, 3).view()).labels.size(), 0U);
}

TEST(Mlp, DivergenceIsAnError) {
  const auto engine = engine_of(Device::cpu, 1);
  auto data = random_data<float>(40, 3, 0);
  for (float& value : data.features.values()) value *= 1e6F;
  MlpOptions options;
  options.hidden = {8};
  options.optimizer.method = OptimizerMethod::gradient_descent;
  options.optimizer.learning_rate = 10;
  try {
    (void)fit(*engine, data, options);
    FAIL() << "no error";
  } catch (const NumericalError& error) {
    EXPECT_THAT(error.what(), HasSubstr("lower learning_rate"));
    EXPECT_THAT(error.what(), HasSubstr("scale standard"));
  }
}

TEST(Mlp, OneRowOfValuesTrains) {
  const auto engine = engine_of(Device::cpu, 1);
  Dataset<double> data = random_data<double>(1, 3, 0);
  data.target = {0.5};
  MlpOptions options;
  options.hidden = {4};
  options.l2 = 0;
  options.patience = 0;
  options.optimizer.learning_rate = 0.02;
  const auto model = fit(*engine, data, options);
  EXPECT_NEAR(model.predict(*engine, data.features.view()).values[0], 0.5, 0.05);
}

TEST(Mlp, ChoosesTheTask) {
  const MlpOptions options;
  auto data = random_data<float>(100, 2, 3);
  EXPECT_EQ(options.task_for(data.view()), Task::classification);
  for (std::size_t i = 0; i < data.target.size(); ++i) data.target[i] = static_cast<float>(i % 21);
  EXPECT_EQ(options.task_for(data.view()), Task::regression);
  data.target_column.categories.assign(21, "a");
  EXPECT_EQ(options.task_for(data.view()), Task::classification);
  EXPECT_EQ(options.task_for(random_data<float>(100, 2, 0).view()), Task::regression);
}

// --- the model file ------------------------------------------------------------------------------

template <Real T>
MlpModel<T> small_model(Engine& engine) {
  MlpOptions options;
  options.hidden = {5, 4};
  options.batch_norm = true;
  options.epochs = 3;
  return fit(engine, random_data<T>(40, 3, 3), options);
}

TEST(MlpModelFile, KeepsEveryBit) {
  const auto engine = engine_of(Device::cpu, 1);
  const auto model = small_model<float>(*engine);
  Archive archive;
  model.save(archive);
  const auto again =
      MlpModel<float>::load(decode_archive(encode_archive(archive, "model"), "model", "file"));
  EXPECT_EQ(again.layers, model.layers);
  EXPECT_EQ(again.class_names, model.class_names);
  EXPECT_EQ(again.log, model.log);
  const auto data = random_data<float>(33, 3, 3, 8);
  EXPECT_TRUE(test::same_bits(again.predict(*engine, data.features.view()).probabilities.values(),
                              model.predict(*engine, data.features.view()).probabilities.values()));
  EXPECT_EQ(model.parameters(), 3 * 5 + 5 + 5 + 5 * 4 + 4 + 4 + 4 * 3 + 3);
  EXPECT_EQ(nlohmann::json::parse(model.to_json({})).at("widths"), nlohmann::json({3, 5, 4, 3}));
  EXPECT_THAT(model.to_text({}), HasSubstr("5 units, batch normalisation, relu"));
}

TEST(MlpModelFile, EveryMissingOrDamagedEntryIsNamed) {
  const auto engine = engine_of(Device::cpu, 1);
  Archive good;
  small_model<double>(*engine).save(good);
  for (const auto& [name, value] : good.entries()) {
    if (name.rfind("training/history", 0) == 0) continue;
    Archive missing;
    for (const auto& [other, kept] : good.entries()) {
      if (other == name) continue;
      std::visit(
          [&, &key = other](const auto& entry) {
            if constexpr (std::is_same_v<std::decay_t<decltype(entry)>, Archive::Tensor>) {
              std::visit([&](const auto& data) { missing.set_tensor(key, data, entry.shape); },
                         entry.data);
            } else {
              missing.set(key, entry);
            }
          },
          kept);
    }
    EXPECT_THAT(test::message_of<Error>([&] { (void)MlpModel<double>::load(missing); }),
                HasSubstr(name.substr(name.find("training/") == 0 ? 9 : 0)));
  }
  const auto damaged = [&](auto&& damage) {
    Archive archive = good;
    damage(archive);
    return test::message_of<Error>([&] { (void)MlpModel<double>::load(archive); });
  };
  EXPECT_THAT(damaged([](Archive& a) { a.set_tensor("widths", std::vector<Index>{3}); }),
              HasSubstr("widths"));
  EXPECT_THAT(damaged([](Archive& a) {
                a.set_tensor("widths", std::vector<Index>{3, -5, 4, 3});
              }),
              HasSubstr("widths"));
  EXPECT_THAT(damaged([](Archive& a) {
                a.set_tensor("widths", std::vector<Index>{Index{1} << 62, Index{1} << 62, 4, 3});
              }),
              HasSubstr("layer/0/weights"));
  EXPECT_THAT(damaged([](Archive& a) { a.set("activation", "step"); }), HasSubstr("activation"));
  EXPECT_THAT(damaged([](Archive& a) { a.set("output", "identity"); }), HasSubstr("classes"));
  EXPECT_THAT(damaged([](Archive& a) {
                a.set("classes", std::vector<std::string>{"a", "b"});
              }),
              HasSubstr("classes"));
  EXPECT_THAT(damaged([](Archive& a) { a.set("batch_norm_epsilon", -1.0); }),
              HasSubstr("batch_norm_epsilon"));
  EXPECT_THAT(damaged([](Archive& a) {
                a.set_tensor("layer/0/running_variance", std::vector<double>{1, 1, -1, 1, 1});
              }),
              HasSubstr("running_variance"));
  EXPECT_THAT(damaged([](Archive& a) {
                a.set_tensor("layer/1/bias",
                             std::vector<double>{1, 1, std::numeric_limits<double>::infinity(), 1});
              }),
              HasSubstr("layer/1/bias"));
  EXPECT_THAT(test::message_of<Error>([&] { (void)MlpModel<float>::load(good); }),
              HasSubstr("element type"));
}

TEST(Mlp, IsListedAmongTheAlgorithms) {
  const auto algorithm = make_algorithm("mlp");
  EXPECT_EQ(algorithm->name(), "mlp");
  EXPECT_TRUE(algorithm->prefers_scaled_features());
  EXPECT_EQ(algorithm->task(random_data<float>(20, 2, 2)), Task::classification);
  const auto engine = engine_of(Device::cpu, 1);
  const auto data = random_data<double>(20, 2, 2);
  const auto model = algorithm->fit(*engine, data);
  Archive archive;
  model->save(archive);
  const auto loaded = algorithm->load(archive, std::type_identity<double>{});
  EXPECT_EQ(loaded->features(), 2);
  EXPECT_EQ(loaded->classes(), model->classes());
}

}  // namespace
}  // namespace tandem

// The multi-layer perceptron: layers of weighted sums, each followed by a non-linear function,
// trained by back-propagation (Rumelhart, Hinton and Williams, "Learning representations by
// back-propagating errors", Nature 323, 1986). docs/algorithms/mlp.md derives every formula and
// states which operations round in which order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/options.hpp"
#include "tandem/data/class_weights.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/model/fit.hpp"
#include "tandem/model/margins.hpp"
#include "tandem/model/model.hpp"
#include "tandem/optim/optimizer.hpp"

namespace tandem {

// Activation of the hidden layers, as a function of a weighted sum z.
//   sigmoid  1 / (1 + exp(−z))
//   tanh     tanh(z)
//   relu     max(0, z)
//   gelu     z·Φ(z), Φ the normal distribution function, by erf (Hendrycks and Gimpel 2016)
enum class Activation { sigmoid, tanh, relu, gelu };
template <>
inline constexpr std::array<std::string_view, 4> enum_names<Activation>{"sigmoid", "tanh", "relu",
                                                                        "gelu"};

// Activation of the last layer.
//   softmax   one output per class, exp(z_j) / Σ exp(z_k)
//   sigmoid   one output, the probability of the second of two classes
//   identity  one output, the predicted value of a regression
//   automatic  as an option: softmax for classes, identity for values; no model has it
enum class MlpOutput { softmax, sigmoid, identity, automatic };
template <>
inline constexpr std::array<std::string_view, 4> enum_names<MlpOutput>{"softmax", "sigmoid",
                                                                       "identity", "auto"};

// Loss of a row with outputs p and target y (0 or 1 per class; the value in a regression).
//   cross_entropy  −log p of the row's class
//   squared_error  ½·Σ (p_j − y_j)²
//   automatic      as an option: cross_entropy for classes, squared_error for values
enum class MlpLoss { cross_entropy, squared_error, automatic };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<MlpLoss>{"cross-entropy",
                                                                     "squared-error", "auto"};

// Distribution of the first weights of a layer with n inputs and m outputs. Biases start at 0.
//   xavier_uniform  uniform on ±√(6 / (n + m)); xavier_normal: deviation √(2 / (n + m))
//                   (Glorot and Bengio, AISTATS 2010)
//   he_uniform      uniform on ±√(6 / n); he_normal: deviation √(2 / n) (He et al., ICCV 2015)
//   automatic       he_uniform for relu and gelu, else xavier_uniform
enum class MlpInitialization { xavier_uniform, xavier_normal, he_uniform, he_normal, automatic };
template <>
inline constexpr std::array<std::string_view, 5> enum_names<MlpInitialization>{
    "xavier-uniform", "xavier-normal", "he-uniform", "he-normal", "auto"};

struct TANDEM_API MlpOptions {
  std::vector<std::int64_t> hidden = {256};  // widths of the hidden layers; may be empty
  Activation activation = Activation::relu;
  TaskChoice task = TaskChoice::automatic;
  MlpOutput output = MlpOutput::automatic;
  MlpLoss loss = MlpLoss::automatic;
  MlpInitialization initialization = MlpInitialization::automatic;
  OptimizerOptions optimizer{};
  ClassWeights class_weight{};  // classification; multiplies the sample weights
  double l2 = 1e-3;             // adds l2/2·Σw² over all weights, biases free, to the cost
  double dropout = 0;           // share of each hidden layer's outputs dropped in training
  // After each hidden layer's weighted sum (Ioffe and Szegedy, ICML 2015). Prediction uses running
  // averages of mean and variance: average ← momentum·average + (1 − momentum)·batch.
  bool batch_norm = false;
  double batch_norm_momentum = 0.9;
  double batch_norm_epsilon = 1e-5;
  std::int64_t batch_size = 32;
  std::int64_t epochs = 200;
  bool keep_order = false;  // no shuffling: every epoch takes the rows as they come
  // Share of the training rows kept for validation where no validation set is given.
  double validation_fraction = 0;
  // Stops after this many epochs without an improvement of the loss (of the validation part where
  // there is one, else of training) by more than `tolerance`; 0: never.
  std::int64_t patience = 10;
  double tolerance = 1e-4;
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor);
  // Throws InputError that names the options.
  void check() const;
  // `task`, or what the target asks for: see task_of_target().
  template <Real T>
  [[nodiscard]] Task task_for(const DatasetView<T>& data) const;
};

template <Real T>
struct MlpLayer {
  Matrix<T> weights;    // inputs × outputs
  std::vector<T> bias;  // one per output; with batch normalisation the shift β
  // Batch normalisation; empty without, and in the last layer.
  std::vector<T> scale;  // γ
  std::vector<T> running_mean;
  std::vector<T> running_variance;

  [[nodiscard]] Index inputs() const noexcept { return weights.rows(); }
  [[nodiscard]] Index outputs() const noexcept { return weights.cols(); }
  [[nodiscard]] bool normalised() const noexcept { return !scale.empty(); }
  [[nodiscard]] bool operator==(const MlpLayer&) const = default;
};

template <Real T>
class TANDEM_API MlpModel final : public Model<T>, public Margins<T> {
 public:
  std::vector<MlpLayer<T>> layers;  // the last one gives the outputs
  Activation activation = Activation::relu;
  MlpOutput output = MlpOutput::softmax;
  MlpLoss loss = MlpLoss::cross_entropy;
  double batch_norm_epsilon = 1e-5;
  std::vector<std::string> class_names;  // empty for a regression
  TrainingLog log;  // loss, accuracy, learning_rate; validation_loss, validation_accuracy

  [[nodiscard]] Index parameters() const noexcept;

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<MlpModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "mlp"; }
  [[nodiscard]] Task task() const override {
    return output == MlpOutput::identity ? Task::regression : Task::classification;
  }
  [[nodiscard]] Index features() const override { return layers.front().inputs(); }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return class_names; }
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_on(Engine& engine) const override;
  // The margins of a classification; see Model.
  [[nodiscard]] Matrix<double> margins(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] const TrainingLog& training() const override { return log; }
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static MlpModel load(const Archive& archive);
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const override;
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const override;
};

// Trains a network. A regression's target is taken as it is: scale it
// where its size is far from 1. Throws InputError for data that cannot be trained on,
// NumericalError where training diverges.
template <Real T>
[[nodiscard]] TANDEM_API MlpModel<T> fit(Engine& engine, const DatasetView<T>& data,
                                         const MlpOptions& options,
                                         const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem

// A trained network on the host: prediction, the model file, and what `tandem inspect` shows.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/json_text.hpp"
#include "core/model/largest_of_rows.hpp"
#include "core/model/log_odds.hpp"
#include "core/model/ready_by.hpp"
#include "core/nn/mlp_network.hpp"
#include "tandem/core/error.hpp"
#include "tandem/nn/mlp.hpp"

namespace tandem {
namespace {

template <Real T>
std::vector<Index> widths_of(const std::vector<MlpLayer<T>>& layers) {
  std::vector<Index> widths{layers.front().inputs()};
  for (const auto& layer : layers) widths.push_back(layer.outputs());
  return widths;
}

template <class Enumeration>
Enumeration named(const Archive& archive, const char* entry, int count) {
  const std::string& name = archive.get_string(entry);
  for (int i = 0; i < count; ++i) {
    if (to_string(static_cast<Enumeration>(i)) == name) return static_cast<Enumeration>(i);
  }
  archive.fail(entry, "is '" + name + "', which this version does not know");
}

// A network for prediction on an engine; both must outlive it.
template <Real T>
class NetworkOnEngine {
 public:
  NetworkOnEngine(Engine& engine, const MlpModel<T>& model)
      : NetworkOnEngine(engine, model, model.output) {}
  // With this function over the last sums.
  NetworkOnEngine(Engine& engine, const MlpModel<T>& model, MlpOutput output)
      : engine_(&engine), model_(&model) {
    design_.widths = widths_of(model.layers);
    design_.activation = model.activation;
    design_.output = output;
    design_.loss = model.loss;
    design_.batch_norm = model.layers.front().normalised();
    design_.batch_norm_epsilon = model.batch_norm_epsilon;
  }

  // One row of outputs for each row of x.
  [[nodiscard]] Matrix<T> outputs(MatrixView<const T> x) {
    // Rows per pass, so that a pass's largest matrix has about a million elements.
    const Index widest = *std::max_element(design_.widths.begin(), design_.widths.end());
    const Index most = std::clamp<Index>((Index{1} << 20) / widest, 1, 4096);
    const Index wanted = std::clamp<Index>(x.rows, 1, most);
    if (network_ == nullptr || network_->capacity() < wanted) {
      // At least twice the last one: calls with more and more rows send the parameters a few times.
      const Index before = network_ != nullptr ? network_->capacity() : 0;
      network_.reset();
      network_ = std::make_unique<MlpNetwork<T>>(
          *engine_, design_, std::min(most, std::max(wanted, 2 * before)), false);
      network_->set_layers(model_->layers);
    }
    Matrix<T> outputs(x.rows, design_.widths.back());
    network_->predict(x, outputs.values());
    return outputs;
  }

 private:
  Engine* engine_;
  const MlpModel<T>* model_;
  MlpDesign design_;
  std::unique_ptr<MlpNetwork<T>> network_;
};

template <Real T>
Predictions<T> predictions_of(MlpOutput output, Matrix<T> outputs, int threads) {
  Predictions<T> predictions;
  if (output == MlpOutput::identity) {
    predictions.values = std::move(outputs.values());
    return predictions;
  }
  if (output == MlpOutput::sigmoid) {
    const Index rows = outputs.rows();
    predictions.labels.resize(static_cast<std::size_t>(rows));
    predictions.probabilities = Matrix<T>(rows, 2);
    for (Index i = 0; i < rows; ++i) {
      const T second = outputs(i, 0);
      predictions.probabilities(i, 0) = T{1} - second;
      predictions.probabilities(i, 1) = second;
      predictions.labels[static_cast<std::size_t>(i)] = second > T{0.5} ? 1 : 0;
    }
    return predictions;
  }
  predictions.labels = largest_of_rows<T>(std::as_const(outputs).view(), threads);
  predictions.probabilities = std::move(outputs);
  return predictions;
}

std::string layer_name(std::size_t l) { return "layer/" + std::to_string(l) + "/"; }

}  // namespace

template <Real T>
Index MlpModel<T>::parameters() const noexcept {
  Index count = 0;
  for (const auto& layer : layers) {
    count += layer.weights.size() + static_cast<Index>(layer.bias.size() + layer.scale.size());
  }
  return count;
}

template <Real T>
Matrix<double> MlpModel<T>::margins(Engine& engine, MatrixView<const T> x) const {
  if (x.cols != features()) {
    throw InputError("the mlp model was trained on " + std::to_string(features()) +
                     " features, but the data has " + std::to_string(x.cols) +
                     "; give the columns that it was trained on");
  }
  const Matrix<T> sums = NetworkOnEngine<T>(engine, *this, MlpOutput::identity).outputs(x);
  if (output != MlpOutput::softmax) return log_odds_of_sigmoid(std::span<const T>(sums.values()));
  Matrix<double> odds(sums.rows(), sums.cols());
  std::copy(sums.values().begin(), sums.values().end(), odds.values().begin());
  for (Index i = 0; i < odds.rows(); ++i) log_odds_of_softmax(odds.row(i));
  return odds;
}

template <Real T>
Predictions<T> MlpModel<T>::predict(Engine& engine, MatrixView<const T> x) const {
  return ready_on(engine)->predict(x);
}

template <Real T>
std::unique_ptr<ReadyModel<T>> MlpModel<T>::ready_on(Engine& engine) const {
  return ready_by<T>([this, threads = engine.threads(),
                      network = NetworkOnEngine<T>(engine, *this)](MatrixView<const T> x) mutable {
    if (x.cols != this->features()) {
      throw InputError("the mlp model was trained on " + std::to_string(this->features()) +
                       " features, but the data has " + std::to_string(x.cols) +
                       "; give the columns that it was trained on");
    }
    return predictions_of(output, network.outputs(x), threads);
  });
}

template <Real T>
void MlpModel<T>::save(Archive& archive) const {
  archive.set_tensor("widths", widths_of(layers));
  archive.set("activation", to_string(activation));
  archive.set("output", to_string(output));
  archive.set("loss", to_string(loss));
  archive.set("classes", class_names);
  archive.set("batch_norm", layers.front().normalised());
  archive.set("batch_norm_epsilon", batch_norm_epsilon);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto& layer = layers[l];
    const std::string name = layer_name(l);
    archive.set_matrix(name + "weights", layer.weights);
    archive.set_tensor(name + "bias", layer.bias);
    if (!layer.normalised()) continue;
    archive.set_tensor(name + "scale", layer.scale);
    archive.set_tensor(name + "running_mean", layer.running_mean);
    archive.set_tensor(name + "running_variance", layer.running_variance);
  }
  log.save(archive);
}

template <Real T>
MlpModel<T> MlpModel<T>::load(const Archive& archive) {
  MlpModel model;
  const std::vector<Index>& widths = archive.get_tensor<Index>("widths");
  if (widths.size() < 2) archive.fail("widths", "names fewer than two layers");
  for (const Index width : widths) {
    if (width < 1) archive.fail("widths", "has a layer without elements");
  }
  model.activation = named<Activation>(archive, "activation", 4);
  model.output = named<MlpOutput>(archive, "output", 3);
  model.loss = named<MlpLoss>(archive, "loss", 2);
  model.class_names = archive.get_strings("classes");
  const auto classes = static_cast<Index>(model.class_names.size());
  const bool fits =
      model.output == MlpOutput::softmax
          ? classes >= 2 && widths.back() == classes
          : widths.back() == 1 && classes == (model.output == MlpOutput::sigmoid ? 2 : 0);
  if (!fits) archive.fail("classes", "does not fit the outputs of the network");
  if (model.output == MlpOutput::identity && model.loss == MlpLoss::cross_entropy) {
    archive.fail("loss", "does not fit the outputs of the network");
  }
  const bool batch_norm = archive.get_bool("batch_norm");
  model.batch_norm_epsilon = archive.get_double("batch_norm_epsilon");
  if (!(model.batch_norm_epsilon > 0) || !std::isfinite(model.batch_norm_epsilon)) {
    archive.fail("batch_norm_epsilon", "is not a positive number");
  }
  for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
    const std::string name = layer_name(l);
    const auto values = [&](const std::string& entry, T lowest) {
      std::vector<T> all = archive.get_tensor<T>(name + entry, widths[l + 1]);
      for (const T value : all) {
        if (!std::isfinite(value) || value < lowest) {
          archive.fail(name + entry, "holds a number that is not finite or not in its range");
        }
      }
      return all;
    };
    constexpr T any = std::numeric_limits<T>::lowest();
    MlpLayer<T> layer;
    layer.weights = archive.get_matrix<T>(name + "weights", widths[l], widths[l + 1]);
    for (const T value : layer.weights.values()) {
      if (!std::isfinite(value))
        archive.fail(name + "weights", "holds a number that is not finite");
    }
    layer.bias = values("bias", any);
    if (batch_norm && l + 2 < widths.size()) {
      layer.scale = values("scale", any);
      layer.running_mean = values("running_mean", any);
      layer.running_variance = values("running_variance", T{0});
    }
    model.layers.push_back(std::move(layer));
  }
  model.log = TrainingLog::load(archive);
  return model;
}

template <Real T>
std::string MlpModel<T>::to_json(const std::vector<std::string>& /*feature_names*/) const {
  nlohmann::json json;
  json["widths"] = widths_of(layers);
  json["activation"] = to_string(activation);
  json["output"] = to_string(output);
  json["loss"] = to_string(loss);
  json["batch_norm"] = layers.front().normalised();
  json["parameters"] = parameters();
  json["classes"] = class_names;
  nlohmann::json list = nlohmann::json::array();
  for (const auto& layer : layers) {
    double squares = 0;
    double largest = 0;
    for (const T weight : layer.weights.values()) {
      squares += static_cast<double>(weight) * static_cast<double>(weight);
      largest = std::max(largest, std::abs(static_cast<double>(weight)));
    }
    list.push_back({{"inputs", layer.inputs()},
                    {"outputs", layer.outputs()},
                    {"weights_rms", std::sqrt(squares / static_cast<double>(layer.weights.size()))},
                    {"weights_largest", largest}});
  }
  json["layers"] = std::move(list);
  return json_text(json);
}

template <Real T>
std::string MlpModel<T>::to_text(const std::vector<std::string>& /*feature_names*/) const {
  std::string text = "multi-layer perceptron, " + std::to_string(parameters()) + " parameters\n";
  text += "  " + std::to_string(features()) + " features\n";
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const bool last = l + 1 == layers.size();
    text += "  " + std::to_string(layers[l].outputs()) +
            (!last                      ? " units, "
             : layers[l].outputs() == 1 ? " output, "
                                        : " outputs, ");
    if (layers[l].normalised()) text += "batch normalisation, ";
    text += std::string(last ? to_string(output) : to_string(activation)) + "\n";
  }
  text += "  loss: " + std::string(to_string(loss)) + "\n";
  text += "  stopped: " + log.stopped_because + "\n";
  return text;
}

template class MlpModel<float>;
template class MlpModel<double>;

}  // namespace tandem

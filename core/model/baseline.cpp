#include "tandem/model/baseline.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "core/json_text.hpp"
#include "core/text.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/visible.hpp"

namespace tandem {

template <Real T>
std::int32_t BaselineModel<T>::label() const {
  return static_cast<std::int32_t>(std::ranges::max_element(shares) - shares.begin());
}

template <Real T>
Predictions<T> BaselineModel<T>::predict(Engine& /*engine*/, MatrixView<const T> x) const {
  Predictions<T> predictions;
  const auto rows = static_cast<std::size_t>(x.rows);
  if (class_names.empty()) {
    predictions.values.assign(rows, static_cast<T>(mean));
    return predictions;
  }
  predictions.labels.assign(rows, label());
  predictions.probabilities = Matrix<T>(x.rows, static_cast<Index>(shares.size()));
  for (Index i = 0; i < x.rows; ++i) {
    std::ranges::transform(shares, predictions.probabilities.row(i).begin(),
                           [](double share) { return static_cast<T>(share); });
  }
  return predictions;
}

template <Real T>
void BaselineModel<T>::save(Archive& archive) const {
  archive.set("classes", class_names);
  archive.set("shares", shares);
  archive.set("mean", mean);
}

template <Real T>
std::string BaselineModel<T>::to_json(const std::vector<std::string>& /*feature_names*/) const {
  nlohmann::json json;
  if (class_names.empty()) {
    json["mean"] = mean;
  } else {
    json["class"] = class_names[static_cast<std::size_t>(label())];
    json["shares"] = shares;
  }
  return json_text(json);
}

template <Real T>
std::string BaselineModel<T>::to_text(const std::vector<std::string>& /*feature_names*/) const {
  if (class_names.empty()) return "always " + significant(mean, 6) + ", the mean";
  const auto answer = static_cast<std::size_t>(label());
  return "always " + visible(class_names[answer], "") + ", the most frequent class (" +
         significant(100 * shares[answer], 3) + " %)";
}

template <Real T>
BaselineModel<T> fit_baseline(const DatasetView<T>& train, Task task,
                              const std::vector<std::string>& classes) {
  if (task != Task::classification && task != Task::regression) {
    throw InputError("a baseline answers classes or values, not " + std::string(to_string(task)));
  }
  if (train.rows() == 0) throw InputError(train.source + ": has no rows");
  if (!train.has_target())
    throw InputError(train.source + ": has no target column; name one with " + option("target"));
  const auto rows = static_cast<std::size_t>(train.rows());
  const auto weight = [&](std::size_t i) {
    return train.has_weights() ? static_cast<double>(train.weights[i]) : 1.0;
  };
  BaselineModel<T> model;
  double total = 0;
  for (std::size_t i = 0; i < rows; ++i) total += weight(i);
  if (!(total > 0))
    throw InputError(train.source + ": every row has weight 0; give some row a positive weight");
  if (task == Task::classification) {
    const Classes found = classes.empty() ? encode_classes(train) : encode_classes(train, classes);
    model.class_names = found.names;
    model.shares.assign(found.names.size(), 0);
    for (std::size_t i = 0; i < rows; ++i) {
      if (found.labels[i] >= 0) {
        model.shares[static_cast<std::size_t>(found.labels[i])] += weight(i);
      }
    }
    for (double& share : model.shares) share /= total;
    return model;
  }
  require_numeric_target(train);
  double sum = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    sum = std::fma(weight(i), static_cast<double>(train.target[i]), sum);
  }
  model.mean = sum / total;
  return model;
}

template <Real T>
std::map<std::string, double> baseline_metrics(const BaselineModel<T>& baseline,
                                               const DatasetView<T>& data) {
  std::vector<Index> rows(static_cast<std::size_t>(data.rows()));
  std::iota(rows.begin(), rows.end(), Index{0});
  DatasetView<T> targets = data;
  targets.sparse = {};
  targets.features = {data.features.data, data.rows(), 0, 0};
  targets.columns = {};
  targets.base_margin = {};
  const auto engine = Engine::create({.device = Device::cpu});
  return evaluate(baseline, *engine, select_rows(targets, rows), {.curves = false}).metrics;
}

#define TANDEM_INSTANTIATE(T)                                                      \
  template class BaselineModel<T>;                                                 \
  template BaselineModel<T> fit_baseline(const DatasetView<T>&, Task,              \
                                         const std::vector<std::string>&);         \
  template std::map<std::string, double> baseline_metrics(const BaselineModel<T>&, \
                                                          const DatasetView<T>&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem

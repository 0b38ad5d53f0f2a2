// Shared by the cases of whole fits: data sets, and models as outputs.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "agree/case.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/model/model.hpp"
#include "tandem/optim/optimizer.hpp"

namespace tandem::agree {

// All that the model's file would hold, so that equal outputs are equal files. Names are the
// archive's.
template <Real T>
void add_model(Outputs& out, const Model<T>& model) {
  Archive archive;
  model.save(archive);
  for (const auto& entry : archive.entries()) {
    const auto& name = entry.first;
    std::visit(
        [&](const auto& v) {
          using V = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<V, Archive::Tensor>) {
            std::visit([&](const auto& values) { out.add(name, values); }, v.data);
          } else if constexpr (std::is_same_v<V, std::vector<double>>) {
            out.add(name, v);
          } else if constexpr (std::is_same_v<V, double>) {
            out.add(name, v);
          } else if constexpr (std::is_same_v<V, bool> || std::is_same_v<V, std::int64_t>) {
            out.add_count(name, static_cast<Index>(v));
          } else if constexpr (std::is_same_v<V, std::string>) {
            out.add(name, std::vector<std::uint8_t>(v.begin(), v.end()));
          }
        },
        entry.second);
  }
  out.model = std::make_shared<const Archive>(std::move(archive));
}

// A data set with a numeric target, or, where classes > 0, with one of classes 0, 1, ....
template <Real T>
[[nodiscard]] Dataset<T> make_dataset(const Key& key, Index columns, Index classes, Draw& draw) {
  Dataset<T> data;
  data.source = "agreement";
  data.features = make_features<T>(key.kind, key.rows, columns, draw);
  data.columns = numbered_columns(data.features.cols());
  data.target_column.name = "target";
  if (classes > 0) {
    for (const auto label : make_labels(data.features, classes, draw)) {
      data.target.push_back(static_cast<T>(label));
    }
    for (Index c = 0; c < classes; ++c) data.target_column.categories.push_back(std::to_string(c));
  } else {
    data.target = make_target<T>(key.kind, data.features, draw);
  }
  if (draw.flip()) data.weights = make_weights<T>(data.rows(), draw);
  return data;
}

template <Real T>
[[nodiscard]] double weight_of(const Dataset<T>& data, Index i) {
  return data.has_weights() ? static_cast<double>(data.weights[static_cast<std::size_t>(i)]) : 1.0;
}

// One of the six optimisers, at a rate at which the first epochs do not diverge.
[[nodiscard]] inline OptimizerOptions draw_optimizer(Draw& draw) {
  OptimizerOptions options;
  options.method = draw.of({OptimizerMethod::gradient_descent, OptimizerMethod::momentum,
                            OptimizerMethod::nesterov, OptimizerMethod::rmsprop,
                            OptimizerMethod::adam, OptimizerMethod::adamw});
  options.learning_rate = draw.uniform(0.001, 0.05);
  options.schedule = draw.of({LearningRateSchedule::constant, LearningRateSchedule::step,
                              LearningRateSchedule::exponential, LearningRateSchedule::inverse_time,
                              LearningRateSchedule::cosine});
  options.decay_every = 2;
  return options;
}

}  // namespace tandem::agree

// What any model has to beat: the answer that looks at no feature.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/metrics/evaluate.hpp"
#include "tandem/model/model.hpp"

namespace tandem {

// Of a classification it answers the most frequent class, by weight (ties go to the lower label),
// with the shares of the classes as probabilities; of a regression the mean, by weight. Made by
// fit_baseline(); it is no algorithm and has no file.
template <Real T>
class TANDEM_API BaselineModel final : public Model<T> {
 public:
  std::vector<std::string> class_names;  // empty for a regression
  std::vector<double> shares;            // one per class, of the training weight
  double mean = 0;                       // of a regression's target
  TrainingLog log;

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<BaselineModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "baseline"; }
  [[nodiscard]] Task task() const override {
    return class_names.empty() ? Task::regression : Task::classification;
  }
  [[nodiscard]] Index features() const override { return 0; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return class_names; }
  // Any number of columns will do.
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] const TrainingLog& training() const override { return log; }
  void save(Archive& archive) const override;
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const override;
  // "always benign, the most frequent class (62.7 %)", "always 152.133, the mean"
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const override;

  // The class answered: the largest share.
  [[nodiscard]] std::int32_t label() const;
};

// `classes`, where given, are those of the model that it stands beside. Throws InputError where
// there are no rows, no target or a missing one, and for a task other than classification and
// regression.
template <Real T>
[[nodiscard]] TANDEM_API BaselineModel<T> fit_baseline(
    const DatasetView<T>& train, Task task, const std::vector<std::string>& classes = {});

// The metrics of evaluate(), without reading a feature.
template <Real T>
[[nodiscard]] TANDEM_API std::map<std::string, double> baseline_metrics(
    const BaselineModel<T>& baseline, const DatasetView<T>& data);

}  // namespace tandem

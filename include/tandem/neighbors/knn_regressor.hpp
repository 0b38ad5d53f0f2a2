// Values of rows as means over the nearest training rows.
#pragma once

#include "tandem/data/dataset.hpp"
#include "tandem/model/fit.hpp"
#include "tandem/neighbors/neighbours.hpp"

namespace tandem {

struct TANDEM_API KNNRegressorOptions : NeighbourOptions {
  template <Real T>
  [[nodiscard]] Task task_for(const DatasetView<T>& /*data*/) const {
    return Task::regression;
  }
};

template <Real T>
class TANDEM_API KNNRegressorModel final : public NeighbourModel<T> {
 public:
  std::vector<T> target;  // of each row

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<KNNRegressorModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "knn-regressor"; }
  [[nodiscard]] Task task() const override { return Task::regression; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return no_classes_; }
  // A row's value is the mean of its neighbours' targets, by what each has to say.
  [[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_on(Engine& engine) const override;
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static KNNRegressorModel load(const Archive& archive);

 private:
  std::vector<std::string> no_classes_;
};

// Rows of weight 0 are left out; the others' say is multiplied by their weight. Throws InputError
// for data that cannot be trained on (fewer rows than neighbours, no target or one of texts, values
// that are missing, infinite or so large that distances leave the range of T).
template <Real T>
[[nodiscard]] TANDEM_API KNNRegressorModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const KNNRegressorOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem

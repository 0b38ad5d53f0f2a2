// Classes of rows by a vote of the nearest training rows. Cover and Hart, "Nearest neighbor pattern
// classification", IEEE Transactions on Information Theory 13(1), 1967.
#pragma once

#include "tandem/data/dataset.hpp"
#include "tandem/model/fit.hpp"
#include "tandem/neighbors/neighbours.hpp"

namespace tandem {

struct TANDEM_API KNNClassifierOptions : NeighbourOptions {
  template <Real T>
  [[nodiscard]] Task task_for(const DatasetView<T>& /*data*/) const {
    return Task::classification;
  }
};

template <Real T>
class TANDEM_API KNNClassifierModel final : public NeighbourModel<T> {
 public:
  std::vector<std::string> class_names;
  std::vector<std::int32_t> labels;  // the class of each row

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<KNNClassifierModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "knn-classifier"; }
  [[nodiscard]] Task task() const override { return Task::classification; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return class_names; }
  // A probability is the class's share of what the neighbours have to say; a row's label is the
  // class of the largest, the lowest of equals.
  [[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_on(Engine& engine) const override;
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static KNNClassifierModel load(const Archive& archive);
};

// Rows of weight 0 are left out; the others' say is multiplied by their weight. Throws InputError
// for data that cannot be trained on (fewer rows than neighbours, no target, one class only, values
// that are missing, infinite or so large that distances leave the range of T).
template <Real T>
[[nodiscard]] TANDEM_API KNNClassifierModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const KNNClassifierOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem

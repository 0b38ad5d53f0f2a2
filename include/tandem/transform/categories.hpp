// Categories matched by name with those of the training part.
#pragma once

#include <unordered_map>

#include "tandem/core/export.hpp"
#include "tandem/transform/transform.hpp"

namespace tandem {

struct TANDEM_API CategoryOptions {
  void visit(OptionVisitor& visitor);
  void check() const {}
  [[nodiscard]] bool applies_to(std::span<const Feature> features) const;
};

// Each file numbers its categories in its own way. This transform learns the categories that occur
// in the training part, or, where a later step asks for that, all that the training data declares,
// and gives every row their codes. A category that it has not learned is missing, or, where a later
// step asks for that, the code −1. Training rows of weight 0 with a category that no other row has
// are dropped.
template <Real T>
class TANDEM_API CategoryTransform final : public Transform<T> {
 public:
  // Throws InputError, by row, for what is no code of a category.
  [[nodiscard]] static CategoryTransform fit(const TrainingRows<T>& train,
                                             const CategoryOptions& options);

  [[nodiscard]] std::string_view name() const override { return "categories"; }
  [[nodiscard]] bool add_to(ColumnPlan<T>& plan) const override;
  [[nodiscard]] std::vector<Index> rows_to_drop(const TrainingRows<T>& train) const override;
  void save(Archive& archive) const override;
  [[nodiscard]] static CategoryTransform load(const Archive& archive, std::vector<Feature> inputs);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;

 private:
  explicit CategoryTransform(std::vector<Feature> inputs) : Transform<T>(std::move(inputs)) {}
  // From the lists of categories, one per feature.
  void learn(std::vector<std::vector<std::string>> categories);

  bool unknown_apart_ = false;
  std::vector<std::unordered_map<std::string, Index>> codes_;  // one per feature
};

}  // namespace tandem

// The target of a regression on one scale.
#pragma once

#include "tandem/core/export.hpp"
#include "tandem/transform/scale.hpp"
#include "tandem/transform/transform.hpp"

namespace tandem {

struct TANDEM_API ScaleTargetOptions {
  Scale method = Scale::none;

  void visit(OptionVisitor& visitor);
  void check() const {}
  static constexpr bool reads_categories = false;
  [[nodiscard]] bool applies_to(std::span<const Feature> features) const;
};

// The algorithm is trained on the scaled target, as Scale says; its predictions come back in the
// units that the target had. Features pass as they are.
template <Real T>
class TANDEM_API ScaleTargetTransform final : public Transform<T> {
 public:
  // Throws InputError where the rows are not for a regression, where there is no target or a value
  // of it is missing or infinite in a row that counts, and for values too large to be scaled.
  [[nodiscard]] static ScaleTargetTransform fit(const TrainingRows<T>& train,
                                                const ScaleTargetOptions& options);

  // scaled target = (target − shift) / divisor
  [[nodiscard]] double shift() const noexcept { return shift_; }
  [[nodiscard]] double divisor() const noexcept { return divisor_; }

  [[nodiscard]] std::string_view name() const override { return "scale-target"; }
  [[nodiscard]] bool add_to(ColumnPlan<T>& /*plan*/) const override { return true; }
  [[nodiscard]] bool changes_target() const noexcept override { return true; }
  void transform_target(std::span<T> target) const override;
  void restore_target(std::span<T> predictions) const override;
  void save(Archive& archive) const override;
  [[nodiscard]] static ScaleTargetTransform load(const Archive& archive,
                                                 std::vector<Feature> inputs);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;

 private:
  explicit ScaleTargetTransform(std::vector<Feature> inputs) : Transform<T>(std::move(inputs)) {}

  Scale method_ = Scale::none;
  double shift_ = 0;
  double divisor_ = 1;
};

}  // namespace tandem

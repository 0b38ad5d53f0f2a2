// Numbers on one scale.
#pragma once

#include <array>

#include "tandem/core/export.hpp"
#include "tandem/transform/transform.hpp"

namespace tandem {

// none:     values as they are
// standard: (x − mean) / standard deviation (of the population: divided by n)
// minmax:   (x − min) / (max − min), so that the training part spans [0, 1]
// A column that is constant in the training part is shifted and divided by 1: it becomes 0.
enum class Scale { none, standard, minmax };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<Scale>{"none", "standard", "minmax"};

struct TANDEM_API ScaleOptions {
  Scale method = Scale::none;

  void visit(OptionVisitor& visitor);
  void check() const {}
  static constexpr bool reads_categories = false;
  [[nodiscard]] bool applies_to(std::span<const Feature> features) const;
};

// Scales columns of numbers only: categories keep their codes, indicators stay 0 and 1. Missing
// values stay missing and do not count.
template <Real T>
class TANDEM_API ScaleTransform final : public Transform<T> {
 public:
  // Throws InputError, by column, for values too large to be scaled.
  [[nodiscard]] static ScaleTransform fit(const TrainingRows<T>& train,
                                          const ScaleOptions& options);

  // scaled value = (value − shift) / divisor; one each per feature, 0 and 1 where it is left alone.
  [[nodiscard]] const std::vector<double>& shift() const noexcept { return shift_; }
  [[nodiscard]] const std::vector<double>& divisor() const noexcept { return divisor_; }

  [[nodiscard]] std::string_view name() const override { return "scale"; }
  [[nodiscard]] bool add_to(ColumnPlan<T>& plan) const override;
  [[nodiscard]] double unscale(Index j, double value) const override;
  void save(Archive& archive) const override;
  [[nodiscard]] static ScaleTransform load(const Archive& archive, std::vector<Feature> inputs);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;

 private:
  explicit ScaleTransform(std::vector<Feature> inputs);

  Scale method_ = Scale::none;
  std::vector<double> shift_;
  std::vector<double> divisor_;
};

}  // namespace tandem

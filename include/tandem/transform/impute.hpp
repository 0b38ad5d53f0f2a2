// Missing values filled.
#pragma once

#include <array>

#include "tandem/core/export.hpp"
#include "tandem/transform/transform.hpp"

namespace tandem {

// The value that replaces a missing one (NaN). mean, median and most_frequent are of the training
// part's present values; the median of an even count is the mean of the two middle values; of
// equally frequent values the least wins. Among categories mean, median and most_frequent all take
// the most frequent one, and constant makes "missing" a category of its own.
enum class Impute { none, mean, median, most_frequent, constant };
template <>
inline constexpr std::array<std::string_view, 5> enum_names<Impute>{"none", "mean", "median",
                                                                    "most-frequent", "constant"};

struct TANDEM_API ImputeOptions {
  Impute method = Impute::none;
  double constant = 0;  // of numbers, with Impute::constant

  void visit(OptionVisitor& visitor);
  void check() const {}
  [[nodiscard]] bool applies_to(std::span<const Feature> features) const;
};

template <Real T>
class TANDEM_API ImputeTransform final : public Transform<T> {
 public:
  // Throws InputError for a column without a single value, where one is needed.
  [[nodiscard]] static ImputeTransform fit(const TrainingRows<T>& train,
                                           const ImputeOptions& options);

  // The value that replaces a missing one of each feature: a number, or the code of a category. NaN
  // for indicators, which are never missing.
  [[nodiscard]] const std::vector<double>& fill() const noexcept { return fill_; }
  // Missing values in the training part, of rows that count.
  [[nodiscard]] const std::vector<std::int64_t>& missing() const noexcept { return missing_; }

  [[nodiscard]] std::string_view name() const override { return "impute"; }
  [[nodiscard]] bool add_to(ColumnPlan<T>& plan) const override;
  void save(Archive& archive) const override;
  [[nodiscard]] static ImputeTransform load(const Archive& archive, std::vector<Feature> inputs);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;

 private:
  explicit ImputeTransform(std::vector<Feature> inputs);
  // Adds the category "missing" to the columns of categories that lack it.
  void make_outputs();

  Impute method_ = Impute::none;
  std::vector<double> fill_;
  std::vector<std::int64_t> missing_;
};

}  // namespace tandem

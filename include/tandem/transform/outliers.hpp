// Outliers of numbers: counted, clipped, or their training rows dropped.
#pragma once

#include <array>

#include "tandem/core/export.hpp"
#include "tandem/transform/transform.hpp"

namespace tandem {

// How outliers are found. Missing values never are outliers; columns that are constant in the
// training part have none.
//   zscore: |x − mean| > threshold · standard deviation
//   iqr:    x < Q1 − threshold · (Q3 − Q1) or x > Q3 + threshold · (Q3 − Q1), quartiles by linear
//           interpolation (Hyndman and Fan, "Sample quantiles in statistical packages", The
//           American Statistician 50, 1996: definition 7); a column whose quartiles coincide has
//           no outliers
enum class Outliers { none, zscore, iqr };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<Outliers>{"none", "zscore", "iqr"};

// report: only counted. drop: rows of the training part with an outlier are left out of everything
// that follows; no other row ever is. clip: values are moved to the nearest bound, in the training
// part and in all others.
enum class OutlierAction { report, drop, clip };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<OutlierAction>{"report", "drop",
                                                                           "clip"};

struct TANDEM_API OutlierOptions {
  Outliers method = Outliers::none;
  OutlierAction action = OutlierAction::report;
  double threshold = 0;  // > 0; 0 means 3 for zscore and 1.5 for iqr

  void visit(OptionVisitor& visitor);
  void check() const {}
  static constexpr bool reads_categories = false;
  [[nodiscard]] bool applies_to(std::span<const Feature> features) const;
};

template <Real T>
class TANDEM_API OutlierTransform final : public Transform<T> {
 public:
  // Throws InputError where dropping leaves no row that counts.
  [[nodiscard]] static OutlierTransform fit(const TrainingRows<T>& train,
                                            const OutlierOptions& options);

  // Values outside [low, high] are outliers; infinite where there are no bounds. One per feature.
  [[nodiscard]] const std::vector<double>& low() const noexcept { return low_; }
  [[nodiscard]] const std::vector<double>& high() const noexcept { return high_; }
  // Outliers in the training part, of rows that count.
  [[nodiscard]] const std::vector<std::int64_t>& counts() const noexcept { return counts_; }

  [[nodiscard]] std::string_view name() const override { return "outliers"; }
  [[nodiscard]] bool add_to(ColumnPlan<T>& plan) const override;
  [[nodiscard]] std::vector<Index> rows_to_drop(const TrainingRows<T>& train) const override;
  void save(Archive& archive) const override;
  [[nodiscard]] static OutlierTransform load(const Archive& archive, std::vector<Feature> inputs);
  [[nodiscard]] std::string to_json() const override;
  [[nodiscard]] std::string to_text() const override;

 private:
  explicit OutlierTransform(std::vector<Feature> inputs);

  Outliers method_ = Outliers::none;
  OutlierAction action_ = OutlierAction::report;
  double threshold_ = 0;
  std::vector<double> low_;
  std::vector<double> high_;
  std::vector<std::int64_t> counts_;
};

}  // namespace tandem

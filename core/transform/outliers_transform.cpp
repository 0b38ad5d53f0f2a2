#include <algorithm>
#include <cmath>
#include <limits>

#include "core/json_text.hpp"
#include "core/load_enum.hpp"
#include "core/parallel.hpp"
#include "core/transform/statistics.hpp"
#include "tandem/core/error.hpp"
#include "tandem/transform/outliers.hpp"
#include "tandem/transform/transform_of.hpp"

namespace tandem {
namespace {

constexpr double boundless = std::numeric_limits<double>::infinity();

}  // namespace

void OutlierOptions::visit(OptionVisitor& visitor) {
  visitor.choice({"method", "outliers", {}}, method, "find outliers of numeric columns");
  visitor.choice({"action", "outlier-action", {}}, action, "what becomes of them");
  visitor.real({"threshold", "outlier-threshold", {}}, threshold,
               "how far out is an outlier; 0: 3 for zscore, 1.5 for iqr", 0, 1e300);
}

bool OutlierOptions::applies_to(std::span<const Feature> /*features*/) const {
  return method != Outliers::none;
}

template <Real T>
OutlierTransform<T>::OutlierTransform(std::vector<Feature> inputs)
    : Transform<T>(std::move(inputs)),
      low_(this->inputs().size(), -boundless),
      high_(this->inputs().size(), boundless),
      counts_(this->inputs().size(), 0) {}

template <Real T>
OutlierTransform<T> OutlierTransform<T>::fit(const TrainingRows<T>& train,
                                             const OutlierOptions& options) {
  OutlierTransform result(train.features);
  result.method_ = options.method;
  result.action_ = options.action;
  const bool zscore = options.method == Outliers::zscore;
  const double threshold = options.threshold > 0 ? options.threshold : zscore ? 3.0 : 1.5;
  result.threshold_ = threshold;
  const std::vector<Index> numbers = train.of_kind(FeatureKind::number);
  auto& low = result.low_;
  auto& high = result.high_;
  if (zscore) {
    const std::vector<double> present = present_weights(train, numbers);
    const std::vector<double> mean = means(train, numbers, present);
    const std::vector<double> squares = squared_deviations(train, numbers, mean);
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      if (train.range(numbers[k]).constant()) continue;
      const auto j = static_cast<std::size_t>(numbers[k]);
      const double deviation = std::sqrt(squares[k] / present[k]);
      low[j] = mean[k] - threshold * deviation;
      high[j] = mean[k] + threshold * deviation;
    }
  } else {
    parallel_for(train.threads, static_cast<Index>(numbers.size()), [&](Index k) {
      const Index feature = numbers[static_cast<std::size_t>(k)];
      if (train.range(feature).constant()) return;
      ColumnValues<T> column = present_values(train, feature);
      const std::vector<double> quartiles = quantiles(column, {0.25, 0.75});
      const double width = quartiles[1] - quartiles[0];
      if (width == 0) return;
      const auto j = static_cast<std::size_t>(feature);
      low[j] = quartiles[0] - threshold * width;
      high[j] = quartiles[1] + threshold * width;
    });
  }
  const auto is_out = [&](double value, std::size_t j) {
    return value < low[j] || value > high[j];
  };
  if (train.data.weights.empty()) {
    std::vector<double> lows;
    std::vector<double> highs;
    for (const Index j : numbers) {
      lows.push_back(low[static_cast<std::size_t>(j)]);
      highs.push_back(high[static_cast<std::size_t>(j)]);
    }
    const std::vector<double> counts = feature_sums(train, numbers, [&](double value, Index k) {
      const auto at = static_cast<std::size_t>(k);
      return value < lows[at] || value > highs[at] ? 1.0 : 0.0;
    });
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      result.counts_[static_cast<std::size_t>(numbers[k])] = static_cast<std::int64_t>(counts[k]);
    }
    return result;
  }
  // Rows are counted, not their weights.
  for (Index i = 0; i < train.rows(); ++i) {
    if (!train.counts(i)) continue;
    for (const Index j : numbers) {
      const auto at = static_cast<std::size_t>(j);
      result.counts_[at] += is_out(static_cast<double>(train.value(i, j)), at) ? 1 : 0;
    }
  }
  return result;
}

template <Real T>
bool OutlierTransform<T>::add_to(ColumnPlan<T>& plan) const {
  return action_ != OutlierAction::clip || plan.clip(low_, high_);
}

template <Real T>
std::vector<Index> OutlierTransform<T>::rows_to_drop(const TrainingRows<T>& train) const {
  std::vector<Index> dropped;
  if (action_ != OutlierAction::drop) return dropped;
  bool some = false;
  for (Index i = 0; i < train.rows(); ++i) {
    bool out = false;
    for (std::size_t j = 0; j < low_.size() && !out; ++j) {
      const auto value = static_cast<double>(train.value(i, static_cast<Index>(j)));
      out = value < low_[j] || value > high_[j];
    }
    if (out) {
      dropped.push_back(i);
    } else {
      some = some || train.counts(i);
    }
  }
  if (!some) {
    throw InputError(train.data.source + ": every row has an outlier; raise " +
                     option("outlier_threshold") + ", or report or clip instead of dropping");
  }
  return dropped;
}

template <Real T>
void OutlierTransform<T>::save(Archive& archive) const {
  archive.set("method", to_string(method_));
  archive.set("action", to_string(action_));
  archive.set("threshold", threshold_);
  archive.set("low", low_);
  archive.set("high", high_);
  archive.set_tensor("count", counts_);
}

template <Real T>
OutlierTransform<T> OutlierTransform<T>::load(const Archive& archive, std::vector<Feature> inputs) {
  OutlierTransform result(std::move(inputs));
  const std::size_t width = result.inputs().size();
  result.method_ = load_enum<Outliers>(archive, "method");
  result.action_ = load_enum<OutlierAction>(archive, "action");
  result.threshold_ = archive.get_double("threshold");
  if (!(result.threshold_ >= 0) || std::isinf(result.threshold_)) {
    archive.fail("threshold", "is not a positive number");
  }
  result.low_ = archive.get_doubles("low");
  result.high_ = archive.get_doubles("high");
  result.counts_ = archive.template get_tensor<std::int64_t>("count", static_cast<Index>(width));
  if (result.low_.size() != width) archive.fail("low", "is not one number per column");
  if (result.high_.size() != width) archive.fail("high", "is not one number per column");
  for (std::size_t j = 0; j < width; ++j) {
    if (!(result.low_[j] <= result.high_[j])) archive.fail("low", "is above the upper bound");
    if (result.counts_[j] < 0) archive.fail("count", "is negative");
    if (result.inputs()[j].kind != FeatureKind::number &&
        (result.low_[j] > -boundless || result.high_[j] < boundless)) {
      archive.fail("low", "bounds column " + result.inputs()[j].name + ", which is no number");
    }
  }
  return result;
}

template <Real T>
std::string OutlierTransform<T>::to_json() const {
  nlohmann::json json{{"method", to_string(method_)},
                      {"action", to_string(action_)},
                      {"threshold", threshold_},
                      {"columns", nlohmann::json::array()}};
  for (std::size_t j = 0; j < this->inputs().size(); ++j) {
    if (this->inputs()[j].kind != FeatureKind::number) continue;
    nlohmann::json column{{"name", this->inputs()[j].name}, {"outliers", counts_[j]}};
    if (std::isfinite(low_[j])) column["low"] = low_[j];
    if (std::isfinite(high_[j])) column["high"] = high_[j];
    json["columns"].push_back(std::move(column));
  }
  return json_text(json);
}

template <Real T>
std::string OutlierTransform<T>::to_text() const {
  std::int64_t count = 0;
  for (const std::int64_t one : counts_) count += one;
  return std::string(to_string(method_)) + ", " + std::string(to_string(action_)) + ", " +
         std::to_string(count) + " found";
}

std::unique_ptr<TransformStep> make_outliers_transform() {
  return transform_of<OutlierOptions, OutlierTransform>(
      {.name = "outliers",
       .summary = "Finds outliers of numbers, and counts them, clips them or drops their rows",
       .place = 100});
}

template class OutlierTransform<float>;
template class OutlierTransform<double>;

}  // namespace tandem

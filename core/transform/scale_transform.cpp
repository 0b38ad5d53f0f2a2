#include <algorithm>
#include <cmath>

#include "core/json_text.hpp"
#include "core/load_enum.hpp"
#include "core/transform/statistics.hpp"
#include "tandem/core/error.hpp"
#include "tandem/transform/scale.hpp"
#include "tandem/transform/transform_of.hpp"

namespace tandem {

void ScaleOptions::visit(OptionVisitor& visitor) {
  visitor.choice({"method", "scale", {}}, method, "bring numeric columns to one scale");
}

bool ScaleOptions::applies_to(std::span<const Feature> /*features*/) const {
  return method != Scale::none;
}

template <Real T>
ScaleTransform<T>::ScaleTransform(std::vector<Feature> inputs)
    : Transform<T>(std::move(inputs)),
      shift_(this->inputs().size(), 0.0),
      divisor_(this->inputs().size(), 1.0) {}

template <Real T>
ScaleTransform<T> ScaleTransform<T>::fit(const TrainingRows<T>& train,
                                         const ScaleOptions& options) {
  ScaleTransform result(train.features);
  result.method_ = options.method;
  const std::vector<Index> scaled = train.of_kind(FeatureKind::number);
  auto& shift = result.shift_;
  auto& divisor = result.divisor_;
  if (options.method == Scale::minmax) {
    for (const Index j : scaled) {
      const ValueRange& range = train.range(j);
      if (!std::isfinite(range.low)) continue;
      shift[static_cast<std::size_t>(j)] = range.low;
      if (!range.constant()) divisor[static_cast<std::size_t>(j)] = range.high - range.low;
    }
  } else if (options.method == Scale::standard) {
    const std::vector<double> present = present_weights(train, scaled);
    const std::vector<double> mean = means(train, scaled, present);
    const std::vector<double> squares = squared_deviations(train, scaled, mean);
    for (std::size_t k = 0; k < scaled.size(); ++k) {
      if (present[k] == 0) continue;
      const auto j = static_cast<std::size_t>(scaled[k]);
      const ValueRange& range = train.range(scaled[k]);
      // The mean of equal values may be off by a rounding; what is constant becomes exactly 0.
      shift[j] = range.constant() ? range.low : mean[k];
      const double deviation = std::sqrt(squares[k] / present[k]);
      if (!range.constant() && deviation > 0) divisor[j] = deviation;
    }
  }
  for (const Index j : scaled) {
    const auto at = static_cast<std::size_t>(j);
    if (!std::isfinite(shift[at]) || !std::isfinite(divisor[at])) {
      throw InputError(train.data.source + ": column " + train.features[at].name +
                       ": its values are too large to be scaled; divide them first");
    }
  }
  return result;
}

template <Real T>
bool ScaleTransform<T>::add_to(ColumnPlan<T>& plan) const {
  return plan.scale(shift_, divisor_);
}

template <Real T>
double ScaleTransform<T>::unscale(Index j, double value) const {
  const auto at = static_cast<std::size_t>(j);
  return value * divisor_.at(at) + shift_.at(at);
}

template <Real T>
void ScaleTransform<T>::save(Archive& archive) const {
  archive.set("method", to_string(method_));
  archive.set("shift", shift_);
  archive.set("divisor", divisor_);
}

template <Real T>
ScaleTransform<T> ScaleTransform<T>::load(const Archive& archive, std::vector<Feature> inputs) {
  ScaleTransform result(std::move(inputs));
  const std::size_t width = result.inputs().size();
  result.method_ = load_enum<Scale>(archive, "method");
  result.shift_ = archive.get_doubles("shift");
  result.divisor_ = archive.get_doubles("divisor");
  if (result.shift_.size() != width) archive.fail("shift", "is not one number per column");
  if (result.divisor_.size() != width) archive.fail("divisor", "is not one number per column");
  for (std::size_t j = 0; j < width; ++j) {
    const double shift = result.shift_[j];
    const double divisor = result.divisor_[j];
    if (!std::isfinite(shift)) archive.fail("shift", "is not finite");
    if (!(divisor > 0) || std::isinf(divisor)) archive.fail("divisor", "is not positive");
    if (result.inputs()[j].kind != FeatureKind::number && (shift != 0 || divisor != 1)) {
      archive.fail("shift", "scales column " + result.inputs()[j].name + ", which is no number");
    }
  }
  return result;
}

template <Real T>
std::string ScaleTransform<T>::to_json() const {
  nlohmann::json json{{"method", to_string(method_)}, {"columns", nlohmann::json::array()}};
  for (std::size_t j = 0; j < this->inputs().size(); ++j) {
    if (this->inputs()[j].kind != FeatureKind::number) continue;
    json["columns"].push_back(
        {{"name", this->inputs()[j].name}, {"shift", shift_[j]}, {"divisor", divisor_[j]}});
  }
  return json_text(json);
}

template <Real T>
std::string ScaleTransform<T>::to_text() const {
  return std::string(to_string(method_));
}

std::unique_ptr<TransformStep> make_scale_transform() {
  return transform_of<ScaleOptions, ScaleTransform>(
      {.name = "scale", .summary = "Brings numbers to one scale", .place = 500});
}

template class ScaleTransform<float>;
template class ScaleTransform<double>;

}  // namespace tandem

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/json_text.hpp"
#include "core/load_enum.hpp"
#include "core/metrics/row_sums.hpp"
#include "core/text.hpp"
#include "tandem/core/error.hpp"
#include "tandem/transform/scale_target.hpp"
#include "tandem/transform/transform_of.hpp"

namespace tandem {

void ScaleTargetOptions::visit(OptionVisitor& visitor) {
  visitor.choice({"method", "scale-target", {}}, method,
                 "regression: train on a scaled target; predictions keep its units");
}

bool ScaleTargetOptions::applies_to(std::span<const Feature> /*features*/) const {
  return method != Scale::none;
}

template <Real T>
ScaleTargetTransform<T> ScaleTargetTransform<T>::fit(const TrainingRows<T>& train,
                                                     const ScaleTargetOptions& options) {
  if (train.task != Task::regression) {
    throw InputError(option("scale_target") + " is for regressions, and this is a " +
                     std::string(to_string(train.task)));
  }
  require_numeric_target(train.data);
  ScaleTargetTransform result(train.features);
  result.method_ = options.method;
  const std::vector<T>& target = train.data.target;
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (Index i = 0; i < train.rows(); ++i) {
    if (!train.counts(i)) continue;
    const auto value = static_cast<double>(target[static_cast<std::size_t>(i)]);
    if (!std::isfinite(value)) require_finite(train.data, true, true);
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (options.method == Scale::minmax) {
    result.shift_ = low;
    if (low < high) result.divisor_ = high - low;
  } else {
    const auto value_at = [&](Index i) {
      return static_cast<double>(target[static_cast<std::size_t>(i)]);
    };
    const auto sums = row_sums<2>(train.threads, train.rows(), [&](Index i, double* terms) {
      const double weight = train.weight(i);
      terms[0] = weight;
      terms[1] = weight == 0 ? 0.0 : weight * value_at(i);
    });
    const double mean = sums[1] / sums[0];
    const auto squares = row_sums<1>(train.threads, train.rows(), [&](Index i, double* terms) {
      const double weight = train.weight(i);
      const double deviation = value_at(i) - mean;
      terms[0] = weight == 0 ? 0.0 : weight * (deviation * deviation);
    });
    result.shift_ = low < high ? mean : low;
    const double deviation = std::sqrt(squares[0] / sums[0]);
    if (low < high && deviation > 0) result.divisor_ = deviation;
  }
  if (!std::isfinite(result.shift_) || !std::isfinite(result.divisor_)) {
    throw InputError(train.data.source + ": the target " + train.data.target_column.name +
                     ": its values are too large to be scaled; divide them first");
  }
  return result;
}

template <Real T>
void ScaleTargetTransform<T>::transform_target(std::span<T> target) const {
  for (T& value : target) {
    value = static_cast<T>((static_cast<double>(value) - shift_) / divisor_);
  }
}

template <Real T>
void ScaleTargetTransform<T>::restore_target(std::span<T> predictions) const {
  for (T& value : predictions) {
    value = static_cast<T>(std::fma(static_cast<double>(value), divisor_, shift_));
  }
}

template <Real T>
void ScaleTargetTransform<T>::save(Archive& archive) const {
  archive.set("method", to_string(method_));
  archive.set("shift", shift_);
  archive.set("divisor", divisor_);
}

template <Real T>
ScaleTargetTransform<T> ScaleTargetTransform<T>::load(const Archive& archive,
                                                      std::vector<Feature> inputs) {
  ScaleTargetTransform result(std::move(inputs));
  result.method_ = load_enum<Scale>(archive, "method");
  result.shift_ = archive.get_double("shift");
  result.divisor_ = archive.get_double("divisor");
  if (!std::isfinite(result.shift_)) archive.fail("shift", "is not finite");
  if (!(result.divisor_ > 0) || std::isinf(result.divisor_)) {
    archive.fail("divisor", "is not positive");
  }
  return result;
}

template <Real T>
std::string ScaleTargetTransform<T>::to_json() const {
  return json_text({{"method", to_string(method_)}, {"shift", shift_}, {"divisor", divisor_}});
}

template <Real T>
std::string ScaleTargetTransform<T>::to_text() const {
  return std::string(to_string(method_)) + ", (target − " + shortest(shift_) + ") / " +
         shortest(divisor_);
}

std::unique_ptr<TransformStep> make_scale_target_transform() {
  return transform_of<ScaleTargetOptions, ScaleTargetTransform>(
      {.name = "scale-target",
       .summary = "Trains regressions on a scaled target; predictions keep its units",
       .place = 900});
}

template class ScaleTargetTransform<float>;
template class ScaleTargetTransform<double>;

}  // namespace tandem

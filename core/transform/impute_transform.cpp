#include <algorithm>
#include <cmath>
#include <limits>

#include "core/json_text.hpp"
#include "core/load_enum.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"
#include "core/transform/statistics.hpp"
#include "tandem/core/error.hpp"
#include "tandem/transform/impute.hpp"
#include "tandem/transform/transform_of.hpp"

namespace tandem {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr std::string_view missing_category = "missing";

template <Real T>
[[noreturn]] void nothing_to_fill_with(const TrainingRows<T>& train, Index j) {
  throw InputError(train.data.source + ": column " +
                   train.features[static_cast<std::size_t>(j)].name +
                   ": has no value to fill its missing ones with; remove the column");
}

// The code of the category with the largest weight, of several the first; −1 where no row has one.
template <Real T>
Index most_frequent_category(const TrainingRows<T>& train, Index j) {
  std::vector<double> weight(train.features[static_cast<std::size_t>(j)].categories.size(), 0.0);
  for (Index i = 0; i < train.rows(); ++i) {
    const T code = train.value(i, j);
    if (code >= 0 && code < static_cast<T>(weight.size())) {
      weight[static_cast<std::size_t>(code)] += train.weight(i);
    }
  }
  const auto most = std::max_element(weight.begin(), weight.end());
  return most == weight.end() || *most == 0 ? -1 : most - weight.begin();
}

}  // namespace

void ImputeOptions::visit(OptionVisitor& visitor) {
  visitor.choice({"method", "impute", {}}, method, "fill missing values");
  visitor.real({"constant", "impute-constant", {}}, constant, "the value for impute constant",
               -1e300, 1e300);
}

bool ImputeOptions::applies_to(std::span<const Feature> /*features*/) const {
  return method != Impute::none;
}

template <Real T>
ImputeTransform<T>::ImputeTransform(std::vector<Feature> inputs)
    : Transform<T>(std::move(inputs)),
      fill_(this->inputs().size(), unknown),
      missing_(this->inputs().size(), 0) {}

template <Real T>
void ImputeTransform<T>::make_outputs() {
  if (method_ != Impute::constant) return;
  std::vector<Feature> outputs = this->inputs();
  for (Feature& feature : outputs) {
    if (feature.kind != FeatureKind::category) continue;
    auto& categories = feature.categories;
    if (std::find(categories.begin(), categories.end(), missing_category) == categories.end()) {
      categories.emplace_back(missing_category);
    }
  }
  this->set_outputs(std::move(outputs));
}

template <Real T>
ImputeTransform<T> ImputeTransform<T>::fit(const TrainingRows<T>& train,
                                           const ImputeOptions& options) {
  ImputeTransform result(train.features);
  result.method_ = options.method;
  result.make_outputs();
  auto& fill = result.fill_;
  for (Index j = 0; j < train.cols(); ++j) {
    result.missing_[static_cast<std::size_t>(j)] = train.range(j).missing;
  }
  for (const Index j : train.of_kind(FeatureKind::category)) {
    const auto at = static_cast<std::size_t>(j);
    if (options.method == Impute::constant) {
      const auto& categories = result.outputs()[at].categories;
      fill[at] = static_cast<double>(
          std::find(categories.begin(), categories.end(), missing_category) - categories.begin());
    } else {
      const Index most = most_frequent_category(train, j);
      if (most < 0) nothing_to_fill_with(train, j);
      fill[at] = static_cast<double>(most);
    }
  }

  const std::vector<Index> numbers = train.of_kind(FeatureKind::number);
  if (options.method == Impute::constant) {
    for (const Index j : numbers) {
      fill[static_cast<std::size_t>(j)] = static_cast<double>(static_cast<T>(options.constant));
    }
    return result;
  }
  const Index rows = train.counting_rows();
  for (const Index j : numbers) {
    if (train.range(j).missing == rows) nothing_to_fill_with(train, j);
  }
  if (options.method == Impute::mean) {
    const std::vector<double> present = present_weights(train, numbers);
    const std::vector<double> mean = means(train, numbers, present);
    for (std::size_t k = 0; k < numbers.size(); ++k) {
      fill[static_cast<std::size_t>(numbers[k])] = static_cast<double>(static_cast<T>(mean[k]));
    }
    return result;
  }
  parallel_for(train.threads, static_cast<Index>(numbers.size()), [&](Index k) {
    const Index j = numbers[static_cast<std::size_t>(k)];
    ColumnValues<T> column = present_values(train, j);
    const double value =
        options.method == Impute::median ? quantiles(column, {0.5}).front() : most_frequent(column);
    fill[static_cast<std::size_t>(j)] = static_cast<double>(static_cast<T>(value));
  });
  return result;
}

template <Real T>
bool ImputeTransform<T>::add_to(ColumnPlan<T>& plan) const {
  return plan.fill(fill_);
}

template <Real T>
void ImputeTransform<T>::save(Archive& archive) const {
  archive.set("method", to_string(method_));
  archive.set("fill", fill_);
  archive.set_tensor("missing", missing_);
}

template <Real T>
ImputeTransform<T> ImputeTransform<T>::load(const Archive& archive, std::vector<Feature> inputs) {
  ImputeTransform result(std::move(inputs));
  const std::size_t width = result.inputs().size();
  result.method_ = load_enum<Impute>(archive, "method");
  result.make_outputs();
  result.fill_ = archive.get_doubles("fill");
  result.missing_ = archive.template get_tensor<std::int64_t>("missing", static_cast<Index>(width));
  if (result.fill_.size() != width) archive.fail("fill", "is not one number per column");
  for (std::size_t j = 0; j < width; ++j) {
    const Feature& feature = result.outputs()[j];
    const double fill = result.fill_[j];
    if (std::isinf(fill)) archive.fail("fill", "is infinite");
    if (result.missing_[j] < 0) archive.fail("missing", "is negative");
    if (std::isnan(fill)) continue;
    if (feature.kind == FeatureKind::indicator) archive.fail("fill", "fills an indicator");
    if (feature.kind == FeatureKind::category &&
        !(fill >= 0 && fill < static_cast<double>(feature.categories.size()) &&
          fill == std::trunc(fill))) {
      archive.fail("fill", "is not the code of a category");
    }
  }
  return result;
}

template <Real T>
std::string ImputeTransform<T>::to_json() const {
  nlohmann::json json{{"method", to_string(method_)}, {"columns", nlohmann::json::array()}};
  for (std::size_t j = 0; j < this->outputs().size(); ++j) {
    const Feature& feature = this->outputs()[j];
    if (feature.kind == FeatureKind::indicator) continue;
    nlohmann::json column{{"name", feature.name}, {"missing", missing_[j]}};
    if (std::isnan(fill_[j])) {
      column["fill"] = nullptr;
    } else if (feature.kind == FeatureKind::category) {
      column["fill"] = feature.categories[static_cast<std::size_t>(fill_[j])];
    } else {
      column["fill"] = fill_[j];
    }
    json["columns"].push_back(std::move(column));
  }
  return json_text(json);
}

template <Real T>
std::string ImputeTransform<T>::to_text() const {
  std::int64_t missing = 0;
  for (const std::int64_t count : missing_) missing += count;
  return std::string(to_string(method_)) + ", " + std::to_string(missing) +
         (missing == 1 ? " value" : " values");
}

std::unique_ptr<TransformStep> make_impute_transform() {
  return transform_of<ImputeOptions, ImputeTransform>(
      {.name = "impute", .summary = "Fills missing values", .place = 300});
}

template class ImputeTransform<float>;
template class ImputeTransform<double>;

}  // namespace tandem

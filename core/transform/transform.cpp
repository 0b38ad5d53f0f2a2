#include "tandem/transform/transform.hpp"

#include <algorithm>
#include <stdexcept>

#include "tandem/transform/training_rows.hpp"

namespace tandem {
namespace {

// visit_options() is not const because visitors may set what they see; these here do not.
VisitOptions reading(const TransformStep& step) {
  return [&](OptionVisitor& visitor) {
    const_cast<TransformStep&>(step).visit_options(
        visitor);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  };
}

}  // namespace

std::vector<Feature> features_of(std::span<const Column> columns) {
  std::vector<Feature> features;
  features.reserve(columns.size());
  for (const Column& column : columns) {
    features.push_back({column.name,
                        column.categorical() ? FeatureKind::category : FeatureKind::number,
                        column.categories});
  }
  return features;
}

std::vector<Column> columns_of(std::span<const Feature> features) {
  std::vector<Column> columns;
  columns.reserve(features.size());
  for (const Feature& feature : features) columns.push_back({feature.name, feature.categories});
  return columns;
}

template <Real T>
bool Transform<T>::add_to(ColumnPlan<T>& /*plan*/) const {
  return false;
}

template <Real T>
Matrix<T> Transform<T>::transform_rows(const Matrix<T>& /*rows*/, int /*threads*/) const {
  throw std::logic_error(std::string(name()) + " neither adds to a plan nor transforms rows");
}

template <Real T>
std::vector<Index> Transform<T>::rows_to_drop(const TrainingRows<T>& /*train*/) const {
  return {};
}

template <Real T>
void Transform<T>::transform_target(std::span<T> /*target*/) const {}

template <Real T>
void Transform<T>::restore_target(std::span<T> /*predictions*/) const {}

template <Real T>
double Transform<T>::unscale(Index /*j*/, double value) const {
  return value;
}

TransformStep& TransformStep::set(std::string_view option_name, const OptionValue& value) {
  set_option([this](OptionVisitor& visitor) { visit_options(visitor); }, option_name, value);
  return *this;
}

bool TransformStep::has_option(std::string_view option_name) const {
  const auto names = option_names(reading(*this));
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& one) { return same_name(one, option_name); });
}

Archive TransformStep::options() const { return record_options(reading(*this)); }

std::vector<std::unique_ptr<TransformStep>> standard_steps() {
  std::vector<std::unique_ptr<TransformStep>> steps;
  for (const std::string& name : transform_names()) {
    std::unique_ptr<TransformStep> step = make_transform(name);
    if (step->place() > 0) steps.push_back(std::move(step));
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const auto& a, const auto& b) { return a->place() < b->place(); });
  return steps;
}

template class Transform<float>;
template class Transform<double>;

}  // namespace tandem

#include <algorithm>

#include "core/json_text.hpp"
#include "core/load_enum.hpp"
#include "tandem/transform/encode.hpp"
#include "tandem/transform/transform_of.hpp"

namespace tandem {

void EncodeOptions::visit(OptionVisitor& visitor) {
  visitor.choice({"method", "encode", {}}, method, "turn text columns into numbers");
}

bool EncodeOptions::applies_to(std::span<const Feature> features) const {
  return method != Encode::none &&
         std::any_of(features.begin(), features.end(),
                     [](const Feature& feature) { return feature.kind == FeatureKind::category; });
}

CategoryNeeds EncodeOptions::category_needs() const {
  // An indicator tells what is unknown from what is missing; a code cannot.
  return {.all_declared = method == Encode::none, .unknown_apart = method == Encode::one_hot};
}

template <Real T>
EncodeTransform<T>::EncodeTransform(std::vector<Feature> inputs, Encode method)
    : Transform<T>(std::move(inputs)), method_(method) {
  std::vector<Feature> outputs;
  for (std::size_t j = 0; j < this->inputs().size(); ++j) {
    const Feature& feature = this->inputs()[j];
    if (feature.kind != FeatureKind::category || method != Encode::one_hot) {
      outputs.push_back(feature);
      source_.push_back(static_cast<Index>(j));
      category_.push_back(-1);
      if (feature.kind == FeatureKind::category && method == Encode::ordinal) {
        outputs.back() = {feature.name, FeatureKind::number};
      }
      continue;
    }
    for (std::size_t c = 0; c < feature.categories.size(); ++c) {
      outputs.push_back({feature.name + "=" + feature.categories[c], FeatureKind::indicator});
      source_.push_back(static_cast<Index>(j));
      category_.push_back(static_cast<Index>(c));
    }
  }
  this->set_outputs(std::move(outputs));
}

template <Real T>
EncodeTransform<T> EncodeTransform<T>::fit(const TrainingRows<T>& train,
                                           const EncodeOptions& options) {
  return {train.features, options.method};
}

template <Real T>
bool EncodeTransform<T>::add_to(ColumnPlan<T>& plan) const {
  if (method_ != Encode::one_hot) return true;
  std::vector<typename ColumnPlan<T>::Output> taken;
  for (std::size_t k = 0; k < source_.size(); ++k) taken.push_back({source_[k], category_[k]});
  return plan.take(taken);
}

template <Real T>
Index EncodeTransform<T>::input_of(Index j) const {
  return source_.at(static_cast<std::size_t>(j));
}

template <Real T>
void EncodeTransform<T>::save(Archive& archive) const {
  archive.set("method", to_string(method_));
}

template <Real T>
EncodeTransform<T> EncodeTransform<T>::load(const Archive& archive, std::vector<Feature> inputs) {
  return {std::move(inputs), load_enum<Encode>(archive, "method")};
}

template <Real T>
std::string EncodeTransform<T>::to_json() const {
  nlohmann::json json{{"method", to_string(method_)}, {"columns", nlohmann::json::array()}};
  for (const Feature& feature : this->inputs()) {
    if (feature.kind == FeatureKind::category) json["columns"].push_back(feature.name);
  }
  return json_text(json);
}

template <Real T>
std::string EncodeTransform<T>::to_text() const {
  return std::string(to_string(method_));
}

std::unique_ptr<TransformStep> make_encode_transform() {
  return transform_of<EncodeOptions, EncodeTransform>(
      {.name = "encode", .summary = "Turns categories into numbers", .place = 400});
}

template class EncodeTransform<float>;
template class EncodeTransform<double>;

}  // namespace tandem

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "core/json_text.hpp"
#include "core/text.hpp"
#include "tandem/core/error.hpp"
#include "tandem/transform/categories.hpp"
#include "tandem/transform/transform_of.hpp"

namespace tandem {

void CategoryOptions::visit(OptionVisitor& /*visitor*/) {}

bool CategoryOptions::applies_to(std::span<const Feature> features) const {
  return std::any_of(features.begin(), features.end(),
                     [](const Feature& feature) { return feature.kind == FeatureKind::category; });
}

template <Real T>
void CategoryTransform<T>::learn(std::vector<std::vector<std::string>> categories) {
  std::vector<Feature> outputs = this->inputs();
  codes_.assign(outputs.size(), {});
  for (std::size_t j = 0; j < outputs.size(); ++j) {
    if (outputs[j].kind != FeatureKind::category) continue;
    for (std::size_t c = 0; c < categories[j].size(); ++c) {
      codes_[j].emplace(categories[j][c], static_cast<Index>(c));
    }
    outputs[j].categories = std::move(categories[j]);
  }
  this->set_outputs(std::move(outputs));
}

template <Real T>
CategoryTransform<T> CategoryTransform<T>::fit(const TrainingRows<T>& train,
                                               const CategoryOptions& /*options*/) {
  CategoryTransform result(train.features);
  result.unknown_apart_ = train.needs.unknown_apart;
  std::vector<std::vector<std::string>> learned(train.features.size());
  for (const Index j : train.of_kind(FeatureKind::category)) {
    const auto at = static_cast<std::size_t>(j);
    const auto& declared = train.features[at].categories;
    std::vector<bool> occurs(declared.size(), train.needs.all_declared);
    for (Index i = 0; i < train.rows(); ++i) {
      const T code = train.value(i, j);
      if (std::isnan(code)) continue;
      if (!(code >= 0 && code < static_cast<T>(declared.size())) || code != std::trunc(code)) {
        throw InputError(train.data.source + ": row " + std::to_string(i + 1) + ", column " +
                         train.features[at].name + ": " + shortest(code) +
                         " is not the code of one of its " + std::to_string(declared.size()) +
                         " categories");
      }
      if (train.counts(i)) occurs[static_cast<std::size_t>(code)] = true;
    }
    std::unordered_set<std::string_view> seen;
    for (std::size_t c = 0; c < declared.size(); ++c) {
      if (occurs[c] && seen.insert(declared[c]).second) learned[at].push_back(declared[c]);
    }
  }
  result.learn(std::move(learned));
  return result;
}

template <Real T>
bool CategoryTransform<T>::add_to(ColumnPlan<T>& plan) const {
  const T unknown = unknown_apart_ ? T{-1} : std::numeric_limits<T>::quiet_NaN();
  for (std::size_t j = 0; j < codes_.size(); ++j) {
    if (this->inputs()[j].kind != FeatureKind::category) continue;
    if (!plan.recode(static_cast<Index>(j), codes_[j], unknown)) return false;
  }
  return true;
}

template <Real T>
std::vector<Index> CategoryTransform<T>::rows_to_drop(const TrainingRows<T>& train) const {
  std::vector<Index> dropped;
  if (train.data.weights.empty()) return dropped;
  const std::vector<Index> columns = train.of_kind(FeatureKind::category);
  for (Index i = 0; i < train.rows(); ++i) {
    if (train.counts(i)) continue;
    const bool unknown = std::any_of(columns.begin(), columns.end(), [&](Index j) {
      const auto at = static_cast<std::size_t>(j);
      const T code = train.value(i, j);
      return !std::isnan(code) &&
             !codes_[at].contains(this->inputs()[at].categories[static_cast<std::size_t>(code)]);
    });
    if (unknown) dropped.push_back(i);
  }
  return dropped;
}

template <Real T>
void CategoryTransform<T>::save(Archive& archive) const {
  archive.set("unknown_apart", unknown_apart_);
  // Lists of categories are laid end to end, with their lengths beside them.
  std::vector<std::string> names;
  std::vector<std::int64_t> counts;
  for (const Feature& feature : this->outputs()) {
    names.insert(names.end(), feature.categories.begin(), feature.categories.end());
    counts.push_back(static_cast<std::int64_t>(feature.categories.size()));
  }
  archive.set("names", std::move(names));
  archive.set_tensor("count", std::move(counts));
}

template <Real T>
CategoryTransform<T> CategoryTransform<T>::load(const Archive& archive,
                                                std::vector<Feature> inputs) {
  CategoryTransform result(std::move(inputs));
  result.unknown_apart_ = archive.get_bool("unknown_apart");
  const std::size_t width = result.inputs().size();
  const std::vector<std::string>& names = archive.get_strings("names");
  const auto& counts =
      archive.template get_tensor<std::int64_t>("count", static_cast<Index>(width));
  std::vector<std::vector<std::string>> lists(width);
  std::size_t used = 0;
  for (std::size_t j = 0; j < width; ++j) {
    if (counts[j] < 0 || static_cast<std::uint64_t>(counts[j]) > names.size() - used) {
      archive.fail("count", "does not fit the list of categories");
    }
    if (counts[j] > 0 && result.inputs()[j].kind != FeatureKind::category) {
      archive.fail("count",
                   "gives categories to column " + result.inputs()[j].name + ", which has none");
    }
    const auto begin = names.begin() + static_cast<std::ptrdiff_t>(used);
    lists[j].assign(begin, begin + counts[j]);
    used += static_cast<std::size_t>(counts[j]);
  }
  if (used != names.size()) archive.fail("count", "does not fit the list of categories");
  result.learn(std::move(lists));
  for (std::size_t j = 0; j < width; ++j) {
    if (result.codes_[j].size() != static_cast<std::size_t>(counts[j])) {
      archive.fail("names", "has a category of column " + result.inputs()[j].name + " twice");
    }
  }
  return result;
}

template <Real T>
std::string CategoryTransform<T>::to_json() const {
  nlohmann::json json{{"unknown", unknown_apart_ ? "apart" : "missing"},
                      {"columns", nlohmann::json::array()}};
  for (const Feature& feature : this->outputs()) {
    if (feature.kind != FeatureKind::category) continue;
    json["columns"].push_back({{"name", feature.name}, {"categories", feature.categories}});
  }
  return json_text(json);
}

template <Real T>
std::string CategoryTransform<T>::to_text() const {
  std::string text;
  for (const Feature& feature : this->outputs()) {
    if (feature.kind != FeatureKind::category) continue;
    text +=
        (text.empty() ? "" : ", ") + feature.name + " " + std::to_string(feature.categories.size());
  }
  return text;
}

std::unique_ptr<TransformStep> make_categories_transform() {
  return transform_of<CategoryOptions, CategoryTransform>(
      {.name = "categories",
       .summary = "Matches categories by name with those of the training part",
       .place = 200});
}

template class CategoryTransform<float>;
template class CategoryTransform<double>;

}  // namespace tandem

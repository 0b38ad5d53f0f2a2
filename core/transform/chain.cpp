#include "tandem/transform/chain.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/json_text.hpp"
#include "core/parallel.hpp"
#include "core/transform/last_plan.hpp"
#include "core/transform/statistics.hpp"
#include "tandem/core/error.hpp"
#include "tandem/transform/training_rows.hpp"

namespace tandem {
namespace {

thread_local LastPlanLeft* innermost_last_plan = nullptr;

int thread_count(int threads) { return threads > 0 ? threads : available_cores(); }

bool named(std::span<const Column> columns) {
  for (std::size_t j = 0; j < columns.size(); ++j) {
    if (columns[j].name != "x" + std::to_string(j)) return true;
  }
  return false;
}

template <Real T>
void require_weights(const DatasetView<T>& data) {
  if (data.weights.empty()) return;
  if (data.weights.size() != static_cast<std::size_t>(data.rows())) {
    throw InputError(data.source + ": has " + std::to_string(data.weights.size()) +
                     " weights for " + std::to_string(data.rows()) + " rows");
  }
  bool some = false;
  for (std::size_t i = 0; i < data.weights.size(); ++i) {
    const auto weight = static_cast<double>(data.weights[i]);
    if (!(weight >= 0) || std::isinf(weight)) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) + ": the weight is " +
                       std::to_string(weight) + ", expected a finite number >= 0");
    }
    some = some || weight > 0;
  }
  if (!some)
    throw InputError(data.source + ": all weights are zero; nothing can be learnt from it");
}

template <Real T>
void require_rows(const DatasetView<T>& data) {
  if (data.rows() == 0)
    throw InputError(data.source +
                     ": has no rows to fit transforms on; is it the file that was meant?");
  require_weights(data);
}

// The steps, with one that matches categories before the first that reads them: codes mean nothing
// without their names. `added` keeps that step where there is none in the right place.
std::vector<const TransformStep*> with_categories_matched(
    std::span<const std::unique_ptr<TransformStep>> steps, std::unique_ptr<TransformStep>& added) {
  std::vector<const TransformStep*> all;
  for (const auto& step : steps) {
    if (step->name() == "categories") {
      all.push_back(step.get());
      break;
    }
    if (step->reads_categories()) break;
    all.push_back(step.get());
  }
  const std::size_t taken = all.size();
  if (all.empty() || all.back()->name() != "categories") {
    added = make_transform("categories");
    all.push_back(added.get());
  }
  for (const auto& step : steps.subspan(taken)) {
    if (step->name() != "categories") all.push_back(step.get());
  }
  return all;
}

// Carries out what a plan has collected, after which `data` has `features`.
template <Real T>
void carry_out(const ColumnPlan<T>& plan, Dataset<T>& data, const std::vector<Feature>& features,
               int threads) {
  data.features = plan.apply(std::move(data.features), data.source, threads);
  data.columns = columns_of(features);
}

// Keeps the rows that are not `dropped`, which is ascending; with target, weights and the rest.
template <Real T>
void drop_rows(Dataset<T>& data, const std::vector<Index>& dropped) {
  std::vector<Index> kept;
  kept.reserve(static_cast<std::size_t>(data.rows()) - dropped.size());
  auto next = dropped.begin();
  for (Index i = 0; i < data.rows(); ++i) {
    if (next != dropped.end() && *next == i) {
      ++next;
    } else {
      kept.push_back(i);
    }
  }
  data = select_rows(data, kept);
}

}  // namespace

LastPlanLeft::LastPlanLeft() noexcept : outer_(innermost_last_plan) { innermost_last_plan = this; }
LastPlanLeft::~LastPlanLeft() { innermost_last_plan = outer_; }
LastPlanLeft* LastPlanLeft::of_thread() noexcept { return innermost_last_plan; }

template <Real T>
TransformChain<T> TransformChain<T>::fit(Dataset<T>& train,
                                         std::span<const std::unique_ptr<TransformStep>> steps,
                                         Task task, int threads) {
  const int team = thread_count(threads);
  for (const auto& step : steps) step->check_options();
  require_rows(train.view());
  TransformChain chain;
  chain.inputs_ = train.columns;
  std::vector<Feature> features = features_of(train.columns);

  std::unique_ptr<TransformStep> added;
  const std::vector<const TransformStep*> all = with_categories_matched(steps, added);

  // `plan` collects what the transforms from number `planned` on do; it refers to `columns`.
  std::vector<Column> columns = train.columns;
  std::size_t planned = 0;
  // Where no transform is for these columns, none has to know between what values they lie.
  const bool some = std::any_of(all.begin(), all.end(), [&](const TransformStep* step) {
    return step->applies_to(features);
  });
  const auto empty_plan = [&] {
    ColumnPlan<T> plan(columns);
    if (some) plan.set_ranges(value_ranges(train, team));
    return plan;
  };
  ColumnPlan<T> plan = empty_plan();
  const auto begin_plan = [&] {
    columns = train.columns;
    planned = chain.transforms_.size();
    plan = empty_plan();
  };
  for (std::size_t s = 0; s < all.size(); ++s) {
    if (!all[s]->applies_to(features)) continue;
    CategoryNeeds needs;
    for (std::size_t later = s + 1; later < all.size(); ++later) {
      const CategoryNeeds more = all[later]->category_needs();
      needs.all_declared = needs.all_declared || more.all_declared;
      needs.unknown_apart = needs.unknown_apart || more.unknown_apart;
    }
    const auto seen = [&] { return TrainingRows<T>{train, plan, features, task, needs, team}; };
    std::unique_ptr<Transform<T>> transform = all[s]->fit(seen());
    const std::vector<Index> dropped = transform->rows_to_drop(seen());
    if (!dropped.empty()) {
      drop_rows(train, dropped);
      chain.dropped_ += static_cast<Index>(dropped.size());
      // The same plan, with the ranges of the rows that are left.
      plan = empty_plan();
      for (std::size_t before = planned; before < chain.transforms_.size(); ++before) {
        (void)chain.transforms_[before]->add_to(plan);
      }
    }
    if (!transform->add_to(plan)) {
      carry_out(plan, train, features, team);
      begin_plan();
      if (!transform->add_to(plan)) {
        train.features = transform->transform_rows(train.features, team);
        train.columns = columns_of(transform->outputs());
        begin_plan();
        ++planned;
      }
    }
    features = transform->outputs();
    chain.transforms_.push_back(std::move(transform));
  }
  if (LastPlanLeft* const rows = LastPlanLeft::of_thread(); rows != nullptr && planned == 0) {
    rows->leave();
    chain.outputs_ = columns_of(features);
    return chain;
  }
  carry_out(plan, train, features, team);
  chain.outputs_ = train.columns;
  return chain;
}

template <Real T>
std::optional<TransformChain<T>> TransformChain<T>::fit_nothing(
    const DatasetView<T>& train, std::span<const std::unique_ptr<TransformStep>> steps) {
  for (const auto& step : steps) step->check_options();
  require_rows(train);
  TransformChain chain;
  chain.inputs_.assign(train.columns.begin(), train.columns.end());
  if (chain.inputs_.empty()) chain.inputs_ = numbered_columns(train.cols());
  const std::vector<Feature> features = features_of(chain.inputs_);
  std::unique_ptr<TransformStep> added;
  for (const TransformStep* step : with_categories_matched(steps, added)) {
    if (step->applies_to(features)) return std::nullopt;
  }
  chain.outputs_ = chain.inputs_;
  return chain;
}

template <Real T>
void TransformChain<T>::check_columns(const std::string& source, std::span<const Column> names,
                                      Index count) const {
  const auto width = static_cast<std::size_t>(count);
  if (width != inputs_.size() || (!names.empty() && names.size() != width)) {
    throw InputError(source + ": has " + std::to_string(count) + " feature columns, expected the " +
                     std::to_string(inputs_.size()) + " that the model was trained on");
  }
  if (names.empty()) return;
  const bool by_name = named(inputs_) && named(names);
  for (std::size_t j = 0; j < width; ++j) {
    if (by_name && names[j].name != inputs_[j].name) {
      throw InputError(source + ": column " + std::to_string(j + 1) + " is " + names[j].name +
                       ", expected " + inputs_[j].name + ", as in the training data");
    }
    if (names[j].categorical() && !inputs_[j].categorical()) {
      throw InputError(source + ": column " + inputs_[j].name +
                       ": holds text, expected numbers, as in the training data");
    }
  }
}

template <Real T>
Dataset<T> TransformChain<T>::transform(Dataset<T> data, int threads) const {
  if (inputs_.empty()) return data;
  const int team = thread_count(threads);
  if (data.columns.empty()) data.columns = numbered_columns(data.cols());
  check_columns(data.source, data.columns, data.cols());
  std::vector<Column> columns = std::move(data.columns);
  ColumnPlan<T> plan(columns);
  for (const auto& transform : transforms_) {
    if (transform->add_to(plan)) continue;
    carry_out(plan, data, transform->inputs(), team);
    columns = data.columns;
    plan = ColumnPlan<T>(columns);
    if (transform->add_to(plan)) continue;
    data.features = transform->transform_rows(data.features, team);
    columns = data.columns = columns_of(transform->outputs());
    plan = ColumnPlan<T>(columns);
  }
  data.features = plan.apply(std::move(data.features), data.source, team);
  data.columns = outputs_;
  return data;
}

template <Real T>
bool TransformChain<T>::changes_target() const noexcept {
  return std::any_of(transforms_.begin(), transforms_.end(),
                     [](const auto& transform) { return transform->changes_target(); });
}

template <Real T>
void TransformChain<T>::transform_target(std::span<T> target) const {
  for (const auto& transform : transforms_) transform->transform_target(target);
}

template <Real T>
void TransformChain<T>::restore_target(std::span<T> predictions) const {
  for (auto transform = transforms_.rbegin(); transform != transforms_.rend(); ++transform) {
    (*transform)->restore_target(predictions);
  }
}

template <Real T>
const Transform<T>* TransformChain<T>::find(std::string_view name) const noexcept {
  for (const auto& transform : transforms_) {
    if (transform->name() == name) return transform.get();
  }
  return nullptr;
}

template <Real T>
double TransformChain<T>::unscale(Index j, double value) const {
  double at = value;
  for (auto transform = transforms_.rbegin(); transform != transforms_.rend(); ++transform) {
    if ((*transform)->outputs().at(static_cast<std::size_t>(j)).kind == FeatureKind::indicator) {
      return value;
    }
    at = (*transform)->unscale(j, at);
    j = (*transform)->input_of(j);
    if (j < 0) return value;
  }
  return at;
}

template <Real T>
void TransformChain<T>::save(Archive& archive) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < transforms_.size(); ++i) {
    names.emplace_back(transforms_[i]->name());
    Archive part;
    transforms_[i]->save(part);
    archive.set_part(std::to_string(i), part);
  }
  archive.set("names", std::move(names));
  archive.set("dropped_rows", dropped_);
}

template <Real T>
TransformChain<T> TransformChain<T>::load(const Archive& archive, std::vector<Column> inputs) {
  TransformChain chain;
  chain.inputs_ = std::move(inputs);
  chain.dropped_ = archive.get_int("dropped_rows", 0, std::numeric_limits<Index>::max());
  std::vector<Feature> features = features_of(chain.inputs_);
  bool matched = false;
  for (const std::string& name : archive.get_strings("names")) {
    std::unique_ptr<TransformStep> step;
    try {
      step = make_transform(name);
    } catch (const InputError& error) {
      archive.fail("names", error.marked());
    }
    matched = matched || name == "categories";
    const std::size_t number = chain.transforms_.size();
    chain.transforms_.push_back(step->load(archive.part(std::to_string(number)),
                                           std::move(features), std::type_identity<T>{}));
    features = chain.transforms_.back()->outputs();
  }
  const bool categorical = std::any_of(chain.inputs_.begin(), chain.inputs_.end(),
                                       [](const Column& column) { return column.categorical(); });
  if (categorical && !matched) archive.fail("names", "has nothing that matches categories");
  chain.outputs_ = columns_of(features);
  return chain;
}

template <Real T>
std::string TransformChain<T>::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& transform : transforms_) {
    nlohmann::json one{{"transform", transform->name()}};
    one.update(nlohmann::json::parse(transform->to_json()));
    list.push_back(std::move(one));
  }
  return json_text(list);
}

template class TransformChain<float>;
template class TransformChain<double>;

}  // namespace tandem

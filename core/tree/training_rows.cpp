#include "core/tree/training_rows.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "core/data/class_weighted.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem::tree {
namespace {

constexpr Index most_rows = (Index{1} << 31) - 1;

// The least exponent e for which value · 2^e is whole. Requires: value finite and not 0.
int exact_exponent(double value) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);
  const auto mantissa = static_cast<std::uint64_t>(std::ldexp(fraction, 53));
  return 53 - exponent - std::countr_zero(mantissa);
}

// Fixed point for sums of these values: whole where they are multiples of one power of two and
// their sum allows it, so that weights 1 and 2 mean one row and two rows exactly.
FixedPoint fixed_point_for(const std::vector<double>& values) {
  double largest = 0;
  int exact = std::numeric_limits<int>::min();
  for (const double value : values) {
    if (value == 0) continue;
    largest = std::max(largest, std::fabs(value));
    exact = std::max(exact, exact_exponent(value));
  }
  if (largest == 0) return {};
  // Twice the count: the difference of two sums fits as well.
  FixedPoint scale = FixedPoint::for_sum(2 * static_cast<Index>(values.size()), largest);
  // 1000: the unit 2^-exponent stays a normal number.
  scale.exponent = std::min({scale.exponent, exact, 1000});
  return scale;
}

std::vector<std::int64_t> encode_all(const FixedPoint& scale, const std::vector<double>& values) {
  std::vector<std::int64_t> encoded(values.size());
  std::transform(values.begin(), values.end(), encoded.begin(),
                 [&](double value) { return scale.encode(value); });
  return encoded;
}

template <Real T>
std::vector<double> row_weights(const DatasetView<T>& data, const DecisionTreeOptions& options,
                                const Classes& classes, bool classifies) {
  std::vector<double> weights(static_cast<std::size_t>(data.rows()), 1.0);
  for (std::size_t i = 0; i < data.weights.size(); ++i) {
    weights[i] = static_cast<double>(data.weights[i]);
    if (!(weights[i] >= 0) || !std::isfinite(weights[i])) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) +
                       ": the sample weight must be a finite number, 0 or more");
    }
  }
  if (options.class_weight.rule == ClassWeights::Rule::none) return weights;
  if (!classifies) {
    throw InputError(option("class_weight") +
                     " is for classification, and this tree regresses; use none");
  }
  const std::vector<double> by_class = weights_of_classes(data, classes, options.class_weight);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] *= by_class[static_cast<std::size_t>(classes.labels[i])];
  }
  return weights;
}

// Fills the code of the target, its units and the statistics of all rows. Requires: weights of the
// rows kept, all > 0.
template <Real T>
void encode_target(TrainingRows<T>& training, const std::vector<double>& weights,
                   const std::string& source) {
  const auto n = static_cast<Index>(training.target.size());
  const auto y = [&](Index i) {
    return static_cast<double>(training.target[static_cast<std::size_t>(i)]);
  };
  const auto w = [&](Index i) { return weights[static_cast<std::size_t>(i)]; };
  const double mean = long_sum(n, [&](Index i) { return w(i) * y(i); }) / long_sum(n, w);
  double largest = 0;
  for (Index i = 0; i < n; ++i) largest = std::max(largest, std::fabs(y(i) - mean));
  if (largest > 0 && std::isfinite(largest)) {
    // The centre on a coarse grid, so that targets that are multiples of a power of two stay so.
    int exponent = 0;
    (void)std::frexp(largest, &exponent);
    training.code.centre =
        std::ldexp(std::nearbyint(std::ldexp(mean, 24 - exponent)), exponent - 24);
  } else {
    training.code.centre = mean;
  }
  std::vector<double> sums(training.target.size());
  std::vector<double> squares(training.target.size());
  bool finite = std::isfinite(mean) && std::isfinite(training.code.centre);
  for (Index i = 0; i < n; ++i) {
    const double from_centre = y(i) - training.code.centre;
    sums[static_cast<std::size_t>(i)] = w(i) * from_centre;
    squares[static_cast<std::size_t>(i)] = w(i) * from_centre * from_centre;
    finite = finite && std::isfinite(squares[static_cast<std::size_t>(i)]);
  }
  if (!finite) {
    throw InputError(source +
                     ": the squares of the target's values exceed the range of double precision; "
                     "divide the target by a constant");
  }
  const FixedPoint sum_scale = fixed_point_for(sums);
  const FixedPoint square_scale = fixed_point_for(squares);
  training.code.sum_scale = std::ldexp(1.0, sum_scale.exponent);
  training.code.square_scale = std::ldexp(1.0, square_scale.exponent);
  training.statistics = {training.rules.total_weight, 0, 0};
  for (Index i = 0; i < n; ++i) {
    training.statistics[1] += training.code.sum(w(i), y(i));
    training.statistics[2] += training.code.square(w(i), y(i));
  }
  training.rules.sum_unit = std::ldexp(1.0, -sum_scale.exponent);
  training.rules.square_unit = std::ldexp(1.0, -square_scale.exponent);
}

}  // namespace

TreeCriterion resolve_criterion(TreeCriterion criterion, Task task) {
  const bool classifies = task == Task::classification;
  if (criterion == TreeCriterion::automatic) {
    return classifies ? TreeCriterion::gini : TreeCriterion::squared_error;
  }
  const bool of_classes = criterion != TreeCriterion::squared_error;
  if (of_classes == classifies) return criterion;
  const std::string name = option("criterion") + " " + std::string(to_string(criterion));
  if (of_classes) {
    throw InputError(name +
                     " is for classification, and the target is a number to be regressed; "
                     "use " +
                     option("criterion") + " squared-error or " + option("task") +
                     " classification");
  }
  throw InputError(name + " is for regression, and the target is a class; use " +
                   option("criterion") + " gini or entropy, or " + option("task") + " regression");
}

template <Real T>
TrainingRows<T> prepare_rows(const DatasetView<T>& data, const DecisionTreeOptions& options) {
  TrainingRows<T> training;
  if (data.rows() == 0)
    throw InputError(data.source + ": has no rows to train on; is it the file that was meant?");
  if (data.cols() == 0)
    throw InputError(data.source +
                     ": has no feature columns to train on; leave at least one beside the target");
  if (data.rows() > most_rows) {
    throw InputError(data.source + ": " + std::to_string(data.rows()) +
                     " rows; a decision tree takes at most " + std::to_string(most_rows));
  }
  training.task = options.task_for(data);
  const bool classifies = training.task == Task::classification;
  require_finite(data, true, true);
  Classes classes;
  if (classifies) {
    classes = encode_classes(data);
    if (classes.names.size() > static_cast<std::size_t>(most_classes)) {
      throw InputError(data.source + ": the target " + data.target_column().name + " has " +
                       std::to_string(classes.names.size()) +
                       " classes; a decision tree takes at most " + std::to_string(most_classes) +
                       ": is it an identifier, or a number for " + option("task") + " regression?");
    }
  }
  const std::vector<double> all_weights = row_weights(data, options, classes, classifies);
  const FixedPoint weight_scale = fixed_point_for(all_weights);
  const std::vector<std::int64_t> all_units = encode_all(weight_scale, all_weights);

  std::vector<Index> kept;
  for (Index i = 0; i < data.rows(); ++i) {
    if (all_units[static_cast<std::size_t>(i)] > 0) kept.push_back(i);
  }
  if (kept.empty())
    throw InputError(data.source + ": every row has weight 0; give some row a positive weight");
  training.rows = static_cast<Index>(kept.size());
  training.x = data.features.data;
  if (training.rows < data.rows() || !data.features.contiguous()) {
    training.selected_x.reserve(kept.size() * static_cast<std::size_t>(data.cols()));
    for (const Index row : kept) {
      const auto from = data.features.row(row);
      training.selected_x.insert(training.selected_x.end(), from.begin(), from.end());
    }
    training.x = training.selected_x.data();
  }
  std::vector<double> weights;
  SplitRules& rules = training.rules;
  for (const Index row : kept) {
    const auto at = static_cast<std::size_t>(row);
    weights.push_back(all_weights[at]);
    training.weights.push_back(all_units[at]);
    rules.total_weight += all_units[at];
    if (classifies)
      training.labels.push_back(classes.labels[at]);
    else
      training.target.push_back(data.target[at]);
  }
  rules.criterion = resolve_criterion(options.criterion, training.task);
  rules.classes = static_cast<std::int32_t>(classes.names.size());
  rules.most_weight = rules.total_weight;
  rules.weight_unit = std::ldexp(1.0, -weight_scale.exponent);
  if (classifies) {
    training.statistics.assign(classes.names.size(), 0);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      training.statistics[static_cast<std::size_t>(training.labels[i])] += training.weights[i];
    }
    rules.entropy_scale = entropy_scale_for(
        static_cast<double>(rules.total_weight) * rules.weight_unit, rules.classes);
    training.classes = std::move(classes.names);
  } else {
    encode_target(training, weights, data.source);
    if (data.has_weights()) training.row_weights = std::move(weights);
  }
  if (std::all_of(training.weights.begin(), training.weights.end(),
                  [](std::int64_t units) { return units == 1; })) {
    training.weights.clear();
  }
  rules.max_depth = options.max_depth;
  rules.min_samples_split = options.min_samples_split;
  rules.min_samples_leaf = options.min_samples_leaf;
  rules.min_impurity_decrease = options.min_impurity_decrease;
  rules.features_per_node = options.max_features.of(data.cols());
  rules.seed = options.seed;
  if (training.rows < data.rows()) training.kept = std::move(kept);
  return training;
}

template TrainingRows<float> prepare_rows(const DatasetView<float>& data,
                                          const DecisionTreeOptions& options);
template TrainingRows<double> prepare_rows(const DatasetView<double>& data,
                                           const DecisionTreeOptions& options);

}  // namespace tandem::tree

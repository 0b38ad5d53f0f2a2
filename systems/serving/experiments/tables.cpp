#include "systems/serving/experiments/tables.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>

#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/data/read.hpp"

namespace tandem::experiments {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// A file whose columns are found by name. Keys are read as texts, "7" and "07" apart.
class Table {
 public:
  // `time` is expected to hold dates, so that nothing is to be said of them.
  Table(const std::string& path, const std::vector<std::string>& keys, const std::string& time,
        int threads, std::vector<std::string>& notices) {
    path_ = path;
    try {
      data_ = read(keys, threads);
    } catch (const InputError&) {
      // A key that the file lacks may be one that it need not have; need() says it of the others.
      const Dataset<double> as_it_is = read({}, threads);
      std::vector<std::string> there;
      for (const std::string& key : keys) {
        const auto is_key = [&](const Column& column) { return column.name == key; };
        if (std::any_of(as_it_is.columns.begin(), as_it_is.columns.end(), is_key)) {
          there.push_back(key);
        }
      }
      if (there.size() == keys.size()) throw;
      data_ = read(there, threads);
    }
    for (const std::string& notice : data_.reading->notices) {
      if (notice.find("the column " + time + " holds dates") == std::string::npos) {
        notices.push_back(notice);
      }
    }
  }

  [[nodiscard]] Index rows() const { return data_.rows(); }
  [[nodiscard]] std::optional<Index> find(const std::string& name) const {
    for (std::size_t j = 0; j < data_.columns.size(); ++j) {
      if (data_.columns[j].name == name) return static_cast<Index>(j);
    }
    return std::nullopt;
  }
  [[nodiscard]] Index need(const std::string& name, const std::string& option_name) const {
    if (const auto column = find(name)) return *column;
    std::string known;
    for (const Column& column : data_.columns) known += (known.empty() ? "" : ", ") + column.name;
    throw InputError(path_ + ": has no column '" + name + "' (" + option(option_name) +
                     " names another); it has " + known);
  }
  [[nodiscard]] double number(Index row, Index column, const char* what) const {
    const double value = data_.features(row, column);
    if (std::isfinite(value) && !data_.columns[static_cast<std::size_t>(column)].categorical()) {
      return value;
    }
    fail(row, column, std::string("expected ") + what);
  }
  [[nodiscard]] const std::string& text(Index row, Index column) const {
    const double code = data_.features(row, column);
    const auto& texts = data_.columns[static_cast<std::size_t>(column)].categories;
    if (std::isnan(code)) fail(row, column, "the value is missing");
    return texts[static_cast<std::size_t>(code)];
  }
  [[nodiscard]] bool missing(Index row, Index column) const {
    return std::isnan(data_.features(row, column));
  }
  [[noreturn]] void fail(Index row, Index column, const std::string& what) const {
    throw InputError(path_ + ": row " + std::to_string(row + 1) + ", column " +
                     data_.columns[static_cast<std::size_t>(column)].name + ": " + what);
  }

 private:
  [[nodiscard]] Dataset<double> read(const std::vector<std::string>& keys, int threads) const {
    ReadOptions options;
    options.threads = threads;
    for (const std::string& key : keys) {
      options.reading.columns.list.push_back({key, ColumnKind::category});
    }
    options.reading.dates = DateUse::seconds;
    return read_dataset<double>(path_, options);
  }

  Dataset<double> data_;
  std::string path_;
};

struct Unit {
  int arm = -1;
  double time = -std::numeric_limits<double>::infinity();  // seconds; of the first exposure
  double covariate = nan;
  bool several = false;
};

// What one unit did of one metric.
struct Sums {
  double count = 0;
  double sum = 0;
  double nonzero = 0;

  void add(double value) {
    count += 1;
    sum += value;
    nonzero += value != 0 ? 1 : 0;
  }
};

struct MeasuredMetric {
  MetricDefinition definition;
  bool given = false;       // by the caller, and not found in the file
  bool conversion = true;   // all values are 0 or 1
  std::vector<Sums> after;  // per unit
  std::vector<Sums> before;
  bool any_before = false;
};

void choose_arms(const TableOptions& options, const std::vector<std::string>& names,
                 Experiment& experiment) {
  const std::string control = options.control.empty() ? "control" : options.control;
  if (std::find(names.begin(), names.end(), control) == names.end()) {
    std::string known;
    for (const auto& name : names) known += (known.empty() ? "" : ", ") + name;
    throw InputError(options.exposures + ": has no arm '" + control + "'; " + option("control") +
                     " names the one that the others are compared with: " + known);
  }
  if (names.size() < 2) {
    throw InputError(options.exposures + ": has one arm only, " + control);
  }
  experiment.arms.push_back({control, 0, {}});
  for (const auto& name : names) {
    if (name != control) experiment.arms.push_back({name, 0, {}});
  }
  double sum = 0;
  for (Arm& arm : experiment.arms) {
    if (options.weights.empty()) {
      arm.weight = 1;
    } else {
      const auto given = std::find_if(options.weights.begin(), options.weights.end(),
                                      [&](const auto& weight) { return weight.first == arm.name; });
      if (given == options.weights.end() || !(given->second > 0)) {
        throw InputError("arm " + arm.name + ": " + option("weights") +
                         " says no weight above 0 for it");
      }
      arm.weight = given->second;
    }
    sum += arm.weight;
  }
  for (Arm& arm : experiment.arms) arm.weight /= sum;
  for (const auto& [name, weight] : options.weights) {
    if (experiment.arm_index(name) < 0) {
      throw InputError(option("weights") + ": " + options.exposures + " has no arm '" + name + "'");
    }
  }
}

}  // namespace

TableAnalysis analyse_tables(const TableOptions& options) {
  TableAnalysis result;
  const Table exposures(options.exposures, {options.unit, options.arm}, options.time,
                        options.threads, result.notices);
  const Index unit_column = exposures.need(options.unit, "unit");
  const Index arm_column = exposures.need(options.arm, "arm");
  const auto time_column = exposures.find(options.time);
  const bool has_covariate = !options.covariate.empty();
  const Index covariate_column =
      has_covariate ? exposures.need(options.covariate, "covariate") : Index{0};

  // Arms, in byte order as columns of categories have them, the control first.
  Experiment& experiment = result.experiment;
  experiment.name = options.exposures;
  experiment.unit = options.unit;
  experiment.confidence = options.confidence;
  experiment.planned_units = options.planned_units;
  std::vector<std::string> names;
  for (Index i = 0; i < exposures.rows(); ++i) names.push_back(exposures.text(i, arm_column));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  choose_arms(options, names, experiment);
  const auto arms = experiment.arms.size();

  // Units, by their first exposure.
  std::unordered_map<std::string, std::size_t> place;
  std::vector<Unit> units;
  for (Index i = 0; i < exposures.rows(); ++i) {
    const int arm = experiment.arm_index(exposures.text(i, arm_column));
    const auto [at, fresh] = place.try_emplace(exposures.text(i, unit_column), units.size());
    if (fresh) units.emplace_back();
    Unit& unit = units[at->second];
    unit.several = unit.several || (!fresh && unit.arm != arm);
    const double time = time_column ? exposures.number(i, *time_column, "a time") : unit.time;
    if (fresh || time < unit.time) {
      unit.time = time;
      if (has_covariate && !exposures.missing(i, covariate_column)) {
        unit.covariate = exposures.number(i, covariate_column, "a number");
      }
    }
    unit.arm = arm;
  }
  std::vector<double> counts(arms, 0.0);
  for (const Unit& unit : units) {
    if (unit.several) {
      ++result.in_several_arms;
    } else {
      ++counts[static_cast<std::size_t>(unit.arm)];
    }
  }

  // Outcomes.
  const Table outcomes(options.outcomes, {options.unit, options.metric}, options.time,
                       options.threads, result.notices);
  const Index outcome_unit = outcomes.need(options.unit, "unit");
  const Index value_column = outcomes.need(options.value, "value");
  const auto metric_column = outcomes.find(options.metric);
  const auto outcome_time = outcomes.find(options.time);
  const bool timed = time_column && outcome_time;
  if (options.window_hours > 0 && !timed) {
    throw InputError(option("window_hours") + ": needs a column '" + options.time +
                     "' in both files");
  }
  std::vector<MeasuredMetric> metrics;
  for (const MetricDefinition& definition : options.metrics) {
    metrics.push_back({.definition = definition, .given = true, .after = {}, .before = {}});
  }
  std::map<std::string, std::size_t> metric_place;
  for (std::size_t k = 0; k < metrics.size(); ++k) {
    metric_place[metrics[k].definition.name] = k;
  }
  double latest = -std::numeric_limits<double>::infinity();
  for (Index i = 0; i < outcomes.rows(); ++i) {
    const std::string name = metric_column ? outcomes.text(i, *metric_column) : options.value;
    auto at = metric_place.find(name);
    if (at == metric_place.end()) {
      if (!options.metrics.empty()) continue;
      at = metric_place.emplace(name, metrics.size()).first;
      metrics.emplace_back();
      metrics.back().definition.name = name;
    }
    MeasuredMetric& metric = metrics[at->second];
    const double value = outcomes.number(i, value_column, "a number");
    metric.conversion = metric.conversion && (value == 0 || value == 1);
    const double time = timed ? outcomes.number(i, *outcome_time, "a time") : 0;
    if (timed) latest = std::max(latest, time);
    const auto who = place.find(outcomes.text(i, outcome_unit));
    if (who == place.end()) {
      ++result.of_nobody;
      continue;
    }
    const Unit& unit = units[who->second];
    metric.after.resize(units.size());
    metric.before.resize(units.size());
    if (timed && time < unit.time) {
      metric.before[who->second].add(value);
      metric.any_before = true;
    } else if (timed && options.window_hours > 0 &&
               time >= unit.time + options.window_hours * 3600) {
      ++result.outside;
    } else {
      metric.after[who->second].add(value);
    }
  }
  std::sort(metrics.begin(), metrics.end(), [](const auto& a, const auto& b) {
    return !a.given && !b.given && a.definition.name < b.definition.name;
  });

  std::vector<MetricMoments> moments;
  for (MeasuredMetric& metric : metrics) {
    metric.after.resize(units.size());
    metric.before.resize(units.size());
    if (!metric.given) {
      metric.definition.kind = metric.conversion ? MetricKind::conversion : MetricKind::sum;
    }
    const MetricKind kind = metric.definition.kind;
    MetricMoments one;
    one.metric = metric.definition;
    one.arms.resize(arms);
    one.has_covariate = has_covariate || metric.any_before;
    double known = 0;
    double known_sum = 0;
    std::vector<double> covariates(units.size(), nan);
    for (std::size_t u = 0; u < units.size() && one.has_covariate; ++u) {
      const Sums& before = metric.before[u];
      covariates[u] =
          has_covariate
              ? units[u].covariate
              : metric_value(kind, before.count, before.sum, before.nonzero).value_or(nan);
      if (std::isnan(covariates[u])) continue;
      known += 1;
      known_sum += covariates[u];
    }
    // Who has none gets the mean of the others, which leaves him as he is.
    const double without = known > 0 ? known_sum / known : 0;
    for (std::size_t u = 0; u < units.size(); ++u) {
      const Unit& unit = units[u];
      if (unit.several) continue;
      // A window that the data does not reach the end of is not over.
      if (options.window_hours > 0 && unit.time + options.window_hours * 3600 > latest) continue;
      const Sums& after = metric.after[u];
      const auto value = metric_value(kind, after.count, after.sum, after.nonzero);
      if (!value) continue;
      one.arms[static_cast<std::size_t>(unit.arm)].add(
          *value, std::isnan(covariates[u]) ? without : covariates[u]);
    }
    experiment.metrics.push_back(one.metric);
    moments.push_back(std::move(one));
  }
  result.analysis = analyse(experiment, counts, moments);
  return result;
}

}  // namespace tandem::experiments

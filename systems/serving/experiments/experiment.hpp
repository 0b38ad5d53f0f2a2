// What an experiment is: its arms, who takes part, what is measured; and which arm a unit gets.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "systems/serving/experiments/condition.hpp"
#include "systems/serving/experiments/hash.hpp"

namespace tandem::experiments {

// Milliseconds since 1970-01-01T00:00:00Z.
using Time = std::int64_t;

// "2026-11-30T12:00:00Z", "2026-11-30", or milliseconds. Throws InputError.
[[nodiscard]] Time parse_time(std::string_view text);
[[nodiscard]] std::string time_text(Time time);

struct Arm {
  std::string name;
  double weight = 0;    // of the units that take part; the weights sum to 1
  std::string version;  // of the model that answers its units; empty: the active one
};

enum class MetricKind {
  conversion,  // whether a unit has an outcome of this name with a value other than 0
  sum,         // the sum of a unit's values, 0 where it has none
  mean         // the mean of a unit's values; units without one are left out
};
enum class Direction { increase, decrease };

struct MetricDefinition {
  std::string name;
  MetricKind kind = MetricKind::conversion;
  Direction better = Direction::increase;
  bool guard = false;
  // Of a guard: the harm, in units of the metric, that is put up with.
  double margin = 0;
  // Milliseconds after a unit's first exposure within which its outcomes count; 0: all.
  Time window = 0;
  // The outcome before the exposure that CUPED adjusts by; empty: the metric's own name.
  std::string covariate;
};

struct RampStep {
  Time from = 0;
  double coverage = 1;
};

// An exclusion group: experiments of one group have disjoint ranges of it, so that no unit is in
// two of them. GrowthBook's namespace.
struct GroupRange {
  std::string name;  // empty: none
  double from = 0;
  double to = 1;
};

struct Experiment {
  std::string name;
  std::string model;  // whose predictions it is about; may be empty
  std::string unit;   // the attribute that is hashed: "user_id"
  std::string seed;   // the name unless given
  HashVersion hash_version = HashVersion::v2;
  std::vector<Arm> arms;       // the first is the control
  double coverage = 1;         // the share of the units that takes part before any step of the ramp
  std::vector<RampStep> ramp;  // ascending in time and coverage, so that no unit leaves
  GroupRange group;
  Condition condition;
  std::vector<std::pair<std::string, std::string>> forced;  // unit, arm; ascending
  std::vector<MetricDefinition> metrics;
  double confidence = 0.95;
  // Units at which the sequential intervals are narrowest.
  std::int64_t planned_units = 10'000;

  // Throws InputError that names the member for anything that is missing, unknown, of a wrong type
  // or out of its range: see docs/experiments.md for the members.
  [[nodiscard]] static Experiment parse(const nlohmann::json& definition);
  [[nodiscard]] nlohmann::json to_json() const;

  [[nodiscard]] double coverage_at(Time now) const;
  [[nodiscard]] std::vector<double> weights() const;
  // −1 where there is none of this name.
  [[nodiscard]] int arm_index(std::string_view arm) const;
};

// Part [from, to) of the unit interval for each arm: arm i begins where the weights before it end,
// whatever the coverage, so that a growing coverage moves nobody. GrowthBook's getBucketRanges.
struct BucketRange {
  double from = 0;
  double to = 0;
};
[[nodiscard]] std::vector<BucketRange> bucket_ranges(const std::vector<double>& weights,
                                                     double coverage);
// The index of the range that holds n; −1 for none.
[[nodiscard]] int choose_range(double n, const std::vector<BucketRange>& ranges);
// Whether the unit is in the range of the exclusion group, by hash version 1, as GrowthBook's
// inNamespace.
[[nodiscard]] bool in_group(std::string_view unit, const GroupRange& group);

struct Assignment {
  int arm = -1;         // −1: takes no part
  bool forced = false;  // by name, and so no part of the analysis
  std::string unit;     // the value that was hashed
  std::string reason;   // one clause
};

// The arm of who has these attributes. A unit is a text that is not empty or a whole number other
// than 0; nothing else takes part. The same unit has the same arm on every server for as long as
// the experiment runs.
[[nodiscard]] Assignment assign(const Experiment& experiment, const nlohmann::json& attributes,
                                Time now);

}  // namespace tandem::experiments

#include "systems/serving/experiments/experiment.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <set>

#include "core/text.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem::experiments {
namespace {

using nlohmann::json;

// The members of a JSON object, each taken once; what is left over is unknown.
class Members {
 public:
  Members(const json& object, std::string place) : object_(object), place_(std::move(place)) {
    if (!object.is_object()) fail("", "is no JSON object");
  }
  ~Members() = default;
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;

  [[noreturn]] void fail(const std::string& member, const std::string& what) const {
    throw InputError("experiment" + place_ + (member.empty() ? "" : "." + member) + ": " + what);
  }
  [[nodiscard]] const json* find(const std::string& member) {
    taken_.insert(member);
    const auto at = object_.find(member);
    return at == object_.end() || at->is_null() ? nullptr : &*at;
  }
  void text(const std::string& member, std::string& value, bool required = false) {
    const json* const found = find(member);
    if (found == nullptr) {
      if (required) fail(member, "is missing");
      return;
    }
    if (!found->is_string()) fail(member, "is no text");
    value = found->get<std::string>();
    if (value.size() > 200) fail(member, "is longer than 200 bytes");
    if (required && value.empty()) fail(member, "is empty");
  }
  void number(const std::string& member, double& value, double lowest, double highest) {
    const json* const found = find(member);
    if (found == nullptr) return;
    if (!found->is_number()) fail(member, "is no number");
    value = found->get<double>();
    if (!(value >= lowest && value <= highest)) {
      fail(member,
           shortest(value) + " is not from " + shortest(lowest) + " to " + shortest(highest));
    }
  }
  template <class Enum, std::size_t N>
  void choice(const std::string& member, Enum& value,
              const std::array<std::string_view, N>& names) {
    std::string name;
    text(member, name);
    if (name.empty()) return;
    const auto at = std::find(names.begin(), names.end(), name);
    if (at == names.end()) {
      std::string expected;
      for (const auto& one : names) expected += (expected.empty() ? "" : ", ") + std::string(one);
      fail(member, "'" + name + "' is none of " + expected);
    }
    value = static_cast<Enum>(at - names.begin());
  }
  // Throws for a member that nothing has asked for.
  void check_all_taken() const {
    for (const auto& [member, value] : object_.items()) {
      if (taken_.contains(member)) continue;
      std::string known;
      for (const auto& one : taken_) known += (known.empty() ? "" : ", ") + one;
      fail(member, "is no member that is known here; expected " + known);
    }
  }

 private:
  const json& object_;
  std::string place_;
  std::set<std::string> taken_;
};

constexpr std::array<std::string_view, 3> metric_kinds{"conversion", "sum", "mean"};
constexpr std::array<std::string_view, 2> directions{"increase", "decrease"};

const json& list_of(Members& members, const std::string& member, std::size_t most) {
  static const json none = json::array();
  const json* const found = members.find(member);
  if (found == nullptr) return none;
  if (!found->is_array()) members.fail(member, "is no list");
  if (found->size() > most) {
    members.fail(member, "has more than " + std::to_string(most) + " entries");
  }
  return *found;
}

std::string at_index(const std::string& member, std::size_t index) {
  return "." + member + "[" + std::to_string(index) + "]";
}

void parse_arms(Members& members, Experiment& experiment) {
  const json& list = list_of(members, "arms", 100);
  if (list.size() < 2) members.fail("arms", "at least two are needed, the first the control");
  std::size_t with_weight = 0;
  for (std::size_t i = 0; i < list.size(); ++i) {
    Members one(list[i], at_index("arms", i));
    Arm arm;
    one.text("name", arm.name, true);
    if (experiment.arm_index(arm.name) >= 0) one.fail("name", "'" + arm.name + "' stands twice");
    if (one.find("weight") != nullptr) ++with_weight;
    one.number("weight", arm.weight, 0, 1);
    one.text("version", arm.version);
    one.check_all_taken();
    experiment.arms.push_back(std::move(arm));
  }
  if (with_weight == 0) {
    for (Arm& arm : experiment.arms) arm.weight = 1.0 / static_cast<double>(list.size());
  } else if (with_weight != list.size()) {
    members.fail("arms", "some have a weight and some have none");
  }
  double sum = 0;
  for (const Arm& arm : experiment.arms) {
    if (!(arm.weight > 0)) members.fail("arms", "the weight of " + arm.name + " is 0");
    sum += arm.weight;
  }
  if (std::abs(sum - 1) > 1e-6) {
    members.fail("arms", "the weights sum to " + shortest(sum) + ", not to 1");
  }
}

void parse_ramp(Members& members, Experiment& experiment) {
  const json& list = list_of(members, "ramp", 100);
  for (std::size_t i = 0; i < list.size(); ++i) {
    Members one(list[i], at_index("ramp", i));
    RampStep step;
    std::string from;
    one.text("from", from, true);
    step.from = parse_time(from);
    one.number("coverage", step.coverage, 0, 1);
    one.check_all_taken();
    const double before = i == 0 ? experiment.coverage : experiment.ramp.back().coverage;
    if (i > 0 && step.from <= experiment.ramp.back().from) {
      one.fail("from", "is not after the step before it");
    }
    if (step.coverage < before) {
      one.fail("coverage", "is less than before it: units would leave the experiment");
    }
    experiment.ramp.push_back(step);
  }
}

void parse_metrics(Members& members, Experiment& experiment) {
  const json& list = list_of(members, "metrics", 100);
  for (std::size_t i = 0; i < list.size(); ++i) {
    Members one(list[i], at_index("metrics", i));
    MetricDefinition metric;
    one.text("name", metric.name, true);
    for (const MetricDefinition& other : experiment.metrics) {
      if (other.name == metric.name) one.fail("name", "'" + metric.name + "' stands twice");
    }
    one.choice("kind", metric.kind, metric_kinds);
    one.choice("better", metric.better, directions);
    if (const json* const guard = one.find("guard")) {
      if (!guard->is_boolean()) one.fail("guard", "is neither true nor false");
      metric.guard = guard->get<bool>();
    }
    one.number("margin", metric.margin, 0, 1e300);
    if (metric.margin > 0 && !metric.guard) one.fail("margin", "is for guards only");
    double hours = 0;
    one.number("window_hours", hours, 0, 1e6);
    metric.window = static_cast<Time>(std::llround(hours * 3'600'000));
    one.text("covariate", metric.covariate);
    one.check_all_taken();
    experiment.metrics.push_back(std::move(metric));
  }
}

void parse_forced(Members& members, Experiment& experiment) {
  const json* const forced = members.find("forced");
  if (forced == nullptr) return;
  if (!forced->is_object()) members.fail("forced", "is no object of units and arms");
  if (forced->size() > 10'000) members.fail("forced", "has more than 10000 entries");
  for (const auto& [unit, arm] : forced->items()) {
    if (!arm.is_string() || experiment.arm_index(arm.get<std::string>()) < 0) {
      members.fail("forced." + unit, "is no name of an arm");
    }
    experiment.forced.emplace_back(unit, arm.get<std::string>());
  }
  std::sort(experiment.forced.begin(), experiment.forced.end());
}

// The text of a unit as it is hashed and joined; empty where the value is none.
std::string unit_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_unsigned() && value.get<std::uint64_t>() != 0) {
    return std::to_string(value.get<std::uint64_t>());
  }
  if (value.is_number_integer() && value.get<std::int64_t>() != 0) {
    return std::to_string(value.get<std::int64_t>());
  }
  return {};
}

}  // namespace

Time parse_time(std::string_view text) {
  Time milliseconds = 0;
  if (read_number(text, milliseconds)) return milliseconds;
  const auto fail = [&]() -> Time {
    throw InputError("'" + std::string(text) +
                     "' is no time; expected one such as 2026-11-30T12:00:00Z or 2026-11-30");
  };
  // YYYY-MM-DD, then perhaps [T ]HH:MM:SS[.fff][Z].
  std::array<int, 6> part{0, 1, 1, 0, 0, 0};
  constexpr std::array<std::size_t, 6> at{0, 5, 8, 11, 14, 17};
  constexpr std::array<std::size_t, 6> length{4, 2, 2, 2, 2, 2};
  const std::size_t parts = text.size() == 10 ? 3 : 6;
  if (text.size() != 10 && text.size() < 19) return fail();
  for (std::size_t k = 0; k < parts; ++k) {
    if (!read_number(text.substr(at[k], length[k]), part[k]) || part[k] < 0) return fail();
  }
  if (text[4] != '-' || text[7] != '-') return fail();
  double fraction = 0;
  if (parts == 6) {
    if ((text[10] != 'T' && text[10] != ' ') || text[13] != ':' || text[16] != ':') return fail();
    std::string_view rest = text.substr(19);
    if (!rest.empty() && rest.back() == 'Z') rest.remove_suffix(1);
    if (!rest.empty()) {
      if (rest[0] != '.' || rest.find_first_not_of("0123456789", 1) != std::string_view::npos ||
          rest.size() < 2) {
        return fail();
      }
      if (!read_number("0" + std::string(rest), fraction)) return fail();
    }
  }
  const std::chrono::year_month_day day{std::chrono::year(part[0]),
                                        std::chrono::month(static_cast<unsigned>(part[1])),
                                        std::chrono::day(static_cast<unsigned>(part[2]))};
  if (!day.ok() || part[3] > 23 || part[4] > 59 || part[5] > 60) return fail();
  const auto days = std::chrono::sys_days(day).time_since_epoch().count();
  return ((static_cast<Time>(days) * 24 + part[3]) * 60 + part[4]) * 60'000 +
         static_cast<Time>(part[5]) * 1000 + static_cast<Time>(std::floor(fraction * 1000));
}

std::string time_text(Time time) {
  const auto seconds = static_cast<std::time_t>(std::floor(static_cast<double>(time) / 1000));
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return std::to_string(time);
  std::array<char, 40> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

Experiment Experiment::parse(const json& definition) {
  Experiment experiment;
  Members members(definition, "");
  members.text("name", experiment.name, true);
  members.text("model", experiment.model);
  members.text("unit", experiment.unit, true);
  experiment.seed = experiment.name;
  members.text("seed", experiment.seed);
  if (const json* const version = members.find("hash_version")) {
    if (*version != 1 && *version != 2) members.fail("hash_version", "is neither 1 nor 2");
    experiment.hash_version = static_cast<HashVersion>(version->get<int>());
  }
  parse_arms(members, experiment);
  members.number("coverage", experiment.coverage, 0, 1);
  parse_ramp(members, experiment);
  if (const json* const group = members.find("group")) {
    Members one(*group, ".group");
    one.text("name", experiment.group.name, true);
    one.number("from", experiment.group.from, 0, 1);
    one.number("to", experiment.group.to, 0, 1);
    one.check_all_taken();
    if (!(experiment.group.from < experiment.group.to)) one.fail("", "the range is empty");
  }
  if (const json* const condition = members.find("condition")) {
    try {
      experiment.condition = Condition::parse(*condition);
    } catch (const InputError& error) {
      throw InputError("experiment." + std::string(error.marked()));
    }
  }
  parse_forced(members, experiment);
  parse_metrics(members, experiment);
  members.number("confidence", experiment.confidence, 0.5, 0.9999);
  double planned = static_cast<double>(experiment.planned_units);
  members.number("planned_units", planned, 100, 1e12);
  experiment.planned_units = static_cast<std::int64_t>(planned);
  members.check_all_taken();
  return experiment;
}

json Experiment::to_json() const {
  json result{{"name", name},
              {"unit", unit},
              {"seed", seed},
              {"hash_version", static_cast<int>(hash_version)},
              {"coverage", coverage},
              {"confidence", confidence},
              {"planned_units", planned_units}};
  if (!model.empty()) result["model"] = model;
  for (const Arm& arm : arms) {
    json one{{"name", arm.name}, {"weight", arm.weight}};
    if (!arm.version.empty()) one["version"] = arm.version;
    result["arms"].push_back(std::move(one));
  }
  for (const RampStep& step : ramp) {
    result["ramp"].push_back({{"from", time_text(step.from)}, {"coverage", step.coverage}});
  }
  if (!group.name.empty()) {
    result["group"] = {{"name", group.name}, {"from", group.from}, {"to", group.to}};
  }
  if (!condition.empty()) result["condition"] = condition.definition();
  for (const auto& [who, arm] : forced) result["forced"][who] = arm;
  for (const MetricDefinition& metric : metrics) {
    json one{{"name", metric.name},
             {"kind", metric_kinds[static_cast<std::size_t>(metric.kind)]},
             {"better", directions[static_cast<std::size_t>(metric.better)]}};
    if (metric.guard) {
      one["guard"] = true;
      one["margin"] = metric.margin;
    }
    if (metric.window > 0) one["window_hours"] = static_cast<double>(metric.window) / 3'600'000;
    if (!metric.covariate.empty()) one["covariate"] = metric.covariate;
    result["metrics"].push_back(std::move(one));
  }
  return result;
}

double Experiment::coverage_at(Time now) const {
  double share = coverage;
  for (const RampStep& step : ramp) {
    if (step.from <= now) share = step.coverage;
  }
  return share;
}

std::vector<double> Experiment::weights() const {
  std::vector<double> result;
  for (const Arm& arm : arms) result.push_back(arm.weight);
  return result;
}

int Experiment::arm_index(std::string_view arm) const {
  for (std::size_t i = 0; i < arms.size(); ++i) {
    if (arms[i].name == arm) return static_cast<int>(i);
  }
  return -1;
}

std::vector<BucketRange> bucket_ranges(const std::vector<double>& weights, double coverage) {
  coverage = std::clamp(coverage, 0.0, 1.0);
  std::vector<BucketRange> ranges;
  double start = 0;
  for (const double weight : weights) {
    ranges.push_back({start, start + coverage * weight});
    start += weight;
  }
  return ranges;
}

int choose_range(double n, const std::vector<BucketRange>& ranges) {
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (n >= ranges[i].from && n < ranges[i].to) return static_cast<int>(i);
  }
  return -1;
}

bool in_group(std::string_view unit, const GroupRange& group) {
  const double n = hash_unit("__" + group.name, unit, HashVersion::v1);
  return n >= group.from && n < group.to;
}

Assignment assign(const Experiment& experiment, const json& attributes, Time now) {
  Assignment result;
  result.unit = unit_text(attribute_at(attributes, experiment.unit));
  if (result.unit.empty()) {
    result.reason = "there is no " + experiment.unit;
    return result;
  }
  const auto forced = std::lower_bound(
      experiment.forced.begin(), experiment.forced.end(), result.unit,
      [](const auto& entry, const std::string& unit) { return entry.first < unit; });
  if (forced != experiment.forced.end() && forced->first == result.unit) {
    result.arm = experiment.arm_index(forced->second);
    result.forced = true;
    result.reason = "forced by name";
    return result;
  }
  if (!experiment.group.name.empty() && !in_group(result.unit, experiment.group)) {
    result.reason = "outside the range of group " + experiment.group.name;
    return result;
  }
  if (!experiment.condition.matches(attributes)) {
    result.reason = "the condition does not hold";
    return result;
  }
  const double n = hash_unit(experiment.seed, result.unit, experiment.hash_version);
  result.arm = choose_range(n, bucket_ranges(experiment.weights(), experiment.coverage_at(now)));
  result.reason = result.arm < 0 ? "outside the coverage" : "by hash";
  return result;
}

}  // namespace tandem::experiments

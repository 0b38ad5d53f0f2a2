#include "systems/serving/experiments/store.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "tandem/core/error.hpp"

namespace tandem::experiments {
namespace {

constexpr std::array<std::string_view, 3> status_names{"running", "stopped", "rolled back"};
constexpr std::int64_t layout_version = 1;

Status parse_status(const std::string& place, const std::string& name) {
  const auto at = std::find(status_names.begin(), status_names.end(), name);
  if (at == status_names.end()) throw InputError(place + ": the status '" + name + "' is unknown");
  return static_cast<Status>(at - status_names.begin());
}

// A sum or count, which databases give as whole numbers or not, and NULL of no rows.
double real(const store::Value& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return 0;
}

Record read_record(const std::string& place, const store::Row& row) {
  Record record;
  try {
    record.experiment = Experiment::parse(nlohmann::json::parse(store::text(row[0])));
  } catch (const nlohmann::json::exception& error) {
    throw InputError(place + ": a definition of an experiment is damaged: " + error.what());
  }
  record.status = parse_status(place, store::text(row[1]));
  record.created = store::integer(row[2]);
  record.ended = store::integer(row[3]);
  record.reason = store::text(row[4]);
  return record;
}

constexpr const char* record_columns =
    "SELECT definition, status, created, ended, reason FROM experiments ";

}  // namespace

std::string_view to_string(Status status) { return status_names[static_cast<std::size_t>(status)]; }

nlohmann::json to_json(const Record& record) {
  nlohmann::json json{{"name", record.experiment.name},
                      {"status", to_string(record.status)},
                      {"created", time_text(record.created)},
                      {"definition", record.experiment.to_json()}};
  if (record.ended != 0) {
    json["ended"] = time_text(record.ended);
    json["reason"] = record.reason;
  }
  return json;
}

Store::Store(const std::string& place, bool create) : place_(store::without_password(place)) {
  if (!create && place.find("://") == std::string::npos && !std::filesystem::exists(place)) {
    throw InputError(place + ": there is no such file");
  }
  database_ = store::Database::open(place);
  database_->transaction([this] {
    for (const char* statement :
         {"CREATE TABLE IF NOT EXISTS experiment_layout (version BIGINT NOT NULL)",
          "CREATE TABLE IF NOT EXISTS experiments ("
          "name TEXT PRIMARY KEY, definition TEXT NOT NULL, status TEXT NOT NULL, "
          "created BIGINT NOT NULL, ended BIGINT NOT NULL, reason TEXT NOT NULL)",
          "CREATE TABLE IF NOT EXISTS exposures ("
          "experiment TEXT NOT NULL, unit TEXT NOT NULL, arm BIGINT NOT NULL, "
          "time BIGINT NOT NULL, forced BIGINT NOT NULL, PRIMARY KEY (experiment, unit))",
          "CREATE TABLE IF NOT EXISTS outcomes ("
          "unit TEXT NOT NULL, metric TEXT NOT NULL, value DOUBLE PRECISION NOT NULL, "
          "time BIGINT NOT NULL, id TEXT UNIQUE)",
          "CREATE INDEX IF NOT EXISTS outcomes_of_units ON outcomes (metric, unit, time, value)"}) {
      database_->query(statement);
    }
    const auto version = database_->query("SELECT version FROM experiment_layout");
    if (version.empty()) {
      database_->query("INSERT INTO experiment_layout VALUES ($1)", {layout_version});
    } else if (store::integer(version[0][0]) != layout_version) {
      throw InputError(place_ + ": experiments are kept there in layout " +
                       std::to_string(store::integer(version[0][0])) +
                       ", and this program knows layout " + std::to_string(layout_version));
    }
  });
}

void Store::create(const Experiment& experiment, Time now) {
  const std::lock_guard lock(mutex_);
  database_->transaction([&] {
    for (const Record& other : list_locked()) {
      if (other.experiment.name == experiment.name) {
        throw InputError("experiment " + experiment.name + ": there is one of this name, " +
                         std::string(to_string(other.status)) +
                         "; a new one needs a new name, so that their exposures stay apart");
      }
      const GroupRange& taken = other.experiment.group;
      const GroupRange& wanted = experiment.group;
      if (other.status == Status::running && !wanted.name.empty() && taken.name == wanted.name &&
          wanted.from < taken.to && taken.from < wanted.to) {
        throw InputError("experiment " + experiment.name + ": its range of group " + wanted.name +
                         " overlaps that of " + other.experiment.name + ", which runs");
      }
    }
    database_->query("INSERT INTO experiments VALUES ($1, $2, $3, $4, 0, '')",
                     {experiment.name, experiment.to_json().dump(),
                      std::string(to_string(Status::running)), now});
  });
}

void Store::stop(const std::string& name, Time now, Status status, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  stop_locked(name, now, status, reason);
}

void Store::stop_locked(const std::string& name, Time now, Status status,
                        const std::string& reason) {
  database_->transaction([&] {
    const Record record = find_locked(name);
    if (record.status != Status::running) {
      throw InputError("experiment " + name + ": has ended already (" +
                       std::string(to_string(record.status)) + ", " + time_text(record.ended) +
                       ")");
    }
    database_->query("UPDATE experiments SET status = $1, ended = $2, reason = $3 WHERE name = $4",
                     {std::string(to_string(status)), now, reason, name});
  });
}

std::vector<Record> Store::list() {
  const std::lock_guard lock(mutex_);
  return list_locked();
}

std::string Store::state() {
  const std::lock_guard lock(mutex_);
  const auto rows = database_->query("SELECT COUNT(*), SUM(created), SUM(ended) FROM experiments");
  std::string text;
  for (const store::Value& value : rows.at(0)) text += store::text(value) + " ";
  return text;
}

std::vector<Record> Store::list_locked(const std::string& which) {
  std::vector<Record> records;
  for (const store::Row& row :
       database_->query(std::string(record_columns) + which + "ORDER BY created, name")) {
    records.push_back(read_record(place_, row));
  }
  return records;
}

Record Store::find(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return find_locked(name);
}

Record Store::find_locked(const std::string& name) {
  const auto rows = database_->query(std::string(record_columns) + "WHERE name = $1", {name});
  if (rows.empty()) {
    throw InputError("experiment " + name + ": there is none of this name in " + place_);
  }
  return read_record(place_, rows[0]);
}

std::int64_t Store::record_exposures(std::span<const Exposure> exposures) {
  const std::lock_guard lock(mutex_);
  std::int64_t fresh = 0;
  database_->transaction([&] {
    fresh = 0;
    for (const Exposure& one : exposures) {
      fresh +=
          static_cast<std::int64_t>(database_
                                        ->query("INSERT INTO exposures VALUES ($1, $2, $3, $4, $5) "
                                                "ON CONFLICT DO NOTHING RETURNING arm",
                                                {one.experiment, one.unit, std::int64_t{one.arm},
                                                 one.time, std::int64_t{one.forced}})
                                        .size());
    }
  });
  return fresh;
}

std::int64_t Store::record_outcomes(std::span<const Outcome> outcomes) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const std::string place = "outcome " + std::to_string(i + 1) + ": ";
    if (outcomes[i].unit.empty()) throw InputError(place + "the unit is empty");
    if (outcomes[i].metric.empty()) throw InputError(place + "the metric is empty");
    if (!std::isfinite(outcomes[i].value)) throw InputError(place + "the value is not finite");
  }
  const std::lock_guard lock(mutex_);
  std::int64_t fresh = 0;
  database_->transaction([&] {
    fresh = 0;
    for (const Outcome& one : outcomes) {
      fresh += static_cast<std::int64_t>(
          database_
              ->query("INSERT INTO outcomes VALUES ($1, $2, $3, $4, $5) "
                      "ON CONFLICT DO NOTHING RETURNING time",
                      {one.unit, one.metric, one.value, one.time,
                       one.id.empty() ? store::Value() : store::Value(one.id)})
              .size());
    }
  });
  return fresh;
}

MetricMoments Store::measure(const Experiment& experiment, const MetricDefinition& metric,
                             Time now) {
  MetricMoments result;
  result.metric = metric;
  result.arms.resize(experiment.arms.size());
  const std::string& covariate = metric.covariate.empty() ? metric.name : metric.covariate;

  // What the units did before, where anybody did anything.
  std::unordered_map<std::string, double> before;
  for (const store::Row& row : database_->query(
           "SELECT e.unit, COUNT(*), SUM(o.value), SUM(CASE WHEN o.value <> 0 THEN 1 ELSE 0 END) "
           "FROM exposures e "
           "JOIN outcomes o ON o.metric = $1 AND o.unit = e.unit AND o.time < e.time "
           "WHERE e.experiment = $2 AND e.forced = 0 GROUP BY e.unit",
           {covariate, experiment.name})) {
    const auto value = metric_value(metric.kind, real(row[1]), real(row[2]), real(row[3]));
    if (value) before.emplace(store::text(row[0]), *value);
  }
  result.has_covariate = !before.empty();
  const double without = covariate_of_others(metric.kind, before);

  for (const store::Row& row : database_->query(
           "SELECT e.unit, e.arm, COUNT(o.value), SUM(o.value), "
           "SUM(CASE WHEN o.value <> 0 THEN 1 ELSE 0 END) FROM exposures e "
           "LEFT JOIN outcomes o ON o.metric = $1 AND o.unit = e.unit AND o.time >= e.time "
           "AND (CAST($2 AS BIGINT) = 0 OR o.time < e.time + CAST($2 AS BIGINT)) "
           "AND o.time <= CAST($3 AS BIGINT) "
           "WHERE e.experiment = $4 AND e.forced = 0 "
           "AND e.time + CAST($2 AS BIGINT) <= CAST($3 AS BIGINT) GROUP BY e.unit, e.arm",
           {metric.name, metric.window, now, experiment.name})) {
    const auto arm = static_cast<std::size_t>(store::integer(row[1]));
    if (arm >= result.arms.size()) {
      throw InputError(place_ + ": an exposure of " + experiment.name + " names arm " +
                       std::to_string(arm) + ", and there are " +
                       std::to_string(result.arms.size()));
    }
    const auto value = metric_value(metric.kind, real(row[2]), real(row[3]), real(row[4]));
    if (!value) continue;
    const auto known = before.find(store::text(row[0]));
    result.arms[arm].add(*value, known == before.end() ? without : known->second);
  }
  return result;
}

Analysis Store::analyse(const std::string& name, Time now) {
  const std::lock_guard lock(mutex_);
  return analyse_locked(find_locked(name), now);
}

Analysis Store::analyse_locked(const Record& record, Time now) {
  std::vector<double> units(record.experiment.arms.size(), 0.0);
  for (const store::Row& row : database_->query(
           "SELECT arm, COUNT(*) FROM exposures WHERE experiment = $1 AND forced = 0 GROUP BY arm",
           {record.experiment.name})) {
    const auto arm = static_cast<std::size_t>(store::integer(row[0]));
    if (arm < units.size()) units[arm] = real(row[1]);
  }
  std::vector<MetricMoments> metrics;
  for (const MetricDefinition& metric : record.experiment.metrics) {
    metrics.push_back(measure(record.experiment, metric, now));
  }
  return experiments::analyse(record.experiment, units, metrics);
}

std::vector<Checked> Store::check(Time now) {
  const std::lock_guard lock(mutex_);
  std::vector<Checked> checked;
  for (const Record& record : list_locked("WHERE status = 'running' ")) {
    Checked one{.record = record, .analysis = analyse_locked(record, now)};
    for (const MetricResult& metric : one.analysis.metrics) {
      if (metric.breached.empty()) continue;
      std::string arms;
      for (const int arm : metric.breached) {
        arms += (arms.empty() ? "" : ", ") + one.analysis.arms[static_cast<std::size_t>(arm)];
      }
      const std::string& name = record.experiment.name;
      const std::string reason = "guard " + metric.metric.name + " is breached by " + arms;
      try {
        stop_locked(name, now, Status::rolled_back, reason);
        one.rolled_back = true;
      } catch (const InputError&) {
        // Another program has ended it meanwhile.
      }
      one.record = find_locked(name);
      break;
    }
    checked.push_back(std::move(one));
  }
  return checked;
}

std::vector<std::string> Store::enforce_guards(Time now) {
  std::vector<std::string> ended;
  for (const Checked& one : check(now)) {
    if (one.rolled_back) ended.push_back(one.record.experiment.name);
  }
  return ended;
}

}  // namespace tandem::experiments

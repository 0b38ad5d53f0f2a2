// Where experiments, exposures and outcomes are kept: a file of SQLite's, or PostgreSQL, which
// several programs may use at once. What a call has written when it returns is on the disk.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "systems/serving/experiments/analysis.hpp"
#include "systems/serving/experiments/experiment.hpp"
#include "systems/store/database.hpp"

namespace tandem::experiments {

enum class Status { running, stopped, rolled_back };
[[nodiscard]] std::string_view to_string(Status status);

struct Record {
  Experiment experiment;
  Status status = Status::running;
  Time created = 0;
  Time ended = 0;      // 0: it runs
  std::string reason;  // why it ended
};

// {"name", "status", "created", "definition"}, of an ended one "ended" and "reason" too.
[[nodiscard]] nlohmann::json to_json(const Record& record);

// An experiment that runs, or did until a guard ended it just now, and what it shows.
struct Checked {
  Record record;
  Analysis analysis;
  bool rolled_back = false;
};

struct Exposure {
  std::string experiment;
  std::string unit;
  int arm = 0;
  Time time = 0;
  bool forced = false;
};

struct Outcome {
  std::string unit;
  std::string metric;
  double value = 0;
  Time time = 0;
  std::string id;  // an outcome of an id that is known already is not counted again; empty: none
};

// Several threads may use one.
class Store {
 public:
  // `place` is the path of a file or a postgresql:// URL. Throws InputError where the file is
  // missing and `create` is not set, and where it is of another layout.
  Store(const std::string& place, bool create);

  // Throws InputError where the name is taken, by an ended experiment too (its exposures would be
  // mixed with the new ones'), or where a running experiment has part of its range of the exclusion
  // group.
  void create(const Experiment& experiment, Time now);
  // Throws InputError where there is none of this name, or it has ended.
  void stop(const std::string& name, Time now, Status status, const std::string& reason);
  [[nodiscard]] std::vector<Record> list();
  // A text that changes whenever an experiment begins or ends, for who looks often.
  [[nodiscard]] std::string state();
  // Throws InputError where there is none of this name.
  [[nodiscard]] Record find(const std::string& name);

  // All or none of them. A unit's first exposure counts; returns how many were first ones.
  std::int64_t record_exposures(std::span<const Exposure> exposures);
  // All or none of them; returns how many were new. Throws InputError, which names the index, for a
  // value that is not finite and an empty unit or metric.
  std::int64_t record_outcomes(std::span<const Outcome> outcomes);

  // Of the units that were exposed; of a metric with a window those whose window is over.
  [[nodiscard]] Analysis analyse(const std::string& name, Time now);
  // Looks at every running experiment and ends those of which a guard is breached.
  [[nodiscard]] std::vector<Checked> check(Time now);
  // The same; returns the names of those that it ended.
  [[nodiscard]] std::vector<std::string> enforce_guards(Time now);

 private:
  [[nodiscard]] Record find_locked(const std::string& name);
  // `which` is a condition in SQL, or empty.
  [[nodiscard]] std::vector<Record> list_locked(const std::string& which = {});
  void stop_locked(const std::string& name, Time now, Status status, const std::string& reason);
  [[nodiscard]] Analysis analyse_locked(const Record& record, Time now);
  [[nodiscard]] MetricMoments measure(const Experiment& experiment, const MetricDefinition& metric,
                                      Time now);

  std::string place_;  // without a password
  std::mutex mutex_;
  std::unique_ptr<store::Database> database_;
};

}  // namespace tandem::experiments

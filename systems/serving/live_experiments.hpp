// The experiments of a store as a running server uses them: which arm a request gets, that its unit
// was exposed, and the end of those whose guards are breached.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "systems/http/log.hpp"
#include "systems/http/metrics.hpp"
#include "systems/serving/asker.hpp"
#include "systems/serving/experiments/store.hpp"

namespace tandem::serving {

struct LiveOptions {
  std::string place;  // of the store: a file of SQLite's, or postgresql://...
  std::chrono::milliseconds write_every{200};   // exposures
  std::chrono::milliseconds look_every{1'000};  // for experiments that others create or stop
  // Between two looks at what the experiments show; a look that takes long makes it longer, so that
  // a twentieth of the time goes to looking at most.
  std::chrono::milliseconds check_every{5'000};
  std::size_t most_waiting = 200'000;  // exposures, while the store cannot be written
};

struct ArmMetrics {
  http::Counter* requests = nullptr;
  http::Counter* failures = nullptr;
  http::Counter* fallbacks = nullptr;
  http::Histogram* duration = nullptr;
};

struct RunningExperiment {
  experiments::Experiment definition;
  std::vector<ArmMetrics> arms;
};

// The arm of a request.
struct Placement {
  std::shared_ptr<const RunningExperiment> experiment;
  std::size_t arm = 0;
  bool forced = false;   // named, by the request or the definition
  bool recorded = true;  // whether its exposure is: not where the request named the arm
  std::string unit;
  experiments::Time time = 0;

  [[nodiscard]] const experiments::Arm& chosen() const { return experiment->definition.arms[arm]; }
  [[nodiscard]] const ArmMetrics& metrics() const { return experiment->arms[arm]; }
};

// Several threads may use one at once. What place() and exposed() do takes no database; a thread of
// its own writes exposures, sees what others changed, and looks at the guards.
class LiveExperiments {
 public:
  // Throws as experiments::Store does where the store cannot be opened.
  LiveExperiments(const LiveOptions& options, http::Metrics& metrics, http::Log& log);
  // Writes the exposures that wait; those that cannot be written are lost, which the log says.
  ~LiveExperiments();
  LiveExperiments(const LiveExperiments&) = delete;
  LiveExperiments& operator=(const LiveExperiments&) = delete;

  // Of the experiments of a model, the oldest that who asks takes part in; nothing where there is
  // none. Throws HttpError with 400 for a forced arm that there is not.
  [[nodiscard]] std::optional<Placement> place(std::string_view model, const Asker& asker) const;
  // Of one experiment by its name, whatever its model. Throws HttpError with 404 where none of that
  // name runs.
  [[nodiscard]] std::optional<Placement> place_in(const std::string& experiment,
                                                  const Asker& asker) const;
  // The unit has been answered by its arm. Its first exposure is what is written.
  void exposed(const Placement& placement) noexcept;

  // From here on the caller waits for the database: not for threads that answer predictions.
  [[nodiscard]] experiments::Record create(const experiments::Experiment& experiment);
  [[nodiscard]] experiments::Record stop(const std::string& name, const std::string& reason);
  [[nodiscard]] std::int64_t record_outcomes(std::span<const experiments::Outcome> outcomes);
  [[nodiscard]] nlohmann::json describe(const std::string& name);
  // All experiments and what the last look at the running ones showed, without a database.
  [[nodiscard]] nlohmann::json list() const;
  // Sees what other programs have changed.
  void refresh();

 private:
  using Running = std::vector<std::shared_ptr<const RunningExperiment>>;

  void run();
  void write_exposures();
  void check_guards();
  void take(experiments::Store& store);
  void take_if_changed();
  [[nodiscard]] ArmMetrics metrics_of(const std::string& experiment, const std::string& arm);
  void publish(const experiments::Checked& checked);
  void tell(bool works, const std::string& problem);
  [[nodiscard]] static std::optional<Placement> placed(
      const std::shared_ptr<const RunningExperiment>& experiment, const Asker& asker,
      experiments::Time now);

  LiveOptions options_;
  http::Metrics& metrics_;
  http::Log& log_;
  experiments::Store requests_store_;  // for create(), stop(), outcomes and descriptions
  experiments::Store store_;           // for the thread

  mutable std::shared_mutex running_mutex_;
  Running running_;  // the oldest first
  std::vector<experiments::Record> records_;
  std::map<std::string, nlohmann::json> analyses_;
  std::atomic<bool> any_{false};  // runs
  std::mutex refresh_mutex_;
  std::string seen_state_;  // of the store

  std::mutex exposures_mutex_;
  std::condition_variable wake_;
  std::vector<experiments::Exposure> exposures_;
  // Units that need not be written again: two generations, the older of which goes when the younger
  // is full.
  std::unordered_set<std::string> seen_;
  std::unordered_set<std::string> seen_before_;
  bool stopping_ = false;
  bool works_ = true;  // of the thread

  http::Counter& dropped_;
  http::Gauge& reachable_;
  std::thread thread_;
};

[[nodiscard]] experiments::Time time_now();

}  // namespace tandem::serving

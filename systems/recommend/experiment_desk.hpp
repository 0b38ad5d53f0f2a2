// The experiment that a service takes part in: who gets which arm, and what came of it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "systems/http/log.hpp"
#include "systems/http/metrics.hpp"
#include "systems/recommend/event.hpp"
#include "systems/serving/experiments/store.hpp"

namespace tandem::recommend {

// Arms name configurations by their `version`. Units are not the viewers' names but hashes of them,
// so that the store, which keeps its counts, holds nobody's name. Exposures and outcomes are
// written by a thread of its own, twice a second; what was not written when the process is killed
// is lost to the analysis, and no answer waits for it. The same thread looks every five seconds
// whether a guard is breached, which ends the experiment, or somebody else has ended it: from then
// on nobody takes part. Several threads may use one at once.
class ExperimentDesk {
 public:
  // Creates the experiment in the store where it is not there; one that has ended stays so. Throws
  // InputError where it is there with another definition.
  ExperimentDesk(const std::string& store, experiments::Experiment experiment,
                 http::Metrics& metrics, http::Log& log,
                 std::chrono::milliseconds check_every = std::chrono::seconds(5));
  ~ExperimentDesk();
  ExperimentDesk(const ExperimentDesk&) = delete;
  ExperimentDesk& operator=(const ExperimentDesk&) = delete;

  [[nodiscard]] const experiments::Experiment& experiment() const noexcept { return experiment_; }
  // Why it has ended; empty where it runs.
  [[nodiscard]] std::string ended() const;
  // The arm of a viewer, −1 where none takes part; the same for as long as the experiment runs.
  [[nodiscard]] int arm_of(const std::string& user, Time now) const;
  void expose(const std::string& user, int arm, Time now);
  // Outcomes by the kind of the event: "watch" with its weight, "click", "like", ... with 1.
  void outcome(const Event& event);
  // What was noted is in the store.
  void flush();
  [[nodiscard]] experiments::Analysis analyse(Time now);

 private:
  [[nodiscard]] bool find();
  void run();
  void check(Time now);
  void end(const std::string& reason);
  void tell(const std::string& problem);

  experiments::Experiment experiment_;
  experiments::Store store_;
  http::Log& log_;
  http::Gauge& running_metric_;
  std::chrono::milliseconds check_every_;
  std::atomic<bool> running_{true};
  std::string ended_;
  std::string problem_;  // that was told last
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  // Units that need not be written again: two generations, the older of which goes when the younger
  // is full.
  std::unordered_set<std::string> exposed_;
  std::unordered_set<std::string> exposed_before_;
  std::vector<experiments::Exposure> exposures_;
  std::vector<experiments::Outcome> outcomes_;
  std::thread thread_;
};

}  // namespace tandem::recommend

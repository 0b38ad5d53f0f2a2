// What is done with predictions after they were answered: drift, the log of predictions, shadows.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "systems/serving/log_writer.hpp"
#include "systems/serving/model_set.hpp"
#include "systems/serving/serve_settings.hpp"
#include "systems/serving/shadow.hpp"

namespace tandem::serving {

// A thread of its own looks at what was answered; who answers hands it over and goes on. Where it
// cannot keep up, predictions are let go and counted: no answer ever waits.
class Watcher {
 public:
  // `models` outlive it. Throws InputError where a log's column to leave out is that of no model
  // that is loaded.
  Watcher(const ModelSet& models, const ServeSettings& settings, http::Metrics& metrics,
          http::Log& log);
  // Looks at what waits, and writes the log out.
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Whether anybody wants to know of predictions, and whether each needs an id.
  [[nodiscard]] bool watches() const noexcept { return watches_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool logs() const noexcept { return logs_.load(std::memory_order_relaxed); }
  // Holds a lock for as long as it takes to put the prediction into a list.
  void answered(Observed observed) noexcept;

  // Throws InputError and changes nothing where a column to leave out is that of no model.
  void apply(const ServeSettings& settings);

  // {"drift": [{"model", "version", "why_not" or DriftMonitor::to_json()}]}
  [[nodiscard]] nlohmann::json drift_json() const;
  [[nodiscard]] nlohmann::json shadow_json() const { return shadows_.to_json(); }

 private:
  using Key = std::pair<std::string, std::int64_t>;
  using Clock = std::chrono::steady_clock;
  struct List {
    std::mutex mutex;
    std::vector<Observed> waiting;
  };
  // What one version has been asked since the last look.
  struct Group {
    std::shared_ptr<const ServedModel> model;
    Rows rows;
    Answers answers;
  };
  void run();
  void look_at(std::vector<Observed>& waiting);
  void count_drift(const Group& group, const Dataset<double>& scores);
  void offer_shadow(Observed& observed);
  void find_shadows();
  void every_second();
  void publish(const ServedModel& model, const watch::DriftReport& report);
  [[nodiscard]] ServeSettings settings() const;

  const ModelSet& models_;
  http::Metrics& metrics_;
  http::Log& log_;
  Shadows shadows_;
  http::Counter& let_go_;
  LogWriter log_writer_;  // of the thread alone

  std::array<List, 16> lists_;
  std::atomic<bool> watches_{false};
  std::atomic<bool> logs_{false};

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  ServeSettings settings_;
  std::map<Key, std::shared_ptr<watch::DriftMonitor>> monitors_;
  std::map<Key, std::string> not_watched_;
  bool changed_ = false;
  bool stopping_ = false;

  // Of the thread alone.
  std::map<std::string, std::shared_ptr<const ServedModel>> shadow_of_;
  std::map<std::string, double> shadow_shares_;
  std::thread thread_;
};

}  // namespace tandem::serving

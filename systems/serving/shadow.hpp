// A candidate that is asked what production was asked, and whose answers are compared and thrown
// away: what a version would have said, before anybody gets it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <thread>
#include <vector>

#include "systems/http/log.hpp"
#include "systems/http/metrics.hpp"
#include "systems/serving/served_model.hpp"

namespace tandem::serving {

// What production was asked and has said already.
struct ShadowTask {
  std::shared_ptr<const ServedModel> production;
  std::shared_ptr<const ServedModel> shadow;  // of the same signature
  Rows rows;
  Answers answers;
};

// The codes of categories are those of a model's own training data: the code in `to` of each of
// `from`'s, by the names; NaN for what `to` has not seen.
[[nodiscard]] Rows rows_for(const ServedModel& to, const ServedModel& from, Rows rows);

// One thread of the lowest priority, so that it takes what others leave of the processors. Tasks
// that come while `most_rows` wait are shed and counted. Several threads may give it tasks.
class Shadows {
 public:
  Shadows(http::Metrics& metrics, http::Log& log);
  // What waits is let go.
  ~Shadows();
  Shadows(const Shadows&) = delete;
  Shadows& operator=(const Shadows&) = delete;

  static constexpr Index most_rows = 10'000;
  // False where it was shed.
  bool offer(ShadowTask task);
  // [{"model", "version", "against", "rows", "shed", "failed", "different", "mean_difference",
  // "largest_difference", "mean_seconds"}]
  [[nodiscard]] nlohmann::json to_json() const;

 private:
  // Of a model, its shadow's version and the version in production.
  struct Key {
    std::string model;
    std::int64_t version = 0;
    std::int64_t against = 0;
    [[nodiscard]] auto operator<=>(const Key&) const = default;
  };
  struct Compared {
    http::Counter* rows = nullptr;
    http::Counter* different = nullptr;  // another label, or a number that is not the same bits
    http::Counter* shed = nullptr;
    http::Counter* failed = nullptr;
    http::Histogram* duration = nullptr;
    http::Histogram* difference = nullptr;
    double largest = 0;
  };

  void run();
  void compare(ShadowTask& task);
  [[nodiscard]] Compared& of(const ShadowTask& task);

  http::Metrics& metrics_;
  http::Log& log_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<ShadowTask> tasks_;
  Index waiting_ = 0;
  std::map<Key, Compared> compared_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace tandem::serving

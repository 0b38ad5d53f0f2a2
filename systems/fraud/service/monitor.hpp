// What a person or Prometheus sees of a fraud service: counts, rates by the minute, the newest
// decisions, and whether scores are still distributed as they were.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "systems/fraud/decision.hpp"
#include "systems/http/metrics.hpp"

namespace tandem::fraud {

// Where the time of a decision goes; one in `Monitor::sampled` is measured.
enum class Stage { read, features, decide, write_down, apply };

class Monitor {
 public:
  static constexpr std::uint64_t sampled = 32;
  explicit Monitor(http::Metrics& metrics);

  struct Shown {
    std::uint64_t number = 0;  // 1, 2, ... since the server started
    std::string id;            // as the client wrote it
    Key user = 0;
    Time time = 0;  // of the transaction
    double amount = 0;
    Action action = Action::approve;
    std::string tail;
  };
  // By the thread that decides.
  void decided(Shown shown, Level level, double risk_score, Time now);
  void repeated() { repeated_->add(); }
  void conflicted() { conflicts_->add(); }
  void labelled(bool fraud) { labels_[fraud ? 1 : 0]->add(); }
  void refused() { refused_->add(); }
  void measured(Stage stage, double seconds) {
    const auto place = static_cast<std::size_t>(stage);
    stage_seconds_[place]->add(seconds);
    stage_counts_[place]->add();
  }
  // The user's decisions are not shown any more.
  void erase(Key user);
  // Scores are compared with those that come from now on.
  void forget_reference();

  // The newest decisions whose number is above `after`, the newest first, at most `most`.
  [[nodiscard]] nlohmann::json stream(std::uint64_t after, std::size_t most);
  [[nodiscard]] nlohmann::json summary();

 private:
  static constexpr std::size_t bins = 20;
  static constexpr std::size_t minutes = 60;
  static constexpr std::uint64_t reference_size = 5'000;
  struct Minute {
    std::int64_t minute = 0;
    std::array<std::uint64_t, 3> actions{};
    std::array<std::uint64_t, bins> scores{};
  };
  [[nodiscard]] nlohmann::json drift() const;

  std::array<http::Counter*, 3> actions_{};
  std::array<http::Counter*, 4> levels_{};
  std::array<http::Counter*, 2> labels_{};
  http::Counter* repeated_ = nullptr;
  http::Counter* conflicts_ = nullptr;
  http::Counter* refused_ = nullptr;
  std::array<http::Gauge*, 5> stage_seconds_{};
  std::array<http::Counter*, 5> stage_counts_{};

  std::mutex mutex_;
  std::uint64_t number_ = 0;
  std::deque<Shown> newest_;
  std::deque<Minute> history_;
  std::array<std::uint64_t, bins> reference_{};
  std::uint64_t reference_count_ = 0;
};

}  // namespace tandem::fraud

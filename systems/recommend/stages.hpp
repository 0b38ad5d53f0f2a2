// Where the time of an answer goes.
#pragma once

#include <array>
#include <chrono>
#include <string_view>

#include "tandem/core/names.hpp"

namespace tandem::recommend {

enum class Stage { viewer, fold_in, retrieve, candidates, score, rank, choose, explain, write };

}  // namespace tandem::recommend

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 9> enum_names<recommend::Stage>{
    "viewer", "fold_in", "retrieve", "candidates", "score", "rank", "choose", "explain", "write"};
}  // namespace tandem

namespace tandem::recommend {

inline constexpr std::size_t stage_count = enum_names<Stage>.size();

// Laps of a clock, each of which is added to a stage.
class Stages {
 public:
  // The time since the last lap was spent on this.
  void lap(Stage stage) {
    const auto now = std::chrono::steady_clock::now();
    seconds_[static_cast<std::size_t>(stage)] += std::chrono::duration<double>(now - last_).count();
    last_ = now;
  }
  [[nodiscard]] double seconds(std::size_t stage) const { return seconds_[stage]; }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  std::array<double, stage_count> seconds_{};
};

}  // namespace tandem::recommend

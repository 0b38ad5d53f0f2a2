// How a training or an evaluation is told, as text and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "tandem/core/engine.hpp"
#include "tandem/metrics/evaluate.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem::program {

// Metrics of the training part, the test part, or both.
struct Scores {
  std::optional<Evaluation> train;
  std::optional<Evaluation> test;
};

// {"train": {...}, "test": {...}} where both exist, else the metrics of the one that does.
[[nodiscard]] nlohmann::json metrics_to_json(const Scores& scores);
// A table: a row per metric, a column per part; for classes, a second table per class.
[[nodiscard]] std::string metrics_to_text(const Scores& scores);

inline constexpr std::string_view software_gpu_time =
    "time of the CPU that plays the GPU, not of a GPU";

struct Seconds {
  double load = 0;
  double train = 0;
  double evaluate = 0;
  // Processor time of all threads together, which other work on the machine distorts least.
  double train_processor = 0;
  // On the software GPU: time of the host, which says nothing about a GPU.
  bool software_gpu = false;
};
[[nodiscard]] nlohmann::json seconds_to_json(const Seconds& seconds);

// Adds "transfers" to a command's JSON where the engine's memory is not the host's: bytes and
// copies in both directions since the engine was made.
void add_transfers(nlohmann::json& json, const Engine& engine);
[[nodiscard]] std::string seconds_to_text(const Seconds& seconds, bool trained);

// "150 rows, 4 features"
[[nodiscard]] std::string shape_to_text(Index rows, Index features);

}  // namespace tandem::program

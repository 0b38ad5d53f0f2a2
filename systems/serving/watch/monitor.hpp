// Drift of what a model is asked and says, window by window, while it answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <utility>
#include <vector>

#include "systems/serving/watch/drift.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem::watch {

struct WindowOptions {
  // Of a window, after which it is judged; 0: nothing is watched.
  Index rows = 10'000;
  // A window that lasts longer is judged with the rows that it has, if those are at least
  // DriftOptions::fewest_rows; else it goes on.
  std::chrono::seconds longest{3'600};
  // The share of windows without any drift that raise an alarm.
  double level = 0.01;

  [[nodiscard]] bool operator==(const WindowOptions&) const = default;
};

// Windows follow each other without overlap and each is judged once, when it is over, so that the
// level is that of each window: looks at a window that still grows would raise false alarms more
// often. Several threads may use one.
class DriftMonitor {
 public:
  using Clock = std::chrono::steady_clock;

  // `columns`: the model's raw columns. A feature of the summary that is none of them is left out.
  DriftMonitor(const TrainingSummary& before, const std::vector<Column>& columns,
               const WindowOptions& options);

  // Counts rows in row order, codes of categories, NaN for what is missing; `unseen` are rows and
  // columns that are missing because the training data did not have their category; `scores` is
  // what the model said of them, as score_columns() has it. True where the window is over now:
  // report() is a new one.
  template <Real T>
  bool add(std::span<const T> rows, std::span<const std::pair<Index, Index>> unseen,
           const Dataset<double>& scores, Clock::time_point now);
  // The same where no rows came but time has passed.
  bool look(Clock::time_point now);

  // Of the last window that is over; without columns where none is.
  [[nodiscard]] DriftReport report() const;
  // {"rows": of the window that grows, "windows": that are over, "alarms": of these,
  // "report": to_json() of the last one or null}
  [[nodiscard]] nlohmann::json to_json() const;

 private:
  void clear();
  bool close(Clock::time_point now);

  TrainingSummary before_;
  std::vector<std::size_t> places_;        // of each feature among the columns
  std::vector<std::ptrdiff_t> of_column_;  // the feature of each column, or -1
  WindowOptions options_;

  mutable std::mutex mutex_;
  std::vector<ColumnSummary> features_;
  std::vector<ColumnSummary> scores_;
  Index rows_ = 0;
  Clock::time_point begun_;
  DriftReport report_;
  std::int64_t windows_ = 0;
  std::int64_t alarms_ = 0;
};

}  // namespace tandem::watch

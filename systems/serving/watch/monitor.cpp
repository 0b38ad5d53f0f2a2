#include "systems/serving/watch/monitor.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tandem::watch {
namespace {

template <class Named>
std::ptrdiff_t position(const std::vector<Named>& columns, const std::string& name) {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const Named& one) { return one.name == name; });
  return found == columns.end() ? -1 : found - columns.begin();
}

}  // namespace

DriftMonitor::DriftMonitor(const TrainingSummary& before, const std::vector<Column>& columns,
                           const WindowOptions& options)
    : before_(before), options_(options), begun_(Clock::now()) {
  std::erase_if(before_.features,
                [&](const ColumnSummary& feature) { return position(columns, feature.name) < 0; });
  of_column_.assign(columns.size(), -1);
  for (std::size_t k = 0; k < before_.features.size(); ++k) {
    const auto column = static_cast<std::size_t>(position(columns, before_.features[k].name));
    places_.push_back(column);
    of_column_[column] = static_cast<std::ptrdiff_t>(k);
  }
  clear();
}

void DriftMonitor::clear() {
  features_.clear();
  scores_.clear();
  for (const ColumnSummary& one : before_.features) features_.push_back(one.without_rows());
  for (const ColumnSummary& one : before_.scores) scores_.push_back(one.without_rows());
  rows_ = 0;
}

template <Real T>
bool DriftMonitor::add(std::span<const T> rows, std::span<const std::pair<Index, Index>> unseen,
                       const Dataset<double>& scores, Clock::time_point now) {
  const std::size_t width = of_column_.size();
  if (width == 0) return false;
  const std::size_t count = rows.size() / width;
  const std::lock_guard lock(mutex_);
  for (std::size_t k = 0; k < places_.size(); ++k) {
    ColumnSummary& feature = features_[k];
    for (std::size_t i = 0; i < count; ++i) {
      feature.count(static_cast<double>(rows[i * width + places_[k]]));
    }
  }
  for (const auto& [row, column] : unseen) {
    const std::ptrdiff_t k = of_column_[static_cast<std::size_t>(column)];
    if (k < 0) continue;
    ColumnSummary& feature = features_[static_cast<std::size_t>(k)];
    --feature.missing;
    ++feature.unseen;
  }
  for (ColumnSummary& score : scores_) {
    const std::ptrdiff_t k = position(scores.columns, score.name);
    if (k < 0) continue;
    for (Index i = 0; i < scores.rows(); ++i) {
      score.count(scores.features(i, static_cast<Index>(k)));
    }
  }
  rows_ += static_cast<Index>(count);
  return close(now);
}

bool DriftMonitor::look(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  return close(now);
}

bool DriftMonitor::close(Clock::time_point now) {
  DriftOptions options;
  options.level = options_.level;
  const bool late =
      now - begun_ >= options_.longest && static_cast<double>(rows_) >= options.fewest_rows;
  if (rows_ < options_.rows && !late) return false;
  report_ = compare(before_, features_, scores_, options);
  ++windows_;
  alarms_ += report_.alarm ? 1 : 0;
  clear();
  begun_ = now;
  return true;
}

DriftReport DriftMonitor::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

nlohmann::json DriftMonitor::to_json() const {
  const std::lock_guard lock(mutex_);
  return {{"rows", rows_},
          {"window_rows", options_.rows},
          {"windows", windows_},
          {"alarms", alarms_},
          {"level", options_.level},
          {"scores_held_out", before_.scores_held_out},
          {"report", windows_ == 0 ? nlohmann::json() : watch::to_json(report_)}};
}

template bool DriftMonitor::add(std::span<const float>, std::span<const std::pair<Index, Index>>,
                                const Dataset<double>&, Clock::time_point);
template bool DriftMonitor::add(std::span<const double>, std::span<const std::pair<Index, Index>>,
                                const Dataset<double>&, Clock::time_point);

}  // namespace tandem::watch

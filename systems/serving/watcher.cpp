#include "systems/serving/watcher.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

namespace tandem::serving {
namespace {

using http::LogLevel;
using std::chrono::milliseconds;

constexpr milliseconds look_every{25};
constexpr milliseconds flush_every{1'000};
constexpr std::size_t most_in_list = 4'096;      // requests
constexpr Index most_rows_of_request = 100'000;  // larger ones are not watched
constexpr std::size_t most_gauges = 200;         // columns of a version, for Prometheus

std::size_t list_of_thread(std::size_t lists) {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1);
  return mine % lists;
}

}  // namespace

Watcher::Watcher(const ModelSet& models, const ServeSettings& settings, http::Metrics& metrics,
                 http::Log& log)
    : models_(models),
      metrics_(metrics),
      log_(log),
      shadows_(metrics, log),
      let_go_(metrics.counter("tandem_unwatched_requests_total",
                              "Answered requests that neither drift nor the log of predictions "
                              "has seen, because too many came")),
      log_writer_(models, metrics, log) {
  apply(settings);
  find_shadows();  // what is answered from now on has its shadow
  thread_ = std::thread([this] { run(); });
}

Watcher::~Watcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Watcher::apply(const ServeSettings& settings) {
  if (!settings.log.folder.empty()) check_columns(models_, settings.log);
  const std::lock_guard lock(mutex_);
  if (settings.drift != settings_.drift) {
    monitors_.clear();
    not_watched_.clear();
  }
  settings_ = settings;
  changed_ = true;
  const bool shadows =
      settings.shadow_share > 0 ||
      std::any_of(settings.models.begin(), settings.models.end(),
                  [](const auto& one) { return one.second.shadow_share.value_or(0) > 0; });
  logs_ = !settings.log.folder.empty();
  watches_ = logs_ || settings.drift.rows > 0 || shadows;
}

ServeSettings Watcher::settings() const {
  const std::lock_guard lock(mutex_);
  return settings_;
}

void Watcher::answered(Observed observed) noexcept {
  if (observed.rows.count > most_rows_of_request) {
    let_go_.add();
    return;
  }
  try {
    List& list = lists_[list_of_thread(lists_.size())];
    const std::lock_guard lock(list.mutex);
    if (list.waiting.size() < most_in_list) {
      list.waiting.push_back(std::move(observed));
      return;
    }
  } catch (const std::bad_alloc&) {
    // Counted as those that are too many.
  }
  let_go_.add();
}

void Watcher::run() {
  auto flush_at = Clock::now() + flush_every;
  for (bool stopping = false; !stopping;) {
    bool changed = false;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, look_every, [this] { return stopping_; });
      stopping = stopping_;
      changed = std::exchange(changed_, false);
    }
    if (changed) {
      log_writer_.close();
      flush_at = {};
    }
    std::vector<Observed> waiting;
    for (List& list : lists_) {
      std::vector<Observed> taken;
      {
        const std::lock_guard lock(list.mutex);
        taken.swap(list.waiting);
      }
      std::move(taken.begin(), taken.end(), std::back_inserter(waiting));
    }
    try {
      if (!waiting.empty()) look_at(waiting);
      if (stopping || Clock::now() >= flush_at) {
        every_second();
        find_shadows();
        flush_at = Clock::now() + flush_every;
      }
    } catch (const std::exception& error) {
      log_.write(LogLevel::error, "predictions could not be watched",
                 {{"error", std::string_view(error.what())}});
    }
  }
  log_writer_.close();
}

void Watcher::look_at(std::vector<Observed>& waiting) {
  std::map<const ServedModel*, Group> groups;
  std::vector<Index> first;
  for (const Observed& observed : waiting) {
    Group& group = groups[observed.model.get()];
    first.push_back(group.rows.count);
    group.model = observed.model;
    append(group.rows, observed.rows);
    append(group.answers, observed.answers);
  }
  std::map<const ServedModel*, Dataset<double>> scores;
  for (const auto& [model, group] : groups) {
    scores.emplace(model, model->scores(group.answers));
    count_drift(group, scores.at(model));
  }
  const bool log = logs();
  const ServeSettings current = settings();
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    if (log) {
      log_writer_.write(current.log, waiting[i], scores.at(waiting[i].model.get()), first[i]);
    }
    offer_shadow(waiting[i]);
  }
}

void Watcher::count_drift(const Group& group, const Dataset<double>& scores) {
  const ServedModel& model = *group.model;
  const Key key{model.name(), model.version()};
  std::shared_ptr<watch::DriftMonitor> monitor;
  {
    const std::lock_guard lock(mutex_);
    if (settings_.drift.rows == 0) return;
    const auto found = monitors_.find(key);
    if (found != monitors_.end()) {
      monitor = found->second;
    } else if (model.summary().features.empty() && model.summary().scores.empty()) {
      not_watched_[key] = "its file has no summary of the training data";
      return;
    } else {
      monitor = std::make_shared<watch::DriftMonitor>(model.summary(), model.schema().columns,
                                                      settings_.drift);
      monitors_[key] = monitor;
    }
  }
  const auto now = Clock::now();
  const bool over = model.signature().precision == Precision::float32
                        ? monitor->add<float>(group.rows.floats, group.rows.unseen, scores, now)
                        : monitor->add<double>(group.rows.doubles, group.rows.unseen, scores, now);
  if (over) publish(model, monitor->report());
}

void Watcher::publish(const ServedModel& model, const watch::DriftReport& report) {
  const http::Labels labels{{"model", model.name()}, {"version", model.version_text()}};
  metrics_
      .gauge("tandem_drift_alarm", "1 where the last window of rows raised an alarm, else 0",
             labels)
      .set(report.alarm ? 1 : 0);
  metrics_.gauge("tandem_drift_p", "p value of the last window, of all columns together", labels)
      .set(report.p);
  metrics_.counter("tandem_drift_windows_total", "Windows that were judged", labels).add();
  auto& alarms =
      metrics_.counter("tandem_drift_alarms_total", "Windows that raised an alarm", labels);
  if (report.alarm) alarms.add();
  for (std::size_t j = 0; j < std::min(report.columns.size(), most_gauges); ++j) {
    const watch::ColumnDrift& column = report.columns[j];
    http::Labels of_column = labels;
    of_column.emplace_back("column", column.name);
    of_column.emplace_back("of", j < report.features ? "feature" : "model");
    const auto gauge = [&](const char* name, const char* help, double value) {
      metrics_.gauge(name, help, of_column).set(value);
    };
    gauge("tandem_drift_psi", "Population stability index of the last window", column.psi);
    gauge("tandem_drift_column_alarm", "1 where the column raised an alarm in the last window",
          column.alarm ? 1 : 0);
    gauge("tandem_drift_missing_share", "Share of rows without a value in the last window",
          column.missing_now);
    if (column.categorical) {
      gauge("tandem_drift_unseen_share",
            "Share of rows of a category that the training data lacks, in the last window",
            column.unseen_now);
    } else {
      gauge("tandem_drift_ks", "Kolmogorov-Smirnov statistic of the last window", column.ks);
    }
  }
  if (!report.alarm) return;
  std::string reasons;
  for (const watch::ColumnDrift& column : report.columns) {
    if (!column.alarm || reasons.size() > 1'000) continue;
    reasons += (reasons.empty() ? "" : "; ") + column.name + ": " + column.reason;
  }
  log_.write(LogLevel::warning, "drift",
             {{"model", std::string_view(model.name())},
              {"version", model.version()},
              {"p", report.p},
              {"reason", std::string_view(reasons)}});
}

void Watcher::every_second() {
  log_writer_.flush();
  // Of versions of which no rows come a window can still be over by its time.
  std::map<Key, std::shared_ptr<watch::DriftMonitor>> monitors;
  {
    const std::lock_guard lock(mutex_);
    monitors = monitors_;
  }
  for (const auto& [key, monitor] : monitors) {
    if (!monitor->look(Clock::now())) continue;
    try {
      const auto version = models_.find(key.first, std::to_string(key.second));
      publish(*version->model, monitor->report());
    } catch (const http::HttpError&) {
      // It was archived meanwhile.
    }
  }
}

void Watcher::find_shadows() {
  const ServeSettings current = settings();
  shadow_of_.clear();
  shadow_shares_.clear();
  for (const auto& [name, model] : models_.snapshot()) {
    const double share = current.shadow_share_of(name);
    if (share <= 0 || !model.production) continue;
    const auto settings_of = current.models.find(name);
    std::shared_ptr<const LoadedVersion> found;
    for (const auto& [number, state] : model.versions) {
      if (!state.loaded || state.loaded == model.production) continue;
      const bool wanted = settings_of != current.models.end() && settings_of->second.shadow_version
                              ? number == *settings_of->second.shadow_version
                              : state.record.stage == Stage::candidate;
      if (wanted && state.record.signature == model.production->record.signature) {
        found = state.loaded;
      }
    }
    if (!found) continue;
    shadow_of_[name] = found->model;
    shadow_shares_[name] = share;
  }
}

void Watcher::offer_shadow(Observed& observed) {
  if (!observed.production || shadow_of_.empty()) return;
  const auto found = shadow_of_.find(observed.model->name());
  if (found == shadow_of_.end() || found->second->version() == observed.model->version()) return;
  thread_local std::mt19937 generator{std::random_device{}()};
  if (std::uniform_real_distribution<double>(0, 1)(generator) >=
      shadow_shares_[observed.model->name()]) {
    return;
  }
  (void)shadows_.offer({.production = observed.model,
                        .shadow = found->second,
                        .rows = std::move(observed.rows),
                        .answers = std::move(observed.answers)});
}

nlohmann::json Watcher::drift_json() const {
  nlohmann::json all = nlohmann::json::array();
  const std::lock_guard lock(mutex_);
  const auto add = [&](const Key& key, nlohmann::json one) {
    one["model"] = key.first;
    one["version"] = key.second;
    all.push_back(std::move(one));
  };
  for (const auto& [key, monitor] : monitors_) add(key, monitor->to_json());
  for (const auto& [key, why] : not_watched_) add(key, {{"why_not", why}});
  return all;
}

}  // namespace tandem::serving

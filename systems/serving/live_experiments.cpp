#include "systems/serving/live_experiments.hpp"

#include <algorithm>
#include <cmath>

namespace tandem::serving {

using experiments::Checked;
using experiments::Experiment;
using experiments::Record;
using experiments::Status;
using http::HttpError;
using http::LogLevel;
using std::chrono::steady_clock;

namespace {

constexpr std::size_t most_seen = 1 << 17;  // of a generation
constexpr std::size_t write_at_once = 2'000;
constexpr std::size_t listed_ended = 20;

// The value at a path of names separated by dots, which is made where it is missing.
void set_attribute(nlohmann::json& attributes, std::string_view path, const std::string& value) {
  nlohmann::json* place = &attributes;
  for (;;) {
    const auto dot = path.find('.');
    place = &(*place)[std::string(path.substr(0, dot))];
    if (dot == std::string_view::npos) break;
    path.remove_prefix(dot + 1);
    if (!place->is_object()) *place = nlohmann::json::object();
  }
  *place = value;
}

}  // namespace

experiments::Time time_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

LiveExperiments::LiveExperiments(const LiveOptions& options, http::Metrics& metrics, http::Log& log)
    : options_(options),
      metrics_(metrics),
      log_(log),
      requests_store_(options.place, true),
      store_(options.place, true),
      dropped_(metrics.counter("tandem_exposures_dropped_total",
                               "First exposures that were not kept, because the store of "
                               "experiments could not be written for too long")),
      reachable_(metrics.gauge("tandem_experiment_store_reachable",
                               "1 where the store of experiments could be used of late, else 0")) {
  reachable_.set(1);
  refresh();
  thread_ = std::thread([this] { run(); });
}

LiveExperiments::~LiveExperiments() {
  {
    const std::lock_guard lock(exposures_mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::optional<Placement> LiveExperiments::placed(
    const std::shared_ptr<const RunningExperiment>& experiment, const Asker& asker,
    experiments::Time now) {
  const Experiment& definition = experiment->definition;
  const auto forced = std::find_if(asker.forced.begin(), asker.forced.end(),
                                   [&](const auto& one) { return one.first == definition.name; });
  if (forced != asker.forced.end()) {
    const int arm = definition.arm_index(forced->second);
    if (arm < 0) {
      throw HttpError(400,
                      "force: experiment " + definition.name + " has no arm " + forced->second);
    }
    return Placement{.experiment = experiment,
                     .arm = static_cast<std::size_t>(arm),
                     .forced = true,
                     .recorded = false,
                     .unit = asker.unit,
                     .time = now};
  }
  nlohmann::json attributes = asker.attributes;
  if (!asker.unit.empty() && experiments::attribute_at(attributes, definition.unit).is_null()) {
    set_attribute(attributes, definition.unit, asker.unit);
  }
  if (attributes.is_null()) return std::nullopt;
  experiments::Assignment assignment = experiments::assign(definition, attributes, now);
  if (assignment.arm < 0) return std::nullopt;
  return Placement{.experiment = experiment,
                   .arm = static_cast<std::size_t>(assignment.arm),
                   .forced = assignment.forced,
                   .recorded = true,
                   .unit = checked_text(assignment.unit, definition.unit),
                   .time = now};
}

std::optional<Placement> LiveExperiments::place(std::string_view model, const Asker& asker) const {
  if (!asker.forced.empty()) {
    const std::shared_lock lock(running_mutex_);
    for (const auto& [name, arm] : asker.forced) {
      const bool there =
          std::any_of(running_.begin(), running_.end(),
                      [&name = name](const auto& one) { return one->definition.name == name; });
      if (!there) throw HttpError(400, "force: no experiment " + name + " runs");
    }
  }
  if (!any_.load(std::memory_order_relaxed)) return std::nullopt;
  const experiments::Time now = time_now();
  const std::shared_lock lock(running_mutex_);
  for (const auto& experiment : running_) {
    if (experiment->definition.model != model) continue;
    if (auto found = placed(experiment, asker, now)) return found;
  }
  return std::nullopt;
}

std::optional<Placement> LiveExperiments::place_in(const std::string& name,
                                                   const Asker& asker) const {
  const std::shared_lock lock(running_mutex_);
  for (const auto& experiment : running_) {
    if (experiment->definition.name == name) return placed(experiment, asker, time_now());
  }
  throw HttpError(404, "no experiment " + name + " runs");
}

void LiveExperiments::exposed(const Placement& placement) noexcept {
  placement.metrics().requests->add();
  if (!placement.recorded) return;
  try {
    const std::string& experiment = placement.experiment->definition.name;
    std::string key = experiment + '\n' + placement.unit;
    const std::lock_guard lock(exposures_mutex_);
    if (seen_.contains(key) || seen_before_.contains(key)) return;
    if (exposures_.size() >= options_.most_waiting) {
      dropped_.add();
      return;
    }
    exposures_.push_back({.experiment = experiment,
                          .unit = placement.unit,
                          .arm = static_cast<int>(placement.arm),
                          .time = placement.time,
                          .forced = placement.forced});
    if (seen_.size() >= most_seen) {
      seen_before_ = std::move(seen_);
      seen_.clear();
    }
    seen_.insert(std::move(key));
    if (exposures_.size() == write_at_once) wake_.notify_one();
  } catch (const std::bad_alloc&) {
    dropped_.add();
  }
}

Record LiveExperiments::create(const Experiment& experiment) {
  requests_store_.create(experiment, time_now());
  const Record record = requests_store_.find(experiment.name);
  refresh();
  return record;
}

Record LiveExperiments::stop(const std::string& name, const std::string& reason) {
  requests_store_.stop(name, time_now(), Status::stopped, reason);
  const Record record = requests_store_.find(name);
  refresh();
  return record;
}

std::int64_t LiveExperiments::record_outcomes(std::span<const experiments::Outcome> outcomes) {
  return requests_store_.record_outcomes(outcomes);
}

nlohmann::json LiveExperiments::describe(const std::string& name) {
  const Record record = requests_store_.find(name);
  nlohmann::json json = experiments::to_json(record);
  json["analysis"] = experiments::to_json(
      requests_store_.analyse(name, record.ended == 0 ? time_now() : record.ended));
  return json;
}

nlohmann::json LiveExperiments::list() const {
  const std::shared_lock lock(running_mutex_);
  nlohmann::json all = nlohmann::json::array();
  const auto add = [&](const Record& record) {
    nlohmann::json one = experiments::to_json(record);
    const auto found = analyses_.find(record.experiment.name);
    if (found != analyses_.end()) one["analysis"] = found->second;
    all.push_back(std::move(one));
  };
  for (const Record& record : records_) {
    if (record.status == Status::running) add(record);
  }
  std::size_t ended = 0;
  for (auto record = records_.rbegin(); record != records_.rend(); ++record) {
    if (record->status != Status::running && ended++ < listed_ended) add(*record);
  }
  return all;
}

void LiveExperiments::refresh() {
  const std::lock_guard lock(refresh_mutex_);
  take(requests_store_);
}

void LiveExperiments::take_if_changed() {
  const std::lock_guard lock(refresh_mutex_);
  if (store_.state() != seen_state_) take(store_);
}

ArmMetrics LiveExperiments::metrics_of(const std::string& experiment, const std::string& arm) {
  const http::Labels labels{{"experiment", experiment}, {"arm", arm}};
  return {.requests = &metrics_.counter("tandem_experiment_requests_total",
                                        "Requests that an arm of an experiment answered", labels),
          .failures = &metrics_.counter("tandem_experiment_failures_total",
                                        "Requests of an arm that failed", labels),
          .fallbacks = &metrics_.counter("tandem_experiment_fallbacks_total",
                                         "Requests that the version in production answered, "
                                         "because that of the arm was not loaded; their units are "
                                         "not exposed",
                                         labels),
          .duration = &metrics_.histogram("tandem_experiment_duration_seconds",
                                          "Time from the first byte of a request until the arm "
                                          "has answered it",
                                          http::latency_bounds(), labels)};
}

void LiveExperiments::take(experiments::Store& store) {
  // Read first: a change that comes meanwhile is seen the next time.
  const std::string state = store.state();
  const std::vector<Record> records = store.list();
  const auto runs = [&](const std::string& name) -> http::Gauge& {
    return metrics_.gauge("tandem_experiment_running",
                          "1 while the experiment runs, 0 after its end", {{"experiment", name}});
  };
  Running running;
  for (const Record& record : records) {
    if (record.status != Status::running) continue;
    auto one = std::make_shared<RunningExperiment>();
    one->definition = record.experiment;
    for (const experiments::Arm& arm : record.experiment.arms) {
      one->arms.push_back(metrics_of(record.experiment.name, arm.name));
    }
    runs(record.experiment.name).set(1);
    running.push_back(std::move(one));
  }
  const std::unique_lock lock(running_mutex_);
  for (const auto& before : running_) {
    const bool still = std::any_of(running.begin(), running.end(), [&](const auto& one) {
      return one->definition.name == before->definition.name;
    });
    if (!still) runs(before->definition.name).set(0);
  }
  any_ = !running.empty();
  running_.swap(running);
  records_ = records;
  seen_state_ = state;
}

// The first failure and the first success after it are logged, not each.
void LiveExperiments::tell(bool works, const std::string& problem) {
  if (works == works_) return;
  works_ = works;
  reachable_.set(works ? 1 : 0);
  if (works) {
    log_.write(LogLevel::info, "the store of experiments works again");
  } else {
    log_.write(LogLevel::error,
               "the store of experiments fails; arms stay as they are, and exposures wait",
               {{"error", std::string_view(problem)}});
  }
}

void LiveExperiments::write_exposures() {
  std::vector<experiments::Exposure> batch;
  {
    const std::lock_guard lock(exposures_mutex_);
    batch.swap(exposures_);
  }
  if (batch.empty()) return;
  try {
    (void)store_.record_exposures(batch);
  } catch (...) {
    const std::lock_guard lock(exposures_mutex_);
    exposures_.insert(exposures_.begin(), std::make_move_iterator(batch.begin()),
                      std::make_move_iterator(batch.end()));
    throw;
  }
}

void LiveExperiments::publish(const Checked& checked) {
  const std::string& name = checked.record.experiment.name;
  const auto gauge = [&](const char* metric, const char* help, const http::Labels& more,
                         double value) {
    http::Labels labels{{"experiment", name}};
    labels.insert(labels.end(), more.begin(), more.end());
    metrics_.gauge(metric, help, labels).set(value);
  };
  const experiments::Analysis& analysis = checked.analysis;
  gauge("tandem_experiment_sample_ratio_p",
        "How surprising the numbers of units of the arms are, at every look; below 0.001 is an "
        "alarm",
        {}, analysis.ratio.p_sequential);
  for (std::size_t i = 0; i < analysis.arms.size(); ++i) {
    gauge("tandem_experiment_units", "Units that were exposed to an arm",
          {{"arm", analysis.arms[i]}}, analysis.units[i]);
  }
  for (const experiments::MetricResult& metric : analysis.metrics) {
    for (const experiments::ArmResult& arm : metric.arms) {
      gauge("tandem_experiment_metric_mean", "Mean of a metric over the units of an arm",
            {{"metric", metric.metric.name}, {"arm", arm.arm}}, arm.mean);
    }
  }
  if (checked.rolled_back) {
    metrics_
        .counter("tandem_experiment_rollbacks_total", "Experiments that a guard has ended",
                 {{"experiment", name}})
        .add();
    log_.write(LogLevel::warning, "experiment rolled back",
               {{"experiment", std::string_view(name)},
                {"reason", std::string_view(checked.record.reason)}});
  }
  nlohmann::json json = experiments::to_json(analysis);
  json["at"] = experiments::time_text(time_now());
  const std::unique_lock lock(running_mutex_);
  analyses_[name] = std::move(json);
}

void LiveExperiments::check_guards() {
  bool ended = false;
  for (const Checked& checked : store_.check(time_now())) {
    publish(checked);
    ended = ended || checked.record.status != Status::running;
  }
  if (ended) take_if_changed();
}

void LiveExperiments::run() {
  auto look_at = steady_clock::now() + options_.look_every;
  auto check_at = steady_clock::now() + options_.check_every;
  bool stopping = false;
  while (!stopping) {
    {
      std::unique_lock lock(exposures_mutex_);
      wake_.wait_for(lock, options_.write_every,
                     [&] { return stopping_ || (works_ && exposures_.size() >= write_at_once); });
      stopping = stopping_;
    }
    try {
      write_exposures();
      if (!stopping && steady_clock::now() >= look_at) {
        take_if_changed();
        look_at = steady_clock::now() + options_.look_every;
      }
      if (!stopping && steady_clock::now() >= check_at) {
        const auto begin = steady_clock::now();
        check_guards();
        const auto took = steady_clock::now() - begin;
        check_at =
            steady_clock::now() + std::max<steady_clock::duration>(options_.check_every, 19 * took);
      }
      tell(true, {});
    } catch (const std::exception& error) {
      tell(false, error.what());
      look_at = std::max(look_at, steady_clock::now() + options_.look_every);
      check_at = std::max(check_at, steady_clock::now() + options_.look_every);
    }
  }
  const std::lock_guard lock(exposures_mutex_);
  if (exposures_.empty()) return;
  dropped_.add(exposures_.size());
  log_.write(LogLevel::error, "exposures are lost: the store of experiments cannot be written",
             {{"exposures", static_cast<std::int64_t>(exposures_.size())}});
}

}  // namespace tandem::serving

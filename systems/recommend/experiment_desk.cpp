#include "systems/recommend/experiment_desk.hpp"

#include <nlohmann/json.hpp>

#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

// FNV-1a with 64 bits over the experiment's seed and the user, as hexadecimal digits.
std::string unit_of(const std::string& seed, const std::string& user) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const std::string* const text : {&seed, &user}) {
    for (const char c : *text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    hash = (hash ^ 0xFFU) * 0x100000001b3ULL;
  }
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[(hash >> shift) & 0xF];
  return text;
}

}  // namespace

ExperimentDesk::ExperimentDesk(const std::string& store, experiments::Experiment experiment,
                               http::Log& log)
    : experiment_(std::move(experiment)), store_(store, true), log_(log) {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  bool there = false;
  for (const experiments::Record& record : store_.list()) {
    if (record.experiment.name != experiment_.name) continue;
    there = true;
    if (record.status != experiments::Status::running) {
      throw InputError("the experiment '" + experiment_.name + "' has ended: " + record.reason);
    }
    if (record.experiment.to_json() != experiment_.to_json()) {
      throw InputError("the store has an experiment '" + experiment_.name +
                       "' of another definition; a changed one needs a name of its own");
    }
  }
  if (!there) store_.create(experiment_, now);
  thread_ = std::thread([this] { run(); });
}

ExperimentDesk::~ExperimentDesk() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

int ExperimentDesk::arm_of(const std::string& user, Time now) const {
  return experiments::assign(experiment_, {{experiment_.unit, user}}, now).arm;
}

void ExperimentDesk::expose(const std::string& user, int arm, Time now) {
  std::string unit = unit_of(experiment_.seed, user);
  const std::scoped_lock lock(mutex_);
  if (!exposed_.insert(unit).second) return;
  exposures_.push_back({experiment_.name, std::move(unit), arm, now, false});
}

void ExperimentDesk::outcome(const Event& event) {
  if (event.kind == EventKind::forget) return;
  experiments::Outcome one;
  one.unit = unit_of(experiment_.seed, event.user);
  one.metric = enum_names<EventKind>[static_cast<std::size_t>(event.kind)];
  one.value = event.kind == EventKind::watch ? event.weight : 1;
  one.time = event.time;
  const std::scoped_lock lock(mutex_);
  outcomes_.push_back(std::move(one));
}

void ExperimentDesk::flush() {
  std::vector<experiments::Exposure> exposures;
  std::vector<experiments::Outcome> outcomes;
  {
    const std::scoped_lock lock(mutex_);
    exposures.swap(exposures_);
    outcomes.swap(outcomes_);
  }
  if (!exposures.empty()) (void)store_.record_exposures(exposures);
  if (!outcomes.empty()) (void)store_.record_outcomes(outcomes);
}

experiments::Analysis ExperimentDesk::analyse(Time now) {
  flush();
  return store_.analyse(experiment_.name, now);
}

void ExperimentDesk::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const bool last =
        wake_.wait_for(lock, std::chrono::milliseconds(500), [&] { return stopping_; });
    lock.unlock();
    try {
      flush();
    } catch (const std::exception& error) {
      log_.write(http::LogLevel::error, "outcomes of the experiment were not written",
                 {{"why", std::string_view(error.what())}});
    }
    if (last) return;
    lock.lock();
  }
}

}  // namespace tandem::recommend

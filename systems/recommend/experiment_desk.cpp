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

constexpr std::size_t most_waiting = 200'000;  // exposures and outcomes, while the store fails
constexpr std::size_t most_exposed = std::size_t{1} << 20;  // of a generation

Time wall_clock() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

ExperimentDesk::ExperimentDesk(const std::string& store, experiments::Experiment experiment,
                               http::Metrics& metrics, http::Log& log,
                               std::chrono::milliseconds check_every)
    : experiment_(std::move(experiment)),
      store_(store, true),
      log_(log),
      running_metric_(metrics.gauge("tandem_experiment_running",
                                    "1 while the experiment runs, 0 after its end",
                                    {{"experiment", experiment_.name}})),
      check_every_(check_every) {
  running_metric_.set(1);
  if (!find()) {
    try {
      store_.create(experiment_, wall_clock());
    } catch (const InputError&) {
      // Another server that shares the store may have made it meanwhile.
      if (!find()) throw;
    }
  }
  thread_ = std::thread([this] { run(); });
}

// Whether the store has the experiment.
bool ExperimentDesk::find() {
  for (const experiments::Record& record : store_.list()) {
    if (record.experiment.name != experiment_.name) continue;
    if (record.experiment.to_json() != experiment_.to_json()) {
      throw InputError("the store has an experiment '" + experiment_.name +
                       "' of another definition; a changed one needs a name of its own");
    }
    if (record.status != experiments::Status::running) end(record.reason);
    return true;
  }
  return false;
}

ExperimentDesk::~ExperimentDesk() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::string ExperimentDesk::ended() const {
  const std::scoped_lock lock(mutex_);
  return ended_;
}

int ExperimentDesk::arm_of(const std::string& user, Time now) const {
  if (!running_) return -1;
  return experiments::assign(experiment_, {{experiment_.unit, user}}, now).arm;
}

void ExperimentDesk::expose(const std::string& user, int arm, Time now) {
  std::string unit = unit_of(experiment_.seed, user);
  const std::scoped_lock lock(mutex_);
  if (exposed_.contains(unit) || exposed_before_.contains(unit)) return;
  if (exposed_.size() >= most_exposed) {
    exposed_before_ = std::move(exposed_);
    exposed_.clear();
  }
  exposed_.insert(unit);
  exposures_.push_back({experiment_.name, std::move(unit), arm, now, false});
}

void ExperimentDesk::outcome(const Event& event) {
  if (event.kind == EventKind::forget || !running_) return;
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
  // What could not be written waits; of what waits too long the oldest goes.
  const auto put_back = [&](auto& batch, auto& waiting) {
    const std::scoped_lock lock(mutex_);
    waiting.insert(waiting.begin(), std::make_move_iterator(batch.begin()),
                   std::make_move_iterator(batch.end()));
    if (waiting.size() > most_waiting) {
      waiting.erase(waiting.begin(), waiting.end() - static_cast<std::ptrdiff_t>(most_waiting));
    }
  };
  try {
    if (!exposures.empty()) (void)store_.record_exposures(exposures);
    exposures.clear();
    if (!outcomes.empty()) (void)store_.record_outcomes(outcomes);
  } catch (...) {
    put_back(exposures, exposures_);
    put_back(outcomes, outcomes_);
    throw;
  }
}

experiments::Analysis ExperimentDesk::analyse(Time now) {
  flush();
  return store_.analyse(experiment_.name, now);
}

void ExperimentDesk::end(const std::string& reason) {
  running_ = false;
  running_metric_.set(0);
  {
    const std::scoped_lock lock(mutex_);
    ended_ = reason.empty() ? "it was stopped" : reason;
  }
  log_.write(
      http::LogLevel::warning, "the experiment has ended; everybody gets the first configuration",
      {{"experiment", std::string_view(experiment_.name)}, {"reason", std::string_view(reason)}});
}

void ExperimentDesk::check(Time now) {
  for (const experiments::Checked& checked : store_.check(now)) {
    if (checked.record.experiment.name != experiment_.name) continue;
    if (checked.record.status != experiments::Status::running) end(checked.record.reason);
    return;
  }
  // It is not among those that run: somebody else has ended it.
  end(store_.find(experiment_.name).reason);
}

// The first failure is logged, and the first of another kind.
void ExperimentDesk::tell(const std::string& problem) {
  if (problem == problem_) return;
  problem_ = problem;
  if (problem.empty()) {
    log_.write(http::LogLevel::info, "the store of the experiment works again");
  } else {
    log_.write(http::LogLevel::error, "the store of the experiment fails",
               {{"why", std::string_view(problem)}});
  }
}

void ExperimentDesk::run() {
  auto check_at = std::chrono::steady_clock::now() + check_every_;
  std::unique_lock lock(mutex_);
  for (;;) {
    const bool last =
        wake_.wait_for(lock, std::chrono::milliseconds(500), [&] { return stopping_; });
    lock.unlock();
    try {
      flush();
      if (!last && running_ && std::chrono::steady_clock::now() >= check_at) {
        const auto begin = std::chrono::steady_clock::now();
        check(wall_clock());
        // A twentieth of the time goes to looking at most.
        const auto took = std::chrono::steady_clock::now() - begin;
        check_at = std::chrono::steady_clock::now() +
                   std::max<std::chrono::steady_clock::duration>(check_every_, 19 * took);
      }
      tell({});
    } catch (const std::exception& error) {
      tell(error.what());
    }
    if (last) return;
    lock.lock();
  }
}

}  // namespace tandem::recommend

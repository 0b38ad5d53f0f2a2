#include "systems/serving/model_set.hpp"

#include <algorithm>
#include <utility>

#include "core/text.hpp"

namespace tandem::serving {

using http::HttpError;
using http::LogLevel;

ModelSet::ModelSet(std::unique_ptr<Registry> registry, const EngineOptions& engine,
                   const ScheduleOptions& schedule, http::Metrics& metrics, http::Log& log)
    : registry_(std::move(registry)),
      engine_(engine),
      schedule_(schedule),
      metrics_(metrics),
      log_(log) {}

ModelSet::~ModelSet() = default;

void ModelSet::synchronize() {
  const std::lock_guard<std::mutex> lock(registry_mutex_);
  synchronize_locked();
}

void ModelSet::synchronize_if_changed() {
  const std::lock_guard<std::mutex> lock(registry_mutex_);
  retire();
  if (registry_->revision() != seen_revision_) synchronize_locked();
}

void ModelSet::with_registry(const std::function<void(Registry&)>& use) {
  const std::lock_guard<std::mutex> lock(registry_mutex_);
  use(*registry_);
  synchronize_locked();
}

void ModelSet::load(const std::string& model) {
  const std::lock_guard<std::mutex> lock(registry_mutex_);
  if (registry_->versions(model).empty()) throw HttpError(404, "there is no model " + model);
  unloaded_.erase(model);
  // What could not be loaded is tried again.
  synchronize_locked();
}

void ModelSet::unload(const std::string& model) {
  const std::lock_guard<std::mutex> lock(registry_mutex_);
  if (registry_->versions(model).empty()) throw HttpError(404, "there is no model " + model);
  unloaded_[model] = true;
  synchronize_locked();
}

void ModelSet::close() {
  const std::lock_guard<std::mutex> lock(registry_mutex_);
  States gone;
  {
    const std::unique_lock<std::shared_mutex> states_lock(states_mutex_);
    gone.swap(states_);
  }
  retired_.clear();
}

ModelMetrics& ModelSet::metrics_of(const VersionRecord& record) {
  auto& place = version_metrics_[{record.model, record.version}];
  if (!place) {
    place = std::make_unique<ModelMetrics>(metrics_, record.model, std::to_string(record.version));
  }
  return *place;
}

void ModelSet::load_version(VersionState& state) {
  const VersionRecord& record = state.record;
  try {
    registry_->check_file(record);
    auto loaded = std::make_shared<LoadedVersion>();
    loaded->record = record;
    loaded->model = ServedModel::load(registry_->path_of(record).string(), record.model,
                                      record.version, engine_);
    if (loaded->model->signature().to_text() != record.signature) {
      throw InputError("the file has another signature than the version was registered with");
    }
    loaded->metrics = &metrics_of(record);
    loaded->scheduler = std::make_unique<Scheduler>(loaded->model, schedule_, *loaded->metrics);
    state.loaded = std::move(loaded);
    state.problem.clear();
    log_.write(LogLevel::info, "loaded",
               {{"model", std::string_view(record.model)},
                {"version", record.version},
                {"algorithm", std::string_view(record.algorithm)},
                {"stage", to_string(record.stage)}});
  } catch (const Error& error) {
    state.problem = error.what();
    log_.write(LogLevel::error, "not loaded",
               {{"model", std::string_view(record.model)},
                {"version", record.version},
                {"error", std::string_view(state.problem)}});
  }
}

void ModelSet::synchronize_locked() {
  // Read first: a change that comes meanwhile is seen the next time.
  const std::int64_t revision = registry_->revision();
  const States before = snapshot();
  States now;
  for (const VersionRecord& record : registry_->versions()) {
    ModelState& model = now[record.model];
    VersionState& state = model.versions[record.version];
    state.record = record;
    const bool left_out = unloaded_.count(record.model) > 0;
    if (left_out) {
      state.problem = "unloaded";
      continue;
    }
    if (record.stage == Stage::archived) {
      state.problem = "archived";
      continue;
    }
    const auto known = before.find(record.model);
    if (known != before.end()) {
      const auto same = known->second.versions.find(record.version);
      if (same != known->second.versions.end() && same->second.loaded) {
        state.loaded = same->second.loaded;
      } else if (const auto& active = known->second.production;
                 active && active->record.version == record.version) {
        state.loaded = active;
      }
    }
    if (!state.loaded) load_version(state);
    if (record.stage == Stage::canary) model.canary = state.loaded;
    if (record.stage == Stage::production) {
      if (state.loaded) {
        model.production = state.loaded;
      } else {
        model.problem = "version " + std::to_string(record.version) +
                        " is to be in production: " + state.problem;
      }
    }
  }
  for (auto& [name, model] : now) {
    const auto known = before.find(name);
    const auto active = known == before.end() ? nullptr : known->second.production;
    // Better the version before than none.
    if (!model.production && !model.problem.empty()) model.production = active;
    const std::int64_t from = active ? active->record.version : 0;
    const std::int64_t to = model.production ? model.production->record.version : 0;
    if (from != to) {
      log_.write(LogLevel::info, "in production",
                 {{"model", std::string_view(name)}, {"version", to}, {"before", from}});
    }
    metrics_
        .gauge("tandem_production_version", "The version that answers; 0 for none",
               {{"model", name}})
        .set(static_cast<double>(to));
  }
  {
    const std::unique_lock<std::shared_mutex> lock(states_mutex_);
    states_.swap(now);
  }
  for (auto& [name, model] : now) {
    for (auto& [number, state] : model.versions) {
      if (state.loaded) retired_.push_back(std::move(state.loaded));
    }
    if (model.production) retired_.push_back(std::move(model.production));
    if (model.canary) retired_.push_back(std::move(model.canary));
  }
  seen_revision_ = revision;
}

void ModelSet::retire() {
  // Those that are still in use are held by states_ or by a request too.
  std::sort(retired_.begin(), retired_.end());
  retired_.erase(std::unique(retired_.begin(), retired_.end()), retired_.end());
  std::erase_if(retired_, [](const auto& version) { return version.use_count() == 1; });
}

std::shared_ptr<const LoadedVersion> ModelSet::find(std::string_view model,
                                                    std::string_view version) const {
  const std::shared_lock<std::shared_mutex> lock(states_mutex_);
  const auto found = states_.find(model);
  if (found == states_.end()) {
    throw HttpError(404, "there is no model " + std::string(model));
  }
  if (version.empty()) {
    if (found->second.production) return found->second.production;
    throw HttpError(found->second.problem.empty() ? 404 : 503,
                    "no version of model " + std::string(model) + " answers" +
                        (found->second.problem.empty() ? "" : ": " + found->second.problem));
  }
  std::int64_t number = 0;
  if (!read_number(version, number)) {
    throw HttpError(404, "expected the number of a version of model " + std::string(model));
  }
  const auto state = found->second.versions.find(number);
  const std::string called =
      "version " + std::to_string(number) + " of model " + std::string(model);
  if (state == found->second.versions.end()) throw HttpError(404, "there is no " + called);
  if (state->second.loaded) return state->second.loaded;
  const bool put_away = state->second.problem == "archived" || state->second.problem == "unloaded";
  throw HttpError(put_away ? 404 : 503, called + " does not answer: " + state->second.problem);
}

std::shared_ptr<const LoadedVersion> ModelSet::canary(std::string_view model) const {
  const std::shared_lock<std::shared_mutex> lock(states_mutex_);
  const auto found = states_.find(model);
  if (found == states_.end()) return nullptr;
  const auto& [versions, production, canary, problem] = found->second;
  return canary && production && canary->record.signature == production->record.signature ? canary
                                                                                          : nullptr;
}

std::map<std::string, ModelState, std::less<>> ModelSet::snapshot() const {
  const std::shared_lock<std::shared_mutex> lock(states_mutex_);
  return states_;
}

bool ModelSet::all_ready() const {
  const std::shared_lock<std::shared_mutex> lock(states_mutex_);
  return std::all_of(states_.begin(), states_.end(), [](const auto& entry) {
    const bool wants = std::any_of(entry.second.versions.begin(), entry.second.versions.end(),
                                   [](const auto& version) {
                                     return version.second.record.stage == Stage::production &&
                                            version.second.problem != "unloaded";
                                   });
    return !wants || (entry.second.production && entry.second.problem.empty());
  });
}

}  // namespace tandem::serving

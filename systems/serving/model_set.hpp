// The models of a repository that are loaded, and which version of each answers.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "systems/http/log.hpp"
#include "systems/http/metrics.hpp"
#include "systems/serving/registry.hpp"
#include "systems/serving/scheduler.hpp"

namespace tandem::serving {

// A version that answers.
struct LoadedVersion {
  VersionRecord record;
  std::shared_ptr<const ServedModel> model;
  std::unique_ptr<Scheduler> scheduler;
  ModelMetrics* metrics = nullptr;
};

// A version as the protocol's index tells of it.
struct VersionState {
  VersionRecord record;
  std::shared_ptr<const LoadedVersion> loaded;  // null where it is not
  std::string problem;                          // why not
};

struct ModelState {
  std::map<std::int64_t, VersionState> versions;
  std::shared_ptr<const LoadedVersion> production;  // answers who names no version
  std::shared_ptr<const LoadedVersion> canary;      // null where there is none that is loaded
  // Why the version that the registry names is not `production`; empty where it is.
  std::string problem;
};

// Several threads may use one at once.
class ModelSet {
 public:
  ModelSet(std::unique_ptr<Registry> registry, const EngineOptions& engine,
           const ScheduleOptions& schedule, http::Metrics& metrics, http::Log& log);
  ~ModelSet();

  // Loads what the registry says should be loaded and is not, and lets go of the rest: candidates,
  // canaries and production versions are loaded. A production version that cannot be loaded, or is
  // not what was registered, leaves the one before it in its place. Nothing waits for it: requests
  // go on with what was there, and each version finishes what it was given.
  void synchronize();
  // The same where the registry has changed since then.
  void synchronize_if_changed();

  // The version of that number, or for an empty text the one in production. Throws HttpError with
  // 404 where there is none, and with 503 where it could not be loaded.
  [[nodiscard]] std::shared_ptr<const LoadedVersion> find(std::string_view model,
                                                          std::string_view version) const;
  // The canary of a model that can stand in for the version in production; null where there is
  // none.
  [[nodiscard]] std::shared_ptr<const LoadedVersion> canary(std::string_view model) const;
  [[nodiscard]] std::map<std::string, ModelState, std::less<>> snapshot() const;
  // Whether every model has a version in production that is loaded as the registry says.
  [[nodiscard]] bool all_ready() const;

  // The protocol's load and unload: an unloaded model is not answered until it is loaded again, by
  // this program only. Throw HttpError with 404 where the registry has no such model.
  void load(const std::string& model);
  void unload(const std::string& model);

  // Lets go of all models, which answer what they were given before: for the end of a program, when
  // nothing is asked any more.
  void close();

  // Calls `use` with the registry, alone, and synchronises after it.
  void with_registry(const std::function<void(Registry&)>& use);

 private:
  using States = std::map<std::string, ModelState, std::less<>>;

  void synchronize_locked();
  void load_version(VersionState& state);
  ModelMetrics& metrics_of(const VersionRecord& record);
  void retire();

  std::unique_ptr<Registry> registry_;
  EngineOptions engine_;
  ScheduleOptions schedule_;
  http::Metrics& metrics_;
  http::Log& log_;

  std::mutex registry_mutex_;  // also of what follows, but for states_
  std::int64_t seen_revision_ = -1;
  std::map<std::string, bool> unloaded_;
  std::map<std::pair<std::string, std::int64_t>, std::unique_ptr<ModelMetrics>> version_metrics_;
  // Replaced versions, until nobody uses them: their threads end with them.
  std::vector<std::shared_ptr<const LoadedVersion>> retired_;

  mutable std::shared_mutex states_mutex_;
  States states_;
};

}  // namespace tandem::serving

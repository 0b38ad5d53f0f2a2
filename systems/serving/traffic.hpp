// Which version answers a request: the one that it names, the arm of an experiment, the canary, or
// the version in production.
#pragma once

#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>

#include "systems/serving/live_experiments.hpp"
#include "systems/serving/model_set.hpp"
#include "systems/serving/serve_settings.hpp"

namespace tandem::serving {

// What has to be known of a request from its parsing to its answer.
struct Choice {
  std::shared_ptr<const LoadedVersion> version;
  std::optional<Placement> placement;  // in an experiment
  bool canary = false;
  bool production = false;  // by default: neither named nor of an experiment

  // Of an experiment, or "canary"; empty for all else.
  [[nodiscard]] std::string_view arm() const;
  [[nodiscard]] AnswerNotes notes(std::string_view id) const;
};

// Several threads may use one at once.
class Traffic {
 public:
  Traffic(const ModelSet& models, LiveExperiments* experiments, ServeSettings settings);

  // In this order: a version that the request names; the arm of the oldest experiment on the model
  // that who asks takes part in; the canary, for its share of the units, which stay with it, and of
  // requests without a unit, which are drawn; the version in production. Where the version of an
  // arm or the canary is not loaded, production answers. Throws HttpError as ModelSet::find() does.
  [[nodiscard]] Choice choose(std::string_view model, std::string_view version,
                              const Asker& asker) const;
  void apply(ServeSettings settings);

 private:
  [[nodiscard]] bool for_canary(std::string_view model, std::int64_t version,
                                const Asker& asker) const;

  const ModelSet& models_;
  LiveExperiments* experiments_;
  mutable std::shared_mutex mutex_;
  ServeSettings settings_;
};

}  // namespace tandem::serving

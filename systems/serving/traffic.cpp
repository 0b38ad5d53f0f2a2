#include "systems/serving/traffic.hpp"

#include <random>

namespace tandem::serving {

std::string_view Choice::arm() const {
  if (placement) return placement->chosen().name;
  return canary ? "canary" : "";
}

AnswerNotes Choice::notes(std::string_view id) const {
  AnswerNotes notes;
  notes.id = id;
  if (placement) {
    notes.experiment = placement->experiment->definition.name;
    notes.arm = placement->chosen().name;
    notes.forced = placement->forced;
  }
  return notes;
}

Traffic::Traffic(const ModelSet& models, LiveExperiments* experiments, ServeSettings settings)
    : models_(models), experiments_(experiments), settings_(std::move(settings)) {}

void Traffic::apply(ServeSettings settings) {
  const std::unique_lock lock(mutex_);
  settings_ = std::move(settings);
}

bool Traffic::for_canary(std::string_view model, std::int64_t version, const Asker& asker) const {
  double share = 0;
  {
    const std::shared_lock lock(mutex_);
    share = settings_.canary_share_of(model);
  }
  if (share <= 0) return false;
  if (asker.unit.empty()) {
    thread_local std::mt19937 generator{std::random_device{}()};
    return std::uniform_real_distribution<double>(0, 1)(generator) < share;
  }
  // Of each version others are the first to try it, and a share that grows moves nobody back.
  const std::string seed = "canary " + std::string(model) + " " + std::to_string(version);
  return experiments::hash_unit(seed, asker.unit, experiments::HashVersion::v2) < share;
}

Choice Traffic::choose(std::string_view model, std::string_view version, const Asker& asker) const {
  Choice choice;
  if (!version.empty()) {
    choice.version = models_.find(model, version);
    return choice;
  }
  if (experiments_ != nullptr) {
    if (auto placement = experiments_->place(model, asker)) {
      const std::string& named = placement->chosen().version;
      try {
        choice.version = models_.find(model, named);
        choice.placement = std::move(placement);
        return choice;
      } catch (const http::HttpError&) {
        // An arm of production itself: there is nothing else that could answer.
        if (named.empty()) throw;
        placement->metrics().fallbacks->add();
      }
    }
  }
  if (auto canary = models_.canary(model);
      canary && for_canary(model, canary->record.version, asker)) {
    choice.version = std::move(canary);
    choice.canary = true;
    return choice;
  }
  choice.version = models_.find(model, {});
  choice.production = true;
  return choice;
}

}  // namespace tandem::serving

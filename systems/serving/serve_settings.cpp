#include "systems/serving/serve_settings.hpp"

#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem::serving {
namespace {

using nlohmann::json;

[[noreturn]] void fail(const std::string& member, const std::string& what) {
  throw InputError(member + ": " + what);
}

double number(const json& value, const std::string& member, double lowest, double highest) {
  if (!value.is_number()) fail(member, "expected a number");
  const auto found = value.get<double>();
  if (!(found >= lowest && found <= highest)) {
    fail(member, shortest(found) + " is not from " + shortest(lowest) + " to " + shortest(highest));
  }
  return found;
}

std::int64_t whole(const json& value, const std::string& member, double lowest, double highest) {
  const double found = number(value, member, lowest, highest);
  if (found != std::floor(found)) fail(member, "expected a whole number");
  return static_cast<std::int64_t>(found);
}

std::string text(const json& value, const std::string& member) {
  if (!value.is_string()) fail(member, "expected a text");
  return value.get<std::string>();
}

using Take = std::function<void(const json& value, const std::string& member)>;

// Hands each member to whom it belongs; throws for what is unknown.
void members(const json& object, const std::string& place,
             const std::map<std::string, Take>& known) {
  if (!object.is_object()) fail(place.empty() ? "the settings" : place, "expected an object");
  for (const auto& [name, value] : object.items()) {
    const std::string member = place.empty() ? name : place + "." + name;
    const auto found = known.find(name);
    if (found == known.end()) {
      std::string all;
      for (const auto& [one, take] : known) all += (all.empty() ? "" : ", ") + one;
      fail(member, "is not known; expected " + all);
    }
    found->second(value, member);
  }
}

}  // namespace

double ServeSettings::canary_share_of(std::string_view model) const {
  const auto found = models.find(model);
  return found == models.end() ? canary_share : found->second.canary_share.value_or(canary_share);
}

double ServeSettings::shadow_share_of(std::string_view model) const {
  const auto found = models.find(model);
  return found == models.end() ? shadow_share : found->second.shadow_share.value_or(shadow_share);
}

ServeSettings read_settings(const json& object, const ServeSettings& base) {
  ServeSettings settings = base;
  const auto real = [](auto& place, double lowest, double highest) -> Take {
    return [&place, lowest, highest](const json& value, const std::string& member) {
      place = number(value, member, lowest, highest);
    };
  };
  const auto integer = [](auto& place, double lowest, double highest) -> Take {
    return [&place, lowest, highest](const json& value, const std::string& member) {
      place = whole(value, member, lowest, highest);
    };
  };
  const Take models = [&](const json& value, const std::string& member) {
    if (!value.is_object()) fail(member, "expected an object of models");
    for (const auto& [name, of_model] : value.items()) {
      ModelSettings& one = settings.models[name];
      members(of_model, member + "." + name,
              {{"canary_share", real(one.canary_share, 0, 1)},
               {"shadow_share", real(one.shadow_share, 0, 1)},
               {"shadow_version", integer(one.shadow_version, 1, 1e15)}});
    }
  };
  const Take drift = [&](const json& value, const std::string& member) {
    members(value, member,
            {{"rows", integer(settings.drift.rows, 0, 1e9)},
             {"seconds",
              [&](const json& seconds, const std::string& name) {
                settings.drift.longest = std::chrono::seconds(whole(seconds, name, 1, 1e8));
              }},
             {"level", real(settings.drift.level, 1e-9, 0.5)}});
  };
  const Take log = [&](const json& value, const std::string& member) {
    members(value, member,
            {{"folder", [&](const json& folder,
                            const std::string& name) { settings.log.folder = text(folder, name); }},
             {"share", real(settings.log.sample, 0, 1)},
             {"leave_out",
              [&](const json& list, const std::string& name) {
                if (!list.is_array()) fail(name, "expected a list of columns");
                settings.log.leave_out.clear();
                for (const json& one : list) settings.log.leave_out.push_back(text(one, name));
              }},
             {"rotate_bytes", integer(settings.log.rotate_bytes, 1024, 1e15)},
             {"rotate_seconds", integer(settings.log.rotate_seconds, 1, 1e9)}});
  };
  members(object, "",
          {{"canary_share", real(settings.canary_share, 0, 1)},
           {"shadow_share", real(settings.shadow_share, 0, 1)},
           {"models", models},
           {"drift", drift},
           {"prediction_log", log}});
  return settings;
}

ServeSettings read_settings_file(const std::string& path, const ServeSettings& base) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError(path + ": cannot be read");
  json object;
  try {
    object = json::parse(file);
  } catch (const json::exception& error) {
    throw InputError(path + ": is no JSON: " + error.what());
  }
  try {
    return read_settings(object, base);
  } catch (const InputError& error) {
    throw InputError(path + ": " + error.marked());
  }
}

}  // namespace tandem::serving

// What a server does beside answering, as options and a file say it; SIGHUP reads the file anew.
#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "systems/serving/watch/monitor.hpp"
#include "systems/serving/watch/prediction_log.hpp"

namespace tandem::serving {

struct ModelSettings {
  std::optional<double> canary_share;
  std::optional<double> shadow_share;
  std::optional<std::int64_t> shadow_version;  // nothing: the newest candidate
};

struct ServeSettings {
  // The share of the requests that name no version and are in no experiment that the canary of the
  // model answers, and that of those that the shadow is asked too.
  double canary_share = 0;
  double shadow_share = 0;
  std::map<std::string, ModelSettings, std::less<>> models;  // where they differ
  watch::WindowOptions drift;
  watch::PredictionLogOptions log;  // without a folder: none

  [[nodiscard]] double canary_share_of(std::string_view model) const;
  [[nodiscard]] double shadow_share_of(std::string_view model) const;
};

// A JSON object with any of canary_share, shadow_share, models, drift {rows, seconds, level} and
// prediction_log {folder, share, leave_out, rotate_bytes, rotate_seconds}; what it does not name is
// as in `base`. Throws InputError that names the member.
[[nodiscard]] ServeSettings read_settings(const nlohmann::json& json, const ServeSettings& base);
// The same of a file, which messages name.
[[nodiscard]] ServeSettings read_settings_file(const std::string& path, const ServeSettings& base);

}  // namespace tandem::serving

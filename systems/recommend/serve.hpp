// The recommendation program: what `tandem recommend serve` runs.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "systems/http/service.hpp"
#include "systems/recommend/kafka_events.hpp"
#include "systems/recommend/service.hpp"

namespace tandem::recommend {

struct ServeOptions : http::ProgramOptions {
  ServiceOptions service;
  int threads = 1;           // that work out answers
  std::size_t queue = 1000;  // questions that may wait for them
  std::optional<KafkaEventPlaces> kafka;
};

// Serves until SIGTERM or SIGINT. `ready` is told "http://..." once questions are answered. Returns
// the exit status: 0 where everything under way was answered.
[[nodiscard]] int serve(const ServeOptions& options,
                        const std::function<void(const std::string& url)>& ready);

}  // namespace tandem::recommend

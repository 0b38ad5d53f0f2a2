// The program that decides transactions: what `tandem fraud serve` runs.
#pragma once

#include <functional>
#include <string>

#include "systems/fraud/service/service.hpp"
#include "systems/http/service.hpp"

namespace tandem::fraud {

struct ServeOptions : http::ProgramOptions {
  ServiceOptions service;
};

// Serves until SIGTERM or SIGINT. `ready` is told "http://..." once requests are answered. Returns
// the exit status: 0 where everything under way was answered.
[[nodiscard]] int serve(const ServeOptions& options,
                        const std::function<void(const std::string& url)>& ready);

}  // namespace tandem::fraud

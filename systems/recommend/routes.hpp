// The addresses of the service, and the threads that answer them.
#pragma once

#include "systems/http/background.hpp"
#include "systems/http/router.hpp"
#include "systems/recommend/service.hpp"
#include "systems/recommend/workers.hpp"

namespace tandem::recommend {

inline constexpr std::size_t most_recommendations = 200;  // of one answer

// Which question a request asks. Throws HttpError with 400 that names the parameter.
[[nodiscard]] Question question_of(const http::Request& request, Time now);

// All of them outlive the router.
void add_routes(http::Router& router, Service& service, Workers& workers,
                http::Background& background, http::Metrics& metrics);

}  // namespace tandem::recommend

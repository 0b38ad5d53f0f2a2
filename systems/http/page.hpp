// What every service has beside its own routes: a page for people, and figures for Prometheus.
#pragma once

#include <string_view>

#include "systems/http/metrics.hpp"
#include "systems/http/router.hpp"

namespace tandem::http {

// A page at "/", with /page/page.css and /page/page.js. It is for everybody, since it says nothing
// itself: what it asks the service for needs a token where there are any. Browsers are told to take
// scripts and styles from the service alone. The texts outlive the router.
void add_page(Router& router, std::string_view html, std::string_view css, std::string_view js);

// GET /metrics in Prometheus' text format. `metrics` outlives the router.
void add_metrics(Router& router, Metrics& metrics);

}  // namespace tandem::http

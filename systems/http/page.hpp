// What every service has beside its own routes: a page for people, and figures for Prometheus.
#pragma once

#include <string_view>

#include "systems/http/metrics.hpp"
#include "systems/http/router.hpp"

namespace tandem::http {

// The texts of a page, which the build puts into the program (cmake/TandemPage.cmake).
struct PageFiles {
  std::string_view html;
  std::string_view css;
  std::string_view js;
};

// A page at "/", with /page/page.css and /page/page.js, and what all pages share beside it
// (systems/http/page/): /page/base.css and /page/base.js. It is for everybody, since it says
// nothing itself: what it asks the service for needs a token where there are any. Browsers are told
// to take scripts and styles from the service alone. The texts outlive the router.
void add_page(Router& router, const PageFiles& files);

// GET /metrics in Prometheus' text format. `metrics` outlives the router.
void add_metrics(Router& router, Metrics& metrics);

}  // namespace tandem::http

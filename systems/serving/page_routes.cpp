#include "systems/http/page.hpp"
#include "systems/serving/page.hpp"
#include "systems/serving/routes.hpp"

namespace tandem::serving {

void add_page_routes(http::Router& router, ServingContext& context) {
  http::add_metrics(router, context.metrics);
  http::add_page(router, page_html, page_css, page_js);
}

}  // namespace tandem::serving

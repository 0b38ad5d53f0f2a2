#include "systems/http/page.hpp"
#include "systems/serving/routes.hpp"

namespace tandem::serving {

extern const http::PageFiles page_files;

void add_page_routes(http::Router& router, ServingContext& context) {
  http::add_metrics(router, context.metrics);
  http::add_page(router, page_files);
}

}  // namespace tandem::serving

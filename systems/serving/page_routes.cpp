#include "systems/serving/page.hpp"
#include "systems/serving/routes.hpp"

namespace tandem::serving {

using http::ExchangePtr;
using http::Role;

void add_page_routes(http::Router& router, ServingContext& context) {
  router.add("GET", "/metrics", Role::predict, [&context](const ExchangePtr& exchange) {
    http::Response response;
    response.content_type = std::string(http::Metrics::content_type);
    response.body = context.metrics.text();
    exchange->send(std::move(response));
  });
  // The page itself says nothing; what it asks for needs a token where there are any.
  const auto add = [&](const std::string& path, std::string_view content, const char* type) {
    router.add("GET", path, Role::none, [content, type](const ExchangePtr& exchange) {
      http::Response response;
      response.content_type = type;
      response.headers = {{"Content-Security-Policy",
                           "default-src 'none'; script-src 'self'; style-src 'self'; connect-src "
                           "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
                          {"X-Content-Type-Options", "nosniff"},
                          {"Cache-Control", "no-cache"}};
      response.body = std::string(content);
      exchange->send(std::move(response));
    });
  };
  add("/", page_html, "text/html; charset=utf-8");
  add("/page/page.css", page_css, "text/css; charset=utf-8");
  add("/page/page.js", page_js, "text/javascript; charset=utf-8");
}

}  // namespace tandem::serving

#include "systems/http/page.hpp"

#include <string>
#include <utility>

namespace tandem::http {

extern const PageFiles page_files;  // what all pages share

namespace {

void add_file(Router& router, const std::string& path, std::string_view content, const char* type) {
  router.add("GET", path, Role::none, [content, type](const ExchangePtr& exchange) {
    Response response;
    response.content_type = type;
    response.headers = {{"Content-Security-Policy",
                         "default-src 'none'; script-src 'self'; style-src 'self'; connect-src "
                         "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
                        {"X-Content-Type-Options", "nosniff"},
                        {"Cache-Control", "no-cache"}};
    response.body = std::string(content);
    exchange->send(std::move(response));
  });
}

}  // namespace

void add_page(Router& router, const PageFiles& files) {
  const char* css = "text/css; charset=utf-8";
  const char* js = "text/javascript; charset=utf-8";
  add_file(router, "/", files.html, "text/html; charset=utf-8");
  add_file(router, "/page/page.css", files.css, css);
  add_file(router, "/page/page.js", files.js, js);
  add_file(router, "/page/base.css", page_files.css, css);
  add_file(router, "/page/base.js", page_files.js, js);
}

void add_metrics(Router& router, Metrics& metrics) {
  router.add("GET", "/metrics", Role::predict, [&metrics](const ExchangePtr& exchange) {
    Response response;
    response.content_type = std::string(Metrics::content_type);
    response.body = metrics.text();
    exchange->send(std::move(response));
  });
}

}  // namespace tandem::http

#include "systems/http/router.hpp"

#include <set>

namespace tandem::http {
namespace {

bool matches(const Route& route, const Request& request) {
  if (route.segments.size() != request.segments.size()) return false;
  for (std::size_t i = 0; i < route.segments.size(); ++i) {
    if (!route.segments[i].starts_with('{') && route.segments[i] != request.segments[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

void Router::add(const std::string& method, const std::string& pattern, Role role,
                 Handler handler) {
  Request parsed;
  if (!split_target(pattern, parsed)) throw std::logic_error("bad pattern " + pattern);
  routes_.push_back({method, pattern, std::move(parsed.segments), role, std::move(handler)});
}

const Route& Router::find(Request& request) const {
  std::set<std::string> methods;
  for (const Route& route : routes_) {
    if (!matches(route, request)) continue;
    // RFC 9110: HEAD is GET without the body, which the server leaves out.
    if (route.method != request.method && !(route.method == "GET" && request.method == "HEAD")) {
      methods.insert(route.method);
      continue;
    }
    for (std::size_t i = 0; i < route.segments.size(); ++i) {
      const std::string& segment = route.segments[i];
      if (!segment.starts_with('{')) continue;
      request.parameters.emplace_back(segment.substr(1, segment.size() - 2), request.segments[i]);
    }
    return route;
  }
  if (methods.empty()) throw HttpError(404, "there is nothing at this path");
  std::string allowed;
  for (const std::string& method : methods) allowed += (allowed.empty() ? "" : ", ") + method;
  throw HttpError(405, "expected the method " + allowed + " at this path");
}

}  // namespace tandem::http

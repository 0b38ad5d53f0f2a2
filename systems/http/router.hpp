// Which handler a request belongs to.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "systems/http/message.hpp"
#include "systems/http/metrics.hpp"
#include "systems/http/tokens.hpp"

namespace tandem::http {

// Called on the thread of the connection, which serves others too: a handler that computes or waits
// hands the exchange to somebody else and returns. What it throws becomes the answer.
using Handler = std::function<void(const ExchangePtr&)>;

struct Route {
  std::string method;
  std::string pattern;  // "/v2/models/{model}/infer"
  std::vector<std::string> segments;
  Role role = Role::predict;
  Handler handler;
};

class Router {
 public:
  // In a pattern a segment in braces matches any one segment and names it. Of two patterns that
  // match, the one that was added first is taken.
  void add(const std::string& method, const std::string& pattern, Role role, Handler handler);

  // The route of a request, with its parameters put into it. Throws HttpError: 404 where no pattern
  // matches, 405 where one matches with another method.
  [[nodiscard]] const Route& find(Request& request) const;
  [[nodiscard]] const std::vector<Route>& routes() const noexcept { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace tandem::http

#include "systems/recommend/routes.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "systems/http/json.hpp"
#include "systems/http/page.hpp"
#include "systems/recommend/record.hpp"

namespace tandem::recommend {

extern const http::PageFiles page_files;

namespace {

using http::ExchangePtr;
using http::HttpError;
using http::Response;
using http::Role;

Time wall_clock() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Response json_text_response(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

std::int64_t whole(const http::Request& request, std::string_view name, std::int64_t otherwise,
                   std::int64_t lowest, std::int64_t highest) {
  const std::string_view text = request.query_value(name);
  if (text.empty()) return otherwise;
  std::int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || value < lowest ||
      value > highest) {
    throw HttpError(400, "'" + std::string(name) + "' is '" + std::string(text) +
                             "'; expected a whole number from " + std::to_string(lowest) + " to " +
                             std::to_string(highest));
  }
  return value;
}

void check_user(std::string_view user) {
  if (user.empty()) throw HttpError(400, "'user' is missing: /v1/recommendations?user=ID&n=10");
  if (user.size() > longest_name) {
    throw HttpError(400, "'user' is longer than " + std::to_string(longest_name) + " bytes");
  }
  for (const char c : user) {
    if (static_cast<unsigned char>(c) < 0x20) {
      throw HttpError(400, "'user' has a control character");
    }
  }
}

// Takes part in the moving average and in the histogram of answers.
class Measured {
 public:
  Measured(Service& service, http::Metrics& metrics)
      : service_(service),
        seconds_(metrics.histogram("tandem_recommend_answer_seconds",
                                   "Time from a question's first byte to its answer",
                                   http::latency_bounds())),
        failed_(metrics.counter("tandem_recommend_failed_total",
                                "Questions that were answered by an error")) {}
  void answered(http::Clock::time_point arrived) {
    const double seconds = std::chrono::duration<double>(http::Clock::now() - arrived).count();
    seconds_.observe(seconds);
    service_.monitor().add(seconds * 1000);
  }
  void failed() {
    failed_.add();
    service_.monitor().add_error();
  }

 private:
  Service& service_;
  http::Histogram& seconds_;
  http::Counter& failed_;
};

}  // namespace

Question question_of(const http::Request& request, Time now) {
  for (const auto& parameter : request.query) {
    const std::string& name = parameter.first;
    if (name != "user" && name != "n" && name != "genre" && name != "age") {
      throw HttpError(400, "unknown parameter '" + name + "'; expected user, n, genre, age");
    }
    const auto times = std::count_if(request.query.begin(), request.query.end(),
                                     [&](const auto& one) { return one.first == name; });
    if (times > 1) throw HttpError(400, "'" + name + "' is given more than once");
  }
  Question question;
  check_user(request.query_value("user"));
  question.user = std::string(request.query_value("user"));
  question.n = static_cast<std::size_t>(
      whole(request, "n", 10, 1, static_cast<std::int64_t>(most_recommendations)));
  question.genre = std::string(request.query_value("genre"));
  if (question.genre.size() > longest_name) throw HttpError(400, "'genre' is too long");
  if (!request.query_value("age").empty()) question.age = whole(request, "age", 0, 0, 150);
  question.now = now;
  question.asked = request.arrived;
  return question;
}

void add_routes(http::Router& router, Service& service, Workers& workers,
                http::Background& background, http::Metrics& metrics) {
  const auto measured = std::make_shared<Measured>(service, metrics);
  router.add(
      "GET", "/v1/recommendations", Role::predict, [&, measured](const ExchangePtr& exchange) {
        const Question question = question_of(exchange->request, wall_clock());
        workers.give(exchange, [&service, measured, exchange, question] {
          try {
            service.answer(question, [measured, exchange](const AnswerCache::Text& text) {
              if (text) {
                exchange->send(json_text_response(*text));
                measured->answered(exchange->request.arrived);
              } else {
                measured->failed();
                exchange->send(http::error_response(500, "the answer could not be worked out"));
              }
            });
          } catch (...) {
            measured->failed();
            throw;
          }
        });
      });

  http::Counter& accepted =
      metrics.counter("tandem_recommend_events_total", "Events that were acknowledged");
  router.add("POST", "/v1/events", Role::predict, [&](const ExchangePtr& exchange) {
    for (const auto& [name, value] : exchange->request.query) {
      if (name != "user") throw HttpError(400, "unknown parameter '" + name + "'; expected user");
      check_user(value);
    }
    if (exchange->request.query.size() > 1) {
      throw HttpError(400, "'user' is given more than once");
    }
    workers.give(exchange, [&service, &accepted, exchange] {
      std::vector<Event> events =
          parse_events(exchange->request.body, wall_clock(), exchange->request.query_value("user"));
      const std::size_t count = events.size();
      service.take(std::move(events), [exchange, count, &accepted](std::int64_t applied) {
        if (applied < 0) {
          exchange->send(http::error_response(
              503, "the log of events has failed; whether these were kept is not known"));
          return;
        }
        accepted.add(count);
        exchange->send(http::json_response(
            {{"accepted", count}, {"known_already", static_cast<std::int64_t>(count) - applied}}));
      });
    });
  });

  router.add("DELETE", "/v1/users/{user}", Role::admin, [&](const ExchangePtr& exchange) {
    const std::string user(exchange->request.parameter("user"));
    check_user(user);
    workers.give(exchange, [&service, exchange, user] {
      service.forget(user, [exchange, user](bool kept, bool told) {
        if (!kept) {
          exchange->send(http::error_response(503, "the log of events has failed"));
          return;
        }
        if (!told) {
          exchange->send(http::error_response(
              503,
              "the viewer is forgotten here, and Redis did not say that other replicas are "
              "told; ask again",
              1));
          return;
        }
        exchange->send(http::json_response({{"forgotten", user}}));
      });
    });
  });

  const auto in_background = [&](const char* path, Role role,
                                 std::function<std::string(const http::Request&)> work) {
    router.add("GET", path, role, [&background, work](const ExchangePtr& exchange) {
      background.answer(exchange,
                        [exchange, work] { return json_text_response(work(exchange->request)); });
    });
  };
  in_background("/v1/status", Role::predict,
                [&](const http::Request&) { return service.status_json(); });
  in_background("/v1/experiment", Role::predict,
                [&](const http::Request&) { return service.experiment_json(); });
  in_background("/v1/users/{user}", Role::predict, [&](const http::Request& request) {
    check_user(request.parameter("user"));
    const std::string user(request.parameter("user"));
    (void)service.look_elsewhere(user);
    return service.viewer_json(user);
  });
  in_background("/v1/items", Role::predict, [&](const http::Request& request) {
    return service.items_json(request.query_value("search"),
                              static_cast<std::size_t>(whole(request, "n", 20, 1, 200)));
  });
  router.add("GET", "/v2/health/ready", Role::none, [&service](const ExchangePtr& exchange) {
    const std::string why = service.not_ready();
    if (why.empty()) {
      exchange->send(http::json_response({{"ready", true}}));
    } else {
      exchange->send(http::json_response({{"ready", false}, {"why", why}}, 503));
    }
  });
  router.add("GET", "/v2/health/live", Role::none, [](const ExchangePtr& exchange) {
    exchange->send(http::json_response({{"live", true}}));
  });
  http::add_metrics(router, metrics);
  http::add_page(router, page_files);
}

}  // namespace tandem::recommend

// Tokens, traces, metrics, routes and JSON: what needs no socket.
#include "systems/http/tokens.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "systems/http/json.hpp"
#include "systems/http/metrics.hpp"
#include "systems/http/router.hpp"
#include "systems/http/trace.hpp"

namespace tandem::http {
namespace {

using ::testing::HasSubstr;

const std::string file =
    "# who may ask\npredict 0123456789abcdef shop\n\nadmin  fedcba9876543210\r\n";

std::string error_of(const std::string& text) {
  try {
    (void)Tokens::parse(text, "tokens");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(Tokens, AreFoundByTheirHeader) {
  const Tokens tokens = Tokens::parse(file, "tokens");
  EXPECT_FALSE(tokens.open());
  ASSERT_NE(tokens.find("Bearer 0123456789abcdef"), nullptr);
  EXPECT_EQ(tokens.find("Bearer 0123456789abcdef")->role, Role::predict);
  EXPECT_EQ(tokens.find("Bearer 0123456789abcdef")->holder, "shop");
  EXPECT_EQ(tokens.find("bearer  fedcba9876543210")->role, Role::admin);
  for (const char* other :
       {"", "Bearer", "Bearer ", "Bearer 0123456789abcdeg", "Bearer 0123456789abcde",
        "Bearer 0123456789abcdef0", "Basic 0123456789abcdef", "0123456789abcdef",
        "Bearer 0123456789abcdef0123456789abcdef"}) {
    EXPECT_EQ(tokens.find(other), nullptr) << other;
  }
  EXPECT_TRUE(Tokens().open());
}

TEST(Tokens, FilesAreChecked) {
  EXPECT_THAT(error_of("root 0123456789abcdef\n"), HasSubstr("tokens, line 1: expected predict"));
  EXPECT_THAT(error_of("\npredict short\n"), HasSubstr("line 2: a token has 16"));
  EXPECT_THAT(error_of("predict 0123456789abcd\"f\n"), HasSubstr("letters, digits"));
  EXPECT_THAT(error_of("predict\n"), HasSubstr("expected a role, a token"));
  EXPECT_THAT(error_of("predict 0123456789abcdef\nadmin 0123456789abcdef\n"),
              HasSubstr("line 2: the same token as line 1"));
  EXPECT_THAT(error_of("# nothing\n"), HasSubstr("holds no token"));
  const std::string path =
      (std::filesystem::path(::testing::TempDir()) / "tandem-tokens-test").string();
  std::ofstream(path) << file;
  ::chmod(path.c_str(), 0644);
  EXPECT_THROW((void)Tokens::read(path), InputError);
  ::chmod(path.c_str(), 0600);
  EXPECT_FALSE(Tokens::read(path).open());
  std::filesystem::remove(path);
}

TEST(Trace, ContextIsReadAsTheSpecificationSays) {
  TraceContext context;
  const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  ASSERT_TRUE(parse_traceparent(good, context));
  EXPECT_EQ(context.traceparent(), good);
  EXPECT_EQ(context.trace_text(), "4bf92f3577b34da6a3ce929d0e0e4736");
  const TraceContext next = continue_trace(good);
  EXPECT_TRUE(next.given);
  EXPECT_EQ(next.trace_text(), context.trace_text());
  EXPECT_NE(next.span_text(), context.span_text());
  // A later version may have more behind.
  EXPECT_TRUE(parse_traceparent("cc" + good.substr(2) + "-what", context));
  for (const std::string& bad :
       {std::string(), good.substr(1), good + "0", "ff" + good.substr(2), "0g" + good.substr(2),
        std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
        std::string("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
        std::string("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"),
        std::string("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}) {
    EXPECT_FALSE(parse_traceparent(bad, context)) << bad;
  }
  EXPECT_FALSE(continue_trace("nonsense").given);
}

TEST(Metrics, AreWrittenForPrometheus) {
  Metrics metrics;
  metrics.counter("a_total", "Things", {{"kind", "x\"y\n"}}).add(3);
  metrics.gauge("b", "A \\ level").set(0.5);
  Histogram& times = metrics.histogram("c_seconds", "Times", {0.1, 1}, {{"route", "/"}});
  times.observe(0.1);
  times.observe(0.5);
  times.observe(7);
  int asked = 0;
  metrics.before_reading([&asked] { ++asked; });
  EXPECT_EQ(metrics.text(),
            "# HELP a_total Things\n# TYPE a_total counter\na_total{kind=\"x\\\"y\\n\"} 3\n"
            "# HELP b A \\\\ level\n# TYPE b gauge\nb 0.5\n"
            "# HELP c_seconds Times\n# TYPE c_seconds histogram\n"
            "c_seconds_bucket{route=\"/\",le=\"0.1\"} 1\nc_seconds_bucket{route=\"/\",le=\"1\"} 2\n"
            "c_seconds_bucket{route=\"/\",le=\"+Inf\"} 3\nc_seconds_sum{route=\"/\"} 7.6\n"
            "c_seconds_count{route=\"/\"} 3\n");
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(&metrics.counter("a_total", "Things", {{"kind", "x\"y\n"}}),
            &metrics.counter("a_total", "Things", {{"kind", "x\"y\n"}}));
  EXPECT_THROW((void)metrics.gauge("a_total", "Things"), std::logic_error);
  EXPECT_DOUBLE_EQ(times.quantile(0.5), 0.1 + 0.9 * 0.5);
}

TEST(Router, FindsPathsAndSaysWhatIsWrong) {
  Router router;
  router.add("GET", "/v2/models/stats", Role::none, [](const ExchangePtr&) {});
  router.add("GET", "/v2/models/{model}", Role::predict, [](const ExchangePtr&) {});
  router.add("POST", "/v2/models/{model}/infer", Role::admin, [](const ExchangePtr&) {});
  const auto find = [&](const std::string& method, const std::string& target) {
    Request request;
    request.method = method;
    EXPECT_TRUE(split_target(target, request));
    try {
      const Route& route = router.find(request);
      return route.pattern + " " + std::string(request.parameter("model"));
    } catch (const HttpError& error) {
      return std::to_string(error.status);
    }
  };
  EXPECT_EQ(find("GET", "/v2/models/stats"), "/v2/models/stats ");
  EXPECT_EQ(find("GET", "/v2/models/iris"), "/v2/models/{model} iris");
  EXPECT_EQ(find("HEAD", "/v2/models/iris"), "/v2/models/{model} iris");
  EXPECT_EQ(find("POST", "/v2/models/a%2Fb/infer"), "/v2/models/{model}/infer a/b");
  EXPECT_EQ(find("DELETE", "/v2/models/iris"), "405");
  EXPECT_EQ(find("GET", "/v2/models"), "404");
  EXPECT_EQ(find("GET", "/"), "404");
}

TEST(Json, ObjectsAreCheckedBeforeUse) {
  EXPECT_EQ(parse_object("")["x"], nullptr);
  EXPECT_EQ(parse_object(R"({"a": [1, {"b": 2}]})")["a"][1]["b"], 2);
  for (const std::string bad : {"[1]", "{", R"({"a": 1, "a": 2})", "nul"}) {
    EXPECT_THROW((void)parse_object(bad), HttpError) << bad;
  }
  std::string deep = "{\"a\":";
  for (int i = 0; i < 40; ++i) deep += "[";
  for (int i = 0; i < 40; ++i) deep += "]";
  EXPECT_THROW((void)parse_object(deep + "}"), HttpError);
}

}  // namespace
}  // namespace tandem::http

#include "metrics/on_engine_cases.hpp"

namespace tandem {
namespace {

TEST(MetricsOnEngine, AreThoseOfTheHost) {
  test::expect_metrics_of_the_host(*Engine::create({.device = Device::cpu, .threads = 2}));
}

TEST(MetricsOnEngine, ErrorsAreThoseOfTheHost) { test::expect_metric_errors(*Engine::create()); }

}  // namespace
}  // namespace tandem

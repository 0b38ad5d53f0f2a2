#include "metrics/on_engine_cases.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

TEST(MetricsOnEngineCuda, AreThoseOfTheHost) {
  for (const int threads : {64, 256}) {
    test::expect_metrics_of_the_host(*test::cuda_engine({.block_threads = threads}));
  }
}

TEST(MetricsOnEngineCuda, ErrorsAreThoseOfTheHost) {
  test::expect_metric_errors(*test::cuda_engine());
}

}  // namespace
}  // namespace tandem

#include "nn/mlp_sums.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

TEST(MlpSumsCuda, AreTrees) {
  for (const int threads : {64, 256}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    const auto engine = test::cuda_engine({.block_threads = threads});
    test::expect_bias_sums<float>(*engine);
    test::expect_bias_sums<double>(*engine);
    test::expect_batch_sums<float>(*engine);
    test::expect_batch_sums<double>(*engine);
  }
}

TEST(MlpOrdersCuda, AreTheHosts) { test::expect_orders<float>(*test::cuda_engine({})); }

}  // namespace
}  // namespace tandem

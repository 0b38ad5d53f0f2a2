#include "preprocess/scaler_cases.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

TEST(ScalerCuda, GivesThePreprocessorsBits) {
  for (const int threads : {64, 256}) {
    const auto engine = test::cuda_engine({.block_threads = threads});
    test::expect_scaling_of_the_host<float>(*engine);
    test::expect_scaling_of_the_host<double>(*engine);
  }
}

TEST(ScalerCuda, ErrorsNameTheColumn) { test::expect_scaling_errors(*test::cuda_engine()); }

}  // namespace
}  // namespace tandem

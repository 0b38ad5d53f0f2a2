#include "preprocess/scaler_cases.hpp"

namespace tandem {
namespace {

TEST(Scaler, GivesThePreprocessorsBits) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 2});
  test::expect_scaling_of_the_host<float>(*engine);
  test::expect_scaling_of_the_host<double>(*engine);
}

TEST(Scaler, ErrorsNameTheColumn) { test::expect_scaling_errors(*Engine::create()); }

}  // namespace
}  // namespace tandem

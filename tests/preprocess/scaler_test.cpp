#include "preprocess/scaler_cases.hpp"

namespace tandem {
namespace {

TEST(Scaler, GivesThePreprocessorsBits) {
  for (const Device device : {Device::cpu, Device::reference}) {
    const auto engine = Engine::create({.device = device, .threads = 2});
    test::expect_scaling_of_the_host<float>(*engine);
    test::expect_scaling_of_the_host<double>(*engine);
  }
}

TEST(Scaler, ErrorsNameTheColumn) { test::expect_scaling_errors(*Engine::create()); }

}  // namespace
}  // namespace tandem

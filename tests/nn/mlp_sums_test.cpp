#include "nn/mlp_sums.hpp"

namespace tandem {
namespace {

TEST(MlpSums, OfTheCpuAreTrees) {
  for (const int threads : {1, 3}) {
    const auto engine = Engine::create({.device = Device::cpu, .threads = threads});
    test::expect_bias_sums<float>(*engine);
    test::expect_bias_sums<double>(*engine);
    test::expect_batch_sums<float>(*engine);
    test::expect_batch_sums<double>(*engine);
  }
}

TEST(MlpOrders, OfHostEngines) {
  for (const Device device : {Device::cpu, Device::reference}) {
    const auto engine = Engine::create({.device = device, .threads = 2});
    test::expect_orders<float>(*engine);
  }
}

}  // namespace
}  // namespace tandem

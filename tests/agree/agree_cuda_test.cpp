// The agreement of all engines: reference, cpu with 1, 2 and 7 threads, and the CUDA half with its
// device models, schedules and block sizes.
#include <gmock/gmock.h>

#include "support/agree.hpp"

namespace tandem {
namespace {

class AgreementOnCuda : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, AgreementOnCuda, ::testing::ValuesIn(agreement_names()),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });
TEST_P(AgreementOnCuda, AllEngines) { test::expect_agreement(GetParam(), test::cuda_device()); }

TEST(LongAgreementOnCuda, ManySeeds) {
  for (const auto& name : agreement_names()) {
    test::expect_agreement(name, test::cuda_device(), 300);
  }
}

TEST(AgreementEngines, AreThreeModelsOfTheSoftwareGpu) {
  if (test::cuda_device() != Device::softgpu) GTEST_SKIP() << "a real GPU";
  AgreementOptions options;
  options.algorithms = {"optimizer"};
  options.devices.push_back(Device::softgpu);
  options.cases = 1;
  options.all_configurations = true;
  RunControl control;
  const auto report = check_agreement(options, control);
  EXPECT_TRUE(report.software_gpu);
  ASSERT_EQ(report.engines.size(), 5U);
  EXPECT_THAT(report.engines[2], ::testing::HasSubstr("A100"));
  EXPECT_THAT(report.engines[3], ::testing::HasSubstr("4090"));
  EXPECT_THAT(report.engines[4], ::testing::HasSubstr("H100"));
  // 2 more numbers of threads, 3 models × 3 schedules × 2 block sizes.
  for (const auto& line : report.lines) EXPECT_EQ(line.elements % 20, 0);
}

}  // namespace
}  // namespace tandem

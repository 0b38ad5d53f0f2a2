#include "softgpu/device/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "softgpu/models.hpp"

namespace softgpu {
namespace {

Options read(const std::map<std::string, std::string>& variables) {
  return read_options([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

std::string refusal(const std::string& name, const std::string& value) {
  try {
    static_cast<void>(read({{name, value}}));
  } catch (const OptionError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Options, AreWhatTheyAreWhenNothingIsSet) {
  const Options options = read({});
  EXPECT_EQ(options.models, std::vector<std::string>{"a100"});
  EXPECT_EQ(options.devices, 1);
  EXPECT_EQ(options.threads, 0);
  EXPECT_EQ(options.simd, SimdChoice::automatic);
  EXPECT_EQ(options.seed, 0U);
  EXPECT_EQ(options.time_limit_seconds, 0);
  EXPECT_EQ(options.launch_wait_seconds, 0.5);
  EXPECT_FALSE(options.count);
  EXPECT_FALSE(options.poison);
  EXPECT_FALSE(options.stop_at_fault);
  EXPECT_EQ(options.fault_status, 0);
  EXPECT_TRUE(options.report.empty());
  EXPECT_EQ(read({{"SOFTGPU_MODEL", ""}}).models, std::vector<std::string>{"a100"});
}

TEST(Options, AreReadFromTheEnvironment) {
  const Options options = read({{"SOFTGPU_MODEL", "h100"},
                                {"SOFTGPU_DEVICES", "4"},
                                {"SOFTGPU_THREADS", "3"},
                                {"SOFTGPU_STOP_AT_FAULT", "1"},
                                {"SOFTGPU_FAULT_STATUS", "86"},
                                {"SOFTGPU_SIMD", "avx2"},
                                {"SOFTGPU_SEED", "18446744073709551615"},
                                {"SOFTGPU_JITTER", "9"},
                                {"SOFTGPU_TIME_LIMIT", "2.5"},
                                {"SOFTGPU_LAUNCH_WAIT", "0"},
                                {"SOFTGPU_COUNT", "1"},
                                {"SOFTGPU_REPORT", "report.json"}});
  EXPECT_EQ(options.models, std::vector<std::string>{"h100"});
  EXPECT_EQ(options.devices, 4);
  EXPECT_EQ(options.threads, 3);
  EXPECT_TRUE(options.stop_at_fault);
  EXPECT_EQ(options.fault_status, 86);
  EXPECT_EQ(options.simd, SimdChoice::avx2);
  EXPECT_EQ(options.seed, 18446744073709551615U);
  EXPECT_EQ(options.jitter, 9U);
  EXPECT_EQ(options.time_limit_seconds, 2.5);
  EXPECT_EQ(options.launch_wait_seconds, 0);
  EXPECT_TRUE(options.count);
  EXPECT_EQ(options.report, "report.json");
}

TEST(Options, AScheduleSeedPoisonsMemoryUnlessThatIsRefused) {
  EXPECT_TRUE(read({{"SOFTGPU_SEED", "1"}}).poison);
  EXPECT_FALSE(read({{"SOFTGPU_SEED", "0"}}).poison);
  EXPECT_TRUE(read({{"SOFTGPU_POISON", "1"}}).poison);
  EXPECT_FALSE(read({{"SOFTGPU_SEED", "1"}, {"SOFTGPU_POISON", "0"}}).poison);
}

TEST(Options, NoThreadsAreAll) { EXPECT_EQ(read({{"SOFTGPU_THREADS", "0"}}).threads, 0); }

TEST(Options, GroupsOfFindingsStandForTheirKinds) {
  const auto kinds = read({{"SOFTGPU_CHECK_ONLY", "races,leak,api"}}).check_only;
  EXPECT_THAT(kinds, ::testing::ElementsAre("race", "same-value-race", "leak", "unchecked-error",
                                            "launch-failure"));
  EXPECT_THAT(read({{"SOFTGPU_CHECK_ONLY", "memory"}}).check_only,
              ::testing::AllOf(::testing::Contains("uninitialised"),
                               ::testing::Not(::testing::Contains("race"))));
  EXPECT_THAT(refusal("SOFTGPU_CHECK_ONLY", "memories"), ::testing::HasSubstr("memory, races"));
}

TEST(Options, RefusalsNameTheVariableAndWhatIsAllowed) {
  EXPECT_EQ(refusal("SOFTGPU_MODEL", "v100"),
            "softgpu: SOFTGPU_MODEL=v100 is not understood; allowed: a100, rtx4090, h100, "
            "a6000, h200; "
            "or several, separated by commas");
  EXPECT_THAT(refusal("SOFTGPU_MODEL", "a100,"), testing::HasSubstr("SOFTGPU_MODEL=a100, is not"));
  EXPECT_THAT(refusal("SOFTGPU_MODEL", "h100,,a100"), testing::HasSubstr("is not understood"));
  EXPECT_THAT(refusal("SOFTGPU_DEVICES", "0"), testing::HasSubstr("1 to 64"));
  EXPECT_THAT(refusal("SOFTGPU_DEVICES", "2x"), testing::HasSubstr("SOFTGPU_DEVICES=2x"));
  EXPECT_THAT(refusal("SOFTGPU_THREADS", "-1"), testing::HasSubstr("1 to 1024"));
  EXPECT_THAT(refusal("SOFTGPU_SIMD", "sse"), testing::HasSubstr("avx512"));
  EXPECT_THAT(refusal("SOFTGPU_SEED", "18446744073709551616"), testing::HasSubstr("SEED"));
  EXPECT_THAT(refusal("SOFTGPU_TIME_LIMIT", "nan"), testing::HasSubstr("seconds"));
  EXPECT_THAT(refusal("SOFTGPU_LAUNCH_WAIT", "no"), testing::HasSubstr("seconds"));
  EXPECT_THAT(refusal("SOFTGPU_COUNT", "2"), testing::HasSubstr("0 or 1"));
  EXPECT_THAT(refusal("SOFTGPU_TIME_LIMIT", "-1"), testing::HasSubstr("seconds"));
}

TEST(Options, AListOfModelsIsAsManyDevicesUnlessTheirNumberIsSet) {
  const Options options = read({{"SOFTGPU_MODEL", "a100,rtx4090,h100"}});
  EXPECT_EQ(options.models, (std::vector<std::string>{"a100", "rtx4090", "h100"}));
  EXPECT_EQ(options.devices, 3);
  EXPECT_EQ(read({{"SOFTGPU_MODEL", "a100,h100"}, {"SOFTGPU_DEVICES", "5"}}).devices, 5);
  EXPECT_EQ(read({{"SOFTGPU_MODEL", "h100"}}).devices, 1);
}

TEST(DeviceModels, HaveTheLimitsOfTheirComputeCapability) {
  const DeviceModel* a100 = find_device_model("a100");
  const DeviceModel* rtx4090 = find_device_model("rtx4090");
  const DeviceModel* h100 = find_device_model("h100");
  ASSERT_TRUE(a100 != nullptr && rtx4090 != nullptr && h100 != nullptr);
  EXPECT_EQ(find_device_model("A100"), nullptr);
  EXPECT_EQ(a100->major * 10 + a100->minor, 80);
  EXPECT_EQ(rtx4090->major * 10 + rtx4090->minor, 89);
  EXPECT_EQ(h100->major * 10 + h100->minor, 90);
  EXPECT_EQ(a100->shared_per_block_optin, 163U * 1024);
  EXPECT_EQ(rtx4090->shared_per_block_optin, 99U * 1024);
  EXPECT_EQ(h100->shared_per_block_optin, 227U * 1024);
  EXPECT_EQ(rtx4090->max_threads_per_multiprocessor, 1536);
  EXPECT_TRUE(h100->clusters);
  EXPECT_FALSE(a100->clusters);
  const DeviceModel* a6000 = find_device_model("a6000");
  const DeviceModel* h200 = find_device_model("h200");
  ASSERT_TRUE(a6000 != nullptr && h200 != nullptr);
  EXPECT_EQ(a6000->major * 10 + a6000->minor, 86);
  EXPECT_EQ(a6000->max_blocks_per_multiprocessor, 16);
  EXPECT_EQ(h200->major * 10 + h200->minor, 90);
  EXPECT_TRUE(h200->clusters);
}

}  // namespace
}  // namespace softgpu

// tandem gpu run, and the models that tandem devices lists. What runs on the software GPU is tested
// in tests/softgpu.
#include <gmock/gmock.h>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;

class GpuRun : public Program {};

TEST_F(GpuRun, SetsTheProgramsEnvironmentUpAndBecomesIt) {
  const Outcome outcome =
      run({"gpu", "run", "--model", "h100", "--devices", "3", "--", "/bin/sh", "-c",
           "echo $SOFTGPU_MODEL; echo $SOFTGPU_DEVICES; echo ${LD_LIBRARY_PATH%%:*}; exit 7"});
  EXPECT_EQ(outcome.status, 7) << outcome.err;
  EXPECT_THAT(outcome.out, ::testing::StartsWith("h100\n3\n/"));
  const std::string folder = outcome.out.substr(7, outcome.out.size() - 8);
  EXPECT_TRUE(std::filesystem::exists(folder + "/libcudart.so.13")) << folder;
}

TEST_F(GpuRun, WhatIsNotAskedForStaysAsItWas) {
  ::setenv("SOFTGPU_MODEL", "rtx4090", 1);
  const Outcome outcome = run({"gpu", "run", "--", "/bin/sh", "-c", "echo $SOFTGPU_MODEL"});
  ::unsetenv("SOFTGPU_MODEL");
  EXPECT_EQ(outcome.out, "rtx4090\n") << outcome.err;
}

TEST_F(GpuRun, TheProgramsOwnOptionsAreNotOurs) {
  const Outcome outcome = run({"gpu", "run", "--", "/bin/echo", "--model", "--help", "--"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "--model --help --\n");
}

TEST_F(GpuRun, WrongUsageSaysWhatIsExpected) {
  Outcome outcome = run({"gpu", "run"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("expected a program after --"));
  outcome = run({"gpu", "walk", "--", "/bin/true"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("unknown action 'walk'"));
  outcome = run({"gpu", "run", "--model", "b100", "--", "/bin/true"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("rtx4090"));
  outcome = run({"gpu", "run", "--", path("missing")});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("missing"));
  outcome = run({"gpu", "run", "--", "no-such-program-anywhere"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("PATH"));
}

TEST_F(GpuRun, ARuntimeInsideTheProgramIsSeenBeforeItRuns) {
  const std::string program = path("inside");
  write_text(program, std::string("\x7f"
                                  "ELF and then .nv_fatbin"));
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  Outcome outcome = run({"gpu", "run", "--", program});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("-cudart shared"));
  write_text(program, std::string("\x7f"
                                  "ELF .nv_fatbin libcudart.so.12"));
  outcome = run({"gpu", "run", "--", program});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("nvcc 13"));
}

TEST_F(GpuRun, DevicesListsTheModelsAsSoftware) {
  const auto json = result({"devices"});
  ASSERT_EQ(json["software_gpus"].size(), 3U);
  for (const auto& model : json["software_gpus"]) EXPECT_EQ(model["software"], true);
  EXPECT_EQ(json["software_gpus"][0]["model"], "a100");
  EXPECT_EQ(json["software_gpus"][0]["compute_capability"], "8.0");
}

}  // namespace
}  // namespace tandem::test

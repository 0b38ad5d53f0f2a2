// tandem gpu profile and tandem gpu explain: what they take, refuse and pass on. What they count is
// tested in tests/softgpu, and on a CUDA program in tests/docs.
#include <gmock/gmock.h>

#include <filesystem>
#include <string>
#include <vector>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;

class GpuProfile : public Program {
 protected:
  // A profile of one kernel that reads `sectors` for 4 that would do.
  void write_profile(const std::string& name, int sectors) {
    const std::string access = R"x({"requests": 100000, "lanes": 3200000, "bytes": 12800000,
        "sectors": )x" + std::to_string(sectors * 100000) +
                               R"x(, "ideal_sectors": 400000, "l1_hits": 0, "l2_hits": 0})x";
    const std::string counters = R"x({"instructions": {"memory": 100000},
        "thread_instructions": {"memory": 3200000}, "lanes": 3200000, "global_load": )x" +
                                 access + "}";
    write_text(path(name), R"x({"profile": 1, "device": "a100", "program": "./p", "work": [],
        "work_dropped": 0, "kernels": [{"kernel": "_Z1kv", "name": "k()", "grid": [3456, 1, 1],
        "block": [256, 1, 1], "registers": 32, "launches": 1, "chain": 3456000,
        "longest_chain": 1000, "chain_waits": {"dram": 3456000}, "dram_read": )x" +
                               std::to_string(sectors * 3200000) + R"x(, "counters": )x" +
                               counters + R"x(, "lines": [{"file": "k.cu", "line": 3,
        "text": "x = a[i];", "counters": )x" +
                               counters + "}]}]}");
  }
};

TEST_F(GpuProfile, ExplainNamesTheRuleTheGainAndTheLine) {
  write_profile("a.json", 32);
  const Outcome outcome = run({"gpu", "explain", "--json", path("a.json")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto kernel = outcome.json()["kernels"][0];
  EXPECT_EQ(kernel["name"], "k()");
  ASSERT_FALSE(kernel["advice"].empty());
  EXPECT_EQ(kernel["advice"][0]["rule"], "uncoalesced");
  EXPECT_EQ(kernel["advice"][0]["line"], 3);
  EXPECT_GT(kernel["advice"][0]["at_most"], 2.0);
  EXPECT_EQ(outcome.json()["checked"], false);
  const Outcome text = run({"gpu", "explain", path("a.json")});
  EXPECT_THAT(text.out, HasSubstr("k.cu:3: x = a[i];"));
  EXPECT_THAT(text.out, HasSubstr("estimate"));
  EXPECT_THAT(text.out, HasSubstr("nothing was measured"));
}

TEST_F(GpuProfile, WhatTheCheckerFoundComesFirst) {
  write_profile("a.json", 4);
  write_text(path("found.json"), R"x({"errors": 1, "notices": 1, "findings": [
      {"kind": "race", "severity": "error", "message": "two writes", "kernel": "k()",
       "at": {"place": "k.cu:3"}},
      {"kind": "leak", "severity": "notice", "message": "kept", "kernel": ""}]})x");
  const Outcome outcome = run({"gpu", "explain", "--findings", path("found.json"), path("a.json")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("race: two writes, k.cu:3"));
  EXPECT_EQ(outcome.out.find("kept"), std::string::npos);
  EXPECT_LT(outcome.out.find("race"), outcome.out.find("bound by"));
}

TEST_F(GpuProfile, DiffShowsWhatChanged) {
  write_profile("a.json", 32);
  write_profile("b.json", 4);
  const Outcome outcome =
      run({"gpu", "profile", "--diff", "--json", path("a.json"), path("b.json")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto metrics = outcome.json()["differences"][0]["metrics"];
  const auto ratio =
      metrics["l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_ld.ratio"];
  EXPECT_EQ(ratio["before"], 32);
  EXPECT_EQ(ratio["after"], 4);
  EXPECT_FALSE(metrics.contains("launch__grid_size"));
  EXPECT_LT(metrics["estimated_seconds"]["after"], metrics["estimated_seconds"]["before"]);
}

TEST_F(GpuProfile, AProfileThatWasKeptIsShownAndDrawn) {
  write_profile("a.json", 32);
  Outcome outcome = run({"gpu", "profile", "--device", "a100", path("a.json")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("k.cu:3"));
  EXPECT_THAT(outcome.out, HasSubstr("nothing was measured"));
  outcome = run({"gpu", "profile", "--page", path("p.html"), path("a.json")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string page = read_text(path("p.html"));
  EXPECT_THAT(page, HasSubstr("x = a[i];"));
  EXPECT_EQ(page.find("http://"), std::string::npos) << "nothing is fetched";
  EXPECT_EQ(page.find("<script"), std::string::npos);
}

TEST_F(GpuProfile, WrongUsageSaysWhatIsExpected) {
  write_profile("a.json", 4);
  const auto refused = [&](const std::vector<std::string>& words, const std::string& why) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(why));
  };
  refused({"gpu", "profile"}, "expected a program");
  refused({"gpu", "explain"}, "expected a program");
  refused({"gpu", "profile", "--device", "b200", "--", "/bin/true"}, "rtx4090");
  refused({"gpu", "profile", "--model", "h100", "--", "/bin/true"}, "--device says");
  refused({"gpu", "run", "--page", path("p.html"), "--", "/bin/true"},
          "--page is for tandem gpu profile");
  refused({"gpu", "check", "--json", "--", "/bin/true"},
          "--json is for tandem gpu profile and explain");
  refused({"gpu", "explain", "--diff", path("a.json"), path("a.json")},
          "--diff is for tandem gpu profile");
  refused({"gpu", "profile", "--diff", path("a.json")}, "expected two profiles");
  refused({"gpu", "profile", "--diff", "--device", "h100", path("a.json"), path("a.json")},
          "--device is for making them");
  refused({"gpu", "profile", "--diff", path("a.json"), path("missing.json")}, "missing.json");
  refused({"gpu", "explain", "--device", "h100", path("a.json")}, "a profile of a100");
  refused({"gpu", "profile", "--launch", "2", path("a.json")}, "--launch");
  write_text(path("none.json"), "{}");
  refused({"gpu", "explain", path("none.json")}, "none.json");
  refused({"gpu", "explain", "--findings", path("none.json"), path("a.json")}, "none.json");
  refused({"gpu", "profile", path("missing.cu")}, "no such file");
  // A program that never touches CUDA has nothing to show.
  refused({"gpu", "profile", "--", "/bin/true"}, "left no profile");
  // What is not known to be a profile is not replaced.
  write_text(path("notes.json"), "mine\n");
  refused({"gpu", "profile", "--out", path("notes.json"), "--", "/bin/true"}, "--force");
  EXPECT_EQ(read_text(path("notes.json")), "mine\n");
}

TEST_F(GpuProfile, TheProgramIsToldWhatToProfile) {
  // It writes no profile, and so the command says so; what it was told it prints itself.
  const Outcome outcome =
      run({"gpu", "profile", "--device", "h100", "--kernel", "sum*", "--launch", "3", "--",
           "/bin/sh", "-c",
           "echo $SOFTGPU_MODEL $SOFTGPU_PROFILE_KERNEL $SOFTGPU_PROFILE_LAUNCH; "
           "test -n \"$SOFTGPU_PROFILE\" && echo named; exit 7"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.out, ::testing::StartsWith("h100 sum* 3\nnamed\n"));
  EXPECT_THAT(outcome.err, HasSubstr("ended with status 7"));
}

}  // namespace
}  // namespace tandem::test

// tandem challenge and tandem lesson: what they take, refuse, write and end with.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "app/program.hpp"
#include "course/confine.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* right =
    "//@ launch add grid=ceil(n/256) block=256\n"
    "extern \"C\" __global__ void add(const float* x, const float* y, float* z, int n) {\n"
    "  const int i = blockIdx.x * 256 + threadIdx.x;\n"
    "  if (i < n) z[i] = x[i] + y[i];\n}\n";

class ChallengeCommand : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    ::setenv("TANDEM_NVCC", TANDEM_NVCC, 1);
  }
  static bool can_grade() {
    return std::string(TANDEM_NVCC) != "" && course::available_confinement().files;
  }
};

TEST_F(ChallengeCommand, ListsShowsAndStarts) {
  EXPECT_THAT(run({"challenge", "list"}).out, HasSubstr("vector-add"));
  const Outcome shown = run({"challenge", "show", "split-search"});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("const float* gradient"));
  EXPECT_THAT(shown.out, HasSubstr("//@ launch search"));
  const std::string file = path("mine.cu");
  const Outcome started = run({"challenge", "start", "scan", "--out", file});
  EXPECT_EQ(started.status, 0) << started.err;
  EXPECT_THAT(read_text(file), HasSubstr("//@ launch scan"));
  // What somebody wrote is not replaced.
  write_text(file, "my work");
  const Outcome again = run({"challenge", "start", "scan", "--out", file});
  EXPECT_EQ(again.status, 2);
  EXPECT_EQ(read_text(file), "my work");
  EXPECT_EQ(run({"challenge", "start", "scan", "--out", file, "--force"}).status, 0);
}

TEST_F(ChallengeCommand, RefusesWhatItDoesNotTake) {
  const auto refused = [&](const std::vector<std::string>& words, const std::string& says) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 2) << outcome.out;
    EXPECT_THAT(outcome.err, HasSubstr(says));
    EXPECT_EQ(outcome.out, "");
  };
  refused({"challenge", "play"}, "list, show, start, submit or classroom");
  refused({"challenge", "show"}, "show NAME");
  refused({"challenge", "show", "nothing"}, "vector-add");
  refused({"challenge", "submit", "scan"}, "submit NAME FILE.cu");
  refused({"challenge", "submit", "scan", path("none.cu")}, "no such file");
  refused({"challenge", "list", "--seed", "3"}, "--seed is for");
  refused({"challenge", "submit", "scan", "a.cu", "--page", "p.html"}, "--page is for");
  refused({"challenge", "classroom", path("none")}, "no such folder");
  std::filesystem::create_directories(path("class/ada"));
  write_text(path("class/ada/unknown.cu"), "");
  if (can_grade()) refused({"challenge", "classroom", path("class")}, "has no submission");
  write_text(path("long.cu"), std::string(2 << 20, ' '));
  refused({"challenge", "submit", "scan", path("long.cu")}, "longer than 1 MiB");
  refused({"lesson", "nothing"}, "transpose");
  refused({"lesson", "scan", "transpose"}, "one lesson");
  refused({"lesson", "--page", path("p.html")}, "tandem lesson NAME");
  refused({"lesson", "scan", "--source", "--json"}, "runs nothing");
}

TEST_F(ChallengeCommand, GradesASubmission) {
  if (!can_grade()) GTEST_SKIP() << "needs nvcc 13 and Landlock";
  write_text(path("right.cu"), right);
  const Outcome passed =
      run({"challenge", "submit", "vector-add", path("right.cu"), "--seed", "9", "--json"});
  EXPECT_EQ(passed.status, 0) << passed.err;
  EXPECT_EQ(passed.json()["verdict"], "passed");
  EXPECT_EQ(passed.json()["seed"], 9);
  EXPECT_EQ(passed.json()["confined"]["files"], true);
  // A grade is the same each time.
  const Outcome again =
      run({"challenge", "submit", "vector-add", path("right.cu"), "--seed", "9", "--json"});
  EXPECT_EQ(again.json(), passed.json());
  std::string wrong = right;
  wrong.replace(wrong.find("i < n"), 5, "i <= n");
  write_text(path("wrong.cu"), wrong);
  const Outcome failed = run({"challenge", "submit", "vector-add", path("wrong.cu")});
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.out, HasSubstr("out-of-bounds"));
  EXPECT_THAT(failed.out, HasSubstr("wrong.cu:4"));
}

TEST_F(ChallengeCommand, GradesAClass) {
  if (!can_grade()) GTEST_SKIP() << "needs nvcc 13 and Landlock";
  std::filesystem::create_directories(path("class/ada"));
  std::filesystem::create_directories(path("class/<b>eve"));
  write_text(path("class/ada/vector-add.cu"), right);
  write_text(path("class/ada/vector_add.cu"), right);
  write_text(path("class/<b>eve/vector_add.cu"), "#include \"/etc/passwd\"\n" + std::string(right));
  write_text(path("class/<b>eve/notes.txt"), "not graded");
  write_text(path("class/loose.cu"), right);
  const Outcome outcome =
      run({"challenge", "classroom", path("class"), "--page", path("grades.html"), "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto room = outcome.json();
  ASSERT_EQ(room["students"].size(), 2U);
  EXPECT_EQ(room["students"][0]["name"], "<b>eve");
  EXPECT_EQ(room["students"][0]["grades"][0]["verdict"], "not-compiled");
  EXPECT_EQ(room["students"][1]["passed"], 1);
  EXPECT_EQ(room["students"][1]["grades"][0]["seed"], room["seed"]);
  EXPECT_EQ(room["left_out"].size(), 2U);
  const std::string page = read_text(path("grades.html"));
  EXPECT_THAT(page, HasSubstr("&lt;b&gt;eve"));
  EXPECT_THAT(page, Not(HasSubstr("<b>eve")));
  EXPECT_THAT(page, Not(HasSubstr("root:")));
}

TEST_F(ChallengeCommand, LessonsAreListedAndPrinted) {
  EXPECT_THAT(run({"lesson"}).out, HasSubstr("split-search"));
  EXPECT_EQ(run({"lesson", "--json"}).json()["lessons"].size(), 8U);
  EXPECT_THAT(run({"lesson", "transpose", "--source"}).out, HasSubstr("tile[32][33]"));
}

TEST_F(ChallengeCommand, ALessonIsRun) {
  if (!can_grade()) GTEST_SKIP() << "needs nvcc 13 and Landlock";
  const Outcome outcome =
      run({"lesson", "scan", "--no-sizes", "--page", path("scan.html"), "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.json()["rungs"].size(), 4U);
  EXPECT_THAT(read_text(path("scan.html")), HasSubstr("__shfl_up_sync"));
}

}  // namespace
}  // namespace tandem::test

// Every challenge against the kernels of <challenge>.cu beside this file: right ones pass, and
// wrong ones are rejected, for the reason that their section names.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "course/confine.hpp"
#include "course/grade.hpp"
#include "softgpu/models.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/core/text.hpp"

namespace tandem::course {
namespace {

constexpr std::uint64_t seed = 20260801;

std::string stem_of(std::string name) {
  std::ranges::replace(name, '-', '_');
  return name;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string path_of(const std::string& name) {
  return std::string(TANDEM_CHALLENGE_TESTS) + "/" + stem_of(name) + ".cu";
}

Machine machine() {
  Machine machine;
  machine.software_gpu = software_gpu::folder();
  machine.seconds = 10;
  return machine;
}

Compiler compiler() {
  Compiler made;
  made.nvcc = TANDEM_NVCC;
  return made;
}

bool can_compile() { return std::string(TANDEM_NVCC) != "" && available_confinement().files; }

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Challenge& challenge : challenges()) all.push_back(stem_of(challenge.name));
  return all;
}

class Challenges : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!can_compile()) GTEST_SKIP() << "needs nvcc 13 and Landlock";
  }
};

TEST_P(Challenges, RightKernelsPassAndWrongOnesDoNot) {
  std::string name = GetParam();
  std::ranges::replace(name, '_', '-');
  const Challenge& challenge = find_challenge(name);
  const std::string source = content_of(path_of(name));
  ASSERT_FALSE(source.empty()) << path_of(name);
  const Compiled compiled = compile_kernels(compiler(), source, stem_of(name) + ".cu");
  ASSERT_FALSE(compiled.ptx.empty()) << compiled.messages;
  int right = 0;
  int wrong = 0;
  for (const Section& section : read_sections(source, stem_of(name) + ".cu")) {
    if (section.name.empty()) continue;
    SCOPED_TRACE(section.name + ": " + section.text);
    Machine of_test = machine();
    const std::vector<std::string> expected = split(split(section.text, ' ').front(), '|');
    if (std::ranges::find(expected, "too-slow") != expected.end()) of_test.seconds = 2;
    const Grade grade = grade_program(
        challenge, {compiled.ptx, stem_of(name) + ".cu", section.launches}, seed, of_test);
    EXPECT_NE(std::ranges::find(expected, name_of(grade.verdict)), expected.end())
        << name_of(grade.verdict) << " at " << grade.at << ": " << grade.reason << " "
        << grade.place;
    if (grade.verdict == Verdict::passed) {
      ++right;
      EXPECT_EQ(grade.reason, "");
      EXPECT_GT(grade.score, 0);
      EXPECT_LE(grade.score, 100);
      EXPECT_GE(grade.cost.total, grade.floor) << "the floor is none";
      EXPECT_EQ(grade.estimates.size(), softgpu::device_models().size());
      std::printf("%-24s %-20s score %5.1f\n", name.c_str(), section.name.c_str(), grade.score);
    } else {
      ++wrong;
      EXPECT_NE(grade.reason, "");
      EXPECT_EQ(grade.score, 0);
    }
  }
  EXPECT_GE(right, 1);
  EXPECT_GE(wrong, 6);
}

INSTANTIATE_TEST_SUITE_P(All, Challenges, ::testing::ValuesIn(names()),
                         [](const auto& one) { return one.param; });

TEST(ChallengeList, HasAtLeastSixteenWithAllTheirTexts) {
  EXPECT_GE(challenges().size(), 16U);
  for (const Challenge& challenge : challenges()) {
    SCOPED_TRACE(challenge.name);
    EXPECT_FALSE(challenge.title.empty());
    EXPECT_FALSE(challenge.statement.empty());
    EXPECT_GE(challenge.level, 1);
    EXPECT_LE(challenge.level, 4);
    EXPECT_FALSE(content_of(path_of(challenge.name)).empty());
    const auto sections = read_sections(challenge.starter, challenge.name + ".cu");
    ASSERT_EQ(sections.size(), 1U);
    ASSERT_FALSE(sections.front().launches.empty());
    // The starter's launches make sense at all sizes that there are.
    std::vector<Sizes> all = challenge.awkward;
    all.insert(all.end(), {challenge.lowest, challenge.highest, challenge.scored});
    for (const Sizes& sizes : all) {
      for (const LaunchLine& line : sections.front().launches) {
        EXPECT_NO_THROW((void)launch_of(line, sizes, challenge.name)) << text_of(sizes);
      }
    }
  }
}

TEST(ChallengeList, CasesAreTheSameForOneSeedAndOthersForAnother) {
  for (const Challenge& challenge : challenges()) {
    SCOPED_TRACE(challenge.name);
    Draw one(7);
    Draw same(7);
    Draw other(8);
    const Sizes sizes = drawn_sizes(challenge, one);
    EXPECT_EQ(sizes, drawn_sizes(challenge, same));
    const Case a = challenge.make(challenge.highest, Numbers::real, one);
    const Case b = challenge.make(challenge.highest, Numbers::real, same);
    const Case c = challenge.make(challenge.highest, Numbers::real, other);
    bool differs = false;
    for (std::size_t i = 0; i < a.arguments.size(); ++i) {
      EXPECT_EQ(a.arguments[i].values, b.arguments[i].values);
      differs = differs || a.arguments[i].values != c.arguments[i].values;
    }
    EXPECT_TRUE(differs);
  }
}

// What a kernel could leave without computing anything.
TEST(ChallengeList, OutputsOfZerosNansAndPatternsAreWrong) {
  for (const Challenge& challenge : challenges()) {
    SCOPED_TRACE(challenge.name);
    Draw draw(3);
    const Case problem = challenge.make(challenge.highest, Numbers::whole, draw);
    for (const int word : {0, 0x7fffffff, -0x04040405}) {
      std::vector<Values> outputs;
      for (const Argument& argument : problem.arguments) {
        if (argument.role != Argument::Role::output) continue;
        Values values = argument.values;
        std::visit(
            [word](auto& all) {
              std::memset(all.data(), 0, all.size() * 4);
              for (auto& one : all) std::memcpy(&one, &word, 4);
            },
            values);
        outputs.push_back(std::move(values));
      }
      EXPECT_TRUE(wrong_with(challenge, problem, outputs).has_value()) << word;
    }
  }
}

}  // namespace
}  // namespace tandem::course

// Every lesson: its rungs are right, explain() leads from each to the next, each costs less than
// the one before, and the CPU's twins are right at awkward sizes.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>

#include "course/confine.hpp"
#include "course/lesson.hpp"
#include "course/submission.hpp"
#include "course/twins.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"

namespace tandem::course {
namespace {

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Lesson& lesson : lessons()) {
    all.push_back(lesson.name);
    std::ranges::replace(all.back(), '-', '_');
  }
  return all;
}

class Lessons : public ::testing::TestWithParam<std::string> {
 protected:
  static const Lesson& lesson() {
    std::string name = GetParam();
    std::ranges::replace(name, '_', '-');
    return find_lesson(name);
  }
};

TEST_P(Lessons, ExplainLeadsFromRungToRung) {
  if (std::string(TANDEM_NVCC).empty() || !available_confinement().files) {
    GTEST_SKIP() << "needs nvcc 13 and Landlock";
  }
  Compiler compiler;
  compiler.nvcc = TANDEM_NVCC;
  Machine machine;
  machine.software_gpu = software_gpu::folder();
  LessonOptions options;
  options.scales = false;
  const LessonResult result = run_lesson(lesson(), compiler, machine, options);
  ASSERT_GE(result.rungs.size(), 3U);
  for (std::size_t i = 0; i < result.rungs.size(); ++i) {
    const Rung& rung = result.rungs[i];
    SCOPED_TRACE(rung.name);
    EXPECT_FALSE(rung.idea.empty());
    // Few dozen lines.
    EXPECT_LE(std::ranges::count(rung.source, '\n'), 75);
    EXPECT_GT(rung.score, 0);
    EXPECT_LE(rung.score, 100);
    EXPECT_EQ(rung.next.empty(), i + 1 == result.rungs.size());
    if (rung.next.empty()) continue;
    ASSERT_FALSE(rung.steps.empty());
    EXPECT_EQ(rung.steps.front().rule, rung.next);
    EXPECT_GT(rung.steps.front().at_most, 1.02);
  }
  // The top of the ladder is what costs least, and what the estimate takes for fastest on every
  // device; but for the product, whose last kernel has blocks so large that a lesson's small
  // matrices do not fill a device with them.
  const double slower = lesson().name == "matrix-product" ? 1.25 : 1.01;
  const Rung& top = result.rungs.back();
  for (std::size_t i = 0; i + 1 < result.rungs.size(); ++i) {
    EXPECT_LT(top.cost.total, result.rungs[i].cost.total) << result.rungs[i].name;
    for (std::size_t d = 0; d < top.estimates.size(); ++d) {
      EXPECT_LE(top.estimates[d].seconds, slower * result.rungs[i].estimates[d].seconds)
          << result.rungs[i].name << " on " << top.estimates[d].device;
    }
  }
  ASSERT_EQ(result.measured.size(), all_twins.size());
  for (const Measured& one : result.measured) EXPECT_GT(one.seconds, 0) << name_of(one.twin);
}

TEST_P(Lessons, TwinsOfTheCpuAreRight) {
  const Challenge& challenge = find_challenge(lesson().name);
  Draw draw(11);
  std::vector<Sizes> all = challenge.awkward;
  all.push_back(challenge.highest);
  for (int i = 0; i < 3; ++i) all.push_back(drawn_sizes(challenge, draw));
  for (const Sizes& sizes : all) {
    for (const Numbers numbers : {Numbers::whole, Numbers::real}) {
      const Case problem = challenge.make(sizes, numbers, draw);
      for (const Twin twin : all_twins) {
        SCOPED_TRACE(std::string(name_of(twin)) + ", " + text_of(sizes));
        std::vector<Values> outputs;
        for (const Argument& argument : problem.arguments) {
          if (argument.role != Argument::Role::output) continue;
          Values values = argument.values;
          std::visit([](auto& list) { std::memset(list.data(), 0xfb, 4 * list.size()); }, values);
          outputs.push_back(std::move(values));
        }
        lesson().twin(twin, problem, outputs);
        EXPECT_EQ(wrong_with(challenge, problem, outputs).value_or(""), "");
      }
    }
  }
}

TEST_P(Lessons, SizesGrowAndLaunchesMakeSenseAtEach) {
  ASSERT_GE(lesson().sizes.size(), 4U);
  ASSERT_LT(lesson().shown, lesson().sizes.size());
  const auto volume = [](const Sizes& sizes) {
    return std::accumulate(sizes.begin(), sizes.end(), 1.0, [](double product, const auto& size) {
      return product * static_cast<double>(size.second);
    });
  };
  for (std::size_t i = 1; i < lesson().sizes.size(); ++i) {
    EXPECT_GT(volume(lesson().sizes[i]), volume(lesson().sizes[i - 1]));
  }
  for (const Section& section : read_sections(lesson().source, "lesson.cu")) {
    for (const Sizes& sizes : lesson().sizes) {
      for (const LaunchLine& line : section.launches) {
        EXPECT_NO_THROW((void)launch_of(line, sizes, "lesson.cu")) << text_of(sizes);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Lessons, ::testing::ValuesIn(names()),
                         [](const auto& one) { return one.param; });

TEST(LessonList, HasTheEightLadders) {
  const std::vector<std::string> all = names();
  for (const char* name : {"matrix_product", "reduction", "scan", "transpose", "histogram",
                           "softmax", "kmeans_assignment", "split_search"}) {
    EXPECT_NE(std::ranges::find(all, name), all.end()) << name;
  }
  EXPECT_THROW((void)find_lesson("nothing"), InputError);
}

TEST(OnAllCores, CoversEachElementOnce) {
  for (const std::size_t count : {0, 1, 7, 64, 1000, 100003}) {
    for (const std::size_t grain : {1, 8, 1 << 14}) {
      std::vector<std::atomic<int>> seen(count);
      on_all_cores(count, grain, [&](std::size_t begin, std::size_t end) {
        EXPECT_EQ(begin % grain, 0U);
        for (std::size_t i = begin; i < end; ++i) ++seen[i];
      });
      EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& one) { return one == 1; }));
    }
  }
}

}  // namespace
}  // namespace tandem::course

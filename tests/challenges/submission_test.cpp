// Launch lines, expressions of sizes, and what passes between the grader and the program that runs
// kernels.
#include <gmock/gmock.h>

#include "course/exchange.hpp"
#include "course/expression.hpp"
#include "course/submission.hpp"
#include "tandem/core/error.hpp"

namespace tandem::course {
namespace {

using ::testing::HasSubstr;
using ::testing::Property;
using ::testing::Throws;

const Sizes sizes{{"n", 1000}, {"k", 3}};

TEST(Expression, IsWorkedOut) {
  EXPECT_EQ(value_of("7", sizes), 7);
  EXPECT_EQ(value_of(" n / 256 ", sizes), 3);
  EXPECT_EQ(value_of("ceil(n/256)", sizes), 4);
  EXPECT_EQ(value_of("ceil(n/250)", sizes), 4);
  EXPECT_EQ(value_of("ceil(n/3/2)", sizes), 167);
  EXPECT_EQ(value_of("ceil((n+24)/256)", sizes), 4);
  EXPECT_EQ(value_of("ceil(n*k/256)", sizes), 12);
  EXPECT_EQ(value_of("2+3*4", sizes), 14);
  EXPECT_EQ(value_of("(2+3)*4 - 1", sizes), 19);
  EXPECT_EQ(value_of("min(n, 64) + max(k, 1)", sizes), 67);
  EXPECT_EQ(value_of("4*(k*8+128)", sizes), 608);
  EXPECT_EQ(value_of("k - n", sizes), -997);
}

TEST(Expression, IsRefusedWhereItIsNone) {
  for (const char* text : {"",
                           "n +",
                           "m",
                           "n n",
                           "ceil(n)",
                           "ceil(n/0)",
                           "n/0",
                           "n/(k-3)",
                           "(k-n)/2",
                           "(n",
                           "n)",
                           "min(n)",
                           "1e3",
                           "9223372036854775807+1",
                           "9223372036854775807*2",
                           "99999999999999999999",
                           "-1",
                           "n % 2",
                           "ceil(9223372036854775807/9223372036854775807/9223372036854775807)",
                           "0-9223372036854775807-2"}) {
    EXPECT_THROW((void)value_of(text, sizes), ExpressionError) << text;
  }
  EXPECT_THROW((void)value_of(std::string(100000, '('), sizes), ExpressionError);
}

TEST(Sections, LaunchLinesAreRead) {
  const auto sections = read_sections(
      "// head\n//@ launch a grid=ceil(n/16),ceil(k/16) block=16,16 shared=4*k\n"
      "  //@ launch b block=32 grid=1\ncode\n",
      "s.cu");
  ASSERT_EQ(sections.size(), 1U);
  ASSERT_EQ(sections[0].launches.size(), 2U);
  const Launch a = launch_of(sections[0].launches[0], sizes, "s.cu");
  EXPECT_EQ(a.kernel, "a");
  EXPECT_EQ(a.grid, (std::array<std::uint32_t, 3>{63, 1, 1}));
  EXPECT_EQ(a.block, (std::array<std::uint32_t, 3>{16, 16, 1}));
  EXPECT_EQ(a.shared, 12U);
  EXPECT_EQ(sections[0].launches[1].line, 3);
  EXPECT_THAT(sections[0].source, HasSubstr("code\n"));
}

TEST(Sections, KernelsHaveTheirOwn) {
  const auto sections = read_sections(
      "first\n//@ kernel one passed and more\n//@ launch a grid=1 block=1\nx\n"
      "//@ kernel two -\n",
      "s.cu");
  ASSERT_EQ(sections.size(), 3U);
  EXPECT_EQ(sections[1].name, "one");
  EXPECT_EQ(sections[1].text, "passed and more");
  EXPECT_EQ(sections[1].launches.size(), 1U);
  EXPECT_EQ(sections[2].name, "two");
  EXPECT_TRUE(sections[2].launches.empty());
}

TEST(Sections, MistakesNameTheLine) {
  for (const char* line :
       {"//@ lunch a grid=1 block=1", "//@ launch", "//@ launch a", "//@ launch a grid=1",
        "//@ launch a block=1", "//@ launch a grid=1,1,1,1 block=1", "//@ launch a grod=1 block=1",
        "//@ launch 9a grid=1 block=1", "//@ kernel", "//@ launch a b grid=1 block=1"}) {
    EXPECT_THAT([&] { (void)read_sections(std::string("x\n") + line + "\n", "s.cu"); },
                Throws<InputError>(Property(&InputError::what, HasSubstr("s.cu:2: "))))
        << line;
  }
  EXPECT_THROW((void)read_sections(std::string("a\0b", 3), "s.cu"), InputError);
  EXPECT_THROW((void)read_sections(std::string(2 << 20, ' '), "s.cu"), InputError);
}

TEST(Sections, LaunchesHaveTheirLimits) {
  for (const char* line :
       {"grid=0 block=1", "grid=1 block=0", "grid=1 block=1025", "grid=1 block=64,64",
        "grid=k-n block=1", "grid=1,70000 block=1", "grid=1 block=1 shared=200000",
        "grid=1 block=1,1,65", "grid=1000000 block=1024", "grid=m block=1", "grid= block=1"}) {
    const auto sections = read_sections(std::string("//@ launch a ") + line + "\n", "s.cu");
    EXPECT_THROW((void)launch_of(sections[0].launches[0], sizes, "s.cu"), InputError) << line;
  }
}

Request a_request() {
  Request request;
  request.ptx = ".version 8.0";
  request.guard = 64;
  request.prefills = 1;
  request.cases.resize(2);
  request.cases[0].arguments.push_back({Passed::input, 4, "abcd"});
  request.cases[0].arguments.push_back({Passed::output, 8, {}});
  request.cases[1].launches.push_back({"k", {1, 2, 3}, {4, 5, 6}, 7});
  return request;
}

TEST(Exchange, ComesBackAsItWas) {
  const std::string bytes = to_bytes(a_request());
  EXPECT_EQ(to_bytes(request_from(bytes)), bytes);
  EXPECT_EQ(request_from(bytes).cases[1].launches[0].block[2], 6U);
  Answer answer;
  answer.error = "none";
  answer.cases.push_back({"", "8 bytes", "x", {"abc", ""}});
  EXPECT_EQ(to_bytes(answer_from(to_bytes(answer))), to_bytes(answer));
}

TEST(Exchange, CutShortOrChangedItIsRefused) {
  const std::string bytes = to_bytes(a_request());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THROW((void)request_from(bytes.substr(0, length)), ExchangeError) << length;
  }
  EXPECT_THROW((void)request_from(bytes + "x"), ExchangeError);
  Answer answer;
  answer.cases.push_back({"", "", "", {"abc"}});
  const std::string whole = to_bytes(answer);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THROW((void)answer_from(whole.substr(0, length)), ExchangeError) << length;
  }
  std::string many = whole;
  many[12] = many[13] = many[14] = '\x7f';  // the number of cases
  EXPECT_THROW((void)answer_from(many), ExchangeError);
  EXPECT_THROW((void)answer_from(bytes), ExchangeError);
}

}  // namespace
}  // namespace tandem::course

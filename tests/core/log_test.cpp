// Messages go where a program wants them.
#include "tandem/core/log.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

TEST(Log, ASinkTakesThePlaceOfStandardError) {
  std::vector<std::pair<log::Level, std::string>> seen;
  log::set_sink(
      [&](log::Level level, std::string_view message) { seen.emplace_back(level, message); });
  const log::Level before = log::level();
  log::set_level(log::Level::warning);
  ::testing::internal::CaptureStderr();
  log::info("too quiet");
  log::warning("choose " + option("max_depth"));
  log::error("bad");
  log::set_sink({});
  const std::string nothing = ::testing::internal::GetCapturedStderr();
  log::set_level(before);
  EXPECT_EQ(nothing, "");
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0], (std::pair{log::Level::warning, std::string("choose max_depth")}));
  EXPECT_EQ(seen[1], (std::pair{log::Level::error, std::string("bad")}));
}

}  // namespace
}  // namespace tandem

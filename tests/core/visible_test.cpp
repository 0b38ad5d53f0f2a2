#include "tandem/core/visible.hpp"

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(Visible, ControlCharactersAreWrittenOut) {
  EXPECT_EQ(visible("\x1b[31mRED\x1b[0m"), "\\x1b[31mRED\\x1b[0m");
  EXPECT_EQ(visible("\x1b]0;title\a"), "\\x1b]0;title\\x07");
  EXPECT_EQ(visible("a\rb\bc\x7f"), "a\\x0db\\x08c\\x7f");
  EXPECT_EQ(visible("a\nb\tc"), "a\nb\tc");
  EXPECT_EQ(visible("a\nb\tc", ""), "a\\x0ab\\x09c");
  EXPECT_EQ(visible(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(Visible, C1ControlsAndDirectionsAreWrittenOut) {
  EXPECT_EQ(visible("\xc2\x9b"
                    "31m"),
            "\\u009b31m");
  EXPECT_EQ(visible("\xc2\x85"), "\\u0085");
  EXPECT_EQ(visible("user\u202Etxt.exe"), "user\\u202etxt.exe");
  EXPECT_EQ(visible("\u2066x\u2069\u200f"), "\\u2066x\\u2069\\u200f");
  EXPECT_EQ(visible("\u2028"), "\\u2028");
}

TEST(Visible, OtherTextStays) {
  for (const char* text : {"plain", "na\u00efve \u00a0 \u4e2d\u6587 \U0001F333", "<b>&\"'\\", ""}) {
    EXPECT_EQ(visible(text), text);
  }
}

TEST(Visible, BytesThatAreNotUtf8AreWrittenOut) {
  EXPECT_EQ(visible("caf\xe9"), "caf\\xe9");
  EXPECT_EQ(visible("\x9b"
                    "31m"),
            "\\x9b31m");
  EXPECT_EQ(visible("\xc3"), "\\xc3");
  EXPECT_EQ(visible("\xc0\x9b"), "\\xc0\\x9b");           // longer than need be
  EXPECT_EQ(visible("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(visible("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(visible("\xe2\x80"), "\\xe2\\x80");
}

}  // namespace
}  // namespace tandem

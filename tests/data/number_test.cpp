// Numbers in text: the nearest float or double, always. strtof and strtod of the C library are the
// independent judges; they are correctly rounded in glibc.
#include "core/data/number.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/random.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"
#include "tandem/core/math.hpp"

namespace tandem {
namespace {

// What a field's number is read by where it is long enough or short enough; whatever stands behind
// the field must not matter.
template <class Numbers, Real T>
bool read_in_field(const std::string& text, const std::string& behind, T& value) {
  const std::string field = text + behind + std::string(32, '\0');
  const char* const end = Numbers::parse(field.data(), value);
  return end == field.data() + text.size();
}

#if defined(__x86_64__)
void expect_nearest_by_vector(const std::string& text) {
  if (cpu::simd_name() == "baseline") return;
  double wide = -7;
  float narrow = -7;
  for (const char* const behind : {",", "\n", "\r\n", ",9999999999999999999", "\t-1.5", ";.5"}) {
    if (read_in_field<NumberByVector>(text, behind, wide)) {
      EXPECT_EQ(test::bits_of(wide), test::bits_of(std::strtod(text.c_str(), nullptr))) << text;
    }
    if (read_in_field<NumberByVector>(text, behind, narrow)) {
      EXPECT_EQ(test::bits_of(narrow), test::bits_of(std::strtof(text.c_str(), nullptr))) << text;
    }
  }
}
#else
void expect_nearest_by_vector(const std::string&) {}
#endif

void expect_nearest(const std::string& text) {
  expect_nearest_by_vector(text);
  double wide = -7;
  float narrow = -7;
  ASSERT_TRUE(parse_whole_number(text, wide)) << text;
  ASSERT_TRUE(parse_whole_number(text, narrow)) << text;
  EXPECT_EQ(test::bits_of(wide), test::bits_of(std::strtod(text.c_str(), nullptr))) << text;
  EXPECT_EQ(test::bits_of(narrow), test::bits_of(std::strtof(text.c_str(), nullptr))) << text;
}

TEST(Number, Shapes) {
  for (const char* text : {"0",
                           "-0",
                           "+1",
                           "1.",
                           ".5",
                           "-.5e1",
                           "1e5",
                           "1E-5",
                           "1e+05",
                           "00012.50",
                           "123456789012345678",
                           "9007199254740993",
                           "18446744073709551616",
                           "0.1",
                           "1e22",
                           "1e23",
                           "8.5e-23",
                           "1.7976931348623157e308",
                           "4.9e-324",
                           "2.4703282292062327e-324",
                           "1e400",
                           "-1e400",
                           "1e-400",
                           "0e999999999999",
                           "1e99999999999",
                           "0.000000000000000000000000000000000001e36",
                           "3.4028235e38",
                           "3.4028236e38",
                           "1.4e-45",
                           "7e-46",
                           "12345678",
                           "0.12345678",
                           "0.1234567812345678",
                           "1.00000000000000011102230246251565"}) {
    expect_nearest(text);
  }
}

// Halfway between two floats, and a hair to either side: where rounding twice goes wrong.
TEST(Number, MiddlesBetweenFloats) {
  for (const char* text : {"16777217", "16777217.000000001", "16777216.999999999", "33554434.5",
                           "1.000000059604644775390625", "1.0000000596046447753906251",
                           "1.00000005960464477539062499", "0.50000002980232238769531250"}) {
    expect_nearest(text);
  }
}

TEST(Number, RandomNumbersInManyLengths) {
  const Random random(1, Purpose::test);
  std::array<char, 64> text;
  for (std::uint64_t i = 0; i < 60000; ++i) {
    const std::uint64_t bits = random.bits(2 * i);
    const double any = std::bit_cast<double>(bits);
    const double near_one =
        random.normal(i + 1000000) * std::pow(10.0, static_cast<double>(bits % 9) - 4);
    for (const double value : {any, near_one}) {
      if (!std::isfinite(value)) continue;
      std::snprintf(text.data(), text.size(), "%.*g",
                    1 + static_cast<int>(random.below(20, 2 * i + 1)), value);
      expect_nearest(text.data());
    }
  }
}

// Whole numbers and fractions of every length, on either side of sixteen characters.
TEST(Number, EveryPlaceOfThePoint) {
  const Random random(2, Purpose::test);
  std::uint64_t draw = 0;
  for (int whole = 0; whole <= 20; ++whole) {
    for (int fraction = -1; fraction <= 24; ++fraction) {
      if (whole + fraction <= 0) continue;
      for (int repeat = 0; repeat < 40; ++repeat) {
        std::string text = repeat % 2 == 0 ? "" : "-";
        for (int k = 0; k < whole; ++k) text += static_cast<char>('0' + random.below(10, draw++));
        if (fraction >= 0) text += '.';
        for (int k = 0; k < fraction; ++k) {
          const bool nines = repeat % 8 > 5;
          text += static_cast<char>(nines ? '9' : '0' + random.below(10, draw++));
        }
        expect_nearest(text);
      }
    }
  }
}

#if defined(__x86_64__)
// The usual numbers are not left to the slower reader.
TEST(Number, VectorsReadTheUsualOnes) {
  if (cpu::simd_name() == "baseline") GTEST_SKIP() << "this processor has no AVX2";
  double value = 0;
  for (const char* text : {"0", "-1", "255", "123456789012345", "-12.345678", ".5", "5.",
                           "0.8231839210932131", "-1234567.12345678", "0.12345678901234567"}) {
    EXPECT_TRUE(read_in_field<NumberByVector>(text, ",", value)) << text;
    EXPECT_EQ(value, std::strtod(text, nullptr));
  }
  for (const char* text : {"", "-", ".", "-.", "+1", "1e5", "a", "--1", "1.2.3", "1-2"}) {
    EXPECT_FALSE(read_in_field<NumberByVector>(text, ",", value)) << text;
  }
}
#endif

TEST(Number, WhatIsNone) {
  for (const char* text : {"", " ", "-", "+", ".", "e5", "1e", "1e+", "--1", "+-1", "1 2", "0x10",
                           "1,5", "1.2.3", "infin", "nano", "1f", "- 1"}) {
    double value = 0;
    EXPECT_FALSE(parse_whole_number(text, value)) << text;
  }
  double value = 0;
  EXPECT_TRUE(parse_whole_number(" NaN ", value) && std::isnan(value));
  EXPECT_TRUE(parse_whole_number("-INF", value) && value < 0 && std::isinf(value));
  EXPECT_TRUE(parse_whole_number("\t+Infinity", value) && value > 0 && std::isinf(value));
  EXPECT_TRUE(parse_whole_number(std::string(500, '0') + "1", value));
  EXPECT_EQ(value, 1);
}

}  // namespace
}  // namespace tandem

// Whole numbers of files as numbers of a column, in vectors and one by one.
#include "core/data/typed_values.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <vector>

namespace tandem {
namespace {

template <class Whole>
std::vector<Whole> edges() {
  std::vector<Whole> values{0, 1, std::numeric_limits<Whole>::min(),
                            std::numeric_limits<Whole>::max()};
  for (const int bits : {7, 15, 23, 24, 25, 31, 52, 53, 54, 62, 63}) {
    if (bits >= std::numeric_limits<Whole>::digits) continue;
    const auto power = static_cast<Whole>(Whole{1} << bits);
    for (const int off : {-1, 0, 1}) {
      values.push_back(static_cast<Whole>(power + static_cast<Whole>(off)));
      if (std::is_signed_v<Whole>)
        values.push_back(static_cast<Whole>(-power - static_cast<Whole>(off)));
    }
  }
  return values;
}

template <class Whole, Real T>
void expect_same() {
  const auto expect = [](const std::vector<Whole>& values) {
    std::vector<T> numbers(values.size());
    const bool large =
        put_small_wholes<Whole>(values.data(), static_cast<Index>(values.size()), numbers.data());
    bool rounded = false;
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_EQ(numbers[i], static_cast<T>(values[i])) << +values[i];
      rounded = rounded || is_rounded(values[i], numbers[i]);
    }
    EXPECT_TRUE(large || !rounded);
  };
  // Alone, where nothing else makes the numbers large ones, and all together.
  for (const Whole value : edges<Whole>()) expect({value});
  expect(edges<Whole>());
  EXPECT_FALSE((put_small_wholes<Whole, T>(std::vector<Whole>{0, 1, 100}.data(), 3,
                                           std::vector<T>(3).data())));
}

TEST(TypedValues, WholeNumbersInVectorsAreThoseOneByOne) {
  expect_same<std::int8_t, float>();
  expect_same<std::uint8_t, float>();
  expect_same<std::int16_t, float>();
  expect_same<std::uint16_t, double>();
  expect_same<std::int32_t, float>();
  expect_same<std::int32_t, double>();
  expect_same<std::uint32_t, float>();
  expect_same<std::uint32_t, double>();
  expect_same<std::int64_t, float>();
  expect_same<std::int64_t, double>();
  expect_same<std::uint64_t, float>();
  expect_same<std::uint64_t, double>();
}

}  // namespace
}  // namespace tandem

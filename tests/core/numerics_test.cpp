#include "tandem/core/numerics.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "tandem/core/random.hpp"
#include "tests/support/agreement.hpp"

namespace tandem {
namespace {

TEST(LongSum, HasTheDocumentedShape) {
  // 1500 terms: a full block of 1024 and a part of one, written out independently of long_sum.
  const Random random(3, Purpose::test);
  std::vector<double> terms;
  for (std::uint64_t i = 0; i < 1500; ++i) terms.push_back(random.uniform(i) * 1e3 - 400);
  double expected = 0.0;
  for (const auto& [begin, end] : {std::pair{0, 1024}, std::pair{1024, 1500}}) {
    std::vector<double> lanes(32, 0.0);
    for (int l = 0; l < 32; ++l) {
      for (int i = begin + l; i < end; i += 32) {
        lanes[static_cast<std::size_t>(l)] += terms[static_cast<std::size_t>(i)];
      }
    }
    for (std::size_t width : {16U, 8U, 4U, 2U, 1U}) {
      std::vector<double> folded;
      for (std::size_t l = 0; l < width; ++l) folded.push_back(lanes[l] + lanes[l + width]);
      lanes = folded;
    }
    expected += lanes[0];
  }
  const double sum = long_sum(1500, [&](Index i) { return terms[static_cast<std::size_t>(i)]; });
  EXPECT_EQ(test::bits_of(sum), test::bits_of(expected));
}

TEST(LongSum, StaysInsideItsBound) {
  const Random random(4, Purpose::test);
  for (const Index count : test::awkward_sizes()) {
    long double exact = 0;
    double magnitude = 0;
    const auto term = [&](Index i) {
      return (random.uniform(static_cast<std::uint64_t>(i)) - 0.5) *
             std::ldexp(1.0, static_cast<int>(i % 60));
    };
    for (Index i = 0; i < count; ++i) {
      exact += static_cast<long double>(term(i));
      magnitude += std::abs(term(i));
    }
    const double error = std::abs(static_cast<double>(long_sum(count, term) - exact));
    EXPECT_LE(error, (long_sum_bound(count) + 0x1p-60) * magnitude) << count;
  }
}

TEST(LongSum, OfNothingIsPositiveZero) {
  EXPECT_EQ(test::bits_of(long_sum(0, [](Index) { return -0.0; })), test::bits_of(0.0));
}

TEST(FixedPoint, NeverOverflowsAtItsLimits) {
  for (const Index count : {Index{1}, Index{2}, Index{3}, Index{1000}, (Index{1} << 40) + 1}) {
    for (const double largest : {1.0, 0.75, 3.0, 1e-300, 1e300, 4.9e-324}) {
      const FixedPoint scale = FixedPoint::for_sum(count, largest);
      const std::int64_t term = scale.encode(largest);
      const auto sum = static_cast<__int128>(term) * count;
      EXPECT_LE(sum, static_cast<__int128>(INT64_MAX)) << count << " " << largest;
      EXPECT_GT(term, 0) << count << " " << largest;
    }
  }
}

TEST(FixedPoint, SumsAreTheSameInAnyOrderAndWithinTheTermError) {
  const Random random(5, Purpose::test);
  constexpr Index count = 1000;
  std::vector<double> values;
  for (std::uint64_t i = 0; i < count; ++i) values.push_back(random.uniform(i) * 20 - 10);
  const FixedPoint scale = FixedPoint::for_sum(count, 10);
  std::int64_t forward = 0;
  std::int64_t backward = 0;
  long double exact = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    forward += scale.encode(values[i]);
    backward += scale.encode(values[values.size() - 1 - i]);
    exact += static_cast<long double>(values[i]);
  }
  EXPECT_EQ(forward, backward);
  EXPECT_LE(std::abs(static_cast<double>(scale.decode(forward) - exact)),
            count * scale.term_error() + std::abs(static_cast<double>(exact)) * 0x1p-53);
}

TEST(FixedPoint, OfNothingIsHarmless) {
  EXPECT_EQ(FixedPoint::for_sum(0, 5).exponent, 0);
  EXPECT_EQ(FixedPoint::for_sum(5, 0).encode(0), 0);
}

}  // namespace
}  // namespace tandem

#include "core/random.hpp"

#include <gtest/gtest.h>

namespace tandem {
namespace {

// Known answers published with Random123 (kat_vectors): philox4x32, 10 rounds.
TEST(Philox, KnownAnswers) {
  const Philox4x32 zero = philox4x32(0, 0, 0);
  EXPECT_EQ(zero.word[0], 0x6627e8d5U);
  EXPECT_EQ(zero.word[1], 0xe169c58dU);
  EXPECT_EQ(zero.word[2], 0xbc57ac4cU);
  EXPECT_EQ(zero.word[3], 0x9b00dbd8U);
  const Philox4x32 ones = philox4x32(~0ULL, ~0ULL, ~0ULL);
  EXPECT_EQ(ones.word[0], 0x408f276dU);
  EXPECT_EQ(ones.word[1], 0x41c83b0eU);
  EXPECT_EQ(ones.word[2], 0xa20bc7c6U);
  EXPECT_EQ(ones.word[3], 0x6d5451fdU);
  const Philox4x32 pi =
      philox4x32(0x299f31d0a4093822ULL, 0x85a308d3243f6a88ULL, 0x0370734413198a2eULL);
  EXPECT_EQ(pi.word[0], 0xd16cfe09U);
  EXPECT_EQ(pi.word[1], 0x94fdccebU);
  EXPECT_EQ(pi.word[2], 0x5001e420U);
  EXPECT_EQ(pi.word[3], 0x24126ea1U);
}

TEST(Random, BelowIsTheHighHalfOfTheProduct) {
  const Random random(7, Purpose::test);
  for (const Index count :
       {Index{1}, Index{2}, Index{3}, Index{1000}, Index{1} << 33, (Index{1} << 62) + 1}) {
    for (std::uint64_t i = 0; i < 200; ++i) {
      const auto wide =
          static_cast<unsigned __int128>(random.bits(i)) * static_cast<unsigned __int128>(count);
      EXPECT_EQ(random.below(count, i), static_cast<Index>(wide >> 64));
    }
  }
}

TEST(Random, PurposesAndStreamsDiffer) {
  EXPECT_NE(Random(1, Purpose::shuffle).bits(0), Random(1, Purpose::split).bits(0));
  EXPECT_NE(Random(1, Purpose::shuffle, 0).bits(0), Random(1, Purpose::shuffle, 1).bits(0));
  EXPECT_NE(Random(1, Purpose::shuffle).bits(0), Random(2, Purpose::shuffle).bits(0));
}

}  // namespace
}  // namespace tandem

// Ruling out cuts of a regression, against the scores themselves.
#include "cpu/tree/squared_error_cuts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/random.hpp"
#include "core/tree/split_gain.hpp"
#include "cpu/simd.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using cpu::SquaredErrorCuts;

std::int64_t score_of(const SquaredErrorCuts& cuts, Index k) {
  return tree::SquaredErrorScore(cuts.weight, cuts.sum)(cuts.left_weights[k], cuts.left_sums[k]);
}

// The best valid cut, and every other one of its score, are among those to be scored; the floor is
// no more than the best score.
void expect_the_best_is_kept(const SquaredErrorCuts& cuts) {
  std::int64_t best = tree::no_score;
  for (Index k = 0; k < cuts.count; ++k) {
    if ((cuts.valid >> k & 1U) != 0) best = std::max(best, score_of(cuts, k));
  }
  double floor = 0;
  const std::uint64_t found = cpu::cuts_to_score(cuts, floor);
  EXPECT_EQ(found & ~cuts.valid, 0U);
  for (Index k = 0; k < cuts.count; ++k) {
    if ((cuts.valid >> k & 1U) != 0 && score_of(cuts, k) == best) {
      EXPECT_EQ(found >> k & 1U, 1U) << "cut " << k << " of " << cuts.count;
    }
  }
  if (best != tree::no_score) {
    EXPECT_LE(floor, std::bit_cast<double>(best));
  }
}

class SquaredErrorCutsOn : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    try {
      cpu::limit_simd(GetParam());
    } catch (const InputError&) {
      GTEST_SKIP() << "this processor lacks " << GetParam();
    }
  }
  void TearDown() override {
    for (const char* most : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(most);
        return;
      } catch (const InputError&) {
        continue;
      }
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Sets, SquaredErrorCutsOn, ::testing::Values("baseline", "avx2", "avx512"));

TEST_P(SquaredErrorCutsOn, TheBestAreKept) {
  const Random random(3, Purpose::test);
  std::uint64_t next = 0;
  for (int trial = 0; trial < 4000; ++trial) {
    SquaredErrorCuts cuts{};
    cuts.count = 1 + random.below(SquaredErrorCuts::at_once, next++);
    // From small whole numbers, with many ties, to sums of 62 bits that nearly cancel.
    const int weight_bits = 1 + static_cast<int>(random.below(30, next++));
    const int sum_bits = 1 + static_cast<int>(random.below(55, next++));
    const double trend = trial % 3 == 0 ? 0.0 : std::ldexp(1.0, sum_bits - 1);
    const auto draw = [&](int bits) {
      return static_cast<std::int64_t>(random.bits(next++) >> (64 - bits));
    };
    std::int64_t weight = 0;
    std::int64_t sum = 0;
    for (Index k = 0; k <= cuts.count; ++k) {
      const std::int64_t own = 1 + draw(weight_bits);
      weight += own;
      sum += draw(sum_bits) - (std::int64_t{1} << (sum_bits - 1)) +
             static_cast<std::int64_t>(trend * (trial % 5));
      if (k == cuts.count) break;
      cuts.left_weights[k] = weight;
      cuts.left_sums[k] = sum;
    }
    cuts.weight = weight;
    cuts.sum = sum;
    cuts.valid = random.bits(next++);
    if (trial % 4 == 0) cuts.valid = ~std::uint64_t{0};
    if (cuts.count < 64) cuts.valid &= (std::uint64_t{1} << cuts.count) - 1;
    expect_the_best_is_kept(cuts);
  }
}

// Rows of equal targets: every cut scores 0 by integers, whatever doubles make of it.
TEST_P(SquaredErrorCutsOn, CutsThatGainNothingAreAllKept) {
  SquaredErrorCuts cuts{};
  cuts.count = 40;
  const std::int64_t each = (std::int64_t{1} << 55) + 12345;
  cuts.weight = 41;
  cuts.sum = 41 * each;
  for (Index k = 0; k < cuts.count; ++k) {
    cuts.left_weights[k] = k + 1;
    cuts.left_sums[k] = (k + 1) * each;
    ASSERT_EQ(score_of(cuts, k), 0);
  }
  cuts.valid = (std::uint64_t{1} << 40) - 2;
  double floor = 0;
  EXPECT_EQ(cpu::cuts_to_score(cuts, floor), cuts.valid);
  EXPECT_EQ(floor, 0);
}

// In a long rise towards the best cut few are scored.
TEST_P(SquaredErrorCutsOn, MostAreRuledOut) {
  SquaredErrorCuts cuts{};
  cuts.count = SquaredErrorCuts::at_once;
  cuts.weight = 100;
  for (Index k = 0; k < cuts.count; ++k) {
    cuts.left_weights[k] = k + 1;
    cuts.left_sums[k] = (k + 1) * 1000;
  }
  cuts.sum = 0;
  cuts.valid = ~std::uint64_t{0};
  double floor = 0;
  EXPECT_EQ(cpu::cuts_to_score(cuts, floor), std::uint64_t{1} << 63);
  // What stands to be beaten rules out the rest.
  floor *= 2;
  EXPECT_EQ(cpu::cuts_to_score(cuts, floor), 0U);
}

}  // namespace
}  // namespace tandem

// Drift is reported as often as is promised.
#include <gtest/gtest.h>

#include "systems/serving/watch/simulate.hpp"

namespace tandem::watch {
namespace {

void expect_kept(std::int64_t runs, std::uint64_t seed) {
  RunControl control;
  for (const statistics::Rate& rate : simulate_drift(runs, seed, control)) {
    EXPECT_TRUE(rate.kept()) << rate.what << ": " << rate.count << " of " << rate.runs;
  }
}

TEST(DriftRates, AreKeptOverFiftySimulations) { expect_kept(50, 3); }
TEST(LongDriftRates, AreKeptOverTwoThousandSimulations) { expect_kept(2000, 1); }

TEST(LongDriftRates, TwoChecksOfOneColumnStandForAsManyAsIsSaid) {
  // 40,000 columns alarm 192 times where two checks stand for 1.6; that count is within 19 % of it
  // with a probability of 99 %.
  const double checks = effective_checks(40'000, 11, 0.003);
  EXPECT_GT(checks, 1.6 * 0.81);
  EXPECT_LT(checks, 1.6 * 1.19);
}

}  // namespace
}  // namespace tandem::watch

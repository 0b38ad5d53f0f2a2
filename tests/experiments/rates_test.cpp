// Experiments are wrong as seldom, and see as much, as is promised.
#include <gtest/gtest.h>

#include "systems/serving/experiments/simulate.hpp"

namespace tandem::experiments {
namespace {

void expect_kept(std::int64_t runs, std::uint64_t seed) {
  RunControl control;
  for (const statistics::Rate& rate : simulate_experiments(runs, seed, control)) {
    EXPECT_TRUE(rate.kept()) << rate.what << ": " << rate.count << " of " << rate.runs;
  }
}

TEST(ExperimentRates, AreKeptOverAHundredSimulations) { expect_kept(100, 3); }
TEST(LongExperimentRates, AreKeptOverTwoThousandSimulations) { expect_kept(2000, 1); }

TEST(Rates, AreHeldToTheBinomialDistribution) {
  statistics::Rate rate{"", statistics::Promise::equal, 0.05, 50, 1000};
  EXPECT_EQ(rate.lowest(), 33);   // scipy.stats.binom(1000, 0.05): cdf(32) 0.0037, cdf(33) 0.0059
  EXPECT_EQ(rate.highest(), 69);  // sf(68) 0.0051, sf(69) 0.0035
  EXPECT_TRUE(rate.kept());
  rate.count = 20;
  EXPECT_FALSE(rate.kept());
  rate.promise = statistics::Promise::at_most;
  EXPECT_TRUE(rate.kept());
  rate.count = 90;
  EXPECT_FALSE(rate.kept());
  rate.promise = statistics::Promise::at_least;
  rate.nominal = 0.8;
  EXPECT_FALSE(rate.kept());
  rate.count = 800;
  EXPECT_TRUE(rate.kept());
}

}  // namespace
}  // namespace tandem::experiments

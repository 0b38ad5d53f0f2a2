// Exploration and what is made of it: propensities are the frequencies, estimates are the truth.
#include "systems/recommend/policy.hpp"

#include <gtest/gtest.h>

#include "core/random.hpp"
#include "systems/recommend/exploration.hpp"
#include "systems/recommend/interleaving.hpp"
#include "systems/statistics/rate.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

TEST(Exploration, EpsilonChoosesWithTheProbabilitiesThatItSays) {
  Configuration configuration;
  configuration.exploration_share = 0.3;
  const std::vector<Tally> tallies(5);
  std::vector<std::int64_t> counts(5, 0);
  constexpr std::int64_t runs = 20'000;
  for (std::int64_t i = 0; i < runs; ++i) {
    const Drawn drawn = draw(configuration, tallies, 17, static_cast<std::uint64_t>(i));
    EXPECT_DOUBLE_EQ(drawn.propensity, drawn.index == 0 ? 0.7 + 0.06 : 0.06);
    ++counts[drawn.index];
  }
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const statistics::Rate rate{"", statistics::Promise::equal, k == 0 ? 0.76 : 0.06, counts[k],
                                runs};
    EXPECT_TRUE(rate.kept()) << k << " " << counts[k];
  }
  configuration.exploration = Exploration::none;
  EXPECT_EQ(draw(configuration, tallies, 17, 1).index, 0U);
  EXPECT_EQ(draw(configuration, tallies, 17, 1).propensity, 1);
}

TEST(Exploration, AShareOfTheAnswersTakesPartWhateverTheyChoose) {
  Configuration configuration;
  EXPECT_TRUE(takes_part(configuration, 5, 1));
  configuration.exploration_answers = 0;
  EXPECT_FALSE(takes_part(configuration, 5, 1));
  configuration.exploration_answers = 0.2;
  configuration.exploration_share = 0.5;
  const std::vector<Tally> tallies(2);
  constexpr std::int64_t runs = 20'000;
  std::int64_t part = 0;
  std::int64_t explored = 0;
  for (std::uint64_t i = 0; i < runs; ++i) {
    if (!takes_part(configuration, 5, i)) continue;
    ++part;
    explored += draw(configuration, tallies, 5, i).index > 0 ? 1 : 0;
  }
  const statistics::Rate of_all{"", statistics::Promise::equal, 0.2, part, runs};
  EXPECT_TRUE(of_all.kept()) << part;
  const statistics::Rate of_part{"", statistics::Promise::equal, 0.25, explored, part};
  EXPECT_TRUE(of_part.kept()) << explored;
}

TEST(Exploration, ThompsonPrefersWhatWasClickedAndRulesNothingOut) {
  Configuration configuration;
  configuration.exploration = Exploration::thompson;
  configuration.exploration_share = 1;
  std::vector<Tally> tallies(4, {5, 100});
  tallies[2] = {60, 100};
  std::int64_t preferred = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const Drawn drawn = draw(configuration, tallies, 3, i);
    EXPECT_GE(drawn.propensity, 0.1 / 4 - 1e-12);
    EXPECT_LE(drawn.propensity, 1);
    preferred += drawn.index == 2 ? 1 : 0;
  }
  // It leads in all draws, so that its probability is 0.9 + 0.1/4.
  EXPECT_TRUE((statistics::Rate{"", statistics::Promise::equal, 0.925, preferred, 2000}.kept()));
}

TEST(Exploration, AChoiceReadsBackAndBrokenOnesAreRefused) {
  const Choice choice{"00aa", 123, "v1", {"i1", "i2", "i3"}, 2, 0.25};
  const std::string record = encode(choice);
  EXPECT_EQ(decode_choice(record), choice);
  for (std::size_t length = 0; length < record.size(); ++length) {
    EXPECT_THROW((void)decode_choice(record.substr(0, length)), InputError) << length;
  }
}

// A world where item k is worth `truth[k]`, logged by a policy that explores.
std::vector<LoggedChoice> logged(const std::vector<double>& truth, std::int64_t count) {
  Configuration configuration;
  configuration.exploration_share = 0.4;
  const Random random(5, Purpose::test);
  const std::vector<Tally> tallies(truth.size());
  std::vector<LoggedChoice> choices;
  for (std::int64_t i = 0; i < count; ++i) {
    LoggedChoice one;
    for (std::size_t k = 0; k < truth.size(); ++k)
      one.pool.push_back(static_cast<std::uint32_t>(k));
    // The ranking's own item is another one each time.
    std::rotate(one.pool.begin(), one.pool.begin() + i % static_cast<std::int64_t>(truth.size()),
                one.pool.end());
    const Drawn drawn = draw(configuration, tallies, 11, static_cast<std::uint64_t>(i));
    one.chosen = static_cast<std::uint32_t>(drawn.index);
    one.propensity = drawn.propensity;
    one.reward =
        random.uniform<double>(static_cast<std::uint64_t>(i)) < truth[one.pool[drawn.index]];
    choices.push_back(std::move(one));
  }
  return choices;
}

TEST(Policy, EstimatesHoldTheTruthOfAPolicyThatWasNeverUsed) {
  const std::vector<double> truth{0.1, 0.2, 0.5, 0.05};
  const auto choices = logged(truth, 20'000);
  // Always item 2, which the log has chosen by chance only.
  const Policy always = [](std::span<const std::uint32_t> pool) {
    std::vector<double> probabilities(pool.size(), 0.0);
    for (std::size_t k = 0; k < pool.size(); ++k) probabilities[k] = pool[k] == 2 ? 1 : 0;
    return probabilities;
  };
  const PolicyEstimate found = evaluate_policy(choices, always, 0.999);
  for (const PolicyValue& value :
       {found.inverse_propensity, found.self_normalised, found.doubly_robust}) {
    EXPECT_LT(value.low, 0.5);
    EXPECT_GT(value.high, 0.5);
    EXPECT_LT(value.high - value.low, 0.12);
  }
  // The model of rewards takes variance away.
  EXPECT_LT(found.doubly_robust.high - found.doubly_robust.low,
            found.inverse_propensity.high - found.inverse_propensity.low);
  // The mean of what was logged is something else.
  double mean = 0;
  for (const LoggedChoice& one : choices) mean += one.reward / static_cast<double>(choices.size());
  EXPECT_LT(mean, 0.3);
}

TEST(Policy, RefusesWhatCannotBe) {
  const Policy first = [](std::span<const std::uint32_t> pool) {
    std::vector<double> probabilities(pool.size(), 0.0);
    probabilities[0] = 1;
    return probabilities;
  };
  EXPECT_THROW((void)evaluate_policy({}, first), InputError);
  std::vector<LoggedChoice> choices{{{1, 2}, 0, 0, 1}};
  EXPECT_THROW((void)evaluate_policy(choices, first), InputError);
  choices[0] = {{1, 2}, 2, 1, 1};
  EXPECT_THROW((void)evaluate_policy(choices, first), InputError);
  choices[0] = {{1, 2}, 0, 1, 1};
  EXPECT_THROW((void)evaluate_policy(choices,
                                     [](std::span<const std::uint32_t>) {
                                       return std::vector{0.5, 0.2};
                                     }),
               InputError);
}

TEST(Interleaving, BothTeamsTakeTurnsAndNothingStandsTwice) {
  const std::vector<ItemNumber> a{1, 2, 3, 4, 5};
  const std::vector<ItemNumber> b{3, 2, 9, 8, 1};
  std::int64_t first_of_a = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const Interleaved mixed = interleave(a, b, 6, 4, i);
    ASSERT_EQ(mixed.items.size(), 6U);
    std::vector<ItemNumber> sorted = mixed.items;
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(std::unique(sorted.begin(), sorted.end()), sorted.end());
    EXPECT_EQ(std::count(mixed.teams.begin(), mixed.teams.end(), 0), 3);
    first_of_a += mixed.items[0] == 1 ? 1 : 0;
  }
  EXPECT_TRUE((statistics::Rate{"", statistics::Promise::equal, 0.5, first_of_a, 1000}.kept()));
  EXPECT_EQ(interleave(a, {}, 3, 4, 0).items, (std::vector<ItemNumber>{1, 2, 3}));
  EXPECT_TRUE(interleave({}, {}, 3, 4, 0).items.empty());
  EXPECT_LT(judge(90, 40, 3).p, 0.001);
  EXPECT_GT(judge(52, 48, 3).p, 0.5);
  EXPECT_EQ(judge(0, 0, 3).p, 1);
}

}  // namespace
}  // namespace tandem::recommend

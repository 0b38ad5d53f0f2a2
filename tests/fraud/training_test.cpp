#include "systems/fraud/training.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/random.hpp"
#include "systems/fraud/feature_layout.hpp"
#include "systems/fraud/simulate.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

using testing::HasSubstr;

// Simulated once for all tests.
const Past& simulated() {
  static const Past* const past = [] {
    const std::string path =
        testing::TempDir() + "fraud-past-" + std::to_string(::getpid()) + ".csv";
    SimulationOptions options;
    options.days = 24;
    options.users = 300;
    options.fraud = 6;
    options.seed = 4;
    RunControl control;
    write_simulation(path, options, control);
    auto* const read = new Past(read_past(path, 1, 7 * day_ms, Currencies{}, control));
    std::filesystem::remove(path);
    return read;
  }();
  return *past;
}

TrainingOptions quick() {
  TrainingOptions options;
  options.rounds = 30;
  options.learning_rate = 0.2;
  options.label_delay_days = 3;
  return options;
}

bool same_row(const Matrix<float>& a, const Matrix<float>& b, Index row) {
  return std::memcmp(a.row(row).data(), b.row(row).data(), feature_count * sizeof(float)) == 0;
}

TEST(Simulation, IsAFunctionOfItsSeedAndTellsTheTruth) {
  const auto made = [](std::uint64_t seed) {
    SimulationOptions options;
    options.days = 5;
    options.users = 100;
    options.fraud = 10;
    options.seed = seed;
    std::string text;
    Time last = 0;
    RunControl control;
    const SimulationSummary summary = simulate_transactions(
        options,
        [&](const TransactionRow& row) {
          EXPECT_GE(row.transaction.time, last);
          last = row.transaction.time;
          EXPECT_EQ(row.truth.fraud.value(), !row.truth.scenario.empty());
          EXPECT_EQ(row.truth.fraud.value(), row.truth.known_at.has_value());
          append_csv(text, row);
        },
        control);
    EXPECT_GT(summary.frauds, 10);
    EXPECT_GT(summary.transactions, 300);
    return text;
  };
  EXPECT_EQ(made(1), made(1));
  EXPECT_NE(made(1), made(2));
  SimulationOptions wrong;
  wrong.users = 1;
  RunControl control;
  EXPECT_THROW(simulate_transactions(
                   wrong, [](const TransactionRow&) {}, control),
               InputError);
}

TEST(Simulation, HasEveryScenarioWhereThereAreEnoughUsers) {
  SimulationOptions options;
  options.days = 12;
  options.users = 1000;
  options.fraud = 5;
  RunControl control;
  const SimulationSummary summary = simulate_transactions(
      options, [](const TransactionRow&) {}, control);
  for (const char* const scenario :
       {"stolen_card", "compromised_terminal", "account_takeover", "mule_ring"}) {
    EXPECT_GT(summary.scenarios.count(scenario), 0U) << scenario;
  }
}

// Nothing that comes later, and no label that is not known yet, is in a row: with another future,
// the rows before it are the same, bit for bit.
TEST(FeatureRows, AreAsOfTheirTime) {
  const Past& past = simulated();
  RunControl control;
  const Matrix<float> rows = feature_rows(past, {}, control);
  const Random random(9, Purpose::test);
  const std::size_t cut = past.transactions.size() / 2;
  const Time now = past.transactions[cut].event.time;

  Past other = past;
  for (std::size_t i = cut; i < other.transactions.size(); ++i) {
    // The rest of the file is other transactions of the same users in another order.
    Event& event = other.transactions[i].event;
    const auto from =
        static_cast<std::size_t>(random.below(static_cast<Index>(past.transactions.size()), i));
    const Time time = event.time;
    event = past.transactions[from].event;
    event.time = time;
    event.transaction = past.transactions[i].event.transaction;
    event.cents *= 3;
    event.amount *= 3;
  }
  for (PastTransaction& one : other.transactions) {
    // Of what is known later, the opposite is.
    if (one.known_at <= now) continue;
    one.fraud = !one.fraud;
    one.known_at = one.fraud ? now + 1 : PastTransaction::never;
  }
  const Matrix<float> others = feature_rows(other, {}, control);
  std::int64_t changed = 0;
  for (std::size_t i = 0; i < past.transactions.size(); ++i) {
    const bool same = same_row(rows, others, static_cast<Index>(i));
    if (past.transactions[i].event.time < now) {
      ASSERT_TRUE(same) << "row " << i;
    } else {
      changed += same ? 0 : 1;
    }
  }
  EXPECT_GT(changed, static_cast<std::int64_t>(cut) / 2) << "the other future changes nothing";
}

// Training, serving and replay are one: what a server computes one by one, with labels as they come
// and a restart in between, is what the table has.
TEST(FeatureRows, AreWhatAServerComputes) {
  const Past& past = simulated();
  RunControl control;
  const Matrix<float> rows = feature_rows(past, {}, control);
  std::vector<const PastTransaction*> labels;
  for (const PastTransaction& one : past.transactions) {
    if (one.fraud) labels.push_back(&one);
  }
  std::stable_sort(labels.begin(), labels.end(),
                   [](const auto* a, const auto* b) { return a->known_at < b->known_at; });
  State state;
  std::size_t known = 0;
  for (std::size_t i = 0; i < past.transactions.size(); ++i) {
    const Event& event = past.transactions[i].event;
    for (; known < labels.size() && labels[known]->known_at <= event.time; ++known) {
      state.apply(make_label(labels[known]->event, true, labels[known]->known_at));
    }
    if (i == past.transactions.size() / 3) {
      std::stringstream kept;
      state.snapshot(kept);
      state = State::restore(kept);
    }
    const FeatureVector features = compute(event, state);
    for (std::size_t j = 0; j < feature_count; ++j) {
      const auto value = static_cast<float>(features[j]);
      const float row = rows(static_cast<Index>(i), static_cast<Index>(j));
      ASSERT_TRUE(value == row || (std::isnan(value) && std::isnan(row)))
          << feature_table()[j].name << " of " << i;
    }
    state.apply(event);
  }
}

TEST(Training, SplitsByTimeWithLabelsAsKnown) {
  const Past& past = simulated();
  const TrainingOptions options = quick();
  const TimeSplit split = split_by_time(past, options);
  EXPECT_LT(split.begin, split.train_begin);
  EXPECT_LT(split.train_begin, split.validation_begin);
  EXPECT_LT(split.validation_begin, split.validation_end);
  EXPECT_EQ(split.validation_end, split.test_begin - 3 * day_ms);
  std::int64_t hidden = 0;
  for (std::size_t i = 0; i < past.transactions.size(); ++i) {
    const PastTransaction& one = past.transactions[i];
    EXPECT_EQ(split.known[i] != 0, one.fraud && one.known_at <= split.test_begin);
    hidden += one.fraud && split.known[i] == 0 && one.event.time < split.test_begin ? 1 : 0;
  }
  EXPECT_GT(hidden, 0) << "no label is delayed";
  TrainingOptions wrong = options;
  wrong.label_delay_days = 30;
  EXPECT_THROW((void)split_by_time(past, wrong), InputError);
}

TEST(Training, MakesAModelThatFindsFraudAndSaysHowWell) {
  const Past& past = simulated();
  RunControl control;
  const Matrix<float> rows = feature_rows(past, {}, control);
  TrainingOptions options = quick();
  options.threads = 1;
  const TrainingResult result = train_model(past, rows, options, control);
  const double base =
      static_cast<double>(result.quality.frauds) / static_cast<double>(result.quality.transactions);
  EXPECT_GT(result.quality.average_precision, 8 * base);
  EXPECT_GT(result.quality.roc_auc, 0.85);
  EXPECT_GT(result.quality.precision_at_budget, 3 * base);
  EXPECT_LT(result.quality.calibration_error, 0.05);
  EXPECT_THAT(result.model.settings().card, HasSubstr("| average precision |"));

  // The file gives the same scores, and says why.
  const std::string path = testing::TempDir() + "fraud-" + std::to_string(::getpid()) + ".tandem";
  result.model.save(path);
  const FraudModel read = FraudModel::load(path);
  FeatureVector features;
  for (const std::size_t row : result.split.test) {
    std::copy(rows.row(static_cast<Index>(row)).begin(), rows.row(static_cast<Index>(row)).end(),
              features.begin());
    const ModelScore score = result.model.score(features);
    ASSERT_EQ(read.score(features).score, score.score);
    ASSERT_GE(score.score, 0);
    ASSERT_LE(score.score, 1);
    ASSERT_EQ(score.raw >= read.settings().threshold, score.score >= review_score - 1e-12);
  }
  const auto reasons = read.explain(features, 5);
  ASSERT_FALSE(reasons.empty());
  for (std::size_t i = 1; i < reasons.size(); ++i) {
    EXPECT_GE(reasons[i - 1].value, reasons[i].value);
  }
  // All of them sum to the score, less what is expected of nothing known.
  const auto log_odds = [](double p) { return std::log(p / (1 - p)); };
  const auto sum = [&](const FeatureVector& of) {
    double total = 0;
    for (const Contribution& one : read.explain(of, feature_count)) total += one.value;
    return total - log_odds(read.score(of).raw);
  };
  FeatureVector other;
  std::copy(rows.row(0).begin(), rows.row(0).end(), other.begin());
  EXPECT_NEAR(sum(features), sum(other), 1e-3);
  std::filesystem::remove(path);

  // A model against itself is not better; against one that knows nothing of users it is.
  const Contest same = compare_models(past, rows, result, read, options, control);
  EXPECT_EQ(same.difference.value, 0);
  EXPECT_FALSE(same.better());
  TrainingOptions blind = options;
  blind.layers = {Layer::transaction};
  const TrainingResult weak = train_model(past, rows, blind, control);
  EXPECT_LT(weak.model.pipeline().schema.columns.size(), 12U);
  const Contest contest = compare_models(past, rows, result, weak.model, options, control);
  EXPECT_GT(contest.difference.low, 0);
  EXPECT_TRUE(contest.better());
}

// What docs/fraud.md says of merchants that join: of how many customers at most, and what becomes
// of components and of the model then.
TEST(LongTraining, MerchantsOfMoreThanAFewCustomersJoinEverybody) {
  const std::string path =
      testing::TempDir() + "fraud-towns-" + std::to_string(::getpid()) + ".csv";
  SimulationOptions simulation;
  simulation.days = 30;
  simulation.users = 1000;
  // A bank has a few customers in each of many shops.
  simulation.merchants = 1000;
  simulation.fraud = 6;
  RunControl control;
  write_simulation(path, simulation, control);
  const Past past = read_past(path, 1, 7 * day_ms, Currencies{}, control);
  std::filesystem::remove(path);
  const auto users = static_cast<Index>(feature_index("component_users"));
  const auto ring = static_cast<Index>(feature_index("ring_users"));
  std::vector<double> largest;
  for (const std::int64_t most : {0, 5, 10, 20, 50}) {
    TrainingOptions options;
    options.rounds = 100;
    options.state.most_joined_by_merchant = most;
    const Matrix<float> rows = feature_rows(past, options.state, control);
    const TrainingResult result = train_model(past, rows, options, control);
    double greatest = 0;
    double rings = 0;
    double honest = 0;
    for (const std::size_t row : result.split.test) {
      if (past.transactions[row].fraud) continue;
      ++honest;
      rings += rows(static_cast<Index>(row), ring) > 0 ? 1 : 0;
      greatest = std::max<double>(greatest, rows(static_cast<Index>(row), users));
    }
    largest.push_back(greatest / 1000);
    std::printf(
        "merchants of %lld users or fewer join: largest component %.1f %% of all users, "
        "%.1f %% of honest transactions in a ring, average precision %.3f, precision at "
        "the budget %.3f\n",
        static_cast<long long>(most), 100 * greatest / 1000, 100 * rings / honest,
        result.quality.average_precision, result.quality.precision_at_budget);
  }
  EXPECT_LT(largest[1], 0.2);
  EXPECT_GT(largest[4], 0.5) << "fifty would do: the limit of its own is not needed";
}

TEST(Training, RefusesAFileWithTheSameTransactionTwice) {
  const std::string path = testing::TempDir() + "twice-" + std::to_string(::getpid()) + ".csv";
  std::ofstream file(path);
  file << "transaction_id,user_id,amount,currency,transaction_type,timestamp,card_last_four,"
          "ip_address\n"
          "1,u,5,EUR,payment,2026-01-01T00:00:00Z,1234,192.0.2.1\n"
          "1,u,6,EUR,payment,2026-01-01T00:00:01Z,1234,192.0.2.1\n";
  file.close();
  RunControl control;
  try {
    (void)read_past(path, 1, day_ms, Currencies{}, control);
    FAIL() << "taken";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("row 3, column transaction_id"));
  }
  std::filesystem::remove(path);
  EXPECT_THROW((void)read_past(path, 1, day_ms, Currencies{}, control), InputError);
}

TEST(Calibration, IsMonotoneAndMeetsTheRates) {
  const Random random(3, Purpose::test);
  std::vector<double> scores(20'000);
  std::vector<std::uint8_t> fraud(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    scores[i] = random.uniform(2 * i);
    fraud[i] = random.uniform(2 * i + 1) < scores[i] * scores[i] ? 1 : 0;
  }
  const Calibration calibration = Calibration::fit(scores, fraud);
  double last = 0;
  for (double score = 0; score <= 1; score += 0.01) {
    EXPECT_GE(calibration(score), last);
    last = calibration(score);
    EXPECT_NEAR(calibration(score), score * score, 0.06) << score;
  }
  EXPECT_GT(calibration(0), 0);
  EXPECT_LT(calibration(1), 1);
  Archive archive;
  calibration.save(archive);
  EXPECT_EQ(Calibration::load(archive)(0.37), calibration(0.37));
  archive.set("calibration/to", std::vector<double>{0.5});
  EXPECT_THROW((void)Calibration::load(archive), InputError);
  EXPECT_EQ(Calibration()(0.25), 0.25);
}

}  // namespace
}  // namespace tandem::fraud

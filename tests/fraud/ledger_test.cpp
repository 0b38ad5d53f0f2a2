#include "systems/fraud/service/ledger.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "small_model.hpp"
#include "systems/fraud/service/read_body.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

constexpr Time begin = 1'790'000'000'000;

std::shared_ptr<const FraudModel> model() {
  static const auto made = [] {
    auto trained = std::make_shared<const FraudModel>(small_model());
    // For the tests from outside, before there is a trained one.
    if (const char* path = std::getenv("TANDEM_WRITE_FRAUD_MODEL")) trained->save(path);
    return trained;
  }();
  return made;
}

std::shared_ptr<const Versions> versions(const std::string& rules,
                                         const std::string& changes = "{}") {
  auto configuration = nlohmann::json::parse(Configuration::standard_text());
  configuration.merge_patch(nlohmann::json::parse(changes));
  auto made = std::make_shared<Versions>();
  made->rules = std::make_shared<const RuleSet>(RuleSet::parse(rules, "rules", rule_variables()));
  made->configuration =
      std::make_shared<const Configuration>(Configuration::parse(configuration.dump(), "c.json"));
  made->model = model();
  made->model_version = "m/1";
  made->model_file = "models/none.tandem";
  made->decision_version = "c, r";
  return made;
}

TransactionRecord record(std::uint64_t number, std::mt19937_64& random) {
  TransactionRecord made;
  made.event.transaction = 1000 + number;
  made.event.user = 1 + random() % 7;
  made.event.card = 100 + made.event.user;
  made.event.merchant = 200 + random() % 5;
  made.event.ip = 300 + random() % 9;
  made.event.device = 400 + random() % 9;
  made.event.time = begin + static_cast<Time>(number) * 20'000;
  made.event.amount = static_cast<double>(random() % 30'000) / 100;
  made.event.cents = std::llround(made.event.amount * 100);
  made.digest = number * 31;
  made.received = made.event.time + 5;
  made.microseconds = 100;
  return made;
}

std::string bytes(const Ledger& ledger) {
  std::ostringstream out;
  ledger.snapshot(out);
  return out.str();
}

const std::string rule_text =
    "version 1\nrule big priority 2 when amount > 200 weight 0.4 reason \"{amount} is much\"\n"
    "rule often when user_count_1h > 30 action review weight 0.1 reason \"often\"\n"
    "rule watch when true weight 1 dry-run reason \"x\"\n";

TEST(Ledger, GoesOnFromASnapshotAsIfNothingHadBeen) {
  const auto decides = versions(rule_text, R"({"similar_seconds": 60, "explore_share": 0.3})");
  LedgerOptions options;
  options.keep_most = 150;
  Ledger whole(options);
  whole.set_versions(decides);
  Ledger cut(options);
  cut.set_versions(decides);
  std::mt19937_64 random(3);
  int reviews = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    TransactionRecord one = record(i, random);
    if (i % 9 == 4) one.event.amount = 12;
    if (i % 9 == 4) one.event.cents = 1200;
    Decided decided = whole.decide(one.event);
    Decided again = cut.decide(one.event);
    ASSERT_EQ(decided.tail, again.tail);
    reviews += decided.action == Action::manual_review ? 1 : 0;
    whole.apply(one, std::move(decided));
    cut.apply(one, std::move(again));
    if (i % 11 == 5) {
      const LabelRecord label{make_label(one.event, i % 2 == 0, one.event.time + 1000), 0,
                              one.received};
      whole.apply(label);
      cut.apply(label);
    }
    if (i == 250) {
      whole.apply(EraseRecord{3, one.received});
      EXPECT_GT(cut.apply(EraseRecord{3, one.received}), 0U);
    }
    if (i % 70 == 30) {
      std::istringstream in(bytes(cut));
      Ledger fresh(options);
      fresh.restore(in, [&](const std::string& text) {
        EXPECT_NE(text.find("rule big"), std::string::npos);
        return decides;
      });
      cut = std::move(fresh);
    }
    ASSERT_EQ(whole.reviews_waiting(), cut.reviews_waiting()) << i;
    ASSERT_EQ(whole.kept(), cut.kept());
  }
  EXPECT_GT(reviews, 20);
  EXPECT_EQ(bytes(whole), bytes(cut));
  EXPECT_EQ(whole.kept(), cut.kept());
  EXPECT_EQ(whole.find(1000), nullptr);
  ASSERT_NE(whole.find(1399), nullptr);
  EXPECT_EQ(whole.find(1399)->digest, 399U * 31);
}

// By a program of then: twelve decisions, one of them found to be fraud.
TEST(Ledger, ReadsTheSnapshotsOfFormerVersions) {
  std::ifstream in(TANDEM_DATA_DIR "/../tests/fraud/formats/ledger-1.snapshot", std::ios::binary);
  ASSERT_TRUE(in);
  Ledger ledger({});
  const auto load = [](const std::string& text) {
    EXPECT_NE(text.find("rule big"), std::string::npos);
    return versions(rule_text);
  };
  ledger.restore(in, load);
  EXPECT_EQ(ledger.kept(), 12U);
  ASSERT_NE(ledger.find(1008), nullptr);
  EXPECT_EQ(ledger.find(1008)->finding, Finding::fraud);
  EXPECT_EQ(ledger.find(1008)->found_at, 0);
  EXPECT_EQ(ledger.find(1003)->digest, 93U);
  EXPECT_EQ(ledger.state().counts().events, 12);
  std::stringstream kept(bytes(ledger));
  Ledger again({});
  again.restore(kept, load);
  EXPECT_EQ(bytes(again), bytes(ledger));
  std::stringstream later("tandem fraud ledger 9\n");
  EXPECT_THAT([&] { again.restore(later, load); },
              testing::ThrowsMessage<InputError>(testing::HasSubstr("formats 1 to 3")));
}

// Labels that contradict each other leave what the last one says, also in a replay, which keeps no
// answers.
TEST(Ledger, TheLastOfContradictingLabelsCounts) {
  const auto frauds = [](const Ledger& ledger, const Event& event) {
    Event later = event;
    later.time += 3'600'000;
    return compute(later, ledger.state())[static_cast<std::size_t>(feature_index("user_frauds"))];
  };
  for (const bool keep_answers : {true, false}) {
    LedgerOptions options;
    options.keep_answers = keep_answers;
    Ledger ledger(options);
    ledger.set_versions(versions("version 1"));
    std::mt19937_64 random(9);
    const TransactionRecord one = record(1, random);
    ledger.apply(one, ledger.decide(one.event));
    const Time known = one.event.time + 1000;
    ledger.apply(LabelRecord{make_label(one.event, true, known), 0, known});
    EXPECT_EQ(frauds(ledger, one.event), 1);
    LabelRecord back{make_label(one.event, false, known + 5), 0, known, known};
    // As it is written down and read.
    back = label_record(bytes_of(back));
    ledger.apply(back);
    EXPECT_EQ(frauds(ledger, one.event), 0);
    ledger.apply(LabelRecord{make_label(one.event, true, known + 9), 1, known});
    EXPECT_EQ(frauds(ledger, one.event), 1);
    if (!keep_answers) continue;
    EXPECT_EQ(ledger.find(one.event.transaction)->finding, Finding::fraud);
    EXPECT_EQ(ledger.find(one.event.transaction)->found_at, known + 9);
  }
}

TEST(Records, LabelsOfFormerLogsAreRead) {
  std::mt19937_64 random(9);
  const TransactionRecord one = record(1, random);
  std::vector<std::byte> bytes = bytes_of(LabelRecord{make_label(one.event, true, begin), 1, 7, 5});
  EXPECT_EQ(label_record(bytes).taken_back, 5);
  bytes.resize(bytes.size() - 8);
  EXPECT_EQ(label_record(bytes).taken_back, 0);
  EXPECT_EQ(label_record(bytes).received, 7);
  bytes.resize(bytes.size() - 1);
  EXPECT_THROW((void)label_record(bytes), InputError);
}

TEST(Ledger, DamagedSnapshotsAreRefused) {
  Ledger ledger({});
  ledger.set_versions(versions(rule_text));
  std::mt19937_64 random(4);
  for (std::uint64_t i = 0; i < 20; ++i) {
    const TransactionRecord one = record(i, random);
    ledger.apply(one, ledger.decide(one.event));
  }
  const std::string good = bytes(ledger);
  const auto load = [](const std::string&) { return versions(rule_text); };
  for (std::size_t length = 0; length < good.size(); length += 97) {
    std::istringstream in(good.substr(0, length));
    Ledger fresh({});
    EXPECT_THROW(fresh.restore(in, load), InputError) << length;
  }
}

TEST(Ledger, TheQueueOfReviewsHoldsTheNewest) {
  LedgerOptions options;
  options.reviews_most = 5;
  options.keep_most = 40;
  Ledger ledger(options);
  ledger.set_versions(versions("version 1 rule r when amount > 0 action review reason \"x\""));
  std::mt19937_64 random(5);
  for (std::uint64_t i = 0; i < 30; ++i) {
    TransactionRecord one = record(i, random);
    one.event.amount = 1;
    ledger.apply(one, ledger.decide(one.event));
    EXPECT_LE(ledger.reviews_waiting(), 5U);
    EXPECT_EQ(ledger.reviews(100).size(), ledger.reviews_waiting());
  }
  ASSERT_EQ(ledger.reviews(2).size(), 2U);
  EXPECT_EQ(ledger.reviews(2)[0]->transaction, 1029U);
  const Kept* oldest = ledger.reviews(100).back();
  EXPECT_EQ(oldest->transaction, 1025U);
  ledger.apply(LabelRecord{make_label(oldest->event, true, begin), 1, begin});
  EXPECT_EQ(ledger.reviews_waiting(), 4U);
  // A label of what is past the queue does not count in it.
  ledger.apply(LabelRecord{make_label(ledger.find(1010)->event, true, begin), 0, begin});
  EXPECT_EQ(ledger.reviews_waiting(), 4U);
}

TEST(Ledger, IdsAreKeptForTheirTime) {
  LedgerOptions options;
  options.keep_milliseconds = 60'000;
  Ledger ledger(options);
  ledger.set_versions(versions("version 1"));
  std::mt19937_64 random(6);
  for (std::uint64_t i = 0; i < 10; ++i) {
    const TransactionRecord one = record(i, random);
    ledger.apply(one, ledger.decide(one.event));
  }
  // One every twenty seconds: the last minute's are there.
  EXPECT_EQ(ledger.kept(), 4U);
  EXPECT_EQ(ledger.find(1005), nullptr);
  EXPECT_NE(ledger.find(1006), nullptr);
}

TEST(Decider, PartsMakeTheScoreAndRulesHoldIt) {
  std::mt19937_64 random(7);
  State state;
  const auto decide = [&](const std::string& text, double amount) {
    Decider decider(versions(text));
    TransactionRecord one = record(1, random);
    one.event.amount = amount;
    return decider.decide(one.event, compute(one.event, state));
  };
  const Decision plain = decide("version 1", 10);
  double sum = 0;
  for (const Part& part : plain.parts) {
    sum += part.contribution;
    EXPECT_NEAR(part.contribution, part.weight * part.value, 1e-12);
  }
  EXPECT_NEAR(plain.risk_score, std::min(sum, 1.0), 1e-6);
  EXPECT_EQ(plain.parts.size(), 5U);
  const std::string rule = "version 1 rule r when true weight 0.05 reason \"why\" action ";
  const Decision declined = decide(rule + "decline", 10);
  EXPECT_EQ(declined.risk_score, 0.8);
  EXPECT_EQ(declined.level, Level::critical);
  EXPECT_EQ(declined.action, Action::decline);
  EXPECT_EQ(decide(rule + "review", 10).level, Level::high);
  const Decision approved = decide(
      "version 1 rule a when true priority 1 action approve reason \"known\""
      " rule b when true weight 1 action decline reason \"no\"",
      250);
  EXPECT_EQ(approved.action, Action::approve);
  EXPECT_LT(approved.risk_score, 0.3);
  EXPECT_EQ(decide(rule + "decline dry-run", 10).risk_score, plain.risk_score);
  const Decision full = decide("version 1 rule a when true weight 1 reason \"all\"", 10);
  EXPECT_EQ(full.risk_score, 1);
  ASSERT_FALSE(full.reasons.empty());
  EXPECT_EQ(full.reasons[0].text, "all");
  EXPECT_EQ(full.reasons[0].source, "rules");
  for (std::size_t i = 1; i < full.reasons.size(); ++i) {
    EXPECT_GE(full.reasons[i - 1].weight, full.reasons[i].weight);
  }
}

TEST(Decider, AShareOfDeclinesIsApproved) {
  const std::string rule = "version 1 rule r when true action decline reason \"why\"";
  Decider decider(versions(rule, R"({"explore_share": 0.25, "explore_most_amount": 100})"));
  State state;
  std::mt19937_64 random(8);
  int explored = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    TransactionRecord one = record(i, random);
    one.event.transaction = random();
    one.event.amount = i % 2 == 0 ? 50 : 101;
    const Decision decision = decider.decide(one.event, compute(one.event, state));
    EXPECT_FALSE(i % 2 == 1 && decision.explored);
    EXPECT_EQ(decision.explored, decision.action == Action::approve);
    EXPECT_EQ(decision.level, Level::critical);
    explored += decision.explored ? 1 : 0;
  }
  // 1000 draws: five deviations of a binomial are 68.
  EXPECT_NEAR(explored, 250, 68);
}

TEST(Configuration, ErrorsNameTheMember) {
  const auto error_of = [](const std::string& changes) {
    auto json = nlohmann::json::parse(Configuration::standard_text());
    json.merge_patch(nlohmann::json::parse(changes));
    try {
      (void)Configuration::parse(json.dump(), "c.json");
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_EQ(error_of("{}"), "none");
  EXPECT_NE(error_of(R"({"model_weight": 2})").find("c.json.model_weight"), std::string::npos);
  EXPECT_NE(error_of(R"({"model_wieght": 1})").find("did you mean model_weight"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"version": null})").find("version"), std::string::npos);
  EXPECT_NE(error_of(R"({"device": {"signals": [{"feature": "amout", "from": 0, "to": 1,
                        "weight": 1}]}})")
                .find("did you mean amount"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"device": {"signals": [{"feature": "amount", "from": 1, "to": 1,
                        "weight": 1}]}})")
                .find("'from' below 'to'"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"currencies": {"base": "USD", "rates": null}})").find("currencies"),
            std::string::npos);
  EXPECT_THROW((void)Configuration::parse("{", "c.json"), InputError);
  EXPECT_THROW((void)RuleSet::parse("version 1 rule r when x", "r", rule_variables()), InputError);
  EXPECT_GE(RuleSet::parse(standard_rules(), "standard", rule_variables()).rules().size(), 7U);
}

}  // namespace
}  // namespace tandem::fraud

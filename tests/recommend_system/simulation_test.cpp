// Simulated viewers: the same bytes each time, and experiments on them that find what is true.
#include "systems/recommend/simulate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <unordered_map>

#include "core/random.hpp"
#include "systems/recommend/interleaving.hpp"
#include "systems/recommend/personaliser.hpp"
#include "systems/recommend/state.hpp"
#include "systems/serving/experiments/analysis.hpp"
#include "systems/serving/experiments/experiment.hpp"
#include "systems/statistics/rate.hpp"
#include "tandem/core/error.hpp"
#include "tandem/recommend/als.hpp"

namespace tandem::recommend {
namespace {

SimulationOptions small() {
  SimulationOptions options;
  options.users = 400;
  options.items = 240;
  options.seed = 7;
  return options;
}

std::string events_of(const SimulationOptions& options) {
  std::stringstream out;
  Simulation(options).write_events(out, [](std::int64_t) {});
  return out.str();
}

TEST(Simulation, TheSameSeedGivesTheSameBytes) {
  const std::string first = events_of(small());
  EXPECT_EQ(events_of(small()), first);
  SimulationOptions other = small();
  other.seed = 8;
  EXPECT_NE(events_of(other), first);
  // As they were when this was written: they are not to change.
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : first) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  RecordProperty("hash", std::to_string(hash));
  EXPECT_EQ(first.substr(0, 22), "user,item,weight,time\n");
  std::stringstream items;
  Simulation(small()).write_items(items);
  EXPECT_EQ(std::count(std::istreambuf_iterator<char>(items), {}, '\n'), 241);
}

TEST(Simulation, ViewersWatchWhatTheyLikeInOrderAndOnlyOnce) {
  const Simulation simulation(small());
  double liked = 0;
  double chosen = 0;
  double events = 0;
  for (std::int64_t u = 0; u < 400; ++u) {
    const Taste taste = simulation.taste(u);
    const auto history = simulation.history(u);
    ASSERT_FALSE(history.empty());
    std::vector<std::int64_t> seen;
    Time before = 0;
    for (const auto& event : history) {
      EXPECT_GE(event.time, before);
      before = event.time;
      EXPECT_GE(event.time,
                simulation.items()[static_cast<std::size_t>(event.item)].released - 1000);
      EXPECT_GT(event.weight, 0);
      EXPECT_LE(event.weight, 1);
      seen.push_back(event.item);
      chosen += simulation.interest(taste, event.item);
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(std::unique(seen.begin(), seen.end()), seen.end());
    for (std::int64_t i = 0; i < 240; ++i) liked += simulation.interest(taste, i) / 240;
    events += static_cast<double>(history.size());
  }
  // What is watched interests more than what there is.
  EXPECT_GT(chosen / events, 1.5 * liked / 400);
  EXPECT_NEAR(events / 400, 20, 4);
  EXPECT_THROW(Simulation({.users = 0}), InputError);
}

// A world with a trained model, in which configurations can be tried on viewers.
class Trial {
 public:
  Trial() : simulation_(small()) {
    std::vector<Item> items = simulation_.items();
    std::vector<std::string> names;
    for (const Item& item : items) names.push_back(item.id);
    std::sort(names.begin(), names.end());
    events_.items = names;
    auto served = std::make_shared<Served>();
    served->catalogue = std::make_shared<const Catalogue>(std::move(items));
    for (std::int64_t u = 0; u < small().users; ++u) {
      events_.users.push_back("v" + std::to_string(1'000'000 + u));
      for (const Simulation::Event& event : simulation_.history(u)) {
        events_.user.push_back(static_cast<std::int32_t>(u));
        const std::string& id = simulation_.items()[static_cast<std::size_t>(event.item)].id;
        events_.item.push_back(events_.item_number(id));
        events_.weight.push_back(event.weight);
        Event known;
        known.user = Simulation::user_name(u);
        known.item = id;
        known.weight = event.weight;
        known.time = event.time;
        state_.apply(known, *served->catalogue);
      }
    }
    state_.trending.update_popular();
    const auto engine = Engine::create({.threads = 1});
    AlsOptions options;
    options.factors = 16;
    options.iterations = 6;
    options.alpha = 10;
    std::shared_ptr<const AlsModel> model = fit(*engine, RecommenderData{events_}, options);
    served->models.push_back(
        {"main", "1", make_collaborative_source(std::move(model), *served->catalogue, {})});
    std::shared_ptr<const Recommender> popularity =
        make_recommender("popularity")->fit(*engine, RecommenderData{events_});
    served->models.push_back(
        {"popularity", "1",
         make_collaborative_source(std::move(popularity), *served->catalogue, {})});
    Configuration personal;
    personal.version = "personal";
    personal.exploration = Exploration::none;
    Configuration same = personal;
    same.version = "same";
    Configuration popular = personal;
    popular.version = "popular";
    popular.weights = {0, 0, 1, 0};
    popular.collaborative_candidates = 0;
    popular.content_candidates = 0;
    // By the model alone, of which one is ALS and the other what everybody watches.
    Configuration als = personal;
    als.version = "als";
    als.weights = {1, 0, 0, 0};
    als.content_candidates = als.trending_candidates = 0;
    Configuration by_popularity = als;
    by_popularity.version = "popularity";
    by_popularity.model = "popularity";
    served->configurations = {personal, same, popular, als, by_popularity};
    for (const Configuration& one : served->configurations) {
      served->boosts.emplace_back(one, *served->catalogue);
    }
    served_ = std::move(served);
  }

  [[nodiscard]] std::vector<ItemNumber> list(std::int64_t user, std::size_t configuration,
                                             std::size_t n) const {
    Question question;
    question.user = Simulation::user_name(user);
    question.n = n;
    question.now = small().end;
    question.asked = std::chrono::steady_clock::now();
    const ViewerView viewer = state_.viewers.view(question.user);
    Personaliser personaliser(*served_, state_.trending, question, viewer);
    std::vector<ItemNumber> items;
    for (const Ranked& one : personaliser.rank_by(configuration, n).list) items.push_back(one.item);
    return items;
  }
  // Whether the viewer watches it when it is shown: the catalogue has the simulation's numbers.
  [[nodiscard]] bool watches(std::int64_t user, ItemNumber item) const {
    const Random random(23, Purpose::test, static_cast<std::uint32_t>(item));
    return random.uniform<double>(static_cast<std::uint64_t>(user)) <
           simulation_.interest(simulation_.taste(user), item);
  }
  [[nodiscard]] double interest(std::int64_t user, ItemNumber item) const {
    return simulation_.interest(simulation_.taste(user), item);
  }
  [[nodiscard]] const Served& served() const { return *served_; }
  [[nodiscard]] const State& state() const { return state_; }

  // What of two configurations, by an experiment whose arms viewers get by their names.
  [[nodiscard]] experiments::Comparison compare(std::size_t control, std::size_t arm) const {
    experiments::Experiment experiment;
    experiment.name = experiment.seed = "trial";
    experiment.unit = "user";
    experiment.arms = {{"control", 0.5, {}}, {"arm", 0.5, {}}};
    experiments::Moments moments[2];
    for (std::int64_t u = 0; u < small().users; ++u) {
      const nlohmann::json attributes{{"user", Simulation::user_name(u)}};
      const int got = experiments::assign(experiment, attributes, 0).arm;
      EXPECT_EQ(experiments::assign(experiment, attributes, 1'000'000'000).arm, got);
      double watched = 0;
      for (const ItemNumber item : list(u, got == 0 ? control : arm, 10)) {
        watched += watches(u, item) ? 1 : 0;
      }
      moments[got].add(watched);
    }
    return experiments::compare_arms(moments[0], moments[1], 0, {.planned_units = 400});
  }

 private:
  Simulation simulation_;
  Interactions events_;
  State state_{6};
  std::shared_ptr<const Served> served_;
};

const Trial& trial() {
  static const Trial made;
  return made;
}

TEST(Experiment, TheBetterAlgorithmWinsAtEveryLook) {
  const experiments::Comparison found = trial().compare(2, 0);
  EXPECT_GT(found.difference, 0.3);
  EXPECT_GT(found.sequential.low, 0);
}

TEST(Experiment, EqualOnesDoNot) {
  const experiments::Comparison found = trial().compare(0, 1);
  EXPECT_LT(found.sequential.low, 0);
  EXPECT_GT(found.sequential.high, 0);
  EXPECT_GT(found.p, 0.01);
}

TEST(Experiment, InterleavingSeesItToo) {
  const auto wins_of = [](std::size_t first, std::size_t second) {
    std::int64_t wins[2]{0, 0};
    std::int64_t ties = 0;
    for (std::int64_t u = 0; u < 400; ++u) {
      const Interleaved mixed = interleave(trial().list(u, first, 10), trial().list(u, second, 10),
                                           10, 31, static_cast<std::uint64_t>(u));
      std::int64_t clicks[2]{0, 0};
      for (std::size_t i = 0; i < mixed.items.size(); ++i) {
        clicks[mixed.teams[i]] += trial().watches(u, mixed.items[i]) ? 1 : 0;
      }
      if (clicks[0] == clicks[1]) {
        ++ties;
      } else {
        ++wins[clicks[0] > clicks[1] ? 0 : 1];
      }
    }
    return judge(wins[0], wins[1], ties);
  };
  const InterleavingResult better = wins_of(0, 2);
  EXPECT_GT(better.first_wins, better.second_wins);
  EXPECT_LT(better.p, 0.001);
  EXPECT_GT(wins_of(0, 1).p, 0.01);
}

// Every item of the lists of a configuration, with the probability that its viewer watches it.
struct Lists {
  std::vector<std::vector<ItemNumber>> items;
  std::vector<std::vector<double>> interest;
};

Lists lists_of(std::size_t configuration) {
  Lists made;
  for (std::int64_t u = 0; u < small().users; ++u) {
    made.items.push_back(trial().list(u, configuration, 10));
    made.interest.emplace_back();
    for (const ItemNumber item : made.items.back()) {
      made.interest.back().push_back(trial().interest(u, item));
    }
  }
  return made;
}

// How often an experiment of two configurations is won, each run with new viewers' moods and a new
// assignment.
struct Rates {
  int runs = 0;
  int significant = 0;  // p < 0.05 when all is over
  int better = 0;       // the sequential interval is above 0
  int worse = 0;        // below 0
  int first_mixed = 0;  // interleaved: p < 0.05, and the first has more wins
  int second_mixed = 0;
};

Rates rates_of(const Lists& control, const Lists& arm, int runs) {
  Rates rates;
  rates.runs = runs;
  const auto users = static_cast<std::size_t>(small().users);
  std::vector<nlohmann::json> attributes;
  for (std::size_t u = 0; u < users; ++u) {
    attributes.push_back({{"user", Simulation::user_name(static_cast<std::int64_t>(u))}});
  }
  for (int run = 0; run < runs; ++run) {
    const Random random(static_cast<std::uint64_t>(run) + 100, Purpose::test, 5);
    std::uint64_t next = 0;
    experiments::Experiment experiment;
    experiment.name = experiment.seed = "run-" + std::to_string(run);
    experiment.unit = "user";
    experiment.arms = {{"control", 0.5, {}}, {"arm", 0.5, {}}};
    experiments::Moments moments[2];
    std::int64_t wins[2]{0, 0};
    std::int64_t ties = 0;
    for (std::size_t u = 0; u < users; ++u) {
      const int got = experiments::assign(experiment, attributes[u], 0).arm;
      double watched = 0;
      for (const double interest : (got == 0 ? control : arm).interest[u]) {
        watched += random.uniform<double>(next++) < interest ? 1 : 0;
      }
      moments[got].add(watched);
      const Interleaved mixed =
          interleave(control.items[u], arm.items[u], 10, static_cast<std::uint64_t>(run) + 7, u);
      int clicks[2]{0, 0};
      for (std::size_t i = 0; i < mixed.items.size(); ++i) {
        const Lists& of = mixed.teams[i] == 0 ? control : arm;
        const auto at = std::find(of.items[u].begin(), of.items[u].end(), mixed.items[i]);
        const double interest = of.interest[u][static_cast<std::size_t>(at - of.items[u].begin())];
        clicks[mixed.teams[i]] += random.uniform<double>(next++) < interest ? 1 : 0;
      }
      if (clicks[0] == clicks[1]) {
        ++ties;
      } else {
        ++wins[clicks[0] > clicks[1] ? 0 : 1];
      }
    }
    const auto found = experiments::compare_arms(moments[0], moments[1], 0,
                                                 {.planned_units = static_cast<double>(users)});
    rates.significant += found.p < 0.05 ? 1 : 0;
    rates.better += found.sequential.low > 0 ? 1 : 0;
    rates.worse += found.sequential.high < 0 ? 1 : 0;
    if (judge(wins[0], wins[1], ties).p < 0.05) {
      ++(wins[0] > wins[1] ? rates.first_mixed : rates.second_mixed);
    }
  }
  return rates;
}

TEST(Experiment, BetterAlgorithmsWinAndEqualOnesDoNotAtTheirRates) {
  constexpr int runs = 600;
  const Lists personal = lists_of(0);
  const Rates equal = rates_of(personal, lists_of(1), runs);
  using statistics::Promise;
  const auto kept = [&](Promise promise, int count) {
    const statistics::Rate rate{"", promise, 0.05, count, runs};
    EXPECT_TRUE(rate.kept()) << count << ", expected " << rate.lowest() << " to " << rate.highest();
  };
  kept(Promise::equal, equal.significant);
  kept(Promise::at_most, equal.better + equal.worse);
  kept(Promise::at_most, equal.first_mixed + equal.second_mixed);
  const Rates ranking = rates_of(lists_of(2), personal, runs / 6);
  EXPECT_GE(ranking.better, ranking.runs * 95 / 100);
  EXPECT_EQ(ranking.worse, 0);
  EXPECT_GE(ranking.second_mixed, ranking.runs * 99 / 100);
  // The same with nothing but the model different.
  const Rates algorithm = rates_of(lists_of(4), lists_of(3), runs / 6);
  EXPECT_GE(algorithm.better, algorithm.runs * 95 / 100);
  EXPECT_EQ(algorithm.worse, 0);
  EXPECT_GE(algorithm.second_mixed, algorithm.runs * 99 / 100);
}

TEST(Personaliser, ReasonsAreTrue) {
  const Served& served = trial().served();
  const Catalogue& catalogue = *served.catalogue;
  std::unordered_map<int, int> types;
  for (std::int64_t u = 0; u < 60; ++u) {
    Question question;
    question.user = Simulation::user_name(u);
    question.n = 10;
    question.now = small().end;
    question.asked = std::chrono::steady_clock::now();
    const ViewerView viewer = trial().state().viewers.view(question.user);
    Personaliser personaliser(served, trial().state().trending, question, viewer);
    const Ranking ranking = personaliser.rank_by(0, 10);
    ASSERT_EQ(ranking.list.size(), 10U);
    const auto leaders = trial().state().trending.leaders(question.now);
    for (const Ranked& one : ranking.list) {
      const Recommendation made = personaliser.explain(one, 0, no_item);
      ++types[static_cast<int>(made.type)];
      const auto watched = [&](ItemNumber item) {
        return std::any_of(viewer.history.begin(), viewer.history.end(),
                           [&](const Watched& seen) { return seen.item == item; });
      };
      EXPECT_FALSE(watched(one.item));
      const auto leads = [&] {
        for (std::size_t k = 0; k < std::min<std::size_t>(20, leaders.size()); ++k) {
          if (leaders[k].item == one.item && leaders[k].score >= 1) return true;
        }
        return false;
      };
      // The precedence: what leads is trending, whatever else is true of it.
      EXPECT_EQ(made.type == RecommendationType::trending, leads());
      for (const ItemNumber item : made.because) {
        EXPECT_TRUE(watched(item));
        EXPECT_NE(made.explanation.find(catalogue.name(item)), std::string::npos);
        if (made.type == RecommendationType::similar_to_watched) {
          EXPECT_GE(catalogue.similarity(item, one.item), 0.35F);
        }
      }
      const bool because = made.type == RecommendationType::similar_to_watched ||
                           made.type == RecommendationType::collaborative;
      EXPECT_EQ(!made.because.empty(), because);
      if (made.explanation.find("also by ") != std::string::npos) {
        for (const ItemNumber item : made.because) {
          EXPECT_EQ(catalogue.item(item).creator, catalogue.item(one.item).creator);
        }
      }
    }
  }
  EXPECT_GT(types[static_cast<int>(RecommendationType::similar_to_watched)], 0);
  EXPECT_GT(types[static_cast<int>(RecommendationType::collaborative)], 0);
}

TEST(Personaliser, WhatIsLateIsSaidAndTheRestAnswers) {
  const Served& served = trial().served();
  Question question;
  question.user = Simulation::user_name(0);
  question.n = 5;
  question.now = small().end;
  question.asked = std::chrono::steady_clock::now() - std::chrono::seconds(10);
  const ViewerView viewer = trial().state().viewers.view(question.user);
  Personaliser personaliser(served, trial().state().trending, question, viewer);
  const Ranking ranking = personaliser.rank_by(0, 5);
  EXPECT_EQ(ranking.missing, (std::vector<std::string>{"collaborative", "content"}));
  EXPECT_EQ(ranking.list.size(), 5U);
}

TEST(Personaliser, FiltersHold) {
  const Served& served = trial().served();
  Question question;
  question.user = "nobody";
  question.n = 10;
  question.now = small().end;
  question.asked = std::chrono::steady_clock::now();
  question.genre = "horror";
  question.age = 15;
  const ViewerView viewer;
  Personaliser personaliser(served, trial().state().trending, question, viewer);
  const Ranking ranking = personaliser.rank_by(0, 10);
  EXPECT_TRUE(ranking.cold);
  EXPECT_FALSE(ranking.list.empty());
  for (const Ranked& one : ranking.list) {
    EXPECT_EQ(served.catalogue->item(one.item).genre, "horror");
    EXPECT_LE(served.catalogue->item(one.item).age, 15);
  }
}

}  // namespace
}  // namespace tandem::recommend

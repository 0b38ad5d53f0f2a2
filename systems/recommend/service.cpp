#include "systems/recommend/service.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>

#include "core/file.hpp"
#include "systems/recommend/answer_json.hpp"
#include "systems/recommend/model_place.hpp"
#include "tandem/core/error.hpp"
#include "tandem/recommend/interactions.hpp"

namespace tandem::recommend {
namespace {

constexpr std::size_t most_given = 200'000;  // answers whose clicks can still be told

Time wall_clock() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string hexadecimal(std::uint64_t value) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[(value >> shift) & 0xF];
  return text;
}

// FNV-1a with 64 bits.
std::string version_of(const std::vector<std::uint8_t>& bytes) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3ULL;
  return hexadecimal(hash);
}

experiments::Experiment read_experiment(const std::string& path) {
  const auto bytes = read_file(path);
  try {
    return experiments::Experiment::parse(nlohmann::json::parse(bytes.begin(), bytes.end()));
  } catch (const nlohmann::json::exception& error) {
    throw InputError(path + ": is no JSON: " + error.what());
  } catch (const InputError& error) {
    throw InputError(path + ": " + error.what());
  }
}

bool is_reward(EventKind kind) {
  return kind == EventKind::watch || kind == EventKind::click || kind == EventKind::like;
}

}  // namespace

struct Service::Places {
  std::size_t configuration = 0;
  int other = -1;  // the second configuration of an interleaved answer
  int arm = -1;
};

Service::Service(ServiceOptions options, http::Metrics& metrics, http::Log& log)
    : options_(std::move(options)),
      metrics_(metrics),
      log_(log),
      state_(options_.trending_half_life_hours),
      cache_(options_.cache_bytes, options_.cache_life),
      collaborative_metrics_(metrics_of("collaborative")),
      content_metrics_(metrics_of("content")) {
  for (std::size_t i = 0; i < stage_count; ++i) {
    // 1 µs to 16 ms.
    static const std::vector<double> bounds = [] {
      std::vector<double> made;
      for (double bound = 1e-6; bound < 0.02; bound *= 2) made.push_back(bound);
      return made;
    }();
    stage_metrics_[i] = &metrics_.histogram("tandem_recommend_stage_seconds",
                                            "Time that a part of an answer's work took", bounds,
                                            {{"stage", std::string(enum_names<Stage>[i])}});
  }
  std::random_device entropy;
  nonce_ = options_.seed != 0 ? options_.seed
                              : std::uint64_t{entropy()} << 32 | std::uint64_t{entropy()};
  served_ = load();
  if (!options_.experiment.empty()) {
    experiments::Experiment experiment = read_experiment(options_.experiment);
    for (const experiments::Arm& arm : experiment.arms) {
      if (!arm.version.empty() && served_->configuration(arm.version) < 0) {
        throw InputError(options_.experiment + ": the arm '" + arm.name + "' is of version '" +
                         arm.version + "', which no configuration has");
      }
    }
    if (options_.interleave && experiment.arms.size() != 2) {
      throw InputError(options_.experiment + ": two arms can be interleaved, and it has " +
                       std::to_string(experiment.arms.size()));
    }
    std::error_code failure;
    std::filesystem::create_directories(options_.state, failure);
    if (failure) throw SystemError(options_.state + ": " + failure.message());
    desk_ = std::make_unique<ExperimentDesk>(
        options_.experiment_store.empty() ? options_.state + "/experiments.sqlite"
                                          : options_.experiment_store,
        std::move(experiment), metrics_, log_, options_.guard_every);
  } else if (options_.interleave) {
    throw InputError("interleaving needs an experiment, whose two arms it mixes");
  }
  const auto catalogue = [this] { return served()->catalogue; };
  options_.choices.folder = options_.state + "/choices";
  choices_ = std::make_unique<ChoiceJournal>(options_.choices, state_.tallies, catalogue, log_);
  for (const OpenChoice& one : choices_->found()) {
    GivenAnswer given;
    given.explored = one.item;
    given.rewarded = one.rewarded;
    note(one.answer, std::move(given));
  }
  options_.log.folder = options_.state + "/events";
  event_log_ = std::make_unique<EventLog>(
      options_.log, state_, catalogue, [this](const Event& event) { applied(event); }, log_);
  const Replayed& replayed = event_log_->replayed();
  log_.write(http::LogLevel::info, "read the log of events",
             {{"events", replayed.events},
              {"skipped", replayed.skipped},
              {"cut_bytes", static_cast<std::int64_t>(replayed.cut_bytes)},
              {"viewers", static_cast<std::int64_t>(state_.viewers.size())}});
  if (replayed.fresh && !options_.history.empty()) read_history();
  calibrate(*served_);
  metrics_.before_reading([this] { measure(); });
  if (options_.sharing) {
    SharingOptions sharing = *options_.sharing;
    sharing.file = options_.state + "/shared-removals";
    sharing_ = std::make_unique<Sharing>(
        std::move(sharing), state_,
        Sharing::Here{
            .catalogue = catalogue,
            .forget = [this](const std::string& user,
                             EventLog::Done done) { forget_here(user, std::move(done)); },
            .changed = [this](const std::string& user) { cache_.drop_prefix(user + '\0'); }},
        metrics_, log_);
  }
}

Service::~Service() {
  // It adds removals to the log, which ends first, since what is in it is told of.
  if (sharing_) sharing_->stop_listening();
}

// The lists that are looked at are as many as the viewers' own questions need.
void Service::calibrate(const Served& served) const {
  std::vector<std::vector<WeightedItem>> asked;
  for (const auto& history : state_.viewers.sample(128, 3)) {
    asked.emplace_back();
    for (const Watched& one : history) {
      asked.back().push_back({one.item, static_cast<double>(one.strength)});
    }
  }
  if (asked.empty()) return;
  for (const NamedModel& model : served.models) model.source->calibrate(asked);
}

std::shared_ptr<const Served> Service::served() const {
  const std::scoped_lock lock(served_mutex_);
  return served_;
}

std::shared_ptr<const Served> Service::load() {
  auto made = std::make_shared<Served>();
  const std::shared_ptr<const Served> before = served();
  std::vector<std::shared_ptr<const Recommender>> recommenders;
  for (const ModelFile& file : options_.models) {
    const std::string path = model_file(file.path);
    const auto bytes = read_file(path);
    recommenders.emplace_back(load_recommender(bytes, path).model);
    made->models.push_back({file.name, version_of(bytes), nullptr});
  }
  std::vector<Item> items;
  if (!options_.items.empty()) items = read_items(options_.items);
  std::unordered_map<std::string_view, bool> listed;
  for (const Item& item : items) listed.emplace(item.id, true);
  std::vector<Item> unknown;
  for (const auto& recommender : recommenders) {
    for (const std::string& id : recommender->items()) {
      if (!listed.emplace(id, true).second) continue;
      Item item;
      item.id = id;
      unknown.push_back(std::move(item));
    }
  }
  items.insert(items.end(), std::make_move_iterator(unknown.begin()),
               std::make_move_iterator(unknown.end()));
  made->catalogue = std::make_shared<const Catalogue>(std::move(items),
                                                      before ? before->catalogue.get() : nullptr);
  for (std::size_t i = 0; i < recommenders.size(); ++i) {
    made->models[i].source =
        make_collaborative_source(recommenders[i], *made->catalogue, options_.lists);
  }
  made->configurations = options_.configurations.empty()
                             ? Configurations{Configuration{}}
                             : read_configurations(options_.configurations);
  for (const Configuration& one : made->configurations) {
    if (made->model(one.model) == nullptr) {
      throw InputError(options_.configurations + ": the configuration '" + one.version +
                       "' asks the model '" + one.model + "', which is not served");
    }
    made->boosts.emplace_back(one, *made->catalogue);
  }
  made->number = before ? before->number + 1 : 0;
  return made;
}

void Service::reload() {
  const std::scoped_lock alone(reload_mutex_);
  std::shared_ptr<const Served> made = load();
  calibrate(*made);
  if (desk_) {
    for (const experiments::Arm& arm : desk_->experiment().arms) {
      if (!arm.version.empty() && made->configuration(arm.version) < 0) {
        throw InputError("the running experiment needs the configuration '" + arm.version + "'");
      }
    }
  }
  const std::scoped_lock lock(served_mutex_);
  served_ = std::move(made);
}

// Events that lie before the log: they are in the first snapshot, and nowhere else.
void Service::read_history() {
  const Interactions events = read_interactions(options_.history);
  const auto catalogue = served()->catalogue;
  std::vector<ItemNumber> numbers;
  for (const std::string& id : events.items) numbers.push_back(catalogue->find(id));
  std::vector<Index> order(static_cast<std::size_t>(events.size()));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Index>(i);
  if (events.has_times()) {
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
      return events.time[static_cast<std::size_t>(a)] < events.time[static_cast<std::size_t>(b)];
    });
  }
  const Time now = wall_clock();
  std::int64_t left_out = 0;
  Event event;
  for (const Index at : order) {
    const auto i = static_cast<std::size_t>(at);
    const ItemNumber item = numbers[static_cast<std::size_t>(events.item[i])];
    if (item == no_item) {
      ++left_out;
      continue;
    }
    event.user = events.users[static_cast<std::size_t>(events.user[i])];
    event.weight = std::min(1.0, events.weight_of(at));
    if (!(event.weight > 0)) continue;
    event.time = events.has_times()
                     ? std::clamp<Time>(static_cast<Time>(events.time[i] * 1000), 0, now)
                     : now;
    state_.viewers.apply(event, item, ++state_.feedback);
    state_.trending.add(item, event.time, strength(event));
  }
  state_.trending.update_popular();
  log_.write(http::LogLevel::info, "read the history",
             {{"events", static_cast<std::int64_t>(events.size())},
              {"of_unknown_items", left_out},
              {"viewers", static_cast<std::int64_t>(state_.viewers.size())}});
  event_log_->write_snapshot();
}

Service::Places Service::place(const Served& served, const Question& question) const {
  Places places;
  if (!desk_) return places;
  places.arm = desk_->arm_of(question.user, question.now);
  if (places.arm < 0) return places;
  const auto of_arm = [&](std::size_t arm) {
    const std::string& version = desk_->experiment().arms[arm].version;
    return version.empty() ? 0 : served.configuration(version);
  };
  if (options_.interleave) {
    places.arm = -1;
    places.configuration = static_cast<std::size_t>(of_arm(0));
    places.other = of_arm(1);
  } else {
    places.configuration = static_cast<std::size_t>(of_arm(static_cast<std::size_t>(places.arm)));
  }
  return places;
}

void Service::answer(const Question& question,
                     const std::function<void(const AnswerCache::Text&)>& send) {
  std::vector<std::string> away;
  if (!look_elsewhere(question.user)) away.emplace_back("redis");
  if (kafka_away_) away.emplace_back("kafka");
  const std::shared_ptr<const Served> served = this->served();
  const Places places = place(*served, question);
  if (places.arm >= 0) desk_->expose(question.user, places.arm, question.now);
  std::string key;
  bool mine = true;
  if (cache_.on()) {
    const Configuration& configuration = served->configurations[places.configuration];
    // The number of the served models stands for the versions of model and configuration too.
    for (const std::string& part :
         {question.user, std::to_string(question.n), question.genre,
          question.age ? std::to_string(*question.age) : std::string(), configuration.version,
          served->model(configuration.model)->version, std::to_string(served->number),
          std::to_string(places.arm), std::to_string(places.other),
          std::to_string(state_.viewers.feedback(question.user))}) {
      key += part;
      key += '\0';
    }
    for (const std::string& one : away) key += one;
    if (const auto text = cache_.find(key, question.asked, send, mine)) {
      send(text);
      return;
    }
    if (!mine) return;
  }
  try {
    auto text = std::make_shared<const std::string>(work_out(*served, question, places, away));
    // Who waits is answered from here too.
    cache_.put(key, text, std::chrono::steady_clock::now());
    send(text);
  } catch (...) {
    cache_.give_up(key);
    throw;
  }
}

// The last place of the list is the one that explores: its pool is what the ranking would have had
// there, and what comes next.
void Service::choose(const Served& served, const Question& question,
                     const Configuration& configuration, std::vector<Ranked>& list,
                     const std::string& answer, std::uint64_t number, ItemNumber& explored) {
  const std::size_t last = question.n - 1;
  // What cannot be logged with its propensity is not explored.
  if (configuration.exploration == Exploration::none || list.size() <= last || choices_->failed() ||
      !takes_part(configuration, nonce_, number)) {
    if (list.size() > question.n) list.resize(question.n);
    return;
  }
  std::vector<Tally> tallies;
  for (std::size_t i = last; i < list.size(); ++i) {
    tallies.push_back(state_.tallies.of(list[i].item));
  }
  const Drawn drawn = draw(configuration, tallies, nonce_, number);
  Choice choice;
  choice.answer = answer;
  choice.time = question.now;
  choice.configuration = configuration.version;
  choice.chosen = static_cast<std::uint32_t>(drawn.index);
  choice.propensity = drawn.propensity;
  for (std::size_t i = last; i < list.size(); ++i) {
    choice.pool.push_back(served.catalogue->item(list[i].item).id);
  }
  const Ranked chosen = list[last + drawn.index];
  if (!choices_->add(choice, chosen.item)) {
    list.resize(question.n);
    return;
  }
  if (drawn.index > 0) explored = chosen.item;
  list[last] = chosen;
  list.resize(question.n);
  GivenAnswer given;
  given.explored = chosen.item;
  note(answer, std::move(given));
}

std::string Service::work_out(const Served& served, const Question& question, const Places& places,
                              const std::vector<std::string>& away) {
  const std::uint64_t number = ++answers_;
  const std::string id = hexadecimal(nonce_ ^ number * 0x9E3779B97F4A7C15ULL);
  const ViewerView viewer = state_.viewers.view(question.user);
  const Configuration& configuration = served.configurations[places.configuration];
  Personaliser personaliser(served, state_.trending, question, viewer);
  AnswerText answer{.id = id,
                    .user = question.user,
                    .configuration = configuration.version,
                    .model = served.model(configuration.model)->version};
  std::vector<Recommendation> items;
  if (places.other >= 0) {
    const auto second = static_cast<std::size_t>(places.other);
    Personaliser of_second(served, state_.trending, question, viewer);
    const Ranking a = personaliser.rank_by(places.configuration, question.n);
    const Ranking b = of_second.rank_by(second, question.n);
    count(a);
    count(b);
    const auto numbers = [](const Ranking& ranking) {
      std::vector<ItemNumber> list;
      for (const Ranked& one : ranking.list) list.push_back(one.item);
      return list;
    };
    const Interleaved mixed = interleave(numbers(a), numbers(b), question.n, nonce_, number);
    GivenAnswer given;
    given.interleaved = true;
    for (std::size_t i = 0; i < mixed.items.size(); ++i) {
      const bool first = mixed.teams[i] == 0;
      const auto& list = first ? a.list : b.list;
      const auto at = std::find_if(list.begin(), list.end(),
                                   [&](const Ranked& one) { return one.item == mixed.items[i]; });
      items.push_back(first ? personaliser.explain(*at, places.configuration, no_item)
                            : of_second.explain(*at, second, no_item));
      items.back().team = mixed.teams[i];
      given.teams.emplace_back(mixed.items[i], mixed.teams[i]);
    }
    note(id, std::move(given));
    answer.missing = a.missing;
    answer.cold = a.cold;
    answer.interleaved_with = served.configurations[second].version;
  } else {
    const bool explores = configuration.exploration != Exploration::none;
    const std::size_t more =
        explores ? static_cast<std::size_t>(configuration.exploration_pool) - 1 : 0;
    Ranking ranking = personaliser.rank_by(places.configuration, question.n + more);
    count(ranking);
    ItemNumber explored = no_item;
    choose(served, question, configuration, ranking.list, id, number, explored);
    personaliser.stages().lap(Stage::choose);
    for (const Ranked& one : ranking.list) {
      items.push_back(personaliser.explain(one, places.configuration, explored));
    }
    answer.missing = ranking.missing;
    answer.cold = ranking.cold;
  }
  answer.missing.insert(answer.missing.end(), away.begin(), away.end());
  if (places.arm >= 0) {
    answer.experiment = desk_->experiment().name;
    answer.arm = desk_->experiment().arms[static_cast<std::size_t>(places.arm)].name;
  } else if (places.other >= 0) {
    answer.experiment = desk_->experiment().name;
  }
  personaliser.stages().lap(Stage::explain);
  std::string text = answer_json(answer, items, *served.catalogue);
  personaliser.stages().lap(Stage::write);
  count(personaliser.stages());
  return text;
}

Service::SourceMetrics Service::metrics_of(const std::string& source) const {
  return {
      metrics_.counter("tandem_recommend_source_missing_total",
                       "Answers that a source was late for", {{"source", source}}),
      metrics_.histogram("tandem_recommend_source_seconds", "Time that a source took for an answer",
                         http::latency_bounds(), {{"source", source}})};
}

void Service::count(const Ranking& ranking) {
  for (const std::string& source : ranking.missing) {
    (source == "content" ? content_metrics_ : collaborative_metrics_).missing.add();
  }
  collaborative_metrics_.seconds.observe(ranking.collaborative_seconds);
  content_metrics_.seconds.observe(ranking.content_seconds);
}

void Service::count(const Stages& stages) {
  for (std::size_t i = 0; i < stage_count; ++i) stage_metrics_[i]->observe(stages.seconds(i));
}

void Service::tend() { choices_->shorten(wall_clock()); }

std::string Service::not_ready() const {
  return event_log_->failed() ? "the log of events has failed: " + event_log_->failure() : "";
}

void Service::note(const std::string& answer, GivenAnswer given) {
  const std::scoped_lock lock(given_mutex_);
  given_.emplace(answer, std::move(given));
  given_order_.push_back(answer);
  if (given_order_.size() > most_given) {
    given_.erase(given_order_.front());
    given_order_.pop_front();
  }
}

void Service::take(std::vector<Event> events, EventLog::Done done) {
  const auto catalogue = served()->catalogue;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (catalogue->find(events[i].item) == no_item) {
      throw http::HttpError(400, "events[" + std::to_string(i) + "]: there is no item '" +
                                     events[i].item + "'; nothing of this request was kept");
    }
  }
  if (!sharing_) {
    event_log_->add(std::move(events), std::move(done));
    return;
  }
  std::vector<std::string> users;
  for (const Event& event : events) users.push_back(event.user);
  event_log_->add(std::move(events),
                  [this, users = std::move(users), done = std::move(done)](std::int64_t applied) {
                    if (applied < 0) {
                      done(applied);
                    } else {
                      sharing_->tell(users, [done, applied] { done(applied); });
                    }
                  });
}

void Service::forget_here(const std::string& user, EventLog::Done done) {
  Event event;
  event.user = user;
  event.kind = EventKind::forget;
  event.time = wall_clock();
  event_log_->add({event}, std::move(done));
}

void Service::forget(const std::string& user, Forgotten done) {
  forget_here(user, [this, user, done = std::move(done)](std::int64_t applied) {
    if (applied < 0 || !sharing_) {
      done(applied >= 0, true);
    } else {
      sharing_->forget(user, [done](bool told) { done(true, told); });
    }
  });
}

bool Service::look_elsewhere(const std::string& user) { return !sharing_ || sharing_->look(user); }

// An event has changed what is known; called by the thread that found that it is safe.
void Service::applied(const Event& event) {
  if (event.kind == EventKind::forget) {
    cache_.drop_prefix(event.user + '\0');
    return;
  }
  if (desk_) desk_->outcome(event);
  if (event.answer.empty() || !is_reward(event.kind)) return;
  const ItemNumber item = served()->catalogue->find(event.item);
  bool rewarded = false;
  {
    const std::scoped_lock lock(given_mutex_);
    const auto found = given_.find(event.answer);
    if (found == given_.end()) return;
    GivenAnswer& given = found->second;
    if (given.interleaved) {
      for (const auto& [one, team] : given.teams) {
        if (one != item) continue;
        // The answer's verdict before and after this click.
        const auto verdict = [&](std::int64_t by) {
          if (given.clicks[0] == 0 && given.clicks[1] == 0) return;
          if (given.clicks[0] == given.clicks[1]) {
            ties_ += by;
          } else {
            wins_[given.clicks[0] > given.clicks[1] ? 0 : 1] += by;
          }
        };
        verdict(-1);
        ++given.clicks[team];
        verdict(1);
        break;
      }
    } else if (given.explored == item && !given.rewarded) {
      given.rewarded = true;
      rewarded = true;
    }
  }
  if (rewarded) (void)choices_->add_reward(event.answer, item);
}

}  // namespace tandem::recommend

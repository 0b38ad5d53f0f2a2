#include "systems/recommend/personaliser.hpp"

#include <algorithm>
#include <cmath>

namespace tandem::recommend {
namespace {

constexpr float not_known = std::numeric_limits<float>::quiet_NaN();
constexpr std::size_t profile_terms = 6;    // whose items are candidates
constexpr std::size_t popular_items = 300;  // candidates of somebody who is not known
constexpr std::size_t of_one_genre = 2000;  // candidates where one genre is asked for

double seconds_since(SteadyTime begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

SteadyTime after(SteadyTime begin, double milliseconds) {
  return begin + std::chrono::microseconds(static_cast<std::int64_t>(milliseconds * 1000));
}

// A number per item or term that is all but empty: cleared by what was written.
class Scratch {
 public:
  void grow(std::size_t size) {
    if (values_.size() < size) values_.resize(size, 0.0F);
  }
  float& operator[](std::size_t at) { return values_[at]; }
  void touch(std::uint32_t at) { touched_.push_back(at); }
  [[nodiscard]] const std::vector<std::uint32_t>& touched() const { return touched_; }
  void clear() {
    for (const std::uint32_t at : touched_) values_[at] = 0;
    touched_.clear();
  }

 private:
  std::vector<float> values_;
  std::vector<std::uint32_t> touched_;
};

Scratch& profile_scratch() {
  thread_local Scratch scratch;
  return scratch;
}
Scratch& candidate_scratch() {
  thread_local Scratch scratch;
  return scratch;
}
Scratch& leader_scratch() {
  thread_local Scratch scratch;
  return scratch;
}

}  // namespace

const NamedModel* Served::model(std::string_view name) const {
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const NamedModel& one) { return one.name == name; });
  return found == models.end() ? nullptr : &*found;
}

int Served::configuration(std::string_view version) const {
  for (std::size_t i = 0; i < configurations.size(); ++i) {
    if (configurations[i].version == version) return static_cast<int>(i);
  }
  return -1;
}

Personaliser::Personaliser(const Served& served, const Trending& trending, const Question& question,
                           const ViewerView& viewer)
    : served_(served),
      catalogue_(*served.catalogue),
      trending_(trending),
      question_(question),
      viewer_(viewer),
      genre_(question.genre.empty() ? 0 : served.catalogue->find_genre(question.genre)),
      leaders_(trending.leaders(question.now)) {
  for (const Watched& one : viewer.history) seen_.push_back(one.item);
  std::sort(seen_.begin(), seen_.end());
}

bool Personaliser::eligible(ItemNumber number, const Configuration& configuration,
                            const BoostTable& boosts) const {
  if (number >= catalogue_.size()) return false;
  const Item& item = catalogue_.item(number);
  if (!item.listed || boosts.blocked(number)) return false;
  if (item.age > 0) {
    const std::int64_t age = question_.age.value_or(configuration.viewer_age);
    if ((question_.age || configuration.viewer_age > 0) && age < item.age) return false;
  }
  if (genre_ != 0 && catalogue_.genre(number) != genre_) return false;
  if (std::binary_search(viewer_.hidden.begin(), viewer_.hidden.end(), number)) return false;
  return configuration.seen_again || !std::binary_search(seen_.begin(), seen_.end(), number);
}

// The latest items of the history: their strength halves with age, and counts more in a session.
void Personaliser::weigh_history(const Configuration& configuration) {
  history_.clear();
  const auto items = static_cast<std::size_t>(configuration.history_items);
  const auto now = static_cast<double>(question_.now) / 1000;
  for (auto at = viewer_.history.rbegin(); at != viewer_.history.rend() && history_.size() < items;
       ++at) {
    const double age = std::max(0.0, now - static_cast<double>(at->time));
    double weight = static_cast<double>(at->strength) *
                    std::exp2(-age / (configuration.history_half_life_days * 86'400));
    if (age <= configuration.session_minutes * 60) weight *= configuration.session_times;
    // Far in the past is little, and never nothing: it is all that is known of some.
    history_.push_back({at->item, std::max(weight, 1e-3)});
  }
}

void Personaliser::add(ItemNumber item, const Configuration& configuration,
                       const BoostTable& boosts, float collaborative) {
  Scratch& there = candidate_scratch();
  if (item >= catalogue_.size() || there[item] > 0) return;
  there[item] = 1;
  there.touch(item);
  if (!eligible(item, configuration, boosts)) return;
  candidates_.push_back({item, {collaborative, 0, 0, 0}});
}

void Personaliser::find_collaborative(const Configuration& configuration, Ranking& ranking) {
  const auto begin = std::chrono::steady_clock::now();
  const SteadyTime deadline = after(question_.asked, configuration.collaborative_deadline_ms);
  asked_.reset();
  const NamedModel* const model = served_.model(configuration.model);
  if (model != nullptr && !history_.empty()) {
    if (begin > deadline) {
      ranking.missing.emplace_back("collaborative");
    } else {
      asked_ = model->source->ask(history_);
      stages_.lap(Stage::fold_in);
      if (asked_ && configuration.collaborative_candidates > 0) {
        // Items that were seen are among the best, and go.
        const auto count = static_cast<std::size_t>(configuration.collaborative_candidates) +
                           (configuration.seen_again ? 0 : history_.size());
        thread_local std::vector<Scored> best;
        if (!asked_->best(count, deadline, best)) ranking.missing.emplace_back("collaborative");
        stages_.lap(Stage::retrieve);
        for (const Scored& one : best) add(one.item, configuration, *boosts_, one.score);
      }
    }
  }
  ranking.collaborative_seconds = seconds_since(begin);
}

void Personaliser::find_content(const Configuration& configuration, Ranking& ranking) {
  const auto begin = std::chrono::steady_clock::now();
  const SteadyTime deadline = after(question_.asked, configuration.content_deadline_ms);
  Scratch& profile = profile_scratch();
  profile.grow(catalogue_.term_count());
  profile.clear();
  for (const WeightedItem& one : history_) {
    if (one.item >= catalogue_.size()) continue;
    for (const Term& term : catalogue_.terms(one.item)) {
      if (!(profile[term.number] > 0)) profile.touch(term.number);
      profile[term.number] += static_cast<float>(one.weight) * term.weight;
    }
  }
  if (begin > deadline) {
    ranking.missing.emplace_back("content");
    profile.clear();
    return;
  }
  std::vector<std::uint32_t> terms = profile.touched();
  const std::size_t heaviest = std::min(profile_terms, terms.size());
  std::partial_sort(terms.begin(), terms.begin() + static_cast<std::ptrdiff_t>(heaviest),
                    terms.end(), [&](std::uint32_t a, std::uint32_t b) {
                      return profile[a] != profile[b] ? profile[a] > profile[b] : a < b;
                    });
  if (heaviest > 0) {
    const std::size_t each = static_cast<std::size_t>(configuration.content_candidates) / heaviest;
    for (std::size_t t = 0; t < heaviest; ++t) {
      const auto items = catalogue_.items_with(terms[t]);
      for (std::size_t i = 0; i < std::min(each, items.size()); ++i) {
        add(items[i], configuration, *boosts_, not_known);
      }
    }
  }
  ranking.content_seconds = seconds_since(begin);
}

void Personaliser::find_trending(const Configuration& configuration, bool cold) {
  std::size_t taken = 0;
  for (const Scored& one : leaders_) {
    if (taken++ >= static_cast<std::size_t>(configuration.trending_candidates)) break;
    add(one.item, configuration, *boosts_, not_known);
  }
  if (cold || candidates_.size() < 2 * question_.n || genre_ != 0) {
    taken = 0;
    const auto popular = trending_.popular();
    for (const ItemNumber item : *popular) {
      if (taken++ >= popular_items && genre_ == 0) break;
      add(item, configuration, *boosts_, not_known);
    }
  }
  if (genre_ != 0) {
    taken = 0;
    for (const ItemNumber item : catalogue_.items_of_genre(genre_)) {
      if (taken++ >= of_one_genre && candidates_.size() >= question_.n) break;
      add(item, configuration, *boosts_, not_known);
    }
    return;
  }
  // Nobody has watched anything yet, or all of it was seen: any items, the first ones.
  for (ItemNumber i = 0; i < catalogue_.size() && candidates_.size() < question_.n; ++i) {
    add(i, configuration, *boosts_, not_known);
  }
}

void Personaliser::score(Ranking& ranking) {
  const auto begin = std::chrono::steady_clock::now();
  if (asked_) {
    thread_local std::vector<ItemNumber> items;
    thread_local std::vector<float> scores;
    // Those that the model has named come with their scores.
    items.clear();
    for (const Candidate& one : candidates_) {
      if (std::isnan(one.raw[collaborative_part])) items.push_back(one.item);
    }
    scores.resize(items.size());
    asked_->scores(items, scores);
    std::size_t next = 0;
    for (Candidate& one : candidates_) {
      if (std::isnan(one.raw[collaborative_part])) one.raw[collaborative_part] = scores[next++];
    }
  } else if (ranking.cold) {
    // Of somebody who is not known: what everybody takes.
    for (Candidate& one : candidates_) {
      one.raw[collaborative_part] = static_cast<float>(std::log1p(trending_.total(one.item)));
    }
  }
  ranking.collaborative_seconds += seconds_since(begin);
  Scratch& profile = profile_scratch();
  double squares = 0;
  for (const std::uint32_t term : profile.touched()) {
    squares += static_cast<double>(profile[term]) * static_cast<double>(profile[term]);
  }
  const float length = squares > 0 ? static_cast<float>(std::sqrt(squares)) : 1.0F;
  for (Candidate& one : candidates_) {
    float sum = 0;
    for (const Term& term : catalogue_.terms(one.item)) sum += term.weight * profile[term.number];
    one.raw[content_part] = sum / length;
  }
  profile.clear();
  Scratch& leading = leader_scratch();
  leading.grow(catalogue_.size());
  for (const Scored& one : leaders_) {
    if (one.item >= catalogue_.size()) continue;
    leading[one.item] = one.score;
    leading.touch(one.item);
  }
  for (Candidate& one : candidates_) {
    if (leading[one.item] > 0) one.raw[trending_part] = std::log1p(leading[one.item]);
  }
  leading.clear();
}

Ranking Personaliser::rank_by(std::size_t index, std::size_t count) {
  const Configuration& configuration = served_.configurations[index];
  boosts_ = &served_.boosts[index];
  candidates_.clear();
  candidate_scratch().grow(catalogue_.size());
  candidate_scratch().clear();
  Ranking ranking;
  // A genre that no item has.
  if (genre_ == 0 && !question_.genre.empty()) return ranking;
  weigh_history(configuration);
  stages_.lap(Stage::viewer);
  find_collaborative(configuration, ranking);
  find_content(configuration, ranking);
  ranking.cold = !asked_ && ranking.missing.empty();
  find_trending(configuration, ranking.cold);
  candidate_scratch().clear();
  stages_.lap(Stage::candidates);
  score(ranking);
  stages_.lap(Stage::score);
  ranking.list = rank(candidates_, count, configuration, *boosts_, catalogue_, question_.now);
  stages_.lap(Stage::rank);
  return ranking;
}

}  // namespace tandem::recommend

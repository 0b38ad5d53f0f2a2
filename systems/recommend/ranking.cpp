#include "systems/recommend/ranking.hpp"

#include <algorithm>
#include <cmath>

#include "systems/recommend/likeness.hpp"

namespace tandem::recommend {
namespace {

constexpr double day = 86'400'000;  // milliseconds

// How often each genre or creator was taken; the unknown one is never capped.
class Cap {
 public:
  explicit Cap(std::int64_t most) : most_(most) {}
  [[nodiscard]] bool full(std::uint32_t number) const {
    if (most_ == 0 || number == 0) return false;
    return std::count(taken_.begin(), taken_.end(), number) >= most_;
  }
  void take(std::uint32_t number) { taken_.push_back(number); }

 private:
  std::int64_t most_;
  std::vector<std::uint32_t> taken_;
};

void normalise(std::span<const Candidate> candidates, std::size_t part, double weight,
               std::vector<Ranked>& ranked) {
  float least = std::numeric_limits<float>::infinity();
  float greatest = -least;
  for (const Candidate& one : candidates) {
    if (std::isnan(one.raw[part])) continue;
    least = std::min(least, one.raw[part]);
    greatest = std::max(greatest, one.raw[part]);
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const float raw = candidates[i].raw[part];
    double scaled = 0;
    if (std::isnan(raw)) {
      scaled = 0;
    } else if (greatest > least) {
      scaled = (static_cast<double>(raw) - static_cast<double>(least)) /
               (static_cast<double>(greatest) - static_cast<double>(least));
    } else {
      scaled = greatest > 0 ? 1 : 0;
    }
    ranked[i].parts[part] = weight * scaled;
  }
}

}  // namespace

BoostTable::BoostTable(const Configuration& configuration, const Catalogue& catalogue)
    : freshness_(configuration.freshness),
      half_life_(configuration.freshness_half_life_days * day) {
  std::unordered_map<std::string_view, double> of_genre;
  std::unordered_map<std::string_view, double> of_creator;
  const auto multiply = [](auto& table, const auto& key, double times) {
    table.try_emplace(key, 1.0).first->second *= times;
  };
  for (const Boost& boost : configuration.boosts) {
    if (boost.attribute == "item") {
      const ItemNumber item = catalogue.find(boost.value);
      if (item != no_item) multiply(items_, item, boost.times);
    } else {
      multiply(boost.attribute == "genre" ? of_genre : of_creator, std::string_view(boost.value),
               boost.times);
    }
  }
  if (!of_genre.empty() || !of_creator.empty()) {
    for (ItemNumber i = 0; i < catalogue.size(); ++i) {
      if (const auto at = of_genre.find(catalogue.item(i).genre); at != of_genre.end()) {
        genres_.try_emplace(catalogue.genre(i), at->second);
      }
      if (const auto at = of_creator.find(catalogue.item(i).creator); at != of_creator.end()) {
        creators_.try_emplace(catalogue.creator(i), at->second);
      }
    }
  }
  for (const std::string& id : configuration.blocked) {
    const ItemNumber item = catalogue.find(id);
    if (item != no_item) blocked_.push_back(item);
  }
  std::sort(blocked_.begin(), blocked_.end());
}

bool BoostTable::blocked(ItemNumber item) const {
  return std::binary_search(blocked_.begin(), blocked_.end(), item);
}

double BoostTable::of(const Catalogue& catalogue, ItemNumber item, Time now) const {
  double times = 1;
  const auto look = [&](const auto& table, const auto& key) {
    if (table.empty()) return;
    if (const auto at = table.find(key); at != table.end()) times *= at->second;
  };
  look(items_, item);
  look(genres_, catalogue.genre(item));
  look(creators_, catalogue.creator(item));
  const Time released = catalogue.item(item).released;
  if (freshness_ > 0 && released > 0 && released <= now) {
    times *= 1 + freshness_ * std::exp2(-static_cast<double>(now - released) / half_life_);
  }
  return times;
}

std::vector<Ranked> rank(std::span<const Candidate> candidates, std::size_t count,
                         const Configuration& configuration, const BoostTable& boosts,
                         const Catalogue& catalogue, Time now) {
  std::vector<Ranked> pool(candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    pool[i].item = candidates[i].item;
    pool[i].boost = boosts.of(catalogue, candidates[i].item, now);
  }
  for (std::size_t part = 0; part < diversity_part; ++part) {
    normalise(candidates, part, configuration.weights[part], pool);
  }
  for (Ranked& one : pool) {
    one.score = one.boost * (one.parts[0] + one.parts[1] + one.parts[2]);
  }
  const auto better = [](const Ranked& a, const Ranked& b) {
    return a.score != b.score ? a.score > b.score : a.item < b.item;
  };
  const std::size_t considered = std::min(
      pool.size(), std::max(count, static_cast<std::size_t>(configuration.diversity_pool)));
  std::partial_sort(pool.begin(), pool.begin() + static_cast<std::ptrdiff_t>(considered),
                    pool.end(), better);

  const double weight = configuration.weights[diversity_part];
  std::vector<ItemNumber> items;
  for (std::size_t i = 0; i < considered; ++i) items.push_back(pool[i].item);
  Likeness alike(catalogue, items);
  std::vector<float> likeness(considered, 0.0F);  // to those that were taken
  std::vector<bool> out(considered, false);
  Cap genres(configuration.max_per_genre);
  Cap creators(configuration.max_per_creator);
  std::vector<Ranked> list;
  const auto take = [&](const Ranked& one) {
    list.push_back(one);
    genres.take(catalogue.genre(one.item));
    creators.take(catalogue.creator(one.item));
  };
  const auto capped = [&](const Ranked& one) {
    return genres.full(catalogue.genre(one.item)) || creators.full(catalogue.creator(one.item));
  };
  while (list.size() < count) {
    std::size_t best = considered;
    double best_score = 0;
    for (std::size_t i = 0; i < considered; ++i) {
      if (out[i]) continue;
      if (capped(pool[i])) {
        out[i] = true;  // caps only fill up
        continue;
      }
      const double score =
          pool[i].score + pool[i].boost * weight * (1 - static_cast<double>(likeness[i]));
      if (best == considered || score > best_score ||
          (score == best_score && pool[i].item < pool[best].item)) {
        best = i;
        best_score = score;
      }
    }
    if (best == considered) break;
    out[best] = true;
    Ranked taken = pool[best];
    taken.parts[diversity_part] = weight * (1 - static_cast<double>(likeness[best]));
    taken.score = best_score;
    take(taken);
    if (weight > 0) alike.raise(best, likeness);
  }
  if (list.size() < count && considered < pool.size()) {
    std::sort(pool.begin() + static_cast<std::ptrdiff_t>(considered), pool.end(), better);
    for (std::size_t i = considered; i < pool.size() && list.size() < count; ++i) {
      if (!capped(pool[i])) take(pool[i]);
    }
  }
  return list;
}

}  // namespace tandem::recommend

// Types and reasons: each states only what was checked.
#include <algorithm>
#include <ctime>

#include "systems/recommend/personaliser.hpp"

namespace tandem::recommend {
namespace {

std::string date_of(Time time) {
  const auto seconds = static_cast<std::time_t>(time / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[16];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &parts)};
}

// Of the items that all viewers watch most, from 0; as many as there are where it is none of them.
std::size_t place_of(const std::vector<ItemNumber>& popular, ItemNumber item) {
  return static_cast<std::size_t>(std::find(popular.begin(), popular.end(), item) -
                                  popular.begin());
}

constexpr std::size_t popular_places = 100;
constexpr Time new_for = Time{30} * 86'400'000;

}  // namespace

Recommendation Personaliser::explain(const Ranked& ranked, std::size_t index, ItemNumber explored) {
  const Configuration& configuration = served_.configurations[index];
  Recommendation made;
  made.ranked = ranked;
  const ItemNumber item = ranked.item;
  const auto named = [&](const std::vector<ItemNumber>& items) {
    std::string text;
    for (std::size_t i = 0; i < items.size(); ++i) {
      text += i == 0 ? "" : i + 1 == items.size() ? " and " : ", ";
      text += catalogue_.name(items[i]);
    }
    return text;
  };

  if (item == explored) {
    made.type = RecommendationType::discovery;
    made.explanation = "Something to discover: drawn from what comes next on your list";
    return made;
  }

  // Leaders are ordered by what was watched lately; their number is the configuration's.
  const std::size_t leading =
      std::min(leaders_.size(), static_cast<std::size_t>(configuration.trending_leaders));
  for (std::size_t place = 0; place < leading; ++place) {
    if (leaders_[place].item != item || !(leaders_[place].score >= 1)) continue;
    made.type = RecommendationType::trending;
    made.explanation = "Trending: number " + std::to_string(place + 1) + " of what is watched now";
    return made;
  }

  std::vector<std::pair<float, ItemNumber>> alike;
  for (const WeightedItem& one : history_) {
    if (one.item >= catalogue_.size() || one.item == item) continue;
    const float likeness = catalogue_.similarity(item, one.item);
    if (static_cast<double>(likeness) >= configuration.similar) {
      alike.emplace_back(likeness, one.item);
    }
  }
  if (!alike.empty()) {
    std::stable_sort(alike.begin(), alike.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    for (std::size_t i = 0; i < std::min<std::size_t>(alike.size(), 2); ++i) {
      made.because.push_back(alike[i].second);
    }
    const auto shared = [&](std::uint32_t own, auto&& other) {
      return own != 0 && std::all_of(made.because.begin(), made.because.end(),
                                     [&](ItemNumber one) { return other(one) == own; });
    };
    const Item& own = catalogue_.item(item);
    made.type = RecommendationType::similar_to_watched;
    made.explanation = "Because you watched or picked " + named(made.because);
    if (shared(catalogue_.creator(item), [&](ItemNumber i) { return catalogue_.creator(i); })) {
      made.explanation += ": also by " + own.creator;
    } else if (shared(catalogue_.genre(item), [&](ItemNumber i) { return catalogue_.genre(i); })) {
      made.explanation += ": also " + own.genre;
    } else {
      made.explanation += ": alike by genre, creator or title";
    }
    return made;
  }

  if (asked_ && ranked.parts[collaborative_part] > 0) {
    for (const Part& part : asked_->because(item, 2)) {
      if (part.part > 0) made.because.push_back(part.item);
    }
    if (!made.because.empty()) {
      made.type = RecommendationType::collaborative;
      made.explanation =
          "Because you watched or picked " + named(made.because) + ": viewers alike watch this too";
      return made;
    }
  }

  made.type = RecommendationType::discovery;
  const Time released = catalogue_.item(item).released;
  if (released > 0 && released <= question_.now && question_.now - released <= new_for) {
    made.explanation = "New: released on " + date_of(released);
  } else if (const std::size_t place = place_of(*trending_.popular(), item);
             place < popular_places) {
    made.explanation =
        "Popular: number " + std::to_string(place + 1) + " of what all viewers watch";
  } else {
    made.explanation = "Something else to discover";
  }
  return made;
}

}  // namespace tandem::recommend

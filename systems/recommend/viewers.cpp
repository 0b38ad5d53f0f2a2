#include "systems/recommend/viewers.hpp"

#include <algorithm>

namespace tandem::recommend {
namespace {

std::uint32_t seconds_of(Time time) {
  return static_cast<std::uint32_t>(std::clamp<Time>(time / 1000, 0, 0xFFFFFFFFLL));
}

// Watched twice counts once more, and no item counts for more than this.
constexpr float strongest = 4;

}  // namespace

void Viewers::apply(const Event& event, ItemNumber item, std::uint64_t feedback) {
  Shard& place = shard(event.user);
  const std::scoped_lock lock(place.mutex);
  Viewer& viewer = place.viewers[event.user];
  viewer.feedback = feedback;
  if (event.kind == EventKind::dislike || event.kind == EventKind::hide) {
    if (!viewer.hidden) viewer.hidden = std::make_unique<std::vector<ItemNumber>>();
    auto& hidden = *viewer.hidden;
    const auto at = std::lower_bound(hidden.begin(), hidden.end(), item);
    const bool there = at != hidden.end() && *at == item;
    if (!there && hidden.size() < most_hidden) hidden.insert(at, item);
  }
  const auto same = [&](const Watched& one) { return one.item == item; };
  const auto found = std::find_if(viewer.history.begin(), viewer.history.end(), same);
  if (event.kind == EventKind::dislike) {
    // What is disliked speaks for nothing.
    if (found != viewer.history.end()) viewer.history.erase(found);
    return;
  }
  const auto added = static_cast<float>(strength(event));
  if (added <= 0) return;
  Watched one{item, seconds_of(event.time), added};
  if (found != viewer.history.end()) {
    one.strength = std::min(strongest, found->strength + added);
    one.time = std::max(one.time, found->time);
    viewer.history.erase(found);
  } else if (viewer.history.size() >= longest_history) {
    viewer.history.erase(viewer.history.begin());
  }
  const auto later = std::find_if(viewer.history.rbegin(), viewer.history.rend(),
                                  [&](const Watched& other) { return other.time <= one.time; });
  viewer.history.insert(later.base(), one);
}

bool Viewers::forget(std::string_view user) {
  Shard& place = shard(user);
  const std::scoped_lock lock(place.mutex);
  const auto found = place.viewers.find(user);
  if (found == place.viewers.end()) return false;
  place.viewers.erase(found);
  return true;
}

ViewerView Viewers::view(std::string_view user) const {
  const Shard& place = shard(user);
  const std::scoped_lock lock(place.mutex);
  const auto found = place.viewers.find(user);
  if (found == place.viewers.end()) return {};
  const Viewer& viewer = found->second;
  return {viewer.history, viewer.hidden ? *viewer.hidden : std::vector<ItemNumber>{},
          viewer.feedback};
}

std::uint64_t Viewers::feedback(std::string_view user) const {
  const Shard& place = shard(user);
  const std::scoped_lock lock(place.mutex);
  const auto found = place.viewers.find(user);
  return found == place.viewers.end() ? 0 : found->second.feedback;
}

std::size_t Viewers::size() const {
  std::size_t count = 0;
  for (const Shard& place : shards_) {
    const std::scoped_lock lock(place.mutex);
    count += place.viewers.size();
  }
  return count;
}

std::size_t Viewers::watched() const {
  std::size_t count = 0;
  for (const Shard& place : shards_) {
    const std::scoped_lock lock(place.mutex);
    for (const auto& [user, viewer] : place.viewers) count += viewer.history.size();
  }
  return count;
}

std::size_t Viewers::bytes() const {
  // A node holds the link, the hash and the pair; the allocator adds 8 bytes to each piece.
  constexpr std::size_t node = sizeof(std::pair<const std::string, Viewer>) + 3 * sizeof(void*);
  std::size_t count = 0;
  for (const Shard& place : shards_) {
    const std::scoped_lock lock(place.mutex);
    count += place.viewers.bucket_count() * sizeof(void*);
    for (const auto& [user, viewer] : place.viewers) {
      count += node + viewer.history.capacity() * sizeof(Watched) + sizeof(void*);
      if (user.capacity() > std::string{}.capacity()) count += user.capacity() + 1;
      if (viewer.hidden) count += sizeof(*viewer.hidden) + viewer.hidden->capacity() * 4;
    }
  }
  return count;
}

void Viewers::for_each(
    const std::function<void(const std::string&, const ViewerView&)>& use) const {
  for (const Shard& place : shards_) {
    const std::scoped_lock lock(place.mutex);
    for (const auto& [user, viewer] : place.viewers) {
      use(user, {viewer.history, viewer.hidden ? *viewer.hidden : std::vector<ItemNumber>{},
                 viewer.feedback});
    }
  }
}

void Viewers::put(const std::string& user, ViewerView view) {
  Shard& place = shard(user);
  const std::scoped_lock lock(place.mutex);
  Viewer& viewer = place.viewers[user];
  viewer.history = std::move(view.history);
  viewer.history.shrink_to_fit();
  viewer.hidden = view.hidden.empty()
                      ? nullptr
                      : std::make_unique<std::vector<ItemNumber>>(std::move(view.hidden));
  viewer.feedback = view.feedback;
}

std::vector<std::vector<Watched>> Viewers::sample(std::size_t count, std::size_t least) const {
  std::vector<std::vector<Watched>> histories;
  const std::size_t each = count / shard_count + 1;
  for (const Shard& place : shards_) {
    const std::scoped_lock lock(place.mutex);
    std::size_t taken = 0;
    for (const auto& [user, viewer] : place.viewers) {
      if (taken >= each || histories.size() >= count) break;
      if (viewer.history.size() < least) continue;
      histories.push_back(viewer.history);
      ++taken;
    }
  }
  return histories;
}

}  // namespace tandem::recommend

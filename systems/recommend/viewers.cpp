#include "systems/recommend/viewers.hpp"

#include <algorithm>
#include <iterator>

namespace tandem::recommend {
namespace {

std::uint32_t seconds_of(Time time) {
  return static_cast<std::uint32_t>(std::clamp<Time>(time / 1000, 0, 0xFFFFFFFFLL));
}

// Watched twice counts once more, and no item counts for more than this.
constexpr float strongest = 4;

}  // namespace

ViewerView merged(const ViewerView& a, const ViewerView& b) {
  ViewerView both;
  both.feedback = a.feedback;
  both.shared = a.shared;
  both.revision = std::max(a.revision, b.revision);
  std::set_union(a.hidden.begin(), a.hidden.end(), b.hidden.begin(), b.hidden.end(),
                 std::back_inserter(both.hidden));
  if (both.hidden.size() > most_hidden) both.hidden.resize(most_hidden);
  const auto by_item = [](const Watched& x, const Watched& y) { return x.item < y.item; };
  const auto sorted = [&](const ViewerView& view) {
    std::vector<Watched> history = view.history;
    std::sort(history.begin(), history.end(), by_item);
    return history;
  };
  const std::vector<Watched> left = sorted(a);
  const std::vector<Watched> right = sorted(b);
  const auto hides = [](const ViewerView& view, ItemNumber item) {
    return std::binary_search(view.hidden.begin(), view.hidden.end(), item);
  };
  auto x = left.begin();
  auto y = right.begin();
  while (x != left.end() || y != right.end()) {
    if (y == right.end() || (x != left.end() && x->item < y->item)) {
      if (!hides(b, x->item) || hides(a, x->item)) both.history.push_back(*x);
      ++x;
    } else if (x == left.end() || y->item < x->item) {
      if (!hides(a, y->item) || hides(b, y->item)) both.history.push_back(*y);
      ++y;
    } else {
      both.history.push_back(
          {x->item, std::max(x->time, y->time), std::max(x->strength, y->strength)});
      ++x;
      ++y;
    }
  }
  std::sort(both.history.begin(), both.history.end(), [](const Watched& one, const Watched& other) {
    return one.time != other.time ? one.time < other.time : one.item < other.item;
  });
  if (both.history.size() > longest_history) {
    both.history.erase(both.history.begin(),
                       both.history.end() - static_cast<std::ptrdiff_t>(longest_history));
  }
  return both;
}

void Viewers::apply(const Event& event, ItemNumber item, std::uint64_t feedback) {
  Shard& place = shard(event.user);
  const std::scoped_lock lock(place.mutex);
  Viewer& viewer = place.viewers[event.user];
  viewer.feedback = feedback;
  ++viewer.revision;
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
  return found->second.view();
}

std::uint64_t Viewers::feedback(std::string_view user) const {
  const Shard& place = shard(user);
  const std::scoped_lock lock(place.mutex);
  const auto found = place.viewers.find(user);
  return found == place.viewers.end() ? 0 : found->second.feedback;
}

std::uint32_t Viewers::revision(std::string_view user) const {
  const Shard& place = shard(user);
  const std::scoped_lock lock(place.mutex);
  const auto found = place.viewers.find(user);
  return found == place.viewers.end() ? 0 : found->second.revision;
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

// FNV-1a with 64 bits, whose high bits are the better ones.
std::size_t Viewers::shard_of(std::string_view user) {
  static_assert(shard_count == 64);
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : user) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return static_cast<std::size_t>((hash ^ hash >> 32) * 0x9E3779B97F4A7C15ULL >> 58);
}

std::size_t Viewers::size_of(std::size_t shard) const {
  const std::scoped_lock lock(shards_[shard].mutex);
  return shards_[shard].viewers.size();
}

void Viewers::for_each(
    std::size_t shard,
    const std::function<void(const std::string&, const ViewerView&)>& use) const {
  const Shard& place = shards_[shard];
  const std::scoped_lock lock(place.mutex);
  for (const auto& [user, viewer] : place.viewers) {
    use(user, viewer.view());
  }
}

void Viewers::Viewer::set(ViewerView view) {
  history = std::move(view.history);
  history.shrink_to_fit();
  hidden = view.hidden.empty() ? nullptr
                               : std::make_unique<std::vector<ItemNumber>>(std::move(view.hidden));
  feedback = view.feedback;
  revision = view.revision;
  shared = view.shared;
}

void Viewers::put(const std::string& user, ViewerView view) {
  Shard& place = shard(user);
  const std::scoped_lock lock(place.mutex);
  place.viewers[user].set(std::move(view));
}

std::uint32_t Viewers::shared(std::string_view user) const {
  const Shard& place = shard(user);
  const std::scoped_lock lock(place.mutex);
  const auto found = place.viewers.find(user);
  return found == place.viewers.end() ? 0 : found->second.shared;
}

void Viewers::set_shared(std::string_view user, std::uint32_t number) {
  Shard& place = shard(user);
  const std::scoped_lock lock(place.mutex);
  const auto found = place.viewers.find(user);
  if (found != place.viewers.end()) found->second.shared = number;
}

void Viewers::set_shared(std::string_view user, std::uint32_t number, std::uint32_t expected) {
  Shard& place = shard(user);
  const std::scoped_lock lock(place.mutex);
  const auto found = place.viewers.find(user);
  if (found != place.viewers.end() && found->second.shared == expected) {
    found->second.shared = number;
  }
}

bool Viewers::merge(const std::string& user, const ViewerView& view, std::uint64_t feedback,
                    std::uint32_t number) {
  Shard& place = shard(user);
  const std::scoped_lock lock(place.mutex);
  Viewer& viewer = place.viewers[user];
  ViewerView before = viewer.view();
  ViewerView after = merged(before, view);
  const bool changed = after.history != before.history || after.hidden != before.hidden;
  if (changed) after.feedback = feedback;
  after.shared = number;
  viewer.set(std::move(after));
  return changed;
}

bool Viewers::empty(const std::string& user, std::uint64_t feedback, std::uint32_t number) {
  Shard& place = shard(user);
  const std::scoped_lock lock(place.mutex);
  Viewer& viewer = place.viewers[user];
  const bool changed = !viewer.history.empty() || viewer.hidden;
  ViewerView after;
  after.feedback = changed ? feedback : viewer.feedback;
  after.shared = number;
  viewer.set(std::move(after));
  return changed;
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

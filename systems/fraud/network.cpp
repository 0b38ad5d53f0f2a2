#include "systems/fraud/network.hpp"

#include <algorithm>

#include "systems/fraud/archive.hpp"

namespace tandem::fraud {
namespace {

constexpr std::uint32_t day_of(Second second) { return second / (24 * 3600); }

}  // namespace

void Component::add_user(Second first_seen) {
  Component alone;
  alone.users = 1;
  alone.first = first_seen;
  alone.day = day_of(first_seen);
  alone.young[0] = 1;
  add(alone);
}

void Component::add(const Component& other) {
  if (users == 0 && day == 0) {
    const std::uint32_t had = frauds;
    *this = other;
    frauds += had;
    return;
  }
  users += other.users;
  shared += other.shared;
  cycles += other.cycles;
  frauds += other.frauds;
  first = std::min(first, other.first);
  if (other.day > day) {
    const std::uint32_t by = std::min(other.day - day, static_cast<std::uint32_t>(young.size()));
    std::copy_backward(young.begin(), young.end() - by, young.end());
    std::fill(young.begin(), young.begin() + by, 0);
    day = other.day;
  }
  for (std::uint32_t i = 0; i < other.young.size(); ++i) {
    const std::uint32_t at = day - other.day + i;
    if (at < young.size()) young[at] += other.young[i];
  }
}

std::uint32_t Component::new_users(Time time) const {
  const std::uint32_t today = day_of(second_of(time));
  std::uint32_t count = 0;
  for (std::uint32_t i = 0; i < young.size(); ++i) {
    if (day >= i && day - i + 7 > today) count += young[i];
  }
  return count;
}

void Network::reserve(std::uint32_t number) {
  if (number < parents_.size()) return;
  const auto before = static_cast<std::uint32_t>(parents_.size());
  parents_.resize(number + 1);
  ranks_.resize(number + 1);
  for (std::uint32_t i = before; i <= number; ++i) parents_[i] = i;
}

std::uint32_t Network::find_and_shorten(std::uint32_t number) {
  while (parents_[number] != number) {
    parents_[number] = parents_[parents_[number]];
    number = parents_[number];
  }
  return number;
}

std::uint32_t Network::root(Node node) const {
  std::uint32_t at = number(node);
  if (at >= parents_.size()) return at;
  while (parents_[at] != at) at = parents_[at];
  return at;
}

const Component* Network::find(Node node) const {
  const auto found = components_.find(root(node));
  return found == components_.end() ? nullptr : &found->second;
}

Component& Network::of_user(Id user, Second first_seen) {
  const std::uint32_t node = number({Kind::user, user});
  reserve(node);
  const auto [found, added] = components_.try_emplace(find_and_shorten(node));
  if (added) found->second.add_user(first_seen);
  return found->second;
}

void Network::join(Id user, Second user_first_seen, Node identifier, bool second) {
  const std::uint32_t other = number(identifier);
  reserve(other);
  (void)of_user(user, user_first_seen);
  std::uint32_t a = find_and_shorten(number({Kind::user, user}));
  std::uint32_t b = find_and_shorten(other);
  if (a == b) {
    Component& component = components_[a];
    ++component.cycles;
    component.shared += second ? 1 : 0;
    return;
  }
  if (ranks_[a] < ranks_[b]) std::swap(a, b);
  if (ranks_[a] == ranks_[b]) ++ranks_[a];
  parents_[b] = a;
  Component joined;
  for (const std::uint32_t root : {a, b}) {
    const auto found = components_.find(root);
    if (found == components_.end()) continue;  // an identifier that was alone
    joined.add(found->second);
    components_.erase(found);
  }
  joined.shared += second ? 1 : 0;
  components_[a] = joined;
}

void Network::add_fraud(Id user, Second user_first_seen) {
  ++of_user(user, user_first_seen).frauds;
}

void Network::take_back_fraud(Id user) {
  const auto found = components_.find(root({Kind::user, user}));
  if (found != components_.end() && found->second.frauds > 0) --found->second.frauds;
}

void Network::remove_user(Id user) {
  const auto found = components_.find(root({Kind::user, user}));
  if (found != components_.end() && found->second.users > 0) --found->second.users;
}

std::size_t Network::bytes() const {
  // A node of the map: the pair, the link to the next, the allocator's part; and its bucket.
  constexpr std::size_t node =
      (sizeof(std::pair<const std::uint32_t, Component>) + 8 + 23) / 16 * 16;
  return parents_.capacity() * sizeof(std::uint32_t) + ranks_.capacity() +
         components_.size() * node + components_.bucket_count() * sizeof(void*);
}

template <class Archive>
void Network::visit(Archive& archive) {
  archive(parents_, ranks_);
  std::vector<std::uint32_t> roots;
  if constexpr (!Archive::reads) {
    for (const auto& [root, component] : components_) roots.push_back(root);
    std::sort(roots.begin(), roots.end());
  }
  archive(roots);
  for (const std::uint32_t root : roots) {
    Component& one = components_[root];
    archive(one.users, one.shared, one.cycles, one.frauds, one.first, one.day, one.young);
  }
}
template void Network::visit(StateWriter&);
template void Network::visit(StateReader&);

bool Network::sound() const {
  if (ranks_.size() != parents_.size()) return false;
  for (std::uint32_t i = 0; i < parents_.size(); ++i) {
    // Ranks rise towards the root: no way leads in a circle.
    if (parents_[i] >= parents_.size()) return false;
    if (parents_[i] != i && ranks_[parents_[i]] <= ranks_[i]) return false;
  }
  return true;
}

}  // namespace tandem::fraud

#include "systems/fraud/entities.hpp"

#include <algorithm>

#include "systems/fraud/archive.hpp"

namespace tandem::fraud {
namespace {

constexpr Time give_anew_after = 62 * day_ms;

std::size_t shard_of(Key key) { return key >> 56; }

}  // namespace

void Entity::add_fraud(Time known_at) {
  const Second hour = second_of(known_at - known_at % hour_ms);
  const Second oldest = second_of(known_at - month_ms - hour_ms);
  std::uint32_t kept = 0;
  bool counted = false;
  for (FraudHour& one : frauds) {
    if (one.hour < oldest) continue;
    if (one.hour == hour) {
      ++one.count;
      counted = true;
    }
    frauds[kept++] = one;
  }
  frauds.shrink(kept);
  if (!counted) frauds.push_back({hour, 1});
}

bool Entity::take_back_fraud(Time known_at) {
  const Second hour = second_of(known_at - known_at % hour_ms);
  for (std::size_t i = 0; i < frauds.size(); ++i) {
    if (frauds[i].hour != hour) continue;
    if (--frauds[i].count == 0) frauds.erase(i);
    return true;
  }
  return false;
}

std::uint32_t Entity::frauds_known(Time time) const {
  std::uint32_t count = 0;
  for (const FraudHour& one : frauds) {
    const Time hour = Time{one.hour} * second_ms;
    if (hour <= time && hour > time - month_ms) count += one.count;
  }
  return count;
}

template <class E>
Id Table<E>::find(Key key) const {
  const Shard& shard = index_[shard_of(key)];
  if (shard.slots.empty()) return 0;
  const std::size_t mask = shard.slots.size() - 1;
  for (std::size_t at = key & mask;; at = (at + 1) & mask) {
    const Id id = shard.slots[at];
    if (id == 0 || (*this)[id].key == key) return id;
  }
}

template <class E>
void Table<E>::index(Id id) {
  const Key key = (*this)[id].key;
  Shard& shard = index_[shard_of(key)];
  if ((shard.used + 1) * 3 > shard.slots.size() * 2) {
    std::vector<Id> before = std::move(shard.slots);
    shard.slots.assign(std::max<std::size_t>(8, before.size() * 2), 0);
    shard.used = 0;
    for (const Id other : before) {
      if (other != 0) index(other);
    }
  }
  const std::size_t mask = shard.slots.size() - 1;
  std::size_t at = key & mask;
  while (shard.slots[at] != 0) at = (at + 1) & mask;
  shard.slots[at] = id;
  ++shard.used;
}

// Moves those behind it forward, so that no gap parts one from where it is looked for (Knuth, The
// Art of Computer Programming 3, algorithm 6.4R).
template <class E>
void Table<E>::unindex(Id id) {
  const Key key = (*this)[id].key;
  Shard& shard = index_[shard_of(key)];
  const std::size_t mask = shard.slots.size() - 1;
  std::size_t gap = key & mask;
  while (shard.slots[gap] != id) gap = (gap + 1) & mask;
  for (std::size_t at = (gap + 1) & mask; shard.slots[at] != 0; at = (at + 1) & mask) {
    const std::size_t wanted = (*this)[shard.slots[at]].key & mask;
    if (((at - wanted) & mask) < ((at - gap) & mask)) continue;
    shard.slots[gap] = shard.slots[at];
    gap = at;
  }
  shard.slots[gap] = 0;
  --shard.used;
}

template <class E>
Id Table<E>::add(Key key, Time newest) {
  Id id = 0;
  if (!free_.empty() && free_.front().last_seen + give_anew_after < newest) {
    id = free_.front().id;
    free_.pop_front();
  } else {
    id = end_++;
    while (chunks_.size() <= id / chunk) chunks_.push_back(std::make_unique<Chunk>());
  }
  (*this)[id].key = key;
  index(id);
  ++size_;
  return id;
}

template <class E>
void Table<E>::remove(Id id) {
  unindex(id);
  free_.push_back({id, (*this)[id].last_seen()});
  (*this)[id] = E{};
  --size_;
}

template <class E>
std::size_t Table<E>::bytes() const {
  std::size_t bytes = chunks_.size() * (sizeof(Chunk) + 16) + free_.size() * sizeof(Free);
  for (const Shard& shard : index_) bytes += shard.slots.size() * sizeof(Id);
  for (Id id = 1; id < end_; ++id) bytes += (*this)[id].heap_bytes();
  return bytes;
}

template <class E>
template <class Archive>
void Table<E>::visit(Archive& archive) {
  archive(end_);
  std::uint64_t free = free_.size();
  archive(free);
  for (std::uint64_t i = 0; i < free; ++i) {
    Free one = i < free_.size() ? free_[i] : Free{};
    archive(one.id, one.last_seen);
    if constexpr (Archive::reads) free_.push_back(one);
  }
  for (Id id = 1; id < end_; ++id) {
    if constexpr (Archive::reads) {
      while (chunks_.size() <= id / chunk) chunks_.push_back(std::make_unique<Chunk>());
    }
    E& entity = (*this)[id];
    bool there = entity.key != 0;
    archive(there);
    if (!there) continue;
    archive(entity);
    if constexpr (Archive::reads) {
      if (entity.key == 0 || !entity.sound() || find(entity.key) != 0) {
        StateReader::fail("is damaged");
      }
      index(id);
      ++size_;
    }
  }
}

template <class E>
bool Table<E>::sound() const {
  return std::all_of(free_.begin(), free_.end(), [&](const Free& one) {
    return one.id > 0 && one.id < end_ && (*this)[one.id].key == 0;
  });
}

template class Table<User>;
template class Table<Shared>;
template void Table<User>::visit(StateWriter&);
template void Table<User>::visit(StateReader&);
template void Table<Shared>::visit(StateWriter&);
template void Table<Shared>::visit(StateReader&);

}  // namespace tandem::fraud

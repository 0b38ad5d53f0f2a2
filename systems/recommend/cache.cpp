#include "systems/recommend/cache.hpp"

namespace tandem::recommend {
namespace {

// Of an entry beside its texts: nodes of the list and of the table, the shared count.
constexpr std::size_t overhead = 256;

}  // namespace

AnswerCache::AnswerCache(std::size_t bytes, std::chrono::milliseconds life)
    : capacity_(bytes), life_(std::min<std::chrono::milliseconds>(life, longest_life)) {}

AnswerCache::Text AnswerCache::find(const std::string& key, SteadyTime now, Waiter waiter,
                                    bool& mine) {
  mine = true;
  if (capacity_ == 0) return nullptr;
  const std::scoped_lock lock(mutex_);
  if (const auto found = places_.find(key); found != places_.end()) {
    if (now - found->second->made < life_) {
      ++counts_.hits;
      entries_.splice(entries_.begin(), entries_, found->second);
      return found->second->answer;
    }
    drop(found->second);
  }
  const auto [at, first] = under_way_.try_emplace(key);
  if (first) {
    ++counts_.misses;
  } else {
    ++counts_.joined;
    mine = false;
    at->second.push_back(std::move(waiter));
  }
  return nullptr;
}

void AnswerCache::put(const std::string& key, Text answer, SteadyTime now) {
  if (capacity_ == 0) return;
  std::vector<Waiter> waiters;
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = under_way_.find(key); found != under_way_.end()) {
      waiters = std::move(found->second);
      under_way_.erase(found);
    }
    const std::size_t size = 2 * key.size() + answer->size() + overhead;
    if (size <= capacity_ && !places_.contains(key)) {
      entries_.push_front({key, answer, now});
      places_[key] = entries_.begin();
      bytes_ += size;
      while (bytes_ > capacity_) {
        ++counts_.evicted;
        drop(std::prev(entries_.end()));
      }
    }
  }
  for (const Waiter& waiter : waiters) waiter(answer);
}

void AnswerCache::give_up(const std::string& key) {
  std::vector<Waiter> waiters;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = under_way_.find(key);
    if (found == under_way_.end()) return;
    waiters = std::move(found->second);
    under_way_.erase(found);
  }
  for (const Waiter& waiter : waiters) waiter(nullptr);
}

void AnswerCache::drop_prefix(std::string_view prefix) {
  const std::scoped_lock lock(mutex_);
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto next = std::next(at);
    if (at->key.starts_with(prefix)) drop(at);
    at = next;
  }
}

void AnswerCache::clear() {
  const std::scoped_lock lock(mutex_);
  entries_.clear();
  places_.clear();
  bytes_ = 0;
}

void AnswerCache::drop(Entries::iterator at) {
  bytes_ -= 2 * at->key.size() + at->answer->size() + overhead;
  places_.erase(at->key);
  entries_.erase(at);
}

AnswerCache::Counts AnswerCache::counts() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

std::size_t AnswerCache::bytes() const {
  const std::scoped_lock lock(mutex_);
  return bytes_;
}

}  // namespace tandem::recommend

// Answers that are kept for a while, and worked out once however many ask at the same time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "systems/recommend/inverted_lists.hpp"

namespace tandem::recommend {

// Several threads may use one at once.
class AnswerCache {
 public:
  using Text = std::shared_ptr<const std::string>;
  // Null where whoever worked it out failed: it is to be worked out anew.
  using Waiter = std::function<void(const Text&)>;

  struct Counts {
    std::uint64_t hits = 0;
    std::uint64_t joined = 0;  // waited for one that was being worked out
    std::uint64_t misses = 0;
    std::uint64_t evicted = 0;
    [[nodiscard]] double hit_rate() const {
      const auto all = static_cast<double>(hits + joined + misses);
      return all > 0 ? static_cast<double>(hits + joined) / all : 0;
    }
  };

  static constexpr std::chrono::seconds longest_life{300};

  // `bytes` of keys and answers at most; 0: nothing is kept, nobody is joined.
  AnswerCache(std::size_t bytes, std::chrono::milliseconds life = longest_life);

  // The answer where there is one. Otherwise null: then, where `mine` is true, the caller works it
  // out and calls put() or give_up(), and where it is false, `waiter` is called by whoever does.
  [[nodiscard]] Text find(const std::string& key, SteadyTime now, Waiter waiter, bool& mine);
  // Keeps the answer and calls who waited for it.
  void put(const std::string& key, Text answer, SteadyTime now);
  void give_up(const std::string& key);
  // Drops what was kept under keys that begin with this.
  void drop_prefix(std::string_view prefix);
  void clear();

  [[nodiscard]] Counts counts() const;
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool on() const noexcept { return capacity_ > 0; }

 private:
  struct Entry {
    std::string key;
    Text answer;
    SteadyTime made;
  };
  using Entries = std::list<Entry>;  // the latest used first
  void drop(Entries::iterator at);

  std::size_t capacity_;
  std::chrono::milliseconds life_;
  mutable std::mutex mutex_;
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> places_;
  std::unordered_map<std::string, std::vector<Waiter>> under_way_;
  std::size_t bytes_ = 0;
  Counts counts_;
};

}  // namespace tandem::recommend

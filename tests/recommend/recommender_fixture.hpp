// Viewers with tastes: users of a group prefer the items of their group, popular ones more often.
#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "core/random.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/recommend/interactions.hpp"

namespace tandem::test {

inline std::unique_ptr<Engine> engine_of(int threads, Device device = Device::cpu) {
  EngineOptions options;
  options.device = device;
  options.threads = threads;
  return Engine::create(options);
}

inline std::string numbered(const char* prefix, Index i) {
  std::string digits = std::to_string(i);
  return prefix + std::string(6 - std::min<std::size_t>(6, digits.size()), '0') + digits;
}

inline Interactions viewers(Index users, Index items, Index each, Index groups = 4,
                            std::uint64_t seed = 1) {
  Interactions events;
  events.source = "viewers";
  for (Index u = 0; u < users; ++u) events.users.push_back(numbered("u", u));
  for (Index i = 0; i < items; ++i) events.items.push_back(numbered("i", i));
  const Random random(seed, Purpose::test);
  std::uint64_t at = 0;
  const Index of_group = items / groups;
  for (Index u = 0; u < users; ++u) {
    const Index own = u % groups;
    for (Index k = 0; k < each; ++k) {
      const bool liked = random.uniform(at++) < 0.8;
      const Index group = liked ? own : random.below(groups, at++);
      const double place = random.uniform(at++);
      const auto item = static_cast<Index>(place * place * static_cast<double>(of_group));
      events.user.push_back(static_cast<std::int32_t>(u));
      events.item.push_back(static_cast<std::int32_t>(group * of_group + item));
      events.weight.push_back(1 + static_cast<double>(random.below(3, at++)));
      events.time.push_back(static_cast<double>(random.below(1000000, at++)));
    }
  }
  return events;
}

}  // namespace tandem::test

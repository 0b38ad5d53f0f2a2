// A share of answers that shows what the ranking would not have, with the probability of each
// choice on record, so that other policies can be judged by what these answers were worth.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "systems/recommend/configuration.hpp"

namespace tandem::recommend {

// The choice of what stands in one place of one answer: the last one.
struct Choice {
  std::string answer;
  Time time = 0;
  std::string configuration;
  std::vector<std::string> pool;  // items; the first is the ranking's own
  std::uint32_t chosen = 0;       // of the pool
  double propensity = 1;          // with which it was chosen

  [[nodiscard]] bool operator==(const Choice&) const = default;
};

// Clicks and times shown of an item in the explored place, for Thompson sampling.
struct Tally {
  double clicks = 0;
  double shown = 0;
};

struct Drawn {
  std::size_t index = 0;
  double propensity = 1;
};

// Whether an answer takes part in exploration, by the configuration's share of them. `key` and
// `counter` as for draw(), of which it is independent.
[[nodiscard]] bool takes_part(const Configuration& configuration, std::uint64_t key,
                              std::uint64_t counter);

// Draws an item of a pool of `tallies.size()` items, 0 being the ranking's own. `key` and `counter`
// give the random numbers: a pair is to be used once.
//   none      0
//   epsilon   0 with probability 1 − share, else any one of the pool, each as likely
//   thompson  0 with probability 1 − share, else by Thompson sampling from Beta(1 + clicks,
//             1 + shown − clicks), Chapelle and Li, NIPS 2011: 64 draws of all, the item that leads
//             in a share p of them with probability 0.9·p + 0.1/pool. Given the draws the
//             probability is exact, and none is 0.
[[nodiscard]] Drawn draw(const Configuration& configuration, std::span<const Tally> tallies,
                         std::uint64_t key, std::uint64_t counter);

// The choice as a record of the log, and back. decode throws InputError for other bytes.
[[nodiscard]] std::string encode(const Choice& choice);
[[nodiscard]] Choice decode_choice(std::string_view record);

}  // namespace tandem::recommend

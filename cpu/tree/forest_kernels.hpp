// The loops of a forest's nodes that are worth vector instructions.
#pragma once

#include <cstdint>

#include "core/tree/split_gain.hpp"
#include "tandem/core/types.hpp"

namespace tandem::cpu {

// What is read and written past the end of an array of keys by the functions below.
inline constexpr Index key_padding = 160;

// The ranks of some rows by one feature: table[row · stride].
struct RanksOfRows {
  const std::uint32_t* table;
  Index stride;
  const std::uint32_t* rows;
  Index count;  // >= 1
};
struct RankRange {
  std::uint32_t least;
  std::uint32_t greatest;
};

// keys[i] = rank · 2^32 + payloads[i], and the range of the ranks.
RankRange gather_keys(const RanksOfRows& ranks, const std::uint32_t* payloads, std::uint64_t* keys);

// goes_left[i] = 1 where the rank is at most `last`, or is `also`; else 0.
void mark_left(const RanksOfRows& ranks, std::uint32_t last, std::uint32_t also,
               std::uint8_t* goes_left);

// Sorts by key; where `size` is large, by rank alone. Returns the array that is sorted, keys or
// other. Both have key_padding elements to spare. `greatest`: of the ranks but missing_rank.
std::uint64_t* sort_keys(std::uint64_t* keys, std::uint64_t* other, Index size,
                         std::uint32_t greatest);

// draws[f] = feature_draw(rules, key, f) for f = 0 .. count − 1; `draws` has 16 elements to spare.
void draw_features(const tree::SplitRules& rules, std::uint64_t key, Index count,
                   std::uint64_t* draws);

// The best cut of two classes by gini_score, as scan() of split_scorers.hpp finds it: of the cuts
// after lowest .. highest keys, whose payloads are 2·weight + class. left0 and left1 stand on the
// left before the first key. Returns the keys on the left, or −1 where no cut scores more than
// `score`, which it raises. Requires: node0 + node1 <= 2^18.
Index best_gini_of_two(const std::uint64_t* keys, Index lowest, Index highest, std::int64_t node0,
                       std::int64_t node1, std::int64_t left0, std::int64_t left1,
                       std::int64_t& score);
inline constexpr std::int64_t most_weight_of_two = std::int64_t{1} << 18;

}  // namespace tandem::cpu

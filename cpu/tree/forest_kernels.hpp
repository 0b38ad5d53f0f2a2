// The loops of a forest's nodes that are worth vector instructions.
#pragma once

#include <cstdint>

#include "core/tree/split_gain.hpp"
#include "tandem/core/types.hpp"

namespace tandem::cpu {

// What is read and written past the end of an array of keys by the functions below.
inline constexpr Index key_padding = 160;

// The ranks of some rows by one feature: table[row · stride]. Ranks number values, or bins.
template <class Rank>
struct RanksOfRows {
  const Rank* table;
  Index stride;
  const std::uint32_t* rows;
  Index count;  // >= 1
};
struct RankRange {
  std::uint32_t least;
  std::uint32_t greatest;
};

// keys[i] = rank · 2^32 + payloads[i], and the range of the ranks.
RankRange gather_keys(const RanksOfRows<std::uint32_t>& ranks, const std::uint32_t* payloads,
                      std::uint64_t* keys);
RankRange gather_keys(const RanksOfRows<std::uint8_t>& ranks, const std::uint32_t* payloads,
                      std::uint64_t* keys);

// goes_left[i] = 1 where the rank is at most `last`, or is `also`; else 0. Returns their sum.
Index mark_left(const RanksOfRows<std::uint32_t>& ranks, std::uint32_t last, std::uint32_t also,
                std::uint8_t* goes_left);
Index mark_left(const RanksOfRows<std::uint8_t>& ranks, std::uint32_t last, std::uint32_t also,
                std::uint8_t* goes_left);

// Bins of a feature, that of missing values included.
inline constexpr Index most_ranks = 256;

// The weights of classes in bins: weights[classes·bin + class] += weight, of payloads weight ·
// 2^class_bits + class; and where `rows` is not null, rows[bin] += 1.
struct ClassesByBin {
  std::int32_t classes;  // >= 2
  int class_bits;
  std::uint32_t* weights;
  std::uint32_t* rows;
};
void add_by_bin(const RanksOfRows<std::uint8_t>& bins, const std::uint32_t* payloads,
                const ClassesByBin& to);
// Takes `bins` bins apart into keys as gather_keys makes them of rows: one for each class that a
// bin has, in ascending order, with all its weight; and clears the weights. Returns how many there
// are, and how many of them lie before the bin `known`. Writes one key past the last.
struct KeyCount {
  Index keys;
  Index known;
};
KeyCount take_keys(const ClassesByBin& from, Index bins, Index known, std::uint64_t* keys);

// Sums of a regression by bin: weights[bin] += weights_of[i], or 1 where that is null; sums[bin] +=
// sums_of[i]; and where `rows` is not null, rows[bin] += 1.
struct SumsByBin {
  std::int64_t* weights;
  std::int64_t* sums;
  std::uint32_t* rows;
};
void add_by_bin(const RanksOfRows<std::uint8_t>& bins, const std::int64_t* weights_of,
                const std::int64_t* sums_of, const SumsByBin& to);

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

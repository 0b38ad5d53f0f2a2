// The kernels of boosting on the CPU that have vectors: histograms, cuts, and partitioning.
#pragma once

#include <cstdint>

#include "core/tree/boosting_gain.hpp"
#include "core/tree/category_split.hpp"
#include "tandem/core/types.hpp"

namespace tandem::cpu {

// Adds the words of rows to the bins that they are in. `rows` are row numbers; words[i] is that of
// rows[i].
struct HistogramBlock {
  const std::uint8_t* by_row;
  int bin_bytes;
  Index row_stride;  // in bins
  Index features;
  const Index* places;  // features + 1: where the bins of each begin in the sums; of bins of 8 bits
                        // at multiples of 64, 128 or 256
  const std::uint32_t* rows;
  const std::int64_t* words;
  const std::int64_t* extra;  // wide: Hessians
  Index count;                // at most rows_per_word, unless wide
  std::int64_t* sums;         // words; wide: gradients
  std::int64_t* extra_sums;   // wide: Hessians
};
void add_rows(const HistogramBlock& block);

// Takes words apart and adds them to 64-bit sums; the words become 0.
struct UnpackBlock {
  std::int64_t* words;
  Index count;  // a multiple of 64
  int shift;
  std::int64_t* g;
  std::int64_t* h;
};
void unpack(const UnpackBlock& block);
// to −= from. count: a multiple of 64.
void subtract(std::int64_t* to, const std::int64_t* from, Index count);
// The same where `from` are words and `to` sums.
struct SubtractBlock {
  std::int64_t* g;
  std::int64_t* h;
  const std::int64_t* words;
  Index count;
  int shift;
};
void subtract_words(const SubtractBlock& block);

// The best cut of one feature in one node, in `best`, whose feature is set. `g` and `h` are the
// bins' sums, or `words` both: `bins` of known values and, where has_missing, one of missing ones.
struct CutBlock {
  tree::GainRules rules;
  const std::int64_t* words;  // null: g and h
  int shift;
  const std::int64_t* g;
  const std::int64_t* h;
  Index bins;
  bool has_missing;
  std::int32_t feature;
  std::int64_t total_g;
  std::int64_t total_h;
  tree::WeightBounds bounds;
  int direction;
};
void find_cut(const CutBlock& block, tree::HistogramSplit& best);

// One piece of a node that is split: `left` gets a bit per row. Returns how many go left.
struct SideBlock {
  const std::uint8_t* column;  // of all rows, 3 bytes more can be read
  int bin_bytes;
  const std::uint32_t* rows;
  Index count;
  std::int32_t bin;
  std::int32_t missing_bin;
  const std::uint32_t* set;  // the bins that go left instead, or null
  std::uint8_t* left;        // a byte per 8 rows, rounded up to 8 bytes
};
Index choose_sides(const SideBlock& block);
// Moves rows and words, in order, to their places on the other side, which nobody else writes.
struct MoveBlock {
  const std::uint32_t* rows;
  const std::int64_t* words;
  const std::int64_t* extra;  // or null
  const std::uint8_t* left;
  Index count;
  std::uint32_t* left_rows;
  std::int64_t* left_words;
  std::int64_t* left_extra;
  std::uint32_t* right_rows;
  std::int64_t* right_words;
  std::int64_t* right_extra;
};
void move_rows(const MoveBlock& block);

}  // namespace tandem::cpu

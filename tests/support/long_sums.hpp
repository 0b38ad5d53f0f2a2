// Long sums put together from parts, to compare those of an engine with.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.hpp"
#include "core/random_permutation.hpp"
#include "tandem/core/long_sum_part.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem::test {

// The numbers of blocks at which the shapes of trees differ from each other and from a chain; up to
// three blocks they do not.
inline const std::vector<Index>& block_counts() {
  static const std::vector<Index> counts{4, 5, 6, 7, 8, 9, 15, 16, 17, 33};
  return counts;
}

// Rows that make up `blocks` blocks, of which the last is full for some and ragged for others.
inline Index rows_of_blocks(Index blocks) {
  return (blocks - 1) * sum_block + (blocks % 3 == 0 ? sum_block : 1 + blocks * 31 % sum_block);
}

// Where random parts of `blocks` blocks end: from 0 to `blocks`, ascending.
inline std::vector<Index> random_cuts(Index blocks, std::uint64_t seed) {
  const Random random(seed, Purpose::test);
  std::vector<Index> cuts{0};
  for (Index b = 1; b < blocks; ++b) {
    if (random.uniform(static_cast<std::uint64_t>(b)) < 0.3) cuts.push_back(b);
  }
  cuts.push_back(blocks);
  return cuts;
}

// The nodes that a part of `blocks` consecutive blocks may hold: max(1, 2⌊log₂ blocks⌋).
inline Index most_nodes(Index blocks) {
  Index log = 0;
  while ((Index{2} << log) <= blocks) ++log;
  return std::max<Index>(1, 2 * log);
}

// The long sum over `rows` rows where a row i makes its lane grow to add(i, lane). Computed in
// parts, cut at random and merged in random order; the size of each part is checked.
template <class Add>
double sum_by_parts(Index rows, Add&& add, std::uint64_t seed) {
  const std::vector<Index> cuts = random_cuts(sum_blocks(rows), seed);
  std::vector<LongSumPart> parts;
  for (std::size_t p = 0; p + 1 < cuts.size(); ++p) {
    LongSumPart part;
    for (Index b = cuts[p]; b < cuts[p + 1]; ++b) {
      const Index begin = b * sum_block;
      const Index end = std::min(begin + sum_block, rows);
      double lanes[sum_lanes] = {};
      for (Index i = begin; i < end; ++i) {
        double& lane = lanes[(i - begin) % sum_lanes];
        lane = add(i, lane);
      }
      const double sum = add_lanes(lanes);
      part.add_block(b, std::span(&sum, 1), end - begin);
    }
    EXPECT_LE(static_cast<Index>(part.nodes().size()), most_nodes(cuts[p + 1] - cuts[p]));
    parts.push_back(std::move(part));
  }
  const auto number = static_cast<Index>(parts.size());
  const RandomPermutation order(number, Random(seed, Purpose::test));
  LongSumPart whole;
  for (Index p = 0; p < number; ++p) whole.merge(parts[static_cast<std::size_t>(order(p))]);
  return whole.finish(rows)[0];
}

}  // namespace tandem::test

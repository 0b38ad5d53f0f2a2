// The order in which an epoch takes its rows: a function of the seed, the epoch and the place, so
// that an engine computes it where it is needed and nothing is uploaded.
#pragma once

#include <cstdint>

#include "core/random.hpp"
#include "core/random_permutation.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// Two permutations, one after the other. The rows are put in random order once, the same in every
// epoch, so that a file that is sorted by class does not give blocks of one class. Of that sequence
// an epoch permutes the blocks of sum_block rows, and then the rows inside each block: a batch
// comes from one block or two neighbours, whoever holds a block takes part in an epoch without the
// others, and a file that was written in the first order is read a block at a time.
class RowOrder {
 public:
  // Requires: rows >= 1. Without `shuffled` places are rows.
  RowOrder(Index rows, bool shuffled, std::uint64_t seed, Index epoch)
      : rows_(rows),
        shuffled_(shuffled),
        random_(seed, Purpose::shuffle, static_cast<std::uint32_t>(epoch)),
        loaded_(rows, Random(seed, Purpose::shuffle, first_order)),
        blocks_(sum_blocks(rows), random_),
        place_of_last_(blocks_.inverse(sum_blocks(rows) - 1)) {}

  [[nodiscard]] TANDEM_HOST_DEVICE Index rows() const { return rows_; }
  [[nodiscard]] TANDEM_HOST_DEVICE Index blocks() const { return sum_blocks(rows_); }

  // The block that stands at a place of the epoch, 0 <= place < blocks().
  struct Block {
    Index begin;  // where in the epoch its rows are
    Index size;
    Index first;  // of its rows in the first order
    RandomPermutation inside;
  };
  [[nodiscard]] TANDEM_HOST_DEVICE Block block(Index place) const {
    const Index b = shuffled_ ? blocks_(place) : place;
    const Index last = blocks() - 1;
    const Index rest = rows_ - last * sum_block;  // rows of the last block
    const bool behind = shuffled_ && place > place_of_last_;
    const Index size = b == last ? rest : sum_block;
    return {place * sum_block - (behind ? sum_block - rest : 0), size, b * sum_block,
            // The first keys are those of the permutation of blocks.
            RandomPermutation(size, random_,
                              static_cast<std::uint64_t>(b + 1) * RandomPermutation::keys)};
  }
  // The row at place i of a block.
  [[nodiscard]] TANDEM_HOST_DEVICE Index row(const Block& block, Index i) const {
    return shuffled_ ? loaded_(block.first + block.inside(i)) : block.first + i;
  }
  // Where that row stands now: in its place of the first order, where the rows were written in it.
  // For the host alone, which is where they are; kernels would take twice the registers for it.
  [[nodiscard]] Index standing(const Block& block, Index i) const {
    return written_ && shuffled_ ? block.first + block.inside(i) : row(block, i);
  }

  // The same order of rows that were written in the first order, for standing(): row p is the one
  // that place_in_first_order() says to stand at p.
  [[nodiscard]] RowOrder of_written_rows() const {
    RowOrder order = *this;
    order.written_ = true;
    return order;
  }
  [[nodiscard]] Index place_in_first_order(Index row) const {
    return shuffled_ ? loaded_.inverse(row) : row;
  }

  // The row at a place of the epoch, 0 <= place < rows().
  [[nodiscard]] TANDEM_HOST_DEVICE Index operator()(Index place) const {
    const Index missing = blocks() * sum_block - rows_;
    Index b = place / sum_block;
    if (shuffled_ && place >= (place_of_last_ + 1) * sum_block - missing) {
      b = (place + missing) / sum_block;
    }
    const Block at = block(b);
    return row(at, place - at.begin);
  }

 private:
  // Not an epoch's: there are 2^31 at most.
  static constexpr std::uint32_t first_order = 0xffffffffU;

  Index rows_;
  bool shuffled_;
  bool written_ = false;  // the rows stand in the first order
  Random random_;         // of the epoch
  RandomPermutation loaded_;
  RandomPermutation blocks_;
  Index place_of_last_;  // where the epoch has the block that may be shorter than the others
};

}  // namespace tandem

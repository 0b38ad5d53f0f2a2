// How the pairs of Bayesian personalised ranking are laid out in blocks, so that many can go at
// once. After the strata of Gemulla, Nijkamp, Haas and Sismanis, "Large-Scale Matrix Factorization
// with Distributed Stochastic Gradient Descent", KDD 2011, with two item blocks to a task, because
// a step touches two items.
#pragma once

#include <vector>

#include "core/recommend/bpr_steps.hpp"
#include "tandem/recommend/choices.hpp"
#include "tandem/recommend/interactions.hpp"

namespace tandem {

// Blocks of users: the greatest power of two, 256 at most, at which blocks hold 16 items and 4
// users on the mean, and tasks 32 pairs. A function of the data, never of the machine.
[[nodiscard]] Index bpr_blocks(Index users, Index items, Index pairs);

struct BprSchedule {
  Index blocks = 1;
  std::vector<Index> cell_offsets;
  std::vector<std::int32_t> pair_users, pair_items;
  std::vector<Index> pool_offsets;
  std::vector<std::int32_t> pool_items;
};

// users: who has what; every element is a pair. Users and items are dealt out to blocks by their
// pairs, the most first, each to the block that has the fewest so far; equals come in an order
// drawn by the seed. A pool holds the items of its block that somebody has, once (uniform) or once
// for each of their pairs (popular).
[[nodiscard]] BprSchedule bpr_schedule(const SparseMatrix<float>& users, Index blocks,
                                       BprNegatives negatives, std::uint64_t seed);

// The item blocks of each match of a pass.
[[nodiscard]] std::vector<std::int32_t> bpr_matches(Index blocks, std::uint64_t seed,
                                                    std::uint32_t pass);

// A schedule on an engine.
class BprOnEngine {
 public:
  BprOnEngine(Engine& engine, const BprSchedule& schedule, const SparseMatrix<float>& users);
  // What pass `pass` goes over; valid until the next call.
  [[nodiscard]] BprView view(Index factors, std::uint64_t seed, std::uint32_t pass);

 private:
  Engine& engine_;
  Index blocks_;
  Buffer<Index> cell_offsets_, pool_offsets_, user_offsets_;
  Buffer<std::int32_t> pair_users_, pair_items_, pool_items_, user_items_, matches_;
};

}  // namespace tandem

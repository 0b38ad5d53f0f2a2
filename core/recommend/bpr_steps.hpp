// The steps of Bayesian personalised ranking, and the order of their operations.
//
// A pass goes over all pairs (u, i) of a user and an item of that user's, each once, and draws for
// each an item j that the user does not have. One after the other,
//
//   s   = dot(x_u, y_i − y_j) + (b_i − b_j)
//   g   = rate · sigmoid(−s),  keep = 1 − rate · λ
//   x_u = fma(g, y_i − y_j, keep·x_u)       all from the values before
//   y_i = fma(g, x_u, keep·y_i),   b_i = fma(keep, b_i, g)
//   y_j = fma(−g, x_u, keep·y_j),  b_j = fma(keep, b_j, −g)
//
// in T; dot: lane l of 32 is one chain of fmas over the elements l, l + 32, ... from +0; lanes are
// added by halves.
//
// So that many pairs can go at once and no two touch the same row, users lie in B blocks and items
// in 2B (bpr_schedule.hpp). In a pass item blocks are matched two by two, anew in each pass. A pass
// has B rounds: in round r user block a takes its pairs with the items of match (a + r) mod B, in
// the order of BprOrder, and draws j from the items of that match. The B tasks of a round share no
// user and no item. What is computed is what one thread computes that does task after task: no
// gradient is of values that others have changed meanwhile, and neither threads nor device matter.
//
// Rows are rows × als_pitch(factors), zeros behind the factors.
#pragma once

#include <memory>
#include <numeric>
#include <string_view>

#include "core/cost.hpp"
#include "core/random.hpp"
#include "core/recommend/als_steps.hpp"  // als_pitch
#include "tandem/core/buffer.hpp"
#include "tandem/core/engine.hpp"

namespace tandem {

// Draws of an item that the user does not have, before a pair goes without in this pass.
inline constexpr int bpr_tries = 4;

// The order of the pairs 0 .. count − 1 of a task: (start + k · step) mod count with a step that
// has no divisor in common with the count, so that each comes once.
class BprOrder {
 public:
  TANDEM_HOST_DEVICE BprOrder(std::uint32_t count, std::uint64_t bits) : count_(count) {
    at_ = static_cast<std::uint32_t>(bits) % count;
    step_ = 1 + static_cast<std::uint32_t>(bits >> 32) % count;
    while (common_divisor(step_, count) != 1) step_ = step_ % count + 1;
  }
  [[nodiscard]] TANDEM_HOST_DEVICE std::uint32_t next() {
    const std::uint32_t now = at_;
    const std::uint64_t then = static_cast<std::uint64_t>(at_) + step_;
    at_ = static_cast<std::uint32_t>(then >= count_ ? then - count_ : then);
    return now;
  }

 private:
  [[nodiscard]] TANDEM_HOST_DEVICE static std::uint32_t common_divisor(std::uint32_t a,
                                                                       std::uint32_t b) {
    while (b != 0) {
      const std::uint32_t rest = a % b;
      a = b;
      b = rest;
    }
    return a;
  }
  std::uint32_t count_, at_, step_;
};

// Whether `item` is among items[begin .. end − 1], which ascend.
[[nodiscard]] TANDEM_HOST_DEVICE inline bool bpr_has(const std::int32_t* items, Index begin,
                                                     Index end, std::int32_t item) {
  while (begin < end) {
    const Index middle = begin + (end - begin) / 2;
    if (items[middle] < item) {
      begin = middle + 1;
    } else if (items[middle] > item) {
      end = middle;
    } else {
      return true;
    }
  }
  return false;
}

// What a pass goes over, as kernels see it. Offsets into pairs and pools are ascending.
struct BprView {
  Index blocks = 0;           // B
  const Index* cell_offsets;  // B × 2B + 1: pairs of user block a and item block b
  const std::int32_t* pair_users;
  const std::int32_t* pair_items;
  const Index* pool_offsets;  // 2B + 1: what j is drawn from
  const std::int32_t* pool_items;
  const Index* user_offsets;  // all items of each user, ascending
  const std::int32_t* user_items;
  const std::int32_t* matches;  // 2B: match m is of the item blocks matches[2m], matches[2m + 1]
  int factors;
  int pitch;
  std::uint64_t seed;
  std::uint32_t pass;
};

// The pairs of one task, in their order. `next` finds user, item and the drawn item; drawn is −1
// where all tries were of the user's own items.
class BprTask {
 public:
  TANDEM_HOST_DEVICE BprTask(const BprView& view, Index user_block, Index round)
      : view_(view),
        left_(view.matches[2 * ((user_block + round) % view.blocks)]),
        right_(view.matches[2 * ((user_block + round) % view.blocks) + 1]),
        left_begin_(view.cell_offsets[user_block * 2 * view.blocks + left_]),
        left_count_(static_cast<std::uint32_t>(
            view.cell_offsets[user_block * 2 * view.blocks + left_ + 1] - left_begin_)),
        right_begin_(view.cell_offsets[user_block * 2 * view.blocks + right_]),
        count_(left_count_ +
               static_cast<std::uint32_t>(
                   view.cell_offsets[user_block * 2 * view.blocks + right_ + 1] - right_begin_)),
        pool_left_(
            static_cast<std::uint32_t>(view.pool_offsets[left_ + 1] - view.pool_offsets[left_])),
        pool_(pool_left_ + static_cast<std::uint32_t>(view.pool_offsets[right_ + 1] -
                                                      view.pool_offsets[right_])),
        order_(count_ == 0 ? 1 : count_,
               Random(view.seed, Purpose::shuffle, view.pass)
                   .bits(static_cast<std::uint64_t>(user_block * 2 * view.blocks + left_))) {}

  [[nodiscard]] TANDEM_HOST_DEVICE std::uint32_t size() const { return count_; }

  TANDEM_HOST_DEVICE void next(std::int32_t& user, std::int32_t& item, std::int32_t& drawn) {
    const std::uint32_t k = order_.next();
    const Index pair = k < left_count_ ? left_begin_ + k : right_begin_ + (k - left_count_);
    user = view_.pair_users[pair];
    item = view_.pair_items[pair];
    drawn = -1;
    if (pool_ == 0) return;
    const Philox4x32 random =
        philox4x32(view_.seed, static_cast<std::uint64_t>(pair),
                   static_cast<std::uint64_t>(Purpose::sampling) << 32 | view_.pass);
    const Index begin = view_.user_offsets[user];
    const Index end = view_.user_offsets[user + 1];
    for (int t = 0; t < bpr_tries; ++t) {
      const auto at =
          static_cast<std::uint32_t>(static_cast<std::uint64_t>(random.word[t]) * pool_ >> 32);
      const std::int32_t candidate =
          at < pool_left_ ? view_.pool_items[view_.pool_offsets[left_] + at]
                          : view_.pool_items[view_.pool_offsets[right_] + (at - pool_left_)];
      if (bpr_has(view_.user_items, begin, end, candidate)) continue;
      drawn = candidate;
      return;
    }
  }

 private:
  const BprView& view_;
  Index left_, right_;
  Index left_begin_;
  std::uint32_t left_count_;
  Index right_begin_;
  std::uint32_t count_;
  std::uint32_t pool_left_, pool_;
  BprOrder order_;
};

// Streams of random numbers: those of passes are below this, those of items' draws from it on.
inline constexpr std::uint32_t bpr_fold_in_streams = 0x80000000U;

// Items are fixed, and x, from +0, is a user's who has `count` >= 1 items, ascending. The pairs are
// gone over in ascending order of items `passes` times, or as often as makes bpr_fold_in_steps, and
// j is drawn from a panel of items by the numbers of the item and the pass, so that it does not
// depend on what else the history has.
inline constexpr Index bpr_fold_in_steps = 32768;
[[nodiscard]] TANDEM_HOST_DEVICE constexpr Index bpr_passes(Index passes, Index count) {
  const Index most = bpr_fold_in_steps / count > 1 ? bpr_fold_in_steps / count : 1;
  return passes < most ? passes : most;
}

template <Real T>
struct BprFoldIn {
  const T* y;       // items × pitch
  const T* biases;  // items
  const std::int32_t* panel;
  std::uint32_t panel_size;
  int factors;
  int pitch;    // of y
  int x_pitch;  // of the result, above `factors`
  Index passes;
  std::uint64_t seed;
  T rate;
  T keep;
};

template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE std::int32_t bpr_fold_in_draw(const BprFoldIn<T>& in,
                                                               const std::int32_t* items,
                                                               Index count, std::int32_t item,
                                                               Index pass) {
  const Philox4x32 random = philox4x32(in.seed, static_cast<std::uint64_t>(pass),
                                       static_cast<std::uint64_t>(Purpose::sampling) << 32 |
                                           bpr_fold_in_streams | static_cast<std::uint32_t>(item));
  for (int t = 0; t < bpr_tries; ++t) {
    const std::int32_t candidate =
        in.panel[static_cast<std::uint64_t>(random.word[t]) * in.panel_size >> 32];
    if (!bpr_has(items, 0, count, candidate)) return candidate;
  }
  return -1;
}

// Three rows of each pair are read and written; a dot product of a difference and three updates.
[[nodiscard]] constexpr Cost bpr_cost(Index pairs, Index factors, std::size_t element) {
  const auto n = static_cast<double>(pairs) * static_cast<double>(factors);
  return {6 * n * static_cast<double>(element), 13 * n};
}

template <Real T>
struct BprFactors {
  Buffer<T>& x;       // users × pitch
  Buffer<T>& y;       // items × pitch
  Buffer<T>& biases;  // items
};

template <Real T>
class BprSteps {
 public:
  virtual ~BprSteps() = default;
  static constexpr std::string_view name = "bpr";
  [[nodiscard]] static std::unique_ptr<BprSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<BprSteps> make_cpu(Engine& engine);

  // One pass over all pairs. tally: 2 numbers, to which are added how many pairs had an item drawn,
  // and for how many of them s was above 0. Enqueues.
  virtual void pass(const BprView& view, T rate, T keep, BprFactors<T> factors,
                    Buffer<std::int64_t>& tally) = 0;

  // x (rows × x_pitch) ← the vectors of users whose items are columns[offsets[r] .. offsets[r + 1]
  // − 1], and behind them the 1 that a bias is multiplied by, and zeros. Enqueues.
  virtual void fold_in(const BprFoldIn<T>& in, Index rows, const Buffer<Index>& offsets,
                       const Buffer<std::int32_t>& columns, Buffer<T>& x) = 0;
};

}  // namespace tandem

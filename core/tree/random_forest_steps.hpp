// The hot operations of growing a forest: drawing the rows of its trees, growing them, and what
// trees say of rows that they have not drawn. How trees themselves are grown is said by
// decision_tree_steps.hpp, whose splits these trees have.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/random.hpp"
#include "core/random_permutation.hpp"
#include "core/tree/decision_tree_steps.hpp"
#include "core/tree/tree_ensemble_steps.hpp"

namespace tandem::tree {

// How each tree's rows are drawn. Plain data, so that a kernel can take it by value.
struct RowDraws {
  Index rows = 0;       // n
  Index draws = 0;      // of a tree; 1 .. rows
  bool replace = true;  // whether a row may be drawn again
  std::uint64_t seed = 0;
  // Of classes, above 0: those that a tree has drawn weigh alike in it. The weight of each of its
  // rows is multiplied by balancing_factors(), in units of 2^-balance_bits.
  int balance_bits = 0;

  // False where every tree has every row once.
  [[nodiscard]] TANDEM_HOST_DEVICE bool drawn() const { return replace || draws < rows; }
  [[nodiscard]] TANDEM_HOST_DEVICE Random random(std::uint64_t tree) const {
    return Random(seed, Purpose::rows_of_a_tree, static_cast<std::uint32_t>(tree));
  }
};

// The features of all rows as numbers of bins (tandem/tree/binned_table.hpp).
struct BinnedFeatures {
  const Buffer<std::uint8_t>* by_row = nullptr;     // n × stride
  const Buffer<std::uint8_t>* by_column = nullptr;  // cols × n
  Index stride = 0;
  // Per feature: the bins of known values, which is also the number of the bin of missing ones.
  const Buffer<std::uint8_t>* known_bins = nullptr;
};

// What stands in place of a value in a tree that is grown by bins: the number of its bin, or NaN.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T number_of_bin(std::uint8_t bin, std::uint8_t known_bins) {
  return bin == known_bins ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(bin);
}

// What the rows of each class are multiplied by, so that the classes of a tree have the same weight
// where all rows have: draws / (classes drawn · draws of the class), as integers, at least 1.
// drawn: how often a tree has drawn each class.
[[nodiscard]] inline std::vector<std::int64_t> balancing_factors(
    const RowDraws& draws, std::span<const std::int64_t> drawn) {
  const auto present = static_cast<double>(drawn.size()) -
                       static_cast<double>(std::count(drawn.begin(), drawn.end(), 0));
  std::vector<std::int64_t> factors;
  for (const std::int64_t of_class : drawn) {
    const double share = static_cast<double>(draws.draws) /
                         (present * static_cast<double>(std::max<std::int64_t>(of_class, 1)));
    factors.push_back(
        std::max<std::int64_t>(1, std::llround(std::ldexp(share, draws.balance_bits))));
  }
  return factors;
}
// Bits such that the rows of a tree, of which each weighs one unit, weigh less than 2^31 units
// together, where there are at most 2^20 of them; never less than 10.
[[nodiscard]] inline int balance_bits_for(Index draws) {
  return std::clamp(30 - static_cast<int>(std::bit_width(static_cast<std::uint64_t>(draws))), 10,
                    16);
}

// The rows of one tree, draw by draw.
class RowsOfTree {
 public:
  TANDEM_HOST_DEVICE RowsOfTree(const RowDraws& draws, std::uint64_t tree)
      : draws_(draws), random_(draws.random(tree)), order_(draws.rows, random_) {}
  // Requires: 0 <= i < draws.draws.
  [[nodiscard]] TANDEM_HOST_DEVICE Index operator()(Index i) const {
    return draws_.replace ? random_.below(draws_.rows, static_cast<std::uint64_t>(i)) : order_(i);
  }

 private:
  RowDraws draws_;
  Random random_;
  RandomPermutation order_;
};

template <Real T>
class RandomForestSteps {
 public:
  virtual ~RandomForestSteps() = default;
  static constexpr std::string_view name = "random_forest";
  [[nodiscard]] static std::unique_ptr<RandomForestSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<RandomForestSteps> make_cpu(Engine& engine);

  // `data` has every row once, and must outlive the steps' use, as `bins` must. The targets are
  // encoded already (DecisionTreeSteps::encode_target). With bins the trees are those of a table
  // that has number_of_bin() in the place of every value: a threshold of a tree is then a number
  // between those of two bins, and nobody looks at data.x. `bins` is null where values count.
  virtual void prepare(const TreeData<T>& data, const SplitRules& rules, const RowDraws& draws,
                       const BinnedFeatures* bins) = 0;

  // How many trees are best grown at one go, at least 1. The trees do not depend on it.
  [[nodiscard]] virtual Index trees_at_once() const = 0;

  // counts[t·rows + i] = how often tree first + t has drawn row i. Only enqueued.
  virtual void draw(Index first, Index trees, Buffer<std::uint32_t>& counts) = 0;

  // Tree first + t, grown from row i as if it stood there counts[t·rows + i] times, with the weight
  // that RowDraws says. Each tree's
  // name for random draws is root_key_of(first + t). Waits.
  virtual void grow(Index first, const Buffer<std::uint32_t>& counts,
                    std::span<GrownSubtree<T>> trees) = 0;

  // For each row i and each of the trees t, in ascending order, with counts[t·rows + i] = 0:
  // adds the leaf of row i to sums[i·outputs ..], and 1 to votes[i]. The trees have all outputs.
  // Only enqueued.
  virtual void add_out_of_bag(const EnsembleOnEngine<T>& trees, const Buffer<std::uint32_t>& counts,
                              const Buffer<T>& x, Index rows, Buffer<T>& sums,
                              Buffer<std::uint32_t>& votes) = 0;
};

}  // namespace tandem::tree

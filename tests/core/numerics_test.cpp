#include "tandem/core/numerics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.hpp"
#include "core/random_permutation.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/long_sum_part.hpp"
#include "tests/support/agreement.hpp"
#include "tests/support/long_sums.hpp"

namespace tandem {
namespace {

TEST(LongSum, HasTheDocumentedShape) {
  // 1500 terms: a full block of 1024 and a part of one, written out independently of long_sum.
  const Random random(3, Purpose::test);
  std::vector<double> terms;
  for (std::uint64_t i = 0; i < 1500; ++i) terms.push_back(random.uniform(i) * 1e3 - 400);
  double expected = 0.0;
  for (const auto& [begin, end] : {std::pair{0, 1024}, std::pair{1024, 1500}}) {
    std::vector<double> lanes(32, 0.0);
    for (int l = 0; l < 32; ++l) {
      for (int i = begin + l; i < end; i += 32) {
        lanes[static_cast<std::size_t>(l)] += terms[static_cast<std::size_t>(i)];
      }
    }
    for (std::size_t width : {16U, 8U, 4U, 2U, 1U}) {
      std::vector<double> folded;
      for (std::size_t l = 0; l < width; ++l) folded.push_back(lanes[l] + lanes[l + width]);
      lanes = folded;
    }
    expected += lanes[0];
  }
  const double sum = long_sum(1500, [&](Index i) { return terms[static_cast<std::size_t>(i)]; });
  EXPECT_EQ(test::bits_of(sum), test::bits_of(expected));
}

TEST(LongSum, StaysInsideItsBound) {
  const Random random(4, Purpose::test);
  for (const Index count : test::awkward_sizes()) {
    long double exact = 0;
    double magnitude = 0;
    const auto term = [&](Index i) {
      return (random.uniform(static_cast<std::uint64_t>(i)) - 0.5) *
             std::ldexp(1.0, static_cast<int>(i % 60));
    };
    for (Index i = 0; i < count; ++i) {
      exact += static_cast<long double>(term(i));
      magnitude += std::abs(term(i));
    }
    const double error = std::abs(static_cast<double>(long_sum(count, term) - exact));
    EXPECT_LE(error, (long_sum_bound(count) + 0x1p-60) * magnitude) << count;
  }
}

// The numbers of blocks at which shapes of trees differ from each other and from a chain.
std::vector<Index> awkward_block_counts() { return {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33}; }

// Numbers whose sum depends on the order of additions.
std::vector<double> uneven_numbers(Index count, std::uint64_t seed) {
  const Random random(seed, Purpose::test);
  std::vector<double> numbers;
  for (Index i = 0; i < count; ++i) {
    const auto at = static_cast<std::uint64_t>(2 * i);
    numbers.push_back((random.uniform(at) - 0.3) *
                      std::ldexp(1.0, static_cast<int>(10 * random.uniform(at + 1))));
  }
  return numbers;
}

// Node (level, index) of the tree over `blocks`, as the contract defines it.
double node(const std::vector<double>& blocks, int level, Index index) {
  if (level == 0) return blocks[static_cast<std::size_t>(index)];
  const double left = node(blocks, level - 1, 2 * index);
  const bool has_right = ((2 * index + 1) << (level - 1)) < static_cast<Index>(blocks.size());
  return has_right ? left + node(blocks, level - 1, 2 * index + 1) : left;
}
double root(const std::vector<double>& blocks) {
  int level = 0;
  while ((std::size_t{1} << level) < blocks.size()) ++level;
  return node(blocks, level, 0);
}

TEST(SumTree, IsTheTreeOfTheContract) {
  for (const Index count : awkward_block_counts()) {
    const std::vector<double> blocks = uneven_numbers(count, 11);
    SumTree<> tree;
    SumTree<6> low;
    for (const double block : blocks) {
      tree.add(block);
      low.add(block);
    }
    EXPECT_EQ(tree.blocks(), count);
    EXPECT_EQ(test::bits_of(tree.total()), test::bits_of(root(blocks))) << count;
    EXPECT_EQ(test::bits_of(low.total()), test::bits_of(root(blocks))) << count;

    constexpr Index columns = 3;
    std::vector<double> table;
    for (const double block : blocks) table.insert(table.end(), {block, -block, block / 3});
    std::vector<double> thirds;
    for (const double block : blocks) thirds.push_back(block / 3);
    add_block_sums(table.data(), count, columns);
    EXPECT_EQ(test::bits_of(table[0]), test::bits_of(root(blocks))) << count;
    EXPECT_EQ(test::bits_of(table[1]), test::bits_of(-root(blocks))) << count;
    EXPECT_EQ(test::bits_of(table[2]), test::bits_of(root(thirds))) << count;
  }
}

TEST(SumTree, AddsNothingToWhatHasNoPartner) {
  // −0 + 0 is +0: a sum that was padded with zeros, or started with one, loses the sign.
  for (const Index count : awkward_block_counts()) {
    SumTree<> tree;
    for (Index b = 0; b < count; ++b) tree.add(-0.0);
    EXPECT_EQ(test::bits_of(tree.total()), test::bits_of(-0.0)) << count;
  }
  EXPECT_EQ(test::bits_of(SumTree<>{}.total()), test::bits_of(0.0));
}

TEST(SumTree, DiffersFromAChainFromFourBlocksOn) {
  // Guards the tests above against numbers for which every order gives the same.
  for (const Index count : awkward_block_counts()) {
    int different = 0;
    for (std::uint64_t seed = 0; seed < 64; ++seed) {
      const std::vector<double> blocks = uneven_numbers(count, seed);
      double chain = blocks[0];
      for (std::size_t b = 1; b < blocks.size(); ++b) chain += blocks[b];
      different += chain != root(blocks) ? 1 : 0;
    }
    if (count < 4) {
      EXPECT_EQ(different, 0) << count;
    } else {
      EXPECT_GT(different, 5) << count;
    }
  }
}

TEST(LongSumPart, HasTheSameBitsForAnyCutsInAnyOrder) {
  for (const Index count : awkward_block_counts()) {
    for (const Index last_rows : {Index{1}, Index{700}, sum_block}) {
      const Index rows = (count - 1) * sum_block + last_rows;
      const std::vector<double> blocks = uneven_numbers(count, 21);
      for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const std::vector<Index> cuts = test::random_cuts(count, seed);
        std::vector<LongSumPart> parts;
        for (std::size_t p = 0; p + 1 < cuts.size(); ++p) {
          LongSumPart part(2);
          const bool descending = seed % 2 == 1;  // the order of blocks does not matter either
          for (Index i = cuts[p]; i < cuts[p + 1]; ++i) {
            const Index b = descending ? cuts[p + 1] - 1 - (i - cuts[p]) : i;
            const double value = blocks[static_cast<std::size_t>(b)];
            part.add_block(b, std::array{value, -value}, b + 1 == count ? last_rows : sum_block);
          }
          EXPECT_LE(static_cast<Index>(part.nodes().size()),
                    test::most_nodes(cuts[p + 1] - cuts[p]));
          parts.push_back(part);
        }
        const auto number = static_cast<Index>(parts.size());
        const RandomPermutation order(number, Random(seed, Purpose::test));
        LongSumPart whole(2);
        for (Index p = 0; p < number; ++p) {
          whole.merge(parts[static_cast<std::size_t>(order(p))]);
        }
        const std::vector<double> sums = whole.finish(rows);
        EXPECT_EQ(test::bits_of(sums[0]), test::bits_of(root(blocks))) << count << " " << seed;
        EXPECT_EQ(test::bits_of(sums[1]), test::bits_of(-root(blocks))) << count << " " << seed;
      }
    }
  }
}

TEST(LongSumPart, HoldsTheMaximalCompleteNodesOfItsRange) {
  for (Index begin = 0; begin < 40; ++begin) {
    for (Index end = begin + 1; end < 80; ++end) {
      LongSumPart part;
      for (Index b = begin; b < end; ++b) part.add_block(b, std::array{1.0});
      ASSERT_LE(static_cast<Index>(part.nodes().size()), test::most_nodes(end - begin));
      Index next = begin;
      for (std::size_t i = 0; i < part.nodes().size(); ++i) {
        const LongSumPart::Node node = part.nodes()[i];
        ASSERT_EQ(node.first_block(), next);
        ASSERT_EQ(part.sums(i)[0], static_cast<double>(node.end_block() - next));
        // Its parent is not complete: it reaches out of the range on one side.
        const LongSumPart::Node parent{node.level + 1, node.index / 2};
        ASSERT_TRUE(parent.first_block() < begin || parent.end_block() > end);
        next = node.end_block();
      }
      ASSERT_EQ(next, end);
    }
  }
}

TEST(LongSumPart, CanBeSentNodeByNode) {
  const std::vector<double> blocks = uneven_numbers(11, 5);
  LongSumPart first;
  LongSumPart second;
  for (Index b = 0; b < 11; ++b) {
    (b < 5 ? first : second)
        .add_block(b, std::span(blocks).subspan(static_cast<std::size_t>(b), 1),
                   b == 10 ? 3 : sum_block);
  }
  LongSumPart copy;
  for (std::size_t i = 0; i < second.nodes().size(); ++i) {
    copy.add_node(second.nodes()[i], second.sums(i));
  }
  copy.end_at(second.ragged_end());
  first.merge(copy);
  EXPECT_EQ(test::bits_of(first.finish(10 * sum_block + 3)[0]), test::bits_of(root(blocks)));
}

TEST(LongSumPart, RejectsOverlapsGapsAndOtherRows) {
  LongSumPart part;
  for (const Index b : {0, 1, 2, 5}) part.add_block(b, std::array{1.0});
  EXPECT_THROW(part.finish(6 * sum_block), InputError);  // 3 and 4 are missing
  EXPECT_THROW(part.finish(3 * sum_block), InputError);  // 5 is too many
  EXPECT_THROW(part.add_block(1, std::array{1.0}), InputError);
  EXPECT_THROW(part.add_node({2, 0}, std::array{1.0}), InputError);
  EXPECT_THROW(part.add_node({2, 1}, std::array{1.0}), InputError);
  EXPECT_THROW(part.add_block(4, std::array{1.0}, 7), InputError);  // rows follow in block 5
  EXPECT_THROW(part.add_block(6, std::array{1.0}, 0), InputError);
  EXPECT_THROW(part.add_block(6, std::array{1.0}, sum_block + 1), InputError);
  EXPECT_THROW(part.add_block(-1, std::array{1.0}), InputError);
  EXPECT_THROW(part.add_block(6, std::array{1.0, 2.0}), InputError);
  EXPECT_THROW(part.merge(part), InputError);
  EXPECT_THROW(part.merge(LongSumPart(2)), InputError);
  EXPECT_THROW(part.end_at(5 * sum_block), InputError);
  EXPECT_THROW(part.end_at(5 * sum_block - 1), InputError);

  LongSumPart middle;
  middle.add_block(3, std::array{1.0});
  middle.add_block(4, std::array{1.0});
  LongSumPart overlapping = middle;
  overlapping.add_block(5, std::array{1.0});
  EXPECT_THROW(part.merge(overlapping), InputError);
  part.merge(middle);  // the failed merges and blocks changed nothing
  EXPECT_EQ(part.finish(6 * sum_block)[0], 6.0);
  EXPECT_THROW(part.finish(6 * sum_block - 1), InputError);
  EXPECT_THROW(part.finish(7 * sum_block), InputError);

  part.add_block(6, std::array{1.0}, 10);
  EXPECT_EQ(part.ragged_end(), 6 * sum_block + 10);
  EXPECT_THROW(part.add_block(7, std::array{1.0}), InputError);
  EXPECT_THROW(part.finish(6 * sum_block + 11), InputError);
  EXPECT_THROW(part.finish(7 * sum_block), InputError);
  EXPECT_THROW(part.finish(6 * sum_block), InputError);
  EXPECT_EQ(part.finish(6 * sum_block + 10)[0], 7.0);
  EXPECT_THROW(LongSumPart(0), InputError);
}

TEST(LongSumPart, OfNoRowsIsPositiveZero) {
  const std::vector<double> sums = LongSumPart(3).finish(0);
  EXPECT_TRUE(test::same_bits(sums, std::vector<double>(3, 0.0)));
  EXPECT_THROW(LongSumPart().finish(1), InputError);
  EXPECT_THROW(LongSumPart().finish(-1), InputError);
}

TEST(LongSum, OfNothingIsPositiveZero) {
  EXPECT_EQ(test::bits_of(long_sum(0, [](Index) { return -0.0; })), test::bits_of(0.0));
}

TEST(FixedPoint, NeverOverflowsAtItsLimits) {
  for (const Index count : {Index{1}, Index{2}, Index{3}, Index{1000}, (Index{1} << 40) + 1}) {
    for (const double largest : {1.0, 0.75, 3.0, 1e-300, 1e300, 4.9e-324}) {
      const FixedPoint scale = FixedPoint::for_sum(count, largest);
      const std::int64_t term = scale.encode(largest);
      const auto sum = static_cast<__int128>(term) * count;
      EXPECT_LE(sum, static_cast<__int128>(INT64_MAX)) << count << " " << largest;
      EXPECT_GT(term, 0) << count << " " << largest;
    }
  }
}

TEST(FixedPoint, SumsAreTheSameInAnyOrderAndWithinTheTermError) {
  const Random random(5, Purpose::test);
  constexpr Index count = 1000;
  std::vector<double> values;
  for (std::uint64_t i = 0; i < count; ++i) values.push_back(random.uniform(i) * 20 - 10);
  const FixedPoint scale = FixedPoint::for_sum(count, 10);
  std::int64_t forward = 0;
  std::int64_t backward = 0;
  long double exact = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    forward += scale.encode(values[i]);
    backward += scale.encode(values[values.size() - 1 - i]);
    exact += static_cast<long double>(values[i]);
  }
  EXPECT_EQ(forward, backward);
  EXPECT_LE(std::abs(static_cast<double>(scale.decode(forward) - exact)),
            count * scale.term_error() + std::abs(static_cast<double>(exact)) * 0x1p-53);
}

TEST(FixedPoint, OfNothingIsHarmless) {
  EXPECT_EQ(FixedPoint::for_sum(0, 5).exponent, 0);
  EXPECT_EQ(FixedPoint::for_sum(5, 0).encode(0), 0);
}

}  // namespace
}  // namespace tandem

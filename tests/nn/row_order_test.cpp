// The order in which an epoch takes its rows.
#include "core/nn/row_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

namespace tandem {
namespace {

std::vector<Index> whole(const RowOrder& order) {
  std::vector<Index> rows;
  for (Index p = 0; p < order.rows(); ++p) rows.push_back(order(p));
  return rows;
}
std::vector<Index> ascending(Index rows) {
  std::vector<Index> all(static_cast<std::size_t>(rows));
  std::iota(all.begin(), all.end(), Index{0});
  return all;
}

const std::vector<Index>& sizes() {
  static const std::vector<Index> all{1, 2, 3, 7, 100, 1023, 1024, 1025, 1348, 2048, 5000, 33000};
  return all;
}

TEST(RowOrder, TakesEveryRowOnce) {
  for (const Index rows : sizes()) {
    for (const Index epoch : {0, 1, 7}) {
      std::vector<Index> order = whole(RowOrder(rows, true, 5, epoch));
      std::sort(order.begin(), order.end());
      EXPECT_EQ(order, ascending(rows)) << rows << " rows, epoch " << epoch;
    }
    EXPECT_EQ(whole(RowOrder(rows, false, 5, 3)), ascending(rows));
  }
}

TEST(RowOrder, BlocksAreTheSameInEveryEpochButNotTheirOrderNorTheirRows) {
  constexpr Index rows = 9 * sum_block + 300;
  std::set<std::set<Index>> blocks;
  std::set<std::vector<Index>> orders;
  std::set<Index> places;
  for (Index epoch = 0; epoch < 8; ++epoch) {
    const RowOrder order(rows, true, 11, epoch);
    ASSERT_EQ(order.blocks(), 10);
    Index begin = 0;
    for (Index place = 0; place < order.blocks(); ++place) {
      const RowOrder::Block block = order.block(place);
      EXPECT_EQ(block.begin, begin);
      begin += block.size;
      if (block.size < sum_block) {
        EXPECT_EQ(block.size, 300);
        places.insert(place);
      }
      std::vector<Index> of_block;
      for (Index i = 0; i < block.size; ++i) {
        of_block.push_back(order.row(block, i));
        EXPECT_EQ(order.row(block, i), order(block.begin + i));
      }
      blocks.insert(std::set<Index>(of_block.begin(), of_block.end()));
      orders.insert(of_block);
    }
    EXPECT_EQ(begin, rows);
  }
  EXPECT_EQ(blocks.size(), 10U);
  EXPECT_EQ(orders.size(), 80U);
  EXPECT_GT(places.size(), 2U);  // the short block is not always last
}

// Rows sorted by class: each block, and each batch, has about as many of each.
TEST(RowOrder, MixesASortedFile) {
  constexpr Index rows = 20 * sum_block;
  constexpr Index classes = 10;
  const RowOrder order(rows, true, 3, 0);
  for (Index batch = 0; batch < rows / 128; ++batch) {
    Index counts[classes] = {};
    for (Index i = 0; i < 128; ++i) ++counts[order(batch * 128 + i) * classes / rows];
    // 128 draws with probability 0.1: 12.8 are expected, with a deviation of 3.4.
    for (const Index count : counts) EXPECT_LE(count, 13 + 6 * 4);
    EXPECT_GE(*std::max_element(counts, counts + classes), 13);
  }
}

TEST(RowOrder, FollowsTheSeed) {
  EXPECT_NE(whole(RowOrder(100, true, 1, 0)), whole(RowOrder(100, true, 2, 0)));
  EXPECT_EQ(whole(RowOrder(100, true, 1, 4)), whole(RowOrder(100, true, 1, 4)));
}

TEST(RandomPermutation, InverseTakesBack) {
  for (const Index size : sizes()) {
    const RandomPermutation permutation(size, Random(9, Purpose::test), 12);
    for (Index i = 0; i < size; ++i) ASSERT_EQ(permutation.inverse(permutation(i)), i);
  }
}

}  // namespace
}  // namespace tandem

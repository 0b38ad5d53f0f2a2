// Growing by something else than impurity: sums of gradients and Hessians, as boosting does.
#include "core/tree/growth.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/random.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem::tree {
namespace {

// Statistics: Σ gradient, Σ Hessian. The best split has the largest G_l²/H_l + G_r²/H_r, and is
// made where that exceeds G²/H by `least_gain` or more.
class GrowByGradient final : public GrowBy<double> {
 public:
  GrowByGradient(Matrix<double> x, std::vector<std::int64_t> gradient, double least_gain)
      : x_(std::move(x)), gradient_(std::move(gradient)), least_gain_(least_gain) {
    order_.resize(gradient_.size());
    std::iota(order_.begin(), order_.end(), Index{0});
  }

  [[nodiscard]] Index rows() const override { return x_.rows(); }
  [[nodiscard]] Index cols() const override { return x_.cols(); }
  [[nodiscard]] Index width() const override { return 2; }
  [[nodiscard]] bool may_split(Index rows, Index depth, const std::int64_t*) const override {
    return rows > 1 && depth < 4;
  }
  [[nodiscard]] bool is_worth(const std::int64_t* parent, const std::int64_t* left,
                              const std::int64_t* right) const override {
    return score(left) + score(right) - score(parent) >= least_gain_;
  }

  void find_splits(std::span<const OpenNode> nodes, std::span<NodeSplit<double>> splits,
                   std::span<std::int64_t> left_statistics) override {
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      double best = -1;
      for (Index f = 0; f < cols(); ++f) {
        auto rows = rows_of(nodes[k].begin, nodes[k].rows);
        std::stable_sort(rows.begin(), rows.end(),
                         [&](Index a, Index b) { return x_(a, f) < x_(b, f); });
        std::int64_t left[2] = {0, 0};
        for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
          add_row(rows[i], left);
          if (x_(rows[i], f) == x_(rows[i + 1], f)) continue;
          const std::int64_t right[2] = {nodes[k].statistics[0] - left[0],
                                         nodes[k].statistics[1] - left[1]};
          if (score(left) + score(right) <= best) continue;
          best = score(left) + score(right);
          const auto count = static_cast<Index>(i) + 1;
          splits[k] = {static_cast<std::int32_t>(f), x_(rows[i], f), false, count, count};
          std::copy_n(left, 2, left_statistics.begin() + static_cast<std::ptrdiff_t>(2 * k));
        }
      }
    }
  }
  void apply_splits(std::span<const SplitToApply> splits) override {
    for (const SplitToApply& split : splits) {
      const auto begin = order_.begin() + split.begin;
      // The threshold is the left_rows-th smallest value of the feature.
      auto values = rows_of(split.begin, split.rows);
      std::stable_sort(values.begin(), values.end(), [&](Index a, Index b) {
        return x_(a, split.feature) < x_(b, split.feature);
      });
      const double threshold =
          x_(values[static_cast<std::size_t>(split.left_rows - 1)], split.feature);
      const auto middle = std::stable_partition(begin, begin + split.rows, [&](Index row) {
        return x_(row, split.feature) <= threshold;
      });
      EXPECT_EQ(middle - begin, split.left_rows);
    }
  }
  [[nodiscard]] Index subtree_rows() const override { return 0; }
  void grow_subtrees(std::span<const OpenNode>, std::span<GrownSubtree<double>>) override {
    ADD_FAILURE() << "no node is small enough";
  }

  void add_row(Index row, std::int64_t* statistics) const override {
    statistics[0] += gradient_[static_cast<std::size_t>(row)];
    statistics[1] += 1;
  }
  [[nodiscard]] double value(Index row, Index feature) const override { return x_(row, feature); }

 private:
  static double score(const std::int64_t* statistics) {
    const auto gradient = static_cast<double>(statistics[0]);
    return gradient * gradient / static_cast<double>(statistics[1]);
  }
  [[nodiscard]] std::vector<Index> rows_of(Index begin, Index rows) const {
    return {order_.begin() + begin, order_.begin() + begin + rows};
  }

  Matrix<double> x_;
  std::vector<std::int64_t> gradient_;
  double least_gain_;
  std::vector<Index> order_;
};

std::vector<std::int64_t> statistics_of_all(const GrowByGradient& by) {
  std::vector<std::int64_t> all(2, 0);
  for (Index row = 0; row < by.rows(); ++row) by.add_row(row, all.data());
  return all;
}

// The gain of the first split is 64/2 + 144/2 − 16/4 = 100; that of any other is 0.
TEST(Growth, ByGradientsByHand) {
  GrowByGradient by(Matrix<double>(4, 1, {0, 1, 2, 3}), {-4, -4, 6, 6}, 1);
  Growth<double> growth(by, statistics_of_all(by));
  RunControl control;
  growth.grow(control);
  ASSERT_EQ(growth.nodes().size(), 3U);
  const BuiltNode<double>& root = growth.nodes()[0];
  EXPECT_EQ(root.feature, 0);
  EXPECT_EQ(root.threshold, 1);
  EXPECT_EQ(growth.statistics(root.left)[0], -8);
  EXPECT_EQ(growth.statistics(root.right)[0], 12);
  EXPECT_EQ(depth_first(growth.nodes()), (std::vector<Index>{0, 1, 2}));

  GrowByGradient reluctant(Matrix<double>(4, 1, {0, 1, 2, 3}), {-4, -4, 6, 6}, 101);
  Growth<double> stump(reluctant, statistics_of_all(reluctant));
  stump.grow(control);
  EXPECT_EQ(stump.nodes().size(), 1U);
}

// Rows sent down the thresholds make up the statistics of every node, and those of a parent are the
// sums of its children's.
TEST(Growth, ByGradientsKeepsNodesAndRowsTogether) {
  const Random random(12, Purpose::test);
  constexpr Index rows = 300;
  Matrix<double> x(rows, 3);
  std::vector<std::int64_t> gradient;
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < 3; ++j) {
      x(i, j) = static_cast<double>(random.below(20, static_cast<std::uint64_t>(3 * i + j)));
    }
    gradient.push_back(static_cast<std::int64_t>(x(i, 0)) * (x(i, 1) > 9 ? 3 : -2) +
                       random.below(5, static_cast<std::uint64_t>(i + 10000)));
  }
  GrowByGradient by(x, gradient, 0.5);
  Growth<double> growth(by, statistics_of_all(by));
  RunControl control;
  growth.grow(control);
  const auto& nodes = growth.nodes();
  EXPECT_GT(nodes.size(), 20U);
  std::vector<std::int64_t> seen(2 * nodes.size(), 0);
  for (Index row = 0; row < rows; ++row) {
    for (Index i = 0; i >= 0;) {
      const auto& node = nodes[static_cast<std::size_t>(i)];
      by.add_row(row, seen.data() + 2 * i);
      i = node.feature < 0 ? -1 : x(row, node.feature) <= node.threshold ? node.left : node.right;
    }
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::int64_t* statistics = growth.statistics(static_cast<Index>(i));
    EXPECT_EQ(seen[2 * i], statistics[0]) << i;
    EXPECT_EQ(seen[2 * i + 1], statistics[1]) << i;
    EXPECT_EQ(nodes[i].rows, statistics[1]) << i;
    if (nodes[i].feature < 0) continue;
    EXPECT_EQ(growth.statistics(nodes[i].left)[0] + growth.statistics(nodes[i].right)[0],
              statistics[0]);
    EXPECT_LE(nodes[static_cast<std::size_t>(nodes[i].left)].depth, 4);
  }
}

}  // namespace
}  // namespace tandem::tree

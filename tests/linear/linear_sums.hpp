// The sums over rows of linear models against sums put together from random parts, at numbers of
// blocks where trees have all kinds of shapes.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "core/linear/least_squares_part.hpp"
#include "core/linear/linear_steps.hpp"
#include "core/linear/normal_equations_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "support/agreement.hpp"
#include "support/long_sums.hpp"

namespace tandem::test {

// Rows with a target and weights, of very different magnitudes, so that every order of additions
// has other bits.
template <class T>
struct UnevenRows {
  Index rows, features;
  std::vector<T> x, target, weights;

  UnevenRows(Index n, Index d) : rows(n), features(d) {
    const Random random(91, Purpose::test);
    std::uint64_t next = 0;
    const auto draw = [&] {
      ++next;
      return static_cast<T>(random.normal(next) *
                            std::ldexp(1.0, static_cast<int>(random.below(12, next + (1U << 30)))));
    };
    for (Index i = 0; i < n * d; ++i) x.push_back(draw());
    for (Index i = 0; i < n; ++i) {
      target.push_back(draw());
      weights.push_back(static_cast<T>(i % 5) / 2);
    }
  }
  [[nodiscard]] RowMajorRows<T> upload(Engine& engine) const {
    const auto placed = [&](const std::vector<T>& values) {
      Buffer<T> buffer(engine, static_cast<Index>(values.size()), Placement::rows);
      buffer.upload(values);
      return buffer;
    };
    return {rows, features, placed(x), placed(target), placed(weights)};
  }
  [[nodiscard]] double value(Index i, Index j) const {
    return static_cast<double>(j < features ? x[static_cast<std::size_t>(i * features + j)]
                                            : target[static_cast<std::size_t>(i)]);
  }
  [[nodiscard]] double weight(Index i) const {
    return static_cast<double>(weights[static_cast<std::size_t>(i)]);
  }
};

// Gradient, cost, means and deviations.
template <Real T>
void expect_pass_sums(Engine& engine, Index n, Index d) {
  const UnevenRows<T> rows(n, d);
  const auto steps = make_steps<LinearSteps, T>(engine);
  PackedRows<T> packed(engine, n, d, true, Placement::rows);
  steps->pack(rows.upload(engine), n, 0, packed);
  std::vector<double> parameters;
  for (Index j = 0; j <= d; ++j) {
    parameters.push_back(static_cast<double>(static_cast<T>(0.3 * static_cast<double>(j % 7) - 1)));
  }
  Buffer<double> gradient(engine, d + 1);
  Buffer<double> cost(engine, 1);
  cost.fill_zero();
  const auto there = to_engine(engine, parameters);
  steps->pass(LinearLoss::squared, packed, 1, true, there, 1.0, gradient, cost);
  const auto sums = gradient.to_host();
  std::vector<double> residual;
  for (Index i = 0; i < n; ++i) {
    T z = static_cast<T>(parameters.back());
    for (Index j = 0; j < d; ++j) {
      z = std::fma(rows.x[static_cast<std::size_t>(i * d + j)],
                   static_cast<T>(parameters[static_cast<std::size_t>(j)]), z);
    }
    residual.push_back(static_cast<double>(z - rows.target[static_cast<std::size_t>(i)]));
  }
  const auto at = [&](Index i) { return residual[static_cast<std::size_t>(i)]; };
  const std::string what = std::to_string(n) + " rows, " + std::to_string(d) + " features";
  for (std::uint64_t seed = 0; seed < 2; ++seed) {
    for (Index j = 0; j <= d; j += d < 10 ? 1 : 37) {
      const double expected = sum_by_parts(
          n,
          [&](Index i, double lane) {
            return std::fma(rows.weight(i) * at(i), j < d ? rows.value(i, j) : 1.0, lane);
          },
          seed);
      EXPECT_EQ(bits_of(sums[static_cast<std::size_t>(j)]), bits_of(expected)) << what << ", " << j;
    }
    const double expected = sum_by_parts(
        n,
        [&](Index i, double lane) { return std::fma(0.5 * at(i), rows.weight(i) * at(i), lane); },
        seed);
    EXPECT_EQ(bits_of(cost.to_host()[0]), bits_of(expected)) << what;
  }
  // Without a gradient the cost is the same.
  Buffer<double> none;
  Buffer<double> alone(engine, 1);
  alone.fill_zero();
  steps->pass(LinearLoss::squared, packed, 1, true, there, 1.0, none, alone);
  EXPECT_EQ(bits_of(alone.to_host()[0]), bits_of(cost.to_host()[0])) << what;

  Buffer<double> moments(engine, 2 * d + 3);
  steps->moments(packed, moments);
  const auto found = moments.to_host();
  const double total = sum_by_parts(
      n, [&](Index i, double lane) { return lane + rows.weight(i); }, 3);
  EXPECT_EQ(bits_of(found.back()), bits_of(total)) << what;
  for (Index j = 0; j <= d; j += d < 10 ? 1 : 37) {
    const double mean =
        sum_by_parts(
            n,
            [&](Index i, double lane) { return lane + rows.weight(i) * (rows.value(i, j) - 0.0); },
            4) /
        total;
    EXPECT_EQ(bits_of(found[static_cast<std::size_t>(j)]), bits_of(mean)) << what << ", " << j;
    const double squares = sum_by_parts(
        n,
        [&](Index i, double lane) {
          const double deviation = rows.value(i, j) - mean;
          return lane + rows.weight(i) * (deviation * deviation);
        },
        5);
    EXPECT_EQ(bits_of(found[static_cast<std::size_t>(d + 1 + j)]),
              bits_of(std::sqrt(squares / total)))
        << what << ", " << j;
  }
}

// Products of the columns: a chain over each block, and the tree.
template <Real T>
void expect_products(Engine& engine, Index n, Index d) {
  const UnevenRows<T> rows(n, d);
  const auto steps = make_steps<NormalEquationsSteps, T>(engine);
  std::vector<double> centre;
  for (Index j = 0; j <= d; ++j) centre.push_back(rows.value(n / 2, j));
  const Index p = normal_equations_columns(d, true);
  Buffer<double> products(engine, product_count(p));
  steps->products(rows.upload(engine), true, to_engine(engine, centre), products);
  const auto found = products.to_host();
  const auto term = [&](Index i, Index j) {
    return j > d ? 1.0 : rows.value(i, j) - centre[static_cast<std::size_t>(j)];
  };
  const Index stride = d < 10 ? 1 : 17;
  for (Index a = 0; a < p; a += stride) {
    for (Index b = a; b < p; b += stride) {
      const auto cuts = random_cuts(sum_blocks(n), static_cast<std::uint64_t>(a + b));
      LongSumPart whole;
      for (std::size_t part = cuts.size() - 1; part-- > 0;) {
        LongSumPart some;
        for (Index block = cuts[part]; block < cuts[part + 1]; ++block) {
          const Index end = std::min((block + 1) * sum_block, n);
          double sum = 0.0;
          for (Index i = block * sum_block; i < end; ++i) {
            sum = std::fma(rows.weight(i) * term(i, a), term(i, b), sum);
          }
          some.add_block(block, std::span(&sum, 1), end - block * sum_block);
        }
        whole.merge(some);
      }
      EXPECT_EQ(bits_of(found[static_cast<std::size_t>(product_place(a, b, p))]),
                bits_of(whole.finish(n)[0]))
          << n << " rows, " << d << " features, " << a << " " << b;
    }
  }
}

// The triangular factor of all rows, and of random parts of them that begin at borders of groups.
template <Real T>
void expect_factors(Engine& engine, Index n, Index d) {
  const UnevenRows<T> rows(n, d);
  const auto steps = make_steps<LeastSquaresSteps, T>(engine);
  const Index p = least_squares_columns(d, true);
  const Index group = least_squares_group(p);
  const Index groups = ceil_div(n, group);
  const auto there = rows.upload(engine);
  const RowsView<T> all = there;
  Buffer<double> factors(engine, groups * p * p);
  steps->factor(all, n, true, 0, factors);
  steps->merge(0, groups, p, factors);
  auto expected = factors.to_host();
  expected.resize(static_cast<std::size_t>(p * p));
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const auto cuts = random_cuts(groups, seed);
    LeastSquaresPart whole(p);
    for (std::size_t part = cuts.size() - 1; part-- > 0;) {
      const Index begin = cuts[part] * group;
      const Index count = std::min(cuts[part + 1] * group, n) - begin;
      RowsView<T> some = all;
      some.x += begin * all.stride;
      some.target += begin;
      some.weights += begin;
      some.rows = count;
      steps->factor(some, count, true, 0, factors);
      LeastSquaresPart node(p);
      node.add(engine, *steps, cuts[part], cuts[part + 1] - cuts[part], factors);
      EXPECT_LE(static_cast<Index>(node.nodes().size()), most_nodes(cuts[part + 1] - cuts[part]));
      whole.merge(engine, *steps, node);
    }
    EXPECT_TRUE(same_bits(whole.finish(engine, *steps, groups), expected)) << n << " rows";
  }
}

}  // namespace tandem::test

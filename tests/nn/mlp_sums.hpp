// The perceptron's sums over rows on any engine: their shapes, at numbers of micro-batches and of
// blocks where trees have all kinds of them.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/nn/mlp_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "support/agreement.hpp"
#include "support/long_sums.hpp"
#include "support/micro_batches.hpp"
#include "tandem/core/buffer.hpp"

namespace tandem::test {

// Values of very different magnitudes: every order of additions has other bits.
template <Real T>
std::vector<T> uneven(Index count, std::uint32_t stream) {
  const Random random(23, Purpose::test, stream);
  std::vector<T> values;
  for (Index i = 0; i < count; ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    values.push_back(static_cast<T>(
        random.normal(at) * std::ldexp(1.0, static_cast<int>(random.below(12, at + (1U << 30))))));
  }
  return values;
}

template <Real T>
void expect_bias_sums(Engine& engine) {
  const auto steps = make_steps<MlpSteps, T>(engine);
  for (const Index rows : micro_batch_rows()) {
    for (const Index width : {1, 5, 32, 37, 70}) {
      const auto values = uneven<T>(rows * width, 1);
      const auto slopes = uneven<T>(rows * width, 2);
      auto d = to_engine(engine, values);
      const auto slope = to_engine(engine, slopes);
      Buffer<T> db(engine, width);
      steps->activation_gradient(rows, width, slope.data(), d.data(), db.data());
      const std::vector<T> sums = db.to_host();
      for (Index j = 0; j < width; ++j) {
        const T expected = micro_batch_sum<T>(rows, [&](Index r, T sum) {
          const auto at = static_cast<std::size_t>(r * width + j);
          return sum + values[at] * slopes[at];
        });
        EXPECT_EQ(bits_of(sums[static_cast<std::size_t>(j)]), bits_of(expected))
            << rows << " rows, column " << j << " of " << width;
      }
    }
  }
}

// The sums of batch normalisation and of a batch's losses, put together from random parts.
template <Real T>
void expect_batch_sums(Engine& engine) {
  const auto steps = make_steps<MlpSteps, T>(engine);
  constexpr Index width = 3;
  for (const Index blocks : block_counts()) {
    const Index rows = rows_of_blocks(blocks);
    SCOPED_TRACE(std::to_string(rows) + " rows");
    const auto n = static_cast<double>(rows);
    const auto values = uneven<T>(rows * width, 3);
    const auto value = [&](Index r, Index j) {
      return static_cast<double>(values[static_cast<std::size_t>(r * width + j)]);
    };
    const std::vector<T> zeros(width, T{0});
    // Momentum 0: the running averages are those of the batch.
    auto z = to_engine(engine, values);
    Buffer<T> inverse(engine, width);
    auto mean = to_engine(engine, zeros);
    auto variance = to_engine(engine, zeros);
    steps->normalize(rows, width, 1e-5, 0.0, z.data(), inverse.data(), mean.data(),
                     variance.data());
    // Gradients of scale and shift, with the same numbers as normalised values and as gradient.
    const auto given = to_engine(engine, values);
    const auto ones = to_engine(engine, std::vector<T>(width, T{1}));
    auto du = to_engine(engine, values);
    Buffer<T> scale_gradient(engine, width);
    Buffer<T> shift_gradient(engine, width);
    steps->normalize_backward(rows, width, given.data(), ones.data(), ones.data(), du.data(),
                              scale_gradient.data(), shift_gradient.data());
    const auto means = mean.to_host();
    const auto variances = variance.to_host();
    const auto shifts = shift_gradient.to_host();
    const auto scales = scale_gradient.to_host();
    for (Index j = 0; j < width; ++j) {
      const auto column = static_cast<std::size_t>(j);
      const auto seed = static_cast<std::uint64_t>(blocks * width + j);
      const double sum = sum_by_parts(
          rows, [&](Index r, double lane) { return lane + value(r, j); }, seed);
      const double centre = sum / n;
      const double squares = sum_by_parts(
          rows,
          [&](Index r, double lane) {
            const double difference = value(r, j) - centre;
            return lane + difference * difference;
          },
          seed + 1);
      const double products = sum_by_parts(
          rows, [&](Index r, double lane) { return lane + value(r, j) * value(r, j); }, seed + 2);
      EXPECT_EQ(bits_of(means[column]), bits_of(static_cast<T>(centre))) << "mean " << j;
      EXPECT_EQ(bits_of(variances[column]), bits_of(static_cast<T>(squares / (n - 1))))
          << "variance " << j;
      EXPECT_EQ(bits_of(shifts[column]), bits_of(static_cast<T>(sum))) << "shift " << j;
      EXPECT_EQ(bits_of(scales[column]), bits_of(static_cast<T>(products))) << "scale " << j;
    }

    // Losses: all rows as one batch, and in passes of a block each, which is the same sum.
    std::vector<Index> at;
    for (Index r = 0; r < rows; ++r) at.push_back(r);
    const auto order = to_engine(engine, at);
    const auto target = to_engine(engine, std::vector<T>(static_cast<std::size_t>(rows), T{0}));
    const auto first = uneven<T>(rows, 4);
    const double expected = sum_by_parts(
        rows,
        [&](Index r, double lane) {
          const T u = first[static_cast<std::size_t>(r)];
          return lane + static_cast<double>(static_cast<T>(0.5) * (u * u));
        },
        static_cast<std::uint64_t>(blocks));
    const auto bias = to_engine(engine, std::vector<T>(1, T{0}));
    for (const Index pass : {rows, sum_block}) {
      auto u = to_engine(engine, first);
      Buffer<double> totals = to_engine(engine, std::vector<double>(MlpTotals::count));
      for (Index begin = 0; begin < rows; begin += pass) {
        steps->loss(MlpOutput::identity, MlpLoss::squared_error, false,
                    std::min(pass, rows - begin), 1, bias.data(), {nullptr, target.data(), nullptr},
                    order.data() + begin, u.data() + begin, totals.data());
      }
      EXPECT_EQ(bits_of(totals.to_host()[MlpTotals::loss]), bits_of(expected)) << pass;
    }
  }
}

// The order of an epoch, of all rows and of some.
template <Real T>
void expect_orders(Engine& engine) {
  const auto steps = make_steps<MlpSteps, T>(engine);
  for (const Index rows : {1, 2, 100, 1024, 1025, 5000}) {
    std::vector<Index> some;
    for (Index r = 0; r < rows; ++r) some.push_back(3 * r + 1);
    const auto from = to_engine(engine, some);
    for (const bool shuffled : {false, true}) {
      const RowOrder order(rows, shuffled, 77, 5);
      Buffer<Index> all(engine, rows);
      Buffer<Index> chosen(engine, rows);
      steps->order_rows(order, nullptr, all.data());
      steps->order_rows(order, from.data(), chosen.data());
      const auto on_all = all.to_host();
      const auto on_chosen = chosen.to_host();
      for (Index p = 0; p < rows; ++p) {
        ASSERT_EQ(on_all[static_cast<std::size_t>(p)], order(p)) << rows;
        ASSERT_EQ(on_chosen[static_cast<std::size_t>(p)], 3 * order(p) + 1) << rows;
      }
    }
  }
}

}  // namespace tandem::test

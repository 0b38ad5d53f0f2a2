// Every place where an engine computes long sums, against sums put together from random parts, at
// numbers of blocks where trees have all kinds of shapes. The linear models and the perceptron have
// theirs in their own areas.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "core/cluster/kmeans_steps.hpp"
#include "core/metrics/cluster_steps.hpp"
#include "core/metrics/metric_steps.hpp"
#include "core/metrics/row_sums.hpp"
#include "core/metrics/silhouette_steps.hpp"
#include "core/optim/lbfgs_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "support/agreement.hpp"
#include "support/long_sums.hpp"

namespace tandem::test {

// Values of very different magnitudes and both signs: every order of additions has other bits.
template <class T>
std::vector<T> uneven_values(Index count, std::uint64_t seed) {
  const Random random(seed, Purpose::test);
  std::vector<T> values;
  for (Index i = 0; i < count; ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    values.push_back(static_cast<T>(
        random.normal(at) * std::ldexp(1.0, static_cast<int>(random.below(12, at + (1U << 30))))));
  }
  return values;
}

// `sum` is the long sum of term(i), whatever the parts.
template <class Term>
void expect_sum(double sum, Index rows, Term&& term, const std::string& what) {
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const double expected = sum_by_parts(
        rows, [&](Index i, double lane) { return lane + term(i); }, seed);
    EXPECT_EQ(bits_of(sum), bits_of(expected)) << what << ", " << rows << " rows: " << sum;
  }
}

template <class Terms, class Sums>
void expect_terms(const Sums& sums, const Terms& on_host, Index rows, const std::string& what) {
  for (std::size_t k = 0; k < sums.size(); ++k) {
    expect_sum(
        sums[k], rows,
        [&](Index i) {
          double terms[Terms::count];
          on_host(i, terms);
          return terms[k];
        },
        what + " " + std::to_string(k));
  }
}

template <Real T>
void expect_metric_sums(Engine& engine, Index rows) {
  const auto steps = make_steps<MetricSteps, T>(engine);
  const auto truth = uneven_values<T>(rows, 1);
  const auto predicted = uneven_values<T>(rows, 2);
  std::vector<double> weights;
  std::vector<std::int32_t> labels;
  std::vector<std::int32_t> found;
  std::vector<T> probabilities;
  const Random random(3, Purpose::test);
  constexpr Index classes = 3;
  for (Index i = 0; i < rows; ++i) {
    const auto at = static_cast<std::uint64_t>(4 * i);
    weights.push_back(random.uniform(at));
    labels.push_back(static_cast<std::int32_t>(random.below(classes, at + 1)));
    found.push_back(static_cast<std::int32_t>(random.below(classes, at + 2)));
    for (Index c = 0; c < classes; ++c) {
      probabilities.push_back(static_cast<T>(random.uniform(at + static_cast<std::uint64_t>(c))));
    }
  }
  const auto truth_there = to_engine(engine, truth);
  const auto predicted_there = to_engine(engine, predicted);
  const auto weights_there = to_engine(engine, weights);
  const auto labels_there = to_engine(engine, labels);
  const auto found_there = to_engine(engine, found);
  const auto probabilities_there = to_engine(engine, probabilities);
  const RowWeights w{weights.data()};
  const RowWeights w_there{weights_there.data()};
  expect_terms(steps->regression({truth_there.data(), predicted_there.data(), w_there}, rows),
               RegressionTerms<T>{truth.data(), predicted.data(), w}, rows, "regression");
  expect_terms(steps->deviations({truth_there.data(), w_there, 0.7, 0.1}, rows),
               DeviationTerms<T>{truth.data(), w, 0.7, 0.1}, rows, "deviations");
  expect_terms(steps->accuracy({labels_there.data(), found_there.data(), w_there}, rows),
               AccuracyTerms{labels.data(), found.data(), w}, rows, "accuracy");
  expect_terms(
      steps->log_loss({labels_there.data(), probabilities_there.data(), classes, w_there}, rows),
      LogLossTerms<T>{labels.data(), probabilities.data(), classes, w}, rows, "log loss");
  expect_terms(
      steps->brier({labels_there.data(), probabilities_there.data(), classes, classes, w_there},
                   rows),
      BrierTerms<T>{labels.data(), probabilities.data(), classes, classes, w}, rows, "Brier");
}

// The sums over columns that transforms are fitted by.
inline void expect_column_sums(Index rows) {
  constexpr Index cols = 5;
  const auto x = uneven_values<double>(rows * cols, 4);
  const auto term = [&](Index i, Index j) { return x[static_cast<std::size_t>(i * cols + j)]; };
  for (const int threads : {1, 3}) {
    const std::vector<double> found = column_sums(threads, rows, cols, term);
    for (Index j = 0; j < cols; ++j) {
      expect_sum(
          found[static_cast<std::size_t>(j)], rows, [&](Index i) { return term(i, j); },
          "column " + std::to_string(j));
    }
  }
}

// One cluster of `rows` rows, whose members lie between those of a small one.
template <Real T>
struct TwoClusters {
  static constexpr Index cols = 3;
  Index large;
  Index rows;
  std::vector<T> x;
  std::vector<std::int32_t> cluster;
  std::vector<Index> members;
  std::vector<Index> first;

  explicit TwoClusters(Index size) : large(size), rows(size + 5) {
    x = uneven_values<T>(rows * cols, 6);
    for (Index i = 0; i < rows; ++i) cluster.push_back(i % 700 == 3 && i / 700 < 5 ? 1 : 0);
    for (const std::int32_t c : {0, 1}) {
      first.push_back(static_cast<Index>(members.size()));
      for (Index i = 0; i < rows; ++i) {
        if (cluster[static_cast<std::size_t>(i)] == c) members.push_back(i);
      }
    }
    first.push_back(rows);
  }
  [[nodiscard]] T at(Index row, Index j) const {
    return x[static_cast<std::size_t>(row * cols + j)];
  }
  [[nodiscard]] Index member(Index c, Index m) const {
    return members[static_cast<std::size_t>(first[static_cast<std::size_t>(c)] + m)];
  }
};

template <Real T>
void expect_cluster_sums(Engine& engine, Index size) {
  constexpr Index cols = TwoClusters<T>::cols;
  const TwoClusters<T> two(size);
  ASSERT_EQ(two.first[1], two.large);
  const auto steps = make_steps<ClusterMetricSteps, T>(engine);
  const auto x = to_engine(engine, two.x);
  const auto members = to_engine(engine, two.members);
  const auto cluster = to_engine(engine, two.cluster);
  const ClusteredRows<T> rows{x.data(),       cols,           two.rows, cols,
                              members.data(), cluster.data(), two.first};
  Buffer<double> centroids(engine, 2 * cols);
  Buffer<double> spreads(engine, 2);
  Buffer<double> within(engine, 1);
  steps->centroids(rows, centroids);
  steps->spreads(rows, centroids, spreads);
  steps->within(rows, centroids, within);
  const std::vector<double> centres = centroids.to_host();
  const auto squared_distance = [&](Index row, Index c) {
    double sum = 0;
    for (Index j = 0; j < cols; ++j) {
      const double d =
          static_cast<double>(two.at(row, j)) - centres[static_cast<std::size_t>(c * cols + j)];
      sum = std::fma(d, d, sum);
    }
    return sum;
  };
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const auto mean = [&](auto&& term) {
      return sum_by_parts(
                 two.large,
                 [&](Index m, double lane) {
                   return lane + static_cast<double>(term(two.member(0, m)));
                 },
                 seed) /
             static_cast<double>(two.large);
    };
    for (Index j = 0; j < cols; ++j) {
      EXPECT_EQ(centres[static_cast<std::size_t>(j)],
                mean([&](Index row) { return two.at(row, j); }))
          << "centroid, " << size;
    }
    EXPECT_EQ(spreads.to_host()[0],
              mean([&](Index row) { return std::sqrt(squared_distance(row, 0)); }))
        << "spread, " << size;
    expect_sum(
        within.to_host()[0], two.rows,
        [&](Index i) { return squared_distance(i, two.cluster[static_cast<std::size_t>(i)]); },
        "within");
  }
}

// Checks the silhouettes of a few rows, among many members.
template <Real T>
void expect_silhouette_sums(Engine& engine, Index size) {
  constexpr Index cols = TwoClusters<T>::cols;
  constexpr Index asked = 11;
  const TwoClusters<T> two(size);
  const auto steps = make_steps<SilhouetteSteps, T>(engine);
  const auto x = to_engine(engine, two.x);
  const auto members = to_engine(engine, two.members);
  const auto first = to_engine(engine, two.first);
  const auto cluster = to_engine(engine, two.cluster);
  Buffer<double> values(engine, asked);
  steps->values(x, cols, members, first, cluster, values);
  const std::vector<double> found = values.to_host();
  for (Index i = 0; i < asked; ++i) {
    const std::int32_t own = two.cluster[static_cast<std::size_t>(i)];
    double mean[2];
    for (const Index c : {0, 1}) {
      const Index count = c == 0 ? two.large : two.rows - two.large;
      const double sum = sum_by_parts(
          count,
          [&](Index m, double lane) {
            T squares = 0;
            for (Index f = 0; f < cols; ++f) {
              const T d = two.at(i, f) - two.at(two.member(c, m), f);
              squares = std::fma(d, d, squares);
            }
            return lane + static_cast<double>(std::sqrt(squares));
          },
          static_cast<std::uint64_t>(i));
      mean[c] = sum / static_cast<double>(c == own ? count - 1 : count);
    }
    EXPECT_EQ(bits_of(found[static_cast<std::size_t>(i)]),
              bits_of(silhouette_of(mean[own], mean[1 - own], own == 0 ? two.large : 5)))
        << "row " << i << ", " << size << " members";
  }
}

template <Real T>
void expect_inner_products(Engine& engine, Index size) {
  const auto steps = make_steps<LbfgsSteps, T>(engine);
  const auto a = uneven_values<T>(size, 7);
  const auto b = uneven_values<T>(size, 8);
  const double found = steps->dot(to_engine(engine, a), to_engine(engine, b));
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const double expected = sum_by_parts(
        size,
        [&](Index i, double lane) {
          const auto at = static_cast<std::size_t>(i);
          return std::fma(static_cast<double>(a[at]), static_cast<double>(b[at]), lane);
        },
        seed);
    EXPECT_EQ(bits_of(found), bits_of(expected)) << size;
  }
}

template <Real T>
void expect_kmeans_sums(Engine& engine, Index rows) {
  constexpr Index cols = 3;
  const auto values = uneven_values<T>(rows * cols, 9);
  const MatrixView<const T> x{values.data(), rows, cols, cols};
  std::vector<double> weights;
  for (Index i = 0; i < rows; ++i) weights.push_back(static_cast<double>(1 + i % 5) / 4);
  const auto weight = [&](Index i) { return weights[static_cast<std::size_t>(i)]; };
  const auto steps = make_steps<KMeansSteps, T>(engine);
  const KMeansColumns columns = steps->measure(x, weights);
  std::vector<T> origin;
  for (const double mean : columns.mean) origin.push_back(static_cast<T>(mean));
  const KMeansSpread spread = steps->load(x, weights, origin);
  const auto moved = [&](Index i, Index j) -> T {
    return x(i, j) - origin[static_cast<std::size_t>(j)];
  };
  for (Index j = 0; j < cols; ++j) {
    const auto at = static_cast<std::size_t>(j);
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      const double sum = sum_by_parts(
          rows,
          [&](Index i, double lane) { return lane + weight(i) * static_cast<double>(x(i, j)); },
          seed);
      EXPECT_EQ(columns.mean[at], sum / columns.weight) << rows;
    }
    expect_sum(
        spread.square_sum[at], rows,
        [&](Index i) {
          const auto value = static_cast<double>(moved(i, j));
          return weight(i) * (value * value);
        },
        "square sum");
  }
  // D to row 11.
  const Index chosen = 11;
  steps->distances_to_rows(std::span(&chosen, 1), true);
  expect_sum(
      steps->potential(), rows,
      [&](Index i) {
        T square = 0;
        for (Index j = 0; j < cols; ++j) {
          const T d = moved(i, j) - moved(chosen, j);
          square = std::fma(d, d, square);
        }
        return weight(i) * static_cast<double>(square);
      },
      "potential");
  // Two centres, which are rows.
  std::vector<T> centres;
  for (const Index row : {5, 77}) {
    for (Index j = 0; j < cols; ++j) centres.push_back(x(row, j));
  }
  const auto centres_there = to_engine(engine, centres);
  steps->begin(2);
  steps->assign(centres_there);
  const std::vector<std::int32_t> labels = steps->labels();
  expect_sum(
      steps->inertia(centres_there), rows,
      [&](Index i) {
        double square = 0;
        for (Index j = 0; j < cols; ++j) {
          const auto at = static_cast<std::size_t>(labels[static_cast<std::size_t>(i)] * cols + j);
          const T centre = centres[at] - origin[static_cast<std::size_t>(j)];
          const double d = static_cast<double>(moved(i, j)) - static_cast<double>(centre);
          square = std::fma(d, d, square);
        }
        return weight(i) * square;
      },
      "inertia");
}

// The sums over the coordinates of the centres, of which there are as many as blocks of rows have
// rows.
template <Real T>
void expect_centre_sums(Engine& engine, Index coordinates) {
  constexpr Index cols = 64;
  const Index k = coordinates / cols;
  const Index rows = k + 9;
  const auto values = uneven_values<T>(rows * cols, 10);
  const MatrixView<const T> x{values.data(), rows, cols, cols};
  const auto cpu = Engine::create({.device = Device::cpu});
  KMeansTotals totals[2];
  for (Engine* on : {&engine, cpu.get()}) {
    const auto steps = make_steps<KMeansSteps, T>(*on);
    (void)steps->measure(x, {});
    (void)steps->load(x, {}, std::vector<T>(cols, T{1}));
    steps->begin(k);
    const std::vector<T> centres(values.begin() + cols, values.begin() + (k + 1) * cols);
    const auto centres_there = to_engine(*on, centres);
    Buffer<T> next(*on, k * cols);
    steps->assign(centres_there);
    steps->recentre(centres_there, next);
    totals[on == &engine ? 0 : 1] = steps->totals();
    const std::vector<T> moved = next.to_host();
    expect_sum(
        steps->totals().shift_squared, k * cols,
        [&](Index at) {
          const double shift = static_cast<double>(moved[static_cast<std::size_t>(at)]) -
                               static_cast<double>(centres[static_cast<std::size_t>(at)]);
          return shift * shift;
        },
        "shift");
  }
  EXPECT_EQ(bits_of(totals[0].cost), bits_of(totals[1].cost)) << coordinates;
  EXPECT_EQ(bits_of(totals[0].cost_error), bits_of(totals[1].cost_error)) << coordinates;
}

template <Real T>
void expect_long_sums(Engine& engine) {
  for (const Index blocks : block_counts()) {
    const Index rows = rows_of_blocks(blocks);
    expect_metric_sums<T>(engine, rows);
    expect_column_sums(rows);
    expect_cluster_sums<T>(engine, rows);
    expect_silhouette_sums<T>(engine, rows);
    expect_inner_products<T>(engine, rows);
    expect_kmeans_sums<T>(engine, rows);
  }
  for (const Index blocks : {4, 9, 17}) expect_centre_sums<T>(engine, blocks * sum_block - 64);
}

}  // namespace tandem::test

// The steps of k-means, one by one, against the reference.
#include "core/cluster/kmeans_steps.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "cluster/support.hpp"
#include "core/cluster/kmeans_math.hpp"
#include "support/agreement.hpp"

namespace tandem {
namespace {

using test::grouped_rows;

template <class T>
class KMeansStepsOf : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(KMeansStepsOf, Reals);

template <Real T>
struct Loaded {
  std::unique_ptr<Engine> engine;
  std::unique_ptr<KMeansSteps<T>> steps;
  KMeansColumns columns;
  KMeansSpread spread;
  std::vector<T> origin;

  Loaded(Device device, MatrixView<const T> x, std::span<const double> weights = {})
      : engine(Engine::create({device, Numerics::exact, 2})),
        steps(make_steps<KMeansSteps, T>(*engine)) {
    columns = steps->measure(x, weights);
    for (const double mean : columns.mean) origin.push_back(static_cast<T>(mean));
    spread = steps->load(x, weights, origin);
  }
};

template <Real T>
KMeansTotals recentred(KMeansSteps<T>& steps, const Buffer<T>& centres, Buffer<T>& next) {
  steps.recentre(centres, next);
  return steps.totals();
}

// A view with a stride, in memory whose other elements are poison: NaN would show in any sum.
template <Real T>
struct Strided {
  std::vector<T> memory;
  MatrixView<const T> view;

  Strided(const Matrix<T>& x, Index gap)
      : memory(static_cast<std::size_t>((x.cols() + gap) * x.rows()),
               std::numeric_limits<T>::quiet_NaN()) {
    for (Index i = 0; i < x.rows(); ++i) {
      std::copy(x.row(i).begin(), x.row(i).end(), memory.begin() + i * (x.cols() + gap));
    }
    view = {memory.data(), x.rows(), x.cols(), x.cols() + gap};
  }
};

// Labels may differ from the reference's only where the two centres are as near as the bound says.
template <Real T>
void expect_tie_aware(const Matrix<T>& x, const Matrix<T>& centres, const std::vector<T>& origin,
                      const std::vector<std::int32_t>& labels,
                      const std::vector<std::int32_t>& expected) {
  ASSERT_EQ(labels.size(), expected.size());
  const auto distance = [&](Index i, Index c) {
    double sum = 0;
    for (Index j = 0; j < x.cols(); ++j) {
      const double difference = static_cast<double>(x(i, j)) - static_cast<double>(centres(c, j));
      sum += difference * difference;
    }
    return sum;
  };
  for (std::size_t at = 0; at < labels.size(); ++at) {
    const auto i = static_cast<Index>(at);
    ASSERT_GE(labels[at], 0);
    ASSERT_LT(labels[at], centres.rows());
    if (labels[at] == expected[at]) continue;
    const double bound = score_bound<T>(x.row(i), centres.row(labels[at]), origin) +
                         score_bound<T>(x.row(i), centres.row(expected[at]), origin);
    EXPECT_LE(distance(i, labels[at]) - distance(i, expected[at]), bound) << "row " << i;
  }
}

TYPED_TEST(KMeansStepsOf, AssignAndRecentreAtAwkwardSizes) {
  using T = TypeParam;
  for (const Index rows : test::awkward_sizes()) {
    if (rows == 0) continue;
    for (const Index cols : {1, 3, 4, 17}) {
      for (const Index k : {1, 2, 4, 5, 8, 12, 13, 25, 40}) {
        if (k > rows || (rows > 300 && k % 5 != 0)) continue;
        const auto x = grouped_rows<T>(rows, cols, 4, static_cast<std::uint64_t>(rows), 2);
        const Strided<T> strided(x, 3);
        Loaded<T> cpu(Device::cpu, strided.view);
        Loaded<T> reference(Device::reference, strided.view);
        const Matrix<T> centres(k, cols, {x.data(), x.data() + k * cols});
        for (auto* one : {&cpu, &reference}) {
          one->steps->begin(k);
          one->steps->assign(to_engine(*one->engine, centres.values()));
        }
        expect_tie_aware(x, centres, cpu.origin, cpu.steps->labels(), reference.steps->labels());
        const auto counts = cpu.steps->counts();
        EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), Index{0}), rows);
        // From here on with the same labels.
        reference.steps->begin(k, cpu.steps->labels());
        Buffer<T> next_cpu(*cpu.engine, k * cols);
        Buffer<T> next_reference(*reference.engine, k * cols);
        const auto a = recentred(*cpu.steps, to_engine(*cpu.engine, centres.values()), next_cpu);
        const auto b = recentred(*reference.steps, to_engine(*reference.engine, centres.values()),
                                 next_reference);
        EXPECT_EQ(a.changed, rows);
        EXPECT_EQ(a.empty, b.empty);
        // |x| < 8. x' is rounded once to T, the mean once; 16 units of roundoff of 8 cover both.
        const double bound = 16 * 8 * unit_roundoff<T>;
        EXPECT_TRUE(test::within(next_cpu.to_host(), next_reference.to_host(),
                                 [&](std::size_t) { return bound; }));
        const double coordinates = static_cast<double>(k * cols);
        EXPECT_NEAR(a.shift_squared, b.shift_squared, coordinates * 2 * 16 * bound);
        // |x' − c'| < 16 where x' and c' are off by u·8 each.
        const double elements = static_cast<double>(rows * cols);
        EXPECT_NEAR(a.cost, b.cost, elements * 3 * 16 * 16 * unit_roundoff<T> + a.cost_error);
        const double by_rows = cpu.steps->inertia(to_engine(*cpu.engine, centres.values()));
        EXPECT_NEAR(a.cost, by_rows, a.cost_error);
      }
    }
  }
}

// With few centres the CPU keeps the rows packed; with 40 and more it packs them as it goes.
TYPED_TEST(KMeansStepsOf, LabelsAreThoseOfAssignWithoutAStart) {
  using T = TypeParam;
  for (const Index rows : {1, 31, 33, 1025, 3000}) {
    for (const Index k : {1, 7, 39, 40, 70}) {
      if (k > rows) continue;
      const auto x = grouped_rows<T>(rows, 5, 4, static_cast<std::uint64_t>(rows), 2);
      const Strided<T> strided(x, 3);
      const Matrix<T> centres(k, 5, {x.data(), x.data() + k * 5});
      for (const Device device : {Device::cpu, Device::reference}) {
        for (const bool expected : {false, true}) {
          const auto engine = Engine::create({device, Numerics::exact, 2});
          const auto steps = make_steps<KMeansSteps, T>(*engine);
          if (expected) steps->expect_centres(k);
          std::vector<T> origin;
          for (const double mean : steps->measure(strided.view, {}).mean) {
            origin.push_back(static_cast<T>(mean));
          }
          (void)steps->load(strided.view, {}, origin);
          const auto there = to_engine(*engine, centres.values());
          steps->label(there, k);
          const auto labels = steps->labels();
          ASSERT_EQ(static_cast<Index>(labels.size()), rows);
          steps->begin(k);
          steps->assign(there);
          EXPECT_EQ(steps->labels(), labels) << rows << " rows, " << k << " centres";
        }
      }
    }
  }
}

// Sums follow changed labels only; a start that is given the labels adds all rows.
TYPED_TEST(KMeansStepsOf, IncrementalSumsAreTheRecomputedOnes) {
  using T = TypeParam;
  const auto x = grouped_rows<T>(2500, 6, 50, 4, -7);
  std::vector<double> weights(2500);
  const FixedPoint unit = FixedPoint::for_sum(2500, 3.5);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = unit.decode(unit.encode(static_cast<double>(i % 11) * 0.35));
  }
  for (const bool weighted : {false, true}) {
    for (const Index k : {7, 45}) {
      Loaded<T> one(Device::cpu, x.view(),
                    weighted ? std::span<const double>(weights) : std::span<const double>());
      Loaded<T> other(Device::cpu, x.view(),
                      weighted ? std::span<const double>(weights) : std::span<const double>());
      Buffer<T> centres = to_engine(*one.engine, std::vector<T>(x.data(), x.data() + k * x.cols()));
      Buffer<T> next(*one.engine, centres.size());
      Buffer<T> recomputed(*one.engine, centres.size());
      one.steps->begin(k);
      Index moved = 0;
      for (int iteration = 0; iteration < 12; ++iteration) {
        one.steps->assign(centres);
        if (iteration == 5) one.steps->move_row(1234, 3);
        const auto a = recentred(*one.steps, centres, next);
        other.steps->begin(k, one.steps->labels());
        const auto b = recentred(*other.steps, centres, recomputed);
        ASSERT_TRUE(test::same_bits(next.to_host(), recomputed.to_host())) << iteration;
        ASSERT_EQ(test::bits_of(a.cost), test::bits_of(b.cost));
        ASSERT_EQ(one.steps->counts(), other.steps->counts());
        ASSERT_EQ(one.steps->centre_weights(), other.steps->centre_weights());
        moved += a.changed;
        std::swap(centres, next);
      }
      EXPECT_GT(moved, 2500);
    }
  }
}

TYPED_TEST(KMeansStepsOf, MeasureAndLoadAreLongSums) {
  using T = TypeParam;
  for (const Index rows : {1, 31, 33, 1023, 1024, 1025, 20001}) {
    const auto x = grouped_rows<T>(rows, 5, 3, 9, 1);
    std::vector<double> weights(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<double>(1 + i % 3);
    for (const bool weighted : {false, true}) {
      const auto w = [&](Index i) { return weighted ? weights[static_cast<std::size_t>(i)] : 1.0; };
      const Loaded<T> loaded(
          Device::cpu, x.view(),
          weighted ? std::span<const double>(weights) : std::span<const double>());
      const double weight = long_sum(rows, w);
      EXPECT_EQ(loaded.columns.weight, weight);
      for (Index j = 0; j < 5; ++j) {
        const auto at = static_cast<std::size_t>(j);
        EXPECT_EQ(loaded.columns.mean[at], long_sum(rows, [&](Index i) {
                                             return w(i) * static_cast<double>(x(i, j));
                                           }) / weight);
        double largest = 0;
        EXPECT_EQ(loaded.spread.square_sum[at], long_sum(rows, [&](Index i) {
                    const T moved = x(i, j) - loaded.origin[at];
                    largest = std::max(largest, std::abs(static_cast<double>(moved)));
                    return w(i) * (static_cast<double>(moved) * static_cast<double>(moved));
                  }));
        EXPECT_EQ(loaded.spread.largest[at], largest);
      }
    }
  }
}

// Points 0, 1, 5 on a line; D to the first: 0, 1, 25. Of u · 26, row 1 has [0, 1), row 2 the rest.
TYPED_TEST(KMeansStepsOf, SampleByHand) {
  using T = TypeParam;
  const Matrix<T> x(3, 1, {0, 1, 5});
  for (const Device device : {Device::reference, Device::cpu}) {
    Loaded<T> loaded(device, x.view());
    const Index first = 0;
    loaded.steps->distances_to_rows(std::span<const Index>(&first, 1), true);
    EXPECT_EQ(loaded.steps->potential(), 26);
    EXPECT_EQ(loaded.steps->sample(0), 1);
    EXPECT_EQ(loaded.steps->sample(0.99 / 26), 1);
    EXPECT_EQ(loaded.steps->sample(1.01 / 26), 2);
    EXPECT_EQ(loaded.steps->sample(std::nextafter(1.0, 0.0)), 2);
    const std::vector<Index> others{1, 2};
    loaded.steps->distances_to_rows(others, false);
    EXPECT_EQ(loaded.steps->potential(), 0);
  }
}

TYPED_TEST(KMeansStepsOf, DistancesAgreeWithTheReference) {
  using T = TypeParam;
  for (const Index rows : {1, 33, 257, 1025}) {
    for (const Index cols : {1, 5, 32}) {
      const auto x = grouped_rows<T>(rows, cols, 4, 3);
      Loaded<T> cpu(Device::cpu, x.view());
      Loaded<T> reference(Device::reference, x.view());
      // Distances of up to 7 rows at once, more than the kernel takes together.
      std::vector<Index> chosen;
      for (Index i = 0; i < std::min<Index>(7, rows); ++i) chosen.push_back(i * 31 % rows);
      for (auto* one : {&cpu, &reference}) one->steps->distances_to_rows(chosen, true);
      // |x' − y'| < 16, and its error u·16: d squares of it, γ of the chain, and the long sum.
      const double bound = static_cast<double>(rows * cols) * 256 *
                           (gamma_bound<T>(cols + 6) + long_sum_bound(rows));
      EXPECT_NEAR(cpu.steps->potential(), reference.steps->potential(), bound);
      const Random random(4, Purpose::test);
      const double factor = 3 / (1 + reference.steps->potential());
      EXPECT_EQ(cpu.steps->sample_each(factor, random, 7),
                reference.steps->sample_each(factor, random, 7));
    }
  }
}

// Centres 0, 9 and 40. The mean of the weighted rows is 8, so that moving by it is exact. Ties of D
// go to the lowest row, rows without weight and the only row of a centre are passed over.
TYPED_TEST(KMeansStepsOf, FarthestByHand) {
  using T = TypeParam;
  const Matrix<T> x(6, 1, {3, -3, 0, 9, 12, 31});
  const std::vector<double> weights{1, 1, 1, 1, 0, 1};
  for (const Device device : {Device::reference, Device::cpu}) {
    Loaded<T> loaded(device, x.view(), weights);
    const auto centres = to_engine(*loaded.engine, std::vector<T>{0, 9, 40});
    loaded.steps->begin(3);
    loaded.steps->assign(centres);
    EXPECT_EQ(loaded.steps->labels(), (std::vector<std::int32_t>{0, 0, 0, 1, 1, 2}));
    EXPECT_EQ(loaded.steps->counts(), (std::vector<Index>{3, 1, 1}));
    loaded.steps->distances_to_own_centres(centres);
    const auto farthest = loaded.steps->farthest();
    EXPECT_EQ(farthest.row, 0);
    EXPECT_EQ(farthest.distance, 9);
    loaded.steps->move_row(0, 1);
    EXPECT_EQ(loaded.steps->counts(), (std::vector<Index>{2, 2, 1}));
    EXPECT_EQ(loaded.steps->centre_weights(), (std::vector<double>{2, 2, 1}));
  }
}

}  // namespace
}  // namespace tandem

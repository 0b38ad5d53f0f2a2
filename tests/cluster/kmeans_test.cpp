// Whole fits of k-means.
#include "tandem/cluster/kmeans.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <optional>
#include <set>

#include "cluster/support.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using test::fit_rows;
using test::grouped_rows;
using test::same_bits;
using ::testing::HasSubstr;

std::unique_ptr<Engine> engine_of(Device device, int threads = 1) {
  return Engine::create({device, Numerics::exact, threads});
}

// Options for a fit from given centres, and such a fit.
template <Real T>
KMeansOptions given(const Matrix<T>& centres) {
  return {.clusters = centres.rows(), .init = KMeansInit::given};
}
template <Real T>
KMeansModel<T> fit_from(Engine& engine, const Matrix<T>& x, const Matrix<T>& centres,
                        const KMeansOptions& options,
                        std::span<const std::type_identity_t<T>> weights = {}) {
  return fit_rows(engine, x, options, {.weights = weights, .initial_centres = centres.view()});
}
template <Real T>
KMeansModel<T> fit_from(Engine& engine, const Matrix<T>& x, const Matrix<T>& centres) {
  return fit_from(engine, x, centres, given(centres));
}

template <Real T>
void expect_same_model(const KMeansModel<T>& a, const KMeansModel<T>& b) {
  EXPECT_TRUE(same_bits(a.centres.values(), b.centres.values()));
  EXPECT_TRUE(same_bits(a.origin, b.origin));
  EXPECT_EQ(a.counts, b.counts);
  EXPECT_EQ(test::bits_of(a.inertia), test::bits_of(b.inertia));
  EXPECT_EQ(a.start, b.start);
  EXPECT_EQ(a.log, b.log);
}

// Sets the instruction set for the test and back.
class Simd {
 public:
  explicit Simd(std::string_view name) : widest_(cpu::simd_name()) { cpu::limit_simd(name); }
  ~Simd() {
    cpu::limit_simd(widest_ == "AVX-512" ? "avx512" : widest_ == "AVX2" ? "avx2" : "baseline");
  }

 private:
  std::string widest_;
};

class KMeansOn : public ::testing::TestWithParam<Device> {};
INSTANTIATE_TEST_SUITE_P(Engines, KMeansOn, ::testing::Values(Device::reference, Device::cpu),
                         [](const auto& device) { return std::string(to_string(device.param)); });

// Points 0 1 10 11 on a line from centres 0 and 1. Assign: {0} {1 10 11}, cost 0 + 0 + 81 + 100.
// Centres 0 and 22/3. Assign: {0 1} {10 11}, cost 0 + 1 + (8/3)² + (11/3)² = 1 + 185/9. Centres 0.5
// and 10.5. Assign: the same rows, cost 1.
TEST_P(KMeansOn, FourPointsByHand) {
  const auto engine = engine_of(GetParam());
  const Matrix<double> x(4, 1, {0, 1, 10, 11});
  const auto model = fit_from(*engine, x, Matrix<double>(2, 1, {0, 1}));
  EXPECT_EQ(model.log.iterations, 3);
  EXPECT_EQ(model.log.stopped_because, "no label changed");
  EXPECT_TRUE(model.log.converged);
  ASSERT_EQ(model.log.history.at("inertia").size(), 3U);
  // The reference rounds about ten times, and the cpu's identity for the cost cancels 122 of terms.
  constexpr double bound = 122 * 64 * unit_roundoff<double>;
  EXPECT_NEAR(model.log.history.at("inertia")[0], 181, bound);
  EXPECT_NEAR(model.log.history.at("inertia")[1], 1 + 185.0 / 9, bound);
  EXPECT_NEAR(model.log.history.at("inertia")[2], 1, bound);
  EXPECT_EQ(model.inertia, 1);
  EXPECT_EQ(model.centres.values(), (std::vector<double>{0.5, 10.5}));
  EXPECT_EQ(model.counts, (std::vector<Index>{2, 2}));
  EXPECT_EQ(model.predict(*engine, Matrix<double>(3, 1, {5.4, 5.6, 100}).view()).labels,
            (std::vector<std::int32_t>{0, 1, 1}));
}

// 5 is as far from 4 as from 6.
TEST_P(KMeansOn, TiesGoToTheLowestCentre) {
  const auto engine = engine_of(GetParam());
  const Matrix<float> x(3, 1, {5, 4, 6});
  const auto steps_labels = [&] {
    KMeansModel<float> model;
    model.centres = Matrix<float>(3, 1, {6, 4, 4});
    model.origin = {0};
    return model.predict(*engine, x.view()).labels;
  }();
  EXPECT_EQ(steps_labels, (std::vector<std::int32_t>{0, 1, 0}));
}

// The least of 60 runs of sklearn.cluster.KMeans(3, n_init=1, random_state=s).fit(iris).inertia_.
TEST_P(KMeansOn, IrisByTheDefaults) {
  const auto engine = engine_of(GetParam());
  KMeansOptions options;
  options.clusters = 3;
  EXPECT_NEAR(fit_rows(*engine, test::iris<double>(), options).inertia, 78.851441426146, 1e-4);
  KMeansOptions single;
  single.clusters = 3;
  EXPECT_NEAR(fit_rows(*engine, test::iris<float>(), single).inertia, 78.851441426146, 1e-4);
}

TEST(KMeans, IrisByEveryInitialisation) {
  const auto engine = engine_of(Device::cpu);
  const auto x = test::iris<float>();
  for (const KMeansInit init : {KMeansInit::plus_plus, KMeansInit::parallel, KMeansInit::random}) {
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      KMeansOptions options;
      options.clusters = 3;
      options.init = init;
      options.starts = 20;
      options.seed = seed;
      EXPECT_NEAR(fit_rows(*engine, x, options).inertia, 78.851441426146, 1e-4)
          << to_string(init) << " " << seed;
    }
  }
}

// Inertia of the same clusters: the reference's from x − c in double, the cpu's from x' − c', each
// rounded once to T: (a + e)² with |e| <= u(|x'| + |c'|) = u·m differs from a² by at most
// 2|a|um + u²m², |a| <= m. Three u·m² also cover the double roundings.
template <Real T>
double inertia_bound(const Matrix<T>& x, const KMeansModel<T>& model,
                     const std::vector<std::int32_t>& labels) {
  double sum = 0;
  for (Index i = 0; i < x.rows(); ++i) {
    for (Index j = 0; j < x.cols(); ++j) {
      const double o = static_cast<double>(model.origin[static_cast<std::size_t>(j)]);
      const double m =
          std::abs(static_cast<double>(x(i, j)) - o) +
          std::abs(static_cast<double>(model.centres(labels[static_cast<std::size_t>(i)], j)) - o);
      sum += m * m;
    }
  }
  return sum * (3 * unit_roundoff<T> + long_sum_bound(x.rows()));
}

template <class T>
class KMeansOf : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(KMeansOf, Reals);

TYPED_TEST(KMeansOf, CpuFollowsTheReference) {
  using T = TypeParam;
  const auto cpu = engine_of(Device::cpu, 2);
  const auto reference = engine_of(Device::reference);
  for (const auto& [rows, cols, k] : {std::array<Index, 3>{1, 1, 1},
                                      {33, 2, 3},
                                      {257, 5, 7},
                                      {1025, 17, 12},
                                      {2100, 3, 13},
                                      {500, 64, 25}}) {
    const auto x = grouped_rows<T>(rows, cols, k, 5, 3);
    KMeansOptions options;
    options.clusters = k;
    options.starts = 2;
    options.seed = 3;
    const auto a = fit_rows(*cpu, x, options);
    const auto b = fit_rows(*reference, x, options);
    EXPECT_EQ(a.counts, b.counts);
    EXPECT_EQ(a.start, b.start);
    EXPECT_EQ(a.log.iterations, b.log.iterations);
    EXPECT_EQ(a.log.stopped_because, b.log.stopped_because);
    const auto labels = a.predict(*cpu, x.view()).labels;
    EXPECT_EQ(labels, b.predict(*reference, x.view()).labels);
    EXPECT_NEAR(a.inertia, b.inertia, inertia_bound(x, a, labels));
    // Each coordinate is a mean, rounded once to T by either; the fixed-point sums and the shift of
    // the rows, each off by at most u·8 (|x'| < 16), may carry it over to a neighbour.
    EXPECT_TRUE(test::within(a.centres.values(), b.centres.values(),
                             [](std::size_t) { return 16 * 2 * unit_roundoff<T>; }));
  }
}

TYPED_TEST(KMeansOf, SameBitsForAnyThreadsAndInstructionSet) {
  using T = TypeParam;
  const auto x = grouped_rows<T>(1100, 6, 9, 1);
  std::vector<T> weights(1100);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<T>(i % 7) / T{4};
  for (const KMeansInit init : {KMeansInit::plus_plus, KMeansInit::parallel, KMeansInit::random}) {
    for (const bool weighted : {false, true}) {
      KMeansOptions options;
      options.clusters = init == KMeansInit::random ? 45 : 13;
      options.init = init;
      options.starts = 2;
      options.max_iterations = 3;
      const auto fit = [&](int threads) {
        return fit_rows(*engine_of(Device::cpu, threads), x, options,
                        {.weights = weighted ? std::span<const T>(weights) : std::span<const T>()});
      };
      const auto one = fit(1);
      expect_same_model(one, fit(1));
      expect_same_model(one, fit(2));
      expect_same_model(one, fit(7));
      const auto labels = one.predict(*engine_of(Device::cpu), x.view()).labels;
      for (const std::string_view set : {"avx2", "baseline"}) {
        if (set == "avx2" && cpu::simd_name() == "baseline") continue;
        const Simd simd(set);
        expect_same_model(one, fit(2));
        EXPECT_EQ(labels, one.predict(*engine_of(Device::cpu), x.view()).labels);
      }
    }
  }
}

// The cost of an iteration is exact but for double rounding relative to the total sum of squares;
// centres are rounded to T, which may raise the cost by Σ w (u c)² and no more to first order, the
// mean being where the cost is stationary.
TYPED_TEST(KMeansOf, InertiaNeverRises) {
  using T = TypeParam;
  for (const double offset : {0.0, 1000.0}) {
    const auto x = grouped_rows<T>(3000, 7, 30, 2, offset);
    KMeansOptions options;
    options.clusters = 20;
    options.init = KMeansInit::random;
    options.starts = 1;
    options.tolerance = 0;
    const auto model = fit_rows(*engine_of(Device::cpu, 2), x, options);
    const auto& costs = model.log.history.at("inertia");
    ASSERT_GT(costs.size(), 4U);
    const double total = 3000 * 7 * 25.0;
    const double centre_rounding = (offset + 5) * unit_roundoff<T>;
    // Labels may follow scores that are off by score_bound: a row then adds twice that at most.
    const double label_error = 3000 * 2 * gamma_bound<T>(2 * 7 + 4) * 7 * 100;
    const double bound =
        label_error + total * long_sum_bound(3000) + 3000 * 7 * centre_rounding * centre_rounding;
    for (std::size_t i = 1; i < costs.size(); ++i) EXPECT_LE(costs[i], costs[i - 1] + bound);
    EXPECT_LE(model.inertia, costs.back() + bound);
    EXPECT_EQ(model.log.iterations, static_cast<Index>(costs.size()));
  }
}

// With many centres the cpu skips rows whose label cannot change. predict() has no earlier
// iteration to go by and scores all of them: at every stage of a fit its labels must be the ones
// that the next centres were made of, bit for bit, also where an empty centre took a row away.
TYPED_TEST(KMeansOf, SkippedRowsHaveTheLabelsOfScoredOnes) {
  using T = TypeParam;
  for (const double offset : {0.0, 300.0}) {
    const auto x = grouped_rows<T>(3001, 5, 60, 11, offset);
    Matrix<T> centres(64, 5, {x.data(), x.data() + 64 * 5});
    for (Index j = 0; j < 5; ++j) centres(7, j) = T{5000};
    auto options = given(centres);
    options.tolerance = 0;
    for (Index iterations = 1; iterations < 14; ++iterations) {
      options.max_iterations = iterations;
      const auto engine = engine_of(Device::cpu, static_cast<int>(1 + iterations % 3));
      const auto model = fit_from(*engine, x, centres, options);
      std::vector<Index> counts(64, 0);
      for (const auto label : model.predict(*engine, x.view()).labels) {
        ++counts[static_cast<std::size_t>(label)];
      }
      EXPECT_EQ(counts, model.counts) << iterations;
      EXPECT_EQ(model.own_metrics(*engine, x.view()).at("inertia"), model.inertia);
    }
  }
}

// The same where most centres rest and a few travel, which the cpu then scores before all others.
TYPED_TEST(KMeansOf, FewTravellingCentresGiveTheLabelsOfScoringAll) {
  using T = TypeParam;
  constexpr Index k = 64;
  constexpr Index d = 7;
  const auto x = grouped_rows<T>(4001, d, k, 5, 20.0);
  Matrix<T> centres(k, d, {x.data(), x.data() + k * d});
  auto options = given(centres);
  options.max_iterations = 60;
  centres = fit_from(*engine_of(Device::cpu), x, centres, options).centres;
  options = given(centres);
  // Three centres start on rows of other groups: their own rows scatter, and they come back.
  for (const Index c : {3, 20, 41}) {
    for (Index j = 0; j < d; ++j) centres(c, j) = x(c + 1000, j);
  }
  options.tolerance = 0;
  for (const std::string_view set : {"widest", "avx2", "baseline"}) {
    if (set == "avx2" && cpu::simd_name() == "baseline") continue;
    std::optional<Simd> simd;
    if (set != "widest") simd.emplace(set);
    for (Index iterations = 1; iterations < 12; ++iterations) {
      options.max_iterations = iterations;
      const auto engine = engine_of(Device::cpu, static_cast<int>(1 + iterations % 3));
      const auto model = fit_from(*engine, x, centres, options);
      std::vector<Index> counts(k, 0);
      for (const auto label : model.predict(*engine, x.view()).labels) {
        ++counts[static_cast<std::size_t>(label)];
      }
      EXPECT_EQ(counts, model.counts) << iterations;
      EXPECT_EQ(model.own_metrics(*engine, x.view()).at("inertia"), model.inertia);
    }
  }
}

TYPED_TEST(KMeansOf, PredictGivesTheLabelsAndInertiaOfTheFit) {
  using T = TypeParam;
  const auto engine = engine_of(Device::cpu, 2);
  const auto x = grouped_rows<T>(1500, 4, 6, 8);
  KMeansOptions options;
  options.clusters = 6;
  const auto model = fit_rows(*engine, x, options);
  std::vector<Index> counts(6, 0);
  for (const auto label : model.predict(*engine, x.view()).labels) {
    ++counts[static_cast<std::size_t>(label)];
  }
  EXPECT_EQ(counts, model.counts);
  EXPECT_EQ(model.own_metrics(*engine, x.view()).at("inertia"), model.inertia);
  EXPECT_TRUE(model.predict(*engine, MatrixView<const T>{x.data(), 0, 4, 4}).labels.empty());
  EXPECT_THROW((void)model.predict(*engine, MatrixView<const T>{x.data(), 3, 3, 3}), InputError);
}

TEST_P(KMeansOn, WholeWeightsAreDuplicatedRows) {
  const auto engine = engine_of(GetParam());
  const auto x = grouped_rows<double>(300, 3, 5, 4);
  std::vector<double> weights;
  std::vector<double> repeated;
  for (Index i = 0; i < x.rows(); ++i) {
    const int times = static_cast<int>(i % 4);
    weights.push_back(times);
    for (int t = 0; t < times; ++t) {
      repeated.insert(repeated.end(), x.row(i).begin(), x.row(i).end());
    }
  }
  const Matrix<double> longer(static_cast<Index>(repeated.size()) / 3, 3, repeated);
  const Matrix<double> centres(5, 3, {x.data(), x.data() + 15});
  const auto a = fit_from(*engine, x, centres, given(centres), weights);
  const auto b = fit_from(*engine, longer, centres);
  EXPECT_EQ(a.log.iterations, b.log.iterations);
  EXPECT_EQ(a.log.stopped_because, b.log.stopped_because);
  // Sums of up to 450 terms of magnitude up to 5 in double or fixed point.
  const double bound = 5 * 2 * gamma_bound<double>(450);
  EXPECT_TRUE(
      test::within(a.centres.values(), b.centres.values(), [&](std::size_t) { return bound; }));
  EXPECT_NEAR(a.inertia, b.inertia, 450 * 3 * 100 * gamma_bound<double>(450));
  // Rows of weight 0 are not counted.
  EXPECT_EQ(std::accumulate(a.counts.begin(), a.counts.end(), Index{0}), 225);
}

// Points 0 1 2 10 20 on a line. Centres 1, 100, 200: all rows go to the first one. The first empty
// centre takes the farthest row, 20; distances are then to 1 or 20, whichever is nearer, and the
// next one takes 10. Left are 0 1 2 with mean 1: inertia 2.
TEST_P(KMeansOn, EmptyCentresTakeTheFarthestRows) {
  const auto engine = engine_of(GetParam());
  const Matrix<float> x(5, 1, {0, 1, 2, 10, 20});
  const auto model = fit_from(*engine, x, Matrix<float>(3, 1, {1, 100, 200}));
  EXPECT_EQ(model.centres.values(), (std::vector<float>{1, 20, 10}));
  EXPECT_EQ(model.inertia, 2);
}

// The farthest rows are copies of one point: the second empty centre does not take another copy but
// the next farthest point. Ties (−10 and 10 from 0) go to the lowest row.
TEST_P(KMeansOn, EmptyCentresTakeDifferentPoints) {
  const auto engine = engine_of(GetParam());
  const Matrix<double> x(6, 1, {30, 30, 30, 10, 0, -10});
  const Matrix<double> centres(3, 1, {0, 900, 900});
  auto options = given(centres);
  options.max_iterations = 1;
  options.tolerance = 0;
  const auto model = fit_from(*engine, x, centres, options);
  // Row 0 moves to centre 1. Distances: the other copies 0; 10 and −10: 100, 0: 0. Row 3 moves.
  EXPECT_EQ(model.centres.values(), (std::vector<double>{(30 + 30 + 0 - 10) / 4.0, 30, 10}));
}

TEST_P(KMeansOn, EmptyCentresStayWhereEveryRowLiesOnACentre) {
  const auto engine = engine_of(GetParam());
  const Matrix<double> x(4, 1, {0, 0, 4, 4});
  const auto model = fit_from(*engine, x, Matrix<double>(2, 1, {4, 0}));
  EXPECT_EQ(model.inertia, 0);
  EXPECT_THROW((void)fit_from(*engine, x, Matrix<double>(3, 1, {4, 0, 9})), InputError);
}

TEST(KMeans, SaysWhyItStopped) {
  const auto engine = engine_of(Device::cpu);
  const auto x = grouped_rows<float>(2000, 4, 40, 6);
  KMeansOptions options;
  options.clusters = 12;
  options.starts = 1;
  options.init = KMeansInit::random;
  const auto why = [&](auto&& change) {
    auto changed = options;
    change(changed);
    return fit_rows(*engine, x, changed).log;
  };
  const auto unchanged = why([](auto& o) { o.tolerance = 0; });
  EXPECT_EQ(unchanged.stopped_because, "no label changed");
  EXPECT_TRUE(unchanged.converged);
  const auto shift = why([](auto& o) { o.tolerance = 0.01; });
  EXPECT_EQ(shift.stopped_because, "the centres moved by no more than the tolerance 0.01");
  EXPECT_LT(shift.iterations, unchanged.iterations);
  const auto inertia = why([](auto& o) {
    o.tolerance = 0;
    o.inertia_tolerance = 0.01;
  });
  EXPECT_EQ(inertia.stopped_because, "the inertia changed by no more than 0.01 of itself");
  EXPECT_LT(inertia.iterations, unchanged.iterations);
  const auto limit = why([](auto& o) {
    o.tolerance = 0;
    o.max_iterations = 3;
  });
  EXPECT_EQ(limit.stopped_because, "reached the 3 iterations allowed");
  EXPECT_FALSE(limit.converged);
  EXPECT_EQ(limit.iterations, 3);
}

TEST(KMeans, MoreStartsAreNeverWorseAndTheEarliestOfEqualsWins) {
  const auto engine = engine_of(Device::cpu);
  const auto x = grouped_rows<double>(400, 2, 12, 3);
  KMeansOptions options;
  options.clusters = 12;
  double before = std::numeric_limits<double>::infinity();
  for (const Index starts : {1, 2, 4, 8}) {
    options.starts = starts;
    const auto model = fit_rows(*engine, x, options);
    EXPECT_LE(model.inertia, before);
    EXPECT_LT(model.start, starts);
    before = model.inertia;
  }
  options.clusters = 1;
  EXPECT_EQ(fit_rows(*engine, x, options).start, 0);
}

TEST_P(KMeansOn, AsManyClustersAsDistinctRows) {
  const auto engine = engine_of(GetParam());
  Matrix<float> x(40, 2);
  for (Index i = 0; i < 40; ++i) {
    x(i, 0) = static_cast<float>(i % 5);
    x(i, 1) = static_cast<float>(i % 2);
  }
  for (const KMeansInit init : {KMeansInit::plus_plus, KMeansInit::parallel, KMeansInit::random}) {
    KMeansOptions options;
    options.init = init;
    options.clusters = 10;
    EXPECT_EQ(fit_rows(*engine, x, options).inertia, 0) << to_string(init);
    options.clusters = 11;
    try {
      (void)fit_rows(*engine, x, options);
      ADD_FAILURE() << "11 clusters of 10 distinct rows";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("only 10 distinct rows"));
    }
  }
}

TEST(KMeans, OneRowAndConstantData) {
  const auto engine = engine_of(Device::cpu);
  KMeansOptions options;
  options.clusters = 1;
  const auto one = fit_rows(*engine, Matrix<float>(1, 3, {1, 2, 3}), options);
  EXPECT_EQ(one.centres.values(), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(one.inertia, 0);
  const auto same = fit_rows(*engine, Matrix<float>(50, 2, 7.0F), options);
  EXPECT_EQ(same.centres.values(), (std::vector<float>{7, 7}));
  EXPECT_EQ(same.inertia, 0);
}

TEST(KMeans, RefusesBadInput) {
  const auto engine = engine_of(Device::cpu);
  const auto expect_refusal = [&](const Matrix<float>& x, const KMeansOptions& options,
                                  const std::vector<float>& weights, const std::string& message,
                                  const Matrix<float>& centres = {}) {
    try {
      (void)fit_rows(*engine, x, options, {.weights = weights, .initial_centres = centres.view()});
      ADD_FAILURE() << "accepted; expected: " << message;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  };
  auto x = grouped_rows<float>(100, 3, 4, 1);
  KMeansOptions options;
  options.clusters = 4;
  expect_refusal(Matrix<float>(0, 3), options, {}, "no rows");
  expect_refusal(Matrix<float>(3, 0), options, {}, "no features");
  expect_refusal(x, options, std::vector<float>(99, 1.0F), "99 weights for 100 rows");
  expect_refusal(x, options, std::vector<float>(100, 0.0F), "all weights are 0");
  expect_refusal(x, options, std::vector<float>(100, -1.0F), "weight of row 1 is -1");
  std::vector<float> few(100, 0.0F);
  few[3] = few[50] = few[51] = 1;
  expect_refusal(x, options, few, "only 3 distinct rows of positive weight");
  auto bad = x;
  bad(6, 1) = std::numeric_limits<float>::quiet_NaN();
  expect_refusal(bad, options, {}, "row 7, column 2 is missing or not a number");
  bad(6, 1) = -std::numeric_limits<float>::infinity();
  expect_refusal(bad, options, {}, "row 7, column 2 is infinite");
  bad(6, 1) = 1e30F;
  expect_refusal(bad, options, {}, "leave the range of float32");
  for (auto& value : bad.values()) value = 1e-30F * static_cast<float>(&value - bad.data());
  expect_refusal(bad, options, {}, "leave the range of float32");
  auto wrong = options;
  wrong.clusters = 0;
  expect_refusal(x, wrong, {}, "clusters: 0 is out of range; expected a whole number from 1");
  expect_refusal(x, given(Matrix<float>(4, 2)), {}, "2 coordinates", Matrix<float>(4, 2));
  expect_refusal(x, options, {}, "3 centres are given", Matrix<float>(3, 3));
  expect_refusal(x, given(Matrix<float>(4, 3)), {}, "needs the first centres");
}

TEST(KMeans, ModelSurvivesItsArchive) {
  const auto engine = engine_of(Device::cpu);
  const auto x = grouped_rows<float>(200, 3, 4, 1);
  KMeansOptions options;
  options.clusters = 4;
  const auto model = fit_rows(*engine, x, options);
  Archive archive;
  model.save(archive);
  const auto loaded =
      KMeansModel<float>::load(decode_archive(encode_archive(archive, "model"), "model", "memory"));
  expect_same_model(model, loaded);
  EXPECT_EQ(model.predict(*engine, x.view()).labels, loaded.predict(*engine, x.view()).labels);
  EXPECT_THAT(model.to_text({"a", "b", "c"}), HasSubstr("4 clusters"));

  const auto refused = [&](auto&& change) {
    Archive changed = archive;
    change(changed);
    EXPECT_THROW((void)KMeansModel<float>::load(changed), InputError);
  };
  refused([](Archive& a) { a.set_tensor("origin", std::vector<float>{1, 2}); });
  refused([](Archive& a) { a.set_tensor("counts", std::vector<Index>{1, 2, 3}); });
  refused([](Archive& a) { a.set_tensor("counts", std::vector<Index>{1, 2, 3, -4}); });
  refused([](Archive& a) { a.set_tensor("centres", std::vector<float>{}, {0, 3}); });
  refused([](Archive& a) { a.set_tensor("centres", std::vector<double>(12, 1), {4, 3}); });
  refused([](Archive& a) { a.set_tensor("centres", std::vector<float>(12, 1e38F), {4, 3}); });
  refused([](Archive& a) { a.set("inertia", std::nan("")); });
  refused([](Archive& a) {
    a.set_tensor("centres", std::vector<float>(12, std::nanf("")), {4, 3});
  });
}

// Interrupts at a given iteration, or resumes.
class Interrupter final : public RunControl {
 public:
  Index left = -1;
  Archive saved;
  const Archive* from = nullptr;
  void report(const Progress&) override { --left; }
  [[nodiscard]] bool stop_requested() const noexcept override { return left == 0; }
  [[nodiscard]] bool keeps_checkpoints() const noexcept override { return true; }
  void save_checkpoint(const Archive& state) override { saved = state; }
  [[nodiscard]] const Archive* resume_state() const noexcept override { return from; }
};

TEST_P(KMeansOn, ResumingGivesTheBitsOfAnUninterruptedRun) {
  const auto engine = engine_of(GetParam());
  const auto x = grouped_rows<float>(600, 2, 9, 3);
  KMeansOptions options;
  options.clusters = 9;
  options.starts = 3;
  options.tolerance = 0;
  options.init = KMeansInit::random;
  const auto whole = fit_rows(*engine, x, options);
  int interruptions = 0;
  for (Index at = 1; at < 40; at += 3) {
    Interrupter first;
    first.left = at;
    try {
      (void)fit_rows(*engine, x, options, {.control = &first});
      continue;
    } catch (const Interrupted&) {
      ++interruptions;
    }
    const Archive state =
        decode_archive(encode_archive(first.saved, "checkpoint"), "checkpoint", "memory");
    Interrupter second;
    second.from = &state;
    expect_same_model(whole, fit_rows(*engine, x, options, {.control = &second}));
  }
  EXPECT_GE(interruptions, 5);

  Interrupter other;
  other.left = 1;
  EXPECT_THROW((void)fit_rows(*engine, x, options, {.control = &other}), Interrupted);
  Interrupter resumed;
  resumed.from = &other.saved;
  options.clusters = 8;
  EXPECT_THROW((void)fit_rows(*engine, x, options, {.control = &resumed}), InputError);
}

}  // namespace
}  // namespace tandem

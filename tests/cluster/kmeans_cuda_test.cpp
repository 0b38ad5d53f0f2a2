// The steps of k-means and whole fits on the GPU: the bits of the CPU.
#include <gtest/gtest.h>

#include <numeric>

#include "cluster/support.hpp"
#include "core/cluster/kmeans_math.hpp"
#include "core/cluster/kmeans_steps.hpp"
#include "core/engine_backend.hpp"
#include "cuda/cluster/kmeans_cost.hpp"
#include "support/agreement.hpp"
#include "support/counters.hpp"
#include "support/cuda.hpp"
#include "tandem/cluster/kmeans.hpp"
#include "tandem/metrics/clustering.hpp"

namespace tandem {
namespace {

using test::grouped_rows;

template <class T>
class KMeansCuda : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(KMeansCuda, Reals);

Engine& cpu() {
  static const auto engine = Engine::create({.device = Device::cpu, .threads = 2});
  return *engine;
}
// Threads of a block: the kernels' own choice, or one that gives other tiles.
Engine& gpu(int block_threads = 0) {
  static const auto own = test::cuda_engine();
  static const auto small = test::cuda_engine({.block_threads = 64});
  static const auto large = test::cuda_engine({.block_threads = 256});
  return block_threads == 64 ? *small : block_threads == 256 ? *large : *own;
}

// Everything that the interface returned, in order.
struct Answers {
  std::vector<double> values;
  std::vector<Index> numbers;

  void add(double value) { values.push_back(value); }
  template <class V>
  void add(const std::vector<V>& all) {
    for (const V value : all) {
      if constexpr (std::is_floating_point_v<V>) {
        values.push_back(static_cast<double>(value));
      } else {
        numbers.push_back(static_cast<Index>(value));
      }
    }
  }
  void add(const KMeansTotals& totals) {
    add(std::vector<Index>{totals.changed, totals.empty});
    add(std::vector<double>{totals.shift_squared, totals.cost, totals.cost_error});
  }
};

::testing::AssertionResult same(const Answers& a, const Answers& b) {
  if (const auto values = test::same_bits(a.values, b.values); !values) return values;
  if (a.numbers == b.numbers) return ::testing::AssertionSuccess();
  const auto [at, other] = std::mismatch(a.numbers.begin(), a.numbers.end(), b.numbers.begin());
  return ::testing::AssertionFailure()
         << "integer " << at - a.numbers.begin() << ": " << *at << " against " << *other;
}

template <Real T>
struct Problem {
  MatrixView<const T> x;
  std::vector<double> weights;  // or none
  std::vector<T> centres;
  Index k;
};

// Every step at least once.
template <Real T>
Answers answers_of(Engine& engine, const Problem<T>& problem) {
  Answers answers;
  const Index rows = problem.x.rows;
  const std::span<const double> weights = problem.weights;
  const auto steps = make_steps<KMeansSteps, T>(engine);
  steps->expect_centres(problem.k);
  const KMeansColumns columns = steps->measure(problem.x, weights);
  answers.add(columns.weight);
  answers.add(columns.mean);
  std::vector<T> origin;
  for (const double mean : columns.mean) origin.push_back(static_cast<T>(mean));
  const KMeansSpread spread = steps->load(problem.x, weights, origin);
  answers.add(spread.square_sum);
  answers.add(spread.largest);

  Buffer<T> centres = to_engine(engine, problem.centres);
  Buffer<T> next(engine, centres.size());
  steps->begin(problem.k);
  for (Index iteration = 0; iteration < 3; ++iteration) {
    {
      const Repeated part(engine, steps.get(), static_cast<std::uint64_t>(iteration % 2));
      steps->assign(centres);
      steps->recentre(centres, next);
    }
    answers.add(steps->totals());
    answers.add(next.to_host());
    answers.add(steps->labels());
    answers.add(steps->counts());
    answers.add(steps->centre_weights());
    answers.add(steps->inertia(centres));
    std::swap(centres, next);
  }
  backend(engine).forget_repeated(steps.get());

  // A row into the last centre.
  steps->distances_to_own_centres(centres);
  answers.add(steps->potential());
  const KMeansFarthest farthest = steps->farthest();
  answers.add(farthest.distance);
  answers.add(std::vector<Index>{farthest.row});
  steps->move_row(rows / 2, static_cast<std::int32_t>(problem.k - 1));
  steps->recentre(centres, next);
  answers.add(steps->totals());
  answers.add(next.to_host());
  // The same labels as those of a run that goes on: the same sums.
  const std::vector<std::int32_t> labels = steps->labels();
  steps->begin(problem.k, labels);
  steps->recentre(centres, next);
  answers.add(steps->totals());
  answers.add(next.to_host());
  answers.add(steps->labels());

  // Distances to one row, to several, more than a tile of them.
  const Random random(5, Purpose::test);
  for (const Index chosen : {Index{1}, Index{3}, Index{11}}) {
    std::vector<Index> others;
    for (Index i = 0; i < chosen; ++i) others.push_back((rows / 3 + 37 * i) % rows);
    steps->distances_to_rows(others, chosen != 3);
    const double potential = steps->potential();
    answers.add(potential);
    if (!(potential > 0)) continue;
    for (const double u : {0.0, 1e-9, 0.25, 0.5, 0.77, 0.999, std::nextafter(1.0, 0.0)}) {
      answers.add(std::vector<Index>{steps->sample(u)});
    }
    answers.add(steps->sample_each(static_cast<double>(rows) / 4 / potential, random, 17));
  }

  // Labels alone, and those of the same centres in a start.
  steps->label(centres, problem.k);
  const std::vector<std::int32_t> alone = steps->labels();
  answers.add(alone);
  steps->begin(problem.k);
  steps->assign(centres);
  EXPECT_EQ(steps->labels(), alone);
  return answers;
}

template <Real T>
Problem<T> problem_of(const Matrix<T>& x, Index k) {
  Problem<T> problem{x.view(), {}, {}, k};
  for (Index c = 0; c < k; ++c) {
    const auto row = x.row(c * 7 % x.rows());
    problem.centres.insert(problem.centres.end(), row.begin(), row.end());
  }
  return problem;
}

template <Real T>
std::vector<double> made_weights(Index rows) {
  std::vector<double> weights;
  const FixedPoint unit = FixedPoint::for_sum(rows, 3.5);
  for (Index i = 0; i < rows; ++i) {
    weights.push_back(unit.decode(unit.encode(static_cast<double>(i % 11) * 0.35)));
  }
  return weights;
}

TYPED_TEST(KMeansCuda, EveryStepAtAwkwardSizes) {
  using T = TypeParam;
  int which = 0;
  for (const Index rows : test::awkward_sizes()) {
    if (rows == 0) continue;
    for (const Index cols : {1, 3, 17, 33}) {
      for (const Index k : {1, 2, 4, 5, 9, 17, 40}) {
        // All of them with few rows; one in four with many.
        if (k > rows || (rows > 66 && (++which & 3) != 0)) continue;
        const auto x = grouped_rows<T>(rows, cols, 4, static_cast<std::uint64_t>(rows), 2);
        Problem<T> problem = problem_of(x, k);
        if (which % 3 == 1) problem.weights = made_weights<T>(rows);
        if (!problem.weights.empty() && rows < 3) continue;
        EXPECT_TRUE(
            same(answers_of(cpu(), problem), answers_of(gpu(which % 2 == 0 ? 0 : 64), problem)))
            << rows << " x " << cols << ", k " << k;
      }
    }
  }
}

// Every shape of the assignment: one to many tiles of centres, rows that stay in shared memory and
// rows that do not, stages that end anywhere.
TYPED_TEST(KMeansCuda, EveryShapeOfTheAssignment) {
  using T = TypeParam;
  for (const int threads : {0, 64, 256}) {
    for (const Index k : {1, 4, 7, 8, 11, 16, 31, 33, 65, 129, 200}) {
      for (const Index cols : {2, 16, 70, 131}) {
        if ((k + cols + threads) % 3 == 1 && k > 16) continue;
        const auto x = grouped_rows<T>(300, cols, 30, 8, -3);
        Problem<T> problem = problem_of(x, k);
        Answers answers[2];
        for (Engine* engine : {&cpu(), &gpu(threads)}) {
          const auto steps = make_steps<KMeansSteps, T>(*engine);
          const std::vector<T> origin(static_cast<std::size_t>(cols), T{-3});
          (void)steps->load(x.view(), {}, origin);
          steps->begin(k);
          steps->assign(to_engine(*engine, problem.centres));
          answers[engine == &cpu() ? 0 : 1].add(steps->labels());
        }
        EXPECT_TRUE(same(answers[0], answers[1])) << threads << ", " << k << ", " << cols;
      }
    }
  }
}

// Equal scores, inside a thread's centres, between warps and between tiles: the lowest index.
TYPED_TEST(KMeansCuda, TiesGoToTheLowestIndex) {
  using T = TypeParam;
  const Index rows = 300;
  Matrix<T> x(rows, 3);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < 3; ++j) x(i, j) = static_cast<T>((i * 7 + j * 3) % 5);
  }
  for (const Index k : {6, 70, 150}) {
    Problem<T> problem{x.view(), {}, {}, k};
    // Copies of the same five centres. With many, the first 16 are far off instead, so that the
    // lowest index is another warp's than that of the first of a later tile.
    const Index nearest = k > 100 ? 16 : 0;
    for (Index c = 0; c < k; ++c) {
      for (Index j = 0; j < 3; ++j) {
        problem.centres.push_back(c < nearest ? T{1000} : static_cast<T>((4 - c % 5 + j * 3) % 5));
      }
    }
    for (const int threads : {0, 64, 256}) {
      const auto a = answers_of(cpu(), problem);
      EXPECT_TRUE(same(a, answers_of(gpu(threads), problem))) << k;
    }
    const auto steps = make_steps<KMeansSteps, T>(gpu());
    (void)steps->load(x.view(), {}, std::vector<T>(3, T{0}));
    steps->begin(k);
    steps->assign(to_engine(gpu(), problem.centres));
    for (const std::int32_t label : steps->labels()) {
      EXPECT_GE(label, nearest);
      EXPECT_LT(label, nearest + 5);
    }
  }
}

// Constant columns, copies of one row, huge and tiny columns side by side, zeros of both signs.
TYPED_TEST(KMeansCuda, AdversarialRows) {
  using T = TypeParam;
  const Index rows = 1100;
  const auto of = [&](auto&& value) {
    Matrix<T> x(rows, 4);
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < 4; ++j) x(i, j) = static_cast<T>(value(i, j));
    }
    return x;
  };
  const Random random(3, Purpose::test);
  const auto uniform = [&](Index i, Index j) {
    return random.uniform(static_cast<std::uint64_t>(4 * i + j)) - 0.5;
  };
  const double tiny = static_cast<double>(std::numeric_limits<T>::min());
  const Matrix<T> all[] = {
      of([](Index, Index) { return 7.25; }),
      of([](Index i, Index) { return i % 3; }),
      of([&](Index i, Index j) { return j == 1 ? 1e6 : uniform(i, j); }),
      of([&](Index i, Index j) {
        return (j == 0 ? 1e9 : j == 1 ? 1e-9 : 1.0) * uniform(i, j);
      }),
      of([&](Index i, Index j) { return (j == 0 ? tiny / 4 : 1.0) * uniform(i, j); }),
      of([](Index i, Index j) { return (i + j) % 2 == 0 ? 0.0 : -0.0; }),
      of([](Index i, Index) { return i == 5 ? 1e9 : 0.0; })};
  for (const Matrix<T>& x : all) {
    for (const bool weighted : {false, true}) {
      Problem<T> problem = problem_of(x, 9);
      if (weighted) problem.weights = made_weights<T>(rows);
      EXPECT_TRUE(same(answers_of(cpu(), problem), answers_of(gpu(), problem))) << &x - all;
    }
  }
}

// Rows with gaps between them, and rows that the steps are given anew.
TYPED_TEST(KMeansCuda, StridedRowsAndRepeatedLoads) {
  using T = TypeParam;
  const auto x = grouped_rows<T>(700, 9, 5, 6);
  const MatrixView<const T> strided{x.data() + 2, 700, 5, 9};
  Problem<T> problem{strided, {}, std::vector<T>(x.data(), x.data() + 15), 3};
  EXPECT_TRUE(same(answers_of(cpu(), problem), answers_of(gpu(), problem)));
  Answers answers[2];
  for (Engine* engine : {&cpu(), &gpu()}) {
    Answers& to = answers[engine == &cpu() ? 0 : 1];
    const auto steps = make_steps<KMeansSteps, T>(*engine);
    for (const Index cols : {5, 3, 3}) {
      const MatrixView<const T> view{x.data(), 700, cols, 9};
      const std::vector<T> origin(static_cast<std::size_t>(cols), T{1});
      if (cols == 5) (void)steps->measure(view, {});
      to.add(steps->load(view, {}, origin).square_sum);
      steps->begin(2);
      const auto centres = to_engine(*engine, std::vector<T>(x.data(), x.data() + 2 * cols));
      steps->assign(centres);
      to.add(steps->inertia(centres));
    }
  }
  EXPECT_TRUE(same(answers[0], answers[1]));
}

// The rows do not fit on the device: they stand on the host and are streamed.
TYPED_TEST(KMeansCuda, StreamedRowsGiveTheSameBits) {
  using T = TypeParam;
  const Index rows = 5000;
  const auto x = grouped_rows<T>(rows, 40, 6, 2, 1);
  Problem<T> problem = problem_of(x, 12);
  problem.weights = made_weights<T>(rows);
  // Less than the rows take.
  const std::size_t limit = static_cast<std::size_t>(x.size()) * sizeof(T);
  const auto limited = test::cuda_engine({.device_memory = limit});
  EXPECT_TRUE(same(answers_of(cpu(), problem), answers_of(*limited, problem)));

  KMeansOptions options;
  options.clusters = 7;
  options.starts = 2;
  options.seed = 4;
  options.init = KMeansInit::parallel;
  const auto a = test::fit_rows(cpu(), x, options);
  const auto b = test::fit_rows(*limited, x, options);
  EXPECT_TRUE(test::same_bits(a.centres.values(), b.centres.values()));
  EXPECT_EQ(test::bits_of(a.inertia), test::bits_of(b.inertia));
}

template <Real T>
void expect_the_same_model(const KMeansModel<T>& a, const KMeansModel<T>& b) {
  EXPECT_TRUE(test::same_bits(a.centres.values(), b.centres.values()));
  EXPECT_TRUE(test::same_bits(a.origin, b.origin));
  EXPECT_EQ(a.counts, b.counts);
  EXPECT_EQ(test::bits_of(a.inertia), test::bits_of(b.inertia));
  EXPECT_EQ(a.start, b.start);
  EXPECT_EQ(a.log.stopped_because, b.log.stopped_because);
  EXPECT_TRUE(test::same_bits(a.log.history.at("inertia"), b.log.history.at("inertia")));
}

TYPED_TEST(KMeansCuda, WholeFits) {
  using T = TypeParam;
  const auto x = grouped_rows<T>(1500, 7, 9, 12, 4);
  std::vector<T> weights;
  for (Index i = 0; i < x.rows(); ++i) weights.push_back(static_cast<T>(i % 4));
  for (const KMeansInit init :
       {KMeansInit::plus_plus, KMeansInit::parallel, KMeansInit::random, KMeansInit::given}) {
    for (const bool weighted : {false, true}) {
      KMeansOptions options;
      options.clusters = 11;
      options.starts = 2;
      options.seed = 3;
      options.init = init;
      Matrix<T> centres;
      if (init == KMeansInit::given) {
        // Two copies and a far-off one: centres without rows.
        centres = Matrix<T>(11, 7, {x.data(), x.data() + 77});
        std::copy_n(centres.data(), 7, centres.data() + 7);
        for (Index j = 0; j < 7; ++j) centres(10, j) = T{1000};
      }
      FitContext<T> context;
      if (weighted) context.weights = weights;
      context.initial_centres = std::as_const(centres).view();
      const auto expected = test::fit_rows(cpu(), x, options, context);
      for (const int threads : {0, 64, 256}) {
        SCOPED_TRACE(std::string(to_string(init)) + ", " + std::to_string(threads));
        expect_the_same_model(expected, test::fit_rows(gpu(threads), x, options, context));
      }
    }
  }
}

TYPED_TEST(KMeansCuda, PredictsAndMeasuresTheSame) {
  using T = TypeParam;
  const auto x = test::iris<T>();
  KMeansOptions options;
  options.clusters = 3;
  const auto model = test::fit_rows(gpu(), x, options);
  expect_the_same_model(test::fit_rows(cpu(), x, options), model);
  EXPECT_EQ(model.predict(cpu(), x.view()).labels, model.predict(gpu(), x.view()).labels);
  EXPECT_EQ(model.own_metrics(cpu(), x.view()), model.own_metrics(gpu(), x.view()));
  // The smallest and the largest blocks that can be asked for.
  options.init = KMeansInit::parallel;
  const auto expected = test::fit_rows(cpu(), x, options);
  for (const int threads : {32, 1024}) {
    const auto engine = test::cuda_engine({.block_threads = threads});
    expect_the_same_model(expected, test::fit_rows(*engine, x, options));
  }
}

// --- what the kernels do, as the software GPU counts it -----------------------------------------

// The counters of the launch of a kernel while `work` runs.
template <class Work>
test::Counters counts_of(std::string_view kernel_name, Work&& work) {
  const test::Counting counting;
  work();
  const test::Counters counts = counting.of(kernel_name);
  EXPECT_EQ(counts.launches, 1) << kernel_name;
  return counts;
}

// Within 5 % of what the kernel says it must do.
void expect_cost(const test::Counters& counts, const Cost& cost) {
  EXPECT_NEAR(counts.flops, cost.flops, 0.05 * cost.flops);
  EXPECT_NEAR(counts.bytes, cost.bytes, 0.05 * cost.bytes);
}

template <Real T>
struct Counted {
  Matrix<T> x;
  std::vector<double> weights;
  std::vector<T> origin;
  std::unique_ptr<KMeansSteps<T>> steps = make_steps<KMeansSteps, T>(gpu());
  Buffer<T> centres;
  Buffer<T> next;
  Index k;

  Counted(Index rows, Index cols, Index clusters, bool weighted)
      : x(grouped_rows<T>(rows, cols, 5, 1)),
        weights(weighted ? std::vector<double>(static_cast<std::size_t>(rows), 2.0)
                         : std::vector<double>()),
        origin(static_cast<std::size_t>(cols), T{0}),
        centres(to_engine(gpu(), problem_of(x, clusters).centres)),
        next(gpu(), centres.size()),
        k(clusters) {}
  void load() { (void)steps->load(x.view(), weights, origin); }
};

TYPED_TEST(KMeansCuda, KernelsDoWhatTheyCost) {
  using T = TypeParam;
  if (test::cuda_device() != Device::softgpu) GTEST_SKIP() << "only the software GPU counts";
  constexpr int element = sizeof(T);
  (void)gpu();
  for (const bool weighted : {false, true}) {
    // Rows that are not whole panels; tiles of centres that are not full; several stages.
    const Index rows = 4001;
    const Index cols = 37;
    const Index k = 30;
    Counted<T> of(rows, cols, k, weighted);
    using namespace cuda::kmeans;
    const auto check = [&](const char* kernel, const Cost& cost, auto&& work) {
      SCOPED_TRACE(std::string(kernel) + (weighted ? ", weights" : ""));
      const test::Counters counts = counts_of(kernel, work);
      expect_cost(counts, cost);
      return counts;
    };
    test::Counters counts = counts_of("pack_rows_kernel", [&] { of.load(); });
    EXPECT_LT(counts.sectors_per_ideal, 1.2);     // runs of 32 floats that do not begin at a sector
    EXPECT_LT(counts.wavefronts_per_ideal, 1.5);  // the last 5 of 37 features: a narrow tile
    counts = check("sum_columns_kernel", sum_columns_kernel_cost(rows, cols, element, weighted),
                   [&] { of.load(); });
    EXPECT_LT(counts.sectors_per_ideal, 1.05);
    counts = check("move_to_origin_kernel",
                   move_to_origin_kernel_cost(rows, cols, element, weighted), [&] { of.load(); });
    EXPECT_LT(counts.sectors_per_ideal, 1.05);

    of.steps->begin(k);
    const AssignShape shape = assign_shape(cols, k, element, 128);
    counts = check("assign_kernel", assign_kernel_cost(shape, rows, cols, element),
                   [&] { of.steps->assign(of.centres); });
    EXPECT_LT(counts.sectors_per_ideal, 1.01);
    EXPECT_LT(counts.wavefronts_per_ideal, 1.01);
    of.steps->begin(k);
    counts = check(
        "move_sums_kernel",
        move_sums_kernel_cost(rows, ceil_div<Index>(rows, 32), rows, cols, k, element, weighted),
        [&] { of.steps->assign(of.centres); });
    EXPECT_LT(counts.sectors_per_ideal, 1.05);
    EXPECT_LT(counts.wavefronts_per_ideal, 1.05);
    counts = check("recentre_kernel", recentre_kernel_cost(k, cols, element, weighted),
                   [&] { of.steps->recentre(of.centres, of.next); });
    EXPECT_LT(counts.sectors_per_ideal, 1.1);
    check("block_costs_kernel", block_costs_kernel_cost(rows, cols, k, element, weighted),
          [&] { (void)of.steps->inertia(of.centres); });
    check("own_distances_kernel", own_distances_kernel_cost(rows, cols, k, element),
          [&] { of.steps->distances_to_own_centres(of.centres); });
    for (const Index chosen : {Index{1}, Index{16}}) {
      std::vector<Index> others;
      for (Index i = 0; i < chosen; ++i) others.push_back(i * 101 % rows);
      counts = check("distances_to_rows_kernel",
                     distances_to_rows_kernel_cost(rows, cols, chosen, true, element),
                     [&] { of.steps->distances_to_rows(others, true); });
      EXPECT_LT(counts.sectors_per_ideal, 1.01);
    }
    counts = check("sum_pulls_kernel", sum_pulls_kernel_cost(rows, element, weighted),
                   [&] { (void)of.steps->potential(); });
    EXPECT_LT(counts.sectors_per_ideal, 1.1);  // one double per block is written
  }
}

// The shapes of the assignment: with one tile, with rows in shared memory, with rows read
// once per tile; no bank conflicts in any.
TYPED_TEST(KMeansCuda, EveryShapeOfTheAssignmentDoesWhatItCosts) {
  using T = TypeParam;
  if (test::cuda_device() != Device::softgpu) GTEST_SKIP() << "only the software GPU counts";
  (void)gpu();
  for (const Index k : {3, 8, 16, 60, 130}) {
    for (const Index cols : {4, 20, 150}) {
      SCOPED_TRACE(std::to_string(k) + " centres, " + std::to_string(cols) + " features");
      Counted<T> of(1000, cols, k, false);
      of.load();
      of.steps->begin(k);
      const auto shape = cuda::kmeans::assign_shape(cols, k, sizeof(T), 128);
      const test::Counters counts =
          counts_of("assign_kernel", [&] { of.steps->assign(of.centres); });
      expect_cost(counts, cuda::kmeans::assign_kernel_cost(shape, 1000, cols, sizeof(T)));
      EXPECT_LT(counts.sectors_per_ideal, 1.01);
      EXPECT_LT(counts.wavefronts_per_ideal, 1.01);
    }
  }
}

}  // namespace
}  // namespace tandem

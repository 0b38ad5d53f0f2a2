#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "core/engine_backend.hpp"
#include "core/linear/linear_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "support/agreement.hpp"
#include "support/cuda.hpp"
#include "tandem/core/error.hpp"
#include "tandem/linear/linear_regression.hpp"
#include "tandem/linear/logistic_regression.hpp"

namespace tandem {
namespace {

// Magnitudes of the features.
enum class Scale { usual, huge, tiny, mixed, broken };

double draw(std::uint64_t at) { return 2 * Random(78, Purpose::test).uniform(at) - 1; }

template <class T>
struct Scenario {
  LinearLoss loss = LinearLoss::squared;
  Index rows = 0;
  Index features = 0;
  Index outputs = 1;
  std::vector<T> x, target, weights;
  std::vector<double> parameters;

  Scenario(LinearLoss which, Index n, Index d, Index k, bool weighted, Scale scale = Scale::usual)
      : loss(which), rows(n), features(d), outputs(k) {
    using Limits = std::numeric_limits<T>;
    for (Index i = 0; i < n * d; ++i) {
      auto value = static_cast<T>(draw(static_cast<std::uint64_t>(i)));
      const Index kind = scale == Scale::mixed || scale == Scale::broken ? i % 7 : -1;
      if (scale == Scale::huge || kind == 1) value *= Limits::max() / 4;
      if (scale == Scale::tiny || kind == 2) value *= 64 * Limits::denorm_min();
      if (kind == 3) value = T{0};
      if (kind == 4) value = -T{0};
      if (scale == Scale::broken && i % 97 == 5) value = Limits::infinity();
      if (scale == Scale::broken && i % 101 == 7) value = -Limits::quiet_NaN();
      x.push_back(value);
    }
    for (Index i = 0; i < n; ++i) {
      const double y = draw(1U << 30U | static_cast<std::uint64_t>(i));
      target.push_back(which == LinearLoss::squared    ? static_cast<T>(y)
                       : which == LinearLoss::logistic ? static_cast<T>(y > 0)
                                                       : static_cast<T>(i % k));
      if (weighted) weights.push_back(static_cast<T>(i % 4) / 3);
    }
    for (Index p = 0; p < k * (d + 1); ++p) {
      parameters.push_back(draw(1U << 31U | static_cast<std::uint64_t>(p)));
    }
  }

  [[nodiscard]] RowMajorRows<T> upload(Engine& engine) const {
    return {rows, features, to_engine(engine, x), to_engine(engine, target),
            to_engine(engine, weights)};
  }
  [[nodiscard]] PackedRows<T> pack(Engine& engine, LinearSteps<T>& steps,
                                   Placement placement = Placement::engine) const {
    PackedRows<T> packed(engine, rows, features, !weights.empty(), placement);
    steps.pack(upload(engine), rows, 0, packed);
    return packed;
  }
  [[nodiscard]] std::string name() const {
    return "loss " + std::to_string(static_cast<int>(loss)) + ", " + std::to_string(rows) + " × " +
           std::to_string(features) + ", " + std::to_string(outputs) + " outputs" +
           (weights.empty() ? "" : ", weighted");
  }
};

constexpr double poison = -12345.678;

// A buffer of `size` elements with a guard band behind them.
template <class T>
Buffer<T> guarded(Engine& engine, Index size) {
  return to_engine(engine,
                   std::vector<T>(static_cast<std::size_t>(size + 64), static_cast<T>(poison)));
}
// The elements, when the band is as it was.
template <class T>
std::vector<T> opened(const Buffer<T>& buffer, Index size) {
  std::vector<T> all = buffer.to_host();
  for (auto i = static_cast<std::size_t>(size); i < all.size(); ++i) {
    EXPECT_EQ(all[i], static_cast<T>(poison)) << "a write behind the output, element " << i;
  }
  all.resize(static_cast<std::size_t>(size));
  return all;
}

// gradient, then cost.
template <class T>
std::vector<double> pass(Engine& engine, LinearSteps<T>& steps, const Scenario<T>& scenario,
                         const PackedRows<T>& rows, bool intercept, bool with_gradient) {
  const auto at = to_engine(engine, scenario.parameters);
  Buffer<double> gradient;
  // The CPU's steps fill the whole buffer, so that only the GPU's has a guard band.
  const bool gpu = engine.device() != Device::cpu;
  if (with_gradient) {
    gradient = gpu ? guarded<double>(engine, at.size()) : Buffer<double>(engine, at.size());
  }
  auto cost = to_engine(engine, std::vector<double>{1000});
  steps.pass(scenario.loss, rows, scenario.outputs, intercept, at, 0.37, gradient, cost);
  std::vector<double> all;
  if (with_gradient) all = opened(gradient, at.size());
  all.push_back(cost.to_host()[0]);
  return all;
}

std::unique_ptr<Engine> cpu_engine() {
  return Engine::create({.device = Device::cpu, .threads = 2});
}

template <class T>
class LinearCuda : public ::testing::Test {
 protected:
  static void expect_equal_passes(const std::vector<Scenario<T>>& scenarios,
                                  std::initializer_list<int> block_threads = {0, 64}) {
    const auto cpu = cpu_engine();
    const auto cpu_steps = make_steps<LinearSteps, T>(*cpu);
    for (const int threads : block_threads) {
      const auto gpu = test::cuda_engine({.block_threads = threads});
      const auto steps = make_steps<LinearSteps, T>(*gpu);
      for (const Scenario<T>& scenario : scenarios) {
        const auto cpu_rows = scenario.pack(*cpu, *cpu_steps);
        const auto rows = scenario.pack(*gpu, *steps);
        for (const bool gradient : {true, false}) {
          const bool intercept = scenario.rows % 3 != 0;
          EXPECT_TRUE(
              test::same_bits(pass(*cpu, *cpu_steps, scenario, cpu_rows, intercept, gradient),
                              pass(*gpu, *steps, scenario, rows, intercept, gradient)))
              << scenario.name() << ", " << threads << " threads";
        }
      }
    }
  }
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LinearCuda, Reals);

struct Kind {
  LinearLoss loss;
  Index outputs;
};
constexpr Kind kinds[] = {{LinearLoss::squared, 1},
                          {LinearLoss::logistic, 1},
                          {LinearLoss::softmax, 2},
                          {LinearLoss::softmax, 3},
                          {LinearLoss::softmax, 10}};

TYPED_TEST(LinearCuda, PassesHaveTheBitsOfTheCpuForAllNumbersOfRows) {
  std::vector<Scenario<TypeParam>> scenarios;
  for (const Kind& kind : kinds) {
    for (const Index n : {1, 31, 32, 33, 255, 256, 257, 1021, 1024, 1025, 2100}) {
      scenarios.emplace_back(kind.loss, n, 3, kind.outputs, n % 2 == 1);
    }
  }
  this->expect_equal_passes(scenarios);
}

TYPED_TEST(LinearCuda, PassesHaveTheBitsOfTheCpuForAllNumbersOfFeatures) {
  std::vector<Scenario<TypeParam>> scenarios;
  for (const Kind& kind : kinds) {
    for (const Index d : {1, 2, 7, 8, 15, 16, 31, 33, 63, 64, 100, 255, 256, 300}) {
      scenarios.emplace_back(kind.loss, 67, d, kind.outputs, d % 2 == 0);
    }
  }
  scenarios.emplace_back(LinearLoss::softmax, 40, 5, 37, true);
  this->expect_equal_passes(scenarios);
  scenarios.clear();
  for (const Kind& kind : kinds) scenarios.emplace_back(kind.loss, 1100, 9, kind.outputs, true);
  this->expect_equal_passes(scenarios, {32, 1024});
}

TYPED_TEST(LinearCuda, PassesHaveTheBitsOfTheCpuForExtremeValues) {
  std::vector<Scenario<TypeParam>> scenarios;
  for (const Kind& kind : kinds) {
    for (const Scale scale : {Scale::huge, Scale::tiny, Scale::mixed, Scale::broken}) {
      scenarios.emplace_back(kind.loss, 131, 5, kind.outputs, true, scale);
      scenarios.back().parameters[0] = 1e-310;
      scenarios.emplace_back(kind.loss, 70, 90, kind.outputs, false, scale);
    }
  }
  this->expect_equal_passes(scenarios);
}

// Poisoned buffers with more room than the rows need: nothing but the blocks of the rows is
// written, and in them not what is between two columns.
TYPED_TEST(LinearCuda, PacksAndGathersTheRowsOfTheCpu) {
  using T = TypeParam;
  const auto cpu = cpu_engine();
  const auto cpu_steps = make_steps<LinearSteps, T>(*cpu);
  for (const int threads : {0, 64}) {
    const auto gpu = test::cuda_engine({.block_threads = threads});
    const auto steps = make_steps<LinearSteps, T>(*gpu);
    for (const Index n : {Index{1}, Index{33}, Index{1024}, Index{1300}}) {
      for (const Index d : {Index{1}, Index{5}, Index{32}, Index{45}}) {
        const Scenario<T> scenario(LinearLoss::squared, n, d, 1, n % 2 == 0, Scale::broken);
        const RandomPermutation order(n, Random(5, Purpose::shuffle, 1));
        const auto packed = [&](Engine& engine, LinearSteps<T>& of, bool shuffled) {
          PackedRows<T> rows(engine, n + 3 * sum_block, d, !scenario.weights.empty());
          for (auto* buffer : {&rows.x, &rows.target, &rows.weights}) {
            buffer->upload(
                std::vector<T>(static_cast<std::size_t>(buffer->size()), static_cast<T>(poison)));
          }
          if (shuffled) {
            of.gather(scenario.upload(engine), order, n / 3, n - n / 3, rows);
          } else {
            of.pack(scenario.upload(engine), n, sum_block, rows);
          }
          auto all = rows.x.to_host();
          for (const auto* buffer : {&rows.target, &rows.weights}) {
            const auto more = buffer->to_host();
            all.insert(all.end(), more.begin(), more.end());
          }
          return all;
        };
        for (const bool shuffled : {false, true}) {
          EXPECT_TRUE(
              test::same_bits(packed(*cpu, *cpu_steps, shuffled), packed(*gpu, *steps, shuffled)))
              << scenario.name() << " " << shuffled;
        }
      }
    }
  }
}

TYPED_TEST(LinearCuda, StandardisesByTheMomentsOfTheCpu) {
  using T = TypeParam;
  const auto cpu = cpu_engine();
  const auto cpu_steps = make_steps<LinearSteps, T>(*cpu);
  for (const int threads : {0, 64}) {
    const auto gpu = test::cuda_engine({.block_threads = threads});
    const auto steps = make_steps<LinearSteps, T>(*gpu);
    for (const Index n : test::awkward_sizes()) {
      if (n == 0) continue;
      for (const Scale scale : {Scale::usual, Scale::mixed, Scale::broken}) {
        const Index d = 1 + n % 11;
        const Scenario<T> scenario(LinearLoss::squared, n, d, 1, n % 2 == 0, scale);
        const auto result = [&](Engine& engine, LinearSteps<T>& of) {
          auto rows = scenario.pack(engine, of);
          auto buffer = guarded<double>(engine, 2 * d + 3);
          of.moments(rows, buffer);
          auto moments = opened(buffer, 2 * d + 3);
          std::vector<double> factors;
          for (Index j = 0; j <= d; ++j) factors.push_back(0.3 * static_cast<double>(j) - 1);
          of.standardise(to_engine(engine, std::span<const double>(moments).first(
                                               static_cast<std::size_t>(d + 1))),
                         to_engine(engine, factors), rows);
          for (const auto* all : {&rows.x, &rows.target}) {
            const auto values = all->to_host();
            for (Index i = 0; i < static_cast<Index>(values.size()); ++i) {
              // The elements between two columns are not defined.
              const Index stride = all == &rows.x ? packed_stride : sum_block;
              if (i % stride < sum_block) {
                moments.push_back(static_cast<double>(values[static_cast<std::size_t>(i)]));
              }
            }
          }
          return moments;
        };
        EXPECT_TRUE(test::same_bits(result(*cpu, *cpu_steps), result(*gpu, *steps)))
            << scenario.name();
      }
    }
  }
}

TYPED_TEST(LinearCuda, PredictsAndPenalisesLikeTheCpu) {
  using T = TypeParam;
  const auto cpu = cpu_engine();
  const auto cpu_steps = make_steps<LinearSteps, T>(*cpu);
  for (const int threads : {0, 64}) {
    const auto gpu = test::cuda_engine({.block_threads = threads});
    const auto steps = make_steps<LinearSteps, T>(*gpu);
    for (const Kind& kind : kinds) {
      for (const Index n : {Index{1}, Index{33}, Index{1025}}) {
        for (const Scale scale : {Scale::usual, Scale::mixed, Scale::broken}) {
          const Scenario<T> scenario(kind.loss, n, 1 + n % 13, kind.outputs, false, scale);
          const Index columns = kind.loss == LinearLoss::logistic ? 2 : kind.outputs;
          const auto results = [&](Engine& engine, LinearSteps<T>& of) {
            auto buffer = guarded<T>(engine, n * columns);
            const auto rows = scenario.upload(engine);
            of.predict(kind.loss, rows, kind.outputs, to_engine(engine, scenario.parameters),
                       buffer.data());
            return opened(buffer, n * columns);
          };
          EXPECT_TRUE(test::same_bits(results(*cpu, *cpu_steps), results(*gpu, *steps)))
              << scenario.name();
        }
      }
    }
    for (const Index size : {Index{1}, Index{1024}, Index{5000}, Index{70000}}) {
      std::vector<double> parameters;
      std::vector<double> gradients;
      for (Index p = 0; p < size; ++p) {
        parameters.push_back(
            std::ldexp(draw(static_cast<std::uint64_t>(p)), p % 300 == 7 ? 900 : 0));
        gradients.push_back(draw(static_cast<std::uint64_t>(p + size)));
      }
      const auto penalised = [&](Engine& engine, LinearSteps<T>& of) {
        auto gradient = to_engine(engine, gradients);
        auto cost = to_engine(engine, std::vector<double>{2.5});
        of.add_penalty(0.3, size - size / 5, 17, to_engine(engine, parameters), gradient, cost);
        auto all = gradient.to_host();
        all.push_back(cost.to_host()[0]);
        return all;
      };
      EXPECT_TRUE(test::same_bits(penalised(*cpu, *cpu_steps), penalised(*gpu, *steps))) << size;
    }
  }
}

// Rows that stand on the host because the device may use little memory.
TYPED_TEST(LinearCuda, StreamedRowsGiveTheSameBits) {
  using T = TypeParam;
  const auto cpu = cpu_engine();
  const auto cpu_steps = make_steps<LinearSteps, T>(*cpu);
  for (const Kind& kind : kinds) {
    const Scenario<T> scenario(kind.loss, 9000, 9, kind.outputs, true);
    const auto gpu = test::cuda_engine({.device_memory = 100000 * sizeof(T)});
    const auto steps = make_steps<LinearSteps, T>(*gpu);
    // In parts, each through a small buffer.
    const auto packed = [&](Engine& engine, LinearSteps<T>& of) {
      PackedRows<T> rows(engine, 9000, 9, true, Placement::rows);
      RowMajorRows<T> part{sum_block, 9, Buffer<T>(engine, 9 * sum_block),
                           Buffer<T>(engine, sum_block), Buffer<T>(engine, sum_block)};
      for (Index begin = 0; begin < 9000; begin += sum_block) {
        const Index count = std::min(sum_block, 9000 - begin);
        const auto bytes = static_cast<std::size_t>(count) * sizeof(T);
        backend(engine).copy_from_host(part.x.data(), scenario.x.data() + 9 * begin, 9 * bytes);
        backend(engine).copy_from_host(part.target.data(), scenario.target.data() + begin, bytes);
        backend(engine).copy_from_host(part.weights.data(), scenario.weights.data() + begin, bytes);
        of.pack(part, count, begin, rows);
      }
      if (engine.device() != Device::cpu) {
        EXPECT_THROW((void)Buffer<T>(engine, rows.x.size()), OutOfDeviceMemory);
      }
      return rows;
    };
    const auto result = [&](Engine& engine, LinearSteps<T>& of) {
      auto rows = packed(engine, of);
      Buffer<double> moments(engine, 21);
      of.moments(rows, moments);
      auto all = moments.to_host();
      const auto centre = to_engine(engine, std::span<const double>(all).first(10));
      if (kind.loss == LinearLoss::squared) of.standardise(centre, centre, rows);
      for (const double value : pass(engine, of, scenario, rows, true, true)) all.push_back(value);
      for (const double value : pass(engine, of, scenario, rows, true, false)) all.push_back(value);
      return all;
    };
    EXPECT_TRUE(test::same_bits(result(*cpu, *cpu_steps), result(*gpu, *steps))) << scenario.name();
  }
}

template <class T>
Dataset<T> data_set(Index rows, Index cols, Index classes, bool weighted) {
  Dataset<T> data;
  data.source = "generated";
  data.features = Matrix<T>(rows, cols);
  data.columns = numbered_columns(cols);
  data.target_column.name = "y";
  std::uint64_t next = 0;
  for (Index i = 0; i < rows; ++i) {
    double score = 0;
    for (Index j = 0; j < cols; ++j) {
      const double x = draw(next++) + (j == 1 ? 20 : 0);
      data.features(i, j) = static_cast<T>(x);
      score += x * static_cast<double>(j % 5 - 2);
    }
    score += 2 * draw(next++);
    if (classes > 0) {
      score = std::fmod(std::fabs(std::floor(score)), static_cast<double>(classes));
    }
    data.target.push_back(static_cast<T>(score));
    if (weighted) data.weights.push_back(static_cast<T>(0.5 + static_cast<double>(i % 3)));
  }
  return data;
}

std::vector<double> joined(std::vector<double> a, const std::vector<double>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

template <class T>
std::vector<double> linear_fit(Engine& engine, const LinearRegressionOptions& options,
                               const Dataset<T>& data) {
  const auto model = fit(engine, data, options);
  const auto predictions = model.predict(engine, data.features.view());
  auto all = joined(model.weights, {model.intercept, static_cast<double>(model.rank)});
  for (const auto& [name, history] : model.log.history) all = joined(all, history);
  for (const T value : predictions.values) all.push_back(static_cast<double>(value));
  return all;
}
template <class T>
std::vector<double> logistic_fit(Engine& engine, const LogisticRegressionOptions& options,
                                 const Dataset<T>& data) {
  const auto model = fit(engine, data, options);
  const auto predictions = model.predict(engine, data.features.view());
  auto all = joined(model.weights.values(), model.intercepts);
  for (const auto& [name, history] : model.log.history) all = joined(all, history);
  for (const T value : predictions.probabilities.values()) {
    all.push_back(static_cast<double>(value));
  }
  return all;
}

TYPED_TEST(LinearCuda, WholeFitsOfLinearRegressionAreTheCpus) {
  using T = TypeParam;
  const auto cpu = cpu_engine();
  for (const int threads : {0, 64}) {
    const auto gpu = test::cuda_engine({.block_threads = threads});
    for (const bool weighted : {false, true}) {
      const auto data = data_set<T>(700, 6, 0, weighted);
      LinearRegressionOptions options;
      options.l2 = weighted ? 0.1 : 0;
      options.no_intercept = weighted;
      EXPECT_TRUE(
          test::same_bits(linear_fit(*cpu, options, data), linear_fit(*gpu, options, data)));
      options.solver = LinearSolver::gradient;
      options.l1 = 0.01;
      options.gradient.epochs = 4;
      options.gradient.optimizer.learning_rate = 0.05;
      for (const Index batch : {0, 128}) {
        options.gradient.batch_size = batch;
        options.gradient.validation_fraction = batch == 0 ? 0.2 : 0;
        for (const auto method : enum_names<OptimizerMethod>) {
          options.gradient.optimizer.method = parse_enum<OptimizerMethod>("optimizer", method);
          EXPECT_TRUE(
              test::same_bits(linear_fit(*cpu, options, data), linear_fit(*gpu, options, data)))
              << method << " " << batch << " " << weighted;
        }
      }
    }
  }
}

TYPED_TEST(LinearCuda, WholeFitsOfLogisticRegressionAreTheCpus) {
  using T = TypeParam;
  const auto cpu = cpu_engine();
  for (const int threads : {0, 64}) {
    const auto gpu = test::cuda_engine({.block_threads = threads});
    for (const Index classes : {2, 3, 10}) {
      const auto data = data_set<T>(600, 5, classes, classes == 3);
      LogisticRegressionOptions options;
      options.no_intercept = classes == 10;
      options.max_iterations = 12;
      EXPECT_TRUE(
          test::same_bits(logistic_fit(*cpu, options, data), logistic_fit(*gpu, options, data)))
          << classes;
      options.solver = LogisticSolver::gradient;
      options.gradient.epochs = 3;
      options.gradient.batch_size = 100;
      EXPECT_TRUE(
          test::same_bits(logistic_fit(*cpu, options, data), logistic_fit(*gpu, options, data)))
          << classes;
    }
  }
  // So many features that L-BFGS starts from a diagonal.
  const auto wide = data_set<T>(80, 270, 2, false);
  LogisticRegressionOptions options;
  options.max_iterations = 4;
  const auto gpu = test::cuda_engine();
  EXPECT_TRUE(
      test::same_bits(logistic_fit(*cpu, options, wide), logistic_fit(*gpu, options, wide)));
}

TYPED_TEST(LinearCuda, WholeFitsWithRowsOnTheHostAreTheCpus) {
  using T = TypeParam;
  const auto cpu = cpu_engine();
  const auto data = data_set<T>(16000, 20, 3, true);
  // The packed rows take 340,000 elements.
  const auto gpu = test::cuda_engine({.threads = 1, .device_memory = 300000 * sizeof(T)});
  LogisticRegressionOptions options;
  options.max_iterations = 2;
  EXPECT_TRUE(
      test::same_bits(logistic_fit(*cpu, options, data), logistic_fit(*gpu, options, data)));
  LinearRegressionOptions linear;
  EXPECT_TRUE(test::same_bits(linear_fit(*cpu, linear, data), linear_fit(*gpu, linear, data)));
  linear.solver = LinearSolver::gradient;
  linear.gradient.epochs = 1;
  for (const Index batch : {0, 4000}) {
    linear.gradient.batch_size = batch;
    EXPECT_TRUE(test::same_bits(linear_fit(*cpu, linear, data), linear_fit(*gpu, linear, data)));
  }
}

}  // namespace
}  // namespace tandem

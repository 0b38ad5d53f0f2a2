// The perceptron's steps and whole fits on the GPU give the CPU's bits: at awkward sizes, with
// guarded outputs, for two numbers of threads of a block, with rows on the device and on the host.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/engine_backend.hpp"
#include "core/nn/mlp_network.hpp"
#include "core/nn/mlp_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "support/agree.hpp"
#include "support/agreement.hpp"
#include "support/counters.hpp"
#include "support/cuda.hpp"
#include "tandem/core/error.hpp"
#include "tandem/nn/mlp.hpp"

namespace tandem {
namespace {

using test::same_bits;

template <Real T>
std::vector<T> uniform(Index count, std::uint32_t stream, double size = 2) {
  const Random random(17, Purpose::test, stream);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<T>(size * (2 * random.uniform(i) - 1));
  }
  return values;
}

// Guarded memory of an engine, which starts as `in` or poisoned. take() checks the guards, and that
// every element was written.
template <class T>
class OnEngine {
 public:
  OnEngine(Engine& engine, Index size, const std::vector<T>& in = {})
      : host_(static_cast<std::size_t>(size) + 2 * band, poison()), size_(size) {
    std::copy(in.begin(), in.end(), host_.begin() + band);
    buffer_ = to_engine(engine, host_);
  }
  [[nodiscard]] T* data() { return buffer_.data() + band; }
  [[nodiscard]] std::vector<T> take() {
    buffer_.download(host_);
    for (Index i = 0; i < band; ++i) {
      EXPECT_TRUE(poisoned(i) && poisoned(band + size_ + i)) << "a stray write, guard " << i;
    }
    for (Index i = 0; i < size_; ++i) EXPECT_FALSE(poisoned(band + i)) << "never written: " << i;
    return {host_.begin() + band, host_.end() - band};
  }

 private:
  static constexpr Index band = 64;
  static T poison() {
    if constexpr (sizeof(T) == 4)
      return std::bit_cast<T>(0x7fa5a5a5U);
    else
      return std::bit_cast<T>(std::uint64_t{0x7ff5a5a5a5a5a5a5U});
  }
  [[nodiscard]] bool poisoned(Index i) const {
    return test::bits_of(host_[static_cast<std::size_t>(i)]) == test::bits_of(poison());
  }
  std::vector<T> host_;
  Index size_;
  Buffer<T> buffer_;
};

// The results of a step, by name.
template <Real T>
struct Results {
  std::vector<std::pair<std::string, std::vector<T>>> values;
  std::vector<double> totals;

  void add(std::string name, OnEngine<T>& memory) {
    values.emplace_back(std::move(name), memory.take());
  }
};

template <Real T>
void expect_same(const Results<T>& value, const Results<T>& expected) {
  ASSERT_EQ(value.values.size(), expected.values.size());
  for (std::size_t i = 0; i < value.values.size(); ++i) {
    EXPECT_TRUE(same_bits(value.values[i].second, expected.values[i].second))
        << value.values[i].first;
  }
  EXPECT_TRUE(same_bits(value.totals, expected.totals)) << "totals";
}

template <class T>
class MlpCuda : public ::testing::Test {
 protected:
  // run(engine, steps) gives the same Results on the CPU and on the GPU with both block sizes.
  template <class Run>
  void compare(Run&& run) {
    const Results<T> expected = run(*cpu_, *cpu_steps_);
    for (std::size_t i = 0; i < engines_.size(); ++i) {
      SCOPED_TRACE(i == 0 ? "64 threads" : "256 threads");
      expect_same(run(*engines_[i], *steps_[i]), expected);
    }
  }

 private:
  std::unique_ptr<Engine> cpu_ = Engine::create({.device = Device::cpu, .threads = 2});
  std::unique_ptr<MlpSteps<T>> cpu_steps_ = make_steps<MlpSteps, T>(*cpu_);
  std::array<std::unique_ptr<Engine>, 2> engines_{test::cuda_engine({.block_threads = 64}),
                                                  test::cuda_engine({.block_threads = 256})};
  std::array<std::unique_ptr<MlpSteps<T>>, 2> steps_{make_steps<MlpSteps, T>(*engines_[0]),
                                                     make_steps<MlpSteps, T>(*engines_[1])};
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(MlpCuda, Reals);

std::string by(Index rows, Index width) {
  return std::to_string(rows) + " by " + std::to_string(width);
}

TYPED_TEST(MlpCuda, GathersRows) {
  using T = TypeParam;
  for (const Index cols : {1, 2, 3, 4, 17, 62, 64, 132, 261, 784}) {
    for (const Index rows : {1, 2, 33, 65}) {
      SCOPED_TRACE(by(rows, cols));
      const auto x = uniform<T>(2 * rows * cols, 1);
      std::vector<Index> order;
      for (Index r = 0; r < rows; ++r) order.push_back((r * 7) % (2 * rows));
      this->compare([&](Engine& engine, MlpSteps<T>& steps) {
        const auto from = to_engine(engine, x);
        const auto at = to_engine(engine, order);
        Results<T> results;
        OnEngine<T> out(engine, rows * cols);
        steps.gather_rows(from.data(), cols, at.data(), rows, out.data());
        results.add("rows", out);
        return results;
      });
    }
  }
}

TYPED_TEST(MlpCuda, GradientsThroughActivationAndBias) {
  using T = TypeParam;
  for (const Index rows : {1, 2, 31, 63, 64, 65, 129, 257}) {
    for (const Index width : {1, 2, 10, 31, 32, 33, 63, 64, 65, 257}) {
      SCOPED_TRACE(by(rows, width));
      const auto d = uniform<T>(rows * width, 2);
      const auto slope = uniform<T>(rows * width, 3);
      this->compare([&](Engine& engine, MlpSteps<T>& steps) {
        Results<T> results;
        const auto slopes = to_engine(engine, slope);
        for (const bool sloped : {false, true}) {
          for (const bool sums : {false, true}) {
            OnEngine<T> out(engine, rows * width, d);
            OnEngine<T> db(engine, width);
            steps.activation_gradient(rows, width, sloped ? slopes.data() : nullptr, out.data(),
                                      sums ? db.data() : nullptr);
            results.add("d", out);
            if (sums) results.add("db", db);
          }
        }
        return results;
      });
    }
  }
}

TYPED_TEST(MlpCuda, ActivationsAndDropout) {
  using T = TypeParam;
  for (const auto activation :
       {Activation::sigmoid, Activation::tanh, Activation::relu, Activation::gelu}) {
    for (const Index width : {1, 2, 3, 15, 16, 64, 257, 300}) {
      for (const Index rows : {1, 5, 8}) {
        SCOPED_TRACE(std::string(to_string(activation)) + " " + by(rows, width));
        auto z = uniform<T>(rows * width, 5, 6);
        // Zeros of both signs, tiny and huge sums.
        z[0] = T{0};
        if (z.size() > 3) {
          z[1] = -T{0};
          z[2] = std::numeric_limits<T>::denorm_min();
          z[3] = T{200};
        }
        const auto scale = uniform<T>(width, 6);
        auto shift = uniform<T>(width, 7);
        shift[0] = -T{0};
        this->compare([&](Engine& engine, MlpSteps<T>& steps) {
          Results<T> results;
          const auto scales = to_engine(engine, scale);
          const auto shifts = to_engine(engine, shift);
          for (const double rate : {0.0, 0.5, 0.9}) {
            for (const bool scaled : {false, true}) {
              MlpDropout dropout;
              dropout.rate = rate;
              dropout.seed = 0x123456789ABCDEFU;
              dropout.layer = 1;
              dropout.step = 3;
              dropout.capacity = static_cast<std::uint64_t>(width * rows + 3) / 4 * 4;
              OnEngine<T> a(engine, rows * width, z);
              OnEngine<T> slope(engine, rows * width);
              steps.activate(activation, rows, width, scaled ? scales.data() : nullptr,
                             shifts.data(), dropout, a.data(), a.data(), slope.data());
              results.add("a in place", a);
              results.add("slope", slope);
              OnEngine<T> prediction(engine, rows * width);
              OnEngine<T> sums(engine, rows * width, z);
              steps.activate(activation, rows, width, scaled ? scales.data() : nullptr,
                             shifts.data(), MlpDropout{}, sums.data(), prediction.data(), nullptr);
              results.add("prediction", prediction);
            }
          }
          return results;
        });
      }
    }
  }
}

// Matrices that start between two vectors of 16 bytes.
TYPED_TEST(MlpCuda, TakesUnalignedMatrices) {
  using T = TypeParam;
  const Index rows = 7;
  const Index width = 12;
  const auto values = uniform<T>(rows * width + 1, 8);
  const auto shift = uniform<T>(width + 1, 9);
  this->compare([&](Engine& engine, MlpSteps<T>& steps) {
    Results<T> results;
    const auto z = to_engine(engine, values);
    const auto shifts = to_engine(engine, shift);
    OnEngine<T> a(engine, rows * width);
    OnEngine<T> slope(engine, rows * width);
    steps.activate(Activation::tanh, rows, width, nullptr, shifts.data() + 1, MlpDropout{},
                   z.data() + 1, a.data(), slope.data());
    results.add("a", a);
    results.add("slope", slope);
    OnEngine<T> d(engine, rows * width, {values.begin() + 1, values.end()});
    steps.activation_gradient(rows, width, z.data() + 1, d.data(), nullptr);
    results.add("d", d);
    OnEngine<T> gathered(engine, rows * width);
    const auto order = to_engine(engine, std::vector<Index>{6, 5, 4, 3, 2, 1, 0});
    steps.gather_rows(z.data() + 1, width, order.data(), rows, gathered.data());
    results.add("rows", gathered);
    return results;
  });
}

TYPED_TEST(MlpCuda, NormalisesBatches) {
  using T = TypeParam;
  for (const Index rows : {2, 3, 31, 33, 128, 333, 1023, 1024, 1025, 2090}) {
    for (const Index width : {1, 7, 8, 9, 33}) {
      if (rows > 500 && width > 9) continue;
      SCOPED_TRACE(by(rows, width));
      const auto z = uniform<T>(rows * width, 21, 3);
      const auto du = uniform<T>(rows * width, 22);
      const auto scale = uniform<T>(width, 23);
      const auto shift = uniform<T>(width, 24);
      auto variance = uniform<T>(width, 25);
      for (T& one : variance) one = std::abs(one);
      this->compare([&](Engine& engine, MlpSteps<T>& steps) {
        Results<T> results;
        OnEngine<T> normalized(engine, rows * width, z);
        OnEngine<T> inverse(engine, width);
        OnEngine<T> running_mean(engine, width, shift);
        OnEngine<T> running_variance(engine, width, variance);
        steps.normalize(rows, width, 1e-5, 0.9, normalized.data(), inverse.data(),
                        running_mean.data(), running_variance.data());
        OnEngine<T> d(engine, rows * width, du);
        OnEngine<T> scale_gradient(engine, width);
        OnEngine<T> shift_gradient(engine, width);
        const auto scales = to_engine(engine, scale);
        const auto shifts = to_engine(engine, shift);
        steps.normalize_backward(rows, width, normalized.data(), scales.data(), inverse.data(),
                                 d.data(), scale_gradient.data(), shift_gradient.data());
        OnEngine<T> s(engine, width);
        OnEngine<T> t(engine, width);
        steps.running_affine(width, 1e-5, scales.data(), shifts.data(), running_mean.data(),
                             running_variance.data(), s.data(), t.data());
        results.add("normalised", normalized);
        results.add("inverse", inverse);
        results.add("running mean", running_mean);
        results.add("running variance", running_variance);
        results.add("dz", d);
        results.add("scale gradient", scale_gradient);
        results.add("shift gradient", shift_gradient);
        results.add("s", s);
        results.add("t", t);
        return results;
      });
    }
  }
}

struct Ending {
  MlpOutput output;
  MlpLoss loss;
};

// Outputs, losses with and without their gradient, totals over several batches.
template <Real T>
Results<T> ends(Engine& engine, MlpSteps<T>& steps, const Ending& ending, Index rows, Index width,
                bool weighted, const std::vector<T>& z) {
  const bool single = ending.output != MlpOutput::softmax;
  const auto bias = to_engine(engine, uniform<T>(width, 12));
  const auto values = to_engine(engine, uniform<T>(rows, 13));
  auto weight = uniform<T>(rows, 14);
  for (T& one : weight) one = std::abs(one);
  const auto weights = to_engine(engine, weight);
  std::vector<std::int32_t> label;
  std::vector<Index> at;
  for (Index i = 0; i < rows; ++i) {
    label.push_back(static_cast<std::int32_t>((i * 7) % (single ? 2 : width)));
    at.push_back(rows - 1 - i);
  }
  const auto labels = to_engine(engine, label);
  const auto order = to_engine(engine, at);
  const MlpTargets<T> targets{labels.data(), values.data(), weighted ? weights.data() : nullptr};
  Results<T> results;
  OnEngine<T> outputs(engine, rows * width, z);
  steps.output(ending.output, rows, width, bias.data(), outputs.data());
  results.add("outputs", outputs);
  OnEngine<double> totals(engine, MlpTotals::count, std::vector<double>(MlpTotals::count));
  for (int batch = 0; batch < 2; ++batch) {
    OnEngine<T> g(engine, rows * width, z);
    steps.loss(ending.output, ending.loss, true, rows, width, bias.data(), targets, order.data(),
               g.data(), totals.data());
    results.add("gradient", g);
  }
  OnEngine<T> scratch(engine, rows * width, z);
  steps.loss(ending.output, ending.loss, false, rows, width, bias.data(), targets, order.data(),
             scratch.data(), totals.data());
  (void)scratch.take();
  results.totals = totals.take();
  return results;
}

TYPED_TEST(MlpCuda, OutputsAndLosses) {
  using T = TypeParam;
  for (const Ending& ending : {Ending{MlpOutput::softmax, MlpLoss::cross_entropy},
                               Ending{MlpOutput::softmax, MlpLoss::squared_error},
                               Ending{MlpOutput::sigmoid, MlpLoss::cross_entropy},
                               Ending{MlpOutput::sigmoid, MlpLoss::squared_error},
                               Ending{MlpOutput::identity, MlpLoss::squared_error}}) {
    for (const Index rows : {1, 2, 31, 33, 64, 65, 129, 1030}) {
      for (const Index width : {1, 2, 10, 16, 31, 32, 33, 64, 65, 257}) {
        if ((ending.output != MlpOutput::softmax) != (width == 1)) continue;
        if (rows > 200 && width > 33) continue;
        SCOPED_TRACE(std::string(to_string(ending.output)) + " " +
                     std::string(to_string(ending.loss)) + " " + by(rows, width));
        const auto z = uniform<T>(rows * width, 11, 6);
        this->compare([&](Engine& engine, MlpSteps<T>& steps) {
          return ends(engine, steps, ending, rows, width, rows % 2 == 1, z);
        });
      }
    }
  }
}

// Ties, which go to the first class, equal outputs, and outputs so far apart that all but one
// exponential is zero.
TYPED_TEST(MlpCuda, LossesOfAwkwardOutputs) {
  using T = TypeParam;
  for (const Index width : {3, 10, 40}) {
    const Index rows = 67;
    std::vector<T> z(static_cast<std::size_t>(rows * width));
    for (std::size_t i = 0; i < z.size(); ++i) {
      const auto r = static_cast<Index>(i) / width;
      const Random random(5, Purpose::test);
      z[i] = r % 3 == 0   ? T{5}
             : r % 3 == 1 ? static_cast<T>(random.below(3, i))
                          : static_cast<T>(1000 * random.below(3, i));
    }
    for (const auto loss : {MlpLoss::cross_entropy, MlpLoss::squared_error}) {
      SCOPED_TRACE(by(rows, width));
      this->compare([&](Engine& engine, MlpSteps<T>& steps) {
        return ends(engine, steps, Ending{MlpOutput::softmax, loss}, rows, width, false, z);
      });
    }
  }
}

// Outputs that are infinite or not numbers spoil the loss, but not the count of right rows. (Which
// NaN it is differs between processors.)
TYPED_TEST(MlpCuda, CountsRightRowsBesideOutputsThatAreNoNumbers) {
  using T = TypeParam;
  const T infinity = std::numeric_limits<T>::infinity();
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (const Index width : {3, 40}) {
    const Index rows = 64;
    std::vector<T> z(static_cast<std::size_t>(rows * width));
    const Random random(6, Purpose::test);
    for (std::size_t i = 0; i < z.size(); ++i) {
      const Index choice = random.below(4, i);
      z[i] = choice == 0 ? nan : choice == 1 ? infinity : choice == 2 ? -infinity : T{1};
    }
    std::vector<std::int32_t> label;
    std::vector<Index> at;
    for (Index r = 0; r < rows; ++r) {
      label.push_back(
          static_cast<std::int32_t>(random.below(3, 1000000U + static_cast<unsigned>(r))));
      at.push_back(r);
    }
    this->compare([&](Engine& engine, MlpSteps<T>& steps) {
      Buffer<T> g = to_engine(engine, z);
      const auto bias = to_engine(engine, std::vector<T>(static_cast<std::size_t>(width), T{0}));
      const auto labels = to_engine(engine, label);
      const auto order = to_engine(engine, at);
      MlpTargets<T> targets;
      targets.labels = labels.data();
      Buffer<double> totals = to_engine(engine, std::vector<double>(MlpTotals::count));
      steps.loss(MlpOutput::softmax, MlpLoss::cross_entropy, true, rows, width, bias.data(),
                 targets, order.data(), g.data(), totals.data());
      Results<T> results;
      const auto host = totals.to_host();
      EXPECT_TRUE(std::isnan(host[MlpTotals::loss]));
      results.totals = {host[MlpTotals::correct]};
      EXPECT_GT(results.totals[0], 0);
      return results;
    });
  }
}

// Rows that do not fit into shared memory.
TYPED_TEST(MlpCuda, LossesOfVeryManyClasses) {
  using T = TypeParam;
  const Index rows = 3;
  const Index width = 12301;
  const auto z = uniform<T>(rows * width, 11, 6);
  for (const auto loss : {MlpLoss::cross_entropy, MlpLoss::squared_error}) {
    this->compare([&](Engine& engine, MlpSteps<T>& steps) {
      return ends(engine, steps, Ending{MlpOutput::softmax, loss}, rows, width, true, z);
    });
  }
}

// --- what the kernels do -------------------------------------------------------------------------

// Bytes and operations are those of the cost function within 5 %; `sectors` and `wavefronts` as
// many as those of perfect accesses, or as many times more as is given, for the reason at the
// kernel.
template <class Step>
void expect_cost(Engine& engine, const Cost& cost, Step&& step, double sectors = 1,
                 double wavefronts = 1) {
  const auto counted = test::counted(engine, step);
  ASSERT_TRUE(counted.has_value());
  EXPECT_EQ(counted->launches, 1);
  EXPECT_NEAR(counted->bytes, cost.bytes, 0.05 * cost.bytes);
  EXPECT_NEAR(counted->flops, cost.flops, 0.05 * cost.flops);
  EXPECT_LE(counted->sectors_per_ideal, sectors);
  EXPECT_LE(counted->wavefronts_per_ideal, wavefronts);
}

TYPED_TEST(MlpCuda, KernelsCostWhatTheirFunctionsSay) {
  using T = TypeParam;
  const auto engine = test::cuda_engine();
  if (engine->device() != Device::softgpu) GTEST_SKIP() << "only the software GPU counts";
  const auto steps = make_steps<MlpSteps, T>(*engine);
  const Index rows = 512;
  const Index width = 64;
  const auto matrix = [&](std::uint32_t stream) {
    return to_engine(*engine, uniform<T>(rows * width, stream, 4));
  };
  Buffer<T> z = matrix(1);
  Buffer<T> a = matrix(2);
  Buffer<T> slope = matrix(3);
  Buffer<T> scale = to_engine(*engine, uniform<T>(width, 4));
  Buffer<T> shift = to_engine(*engine, uniform<T>(width, 5));
  Buffer<T> column = to_engine(*engine, uniform<T>(width, 6));
  Buffer<T> other = to_engine(*engine, std::vector<T>(static_cast<std::size_t>(width), T{1}));
  // Rows in order: what losses gather by it (labels, weights) is as coalesced as the order is.
  std::vector<Index> at;
  std::vector<std::int32_t> label;
  for (Index r = 0; r < rows; ++r) {
    at.push_back(r);
    label.push_back(static_cast<std::int32_t>(r % 2));
  }
  const auto order = to_engine(*engine, at);
  const auto labels = to_engine(*engine, label);
  const auto weights = to_engine(*engine, std::vector<T>(static_cast<std::size_t>(rows), T{1}));
  Buffer<double> totals = to_engine(*engine, std::vector<double>(MlpTotals::count));
  {
    SCOPED_TRACE("gather");
    expect_cost(*engine, mlp_gather_cost<T>(width, rows),
                [&] { steps->gather_rows(z.data(), width, order.data(), rows, a.data()); });
  }
  for (const bool sloped : {false, true}) {
    SCOPED_TRACE("activation_gradient");
    expect_cost(*engine, mlp_activation_gradient_cost<T>(rows, width, sloped, true), [&] {
      steps->activation_gradient(rows, width, sloped ? slope.data() : nullptr, a.data(),
                                 column.data());
    });
  }
  expect_cost(*engine, mlp_activation_gradient_cost<T>(rows, width, true, false),
              [&] { steps->activation_gradient(rows, width, slope.data(), a.data(), nullptr); });

  for (const auto activation :
       {Activation::sigmoid, Activation::tanh, Activation::relu, Activation::gelu}) {
    SCOPED_TRACE(to_string(activation));
    for (const bool dropped : {false, true}) {
      MlpDropout dropout;
      dropout.rate = dropped ? 0.5 : 0;
      dropout.capacity = static_cast<std::uint64_t>(rows * width);
      expect_cost(*engine, mlp_activate_cost<T>(activation, rows, width, true, dropped, true), [&] {
        steps->activate(activation, rows, width, scale.data(), shift.data(), dropout, z.data(),
                        a.data(), slope.data());
      });
    }
    expect_cost(*engine, mlp_activate_cost<T>(activation, rows, width, false, false, false), [&] {
      steps->activate(activation, rows, width, nullptr, shift.data(), MlpDropout{}, z.data(),
                      a.data(), nullptr);
    });
  }
  {
    SCOPED_TRACE("batch normalisation");
    expect_cost(*engine, mlp_normalize_cost<T>(rows, width), [&] {
      steps->normalize(rows, width, 1e-5, 0.9, z.data(), column.data(), shift.data(), other.data());
    });
    expect_cost(*engine, mlp_normalize_backward_cost<T>(rows, width), [&] {
      steps->normalize_backward(rows, width, z.data(), scale.data(), column.data(), a.data(),
                                shift.data(), other.data());
    });
    expect_cost(*engine, mlp_running_affine_cost<T>(width), [&] {
      steps->running_affine(width, 1e-5, scale.data(), shift.data(), column.data(), other.data(),
                            a.data(), z.data());
    });
  }

  const MlpTargets<T> targets{labels.data(), weights.data(), weights.data()};
  for (const Index classes : {10, 11, 64}) {
    SCOPED_TRACE(std::to_string(classes) + " classes");
    // See the kernel: an even width's padding, and the look-up of the row's own class.
    const double wavefronts = classes == 10 ? 1.26 : classes == 11 ? 1.02 : 1;
    expect_cost(
        *engine, mlp_output_cost<T>(MlpOutput::softmax, rows, classes),
        [&] { steps->output(MlpOutput::softmax, rows, classes, scale.data(), z.data()); }, 1,
        wavefronts);
    for (const auto loss : {MlpLoss::cross_entropy, MlpLoss::squared_error}) {
      expect_cost(
          *engine, mlp_loss_cost<T>(MlpOutput::softmax, loss, true, rows, classes, true),
          [&] {
            steps->loss(MlpOutput::softmax, loss, true, rows, classes, scale.data(), targets,
                        order.data(), z.data(), totals.data());
          },
          1, wavefronts);
    }
  }
  for (const auto loss : {MlpLoss::cross_entropy, MlpLoss::squared_error}) {
    SCOPED_TRACE("one output");
    expect_cost(*engine, mlp_loss_cost<T>(MlpOutput::sigmoid, loss, true, rows, 1, true), [&] {
      steps->loss(MlpOutput::sigmoid, loss, true, rows, 1, scale.data(), targets, order.data(),
                  z.data(), totals.data());
    });
  }
}

// --- rows on the host ----------------------------------------------------------------------------

// An engine with so little memory that `rows` of that many bytes stand on the host.
std::unique_ptr<Engine> small_engine(std::size_t bytes) {
  auto engine = test::cuda_engine({.device_memory = bytes + bytes / 4});
  EXPECT_NO_THROW(backend(*engine).deallocate(backend(*engine).allocate(bytes), bytes));
  return engine;
}

// Gathers that were prepared, in order or not, twice, never, or for nothing.
TYPED_TEST(MlpCuda, GathersRowsThatStandOnTheHost) {
  using T = TypeParam;
  const Index rows = 1000;
  const Index batch = 90;
  for (const Index cols : {64, 33}) {
    const auto x = uniform<T>(rows * cols, 1);
    const auto engine = small_engine(x.size() * sizeof(T));
    const auto steps = make_steps<MlpSteps, T>(*engine);
    Buffer<T> on_host(*engine, rows * cols, Placement::rows);
    on_host.upload(x);
    std::vector<Index> order;
    const Random random(5, Purpose::test);
    for (Index i = 0; i < rows; ++i)
      order.push_back(random.below(rows, static_cast<std::uint64_t>(i)));
    const auto at = to_engine(*engine, order);
    const auto prepare = [&](Index b) {
      steps->prepare_rows(on_host.data(), cols, at.data() + b * batch, batch);
    };
    const auto expect = [&](Index b) {
      OnEngine<T> out(*engine, batch * cols);
      {
        const Repeated part(*engine, steps.get(), 0);
        steps->gather_rows(on_host.data(), cols, at.data() + b * batch, batch, out.data());
      }
      std::vector<T> expected;
      for (Index r = 0; r < batch; ++r) {
        const auto row = x.begin() + order[static_cast<std::size_t>(b * batch + r)] * cols;
        expected.insert(expected.end(), row, row + cols);
      }
      EXPECT_TRUE(same_bits(out.take(), expected)) << "batch " << b;
    };
    prepare(0);
    for (Index b = 0; b < 6; ++b) {
      prepare(b + 1);
      expect(b);
    }
    expect(9);  // not prepared
    expect(6);
    prepare(1);
    prepare(2);
    prepare(3);
    expect(3);
    expect(1);
    expect(2);
    prepare(4);
    backend(*engine).forget_repeated(steps.get());
  }
}

// --- agreement -----------------------------------------------------------------------------------

TEST(MlpCudaAgreement, OfBatchesAndFits) { test::expect_agreement("mlp", test::cuda_device()); }

// --- whole fits ----------------------------------------------------------------------------------

template <Real T>
Dataset<T> random_data(Index rows, Index cols, Index classes, bool weights = false) {
  Dataset<T> data;
  data.source = "random";
  data.columns = numbered_columns(cols);
  data.features = Matrix<T>(rows, cols);
  data.target_column.name = "y";
  const Random random(3, Purpose::test);
  std::uint64_t index = 0;
  for (T& value : data.features.values()) {
    value = static_cast<T>(2 * random.uniform(index++) - 1);
  }
  for (Index i = 0; i < rows; ++i) {
    data.target.push_back(classes > 0
                              ? static_cast<T>(i < classes ? i : random.below(classes, index))
                              : data.features(i, 0) * data.features(i, cols - 1));
    ++index;
    if (weights) data.weights.push_back(static_cast<T>(random.uniform(index++) + 0.5));
  }
  return data;
}

template <Real T>
std::vector<T> all_parameters(const MlpModel<T>& model) {
  std::vector<T> all;
  for (const auto& layer : model.layers) {
    const auto add = [&](const std::vector<T>& part) {
      all.insert(all.end(), part.begin(), part.end());
    };
    add(layer.weights.values());
    add(layer.bias);
    add(layer.scale);
    add(layer.running_mean);
    add(layer.running_variance);
  }
  return all;
}

template <Real T>
void expect_same_model(const MlpModel<T>& value, const MlpModel<T>& expected) {
  EXPECT_TRUE(same_bits(all_parameters(value), all_parameters(expected)));
  ASSERT_EQ(value.log.history.size(), expected.log.history.size());
  for (const auto& [name, series] : expected.log.history) {
    EXPECT_TRUE(same_bits(value.log.history.at(name), series)) << name;
  }
}

template <Real T>
MlpModel<T> fitted(Engine& engine, const MlpOptions& options, const Dataset<T>& data) {
  return fit(engine, data, options);
}

struct Fit {
  std::string name;
  MlpOptions options;
  Index classes = 3;  // 0: a regression
  bool weights = false;
};

std::vector<Fit> fits() {
  std::vector<Fit> all;
  const auto add = [&](std::string name, Index classes, bool weights, auto&& change) {
    Fit fit{.name = std::move(name), .options = {}, .classes = classes, .weights = weights};
    fit.options.hidden = {9, 6};
    fit.options.batch_size = 16;
    fit.options.epochs = 3;
    fit.options.patience = 0;
    change(fit.options);
    all.push_back(std::move(fit));
  };
  for (const auto name : enum_names<Activation>) {
    const auto activation = parse_enum<Activation>("activation", name);
    add(std::string(name), 3, false, [&](MlpOptions& o) { o.activation = activation; });
    add(std::string(name) + ", dropout, batch norm, weights", 3, true, [&](MlpOptions& o) {
      o.activation = activation;
      o.dropout = 0.25;
      o.batch_norm = true;
    });
  }
  for (const MlpLoss loss : {MlpLoss::cross_entropy, MlpLoss::squared_error}) {
    for (const MlpOutput output : {MlpOutput::softmax, MlpOutput::sigmoid}) {
      const std::string name = std::string(to_string(output)) + ", " + std::string(to_string(loss));
      add(name, 2, true, [&](MlpOptions& o) {
        o.output = output;
        o.loss = loss;
      });
    }
  }
  add("regression", 0, false, [](MlpOptions&) {});
  add("regression, weights, validation", 0, true,
      [](MlpOptions& o) { o.validation_fraction = 0.3; });
  add("linear", 3, false, [](MlpOptions& o) { o.hidden.clear(); });
  add("40 classes, validation", 40, false, [](MlpOptions& o) { o.validation_fraction = 0.4; });
  for (const auto name : enum_names<OptimizerMethod>) {
    const auto method = parse_enum<OptimizerMethod>("optimizer", name);
    add(std::string(name), 3, false, [&](MlpOptions& o) { o.optimizer.method = method; });
  }
  add("one batch, dropout", 3, false, [](MlpOptions& o) {
    o.batch_size = 1000;
    o.dropout = 0.5;
  });
  return all;
}

template <Real T>
void expect_the_cpus_models() {
  const auto cpu = Engine::create({.device = Device::cpu, .threads = 2});
  const auto gpu = test::cuda_engine();
  const auto other = test::cuda_engine({.block_threads = 64});
  for (const Fit& fit : fits()) {
    SCOPED_TRACE(fit.name);
    const auto data = random_data<T>(fit.classes == 40 ? 121 : 53, 5, fit.classes, fit.weights);
    const auto expected = fitted(*cpu, fit.options, data);
    expect_same_model(fitted(*gpu, fit.options, data), expected);
    expect_same_model(fitted(*other, fit.options, data), expected);
    const auto value = expected.predict(*gpu, data.features.view());
    const auto predicted = expected.predict(*cpu, data.features.view());
    EXPECT_EQ(value.labels, predicted.labels);
    EXPECT_TRUE(same_bits(value.values, predicted.values));
    EXPECT_TRUE(same_bits(value.probabilities.values(), predicted.probabilities.values()));
  }
}

TEST(MlpCudaFits, AreTheCpusBitForBitInFloat) { expect_the_cpus_models<float>(); }
TEST(MlpCudaFits, AreTheCpusBitForBitInDouble) { expect_the_cpus_models<double>(); }

// The smallest and the largest blocks.
TEST(MlpCudaFits, AreTheSameForAllBlockSizes) {
  const auto cpu = Engine::create({.device = Device::cpu, .threads = 2});
  for (const auto activation : enum_names<Activation>) {
    MlpOptions options;
    options.hidden = {33};
    options.batch_size = 40;
    options.epochs = 1;
    options.activation = parse_enum<Activation>("activation", activation);
    options.dropout = 0.2;
    options.batch_norm = true;
    for (const Index classes : {3, 35}) {
      const auto data = random_data<double>(100, 5, classes, true);
      const auto expected = fitted(*cpu, options, data);
      for (const int threads : {32, 128, 1024}) {
        SCOPED_TRACE(std::string(activation) + ", " + std::to_string(threads));
        expect_same_model(fitted(*test::cuda_engine({.block_threads = threads}), options, data),
                          expected);
      }
    }
  }
}

// Products by the library, outside of graphs: a fit whose losses differ from the exact ones by
// roundings. With features, weights and sums of magnitude about 1 and at most 10 terms in a sum, a
// step's relative error is some 100 roundings; three small steps do not amplify it tenfold.
TEST(MlpCudaFits, RunInFastNumerics) {
  MlpOptions options;
  options.hidden = {9, 6};
  options.batch_size = 20;
  options.epochs = 1;
  options.activation = Activation::tanh;
  const auto data = random_data<float>(60, 10, 3);
  const auto exact = Engine::create({.device = Device::cpu, .threads = 1});
  const auto fast = test::cuda_engine({.numerics = Numerics::fast});
  const double expected = fitted(*exact, options, data).log.history.at("loss").front();
  const double value = fitted(*fast, options, data).log.history.at("loss").front();
  EXPECT_NEAR(value, expected, 1000 * unit_roundoff<float> * expected);
}

// The rows stand on the host and are fetched a batch ahead.
TEST(MlpCudaFits, AreTheSameWithRowsOnTheHost) {
  const auto cpu = Engine::create({.device = Device::cpu, .threads = 2});
  for (const bool validation : {false, true}) {
    const auto data = random_data<float>(12001, 24, 3);
    MlpOptions options;
    options.hidden = {8};
    options.batch_size = 700;
    options.epochs = 2;
    options.patience = 0;
    options.validation_fraction = validation ? 0.4 : 0;
    const std::size_t bytes = data.features.values().size() * sizeof(float);
    const auto engine = small_engine(bytes);
    expect_same_model(fitted(*engine, options, data), fitted(*cpu, options, data));
  }
}

// Counts the parts of loops that are enqueued as one.
class CountingEngine final : public EngineBackend {
 public:
  CountingEngine() : EngineBackend({.device = Device::cpu, .threads = 1}) {}
  [[nodiscard]] std::string description() const override { return cpu_->description(); }
  [[nodiscard]] void* allocate(std::size_t bytes) override {
    return backend(*cpu_).allocate(bytes);
  }
  void deallocate(void* memory, std::size_t bytes) noexcept override {
    backend(*cpu_).deallocate(memory, bytes);
  }
  void copy_from_host(void* to, const void* from_host, std::size_t bytes) override {
    EXPECT_FALSE(open_);
    backend(*cpu_).copy_from_host(to, from_host, bytes);
  }
  void copy_to_host(void* to_host, const void* from, std::size_t bytes) override {
    EXPECT_FALSE(open_);
    backend(*cpu_).copy_to_host(to_host, from, bytes);
  }
  void copy_within(void* to, const void* from, std::size_t bytes) override {
    backend(*cpu_).copy_within(to, from, bytes);
  }
  void fill_zero(void* to, std::size_t bytes) override { backend(*cpu_).fill_zero(to, bytes); }
  void wait() override { EXPECT_FALSE(open_); }
  void begin_repeated(const void* /*owner*/, std::uint64_t key) override {
    EXPECT_FALSE(open_);
    open_ = true;
    ++parts[key];
  }
  void end_repeated() override { open_ = false; }
  void forget_repeated(const void* /*owner*/) noexcept override { forgotten = true; }
  std::map<std::uint64_t, int> parts;
  bool forgotten = false;

 private:
  std::unique_ptr<Engine> cpu_ = Engine::create({.device = Device::cpu, .threads = 1});
  bool open_ = false;
};

// Each batch, with its step of the optimiser, is one part, and nothing in it copies from or to the
// host or waits.
TEST(MlpCudaFits, EnqueueEachBatchAsOnePart) {
  CountingEngine engine;
  MlpOptions options;
  options.hidden = {4};
  options.batch_size = 50;
  options.epochs = 2;
  options.patience = 0;
  options.validation_fraction = 0.5;
  (void)fitted(engine, options, random_data<float>(2400, 3, 2));
  std::vector<int> counts;
  for (const auto& [key, count] : engine.parts) counts.push_back(count);
  std::sort(counts.begin(), counts.end());
  // 1200 rows of training: 24 full batches; of validation: 1024 and 176; in each of 2 epochs.
  EXPECT_EQ(counts, (std::vector<int>{2, 2, 48}));
  EXPECT_TRUE(engine.forgotten);
}

// A batch as one graph leaves the bits that its kernels leave when they are launched singly.
TEST(MlpCudaFits, AreTheSameWithAndWithoutGraphs) {
  const Index rows = 70;
  const auto data = random_data<float>(rows, 6, 3);
  const auto engine = test::cuda_engine();
  const auto train = [&](bool graphs) {
    MlpDesign design;
    design.widths = {6, 10, 3};
    design.batch_norm = true;
    design.dropout = 0.3;
    design.batch_size = 16;
    MlpNetwork<float> network(*engine, design, 16, true);
    MlpLayer<float> first{.weights = Matrix<float>(6, 10, uniform<float>(60, 1)),
                          .bias = uniform<float>(10, 2),
                          .scale = uniform<float>(10, 3),
                          .running_mean = std::vector<float>(10, 0.0F),
                          .running_variance = std::vector<float>(10, 1.0F)};
    MlpLayer<float> last;
    last.weights = Matrix<float>(10, 3, uniform<float>(30, 4));
    last.bias = uniform<float>(3, 5);
    network.set_layers(std::vector<MlpLayer<float>>{first, last});
    Optimizer<float> optimizer(*engine, OptimizerOptions{}, network.layout().parameters, 3);
    MlpRows<float> on_engine;
    on_engine.rows = rows;
    on_engine.cols = 6;
    on_engine.uploaded = to_engine(*engine, data.features.values());
    on_engine.x = on_engine.uploaded.data();
    on_engine.labels = to_engine(*engine, encode_classes(data).labels);
    std::vector<Index> order;
    for (Index i = 0; i < rows; ++i) order.push_back((i * 11) % rows);
    const auto at = to_engine(*engine, order);
    std::uint64_t step = 0;
    for (Index epoch = 0; epoch < 3; ++epoch) {
      optimizer.begin_epoch(epoch);
      for (Index begin = 0; begin < rows; begin += 16) {
        const Index size = std::min<Index>(16, rows - begin);
        const auto batch = [&] {
          network.train_batch(on_engine, at.data() + begin, size, step++);
          optimizer.step(network.parameters(), network.gradient());
        };
        if (graphs) {
          const Repeated part(*engine, &network, static_cast<std::uint64_t>(size));
          batch();
        } else {
          batch();
        }
      }
    }
    backend(*engine).forget_repeated(&network);
    auto all = network.parameters().to_host();
    const auto running = network.running().to_host();
    all.insert(all.end(), running.begin(), running.end());
    return all;
  };
  EXPECT_TRUE(same_bits(train(true), train(false)));
}

}  // namespace
}  // namespace tandem

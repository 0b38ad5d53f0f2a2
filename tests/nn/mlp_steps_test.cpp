// The perceptron's steps: the CPU's against the reference within derived bounds, with guarded
// outputs at awkward sizes, and the same bits for every instruction set and number of threads.
#include "core/nn/mlp_steps.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/steps.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using test::bits_of;
using test::Guarded;
using test::same_bits;
using test::within;

std::unique_ptr<Engine> engine_of(Device device, int threads = 1) {
  EngineOptions options;
  options.device = device;
  options.threads = threads;
  return Engine::create(options);
}

// Restores dispatch to the best instruction set at the end of a test.
class SimdGuard {
 public:
  ~SimdGuard() {
    for (const char* name : {"avx512", "avx2", "baseline"}) {
      if (limit(name)) return;
    }
  }
  static bool limit(const char* name) {
    try {
      cpu::limit_simd(name);
      return true;
    } catch (const InputError&) {
      return false;
    }
  }
};

template <Real T>
std::vector<T> uniform(Index count, std::uint32_t stream, double size = 2) {
  const Random random(17, Purpose::test, stream);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<T>(size * (2 * random.uniform(i) - 1));
  }
  return values;
}

// Runs `step` on guarded memory that starts as `in`, or poisoned where `in` is empty.
template <Real T, class Step>
std::vector<T> guarded(Index size, const std::vector<T>& in, Step&& step) {
  Guarded<T> memory(static_cast<std::size_t>(size));
  std::copy(in.begin(), in.end(), memory.inner().begin());
  step(memory.inner().data());
  EXPECT_TRUE(memory.intact());
  return {memory.inner().begin(), memory.inner().end()};
}

template <class T>
class MlpStepsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Engine> reference_engine = engine_of(Device::reference);
  std::unique_ptr<Engine> cpu_engine = engine_of(Device::cpu, 2);
  std::unique_ptr<MlpSteps<T>> reference = make_steps<MlpSteps, T>(*reference_engine);
  std::unique_ptr<MlpSteps<T>> cpu = make_steps<MlpSteps, T>(*cpu_engine);
  static constexpr double u = unit_roundoff<T>;
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(MlpStepsTest, Reals);

TYPED_TEST(MlpStepsTest, GatheredRowsAreExact) {
  using T = TypeParam;
  for (const Index cols : {1, 3, 17, 784}) {
    for (const Index rows : test::awkward_sizes()) {
      if (rows == 0 || rows > 300) continue;
      const auto x = uniform<T>(rows * cols, 1);
      std::vector<Index> order;
      for (Index r = 0; r < rows; ++r) order.push_back((r * 7) % rows);
      const auto on = [&](MlpSteps<T>& steps) {
        return guarded<T>(rows * cols, {}, [&](T* out) {
          steps.gather_rows(x.data(), cols, order.data(), rows, out);
        });
      };
      const auto out = on(*this->cpu);
      EXPECT_TRUE(same_bits(out, on(*this->reference)));
      EXPECT_EQ(out[static_cast<std::size_t>((rows - 1) * cols)],
                x[static_cast<std::size_t>(order.back() * cols)]);
    }
  }
}

TYPED_TEST(MlpStepsTest, GradientsThroughActivationAndBias) {
  using T = TypeParam;
  for (const Index rows : {1, 2, 31, 33, 128, 257}) {
    for (const Index width : {1, 2, 15, 16, 17, 64, 65, 257}) {
      for (const bool sloped : {false, true}) {
        SCOPED_TRACE(std::to_string(rows) + " by " + std::to_string(width));
        const auto d = uniform<T>(rows * width, 2);
        const auto slope = uniform<T>(rows * width, 3);
        const auto on = [&](MlpSteps<T>& steps, std::vector<T>& db) {
          return guarded<T>(rows * width, d, [&](T* out) {
            db = guarded<T>(width, {}, [&](T* sums) {
              steps.activation_gradient(rows, width, sloped ? slope.data() : nullptr, out, sums);
            });
          });
        };
        std::vector<T> db;
        std::vector<T> expected_db;
        const auto value = on(*this->cpu, db);
        // A product rounded once: the same as one that was exact in double and then rounded.
        const auto expected = on(*this->reference, expected_db);
        EXPECT_TRUE(same_bits(value, expected));
        std::vector<double> magnitudes(static_cast<std::size_t>(width), 0.0);
        for (std::size_t i = 0; i < value.size(); ++i) {
          magnitudes[i % static_cast<std::size_t>(width)] +=
              std::abs(static_cast<double>(value[i]));
        }
        EXPECT_TRUE(test::reduction(db, expected_db, magnitudes, rows + 2, 2));
      }
    }
  }
}

TYPED_TEST(MlpStepsTest, ActivationsAndDropout) {
  using T = TypeParam;
  for (const auto activation :
       {Activation::sigmoid, Activation::tanh, Activation::relu, Activation::gelu}) {
    for (const Index width : {1, 2, 15, 17, 64, 257, 300}) {
      for (const bool scaled : {false, true}) {
        for (const double rate : {0.0, 0.5}) {
          SCOPED_TRACE(std::string(to_string(activation)) + " " + std::to_string(width));
          const Index rows = 5;
          const auto z = uniform<T>(rows * width, 5, 4);
          const auto scale = uniform<T>(width, 6);
          const auto shift = uniform<T>(width, 7);
          MlpDropout dropout;
          dropout.rate = rate;
          dropout.seed = 9;
          dropout.layer = 1;
          dropout.step = 3;
          dropout.capacity = static_cast<std::uint64_t>(width * rows + 3) / 4 * 4;
          const auto on = [&](MlpSteps<T>& steps, std::vector<T>& slope) {
            return guarded<T>(rows * width, {}, [&](T* a) {
              slope = guarded<T>(rows * width, {}, [&](T* s) {
                steps.activate(activation, rows, width, scaled ? scale.data() : nullptr,
                               shift.data(), dropout, z.data(), a, s);
              });
            });
          };
          std::vector<T> slope;
          std::vector<T> expected_slope;
          const auto value = on(*this->cpu, slope);
          const auto expected = on(*this->reference, expected_slope);
          // The argument of the activation, |u| <= |scale·z| + |shift| <= 10, has two roundings;
          // |f'| and |f''| are at most 1.2. The formulas themselves have at most 8 roundings of
          // terms that are at most 1 + |value|; dropout at 1/2 doubles exactly.
          const auto bound = [&](const std::vector<T>& of) {
            return [&](std::size_t i) {
              return (1 / (1 - rate)) * this->u *
                     (2 * 1.2 * 10 + 8 * (1 + std::abs(static_cast<double>(of[i]))));
            };
          };
          EXPECT_TRUE(within(value, expected, bound(expected)));
          EXPECT_TRUE(within(slope, expected_slope, bound(expected_slope)));
          if (rate > 0) {
            for (std::size_t i = 0; i < value.size(); ++i) {
              if (!dropout.keeps(i)) {
                EXPECT_EQ(value[i], T{0});
                EXPECT_EQ(slope[i], T{0});
              }
            }
          }
        }
      }
    }
  }
}

TEST(MlpDropoutTest, DropsItsShareAndDiffersByStepAndLayer) {
  MlpDropout dropout;
  dropout.rate = 0.3;
  dropout.seed = 1;
  dropout.capacity = 40000;
  MlpDropout next = dropout;
  next.step = 1;
  MlpDropout above = dropout;
  above.layer = 1;
  Index kept = 0;
  Index same_step = 0;
  Index same_layer = 0;
  for (std::uint64_t e = 0; e < dropout.capacity; ++e) {
    kept += dropout.keeps(e) ? 1 : 0;
    same_step += dropout.keeps(e) == next.keeps(e) ? 1 : 0;
    same_layer += dropout.keeps(e) == above.keeps(e) ? 1 : 0;
  }
  // Six standard deviations of a binomial with n = 40000.
  const auto near = [](Index count, double p) {
    EXPECT_NEAR(static_cast<double>(count), 40000 * p, 6 * std::sqrt(40000 * p * (1 - p)));
  };
  near(kept, 0.7);
  near(same_step, 0.7 * 0.7 + 0.3 * 0.3);
  near(same_layer, 0.7 * 0.7 + 0.3 * 0.3);
}

TYPED_TEST(MlpStepsTest, NormalizationForwardsAndBackwards) {
  using T = TypeParam;
  for (const Index rows : {1, 2, 31, 33, 257, 1025}) {
    for (const Index width : {1, 3, 8, 17, 33}) {
      SCOPED_TRACE(std::to_string(rows) + " by " + std::to_string(width));
      auto z = uniform<T>(rows * width, 8);
      for (T& value : z) value += T{3};
      const auto du = uniform<T>(rows * width, 9);
      const auto scale = uniform<T>(width, 10);
      const std::vector<T> mean_before(static_cast<std::size_t>(width), T{0.5});
      const std::vector<T> variance_before(static_cast<std::size_t>(width), T{2});
      struct Result {
        std::vector<T> z, inverse, mean, variance;
        std::vector<T> dz, scale_gradient, shift_gradient;
      };
      const auto forwards = [&](MlpSteps<T>& steps) {
        Result r;
        r.z = guarded<T>(rows * width, z, [&](T* out) {
          r.inverse = guarded<T>(width, {}, [&](T* inverse) {
            r.mean = guarded<T>(width, mean_before, [&](T* mean) {
              r.variance = guarded<T>(width, variance_before, [&](T* variance) {
                steps.normalize(rows, width, 1e-5, 0.9, out, inverse, mean, variance);
              });
            });
          });
        });
        return r;
      };
      const Result expected = forwards(*this->reference);
      const Result value = forwards(*this->cpu);
      const auto by_column = [&](const std::vector<T>& all, std::size_t i) {
        return std::abs(static_cast<double>(all[i % static_cast<std::size_t>(width)]));
      };
      // The sums in double have other orders: their errors relative to the terms, |z| <= 5. On top
      // (z − mean)·inverse with mean and inverse rounded: one rounding of the mean scaled by the
      // inverse, the others relative to the result.
      const double order = 2 * gamma_bound<double>(rows + 8);
      EXPECT_TRUE(within(value.z, expected.z, [&](std::size_t i) {
        return (this->u + order) * (5 * by_column(expected.inverse, i) +
                                    5 * std::abs(static_cast<double>(expected.z[i])));
      }));
      const auto rounded = [&](const std::vector<T>& of) {
        return [&](std::size_t i) {
          return (2 * this->u + order) * (5 + std::abs(static_cast<double>(of[i])));
        };
      };
      EXPECT_TRUE(within(value.inverse, expected.inverse, [&](std::size_t i) {
        return (2 * this->u + order) * by_column(expected.inverse, i);
      }));
      EXPECT_TRUE(within(value.mean, expected.mean, rounded(expected.mean)));
      EXPECT_TRUE(within(value.variance, expected.variance, rounded(expected.variance)));

      const auto backwards = [&](MlpSteps<T>& steps) {
        Result r;
        r.dz = guarded<T>(rows * width, du, [&](T* out) {
          r.scale_gradient = guarded<T>(width, {}, [&](T* scale_gradient) {
            r.shift_gradient = guarded<T>(width, {}, [&](T* shift_gradient) {
              steps.normalize_backward(rows, width, expected.z.data(), scale.data(),
                                       expected.inverse.data(), out, scale_gradient,
                                       shift_gradient);
            });
          });
        });
        return r;
      };
      const Result back_expected = backwards(*this->reference);
      const Result back = backwards(*this->cpu);
      // Five operations on terms of at most |du| + |mean du| + |ẑ|·|mean du·ẑ| <= 2 + 2 + 2·ẑ².
      EXPECT_TRUE(within(back.dz, back_expected.dz, [&](std::size_t i) {
        const double normalized = std::abs(static_cast<double>(expected.z[i]));
        return 8 * this->u * by_column(scale, i) * by_column(expected.inverse, i) *
               (4 + 2 * normalized * std::max(1.0, normalized));
      }));
      // Sums in double; a float result differs by its rounding only.
      const double terms = static_cast<double>(rows) * 2 * 40;
      const auto sums = [&](std::size_t) {
        return 2 * this->u * terms * (sizeof(T) == 4 ? 1e-3 : 1) +
               gamma_bound<double>(rows) * terms;
      };
      EXPECT_TRUE(within(back.scale_gradient, back_expected.scale_gradient, sums));
      EXPECT_TRUE(within(back.shift_gradient, back_expected.shift_gradient, sums));
    }
  }
}

TYPED_TEST(MlpStepsTest, OutputsAndLosses) {
  using T = TypeParam;
  struct Ending {
    MlpOutput output;
    MlpLoss loss;
    bool single;
  };
  const std::vector<Ending> endings{{MlpOutput::softmax, MlpLoss::cross_entropy, false},
                                    {MlpOutput::softmax, MlpLoss::squared_error, false},
                                    {MlpOutput::sigmoid, MlpLoss::cross_entropy, true},
                                    {MlpOutput::sigmoid, MlpLoss::squared_error, true},
                                    {MlpOutput::identity, MlpLoss::squared_error, true}};
  for (const Ending& ending : endings) {
    const MlpOutput output = ending.output;
    const MlpLoss loss = ending.loss;
    const bool single = ending.single;
    for (const Index rows : {1, 2, 63, 65, 1030}) {
      for (const Index width : {1, 2, 10, 16, 17, 65}) {
        if (single != (width == 1)) continue;
        for (const bool weighted : {false, true}) {
          SCOPED_TRACE(std::string(to_string(output)) + " " + std::string(to_string(loss)) + " " +
                       std::to_string(rows) + " by " + std::to_string(width));
          const auto z = uniform<T>(rows * width, 11, 6);
          const auto bias = uniform<T>(width, 12);
          const auto values = uniform<T>(rows, 13);
          auto weights = uniform<T>(rows, 14);
          for (T& weight : weights) weight = std::abs(weight);
          std::vector<std::int32_t> labels;
          std::vector<Index> order;
          for (Index i = 0; i < rows; ++i) {
            labels.push_back(static_cast<std::int32_t>((i * 7) % (single ? 2 : width)));
            order.push_back(rows - 1 - i);
          }
          const MlpTargets<T> targets{labels.data(), values.data(),
                                      weighted ? weights.data() : nullptr};
          const auto on = [&](MlpSteps<T>& steps, std::vector<double>& totals,
                              std::vector<T>& outputs) {
            totals.assign(MlpTotals::count, 0.0);
            outputs = guarded<T>(rows * width, z, [&](T* out) {
              steps.output(output, rows, width, bias.data(), out);
            });
            return guarded<T>(rows * width, z, [&](T* g) {
              steps.loss(output, loss, true, rows, width, bias.data(), targets, order.data(), g,
                         totals.data());
            });
          };
          std::vector<double> totals;
          std::vector<double> expected_totals;
          std::vector<T> outputs;
          std::vector<T> expected_outputs;
          const auto g = on(*this->cpu, totals, outputs);
          const auto expected = on(*this->reference, expected_totals, expected_outputs);
          // |u| <= 8: one rounding each of u and u − max, at most 16, gives the exponential a
          // relative error of 3·16 u; the sum of `width` of them, the quotient and the function
          // itself add width + 8.
          const double relative = this->u * (48 + static_cast<double>(width) + 8);
          const double largest = output == MlpOutput::identity ? 16 : 1;
          EXPECT_TRUE(
              within(outputs, expected_outputs, [&](std::size_t) { return relative * largest; }));
          // At most six operations on p and p − y, and the products of `width` terms.
          EXPECT_TRUE(within(g, expected, [&](std::size_t) {
            return (4 * relative + 8 * this->u) * largest * 2 / static_cast<double>(rows);
          }));
          EXPECT_EQ(totals[MlpTotals::correct], expected_totals[MlpTotals::correct]);
          // A row's loss is at most 20 (identity: 50), with weights at most 2.
          EXPECT_NEAR(totals[MlpTotals::loss], expected_totals[MlpTotals::loss],
                      static_cast<double>(rows) * 2 * 50 * 2 * relative);
          // Without the gradient: the same totals.
          std::vector<double> again(MlpTotals::count);
          std::vector<T> scratch = z;
          this->cpu->loss(output, loss, false, rows, width, bias.data(), targets, order.data(),
                          scratch.data(), again.data());
          EXPECT_TRUE(same_bits(again, totals));
        }
      }
    }
  }
}

// Ties go to the first class; a large argument neither overflows nor loses the loss.
TYPED_TEST(MlpStepsTest, LossesByHand) {
  using T = TypeParam;
  for (auto* steps : {this->reference.get(), this->cpu.get()}) {
    const std::vector<std::int32_t> labels{0, 1, 2};
    const std::vector<Index> order{0, 1, 2};
    const std::vector<T> bias(3, T{0});
    MlpTargets<T> targets;
    targets.labels = labels.data();
    // Equal outputs: loss ln 3 each, only the row of class 0 counts as right.
    std::vector<T> z(9, T{5});
    std::vector<double> totals(MlpTotals::count);
    steps->loss(MlpOutput::softmax, MlpLoss::cross_entropy, true, 3, 3, bias.data(), targets,
                order.data(), z.data(), totals.data());
    EXPECT_NEAR(totals[0], 3 * std::log(3.0), 3 * 4 * this->u);
    EXPECT_EQ(totals[1], 1);
    EXPECT_NEAR(static_cast<double>(z[0]), (1.0 / 3 - 1) / 3, 2 * this->u);
    EXPECT_NEAR(static_cast<double>(z[1]), 1.0 / 9, this->u);
    // A row that is wrong by 1000 loses 1000.
    z = {T{1000}, T{0}, T{0}, T{1000}, T{0}, T{0}, T{1000}, T{0}, T{0}};
    totals.assign(MlpTotals::count, 0.0);
    steps->loss(MlpOutput::softmax, MlpLoss::cross_entropy, true, 3, 3, bias.data(), targets,
                order.data(), z.data(), totals.data());
    EXPECT_EQ(totals[0], 2000);
    EXPECT_EQ(totals[1], 1);
    // Sigmoid at ±1000: 0 where right, 1000 where wrong.
    const std::vector<std::int32_t> binary{0, 1, 1};
    targets.labels = binary.data();
    z = {T{-1000}, T{1000}, T{-1000}};
    totals.assign(MlpTotals::count, 0.0);
    steps->loss(MlpOutput::sigmoid, MlpLoss::cross_entropy, true, 3, 1, bias.data(), targets,
                order.data(), z.data(), totals.data());
    EXPECT_EQ(totals[0], 1000);
    EXPECT_EQ(totals[1], 2);
    EXPECT_EQ(z[0], T{0});
    EXPECT_EQ(z[1], T{0});
    EXPECT_EQ(static_cast<double>(z[2]), static_cast<double>(-static_cast<T>(1.0 / 3)));
    // Squared error by hand: ½(3 − 1)² + ½(0 − 2)² + ½(1 − 1)² = 4, g = (2, −2, 0)/3.
    const std::vector<T> values{1, 2, 1};
    targets.values = values.data();
    z = {T{3}, T{0}, T{1}};
    totals.assign(MlpTotals::count, 0.0);
    steps->loss(MlpOutput::identity, MlpLoss::squared_error, true, 3, 1, bias.data(), targets,
                order.data(), z.data(), totals.data());
    EXPECT_EQ(totals[0], 4);
    EXPECT_NEAR(static_cast<double>(z[0]), 2.0 / 3, 4 * this->u);
    EXPECT_NEAR(static_cast<double>(z[1]), -2.0 / 3, 4 * this->u);
    EXPECT_EQ(z[2], T{0});
  }
}

TYPED_TEST(MlpStepsTest, NaNIsNotHidden) {
  using T = TypeParam;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  for (auto* steps : {this->reference.get(), this->cpu.get()}) {
    const std::vector<T> shift{T{0}};
    std::vector<T> a(1);
    std::vector<T> slope(1);
    for (const auto activation :
         {Activation::sigmoid, Activation::tanh, Activation::relu, Activation::gelu}) {
      steps->activate(activation, 1, 1, nullptr, shift.data(), MlpDropout{}, &nan, a.data(),
                      slope.data());
      EXPECT_TRUE(std::isnan(a[0])) << to_string(activation);
    }
    std::vector<T> z{T{1}, nan, T{2}};
    const std::vector<T> bias(3, T{0});
    const std::int32_t label = 0;
    const Index order = 0;
    MlpTargets<T> targets;
    targets.labels = &label;
    std::vector<double> totals(MlpTotals::count);
    steps->loss(MlpOutput::softmax, MlpLoss::cross_entropy, true, 1, 3, bias.data(), targets,
                &order, z.data(), totals.data());
    EXPECT_TRUE(std::isnan(totals[0]));
  }
}

// Every step once, on sizes that are no multiple of anything; all results in one vector.
template <Real T>
std::vector<T> everything(int threads) {
  const auto engine = engine_of(Device::cpu, threads);
  const auto steps = make_steps<MlpSteps, T>(*engine);
  std::vector<T> all;
  const auto add = [&](const std::vector<T>& part) {
    all.insert(all.end(), part.begin(), part.end());
  };
  const Index rows = 131;
  const Index n = 197;
  const Index m = 75;
  const auto a = uniform<T>(rows * n, 21);
  const auto dz = uniform<T>(rows * m, 23);
  const auto slope = uniform<T>(rows * m, 24);
  const auto shift = uniform<T>(m, 25);
  std::vector<Index> order;
  std::vector<std::int32_t> labels;
  for (Index i = 0; i < rows; ++i) {
    order.push_back((i * 37) % rows);
    labels.push_back(static_cast<std::int32_t>(i % m));
  }
  const auto sized = [](Index size) {
    return std::vector<T>(static_cast<std::size_t>(size), T{1});
  };
  auto gathered = sized(rows * n);
  steps->gather_rows(a.data(), n, order.data(), rows, gathered.data());
  add(gathered);
  auto d = dz;
  auto db = sized(m);
  steps->activation_gradient(rows, m, slope.data(), d.data(), db.data());
  add(d);
  add(db);
  for (const auto activation :
       {Activation::sigmoid, Activation::tanh, Activation::relu, Activation::gelu}) {
    MlpDropout dropout;
    dropout.rate = 0.25;
    dropout.capacity = static_cast<std::uint64_t>(rows * m + 3) / 4 * 4;
    auto out = sized(rows * m);
    auto derivative = sized(rows * m);
    steps->activate(activation, rows, m, shift.data(), shift.data(), dropout, dz.data(), out.data(),
                    derivative.data());
    add(out);
    add(derivative);
  }
  auto normalized = dz;
  auto inverse = sized(m);
  auto mean = sized(m);
  auto variance = sized(m);
  steps->normalize(rows, m, 1e-5, 0.9, normalized.data(), inverse.data(), mean.data(),
                   variance.data());
  add(normalized);
  add(inverse);
  add(mean);
  add(variance);
  auto du = d;
  auto scale_gradient = sized(m);
  auto shift_gradient = sized(m);
  steps->normalize_backward(rows, m, normalized.data(), shift.data(), inverse.data(), du.data(),
                            scale_gradient.data(), shift_gradient.data());
  add(du);
  add(scale_gradient);
  add(shift_gradient);
  auto s = sized(m);
  auto t = sized(m);
  steps->running_affine(m, 1e-5, shift.data(), shift.data(), mean.data(), variance.data(), s.data(),
                        t.data());
  add(s);
  add(t);
  const auto values = uniform<T>(rows, 26);
  const auto weights = std::vector<T>(static_cast<std::size_t>(rows), T{0.75});
  const MlpTargets<T> targets{labels.data(), values.data(), weights.data()};
  std::vector<double> totals(MlpTotals::count);
  for (const auto loss : {MlpLoss::cross_entropy, MlpLoss::squared_error}) {
    auto g = dz;
    steps->loss(MlpOutput::softmax, loss, true, rows, m, shift.data(), targets, order.data(),
                g.data(), totals.data());
    add(g);
    std::vector<T> single(dz.begin(), dz.begin() + rows);
    std::vector<std::int32_t> binary = labels;
    for (auto& label : binary) label %= 2;
    MlpTargets<T> single_targets = targets;
    single_targets.labels = binary.data();
    steps->loss(MlpOutput::sigmoid, loss, true, rows, 1, shift.data(), single_targets, order.data(),
                single.data(), totals.data());
    add(single);
  }
  auto outputs = dz;
  steps->output(MlpOutput::softmax, rows, m, shift.data(), outputs.data());
  add(outputs);
  // The totals' bits, as halves where T is float.
  for (const double total : totals) {
    all.push_back(static_cast<T>(total));
    all.push_back(static_cast<T>(total - static_cast<double>(static_cast<T>(total))));
  }
  return all;
}

TYPED_TEST(MlpStepsTest, SameBitsForAllThreadsAndInstructionSets) {
  const SimdGuard restore;
  const auto expected = everything<TypeParam>(1);
  for (const char* set : {"avx512", "avx2", "baseline"}) {
    if (!SimdGuard::limit(set)) continue;
    for (const int threads : {1, 2, 7}) {
      EXPECT_TRUE(same_bits(everything<TypeParam>(threads), expected)) << set << " " << threads;
    }
  }
}

}  // namespace
}  // namespace tandem

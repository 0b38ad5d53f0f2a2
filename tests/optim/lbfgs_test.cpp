#include "tandem/optim/lbfgs.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "support/agreement.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

// A function written for the host; the engines of these tests keep their memory there.
class HostFunction final : public SmoothFunction {
 public:
  using Body = std::function<double(const double* x, double* gradient)>;
  explicit HostFunction(Body body) : body_(std::move(body)) {}
  double evaluate(const Buffer<double>& x, Buffer<double>& gradient) override {
    ++evaluations;
    return body_(x.data(), gradient.data());
  }
  int evaluations = 0;

 private:
  Body body_;
};

struct Minimum {
  std::vector<double> x;
  LbfgsResult result;
};

Minimum minimise(HostFunction::Body body, std::vector<double> start, std::vector<double> scale = {},
                 LbfgsOptions options = {.tolerance = 1e-8}, Index groups = 0) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  HostFunction f(std::move(body));
  if (scale.empty()) scale.assign(start.size(), 1.0);
  auto x = to_engine(*engine, start);
  RunControl control;
  Minimum run;
  run.result = minimise_lbfgs(*engine, f, x, {to_engine(*engine, scale), groups}, options, control);
  EXPECT_EQ(run.result.evaluations, f.evaluations);
  run.x = x.to_host();
  return run;
}

// 100·(y − x²)² + (1 − x)², minimum 0 at (1, 1) (Rosenbrock 1960).
double rosenbrock(const double* x, double* g) {
  const double a = x[1] - x[0] * x[0];
  const double b = 1 - x[0];
  g[0] = -400 * x[0] * a - 2 * b;
  g[1] = 200 * a;
  return 100 * a * a + b * b;
}

TEST(Lbfgs, FindsRosenbrocksMinimum) {
  const Minimum run = minimise(rosenbrock, {-1.2, 1.0});
  EXPECT_TRUE(run.result.converged) << run.result.stopped_because;
  EXPECT_NEAR(run.x[0], 1, 1e-7);
  EXPECT_NEAR(run.x[1], 1, 1e-7);
  EXPECT_LT(run.result.iterations, 60);
  for (std::size_t i = 1; i < run.result.values.size(); ++i) {
    EXPECT_LT(run.result.values[i], run.result.values[i - 1]);
  }
}

// ½·Σ i·x_i²: with the exact inverse diagonal as scale the first step ends at the minimum.
TEST(Lbfgs, TheScaleIsTheFirstInverseHessian) {
  constexpr int n = 1500;
  std::vector<double> start(n, 1.0);
  std::vector<double> scale(n);
  for (int i = 0; i < n; ++i) scale[static_cast<std::size_t>(i)] = 1.0 / (i + 1);
  const auto quadratic = [](const double* x, double* g) {
    double value = 0;
    for (int i = 0; i < n; ++i) {
      g[i] = (i + 1) * x[i];
      value += 0.5 * g[i] * x[i];
    }
    return value;
  };
  const Minimum scaled = minimise(quadratic, start, scale);
  EXPECT_TRUE(scaled.result.converged);
  EXPECT_EQ(scaled.result.iterations, 1);
  EXPECT_EQ(scaled.result.evaluations, 2);
  const Minimum plain = minimise(quadratic, start, {}, {.max_iterations = 2000, .tolerance = 1e-6});
  EXPECT_TRUE(plain.result.converged) << plain.result.stopped_because;
  EXPECT_GT(plain.result.iterations, 10);
}

// Two groups (a_k, b_k), k = 0, 1, kept as a_0, a_1, b_0, b_1, each with the same Hessian
// [[2, 1], [1, 3]] and different minima: the inverse [[3, −1], [−1, 2]] / 5 ends in one step.
TEST(Lbfgs, TheInitialMatrixActsOnGroups) {
  const Minimum run = minimise(
      [](const double* x, double* g) {
        double value = 0;
        for (int k = 0; k < 2; ++k) {
          const double a = x[k] - 1 - k;
          const double b = x[2 + k] + 3 * k;
          g[k] = 2 * a + b;
          g[2 + k] = a + 3 * b;
          value += 0.5 * (a * g[k] + b * g[2 + k]);
        }
        return value;
      },
      {0, 0, 0, 0}, {0.6, -0.2, -0.2, 0.4}, {.tolerance = 1e-12}, 2);
  EXPECT_EQ(run.result.iterations, 1);
  EXPECT_TRUE(
      test::within(run.x, std::vector<double>{1, 2, 0, -3}, [](std::size_t) { return 1e-14; }));
}

// x − ln x has its minimum at 1 and is not defined below 0: steps that leave the domain are cut.
TEST(Lbfgs, StepsBackIntoTheDomain) {
  const Minimum run = minimise(
      [](const double* x, double* g) {
        g[0] = 1 - 1 / x[0];
        return x[0] > 0 ? x[0] - std::log(x[0]) : std::nan("");
      },
      {50.0}, {1000.0});
  EXPECT_TRUE(run.result.converged) << run.result.stopped_because;
  EXPECT_NEAR(run.x[0], 1, 1e-7);
}

TEST(Lbfgs, StartsAtTheMinimum) {
  const Minimum run = minimise(rosenbrock, {1.0, 1.0});
  EXPECT_TRUE(run.result.converged);
  EXPECT_EQ(run.result.iterations, 0);
  EXPECT_EQ(run.result.evaluations, 1);
}

TEST(Lbfgs, SaysWhenItStopsForAnotherReason) {
  const Minimum few =
      minimise(rosenbrock, {-1.2, 1.0}, {}, {.max_iterations = 3, .tolerance = 1e-8});
  EXPECT_FALSE(few.result.converged);
  EXPECT_EQ(few.result.stopped_because, "reached 3 iterations");
  // A gradient that promises a descent which the values do not show.
  const Minimum coarse = minimise(
      [](const double*, double* g) {
        g[0] = 1;
        return 100.0;
      },
      {3.0});
  EXPECT_FALSE(coarse.result.converged);
  EXPECT_EQ(coarse.x[0], 3.0);
  EXPECT_NE(coarse.result.stopped_because.find("precision"), std::string::npos);
  EXPECT_THROW((void)minimise([](const double*, double*) { return std::nan(""); }, {1.0}),
               NumericalError);
}

}  // namespace
}  // namespace tandem

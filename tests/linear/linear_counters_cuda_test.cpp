// Compares the bytes and operations that the software GPU counts in the kernels of linear models
// with the cost functions that stand beside them.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/linear/least_squares_steps.hpp"
#include "core/linear/linear_steps.hpp"
#include "core/linear/normal_equations_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "cuda/linear/linear_cost.hpp"
#include "support/cuda.hpp"
#include "tandem/core/software_gpu.hpp"

namespace tandem {
namespace {

// The counters of the kernels whose name contains a word.
struct Counted {
  double launches = 0;
  double bytes = 0;  // each once per launch, reads and writes
  double flops = 0;  // divisions and square roots among them
  // 1 where accesses are coalesced, and where no bank of shared memory is asked for two words.
  double sectors_per_ideal = 1;
  double wavefronts_per_ideal = 1;
};

Counted counted(const nlohmann::ordered_json& counters, std::string_view word) {
  Counted sum;
  double sectors = 0;
  double ideal_sectors = 0;
  double wavefronts = 0;
  double ideal_wavefronts = 0;
  for (const auto& kernel : counters.at("kernels")) {
    if (kernel.at("name").get<std::string>().find(word) == std::string::npos) continue;
    sum.launches += kernel.at("launches").get<double>();
    sum.bytes += kernel.at("touched").at("read_bytes").get<double>() +
                 kernel.at("touched").at("written_bytes").get<double>();
    for (const char* group : {"flops", "special"}) {
      for (const auto& of_type : kernel.at(group)) sum.flops += of_type.get<double>();
    }
    for (const char* access : {"load", "store"}) {
      sectors += kernel.at("global").at(access).at("sectors").get<double>();
      ideal_sectors += kernel.at("global").at(access).at("ideal_sectors").get<double>();
      wavefronts += kernel.at("shared").at(access).at("wavefronts").get<double>();
      ideal_wavefronts += kernel.at("shared").at(access).at("ideal_wavefronts").get<double>();
    }
  }
  if (ideal_sectors > 0) sum.sectors_per_ideal = sectors / ideal_sectors;
  if (ideal_wavefronts > 0) sum.wavefronts_per_ideal = wavefronts / ideal_wavefronts;
  return sum;
}

::testing::AssertionResult as_stated(double counted, double stated) {
  if (std::abs(counted - stated) <= 0.05 * stated) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << counted << " counted, " << stated << " stated";
}

template <class T>
struct Data {
  Data(Engine& engine, LinearSteps<T>& steps, LinearLoss loss, Index n, Index d, Index k,
       bool weighted)
      : rows{n, d, Buffer<T>(), Buffer<T>(), Buffer<T>()}, packed(engine, n, d, weighted) {
    const Random random(81, Purpose::test);
    std::vector<T> x, target, weights;
    for (Index i = 0; i < n * d; ++i) {
      x.push_back(static_cast<T>(random.uniform(static_cast<std::uint64_t>(i)) - 0.5));
    }
    for (Index i = 0; i < n; ++i) {
      target.push_back(loss == LinearLoss::logistic ? static_cast<T>(i % 2)
                                                    : static_cast<T>(i % k));
      if (weighted) weights.push_back(static_cast<T>(i % 3));
    }
    rows.x = to_engine(engine, x);
    rows.target = to_engine(engine, target);
    rows.weights = to_engine(engine, weights);
    steps.pack(rows, n, 0, packed);
  }
  RowMajorRows<T> rows;
  PackedRows<T> packed;
};

template <class T>
class LinearCounters : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LinearCounters, Reals);

// The device that the software GPU is by default allows this much.
constexpr std::size_t most_shared = 166912;

TYPED_TEST(LinearCounters, PassesMoveAndComputeWhatTheirCostsSay) {
  using T = TypeParam;
  const auto engine = test::cuda_engine();
  const auto steps = make_steps<LinearSteps, T>(*engine);
  struct Case {
    LinearLoss loss;
    Index n, d, k;
    bool weighted;
  };
  for (const Case& c :
       {Case{LinearLoss::squared, 4096, 28, 1, true},
        Case{LinearLoss::logistic, 3000, 60, 1, false},
        Case{LinearLoss::logistic, 2048, 4, 1, false}, Case{LinearLoss::softmax, 2048, 20, 3, true},
        Case{LinearLoss::softmax, 2048, 4, 3, false},
        Case{LinearLoss::squared, 2048, 300, 1, false},
        Case{LinearLoss::softmax, 2048, 64, 10, true}}) {
    const Data<T> data(*engine, *steps, c.loss, c.n, c.d, c.k, c.weighted);
    Buffer<double> parameters(*engine, c.k * (c.d + 1));
    parameters.fill_zero();
    Buffer<double> gradient(*engine, c.k * (c.d + 1));
    Buffer<double> cost(*engine, 1);
    cost.fill_zero();
    if (!software_gpu::is_loaded()) GTEST_SKIP() << "nothing is counted on this device";
    const software_gpu::Counting counting;
    steps->pass(c.loss, data.packed, c.k, true, parameters, 1, gradient, cost);
    const auto plan = cuda::plan_pass(c.d, c.k, sizeof(T), 256, most_shared);
    const std::string what = std::to_string(c.n) + " × " + std::to_string(c.d) + ", " +
                             std::to_string(c.k) + " outputs, loss " +
                             std::to_string(static_cast<int>(c.loss));
    engine->wait();
    const auto counters = nlohmann::ordered_json::parse(counting.counters());
    const auto expect = [&](const char* kernel, const Cost& stated) {
      const Counted got = counted(counters, kernel);
      EXPECT_GT(got.launches, 0) << kernel << ", " << what;
      EXPECT_TRUE(as_stated(got.bytes, stated.bytes)) << kernel << ", " << what;
      EXPECT_TRUE(as_stated(got.flops, stated.flops)) << kernel << ", " << what;
      EXPECT_LT(got.sectors_per_ideal, 1.02) << kernel << ", " << what;
      EXPECT_LT(got.wavefronts_per_ideal, 1.02) << kernel << ", " << what;
    };
    EXPECT_EQ(plan.fused, c.d < 100 && c.k < 10);
    if (plan.fused) {
      expect("fused_pass_kernel",
             cuda::fused_pass_cost(plan, c.loss, c.n, c.d, c.k, c.weighted, sizeof(T)));
    } else {
      expect("residuals_kernel",
             cuda::residuals_cost(c.loss, c.n, c.d, c.k, c.weighted, sizeof(T)));
      expect("column_sums_kernel", cuda::column_sums_cost(c.n, c.d, c.k, sizeof(T)));
      expect("row_sums_kernel", cuda::row_sums_cost(c.n, c.k));
    }
  }
}

TYPED_TEST(LinearCounters, PackingMomentsAndPredictionsMoveWhatTheirCostsSay) {
  using T = TypeParam;
  const auto engine = test::cuda_engine();
  const auto steps = make_steps<LinearSteps, T>(*engine);
  for (const bool weighted : {false, true}) {
    const Index n = 4000;
    const Index d = 40;
    Data<T> data(*engine, *steps, LinearLoss::softmax, n, d, 3, weighted);
    Buffer<double> moments(*engine, 2 * d + 3);
    Buffer<double> parameters(*engine, 3 * (d + 1));
    parameters.fill_zero();
    Buffer<T> results(*engine, 3 * n);
    if (!software_gpu::is_loaded()) GTEST_SKIP() << "nothing is counted on this device";
    const auto counters_of = [&](auto&& run) {
      const software_gpu::Counting counting;
      run();
      engine->wait();
      return nlohmann::ordered_json::parse(counting.counters());
    };
    const auto counters = counters_of([&] {
      steps->pack(data.rows, n, 0, data.packed);
      steps->moments(data.packed, moments);
    });
    const Counted pack = counted(counters, "pack_kernel");
    EXPECT_TRUE(as_stated(pack.bytes, cuda::pack_cost(n, d, weighted, sizeof(T)).bytes));
    EXPECT_LT(pack.sectors_per_ideal, 1.02);
    EXPECT_LT(pack.wavefronts_per_ideal, 1.02);
    const Counted moment = counted(counters, "::moments_kernel");
    const auto stated = cuda::moments_cost(n, d, weighted, sizeof(T));
    EXPECT_TRUE(as_stated(moment.bytes, stated.bytes));
    EXPECT_TRUE(as_stated(moment.flops, stated.flops));
    EXPECT_LT(moment.sectors_per_ideal, 1.02);
    const auto of_predictions = counters_of(
        [&] { steps->predict(LinearLoss::squared, data.rows, 1, parameters, results.data()); });
    const Counted predict = counted(of_predictions, "predict_kernel");
    EXPECT_TRUE(
        as_stated(predict.bytes, cuda::predict_bytes(LinearLoss::squared, n, d, 1, sizeof(T))));
    EXPECT_LT(predict.sectors_per_ideal, 1.02);
  }
}

TYPED_TEST(LinearCounters, ProductsMoveAndComputeWhatTheirCostSays) {
  using T = TypeParam;
  const auto engine = test::cuda_engine();
  const auto linear = make_steps<LinearSteps, T>(*engine);
  const auto steps = make_steps<NormalEquationsSteps, T>(*engine);
  for (const Index d : {Index{28}, Index{62}}) {
    const bool weighted = d == 62;
    const Index n = 4096;
    const Data<T> data(*engine, *linear, LinearLoss::squared, n, d, 7, weighted);
    const auto centre = to_engine(*engine, std::vector<double>(static_cast<std::size_t>(d + 1)));
    Buffer<double> products(*engine, product_count(normal_equations_columns(d, true)));
    if (!software_gpu::is_loaded()) GTEST_SKIP() << "nothing is counted on this device";
    const software_gpu::Counting counting;
    steps->products(data.rows, true, centre, products);
    engine->wait();
    const Counted got =
        counted(nlohmann::ordered_json::parse(counting.counters()), "::products_kernel");
    const auto stated = cuda::products_cost(n, d, true, weighted, sizeof(T));
    EXPECT_TRUE(as_stated(got.bytes, stated.bytes)) << d;
    EXPECT_TRUE(as_stated(got.flops, stated.flops)) << d;
    EXPECT_LT(got.wavefronts_per_ideal, 1.05) << d;
  }
}

TYPED_TEST(LinearCounters, FactorisationsMoveAndComputeWhatTheirCostSays) {
  using T = TypeParam;
  const auto engine = test::cuda_engine();
  const auto linear = make_steps<LinearSteps, T>(*engine);
  const auto steps = make_steps<LeastSquaresSteps, T>(*engine);
  for (const Index d : {Index{10}, Index{16}}) {
    const bool weighted = d == 16;
    const Index n = 8192;
    const Data<T> data(*engine, *linear, LinearLoss::squared, n, d, 7, weighted);
    const Index p = least_squares_columns(d, true);
    const Index groups = n / least_squares_group(p);
    Buffer<double> factors(*engine, groups * p * p);
    if (!software_gpu::is_loaded()) GTEST_SKIP() << "nothing is counted on this device";
    const software_gpu::Counting counting;
    steps->factor(data.rows, n, true, 0, factors);
    engine->wait();
    const Counted got =
        counted(nlohmann::ordered_json::parse(counting.counters()), "factor_kernel");
    const auto stated = cuda::factor_cost(n, d, true, weighted, sizeof(T), 256);
    EXPECT_TRUE(as_stated(got.bytes, stated.bytes)) << d;
    EXPECT_TRUE(as_stated(got.flops, stated.flops)) << d;
    EXPECT_LT(got.sectors_per_ideal, 1.05) << d;
    // Where a row ends inside a warp's copies, two of its threads meet in a bank.
    EXPECT_LT(got.wavefronts_per_ideal, 1.05) << d;
  }
}

}  // namespace
}  // namespace tandem

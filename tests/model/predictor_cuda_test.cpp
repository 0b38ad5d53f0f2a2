// A model kept on the device.
#include <nlohmann/json.hpp>

#include "model/predictor_cases.hpp"
#include "support/cuda.hpp"
#include "tandem/core/software_gpu.hpp"

namespace tandem {
namespace {

TEST(PredictorCuda, IsRightFromEightThreadsAtOnce) {
  const auto engine = test::cuda_engine();
  for (const auto& one : test::models_of_each_kind()) {
    test::expect_right_from_eight_threads(one, *engine, 3);
  }
}

// The first call sends the parameters; later ones send the rows, and, to tell how the values are
// spread, a few numbers for each feature (k-means).
TEST(PredictorCuda, SendsTheParametersOnce) {
  const auto engine = test::cuda_engine();
  if (!software_gpu::is_loaded()) GTEST_SKIP() << "a real GPU does not count";
  for (const auto& one : test::models_of_each_kind()) {
    const Predictor<float> predictor(one.model, *engine);
    const auto x = one.data.features.view().rows_from(0, 10);
    const auto sent = [&] {
      const software_gpu::Counting counting;
      (void)predictor.predict(x);
      const auto counters = nlohmann::json::parse(counting.counters());
      return counters.at("copies").at("to_device").at("bytes").get<std::int64_t>();
    };
    const auto bytes = x.rows * x.cols * std::int64_t{sizeof(float)};
    const auto first = sent();
    EXPECT_GT(first, bytes + 150) << one.algorithm;  // a model of 40 features at the least
    const std::int64_t more = one.algorithm == "kmeans" ? x.cols * 20 : 0;
    EXPECT_EQ(sent(), bytes + more) << one.algorithm;
    EXPECT_EQ(sent(), bytes + more) << one.algorithm;
  }
}

}  // namespace
}  // namespace tandem

// How long a fit goes on after somebody wanted it to stop, on data of which a single step takes
// seconds: wide ones and such of many classes.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/data/generate.hpp"
#include "tandem/metrics/clustering.hpp"
#include "tandem/model/algorithm.hpp"

namespace tandem {
namespace {

// Processor time of the calling thread, which other work on the machine does not lengthen.
double thread_seconds() {
  timespec now{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// A second on a machine of one's own; twice that where others take the caches.
constexpr double longest_allowed = 2;

// Wants to stop after a while, and keeps the longest time in which nobody asked.
class Impatient final : public RunControl {
 public:
  [[nodiscard]] bool stop_requested() const noexcept override {
    const double now = thread_seconds();
    longest_ = std::max(longest_, now - last_);
    last_ = now;
    return now - start_ > 0.15;
  }
  // Up to now.
  [[nodiscard]] double longest() const { return std::max(longest_, thread_seconds() - last_); }

 private:
  double start_ = thread_seconds();
  mutable double last_ = start_;
  mutable double longest_ = 0;
};

struct Case {
  std::string algorithm;
  std::string data;
  Index rows;
  Index features;
  Index classes;
  std::map<std::string, OptionValue> options;
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  std::string name = info.param.algorithm + std::to_string(info.index);
  name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
  return name;
}

class EveryLoop : public testing::TestWithParam<Case> {};

TEST_P(EveryLoop, AFitEndsWithinASecond) {
  const Case& tried = GetParam();
  GenerateOptions size;
  size.rows = tried.rows;
  size.features = tried.features;
  size.classes = tried.classes;
  const auto data = generate<float>(tried.data, size);
  const auto algorithm = make_algorithm(tried.algorithm);
  for (const auto& [name, value] : tried.options) algorithm->set(name, value);
  const auto engine = Engine::create({.threads = 2});
  Impatient control;
  EXPECT_THROW((void)algorithm->fit(*engine, data, {.control = &control}), Interrupted);
  EXPECT_LT(control.longest(), longest_allowed);
}

INSTANTIATE_TEST_SUITE_P(
    WideDataAndManyClasses, EveryLoop,
    testing::Values(
        Case{"logistic-regression", "blobs", 40000, 64, 20000, {}},
        Case{"logistic-regression", "blobs", 40000, 64, 20000, {{"solver", "gradient"}}},
        Case{"mlp",
             "blobs",
             40000,
             64,
             20000,
             {{"batch_size", std::int64_t{8192}}, {"task", "classification"}}},
        Case{"linear-regression", "regression", 1500, 2000, 0, {{"solver", "qr"}}},
        Case{"linear-regression", "regression", 8000, 1500, 0, {{"solver", "cholesky"}}},
        Case{"kmeans", "blobs", 100000, 64, 100, {{"clusters", std::int64_t{3000}}}},
        Case{"kmeans",
             "blobs",
             100000,
             64,
             100,
             {{"clusters", std::int64_t{3000}}, {"init", "k-means||"}}},
        Case{"decision-tree", "classification", 20000, 1000, 0, {}},
        Case{"random-forest", "regression", 100000, 100, 0, {{"max_features", "all"}}},
        Case{"extra-trees", "classification", 200000, 40, 50, {{"task", "classification"}}},
        Case{"gradient-boosting", "blobs", 20000, 20, 1000, {{"task", "classification"}}},
        Case{"gradient-boosting", "regression", 20000, 1000, 0, {}},
        Case{"isolation-forest",
             "blobs",
             200000,
             20,
             0,
             {{"max_samples", "all"}, {"trees", std::int64_t{1000}}}}),
    name_of);

TEST(StoppingMetrics, SilhouettesEndWithinASecond) {
  GenerateOptions size;
  size.rows = 60000;
  size.features = 64;
  size.classes = 5;
  const auto data = generate_blobs<float>(size);
  std::vector<std::int32_t> labels(60000);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i % 5);
  const auto engine = Engine::create({.threads = 1});
  Impatient control;
  const StopScope scope(&control);
  EXPECT_THROW((void)silhouette<float>(*engine, data.features.view(), labels), Interrupted);
  EXPECT_LT(control.longest(), longest_allowed);
}

}  // namespace
}  // namespace tandem

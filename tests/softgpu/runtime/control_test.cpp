// Functions that the software GPU offers beside CUDA's.
#include "softgpu/runtime/control.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "softgpu/runtime/cuda_functions.hpp"
#include "tests/softgpu/runtime/fixture.hpp"

namespace softgpu::cuda {
namespace {

class Control : public Cudart {
 protected:
  void TearDown() override {
    softgpu_set_seed(0);
    softgpu_set_threads(0);
    Cudart::TearDown();
  }

  // The blocks in the order in which they ran.
  std::vector<unsigned> order(unsigned blocks) {
    unsigned* data = allocate(blocks + 1);
    EXPECT_EQ(launch("order", blocks, 1, nullptr, data), cudaSuccess);
    const std::vector<unsigned> result = read(data + 1, blocks);
    EXPECT_EQ(cudaFree(data), cudaSuccess);
    return result;
  }
};

TEST_F(Control, TellsSoftwareByAName) {
  EXPECT_EQ(softgpu_version(), SOFTGPU_CONTROL_VERSION);
  EXPECT_NE(dlsym(RTLD_DEFAULT, "softgpu_version"), nullptr);
}

TEST_F(Control, TheScheduleSeedIsThatOfTheLastCall) {
  softgpu_set_threads(1);
  std::vector<unsigned> ascending(64);
  std::iota(ascending.begin(), ascending.end(), 0U);
  EXPECT_EQ(order(64), ascending);
  softgpu_set_seed(1);
  const auto first = order(64);
  EXPECT_NE(first, ascending);
  EXPECT_THAT(first, testing::UnorderedElementsAreArray(ascending));
  softgpu_set_seed(2);
  EXPECT_NE(order(64), first);
  softgpu_set_seed(1);
  EXPECT_EQ(order(64), first);
  softgpu_set_seed(0);
  EXPECT_EQ(order(64), ascending);
}

TEST_F(Control, AnyNumberOfThreadsIsTaken) {
  for (const int threads : {1, 3, 7, 5000, 0, -1, 2}) {
    softgpu_set_threads(threads);
    EXPECT_THAT(order(100), testing::Each(testing::Lt(100U))) << threads;
  }
}

TEST_F(Control, CountersAreText) {
  unsigned* data = allocate(1000);
  softgpu_count(1);
  EXPECT_EQ(launch("fill", 4, 256, nullptr, data, 7U, 1000U), cudaSuccess);
  EXPECT_EQ(launch("fill", 4, 256, nullptr, data, 7U, 1000U), cudaSuccess);
  EXPECT_EQ(launch("twice", 4, 256, nullptr, data, 1000U), cudaSuccess);
  softgpu_count(0);
  EXPECT_EQ(launch("twice", 4, 256, nullptr, data, 1000U), cudaSuccess);
  char* text = softgpu_counters();
  ASSERT_NE(text, nullptr);
  const nlohmann::json all = nlohmann::json::parse(text);
  std::free(text);
  EXPECT_EQ(all["software"], true);
  ASSERT_EQ(all["kernels"].size(), 2U);
  const auto& fill = all["kernels"][0];
  EXPECT_EQ(fill["kernel"], "fill");
  EXPECT_EQ(fill["launches"], 2);
  EXPECT_EQ(fill["global"]["store"]["bytes"], 8000);
  EXPECT_EQ(fill["global"]["store"]["requests"], 64);
  EXPECT_EQ(fill["global"]["load"]["requests"], 0);
  const auto& twice = all["kernels"][1];
  EXPECT_EQ(twice["launches"], 1);
  EXPECT_EQ(twice["touched"]["read_bytes"], 4000);
  EXPECT_EQ(twice["touched"]["written_bytes"], 4000);
  EXPECT_EQ(read(data, 1)[0], 28U);
  EXPECT_EQ(cudaFree(data), cudaSuccess);
}

// Runs one counted kernel and ends the process.
[[noreturn]] void run_with_report(const std::string& report) {
  setenv("SOFTGPU_COUNT", "1", 1);
  setenv("SOFTGPU_REPORT", report.c_str(), 1);
  cudaLibrary_t library = nullptr;
  cudaKernel_t kernel = nullptr;
  void* data = nullptr;
  unsigned n = 100;
  void* arguments[] = {&data, &n};
  const bool good =
      cudaLibraryLoadData(&library, test_kernels, nullptr, nullptr, 0, nullptr, nullptr, 0) ==
          cudaSuccess &&
      cudaLibraryGetKernel(&kernel, library, "twice") == cudaSuccess &&
      cudaMalloc(&data, 400) == cudaSuccess &&
      cudaLaunchKernel(kernel, {1, 1, 1}, {128, 1, 1}, arguments, 0, nullptr) == cudaSuccess;
  std::exit(good ? 0 : 1);
}

TEST(ControlDeathTest, TheReportHasTheCounters) {
  // In a process of its own, which reads the variables at its first call and writes at its end.
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const std::string report = ::testing::TempDir() + "/softgpu_report.json";
  EXPECT_EXIT(run_with_report(report), ::testing::ExitedWithCode(0), "");
  std::ifstream file(report);
  const nlohmann::json json = nlohmann::json::parse(file);
  EXPECT_EQ(json["model"], "a100");
  ASSERT_EQ(json["kernels"].size(), 1U);
  const auto& kernel = json["kernels"][0];
  EXPECT_EQ(kernel["kernel"], "twice");
  EXPECT_EQ(kernel["counters"]["instructions"]["thread"], kernel["thread_instructions"]);
  EXPECT_EQ(kernel["counters"]["global"]["load"]["bytes"], 400);
  EXPECT_EQ(kernel["counters"]["touched"]["written_bytes"], 400);
  std::remove(report.c_str());
}

}  // namespace
}  // namespace softgpu::cuda

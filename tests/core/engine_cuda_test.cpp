// The engine of the CUDA half: memory, copies, errors. What a repeated part of a loop does is
// tested with the steps that use it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "core/optim/optimizer_steps.hpp"
#include "core/steps.hpp"
#include "support/cuda.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

std::vector<std::int32_t> counted(std::size_t size) {
  std::vector<std::int32_t> values(size);
  std::iota(values.begin(), values.end(), 7);
  return values;
}

TEST(CudaEngine, SaysWhetherItIsHardware) {
  const auto engine = test::cuda_engine();
  EXPECT_THAT(engine->description(),
              ::testing::StartsWith(std::string(to_string(test::cuda_device())) + ", "));
  if (test::cuda_device() == Device::softgpu) {
    EXPECT_THAT(engine->description(), HasSubstr("run on the CPU"));
  }
}

// Sizes around the two halves of the staging memory, which are 4 MiB each.
TEST(CudaEngine, CopiesThereAndBack) {
  const auto engine = test::cuda_engine();
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{1000}, (std::size_t{1} << 20) - 1, std::size_t{1} << 20,
        (std::size_t{1} << 20) + 1, (std::size_t{3} << 20) + 17}) {
    const std::vector<std::int32_t> host = counted(size);
    Buffer<std::int32_t> first = to_engine(*engine, host);
    Buffer<std::int32_t> second(*engine, first.size());
    second.copy_from(first);
    first.fill_zero();
    EXPECT_EQ(second.to_host(), host) << size;
    EXPECT_EQ(first.to_host(), std::vector<std::int32_t>(size)) << size;
  }
}

TEST(CudaEngine, MemoryOfTheHostMayChangeAfterACopy) {
  const auto engine = test::cuda_engine();
  std::vector<std::int32_t> host = counted(100);
  std::vector<Buffer<std::int32_t>> copies;
  for (int i = 0; i < 10; ++i) {
    host[0] = i;
    copies.push_back(to_engine(*engine, host));
  }
  for (int i = 0; i < 10; ++i) EXPECT_EQ(copies[static_cast<std::size_t>(i)].to_host()[0], i);
}

TEST(CudaEngine, TooLittleMemoryIsAnErrorThatSaysHowMuchIsThere) {
  const auto engine = test::cuda_engine({.device_memory = std::size_t{1} << 20});
  const Buffer<std::byte> some(*engine, Index{1} << 19);
  try {
    const Buffer<std::byte> more(*engine, (Index{1} << 19) + 1);
    FAIL() << "more memory than allowed";
  } catch (const OutOfDeviceMemory& error) {
    EXPECT_EQ(error.needed, (std::size_t{1} << 19) + 1);
    EXPECT_EQ(error.free, std::size_t{1} << 19);
    EXPECT_THAT(error.what(), HasSubstr("0.5 MiB needed, 0.5 MiB free of the 1.0 MiB"));
    EXPECT_THAT(error.what(), HasSubstr("device_memory allows"));
  }
  // Nothing is lost by it.
  const Buffer<std::byte> rest(*engine, Index{1} << 19);
  EXPECT_NE(rest.data(), nullptr);
}

TEST(CudaEngine, MoreThanTheDeviceHasIsAnErrorToo) {
  const auto engine = test::cuda_engine();
  EXPECT_THROW(Buffer<std::byte>(*engine, Index{1} << 46), OutOfDeviceMemory);
  EXPECT_EQ(to_engine(*engine, counted(9)).to_host(), counted(9));
}

TEST(CudaEngine, RowsThatDoNotFitStandOnTheHost) {
  const auto engine = test::cuda_engine({.device_memory = std::size_t{1} << 20});
  const std::vector<std::int32_t> host = counted(std::size_t{1} << 19);
  Buffer<std::int32_t> rows(*engine, Index{1} << 19, Placement::rows);
  rows.upload(host);
  EXPECT_EQ(rows.to_host(), host);
  // Kernels reach it: an update whose gradient stands there.
  const auto steps = make_steps<OptimizerSteps, float>(*engine);
  Buffer<float> gradient(*engine, Index{1} << 18, Placement::rows);
  gradient.upload(std::vector<float>(std::size_t{1} << 18, 2.0F));
  Buffer<float> small = to_engine(*engine, std::vector<float>(1000, 1.0F));
  Buffer<float> none;
  OptimizerUpdate update;
  update.rate = 0.5;
  steps->update(update, gradient, small, none, none);
  EXPECT_EQ(small.to_host(), std::vector<float>(1000, 0.0F));
}

TEST(CudaEngine, WrongOptionsNameWhatIsExpected) {
  try {
    (void)test::cuda_engine({.device_index = 1000});
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("there is no device 1000"));
  }
  for (const int threads : {-32, 16, 48, 2048}) {
    EXPECT_THROW((void)test::cuda_engine({.block_threads = threads}), InputError) << threads;
  }
}

TEST(CudaEngine, OneProcessIsOnHardwareOrOnSoftware) {
  const auto engine = test::cuda_engine();
  const Device other = test::cuda_device() == Device::softgpu ? Device::cuda : Device::softgpu;
  EXPECT_THROW((void)Engine::create({.device = other}), DeviceError);
}

// A kernel that reads what is not there ends the use of the device by its process; so this one has
// a process of its own.
void fault_and_report() {
  const auto engine = test::cuda_engine();
  const auto cpu = Engine::create();
  const auto steps = make_steps<OptimizerSteps, float>(*engine);
  Buffer<float> parameters = to_engine(*engine, std::vector<float>(100, 1.0F));
  Buffer<float> none;
  OptimizerUpdate update;
  update.rate = 0.5;
  std::string first;
  try {
    steps->update(update, none, parameters, none, none);
    engine->wait();
  } catch (const KernelFault& error) {
    first = error.what();
  }
  bool again = false;
  try {
    (void)parameters.to_host();
  } catch (const DeviceError&) {
    again = true;
  }
  const bool cpu_works = to_engine(*cpu, std::vector<int>{1}).to_host()[0] == 1;
  const bool named = test::cuda_device() == Device::cuda ||
                     (first.find("kernel optimizer_update_kernel<") != std::string::npos &&
                      first.find("at cuda/optim/optimizer.cu:") != std::string::npos);
  std::fprintf(stderr, "fault: %s\n", first.c_str());
  std::exit(!first.empty() && named && again && cpu_works ? 0 : 1);
}

TEST(CudaEngineDeathTest, AKernelFaultIsTypedNamesItsKernelAndLeavesOtherEnginesUsable) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(fault_and_report(), ::testing::ExitedWithCode(0),
              "fault: CUDA: .*illegal.*cannot be used any more by this process");
}

}  // namespace
}  // namespace tandem

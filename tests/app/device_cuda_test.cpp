// The messages to a person who asks for a device that is not there.
#include <gmock/gmock.h>

#include "app/program.hpp"
#include "tandem/config.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;

bool has_gpu() { return std::filesystem::exists("/dev/nvidia0"); }

class DeviceErrors : public Program {
 protected:
  [[nodiscard]] Outcome train(const std::string& device,
                              const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words{"train",    "kmeans", "--data",   data_file("iris.csv"),
                                   "--target", "last",   "--device", device};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  // With the CUDA runtime's first answer an error.
  [[nodiscard]] Outcome train_with_error(int error) const {
    // A preloaded library comes before the address sanitizer's runtime, in a build that has one.
    // That is refused unless told otherwise; this library takes no memory, so that it does not
    // matter.
    const char* before = std::getenv("ASAN_OPTIONS");
    const std::string sanitizer = before != nullptr ? before : "";
    ::setenv("ASAN_OPTIONS", (sanitizer + ":verify_asan_link_order=0").c_str(), 1);
    ::setenv("LD_PRELOAD", TANDEM_FAILING_CUDART, 1);
    ::setenv("TANDEM_TEST_CUDA_ERROR", std::to_string(error).c_str(), 1);
    const Outcome outcome = train("softgpu");
    ::unsetenv("LD_PRELOAD");
    ::setenv("ASAN_OPTIONS", sanitizer.c_str(), 1);
    ::unsetenv("TANDEM_TEST_CUDA_ERROR");
    return outcome;
  }
};

TEST_F(DeviceErrors, WithoutAGpuCudaIsAnErrorThatNamesTheSoftwareOne) {
  if (has_gpu()) GTEST_SKIP() << "this machine has a GPU";
  const Outcome outcome = train("cuda");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("device cuda: there is no NVIDIA driver"));
  EXPECT_THAT(outcome.err, HasSubstr("--device softgpu"));
}

TEST_F(DeviceErrors, CudaNeverMeansTheSoftwareGpu) {
  // In tandem gpu run's environment the CUDA runtime is the software GPU.
  const Outcome outcome = run({"gpu", "run", "--", TANDEM_PROGRAM, "train", "kmeans", "--data",
                               data_file("iris.csv"), "--target", "last", "--device", "cuda"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("--device softgpu"));
}

TEST_F(DeviceErrors, AnOldDriverIsNamedWithTheOneNeeded) {
  const Outcome outcome = train_with_error(35);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("driver 580 or later"));
}

TEST_F(DeviceErrors, NoDeviceIsAnErrorOfItsOwn) {
  const Outcome outcome = train_with_error(100);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("the driver finds no GPU"));
}

TEST_F(DeviceErrors, CodeForAnotherArchitectureIsNamed) {
  const Outcome outcome = train_with_error(209);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("no code for this GPU"));
}

TEST_F(DeviceErrors, WrongOptionsOfTheDeviceAreWrongUsage) {
  Outcome outcome = train("softgpu", {"--device-index", "5"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("there is no device 5"));
  outcome = train("softgpu", {"--block-threads", "48"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("a power of two from 32 to 1024"));
  outcome = train("softgpu", {"--device-memory", "8X"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("512M or 8G"));
}

TEST_F(DeviceErrors, ALibraryOfAnotherBuildIsRefused) {
  // A folder like an installation's, with a program and a library that do not belong together.
  program_ = path("tandem");
  std::filesystem::copy_file(TANDEM_PROGRAM, program_);
  std::filesystem::create_directory_symlink(TANDEM_SOFTGPU_FOLDER, path("softgpu"));
  std::filesystem::copy_file(TANDEM_OTHER_BUILD, path("libtandem_cuda.so." TANDEM_LIBRARY_VERSION));
  const Outcome outcome = train("softgpu");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("was not built together with this Tandem"));
  EXPECT_THAT(outcome.err, HasSubstr("it is of build 0123456789abcdef"));
}

}  // namespace
}  // namespace tandem::test

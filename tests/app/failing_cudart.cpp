// Preloaded into a program: the CUDA runtime of a machine where the first question fails, with the
// error that TANDEM_TEST_CUDA_ERROR numbers.
#include <cstdlib>

extern "C" int cudaGetDeviceCount(int* count) {
  *count = 0;
  const char* error = std::getenv("TANDEM_TEST_CUDA_ERROR");
  return error != nullptr ? std::atoi(error) : 0;
}

// A device takes the best of several texts that it can run, also compressed, and beside machine
// code. Devices of different models each take their own, and have their own limits.
// nvcc: -gencode arch=compute_75,code=compute_75 -gencode arch=compute_80,code=sm_80
// nvcc: -gencode arch=compute_86,code=compute_86 -gencode arch=compute_90,code=compute_90
// nvcc: -Xfatbin=-compress-all
// run: a100
// run: rtx4090
// run: h100
// run: h100,a100,rtx4090
#include <unistd.h>

#include <string>

#include "check.cuh"

__global__ void which(int* out) {
#ifdef __CUDA_ARCH__
  *out = __CUDA_ARCH__;
#endif
}

__global__ void multiprocessors(int* out) {
  int count;
  asm volatile("mov.u32 %0, %%nsmid;" : "=r"(count));
  *out = count;
}

__device__ int of_the_device = 7;
__global__ void read_variable(int* out) { *out = of_the_device++; }

struct Limits {
  int architecture, multiprocessors, blocks, shared_optin;
};

Limits limits_of(const std::string& model) {
  if (model == "a100") return {80, 108, 32, 163 << 10};
  if (model == "rtx4090") return {89, 128, 24, 99 << 10};
  return {90, 132, 32, 227 << 10};
}

void check_device(int device, const std::string& model) {
  const Limits limits = limits_of(model);
  CUDA_OK(cudaSetDevice(device));
  int* out;
  CUDA_OK(cudaMallocManaged(&out, sizeof(int)));
  which<<<1, 1>>>(out);
  CUDA_OK(cudaDeviceSynchronize());
  const int expected = limits.architecture == 90 ? 900 : limits.architecture == 89 ? 860 : 750;
  CHECK_AT(*out == expected, "%d", *out);
  multiprocessors<<<1, 1>>>(out);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK_AT(*out == limits.multiprocessors, "%d", *out);
  read_variable<<<1, 1>>>(out);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK_AT(*out == 7, "%d", *out);

  cudaDeviceProp properties;
  CUDA_OK(cudaGetDeviceProperties(&properties, device));
  CHECK(std::string(properties.name).find(model) != std::string::npos);
  CHECK(properties.major * 10 + properties.minor == limits.architecture);
  CHECK(properties.multiProcessorCount == limits.multiprocessors);
  int value = 0;
  CUDA_OK(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  CHECK_AT(value == limits.shared_optin, "%d", value);
  std::size_t free = 0, total = 0;
  CUDA_OK(cudaMemGetInfo(&free, &total));
  CHECK(total == properties.totalGlobalMem);

  cudaFuncAttributes attributes;
  CUDA_OK(cudaFuncGetAttributes(&attributes, which));
  CHECK(attributes.ptxVersion == expected / 10);
  CHECK(attributes.binaryVersion == limits.architecture);
  CUDA_OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&value, which, 32, 0));
  CHECK_AT(value == limits.blocks, "%d", value);
  CUDA_OK(cudaFuncSetAttribute(which, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               limits.shared_optin));
  CUDA_IS(cudaErrorInvalidValue,
          cudaFuncSetAttribute(which, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               limits.shared_optin + 1));
  (void)cudaGetLastError();
  which<<<1, 1, limits.shared_optin>>>(out);
  CUDA_OK(cudaGetLastError());
  CUDA_OK(cudaDeviceSynchronize());
}

int main(int argc, char** argv) {
  const std::string models = argc > 1 ? argv[1] : "a100";
  if (const char* now = getenv("SOFTGPU_MODEL"); now == nullptr || now != models) {
    // It is read when the program's variables are registered, before this.
    setenv("SOFTGPU_MODEL", models.c_str(), 1);
    execv("/proc/self/exe", argv);
    return 1;
  }
  int count = 0;
  CUDA_OK(cudaGetDeviceCount(&count));
  int device = 0;
  for (std::size_t at = 0; at <= models.size(); ++device) {
    const std::size_t end = std::min(models.find(',', at), models.size());
    check_device(device, models.substr(at, end - at));
    at = end + 1;
  }
  CHECK_AT(count == device, "%d", count);
  return verdict();
}

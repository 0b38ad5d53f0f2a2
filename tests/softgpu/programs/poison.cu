// env: SOFTGPU_POISON=1
//
// Memory that was never written, or was freed, shows itself: as a float it is no number, as an
// integer it is large.
#include <cmath>
#include <vector>

#include "check.cuh"

constexpr unsigned fresh = 0x7ffb7ffb;

__device__ unsigned zero[64];
__global__ void copy_out(const unsigned* from, unsigned* to, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) to[i] = from[i];
}
__global__ void of_shared(unsigned* to) {
  __shared__ unsigned box[64];
  extern __shared__ unsigned more[];
  to[threadIdx.x] = box[threadIdx.x];
  to[threadIdx.x + 64] = more[threadIdx.x];
}
__global__ void of_heap(unsigned* to) {
  unsigned* mine = static_cast<unsigned*>(malloc(64));
  to[threadIdx.x] = mine[3];
  free(mine);
}

bool all_fresh(const std::vector<unsigned>& of) {
  for (const unsigned one : of) {
    if (one != fresh) return false;
  }
  return true;
}

int main() {
  for (const std::size_t bytes : {std::size_t{1024}, std::size_t{5} << 20, std::size_t{70} << 20}) {
    char* p;
    CUDA_OK(cudaMalloc(&p, bytes));
    std::vector<unsigned> first(256), last(256);
    CUDA_OK(cudaMemcpy(first.data(), p, 1024, cudaMemcpyDeviceToHost));
    CUDA_OK(cudaMemcpy(last.data(), p + bytes - 1024, 1024, cudaMemcpyDeviceToHost));
    CHECK(all_fresh(first) && all_fresh(last));
    CUDA_OK(cudaMemset(p, 0, bytes));
    CUDA_OK(cudaFree(p));
    // Again, perhaps at the same place.
    CUDA_OK(cudaMallocAsync(reinterpret_cast<void**>(&p), bytes, nullptr));
    CUDA_OK(cudaMemcpy(first.data(), p, 1024, cudaMemcpyDeviceToHost));
    CHECK(all_fresh(first));
    CUDA_OK(cudaFreeAsync(p, nullptr));
  }
  // An allocation larger than the machine costs nothing until it is touched, poisoned or not.
  void* large;
  if (cudaMalloc(&large, std::size_t{1} << 33) == cudaSuccess) {
    unsigned word = 0;
    CUDA_OK(cudaMemcpy(&word, static_cast<char*>(large) + (std::size_t{1} << 32) + 4, 4,
                       cudaMemcpyDeviceToHost));
    CHECK(word == fresh);
    CUDA_OK(cudaFree(large));
  } else {
    (void)cudaGetLastError();
  }
  unsigned* out;
  CUDA_OK(cudaMallocManaged(&out, 1024));
  CHECK(out[5] == fresh && std::isnan(reinterpret_cast<float*>(out)[7]) &&
        std::isnan(reinterpret_cast<double*>(out)[9]));
  for (int again = 0; again < 2; ++again) {
    of_shared<<<4, 64, 256>>>(out);
    CUDA_OK(cudaDeviceSynchronize());
    for (int i = 0; i < 128; ++i) CHECK_AT(out[i] == fresh, "%d: %x", i, out[i]);
  }
  of_heap<<<1, 32>>>(out);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK(out[31] == fresh);
  // Variables are zero from the start, as C++ has it.

  unsigned* address;
  CUDA_OK(cudaGetSymbolAddress(reinterpret_cast<void**>(&address), zero));
  copy_out<<<1, 32>>>(address, out, 64);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK(out[63] == 0);
  return verdict();
}

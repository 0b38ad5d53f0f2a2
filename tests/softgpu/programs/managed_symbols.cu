// A managed variable as a symbol: its address, its size, copies to and from it.
#include "check.cuh"

__managed__ int values[4] = {1, 2, 3, 4};
__device__ int plain = 9;

__global__ void add(int* at) { at[threadIdx.x] += plain; }

int main() {
  void* address = nullptr;
  size_t bytes = 0;
  CUDA_OK(cudaGetSymbolAddress(&address, values));
  CHECK(address == (void*)values);
  CUDA_OK(cudaGetSymbolSize(&bytes, values));
  CHECK(bytes == sizeof values);
  const int other[4] = {5, 6, 7, 8};
  CUDA_OK(cudaMemcpyToSymbol(values, other, sizeof other));
  add<<<1, 4>>>(static_cast<int*>(address));
  int back[4];
  CUDA_OK(cudaMemcpyFromSymbol(back, values, sizeof back));
  for (int i = 0; i < 4; ++i) CHECK_AT(back[i] == other[i] + 9 && values[i] == back[i], "%d", i);
  CUDA_IS(cudaErrorInvalidValue, cudaMemcpyToSymbol(values, other, sizeof other, 4));
  const int none = 0;
  CUDA_IS(cudaErrorInvalidSymbol, cudaGetSymbolAddress(&address, none));
  (void)cudaGetLastError();
  return verdict();
}

// A surface object on the levels of a mipmapped array that was made without
// cudaArraySurfaceLoadStore, as programs make mipmaps; a plain array needs the flag.
#include <string>

#include "capture.cuh"
#include "check.cuh"

__global__ void put(cudaSurfaceObject_t surface, int width) {
  if (threadIdx.x < width) {
    surf2Dwrite(static_cast<float>(threadIdx.x + 1), surface, threadIdx.x * 4, blockIdx.x);
  }
}

cudaError_t make(cudaSurfaceObject_t* surface, cudaArray_t array) {
  cudaResourceDesc resource{};
  resource.resType = cudaResourceTypeArray;
  resource.res.array.array = array;
  return cudaCreateSurfaceObject(surface, &resource);
}

int main() {
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  cudaMipmappedArray_t mipmap;
  CUDA_OK(cudaMallocMipmappedArray(&mipmap, &format, cudaExtent{32, 32, 0}, 3));
  for (unsigned level = 0; level < 3; ++level) {
    const int size = 32 >> level;
    cudaArray_t array;
    CUDA_OK(cudaGetMipmappedArrayLevel(&array, mipmap, level));
    cudaSurfaceObject_t surface;
    CUDA_OK(make(&surface, array));
    put<<<size, 32>>>(surface, size);
    CUDA_OK(cudaDeviceSynchronize());
    float row[32] = {};
    CUDA_OK(cudaMemcpy2DFromArray(row, sizeof row, array, 0, size - 1, size * 4, 1,
                                  cudaMemcpyDeviceToHost));
    for (int i = 0; i < size; ++i) CHECK(row[i] == i + 1);
    CUDA_OK(cudaDestroySurfaceObject(surface));
  }
  cudaArray_t plain;
  CUDA_OK(cudaMallocArray(&plain, &format, 32, 32));
  cudaSurfaceObject_t surface;
  Capture capture;
  CUDA_IS(cudaErrorInvalidValue, make(&surface, plain));
  const std::string text = capture.text();
  CHECK_AT(text.find("without cudaArraySurfaceLoadStore") != std::string::npos, "%s", text.c_str());
  (void)cudaGetLastError();
  return verdict();
}

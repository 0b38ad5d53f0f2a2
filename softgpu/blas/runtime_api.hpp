// The few entry points of the CUDA runtime that the BLAS libraries call, as libcudart.so.13 exports
// them: nothing else of the software GPU is used, so they run on any libcudart whose device memory
// the processor can address.
#pragma once

#include <cstddef>

#include "softgpu/blas/types.hpp"

extern "C" {

enum cudaMemcpyKind { cudaMemcpyDefault = 4 };

// Layout of the CUDA runtime's struct of the same name.
struct cudaPointerAttributes {
  int type;  // 0: memory that the runtime does not know, 1: host, 2: device, 3: managed
  int device;
  void* devicePointer;
  void* hostPointer;
  long reserved[8];
};

int cudaStreamIsCapturing(cudaStream_t stream, int* status);
int cudaStreamQuery(cudaStream_t stream);
int cudaStreamGetFlags(cudaStream_t stream, unsigned* flags);
int cudaPeekAtLastError();
int cudaLaunchHostFunc(cudaStream_t stream, void (*function)(void*), void* argument);
int cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer);
int cudaStreamSynchronize(cudaStream_t stream);
int cudaMalloc(void** pointer, std::size_t bytes);
int cudaFree(void* pointer);
int cudaGetDevice(int* device);
int cudaGetDeviceCount(int* count);
int cudaGetLastError();
}

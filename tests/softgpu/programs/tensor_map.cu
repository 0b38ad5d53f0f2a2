// Copies of tiles by a tensor map, which the program gets from the driver's encoder by its name.
// nvcc: -arch=compute_90
// env: SOFTGPU_MODEL=h100
#include <cuda.h>
#include <cudaTypedefs.h>
#include <cuda/barrier>
#include <cuda/ptx>

#include <vector>

#include "check.cuh"

namespace ptx = cuda::ptx;

constexpr int tile = 32;

// Transposes by tiles: a block brings one tile in and takes its transpose out.
__global__ void transpose(const __grid_constant__ CUtensorMap in,
                          const __grid_constant__ CUtensorMap out) {
  __shared__ alignas(128) float arrived[tile][tile];
  __shared__ alignas(128) float leaving[tile][tile];
#pragma nv_diag_suppress static_var_with_dynamic_init
  __shared__ cuda::barrier<cuda::thread_scope_block> ready;
  const int x = blockIdx.x * tile;
  const int y = blockIdx.y * tile;
  if (threadIdx.x == 0) init(&ready, blockDim.x);
  __syncthreads();
  cuda::barrier<cuda::thread_scope_block>::arrival_token token;
  if (threadIdx.x == 0) {
    const int at[2] = {x, y};
    ptx::cp_async_bulk_tensor(ptx::space_cluster, ptx::space_global, arrived, &in, at,
                              cuda::device::barrier_native_handle(ready));
    token = cuda::device::barrier_arrive_tx(ready, 1, sizeof arrived);
  } else {
    token = ready.arrive();
  }
  ready.wait(std::move(token));
  for (int i = threadIdx.x; i < tile * tile; i += blockDim.x)
    leaving[i % tile][i / tile] = arrived[i / tile][i % tile];
  ptx::fence_proxy_async(ptx::space_shared);
  __syncthreads();
  if (threadIdx.x == 0) {
    const int at[2] = {y, x};
    ptx::cp_async_bulk_tensor(ptx::space_global, ptx::space_shared, &out, at, leaving);
    ptx::cp_async_bulk_commit_group();
    ptx::cp_async_bulk_wait_group_read(ptx::n32_t<0>());
  }
}

CUtensorMap make_map(PFN_cuTensorMapEncodeTiled_v12000 encode, float* data, int width, int height) {
  CUtensorMap map;
  const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(width), static_cast<cuuint64_t>(height)};
  const cuuint64_t strides[1] = {width * sizeof(float)};
  const cuuint32_t box[2] = {tile, tile};
  const cuuint32_t steps[2] = {1, 1};
  const CUresult result =
      encode(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 2, data, sizes, strides, box, steps,
             CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE,
             CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  CHECK(result == CUDA_SUCCESS);
  return map;
}

int main() {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult status;
  CUDA_OK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000,
                                           cudaEnableDefault, &status));
  CHECK(status == cudaDriverEntryPointSuccess && found != nullptr);
  if (found == nullptr) return verdict();
  const auto encode = reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(found);

  // Not multiples of the tile: what is outside is neither read nor written.
  const int width = 100, height = 76;
  std::vector<float> in(width * height), out(width * height);
  for (int i = 0; i < width * height; ++i) in[i] = static_cast<float>(i);
  float *device_in, *device_out;
  CUDA_OK(cudaMalloc(&device_in, in.size() * sizeof(float)));
  CUDA_OK(cudaMalloc(&device_out, out.size() * sizeof(float)));
  CUDA_OK(cudaMemcpy(device_in, in.data(), in.size() * sizeof(float), cudaMemcpyHostToDevice));
  transpose<<<dim3((width + tile - 1) / tile, (height + tile - 1) / tile), 128>>>(
      make_map(encode, device_in, width, height), make_map(encode, device_out, height, width));
  CUDA_OK(cudaGetLastError());
  CUDA_OK(cudaMemcpy(out.data(), device_out, out.size() * sizeof(float), cudaMemcpyDeviceToHost));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      CHECK_AT(out[x * height + y] == in[y * width + x], "(%d, %d): %g", x, y, out[x * height + y]);
    }
  }
  CUDA_OK(cudaFree(device_in));
  CUDA_OK(cudaFree(device_out));
  return verdict();
}

// Launches with clusters: their shape, what is refused, shared memory of the neighbours.
// nvcc: -arch=compute_90
// env: SOFTGPU_MODEL=h100
#include <cooperative_groups.h>

#include "check.cuh"

namespace cg = cooperative_groups;

__global__ void ring(int* out) {
  __shared__ int mine;
  const cg::cluster_group cluster = cg::this_cluster();
  if (threadIdx.x == 0) mine = 100 + blockIdx.x;
  cluster.sync();
  if (threadIdx.x == 0) {
    const unsigned next = (cluster.block_rank() + 1) % cluster.num_blocks();
    out[blockIdx.x] = *cluster.map_shared_rank(&mine, next);
  }
  cluster.sync();
}

__global__ void __cluster_dims__(2, 1, 1) fixed(int* out) {
  if (threadIdx.x == 0) out[blockIdx.x] = cg::this_cluster().block_rank();
}

cudaError_t launch(int blocks, int cluster, int* out) {
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = 64;
  cudaLaunchAttribute attribute[1];
  attribute[0].id = cudaLaunchAttributeClusterDimension;
  attribute[0].val.clusterDim.x = cluster;
  attribute[0].val.clusterDim.y = 1;
  attribute[0].val.clusterDim.z = 1;
  config.attrs = attribute;
  config.numAttrs = 1;
  return cudaLaunchKernelEx(&config, ring, out);
}

int main() {
  int* out;
  CUDA_OK(cudaMallocManaged(&out, 64 * sizeof(int)));
  for (const int cluster : {1, 2, 4, 8}) {
    CUDA_OK(launch(32, cluster, out));
    CUDA_OK(cudaDeviceSynchronize());
    for (int i = 0; i < 32; ++i) {
      const int expected = 100 + i / cluster * cluster + (i + 1) % cluster;
      CHECK_AT(out[i] == expected, "cluster %d, block %d: %d", cluster, i, out[i]);
    }
  }
  CUDA_IS(cudaErrorInvalidClusterSize, launch(32, 16, out));
  CUDA_OK(cudaFuncSetAttribute(ring, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  CUDA_OK(launch(32, 16, out));
  CUDA_IS(cudaErrorInvalidClusterSize, launch(33, 2, out));
  (void)cudaGetLastError();
  fixed<<<4, 32>>>(out);
  CUDA_OK(cudaDeviceSynchronize());
  for (int i = 0; i < 4; ++i) CHECK(out[i] == i % 2);
  fixed<<<3, 32>>>(out);
  CUDA_IS(cudaErrorInvalidClusterSize, cudaGetLastError());
  cudaFuncAttributes attributes;
  CUDA_OK(cudaFuncGetAttributes(&attributes, fixed));
  CHECK(attributes.requiredClusterWidth == 2);
  return verdict();
}

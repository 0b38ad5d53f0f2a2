#include "cuda/core/long_sum.cuh"

namespace tandem::cuda {

__global__ void add_blocks_kernel(const double* partial, Index blocks, Index columns,
                                  bool accumulate, double* total) {
  const Index column = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  double sum = accumulate ? total[column] : 0.0;
  constexpr int ahead = 8;
  Index b = 0;
  for (; b + ahead <= blocks; b += ahead) {
    double values[ahead];
#pragma unroll
    for (int i = 0; i < ahead; ++i) values[i] = partial[(b + i) * columns + column];
#pragma unroll
    for (int i = 0; i < ahead; ++i) sum += values[i];
  }
  for (; b < blocks; ++b) sum += partial[b * columns + column];
  total[column] = sum;
}

void add_blocks(CudaEngine& engine, const double* partial, Index blocks, Index columns,
                bool accumulate, double* total) {
  const unsigned threads = engine.block_threads(128);
  engine.launch(
      add_blocks_kernel,
      {.grid = dim3(static_cast<unsigned>(blocks_for(columns, threads))), .block = dim3(threads)},
      partial, blocks, columns, accumulate, total);
}

}  // namespace tandem::cuda

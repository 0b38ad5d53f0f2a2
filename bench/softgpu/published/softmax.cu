// Softmax of 65,536 columns in one pass for maximum and sum and one for the results: a thread a
// row; a block of 256 threads a row with a tree in shared memory; the same with shuffles.
#include "published.cuh"

namespace {

// Takes the maximum and sum of another part of the row in.
__device__ void join(float& maximum, float& sum, float other_maximum, float other_sum) {
  const float both = fmaxf(maximum, other_maximum);
  sum = sum * expf(maximum - both) + other_sum * expf(other_maximum - both);
  maximum = both;
}

__device__ void take(float& maximum, float& sum, float value) {
  const float both = fmaxf(maximum, value);
  sum = sum * expf(maximum - both) + expf(value - both);
  maximum = both;
}

__global__ void softmax_by_thread(const float* in, float* out, std::size_t n, std::size_t rows) {
  const std::size_t row = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const std::size_t first = row * n;
  float maximum = in[first];
  float sum = 1;
  for (std::size_t i = 1; i < n; ++i) take(maximum, sum, in[first + i]);
  for (std::size_t i = 0; i < n; ++i) out[first + i] = expf(in[first + i] - maximum) / sum;
}

__device__ void own_part(const float* in, std::size_t n, float& maximum, float& sum) {
  maximum = in[threadIdx.x];
  sum = 1;
  for (std::size_t i = threadIdx.x + blockDim.x; i < n; i += blockDim.x) take(maximum, sum, in[i]);
}

__device__ void write_row(const float* in, float* out, std::size_t n, float maximum, float sum) {
  for (std::size_t i = threadIdx.x; i < n; i += blockDim.x) out[i] = expf(in[i] - maximum) / sum;
}

__global__ void softmax_by_tree(const float* in, float* out, std::size_t n, std::size_t) {
  extern __shared__ float part[];  // maxima, then sums
  in += blockIdx.x * n;
  out += blockIdx.x * n;
  float maximum = 0;
  float sum = 0;
  own_part(in, n, maximum, sum);
  part[threadIdx.x] = maximum;
  part[threadIdx.x + blockDim.x] = sum;
  __syncthreads();
  for (unsigned active = blockDim.x / 2; active > 0; active /= 2) {
    if (threadIdx.x < active) {
      join(maximum, sum, part[threadIdx.x + active], part[threadIdx.x + active + blockDim.x]);
      part[threadIdx.x] = maximum;
      part[threadIdx.x + blockDim.x] = sum;
    }
    __syncthreads();
  }
  write_row(in, out, n, part[0], part[blockDim.x]);
}

__device__ void warp_join(float& maximum, float& sum) {
  for (int offset = 16; offset > 0; offset /= 2) {
    const float other_maximum = __shfl_down_sync(0xffffffffU, maximum, offset);
    const float other_sum = __shfl_down_sync(0xffffffffU, sum, offset);
    join(maximum, sum, other_maximum, other_sum);
  }
}

__global__ void softmax_by_shuffles(const float* in, float* out, std::size_t n, std::size_t) {
  extern __shared__ float part[];
  in += blockIdx.x * n;
  out += blockIdx.x * n;
  const unsigned lane = threadIdx.x % 32;
  const unsigned warp = threadIdx.x / 32;
  float maximum = 0;
  float sum = 0;
  own_part(in, n, maximum, sum);
  warp_join(maximum, sum);
  if (lane == 0) {
    part[2 * warp] = maximum;
    part[2 * warp + 1] = sum;
  }
  __syncthreads();
  maximum = lane < blockDim.x / 32 ? part[2 * lane] : -1e30F;
  sum = lane < blockDim.x / 32 ? part[2 * lane + 1] : 0;
  warp_join(maximum, sum);
  maximum = __shfl_sync(0xffffffffU, maximum, 0);
  sum = __shfl_sync(0xffffffffU, sum, 0);
  write_row(in, out, n, maximum, sum);
}

// The kernel that has a row for each thread runs with as many threads as what was measured.
template <auto Kernel, int Rows, int Columns, bool ByThread>
double softmax() {
  constexpr std::size_t n = std::size_t{Rows} * Columns;
  std::vector<float> host = numbers<float>(n, 1000);
  for (float& x : host) x = x / 100 - 5;
  const float* const in = device_copy(host);
  float* const out = device_array<float>(n);
  like_after_a_run();
  Kernel<<<ByThread ? Rows / 256 : Rows, 256, ByThread ? 0 : 2 * 256 * sizeof(float)>>>(
      in, out, Columns, Rows);
  CUDA_OK(cudaGetLastError());
  const std::vector<float> result = host_copy(out, n);
  for (int row = 0; row < Rows; row += 97) {
    double sum = 0;
    for (int i = 0; i < Columns; ++i)
      sum += result[std::size_t{static_cast<unsigned>(row)} * Columns + i];
    require(std::abs(sum - 1) < 1e-3, "softmax");
  }
  return 2.0 * sizeof(float) * n;
}

}  // namespace

int main(int argc, char** argv) {
  return run_case(argc, argv,
                  {{"thread", softmax<softmax_by_thread, 1024, 2048, true>},
                   {"tree", softmax<softmax_by_tree, 512, 65536, false>},
                   {"shuffles", softmax<softmax_by_shuffles, 512, 65536, false>}});
}

// A sum: strided over the grid, then a tree in shared memory, one partial sum for each block.
#include "bench.cuh"

constexpr int n = 1 << 24;
constexpr int blocks = 256, threads = 256;

__global__ void reduce(const float* in, float* partial) {
  __shared__ float sums[threads];
  float sum = 0;
  for (int i = blockIdx.x * threads + threadIdx.x; i < n; i += blocks * threads) sum += in[i];
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (int half = threads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) partial[blockIdx.x] = sums[0];
}

int main() {
  const std::vector<float> in = numbers(n);
  const float* device_in = device_copy(in);
  float* partial = device_array<float>(blocks);
  double plain = 0;
  return compare([&] { reduce<<<blocks, threads>>>(device_in, partial); },
                 [&] {
                   // Lanes of a vector and then threads, so that it vectorises without -ffast-math.
                   double sum = 0;
#pragma omp parallel for reduction(+ : sum)
                   for (int first = 0; first < n; first += 1 << 16) {
                     float lanes[32] = {};
                     for (int i = first; i < first + (1 << 16); i += 32) {
                       for (int lane = 0; lane < 32; ++lane) lanes[lane] += in[i + lane];
                     }
                     for (const float lane : lanes) sum += lane;
                   }
                   plain = sum;
                 },
                 [&] {
                   double sum = 0;
                   for (const float s : host_copy(partial, blocks)) sum += s;
                   return std::abs(sum - plain) < 1e-5 * plain;
                 });
}

// Nearest of 1,024 centroids for each point: a block of 64 by 4 threads keeps 256 points in shared
// memory and goes through the centroids 16 at a time; a thread has four points and four centroids
// in registers (Krulis and Kratochvil, "Detailed Analysis and Optimization of CUDA K-means
// Algorithm", ICPP 2020). What was measured is a whole iteration; the update of the centroids,
// which is left out here, is a few percent of it at this number.
#include "published.cuh"

#include <algorithm>

namespace {

constexpr int centroids = 1024;
constexpr int points_x = 64;
constexpr int threads_y = 4;
constexpr int own = 4;  // points, and centroids, of a thread

template <int Dimensions>
__global__ void assign(const float* points, const float* means, unsigned* nearest, int k) {
  extern __shared__ float shared[];
  float* const of_points = shared;  // dimension by dimension
  float* const of_means = of_points + Dimensions * points_x * own;
  float* const distances = of_means + Dimensions * threads_y * own;
  unsigned* const numbers_of = reinterpret_cast<unsigned*>(distances + points_x * threads_y);
  const int thread = threadIdx.y * points_x + threadIdx.x;
  const int first = blockIdx.x * points_x * own + threadIdx.x;
  for (int d = threadIdx.y; d < Dimensions; d += threads_y) {
#pragma unroll
    for (int p = 0; p < own; ++p) {
      of_points[(d * own + p) * points_x + threadIdx.x] =
          points[(first + p * points_x) * Dimensions + d];
    }
  }
  float best[own];
  unsigned best_number[own];
#pragma unroll
  for (int p = 0; p < own; ++p) {
    best[p] = 1e30F;
    best_number[p] = k;
  }
  constexpr int together = threads_y * own;
  for (int from = 0; from < k; from += together) {
    for (int i = thread; i < Dimensions * together; i += points_x * threads_y) {
      of_means[i] = means[(from + i % together) * Dimensions + i / together];
    }
    __syncthreads();
    float sums[own][own] = {};
    const float* of_point = of_points + threadIdx.x;
    const float* of_mean = of_means + threadIdx.y;
#pragma unroll 8
    for (int d = 0; d < Dimensions; ++d) {
      float left[own];
      float right[own];
#pragma unroll
      for (int p = 0; p < own; ++p, of_point += points_x) left[p] = *of_point;
#pragma unroll
      for (int m = 0; m < own; ++m, of_mean += threads_y) right[m] = *of_mean;
#pragma unroll
      for (int p = 0; p < own; ++p) {
#pragma unroll
        for (int m = 0; m < own; ++m) {
          const float difference = left[p] - right[m];
          sums[p][m] += difference * difference;
        }
      }
    }
#pragma unroll
    for (int p = 0; p < own; ++p) {
#pragma unroll
      for (int m = 0; m < own; ++m) {
        const float distance = sqrtf(sums[p][m]);
        if (distance < best[p]) {
          best[p] = distance;
          best_number[p] = from + threadIdx.y + m * threads_y;
        }
      }
    }
    __syncthreads();
  }
  for (int p = 0; p < own; ++p) {
    distances[thread] = best[p];
    numbers_of[thread] = best_number[p];
    __syncthreads();
    if (threadIdx.y == 0) {
      for (int i = threadIdx.x + points_x; i < points_x * threads_y; i += points_x) {
        if (distances[i] < best[p]) {
          best[p] = distances[i];
          best_number[p] = numbers_of[i];
        }
      }
      nearest[first + p * points_x] = best_number[p];
    }
    __syncthreads();
  }
}

// Work is points: the measurements are of 2^20.
template <int Dimensions, int Points>
double kmeans() {
  const std::vector<float> points = numbers<float>(std::size_t{Points} * Dimensions, 1000);
  const std::vector<float> means = numbers<float>(std::size_t{centroids} * Dimensions, 997);
  const float* const device_points = device_copy(points);
  const float* const device_means = device_copy(means);
  unsigned* const nearest = device_array<unsigned>(Points);
  constexpr int together = threads_y * own;
  constexpr int shared = static_cast<int>(sizeof(float)) *
                         (Dimensions * (points_x * own + together) + 2 * points_x * threads_y);
  CUDA_OK(cudaFuncSetAttribute(assign<Dimensions>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               shared));
  assign<Dimensions><<<Points / (points_x * own), dim3(points_x, threads_y), shared>>>(
      device_points, device_means, nearest, centroids);
  CUDA_OK(cudaGetLastError());
  const std::vector<unsigned> result = host_copy(nearest, Points);
  for (int p = 0; p < Points; p += 4099) {
    double least = 1e30;
    double found = 1e31;
    for (int m = 0; m < centroids; ++m) {
      double sum = 0;
      for (int d = 0; d < Dimensions; ++d) {
        const double difference = points[p * Dimensions + d] - means[m * Dimensions + d];
        sum += difference * difference;
      }
      least = std::min(least, sum);
      if (static_cast<unsigned>(m) == result[p]) found = sum;
    }
    require(found <= least * (1 + 1e-5), "assignment");
  }
  return Points;
}

}  // namespace

// 432 blocks of 256 points: a whole number of rounds of 108 multiprocessors.
int main(int argc, char** argv) {
  return run_case(
      argc, argv,
      {{"16", kmeans<16, 110592>}, {"32", kmeans<32, 110592>}, {"64", kmeans<64, 110592>}});
}

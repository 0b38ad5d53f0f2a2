// The assignment step of k-means: one thread for a row, the centroids in shared memory.
#include "bench.cuh"

constexpr int n = 1 << 16, k = 32, d = 16, threads = 128;

__global__ void assign(const float* columns, const float* centroids, int* labels) {
  __shared__ float own[k * d];
  for (int i = threadIdx.x; i < k * d; i += threads) own[i] = centroids[i];
  __syncthreads();
  const int row = blockIdx.x * threads + threadIdx.x;
  float x[d];
  for (int j = 0; j < d; ++j) x[j] = columns[j * n + row];
  float best = INFINITY;
  int label = 0;
  for (int c = 0; c < k; ++c) {
    float distance = 0;
    for (int j = 0; j < d; ++j) {
      const float difference = x[j] - own[c * d + j];
      distance = fmaf(difference, difference, distance);
    }
    if (distance < best) {
      best = distance;
      label = c;
    }
  }
  labels[row] = label;
}

int main() {
  const std::vector<float> columns = numbers(static_cast<std::size_t>(n) * d, 1);
  const std::vector<float> centroids = numbers(k * d, 2);
  const float* device_columns = device_copy(columns);
  const float* device_centroids = device_copy(centroids);
  int* labels = device_array<int>(n);
  std::vector<int> plain(n);
  return compare(
      [&] { assign<<<n / threads, threads>>>(device_columns, device_centroids, labels); },
      [&] {
#pragma omp parallel for
        for (int first = 0; first < n; first += 32) {
          float best[32];
          int label[32];
          for (int r = 0; r < 32; ++r) best[r] = INFINITY;
          for (int c = 0; c < k; ++c) {
            float distance[32] = {};
            for (int j = 0; j < d; ++j) {
              for (int r = 0; r < 32; ++r) {
                const float difference = columns[j * n + first + r] - centroids[c * d + j];
                distance[r] = std::fma(difference, difference, distance[r]);
              }
            }
            for (int r = 0; r < 32; ++r) {
              label[r] = distance[r] < best[r] ? c : label[r];
              best[r] = distance[r] < best[r] ? distance[r] : best[r];
            }
          }
          for (int r = 0; r < 32; ++r) plain[first + r] = label[r];
        }
      },
      [&] { return host_copy(labels, n) == plain; });
}

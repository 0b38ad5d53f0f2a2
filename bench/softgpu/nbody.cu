// Gravitational accelerations, all pairs, bodies through shared memory.
#include "bench.cuh"

constexpr int n = 4096, threads = 128;
constexpr float softening = 1e-3f;

__global__ void accelerate(const float4* bodies, float4* out) {
  __shared__ float4 box[threads];
  const int i = blockIdx.x * threads + threadIdx.x;
  const float4 me = bodies[i];
  float ax = 0, ay = 0, az = 0;
  for (int first = 0; first < n; first += threads) {
    box[threadIdx.x] = bodies[first + threadIdx.x];
    __syncthreads();
    for (int j = 0; j < threads; ++j) {
      const float4 other = box[j];
      const float dx = other.x - me.x, dy = other.y - me.y, dz = other.z - me.z;
      const float inverse = rsqrtf(dx * dx + dy * dy + dz * dz + softening);
      const float pull = other.w * inverse * inverse * inverse;
      ax += dx * pull;
      ay += dy * pull;
      az += dz * pull;
    }
    __syncthreads();
  }
  out[i] = make_float4(ax, ay, az, 0);
}

int main() {
  const std::vector<float> values = numbers(n * 4);
  std::vector<float4> bodies(n);
  // Coordinates apart, so that the loop over bodies vectorises.
  std::vector<float> x(n), y(n), z(n), mass(n), ax(n), ay(n), az(n);
  for (int i = 0; i < n; ++i) {
    x[i] = values[4 * i];
    y[i] = values[4 * i + 1];
    z[i] = values[4 * i + 2];
    mass[i] = values[4 * i + 3];
    bodies[i] = make_float4(x[i], y[i], z[i], mass[i]);
  }
  const float4* device_bodies = device_copy(bodies);
  float4* out = device_array<float4>(n);
  return compare([&] { accelerate<<<n / threads, threads>>>(device_bodies, out); },
                 [&] {
#pragma omp parallel for
                   for (int first = 0; first < n; first += 16) {
                     float sx[16] = {}, sy[16] = {}, sz[16] = {};
                     for (int j = 0; j < n; ++j) {
                       for (int k = 0; k < 16; ++k) {
                         const float dx = x[j] - x[first + k], dy = y[j] - y[first + k];
                         const float dz = z[j] - z[first + k];
                         const float inverse =
                             1.0f / std::sqrt(dx * dx + dy * dy + dz * dz + softening);
                         const float pull = mass[j] * inverse * inverse * inverse;
                         sx[k] += dx * pull;
                         sy[k] += dy * pull;
                         sz[k] += dz * pull;
                       }
                     }
                     for (int k = 0; k < 16; ++k) {
                       ax[first + k] = sx[k];
                       ay[first + k] = sy[k];
                       az[first + k] = sz[k];
                     }
                   }
                 },
                 [&] {
                   const std::vector<float4> got = host_copy(out, n);
                   for (int i = 0; i < n; ++i) {
                     // Relative to the sum of what is added: thousands of pulls.
                     const float bound = 1e-3f * (1000 + std::abs(ax[i]));
                     if (std::abs(got[i].x - ax[i]) > bound || std::abs(got[i].y - ay[i]) > bound ||
                         std::abs(got[i].z - az[i]) > bound) {
                       std::fprintf(stderr, "at %d: %g, plain C++ %g\n", i, got[i].x, ax[i]);
                       return false;
                     }
                   }
                   return true;
                 });
}

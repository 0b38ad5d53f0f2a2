// The counters that a program reads of its kernels equal the work that they were written to do.
#include <dlfcn.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "check.cuh"

constexpr int tile = 16;

// One block computes a tile of C, of n by n; tiles of A and B pass through shared memory.
__global__ void matmul_tiled(const float* a, const float* b, float* c, int n) {
  __shared__ float part_a[tile][tile];
  __shared__ float part_b[tile][tile];
  const int row = blockIdx.y * tile + threadIdx.y;
  const int column = blockIdx.x * tile + threadIdx.x;
  float sum = 0;
  for (int k = 0; k < n; k += tile) {
    part_a[threadIdx.y][threadIdx.x] = a[row * n + k + threadIdx.x];
    part_b[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + column];
    __syncthreads();
    for (int i = 0; i < tile; ++i) {
      sum = fmaf(part_a[threadIdx.y][i], part_b[i][threadIdx.x], sum);
    }
    __syncthreads();
  }
  c[row * n + column] = sum;
}

// Transposes through shared memory whose rows are `Width` floats apart.
template <int Width>
__global__ void transpose(const float* in, float* out, int n) {
  __shared__ float part[32][Width];
  const int x = blockIdx.x * 32 + threadIdx.x;
  const int y = blockIdx.y * 32;
  for (int i = threadIdx.y; i < 32; i += blockDim.y) part[i][threadIdx.x] = in[(y + i) * n + x];
  __syncthreads();
  const int to = blockIdx.y * 32 + threadIdx.x;
  for (int i = threadIdx.y; i < 32; i += blockDim.y) {
    out[(blockIdx.x * 32 + i) * n + to] = part[threadIdx.x][i];
  }
}

// The number behind the path of names, in text that is one object per kernel. What a program with a
// JSON reader would do in a line.
double value(const std::string& json, std::initializer_list<const char*> path) {
  std::size_t at = 0;
  for (const char* name : path) {
    at = json.find('"' + std::string(name), at);
    if (at == std::string::npos) return -1;
    at += std::string(name).size() + 1;
  }
  return std::strtod(json.c_str() + json.find(':', at) + 1, nullptr);
}

template <class F>
F find(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_DEFAULT, name));
}

template <class Launch>
std::string count(const Launch& launch) {
  find<void (*)(int)>("softgpu_count")(1);
  launch();
  CUDA_OK(cudaDeviceSynchronize());
  find<void (*)(int)>("softgpu_count")(0);
  char* text = find<char* (*)()>("softgpu_counters")();
  std::string result = text;
  std::free(text);
  return result;
}

int main() {
  CHECK(find<int (*)()>("softgpu_version") != nullptr);
  const int n = 96;
  std::vector<float> host(n * n);
  for (int i = 0; i < n * n; ++i) host[i] = static_cast<float>(i % 17);
  float *a, *b, *c;
  for (float** p : {&a, &b, &c}) CUDA_OK(cudaMalloc(p, n * n * sizeof(float)));
  for (float* p : {a, b}) {
    CUDA_OK(cudaMemcpy(p, host.data(), n * n * sizeof(float), cudaMemcpyHostToDevice));
  }

  const std::string m =
      count([&] { matmul_tiled<<<dim3(n / tile, n / tile), dim3(tile, tile)>>>(a, b, c, n); });
  const double cube = static_cast<double>(n) * n * n;
  CHECK(m.find("matmul_tiled(float const*, float const*, float*, int)") != std::string::npos);
  CHECK(value(m, {"blocks"}) == (n / tile) * (n / tile));
  CHECK(value(m, {"threads"}) == n * n);
  CHECK(value(m, {"flops", "f32"}) == 2 * cube);
  // Every tile is loaded n / tile times: once for each block of its row or column.
  CHECK(value(m, {"global", "load", "bytes"}) == 2 * cube / tile * 4);
  CHECK(value(m, {"global", "load", "requests"}) == 2 * cube / tile / 32);
  // A warp has two rows of sixteen floats: 4 sectors.
  CHECK(value(m, {"global", "load", "sectors"}) == 2 * cube / tile * 4 / 32);
  CHECK(value(m, {"global", "load", "ideal_sectors"}) == 2 * cube / tile * 4 / 32);
  CHECK(value(m, {"global", "store", "bytes"}) == n * n * 4);
  CHECK(value(m, {"touched", "read_bytes"}) == 2 * n * n * 4);
  CHECK(value(m, {"touched", "written_bytes"}) == n * n * 4);
  CHECK(value(m, {"shared", "load", "bytes"}) == 2 * cube * 4 ||
        value(m, {"shared", "load", "bytes"}) < 2 * cube * 4);  // wider loads of a row of A
  CHECK(value(m, {"shared", "store", "bytes"}) == 2 * cube / tile * 4);
  CHECK(value(m, {"shared", "store", "wavefronts"}) == 2 * cube / tile / 32);
  CHECK(value(m, {"shared", "store", "ideal_wavefronts"}) == 2 * cube / tile / 32);
  CHECK(value(m, {"instructions", "lanes_active"}) == 1.0);

  const dim3 grid(n / 32, n / 32);
  const std::string conflicts = count([&] { transpose<32><<<grid, dim3(32, 8)>>>(a, c, n); });
  const double requests = n * n / 32;
  CHECK(value(conflicts, {"shared", "load", "requests"}) == requests);
  CHECK(value(conflicts, {"shared", "load", "wavefronts"}) == 32 * requests);
  CHECK(value(conflicts, {"shared", "load", "ideal_wavefronts"}) == requests);
  CHECK(value(conflicts, {"shared", "store", "wavefronts"}) == requests);
  const std::string padded = count([&] { transpose<33><<<grid, dim3(32, 8)>>>(a, c, n); });
  CHECK(value(padded, {"shared", "load", "wavefronts"}) == requests);
  CHECK(value(padded, {"global", "load", "sectors"}) == 4 * requests);
  CHECK(value(padded, {"global", "store", "sectors"}) == 4 * requests);
  CHECK(padded.find("\"flops\": {}") != std::string::npos);
  return verdict();
}

// C = alpha A B + beta C in single precision, in the steps of Simon Boehm's "How to Optimize a CUDA
// Matmul Kernel for cuBLAS-like Performance". What was measured has 4,096 rows, columns and terms;
// here there are fewer terms, and in the first three fewer rows and columns: the blocks of the last
// three come in as many rounds as there.
#include "published.cuh"

namespace {

// A thread per element; `RowsByThread`: neighbouring threads take neighbouring rows.
template <bool RowsByThread>
__global__ void product_by_element(int m, int n, int k, float alpha, const float* a, const float* b,
                                   float beta, float* c) {
  const int first = blockIdx.x * 32 + (RowsByThread ? threadIdx.x % 32 : threadIdx.x / 32);
  const int second = blockIdx.y * 32 + (RowsByThread ? threadIdx.x / 32 : threadIdx.x % 32);
  if (first >= m || second >= n) return;
  float sum = 0;
  for (int i = 0; i < k; ++i) sum += a[first * k + i] * b[i * n + second];
  c[first * n + second] = alpha * sum + beta * c[first * n + second];
}

__global__ void product_in_shared(int, int n, int k, float alpha, const float* a, const float* b,
                                  float beta, float* c) {
  constexpr int tile = 32;
  __shared__ float of_a[tile * tile];
  __shared__ float of_b[tile * tile];
  const int x = threadIdx.x % tile;
  const int y = threadIdx.x / tile;
  a += blockIdx.x * tile * k;
  b += blockIdx.y * tile;
  c += blockIdx.x * tile * n + blockIdx.y * tile;
  float sum = 0;
  for (int step = 0; step < k; step += tile) {
    of_a[y * tile + x] = a[y * k + x];
    of_b[y * tile + x] = b[y * n + x];
    __syncthreads();
    a += tile;
    b += tile * n;
    for (int i = 0; i < tile; ++i) sum += of_a[y * tile + i] * of_b[i * tile + x];
    __syncthreads();
  }
  c[y * n + x] = alpha * sum + beta * c[y * n + x];
}

// Tiles of 64 by 64; a thread has eight elements of a column.
__global__ void product_by_column(int, int n, int k, float alpha, const float* a, const float* b,
                                  float beta, float* c) {
  constexpr int rows = 64;
  constexpr int columns = 64;
  constexpr int depth = 8;
  constexpr int own = 8;
  __shared__ float of_a[rows * depth];
  __shared__ float of_b[depth * columns];
  const int x = threadIdx.x % columns;
  const int y = threadIdx.x / columns;
  a += blockIdx.y * rows * k;
  b += blockIdx.x * columns;
  c += blockIdx.y * rows * n + blockIdx.x * columns;
  const int ax = threadIdx.x % depth;
  const int ay = threadIdx.x / depth;
  float sums[own] = {};
  for (int step = 0; step < k; step += depth) {
    of_a[ay * depth + ax] = a[ay * k + ax];
    of_b[y * columns + x] = b[y * n + x];
    __syncthreads();
    a += depth;
    b += depth * n;
    for (int i = 0; i < depth; ++i) {
      const float value = of_b[i * columns + x];
      for (int r = 0; r < own; ++r) sums[r] += of_a[(y * own + r) * depth + i] * value;
    }
    __syncthreads();
  }
  for (int r = 0; r < own; ++r) {
    float& to = c[(y * own + r) * n + x];
    to = alpha * sums[r] + beta * to;
  }
}

// Tiles of 128 by 128; a thread has eight by eight elements. `Vectors`: four elements a load, and
// A's tile is stored turned, so that its column is a row.
template <bool Vectors>
__global__ void __launch_bounds__(256)
    product_by_square(int, int n, int k, float alpha, const float* a, const float* b, float beta,
                      float* c) {
  constexpr int rows = 128;
  constexpr int columns = 128;
  constexpr int depth = 8;
  constexpr int own = 8;
  __shared__ float of_a[rows * depth];
  __shared__ float of_b[depth * columns];
  const int x = threadIdx.x % (columns / own);
  const int y = threadIdx.x / (columns / own);
  a += blockIdx.y * rows * k;
  b += blockIdx.x * columns;
  c += blockIdx.y * rows * n + blockIdx.x * columns;
  float sums[own * own] = {};
  float left[own] = {};
  float right[own] = {};
  for (int step = 0; step < k; step += depth) {
    if constexpr (Vectors) {
      const int ay = threadIdx.x / (depth / 4);
      const int ax = threadIdx.x % (depth / 4) * 4;
      const float4 v = *reinterpret_cast<const float4*>(&a[ay * k + ax]);
      of_a[(ax + 0) * rows + ay] = v.x;
      of_a[(ax + 1) * rows + ay] = v.y;
      of_a[(ax + 2) * rows + ay] = v.z;
      of_a[(ax + 3) * rows + ay] = v.w;
      const int by = threadIdx.x / (columns / 4);
      const int bx = threadIdx.x % (columns / 4) * 4;
      *reinterpret_cast<float4*>(&of_b[by * columns + bx]) =
          *reinterpret_cast<const float4*>(&b[by * n + bx]);
    } else {
      const int ay = threadIdx.x / depth;
      const int ax = threadIdx.x % depth;
      for (int i = 0; i < rows; i += 256 / depth) {
        of_a[(ay + i) * depth + ax] = a[(ay + i) * k + ax];
      }
      const int by = threadIdx.x / columns;
      const int bx = threadIdx.x % columns;
      for (int i = 0; i < depth; i += 256 / columns) {
        of_b[(by + i) * columns + bx] = b[(by + i) * n + bx];
      }
    }
    __syncthreads();
    a += depth;
    b += depth * n;
    for (int i = 0; i < depth; ++i) {
      for (int r = 0; r < own; ++r) {
        left[r] = Vectors ? of_a[i * rows + y * own + r] : of_a[(y * own + r) * depth + i];
      }
      for (int s = 0; s < own; ++s) right[s] = of_b[i * columns + x * own + s];
      for (int r = 0; r < own; ++r) {
        for (int s = 0; s < own; ++s) sums[r * own + s] += left[r] * right[s];
      }
    }
    __syncthreads();
  }
  for (int r = 0; r < own; ++r) {
    for (int s = 0; s < own; s += Vectors ? 4 : 1) {
      float* const to = &c[(y * own + r) * n + x * own + s];
      if constexpr (Vectors) {
        float4 v = *reinterpret_cast<float4*>(to);
        v.x = alpha * sums[r * own + s] + beta * v.x;
        v.y = alpha * sums[r * own + s + 1] + beta * v.y;
        v.z = alpha * sums[r * own + s + 2] + beta * v.z;
        v.w = alpha * sums[r * own + s + 3] + beta * v.w;
        *reinterpret_cast<float4*>(to) = v;
      } else {
        *to = alpha * sums[r * own + s] + beta * *to;
      }
    }
  }
}

template <auto Kernel, int Block, int TileRows, int TileColumns, int Size, int Terms, bool Turned>
double product() {
  constexpr float alpha = 0.5F;
  constexpr float beta = 3.0F;
  const std::vector<float> a = numbers<float>(std::size_t{Size} * Terms, 8);
  const std::vector<float> b = numbers<float>(std::size_t{Terms} * Size, 9);
  const std::vector<float> c = numbers<float>(std::size_t{Size} * Size, 10);
  float* const on_device = device_copy(c);
  const float* const device_a = device_copy(a);
  const float* const device_b = device_copy(b);
  const dim3 grid = Turned ? dim3(Size / TileColumns, Size / TileRows)
                           : dim3(Size / TileRows, Size / TileColumns);
  Kernel<<<grid, Block>>>(Size, Size, Terms, alpha, device_a, device_b, beta, on_device);
  CUDA_OK(cudaGetLastError());
  const std::vector<float> result = host_copy(on_device, c.size());
  for (std::size_t i = 0; i < c.size(); i += 99991) {
    float sum = 0;
    for (int t = 0; t < Terms; ++t) {
      sum += a[i / Size * Terms + t] * b[std::size_t{static_cast<unsigned>(t)} * Size + i % Size];
    }
    require(result[i] == alpha * sum + beta * c[i], "product");
  }
  return 2.0 * Size * Size * Terms;
}

}  // namespace

int main(int argc, char** argv) {
  return run_case(argc, argv,
                  {{"plain", product<product_by_element<true>, 1024, 32, 32, 2048, 64, false>},
                   {"coalesced", product<product_by_element<false>, 1024, 32, 32, 2048, 64, false>},
                   {"shared", product<product_in_shared, 1024, 32, 32, 2048, 128, false>},
                   {"column", product<product_by_column, 512, 64, 64, 4096, 128, true>},
                   {"square", product<product_by_square<false>, 256, 128, 128, 4096, 128, true>},
                   {"vectors", product<product_by_square<true>, 256, 128, 128, 4096, 128, true>}});
}

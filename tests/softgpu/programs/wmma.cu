// Matrix products with nvcuda::wmma: every type that sm_80 has, both layouts, against plain loops.
// Values are small whole numbers, so that the order of a sum does not matter.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

#include <vector>

#include "check.cuh"

using namespace nvcuda;

// One warp for each tile of C; tiles are M by N, and K is walked in steps.
template <int M, int N, int K, typename In, typename Fragment, typename Acc, typename LayoutA,
          typename LayoutB>
__global__ void multiply(const In* a, const In* b, const Acc* c, Acc* d, int m, int n, int k) {
  const int warp = (blockIdx.x * blockDim.x + threadIdx.x) / warpSize;
  const int row = warp / (n / N) * M;
  const int column = warp % (n / N) * N;
  if (row >= m) return;
  constexpr bool a_row = std::is_same<LayoutA, wmma::row_major>::value;
  constexpr bool b_row = std::is_same<LayoutB, wmma::row_major>::value;
  wmma::fragment<wmma::matrix_a, M, N, K, Fragment, LayoutA> fragment_a;
  wmma::fragment<wmma::matrix_b, M, N, K, Fragment, LayoutB> fragment_b;
  wmma::fragment<wmma::accumulator, M, N, K, Acc> sum, start;
  wmma::fill_fragment(sum, Acc(0));
  for (int step = 0; step < k; step += K) {
    wmma::load_matrix_sync(fragment_a, a_row ? a + row * k + step : a + step * m + row,
                           a_row ? k : m);
    wmma::load_matrix_sync(fragment_b, b_row ? b + step * n + column : b + column * k + step,
                           b_row ? n : k);
    wmma::mma_sync(sum, fragment_a, fragment_b, sum);
  }
  wmma::load_matrix_sync(start, c + row * n + column, n, wmma::mem_row_major);
  for (int i = 0; i < sum.num_elements; ++i) sum.x[i] = Acc(2) * sum.x[i] + start.x[i];
  wmma::store_matrix_sync(d + row * n + column, sum, n, wmma::mem_row_major);
}

template <int M, int N, int K, typename In, typename Fragment, typename Acc, typename LayoutA,
          typename LayoutB>
void test(const char* name) {
  const int m = 4 * M, n = 2 * N, k = 3 * K;
  constexpr bool a_row = std::is_same<LayoutA, wmma::row_major>::value;
  constexpr bool b_row = std::is_same<LayoutB, wmma::row_major>::value;
  Random random;
  std::vector<int> a(m * k), b(k * n), c(m * n);
  for (int& x : a) x = static_cast<int>(random.below(7));
  for (int& x : b) x = static_cast<int>(random.below(5));
  for (int& x : c) x = static_cast<int>(random.below(9));
  std::vector<In> in_a(m * k), in_b(k * n);
  std::vector<Acc> in_c(m * n), out(m * n);
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < k; ++j)
      in_a[a_row ? i * k + j : j * m + i] = static_cast<In>(static_cast<float>(a[i * k + j]));
  }
  for (int i = 0; i < k; ++i) {
    for (int j = 0; j < n; ++j)
      in_b[b_row ? i * n + j : j * k + i] = static_cast<In>(static_cast<float>(b[i * n + j]));
  }
  for (int i = 0; i < m * n; ++i) in_c[i] = static_cast<Acc>(static_cast<float>(c[i]));
  In *device_a, *device_b;
  Acc *device_c, *device_d;
  CUDA_OK(cudaMalloc(&device_a, in_a.size() * sizeof(In)));
  CUDA_OK(cudaMalloc(&device_b, in_b.size() * sizeof(In)));
  CUDA_OK(cudaMalloc(&device_c, in_c.size() * sizeof(Acc)));
  CUDA_OK(cudaMalloc(&device_d, out.size() * sizeof(Acc)));
  CUDA_OK(cudaMemcpy(device_a, in_a.data(), in_a.size() * sizeof(In), cudaMemcpyHostToDevice));
  CUDA_OK(cudaMemcpy(device_b, in_b.data(), in_b.size() * sizeof(In), cudaMemcpyHostToDevice));
  CUDA_OK(cudaMemcpy(device_c, in_c.data(), in_c.size() * sizeof(Acc), cudaMemcpyHostToDevice));
  multiply<M, N, K, In, Fragment, Acc, LayoutA, LayoutB>
      <<<2, 128>>>(device_a, device_b, device_c, device_d, m, n, k);
  CUDA_OK(cudaGetLastError());
  CUDA_OK(cudaMemcpy(out.data(), device_d, out.size() * sizeof(Acc), cudaMemcpyDeviceToHost));
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      int sum = 0;
      for (int p = 0; p < k; ++p) sum += a[i * k + p] * b[p * n + j];
      const float want = static_cast<float>(2 * sum + c[i * n + j]);
      CHECK_AT(static_cast<float>(out[i * n + j]) == want, "%s (%d, %d): %g, expected %g", name, i,
               j, static_cast<float>(out[i * n + j]), want);
    }
  }
  CUDA_OK(cudaFree(device_a));
  CUDA_OK(cudaFree(device_b));
  CUDA_OK(cudaFree(device_c));
  CUDA_OK(cudaFree(device_d));
}

template <int M, int N, int K, typename In, typename Fragment, typename Acc>
void layouts(const char* name) {
  test<M, N, K, In, Fragment, Acc, wmma::row_major, wmma::row_major>(name);
  test<M, N, K, In, Fragment, Acc, wmma::row_major, wmma::col_major>(name);
  test<M, N, K, In, Fragment, Acc, wmma::col_major, wmma::row_major>(name);
  test<M, N, K, In, Fragment, Acc, wmma::col_major, wmma::col_major>(name);
}

template <typename In, typename Acc>
void shapes(const char* name) {
  layouts<16, 16, 16, In, In, Acc>(name);
  layouts<32, 8, 16, In, In, Acc>(name);
  layouts<8, 32, 16, In, In, Acc>(name);
}

// A product staged through shared memory by a block of four warps.
__global__ void multiply_shared(const half* a, const half* b, float* c, int n) {
  __shared__ half tile_a[32][16 + 8];
  __shared__ half tile_b[16][32 + 8];
  const int warp = threadIdx.x / 32;
  const int row = blockIdx.y * 32, column = blockIdx.x * 32;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
  wmma::fill_fragment(sum, 0.0f);
  for (int step = 0; step < n; step += 16) {
    for (int i = threadIdx.x; i < 32 * 16; i += blockDim.x) {
      tile_a[i / 16][i % 16] = a[(row + i / 16) * n + step + i % 16];
      tile_b[i / 32][i % 32] = b[(step + i / 32) * n + column + i % 32];
    }
    __syncthreads();
    wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> fragment_a;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> fragment_b;
    wmma::load_matrix_sync(fragment_a, &tile_a[warp / 2 * 16][0], 16 + 8);
    wmma::load_matrix_sync(fragment_b, &tile_b[0][warp % 2 * 16], 32 + 8);
    wmma::mma_sync(sum, fragment_a, fragment_b, sum);
    __syncthreads();
  }
  wmma::store_matrix_sync(c + (row + warp / 2 * 16) * n + column + warp % 2 * 16, sum, n,
                          wmma::mem_row_major);
}

void test_shared() {
  const int n = 96;
  Random random;
  std::vector<half> a(n * n), b(n * n);
  for (auto& x : a) x = __float2half(static_cast<float>(random.below(9)) - 4);
  for (auto& x : b) x = __float2half(static_cast<float>(random.below(9)) - 4);
  half *device_a, *device_b;
  float* device_c;
  CUDA_OK(cudaMalloc(&device_a, n * n * sizeof(half)));
  CUDA_OK(cudaMalloc(&device_b, n * n * sizeof(half)));
  CUDA_OK(cudaMalloc(&device_c, n * n * sizeof(float)));
  CUDA_OK(cudaMemcpy(device_a, a.data(), n * n * sizeof(half), cudaMemcpyHostToDevice));
  CUDA_OK(cudaMemcpy(device_b, b.data(), n * n * sizeof(half), cudaMemcpyHostToDevice));
  multiply_shared<<<dim3(n / 32, n / 32), 128>>>(device_a, device_b, device_c, n);
  std::vector<float> c(n * n);
  CUDA_OK(cudaMemcpy(c.data(), device_c, n * n * sizeof(float), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      float sum = 0;
      for (int k = 0; k < n; ++k) sum += __half2float(a[i * n + k]) * __half2float(b[k * n + j]);
      CHECK_AT(c[i * n + j] == sum, "(%d, %d): %g, expected %g", i, j, c[i * n + j], sum);
    }
  }
  CUDA_OK(cudaFree(device_a));
  CUDA_OK(cudaFree(device_b));
  CUDA_OK(cudaFree(device_c));
}

int main() {
  shapes<half, float>("half, float");
  shapes<half, half>("half, half");
  shapes<__nv_bfloat16, float>("bfloat16");
  shapes<signed char, int>("signed char");
  shapes<unsigned char, int>("unsigned char");
  layouts<16, 16, 8, float, wmma::precision::tf32, float>("tf32");
  layouts<8, 8, 4, double, double, double>("double");
  test_shared();
  CUDA_OK(cudaDeviceSynchronize());
  return verdict();
}

// A matrix product as tuned kernels write it: cp.async in a ring of buffers, ldmatrix out of
// swizzled shared memory, mma.sync. Checked against plain loops on whole numbers.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <vector>

#include "check.cuh"

constexpr int tile_m = 64;
constexpr int tile_n = 64;
constexpr int tile_k = 32;
constexpr int stages = 3;

__device__ unsigned shared_address(const void* p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}

// Rows of 32 halves are four pieces of 16 bytes; a piece's place is exchanged with the row's bits
// so that eight rows of one piece lie in different banks.
__device__ int swizzled(int row, int piece) { return row * tile_k + (piece ^ (row >> 1 & 3)) * 8; }

__device__ void copy_16(half* to, const half* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to)), "l"(from)
               : "memory");
}

// A is m × k by rows, B is n × k by rows (columns of the k × n matrix), C is m × n.
__global__ void __launch_bounds__(128)
    multiply(const half* a, const half* b, float* c, int m, int n, int k) {
  __shared__ __align__(16) half tiles_a[stages][tile_m * tile_k];
  __shared__ __align__(16) half tiles_b[stages][tile_n * tile_k];
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  const int row0 = blockIdx.y * tile_m;
  const int column0 = blockIdx.x * tile_n;
  const int warp_row = warp / 2 * 32;
  const int warp_column = warp % 2 * 32;
  float sum[2][4][4] = {};
  const int steps = k / tile_k;

  const auto load = [&](int step) {
    if (step < steps) {
      for (int i = threadIdx.x; i < tile_m * 4; i += blockDim.x) {
        copy_16(&tiles_a[step % stages][swizzled(i / 4, i % 4)],
                a + (row0 + i / 4) * k + step * tile_k + i % 4 * 8);
        copy_16(&tiles_b[step % stages][swizzled(i / 4, i % 4)],
                b + (column0 + i / 4) * k + step * tile_k + i % 4 * 8);
      }
    }
    asm volatile("cp.async.commit_group;" ::: "memory");
  };
  for (int step = 0; step < stages - 1; ++step) load(step);
  for (int step = 0; step < steps; ++step) {
    asm volatile("cp.async.wait_group %0;" ::"n"(stages - 2) : "memory");
    __syncthreads();
    load(step + stages - 1);
    const half* tile_a = tiles_a[step % stages];
    const half* tile_b = tiles_b[step % stages];
    for (int inner = 0; inner < tile_k / 16; ++inner) {
      unsigned fragment_a[2][4], fragment_b[4][2];
      for (int i = 0; i < 2; ++i) {
        const half* p = tile_a + swizzled(warp_row + i * 16 + lane % 16, inner * 2 + lane / 16);
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                     : "=r"(fragment_a[i][0]), "=r"(fragment_a[i][1]), "=r"(fragment_a[i][2]),
                       "=r"(fragment_a[i][3])
                     : "r"(shared_address(p)));
      }
      for (int j = 0; j < 4; ++j) {
        const half* p = tile_b + swizzled(warp_column + j * 8 + lane % 8, inner * 2 + lane / 8 % 2);
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                     : "=r"(fragment_b[j][0]), "=r"(fragment_b[j][1])
                     : "r"(shared_address(p)));
      }
      for (int i = 0; i < 2; ++i) {
        for (int j = 0; j < 4; ++j) {
          asm volatile(
              "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, "
              "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
              : "+f"(sum[i][j][0]), "+f"(sum[i][j][1]), "+f"(sum[i][j][2]), "+f"(sum[i][j][3])
              : "r"(fragment_a[i][0]), "r"(fragment_a[i][1]), "r"(fragment_a[i][2]),
                "r"(fragment_a[i][3]), "r"(fragment_b[j][0]), "r"(fragment_b[j][1]));
        }
      }
    }
  }
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 4; ++j) {
      for (int e = 0; e < 4; ++e) {
        const int row = row0 + warp_row + i * 16 + lane / 4 + (e < 2 ? 0 : 8);
        const int column = column0 + warp_column + j * 8 + lane % 4 * 2 + e % 2;
        c[row * n + column] = sum[i][j][e];
      }
    }
  }
}

void test_product(int m, int n, int k) {
  Random random;
  std::vector<half> a(m * k), b(n * k);
  for (auto& x : a) x = __float2half(static_cast<float>(random.below(9)) - 4);
  for (auto& x : b) x = __float2half(static_cast<float>(random.below(9)) - 4);
  half *device_a, *device_b;
  float* device_c;
  CUDA_OK(cudaMalloc(&device_a, a.size() * sizeof(half)));
  CUDA_OK(cudaMalloc(&device_b, b.size() * sizeof(half)));
  CUDA_OK(cudaMalloc(&device_c, m * n * sizeof(float)));
  CUDA_OK(cudaMemcpy(device_a, a.data(), a.size() * sizeof(half), cudaMemcpyHostToDevice));
  CUDA_OK(cudaMemcpy(device_b, b.data(), b.size() * sizeof(half), cudaMemcpyHostToDevice));
  multiply<<<dim3(n / tile_n, m / tile_m), 128>>>(device_a, device_b, device_c, m, n, k);
  CUDA_OK(cudaGetLastError());
  std::vector<float> c(m * n), fa(m * k), fb(n * k);
  CUDA_OK(cudaMemcpy(c.data(), device_c, c.size() * sizeof(float), cudaMemcpyDeviceToHost));
  for (int i = 0; i < m * k; ++i) fa[i] = __half2float(a[i]);
  for (int i = 0; i < n * k; ++i) fb[i] = __half2float(b[i]);
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      float sum = 0;
      for (int p = 0; p < k; ++p) sum += fa[i * k + p] * fb[j * k + p];
      CHECK_AT(c[i * n + j] == sum, "%d × %d × %d, (%d, %d): %g, expected %g", m, n, k, i, j,
               c[i * n + j], sum);
    }
  }
  CUDA_OK(cudaFree(device_a));
  CUDA_OK(cudaFree(device_b));
  CUDA_OK(cudaFree(device_c));
}

// Integers, with and without saturation.
__global__ void integers(const int* a, const int* b, const int* c, int* plain, int* clamped) {
  const int l = threadIdx.x;
  int d[4];
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, "
      "%9}, "
      "{%10, %11, %12, %13};"
      : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
      : "r"(a[l]), "r"(a[l + 32]), "r"(a[l + 64]), "r"(a[l + 96]), "r"(b[l]), "r"(b[l + 32]),
        "r"(c[0]), "r"(c[0]), "r"(c[0]), "r"(c[0]));
  for (int i = 0; i < 4; ++i) plain[4 * l + i] = d[i];
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.satfinite.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, "
      "%7}, "
      "{%8, %9}, {%10, %11, %12, %13};"
      : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3])
      : "r"(a[l]), "r"(a[l + 32]), "r"(a[l + 64]), "r"(a[l + 96]), "r"(b[l]), "r"(b[l + 32]),
        "r"(c[0]), "r"(c[0]), "r"(c[0]), "r"(c[0]));
  for (int i = 0; i < 4; ++i) clamped[4 * l + i] = d[i];
}

void test_integers() {
  // All of A is 100 and all of B is 100: every element is 32 · 10000 + C.
  int *a, *b, *c, *plain, *clamped;
  CUDA_OK(cudaMallocManaged(&a, 128 * sizeof(int)));
  CUDA_OK(cudaMallocManaged(&b, 64 * sizeof(int)));
  CUDA_OK(cudaMallocManaged(&c, sizeof(int)));
  CUDA_OK(cudaMallocManaged(&plain, 128 * sizeof(int)));
  CUDA_OK(cudaMallocManaged(&clamped, 128 * sizeof(int)));
  for (int i = 0; i < 128; ++i) a[i] = 0x64646464;
  for (int i = 0; i < 64; ++i) b[i] = 0x64646464;
  for (const int start : {0, -320000, 2147483647}) {
    *c = start;
    integers<<<1, 32>>>(a, b, c, plain, clamped);
    CUDA_OK(cudaDeviceSynchronize());
    const long long sum = 320000LL + start;
    for (int i = 0; i < 128; ++i) {
      CHECK_AT(plain[i] == static_cast<int>(static_cast<unsigned>(sum)), "%d", plain[i]);
      CHECK_AT(clamped[i] == (sum > 2147483647LL ? 2147483647 : sum), "%d", clamped[i]);
    }
  }
  for (int* p : {a, b, c, plain, clamped}) CUDA_OK(cudaFree(p));
}

int main() {
  test_product(64, 64, 32);
  test_product(128, 64, 96);
  test_product(64, 192, 256);
  test_integers();
  return verdict();
}

// Attention without a mask in the manner of FlashAttention-2 (Dao, 2023): a block of four warps has
// 128 queries, goes through keys and values 64 at a time, and keeps maximum, sum and output of each
// query in registers. 16-bit products with sums in single precision (mma.m16n8k16); the next keys
// are on their way while values are used, and the other way round.
#include "published.cuh"

#include <cuda_fp16.h>

#include <algorithm>
#include <cstdint>

namespace {

constexpr int rows = 128;  // queries of a block
constexpr int step = 64;   // keys at a time
constexpr int warps = 4;
constexpr int m_tiles = rows / warps / 16;
constexpr int s_tiles = step / 8;

// Where 8 halves of a row lie: pieces of 16 bytes are exchanged so that eight rows of one column
// lie in different banks.
template <int Width>
__device__ std::uint32_t place(const __half* tile, int row, int column) {
  const int piece = column / 8 ^ row % 8;
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(tile + row * Width + piece * 8));
}

__device__ void copy_16_bytes(std::uint32_t to, const __half* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
}
__device__ void end_of_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
__device__ void wait_for_copies() { asm volatile("cp.async.wait_group 0;" ::: "memory"); }

__device__ void matrices(std::uint32_t (&r)[4], std::uint32_t from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}
__device__ void matrices_turned(std::uint32_t (&r)[4], std::uint32_t from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}
__device__ void multiply(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                         std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ std::uint32_t pair(float low, float high) {
  const __half2 both = __floats2half2_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&both);
}

template <int Width, int Rows>
__device__ void bring(const __half* tile, const __half* from) {
  for (int i = threadIdx.x; i < Rows * Width / 8; i += warps * 32) {
    const int row = i / (Width / 8);
    const int column = i % (Width / 8) * 8;
    copy_16_bytes(place<Width>(tile, row, column), from + row * Width + column);
  }
  end_of_copies();
}

// Arrays of heads, each of `length` rows of `Width` halves.
template <int Width>
__global__ void __launch_bounds__(warps * 32)
    attend(const __half* queries, const __half* keys, const __half* values, __half* out, int length,
           float scale) {
  extern __shared__ __align__(128) __half shared[];
  __half* const q = shared;
  __half* const k = q + rows * Width;
  __half* const v = k + step * Width;
  const std::size_t head = std::size_t{blockIdx.y} * length * Width;
  queries += head + std::size_t{blockIdx.x} * rows * Width;
  out += head + std::size_t{blockIdx.x} * rows * Width;
  keys += head;
  values += head;
  const int lane = threadIdx.x % 32;
  const int first_row = threadIdx.x / 32 * 16 * m_tiles;

  float sums[m_tiles][Width / 8][4] = {};
  float maximum[m_tiles][2];
  float total[m_tiles][2] = {};
  for (auto& of_tile : maximum) of_tile[0] = of_tile[1] = -1e30F;
  bring<Width, rows>(q, queries);
  bring<Width, step>(k, keys);
  for (int from = 0; from < length; from += step) {
    wait_for_copies();
    __syncthreads();
    bring<Width, step>(v, values + from * Width);
    float s[m_tiles][s_tiles][4] = {};
#pragma unroll
    for (int d = 0; d < Width; d += 16) {
      std::uint32_t a[m_tiles][4];
#pragma unroll
      for (int m = 0; m < m_tiles; ++m) {
        matrices(a[m], place<Width>(q, first_row + m * 16 + lane % 16, d + lane / 16 * 8));
      }
#pragma unroll
      for (int n = 0; n < s_tiles; n += 2) {
        std::uint32_t b[4];
        matrices(b, place<Width>(k, n * 8 + lane % 8 + lane / 16 * 8, d + lane / 8 % 2 * 8));
#pragma unroll
        for (int m = 0; m < m_tiles; ++m) {
          multiply(s[m][n], a[m], b[0], b[1]);
          multiply(s[m][n + 1], a[m], b[2], b[3]);
        }
      }
    }
    wait_for_copies();
    __syncthreads();
    if (from + step < length) bring<Width, step>(k, keys + (from + step) * Width);
      // Four lanes have a row together; each has two of a tile's rows.
#pragma unroll
    for (int m = 0; m < m_tiles; ++m) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float most = maximum[m][half];
#pragma unroll
        for (int n = 0; n < s_tiles; ++n) {
          most = fmaxf(most, fmaxf(s[m][n][2 * half], s[m][n][2 * half + 1]));
        }
        most = fmaxf(most, __shfl_xor_sync(0xffffffffU, most, 1));
        most = fmaxf(most, __shfl_xor_sync(0xffffffffU, most, 2));
        const float factor = power_of_two((maximum[m][half] - most) * scale);
        maximum[m][half] = most;
        float sum = 0;
#pragma unroll
        for (int n = 0; n < s_tiles; ++n) {
#pragma unroll
          for (int i = 2 * half; i < 2 * half + 2; ++i) {
            s[m][n][i] = power_of_two(s[m][n][i] * scale - most * scale);
            sum += s[m][n][i];
          }
        }
        total[m][half] = total[m][half] * factor + sum;
#pragma unroll
        for (int n = 0; n < Width / 8; ++n) {
          sums[m][n][2 * half] *= factor;
          sums[m][n][2 * half + 1] *= factor;
        }
      }
    }
#pragma unroll
    for (int t = 0; t < s_tiles; t += 2) {
      std::uint32_t a[m_tiles][4];
#pragma unroll
      for (int m = 0; m < m_tiles; ++m) {
        a[m][0] = pair(s[m][t][0], s[m][t][1]);
        a[m][1] = pair(s[m][t][2], s[m][t][3]);
        a[m][2] = pair(s[m][t + 1][0], s[m][t + 1][1]);
        a[m][3] = pair(s[m][t + 1][2], s[m][t + 1][3]);
      }
#pragma unroll
      for (int n = 0; n < Width / 8; n += 2) {
        std::uint32_t b[4];
        matrices_turned(b, place<Width>(v, t * 8 + lane % 16, n * 8 + lane / 16 * 8));
#pragma unroll
        for (int m = 0; m < m_tiles; ++m) {
          multiply(sums[m][n], a[m], b[0], b[1]);
          multiply(sums[m][n + 1], a[m], b[2], b[3]);
        }
      }
    }
  }
#pragma unroll
  for (int m = 0; m < m_tiles; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float sum = total[m][half];
      sum += __shfl_xor_sync(0xffffffffU, sum, 1);
      sum += __shfl_xor_sync(0xffffffffU, sum, 2);
      __half* const row = out + (first_row + m * 16 + half * 8 + lane / 4) * Width;
#pragma unroll
      for (int n = 0; n < Width / 8; ++n) {
        *reinterpret_cast<std::uint32_t*>(row + n * 8 + lane % 4 * 2) =
            pair(sums[m][n][2 * half] / sum, sums[m][n][2 * half + 1] / sum);
      }
    }
  }
}

template <int Width, int Length, int Heads>
double attention() {
  constexpr std::size_t n = std::size_t{Heads} * Length * Width;
  const std::vector<float> q = numbers<float>(n, 64);
  std::vector<float> k(q.rbegin(), q.rend());
  std::vector<float> v = q;
  std::rotate(v.begin(), v.begin() + 12345, v.end());
  const auto halves = [](const std::vector<float>& from) {
    std::vector<__half> to;
    for (const float x : from) to.push_back(__float2half(x / 64 - 0.5F));
    return to;
  };
  const float scale = 1 / std::sqrt(static_cast<float>(Width));
  const __half* const queries = device_copy(halves(q));
  const __half* const keys = device_copy(halves(k));
  const __half* const values = device_copy(halves(v));
  __half* const out = device_array<__half>(n);
  constexpr int shared = (rows + 2 * step) * Width * static_cast<int>(sizeof(__half));
  CUDA_OK(cudaFuncSetAttribute(attend<Width>, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
  attend<Width><<<dim3(Length / rows, Heads), warps * 32, shared>>>(queries, keys, values, out,
                                                                    Length, scale * 1.44269504F);
  CUDA_OK(cudaGetLastError());
  const std::vector<__half> result = host_copy(out, n);
  const auto value = [](const std::vector<float>& from, std::size_t i) {
    return from[i] / 64 - 0.5;
  };
  for (const int row : {0, 77, Length - 1}) {
    const std::size_t head = n - std::size_t{Length} * Width;
    std::vector<double> weights(Length);
    double sum = 0;
    for (int j = 0; j < Length; ++j) {
      double score = 0;
      for (int d = 0; d < Width; ++d) {
        score += value(q, head + std::size_t{static_cast<unsigned>(row)} * Width + d) *
                 value(k, head + std::size_t{static_cast<unsigned>(j)} * Width + d);
      }
      weights[j] = std::exp(score * scale);
      sum += weights[j];
    }
    for (int d = 0; d < Width; d += 7) {
      double expected = 0;
      for (int j = 0; j < Length; ++j) {
        expected +=
            weights[j] / sum * value(v, head + std::size_t{static_cast<unsigned>(j)} * Width + d);
      }
      const double is =
          __half2float(result[head + std::size_t{static_cast<unsigned>(row)} * Width + d]);
      require(std::abs(is - expected) < 2e-3, "attention");
    }
  }
  return 4.0 * Length * Length * Width * Heads;
}

}  // namespace

// As many blocks as fill the device some times over; shorter than what was measured.
int main(int argc, char** argv) {
  return run_case(argc, argv,
                  {{"64", attention<64, 1024, 128>}, {"128", attention<128, 1024, 132>}});
}

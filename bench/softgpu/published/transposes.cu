// Transposes of a square matrix of floats, from the plain one to tiles that are moved in vectors.
// A block turns a tile of 32 by 32 in shared memory; `rows-R` are threads in 32 by R, of which each
// moves 32 / R elements; `vector-V-R` are threads in 32 / V by R, which move V elements at a time.
#include "published.cuh"

namespace {

constexpr int side = 4096;
constexpr int tile = 32;

__global__ void transpose_plain(const float* in, float* out, int n) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x < n && y < n) out[x * n + y] = in[y * n + x];
}

// Padding keeps a column of the tile in 32 banks.
template <int Padding>
__global__ void transpose_tiled(const float* in, float* out, int n) {
  __shared__ float part[tile][tile + Padding];
  int x = blockIdx.x * tile + threadIdx.x;
  int y = blockIdx.y * tile + threadIdx.y;
  if (x < n && y < n) part[threadIdx.y][threadIdx.x] = in[y * n + x];
  __syncthreads();
  x = blockIdx.y * tile + threadIdx.x;
  y = blockIdx.x * tile + threadIdx.y;
  if (x < n && y < n) out[y * n + x] = part[threadIdx.x][threadIdx.y];
}

template <int Rows>
__global__ void transpose_rows(const float* in, float* out, int n) {
  __shared__ float part[tile][tile + 1];
  int x = blockIdx.x * tile + threadIdx.x;
  int y = blockIdx.y * tile + threadIdx.y;
#pragma unroll
  for (int j = 0; j < tile; j += Rows) part[threadIdx.y + j][threadIdx.x] = in[(y + j) * n + x];
  __syncthreads();
  x = blockIdx.y * tile + threadIdx.x;
  y = blockIdx.x * tile + threadIdx.y;
#pragma unroll
  for (int j = 0; j < tile; j += Rows) out[(y + j) * n + x] = part[threadIdx.x][threadIdx.y + j];
}

template <int Width>
struct Floats;
template <>
struct Floats<2> {
  using Type = float2;
};
template <>
struct Floats<4> {
  using Type = float4;
};

template <int Width, int Rows>
__global__ void transpose_vector(const float* in, float* out, int n) {
  using Vector = typename Floats<Width>::Type;
  __shared__ float part[tile][tile + 1];
  const int width = n / Width;
  int x = blockIdx.x * (tile / Width) + threadIdx.x;
  int y = blockIdx.y * tile + threadIdx.y;
#pragma unroll
  for (int j = 0; j < tile; j += Rows) {
    const Vector values = reinterpret_cast<const Vector*>(in)[(y + j) * width + x];
#pragma unroll
    for (int v = 0; v < Width; ++v) {
      part[threadIdx.y + j][threadIdx.x * Width + v] = reinterpret_cast<const float*>(&values)[v];
    }
  }
  __syncthreads();
  x = blockIdx.y * (tile / Width) + threadIdx.x;
  y = blockIdx.x * tile + threadIdx.y;
#pragma unroll
  for (int j = 0; j < tile; j += Rows) {
    Vector values;
#pragma unroll
    for (int v = 0; v < Width; ++v) {
      reinterpret_cast<float*>(&values)[v] = part[threadIdx.x * Width + v][threadIdx.y + j];
    }
    reinterpret_cast<Vector*>(out)[(y + j) * width + x] = values;
  }
}

template <auto Kernel, int BlockX, int BlockY>
double transpose() {
  constexpr std::size_t n = std::size_t{side} * side;
  const std::vector<float> host = numbers<float>(n, 1U << 20);
  float* const in = device_copy(host);
  float* const out = device_array<float>(n);
  like_after_a_run();
  Kernel<<<dim3(side / tile, side / tile), dim3(BlockX, BlockY)>>>(in, out, side);
  CUDA_OK(cudaGetLastError());
  const std::vector<float> result = host_copy(out, n);
  for (int y = 0; y < side; y += 17) {
    for (int x = 0; x < side; ++x) {
      require(result[static_cast<std::size_t>(x) * side + y] ==
                  host[static_cast<std::size_t>(y) * side + x],
              "transpose");
    }
  }
  return 2.0 * sizeof(float) * n;
}

}  // namespace

int main(int argc, char** argv) {
  return run_case(argc, argv,
                  {{"plain", transpose<transpose_plain, 32, 32>},
                   {"tiled", transpose<transpose_tiled<0>, 32, 32>},
                   {"padded", transpose<transpose_tiled<1>, 32, 32>},
                   {"rows-16", transpose<transpose_rows<16>, 32, 16>},
                   {"rows-8", transpose<transpose_rows<8>, 32, 8>},
                   {"rows-4", transpose<transpose_rows<4>, 32, 4>},
                   {"vector-2-32", transpose<transpose_vector<2, 32>, 16, 32>},
                   {"vector-2-8", transpose<transpose_vector<2, 8>, 16, 8>},
                   {"vector-4-32", transpose<transpose_vector<4, 32>, 8, 32>},
                   {"vector-4-16", transpose<transpose_vector<4, 16>, 8, 16>}});
}

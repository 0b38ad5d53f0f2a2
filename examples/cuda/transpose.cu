// A matrix transposed three times: straight from memory to memory, through a tile in shared memory,
// and through a tile whose rows are padded by one float. tandem gpu explain says of the first what
// the second does, and of the second what the third does.
//
//   nvcc -cudart shared -arch=compute_80 -lineinfo transpose.cu -o transpose
//   tandem gpu explain ./transpose
#include <cstdio>
#include <vector>

constexpr int tile = 32;

// out(x, y) = in(y, x). Blocks of 32 x 32 threads, one per element; n is a multiple of 32. A warp
// reads a row, 4 sectors, and writes a column: a sector for each of its 32 lanes.
__global__ void transpose_naive(int n, const float* in, float* out) {
  const int x = blockIdx.x * tile + threadIdx.x, y = blockIdx.y * tile + threadIdx.y;
  out[x * n + y] = in[y * n + x];
}

// A block brings a tile to shared memory by rows and takes it from there by columns, so that rows
// are read and rows are written. A column of the tile lies in one bank.
__global__ void transpose_tiled(int n, const float* in, float* out) {
  __shared__ float part[tile][tile];
  const int x = blockIdx.x * tile + threadIdx.x, y = blockIdx.y * tile + threadIdx.y;
  part[threadIdx.y][threadIdx.x] = in[y * n + x];
  __syncthreads();
  const int to_x = blockIdx.y * tile + threadIdx.x, to_y = blockIdx.x * tile + threadIdx.y;
  out[to_y * n + to_x] = part[threadIdx.x][threadIdx.y];
}

// The same with a column of padding: a column of the tile lies in 32 banks.
__global__ void transpose_padded(int n, const float* in, float* out) {
  __shared__ float part[tile][tile + 1];
  const int x = blockIdx.x * tile + threadIdx.x, y = blockIdx.y * tile + threadIdx.y;
  part[threadIdx.y][threadIdx.x] = in[y * n + x];
  __syncthreads();
  const int to_x = blockIdx.y * tile + threadIdx.x, to_y = blockIdx.x * tile + threadIdx.y;
  out[to_y * n + to_x] = part[threadIdx.x][threadIdx.y];
}

int main() {
  const int n = 1024;
  std::vector<float> in(n * n), out(n * n);
  for (int i = 0; i < n * n; ++i) in[i] = static_cast<float>(i);
  float *device_in, *device_out;
  const std::size_t bytes = in.size() * sizeof(float);
  cudaMalloc(&device_in, bytes);
  cudaMalloc(&device_out, bytes);
  cudaMemcpy(device_in, in.data(), bytes, cudaMemcpyHostToDevice);
  const dim3 grid(n / tile, n / tile), block(tile, tile);
  for (const auto kernel : {transpose_naive, transpose_tiled, transpose_padded}) {
    cudaMemset(device_out, 0xff, bytes);  // so that an element left out shows
    kernel<<<grid, block>>>(n, device_in, device_out);
    const cudaError_t error = cudaMemcpy(out.data(), device_out, bytes, cudaMemcpyDeviceToHost);
    if (error != cudaSuccess) {
      std::fprintf(stderr, "transpose: %s\n", cudaGetErrorString(error));
      return 1;
    }
    for (int y = 0; y < n; ++y) {
      for (int x = 0; x < n; ++x) {
        if (out[x * n + y] == in[y * n + x]) continue;
        std::fprintf(stderr, "transpose: element (%d, %d) is %g, expected %g\n", x, y,
                     out[x * n + y], in[y * n + x]);
        return 1;
      }
    }
  }
  std::printf("transpose: %d x %d, three kernels right\n", n, n);
  cudaFree(device_in);
  cudaFree(device_out);
}

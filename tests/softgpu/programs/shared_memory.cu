// Static and dynamic shared memory, barriers, warp shuffles and votes: reductions, a transpose with
// a padded tile, a reversal, and more dynamic shared memory than the default limit.
#include <numeric>
#include <vector>

#include "check.cuh"

// One partial sum per block, in the classic tree; any power of two of threads.
template <typename T>
__global__ void reduce(const T* in, T* out, int n) {
  extern __shared__ unsigned char raw[];
  T* part = reinterpret_cast<T*>(raw);
  T sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    sum += in[i];
  }
  part[threadIdx.x] = sum;
  __syncthreads();
  for (unsigned stride = blockDim.x / 2; stride > 0; stride /= 2) {
    if (threadIdx.x < stride) part[threadIdx.x] += part[threadIdx.x + stride];
    __syncthreads();
  }
  if (threadIdx.x == 0) out[blockIdx.x] = part[0];
}

// The same by shuffles, for any number of threads: the last warp may be short.
__global__ void reduce_by_shuffle(const int* in, int* out, int n) {
  __shared__ int warp_sums[32];
  int sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    sum += in[i];
  }
  const unsigned mask = __activemask();
  const int lanes = min(32, blockDim.x - threadIdx.x / 32 * 32);
  for (int offset = 16; offset > 0; offset /= 2) {
    const int other = __shfl_down_sync(mask, sum, offset);
    if (static_cast<int>(threadIdx.x % 32) + offset < lanes) sum += other;
  }
  if (threadIdx.x % 32 == 0) warp_sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    const int warps = (blockDim.x + 31) / 32;
    for (int w = 1; w < warps; ++w) sum += warp_sums[w];
    out[blockIdx.x] = sum;
  }
}

constexpr int tile_size = 32;

__global__ void transpose(const float* in, float* out, int width, int height) {
  __shared__ float tile[tile_size][tile_size + 1];
  int x = blockIdx.x * tile_size + threadIdx.x;
  int y = blockIdx.y * tile_size + threadIdx.y;
  for (int j = 0; j < tile_size; j += blockDim.y) {
    if (x < width && y + j < height) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * width + x];
  }
  __syncthreads();
  x = blockIdx.y * tile_size + threadIdx.x;
  y = blockIdx.x * tile_size + threadIdx.y;
  for (int j = 0; j < tile_size; j += blockDim.y) {
    if (x < height && y + j < width) out[(y + j) * height + x] = tile[threadIdx.x][threadIdx.y + j];
  }
}

__global__ void reverse_large(int* data, int n) {
  extern __shared__ int large[];
  for (int i = threadIdx.x; i < n; i += blockDim.x) large[i] = data[i];
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) data[i] = large[n - 1 - i];
}

// Barriers that also count and vote, and warps that leave before a later barrier.
__global__ void voting_barriers(int* out, int limit) {
  const int t = threadIdx.x;
  const int count = __syncthreads_count(t < limit);
  const int all = __syncthreads_and(t >= 0);
  const int any = __syncthreads_or(t == limit);
  if (t == 0) {
    out[0] = count;
    out[1] = all != 0;
    out[2] = any != 0;
  }
  if (t >= 64) return;  // whole warps: the barrier below is for those that remain
  __shared__ int box[64];
  box[t] = t * t;
  __syncthreads();
  out[3 + t] = box[63 - t];
}

__global__ void warp_functions(unsigned* out) {
  const unsigned lane = threadIdx.x;
  const unsigned full = 0xffffffffu;
  out[lane] = __ballot_sync(full, lane % 3 == 0);
  out[32 + lane] = __shfl_xor_sync(full, lane * lane, 5);
  out[64 + lane] = __shfl_up_sync(full, lane, 3, 8);
  out[96 + lane] = __shfl_sync(full, lane, lane + 1, 16);
  out[128 + lane] = __match_any_sync(full, lane / 5);
  out[160 + lane] = static_cast<unsigned>(__any_sync(full, lane == 31)) << 1 |
                    static_cast<unsigned>(__all_sync(full, lane < 31));
  out[192 + lane] = __reduce_add_sync(full, lane);
  if (lane % 2 == 1) out[224 + lane] = __activemask();
  if (lane % 2 == 0) out[224 + lane] = __ballot_sync(0x55555555u, lane > 8);
}

template <typename T>
void check_reduce(int n, int blocks, int threads) {
  std::vector<T> in(n), out(blocks);
  for (int i = 0; i < n; ++i) in[i] = static_cast<T>(i % 17 - 5);
  T *device_in, *device_out;
  CUDA_OK(cudaMalloc(&device_in, n * sizeof(T)));
  CUDA_OK(cudaMalloc(&device_out, blocks * sizeof(T)));
  CUDA_OK(cudaMemcpy(device_in, in.data(), n * sizeof(T), cudaMemcpyHostToDevice));
  reduce<T><<<blocks, threads, threads * sizeof(T)>>>(device_in, device_out, n);
  CUDA_OK(cudaMemcpy(out.data(), device_out, blocks * sizeof(T), cudaMemcpyDeviceToHost));
  const T expected = std::accumulate(in.begin(), in.end(), T(0));
  const T sum = std::accumulate(out.begin(), out.end(), T(0));
  CHECK_AT(sum == expected, "n = %d, %d x %d", n, blocks, threads);
  CUDA_OK(cudaFree(device_in));
  CUDA_OK(cudaFree(device_out));
}

int main() {
  for (const int n : {1, 100, 1023, 65537}) {
    for (const int threads : {32, 128, 1024}) {
      check_reduce<int>(n, 3, threads);
      check_reduce<float>(n, 7, threads);
      check_reduce<double>(n, 1, threads);
      check_reduce<long long>(n, 2, threads);
    }
  }
  {
    const int n = 5003;
    int* data;
    int* out;
    CUDA_OK(cudaMallocManaged(&data, n * sizeof(int)));
    CUDA_OK(cudaMallocManaged(&out, 8 * sizeof(int)));
    for (int i = 0; i < n; ++i) data[i] = i * i % 1009;
    const int expected = std::accumulate(data, data + n, 0);
    for (const int threads : {1, 31, 33, 64, 97, 1000}) {
      reduce_by_shuffle<<<8, threads>>>(data, out, n);
      CUDA_OK(cudaDeviceSynchronize());
      CHECK_AT(std::accumulate(out, out + 8, 0) == expected, "%d threads", threads);
    }
    CUDA_OK(cudaFree(data));
    CUDA_OK(cudaFree(out));
  }
  for (const auto& [width, height] : {std::pair{1, 1}, {33, 5}, {64, 32}, {100, 201}}) {
    std::vector<float> in(width * height), out(in.size(), -1.0f);
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i);
    float *device_in, *device_out;
    CUDA_OK(cudaMalloc(&device_in, in.size() * sizeof(float)));
    CUDA_OK(cudaMalloc(&device_out, in.size() * sizeof(float)));
    CUDA_OK(cudaMemcpy(device_in, in.data(), in.size() * sizeof(float), cudaMemcpyDefault));
    const dim3 grid((width + 31) / 32, (height + 31) / 32);
    transpose<<<grid, dim3(32, 8)>>>(device_in, device_out, width, height);
    CUDA_OK(cudaMemcpy(out.data(), device_out, in.size() * sizeof(float), cudaMemcpyDefault));
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        CHECK_AT(out[x * height + y] == in[y * width + x], "%d x %d: %d %d", width, height, x, y);
      }
    }
    CUDA_OK(cudaFree(device_in));
    CUDA_OK(cudaFree(device_out));
  }
  {
    const int n = 20000;  // 80 kB: beyond the 48 kB that need no asking
    std::vector<int> data(n);
    std::iota(data.begin(), data.end(), 0);
    int* device;
    CUDA_OK(cudaMalloc(&device, n * sizeof(int)));
    CUDA_OK(cudaMemcpy(device, data.data(), n * sizeof(int), cudaMemcpyHostToDevice));
    reverse_large<<<1, 256, n * sizeof(int)>>>(device, n);
    CUDA_IS(cudaErrorInvalidValue, cudaGetLastError());
    CUDA_OK(cudaFuncSetAttribute(reverse_large, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 n * sizeof(int)));
    reverse_large<<<1, 256, n * sizeof(int)>>>(device, n);
    CUDA_OK(cudaGetLastError());
    CUDA_OK(cudaMemcpy(data.data(), device, n * sizeof(int), cudaMemcpyDeviceToHost));
    for (int i = 0; i < n; ++i) CHECK_AT(data[i] == n - 1 - i, "i = %d: %d", i, data[i]);
    CUDA_OK(cudaFree(device));
  }
  {
    int* out;
    CUDA_OK(cudaMallocManaged(&out, 67 * sizeof(int)));
    for (const int limit : {0, 1, 31, 100, 128}) {
      voting_barriers<<<1, 128>>>(out, limit);
      CUDA_OK(cudaDeviceSynchronize());
      CHECK_AT(out[0] == limit, "limit = %d: %d", limit, out[0]);
      CHECK(out[1] == 1);
      CHECK(out[2] == (limit < 128));
      for (int t = 0; t < 64; ++t) CHECK(out[3 + t] == (63 - t) * (63 - t));
    }
    CUDA_OK(cudaFree(out));
  }
  {
    unsigned* out;
    CUDA_OK(cudaMallocManaged(&out, 256 * sizeof(unsigned)));
    warp_functions<<<1, 32>>>(out);
    CUDA_OK(cudaDeviceSynchronize());
    unsigned thirds = 0, above_8 = 0;
    for (unsigned lane = 0; lane < 32; ++lane) {
      if (lane % 3 == 0) thirds |= 1u << lane;
      if (lane % 2 == 0 && lane > 8) above_8 |= 1u << lane;
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
      unsigned same = 0;
      for (unsigned other = 0; other < 32; ++other) {
        if (other / 5 == lane / 5) same |= 1u << other;
      }
      CHECK(out[lane] == thirds);
      CHECK(out[32 + lane] == (lane ^ 5) * (lane ^ 5));
      CHECK(out[64 + lane] == (lane % 8 >= 3 ? lane - 3 : lane));
      CHECK(out[96 + lane] == lane / 16 * 16 + (lane + 1) % 16);
      CHECK(out[128 + lane] == same);
      CHECK(out[160 + lane] == 2);
      CHECK(out[192 + lane] == 496);
      // Which lanes are active in a branch is not promised; that the lane itself is, is.
      if (lane % 2 == 1) CHECK((out[224 + lane] >> lane & 1) == 1);
      if (lane % 2 == 0) CHECK(out[224 + lane] == above_8);
    }
    CUDA_OK(cudaFree(out));
  }
  return verdict();
}

// Prefix sums. `block-*` scan each block's part by itself; `whole-*` scan parts of 512, then the
// parts' sums the same way, and add them.
#include "published.cuh"

#include <type_traits>

namespace {

constexpr std::size_t elements = std::size_t{16} << 20;

// In global memory, doubling the distance.
template <int Block>
__global__ void scan_in_global(const int* in, int* out) {
  const int thread = threadIdx.x;
  const int i = blockIdx.x * Block + thread;
  out[i] = in[i];
  __syncthreads();
#pragma unroll
  for (int offset = 1; offset < Block; offset *= 2) {
    int before = 0;
    if (thread >= offset) before = out[i - offset];
    __syncthreads();
    if (thread >= offset) out[i] += before;
    __syncthreads();
  }
}

template <int Block>
__global__ void scan_in_shared(const int* in, int* out) {
  __shared__ int part[Block];
  const int thread = threadIdx.x;
  const int i = blockIdx.x * Block + thread;
  part[thread] = in[i];
  __syncthreads();
#pragma unroll
  for (int offset = 1; offset < Block; offset *= 2) {
    int before = 0;
    if (thread >= offset) before = part[thread - offset];
    __syncthreads();
    if (thread >= offset) part[thread] += before;
    __syncthreads();
  }
  out[i] = part[thread];
}

// Two buffers save every second barrier.
template <int Block>
__global__ void scan_in_two_buffers(const int* in, int* out, int* sums) {
  __shared__ int part[2][Block];
  const int thread = threadIdx.x;
  const int i = blockIdx.x * Block + thread;
  int now = 0;
  part[0][thread] = in[i];
  __syncthreads();
#pragma unroll
  for (int offset = 1; offset < Block; offset *= 2) {
    part[1 - now][thread] =
        thread >= offset ? part[now][thread] + part[now][thread - offset] : part[now][thread];
    now = 1 - now;
    __syncthreads();
  }
  out[i] = part[now][thread];
  if (sums != nullptr && thread == Block - 1) sums[blockIdx.x] = part[now][thread];
}

__device__ int warp_scan(int value) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int offset = 1; offset < 32; offset *= 2) {
    const int before = __shfl_up_sync(0xffffffffU, value, offset);
    if (lane >= offset) value += before;
  }
  return value;
}

template <int Block>
__device__ int block_scan(int value) {
  __shared__ int sums[Block / 32];
  const int warp = threadIdx.x / 32;
  const int scanned = warp_scan(value);
  if (threadIdx.x % 32 == 31) sums[warp] = scanned;
  __syncthreads();
  if (threadIdx.x < 32) {
    const int sum = threadIdx.x < Block / 32 ? sums[threadIdx.x] : 0;
    const int all = warp_scan(sum);
    if (threadIdx.x < Block / 32) sums[threadIdx.x] = all - sum;
  }
  __syncthreads();
  return scanned + sums[warp];
}

template <int Block>
__global__ void scan_by_warps(const int* in, int* out, int* sums) {
  const int i = blockIdx.x * Block + threadIdx.x;
  const int value = block_scan<Block>(in[i]);
  out[i] = value;
  if (sums != nullptr && threadIdx.x == Block - 1) sums[blockIdx.x] = value;
}

// Each thread adds up four elements that follow one another before the block scans.
template <int Block, int Batch>
__global__ void scan_in_batches(const int* in, int* out) {
  const int first = (blockIdx.x * Block + threadIdx.x) * Batch;
  int values[Batch];
  int sum = 0;
#pragma unroll
  for (int i = 0; i < Batch; ++i) {
    sum += in[first + i];
    values[i] = sum;
  }
  const int before = block_scan<Block>(sum) - sum;
#pragma unroll
  for (int i = 0; i < Batch; ++i) out[first + i] = before + values[i];
}

__global__ void add_sums(int* out, const int* sums) {
  if (blockIdx.x > 0) out[blockIdx.x * blockDim.x + threadIdx.x] += sums[blockIdx.x - 1];
}

struct Data {
  std::vector<int> host = numbers<int>(elements, 10);
  int* in = device_copy(host);
  int* out = device_array<int>(elements);
};

// `part` elements are scanned together.
double checked(const Data& data, std::size_t part) {
  CUDA_OK(cudaGetLastError());
  const std::vector<int> result = host_copy(data.out, elements);
  int sum = 0;
  for (std::size_t i = 0; i < elements; ++i) {
    if (i % part == 0) sum = 0;
    sum += data.host[i];
    require(result[i] == sum, "scan");
  }
  return 2.0 * sizeof(int) * elements;
}

template <auto Kernel, int Block, int Batch = 1>
double blocks() {
  const Data data;
  like_after_a_run();
  if constexpr (std::is_invocable_v<decltype(Kernel), const int*, int*, int*>) {
    Kernel<<<elements / (Block * Batch), Block>>>(data.in, data.out, nullptr);
  } else {
    Kernel<<<elements / (Block * Batch), Block>>>(data.in, data.out);
  }
  return checked(data, Block * Batch);
}

template <auto Kernel>
void scan_whole(const int* in, int* out, std::size_t n) {
  constexpr int block = 512;
  // Arrays of sums are rounded up to whole blocks; what is beyond is scanned too and not used.
  const std::size_t parts = (n + block - 1) / block;
  if (parts == 1) {
    Kernel<<<1, block>>>(in, out, nullptr);
    return;
  }
  const std::size_t room = (parts + block - 1) / block * block;
  int* const sums = device_array<int>(room);
  int* const scanned = device_array<int>(room);
  CUDA_OK(cudaMemset(sums, 0, room * sizeof(int)));
  Kernel<<<parts, block>>>(in, out, sums);
  scan_whole<Kernel>(sums, scanned, parts);
  add_sums<<<parts, block>>>(out, scanned);
}

template <auto Kernel>
double whole() {
  const Data data;
  like_after_a_run();
  scan_whole<Kernel>(data.in, data.out, elements);
  return checked(data, elements);
}

}  // namespace

int main(int argc, char** argv) {
  return run_case(argc, argv,
                  {{"block-in-global", blocks<scan_in_global<512>, 512>},
                   {"block-in-shared", blocks<scan_in_shared<512>, 512>},
                   {"block-in-two-buffers", blocks<scan_in_two_buffers<256>, 256>},
                   {"block-by-warps", blocks<scan_by_warps<256>, 256>},
                   {"block-in-batches", blocks<scan_in_batches<128, 4>, 128, 4>},
                   {"whole-in-two-buffers", whole<scan_in_two_buffers<512>>},
                   {"whole-by-warps", whole<scan_by_warps<512>>}});
}

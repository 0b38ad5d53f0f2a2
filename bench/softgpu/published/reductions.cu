// Sums of whole numbers by blocks of 512 threads. The first five give each block as many elements
// as it has threads, or a dozen for each thread; `grid-V` are 1,024 blocks whose threads go through
// the array in steps of the grid, V elements at a time.
#include "published.cuh"

namespace {

constexpr std::size_t elements = std::size_t{24} << 20;
constexpr int block = 512;

__device__ int thread_sum(const int* in, std::size_t n) {
  const int grid = blockDim.x * gridDim.x;
  int sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += grid) sum += in[i];
  return sum;
}

// The last 64 elements of a tree in shared memory, by one warp without barriers of the block.
__device__ void last_warp(volatile int* part, int thread) {
#pragma unroll
  for (int active = 32; active > 0; active /= 2) {
    if (thread < active) part[thread] += part[thread + active];
    __syncwarp();
  }
}

__global__ void sum_tree(const int* in, int* out, std::size_t n) {
  __shared__ int part[block];
  const int thread = threadIdx.x;
  part[thread] = thread_sum(in, n);
  __syncthreads();
  for (int active = block / 2; active > 0; active /= 2) {
    if (thread < active) part[thread] += part[thread + active];
    __syncthreads();
  }
  if (thread == 0) out[blockIdx.x] = part[0];
}

__global__ void sum_tree_and_warp(const int* in, int* out, std::size_t n) {
  __shared__ int part[block];
  const int thread = threadIdx.x;
  part[thread] = thread_sum(in, n);
  __syncthreads();
#pragma unroll
  for (int active = block / 2; active > 32; active /= 2) {
    if (thread < active) part[thread] += part[thread + active];
    __syncthreads();
  }
  if (thread < 32) last_warp(part, thread);
  if (thread == 0) out[blockIdx.x] = part[0];
}

// Each thread adds `Batch` elements that follow one another, in vectors of four where `Vectors`.
template <int Batch, bool Vectors>
__global__ void sum_batches(const int* in, int* out, std::size_t n) {
  __shared__ int part[block];
  const int thread = threadIdx.x;
  const std::size_t first = (std::size_t{blockIdx.x} * block + thread) * Batch;
  int sum = 0;
  if constexpr (Vectors) {
#pragma unroll
    for (int i = 0; i < Batch / 4; ++i) {
      if (first + 4 * i < n) {
        const int4 v = reinterpret_cast<const int4*>(in + first)[i];
        sum += v.x + v.y + v.z + v.w;
      }
    }
  } else {
#pragma unroll
    for (int i = 0; i < Batch; ++i) {
      if (first + i < n) sum += in[first + i];
    }
  }
  part[thread] = sum;
  __syncthreads();
#pragma unroll
  for (int active = block / 2; active > 32; active /= 2) {
    if (thread < active) part[thread] += part[thread + active];
    __syncthreads();
  }
  if (thread < 32) last_warp(part, thread);
  if (thread == 0) atomicAdd(out, part[0]);
}

template <typename Vector>
__device__ int sum_of(Vector v);
template <>
__device__ int sum_of(int v) {
  return v;
}
template <>
__device__ int sum_of(int2 v) {
  return v.x + v.y;
}
template <>
__device__ int sum_of(int4 v) {
  return v.x + v.y + v.z + v.w;
}

__device__ int warp_sum(int value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_down_sync(0xffffffffU, value, offset);
  }
  return value;
}

template <typename Vector>
__global__ void sum_grid(const int* in, int* out, std::size_t n) {
  __shared__ int part[32];
  const Vector* const vectors = reinterpret_cast<const Vector*>(in);
  const int count = static_cast<int>(n / (sizeof(Vector) / sizeof(int)));
  int sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += blockDim.x * gridDim.x) {
    sum += sum_of(vectors[i]);
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = warp_sum(threadIdx.x < blockDim.x / 32 ? part[threadIdx.x] : 0);
    if (threadIdx.x == 0) atomicAdd(out, sum);
  }
}

struct Data {
  int* in;
  int* out;
  int expected = 0;
};

Data data() {
  const std::vector<int> host = numbers<int>(elements, 50);
  Data made{device_copy(host), device_array<int>(elements / block + 1)};
  for (const int x : host) made.expected += x;
  CUDA_OK(cudaMemset(made.out, 0, (elements / block + 1) * sizeof(int)));
  return made;
}

double checked(const Data& made, const int* sum) {
  CUDA_OK(cudaGetLastError());
  require(host_copy(sum, 1)[0] == made.expected, "sum");
  return double{sizeof(int)} * elements;
}

template <auto Kernel>
double two_passes() {
  const Data made = data();
  int* const sum = device_array<int>(1);
  const unsigned blocks = blocks_for(elements, block);
  Kernel<<<blocks, block>>>(made.in, made.out, elements);
  Kernel<<<1, block>>>(made.out, sum, blocks);
  return checked(made, sum);
}

template <auto Kernel, int Batch>
double batches() {
  const Data made = data();
  Kernel<<<blocks_for(elements, block * Batch), block>>>(made.in, made.out, elements);
  return checked(made, made.out);
}

template <typename Vector>
double grid() {
  const Data made = data();
  sum_grid<Vector><<<1024, block>>>(made.in, made.out, elements);
  return checked(made, made.out);
}

}  // namespace

int main(int argc, char** argv) {
  return run_case(argc, argv,
                  {{"tree", two_passes<sum_tree>},
                   {"tree-and-warp", two_passes<sum_tree_and_warp>},
                   {"one-each", batches<sum_batches<1, false>, 1>},
                   {"dozen-each", batches<sum_batches<12, false>, 12>},
                   {"dozen-in-vectors", batches<sum_batches<12, true>, 12>},
                   {"grid-1", grid<int>},
                   {"grid-2", grid<int2>},
                   {"grid-4", grid<int4>}});
}

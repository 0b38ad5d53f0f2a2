// A single-pass scan by decoupled look-back (Merrill and Garland, 2016), written out: every block
// waits for words that blocks before it publish, so blocks must make progress beside one another
// and a 64-bit store must be seen whole.
#include <vector>

#include "check.cuh"

enum : unsigned { invalid = 0, partial = 1, inclusive = 2 };

__device__ unsigned next_tile;

__device__ void publish(unsigned long long* slot, unsigned status, unsigned value) {
  const unsigned long long word = static_cast<unsigned long long>(status) << 32 | value;
  __threadfence();
  *reinterpret_cast<volatile unsigned long long*>(slot) = word;
}

__global__ void scan(const unsigned* in, unsigned* out, int n, unsigned long long* slots) {
  __shared__ unsigned tile;
  __shared__ unsigned warp_sums[8];
  __shared__ unsigned before;
  if (threadIdx.x == 0) tile = atomicAdd(&next_tile, 1);
  __syncthreads();
  const int i = static_cast<int>(tile * blockDim.x + threadIdx.x);
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const unsigned own = i < n ? in[i] : 0;
  unsigned sum = own;
  for (unsigned offset = 1; offset < 32; offset *= 2) {
    const unsigned other = __shfl_up_sync(0xffffffffu, sum, offset);
    if (lane >= offset) sum += other;
  }
  if (lane == 31) warp_sums[warp] = sum;
  __syncthreads();
  for (unsigned w = 0; w < warp; ++w) sum += warp_sums[w];
  __syncthreads();
  if (threadIdx.x == blockDim.x - 1) publish(&slots[tile], tile == 0 ? inclusive : partial, sum);
  if (tile > 0 && warp == 0) {
    // 32 tiles before this one at a time, one per lane.
    unsigned total = 0;
    int end = static_cast<int>(tile);
    for (;;) {
      const int predecessor = end - 1 - static_cast<int>(lane);
      unsigned status = inclusive, value = 0;
      if (predecessor >= 0) {
        unsigned long long word;
        do {
          word = *reinterpret_cast<volatile unsigned long long*>(&slots[predecessor]);
          status = static_cast<unsigned>(word >> 32);
          value = static_cast<unsigned>(word);
        } while (status == invalid);
      }
      const unsigned done = __ballot_sync(0xffffffffu, status == inclusive);
      const unsigned last = done == 0 ? 31 : static_cast<unsigned>(__ffs(done) - 1);
      total += __reduce_add_sync(0xffffffffu, lane <= last ? value : 0u);
      if (done != 0) break;
      end -= 32;
    }
    if (lane == 0) before = total;
  }
  __syncthreads();
  if (tile > 0) {
    sum += before;
    if (threadIdx.x == blockDim.x - 1) publish(&slots[tile], inclusive, sum);
  }
  if (i < n) out[i] = sum;
}

int main() {
  Random random;
  for (const int n : {1, 255, 256, 257, 5000, 100003}) {
    std::vector<unsigned> in(n), out(n);
    for (unsigned& value : in) value = static_cast<unsigned>(random.next());
    const int tiles = (n + 255) / 256;
    unsigned *device_in, *device_out;
    unsigned long long* slots;
    CUDA_OK(cudaMalloc(&device_in, n * sizeof(unsigned)));
    CUDA_OK(cudaMalloc(&device_out, n * sizeof(unsigned)));
    CUDA_OK(cudaMalloc(&slots, tiles * sizeof *slots));
    CUDA_OK(cudaMemset(slots, 0, tiles * sizeof *slots));
    const unsigned zero = 0;
    CUDA_OK(cudaMemcpyToSymbol(next_tile, &zero, sizeof zero));
    CUDA_OK(cudaMemcpy(device_in, in.data(), n * sizeof(unsigned), cudaMemcpyHostToDevice));
    scan<<<tiles, 256>>>(device_in, device_out, n, slots);
    CUDA_OK(cudaMemcpy(out.data(), device_out, n * sizeof(unsigned), cudaMemcpyDeviceToHost));
    unsigned sum = 0;
    for (int i = 0; i < n; ++i) {
      sum += in[i];
      CHECK_AT(out[i] == sum, "n = %d, i = %d", n, i);
    }
    CUDA_OK(cudaFree(device_in));
    CUDA_OK(cudaFree(device_out));
    CUDA_OK(cudaFree(slots));
  }
  return verdict();
}

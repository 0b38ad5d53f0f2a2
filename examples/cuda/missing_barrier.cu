// A sum in shared memory with one __syncthreads() missing: a warp may read what another has not
// written yet. It goes well as long as warps happen to run in order, and so it does here without
// further ado. An order that a seed draws shows the mistake: --schedule-seed 1, 2, 3, ...
//
//   nvcc -cudart shared -arch=compute_80 -lineinfo missing_barrier.cu -o missing_barrier
//   tandem gpu run -- ./missing_barrier                       says that the sum is right
//   tandem gpu run --schedule-seed 1 -- ./missing_barrier     says that it is wrong, and ends with
//   1
#include <cstdio>

constexpr int threads = 256;

// One block of 256 threads; thread t holds t + 1.
__global__ void sum(int* total) {
  __shared__ int part[threads];
  const int t = threadIdx.x;
  part[t] = t + 1;
  // Here a __syncthreads() is missing: other warps write the lower half of `part`.
  for (int half = threads / 2; half > 0; half /= 2) {
    if (t >= threads - half) part[t] += part[t - half];
    __syncthreads();
  }
  if (t == threads - 1) *total = part[t];
}

int main() {
  int* device_total;
  int total = 0;
  cudaMalloc(&device_total, sizeof(int));
  sum<<<1, threads>>>(device_total);
  cudaMemcpy(&total, device_total, sizeof(int), cudaMemcpyDeviceToHost);
  cudaFree(device_total);
  const int expected = threads * (threads + 1) / 2;
  std::printf("missing_barrier: the sum is %d, expected %d\n", total, expected);
  return total == expected ? 0 : 1;
}

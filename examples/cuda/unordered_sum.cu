// A sum of 1024 numbers by a block of 256 threads, as it was long written: the last steps, which
// one warp does alone, go without a barrier because "a warp goes in step". It need not since Volta;
// the result is right here and on many devices. `tandem gpu check examples/cuda/unordered_sum.cu`
// says what is wrong.
#include <cstdio>

__global__ void sum(const float* in, float* out) {
  __shared__ float part[256];
  float mine = 0.0f;
  for (int i = static_cast<int>(threadIdx.x); i < 1024; i += 256) mine += in[i];
  part[threadIdx.x] = mine;
  for (unsigned half = 128; half > 0; half /= 2) {
    if (half >= 32) __syncthreads();  // below, __syncwarp() belongs here
    if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
  }
  if (threadIdx.x == 0) *out = part[0];
}

int main() {
  float host[1024], result = 0.0f;
  for (int i = 0; i < 1024; ++i) host[i] = 1.0f;
  float *in, *out;
  if (cudaMalloc(&in, sizeof host) != cudaSuccess || cudaMalloc(&out, sizeof(float)) != cudaSuccess)
    return 1;
  cudaMemcpy(in, host, sizeof host, cudaMemcpyHostToDevice);
  sum<<<1, 256>>>(in, out);
  cudaMemcpy(&result, out, sizeof result, cudaMemcpyDeviceToHost);
  cudaFree(in);
  cudaFree(out);
  std::printf("%g\n", result);
  return 0;
}

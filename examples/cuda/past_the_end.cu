// The commonest mistake: the last thread reads one element past the end, because the test says <=
// where it should say <. A GPU usually does not notice, since what follows is mapped memory; here
// the kernel ends with a fault that names the thread, the line and the allocation. Status 86.
//
//   nvcc -cudart shared -arch=compute_80 -lineinfo past_the_end.cu -o past_the_end
//   tandem gpu run -- ./past_the_end
#include <cstdio>

__global__ void saxpy(int n, float a, const float* x, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n) y[i] += a * x[i];
}

int main() {
  const int n = 1024;
  float *x, *y;
  cudaMalloc(&x, n * sizeof(float));
  cudaMalloc(&y, n * sizeof(float));
  cudaMemset(x, 0, n * sizeof(float));
  cudaMemset(y, 0, n * sizeof(float));
  saxpy<<<n / 256 + 1, 256>>>(n, 2.0f, x, y);
  const cudaError_t error = cudaDeviceSynchronize();
  std::printf("past_the_end: %s\n", cudaGetErrorString(error));
  return 0;
}

// Races between a kernel and those that it launches.
// nvcc: -rdc=true
#include "cases.cuh"

__global__ void child_kernel(const int* values, int* out) {
  out[threadIdx.x] = 2 * values[threadIdx.x];  // BUG: read
}

// A child sees what its parent has written before the launch; this is written after it.
template <bool good>
__global__ void written_after_launch_kernel(int* values, int* out) {
  if (good) values[0] = 5;
  child_kernel<<<1, 1>>>(values, out);
  if (!good) values[0] = 5;  // BUG: write
}

template <bool good>
void written_after_launch() {
  Array<int> values(1, 1), out(1);
  written_after_launch_kernel<good><<<1, 1>>>(values, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 10);
}

// All threads write, and one launches without waiting for the others.
template <bool good>
__global__ void launched_without_barrier_kernel(int* values, int* out) {
  values[threadIdx.x] = static_cast<int>(threadIdx.x);  // BUG: write
  if (good) __syncthreads();
  if (threadIdx.x == 0) child_kernel<<<1, 64>>>(values, out);
}

template <bool good>
void launched_without_barrier() {
  Array<int> values(64, 1), out(64);
  launched_without_barrier_kernel<good><<<1, 64>>>(values, out);
  KERNEL_OK();
  RESULT(out.host()[63] == 126);
}

// Two children in streams of their own, one of which reads what the other writes.
__global__ void writing_child_kernel(int* values) {
  values[threadIdx.x] = 7 + static_cast<int>(threadIdx.x);  // BUG: write
}

template <bool good>
__global__ void two_children_kernel(int* values, int* out) {
  if (good) {
    writing_child_kernel<<<1, 64>>>(values);
    child_kernel<<<1, 64>>>(values, out);
  } else {
    cudaStream_t first, second;
    cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking);
    cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking);
    writing_child_kernel<<<1, 64, 0, first>>>(values);
    child_kernel<<<1, 64, 0, second>>>(values, out);
    cudaStreamDestroy(first);
    cudaStreamDestroy(second);
  }
}

template <bool good>
void two_children() {
  Array<int> values(64, 1), out(64);
  two_children_kernel<good><<<1, 1>>>(values, out);
  KERNEL_OK();
  RESULT(out.host()[63] == 140);
}

const Case cases[] = {
    CASE(written_after_launch, "race"),
    CASE(launched_without_barrier, "race"),
    CASE(two_children, "race"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }

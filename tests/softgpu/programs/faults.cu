// nvcc: -lineinfo
// run: out_of_bounds
// run: read_out_of_bounds
// run: null
// run: freed
// run: misaligned
// run: shared_out_of_bounds
// run: local_out_of_bounds
// run: trap
// run: assert
// run: recursion
// run: deadlock
// run: bad_function_pointer
// run: bad_barrier
// run: division_by_zero
//
// Kernels that do wrong: the runtime gives CUDA's error code, keeps giving it, and standard error
// names the kernel, block, thread and source line. Every fault is a process of its own, as nothing
// can be done on a device after one.
#include <cassert>
#include <cstring>
#include <string>
#include <vector>

#include "capture.cuh"
#include "check.cuh"

// Block 2, thread 37 is the one that does wrong, in every kernel.
#define THE_ONE (blockIdx.x == 2 && threadIdx.x == 37)
constexpr int blocks = 4, threads = 64;

__global__ void write_kernel(int* p, long long offset) {
  const long long i = THE_ONE ? offset : blockIdx.x * blockDim.x + threadIdx.x;
  p[i] = 1;
}
constexpr int write_line = __LINE__ - 2;

__global__ void read_kernel(const int* p, int* out, long long offset) {
  const long long i = THE_ONE ? offset : 0;
  out[threadIdx.x] = p[i];
}
constexpr int read_line = __LINE__ - 2;

__global__ void misaligned_kernel(char* p) {
  char* const mine = p + (blockIdx.x * blockDim.x + threadIdx.x) * 8 + (THE_ONE ? 2 : 0);
  *reinterpret_cast<double*>(mine) = 1.0;
}
constexpr int misaligned_line = __LINE__ - 2;

__global__ void shared_kernel(int* out, int stride) {
  extern __shared__ int box[];
  box[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = box[THE_ONE ? stride : threadIdx.x];
}
constexpr int shared_line = __LINE__ - 2;

__global__ void local_kernel(int* out, int index) {
  int box[16];
  for (int i = 0; i < 16; ++i) box[i] = i;
  box[THE_ONE ? index : threadIdx.x % 16] = 5;
  out[threadIdx.x] = box[threadIdx.x % 7];
}
constexpr int local_line = __LINE__ - 3;

__global__ void trap_kernel() {
  if (THE_ONE) __trap();
}
constexpr int trap_line = __LINE__ - 2;

__global__ void assert_kernel(int limit) {
  const int mine = THE_ONE ? limit + 1 : 0;
  assert(mine <= limit && "a limit is a limit");
}
constexpr int assert_line = __LINE__ - 2;

__device__ __noinline__ int deeper(int n, volatile int* out) {
  int box[8];
  for (int i = 0; i < 8; ++i) box[i] = n + i;
  out[0] = box[n & 7];
  return n == -1 ? 0 : deeper(n + 1, out) + box[(n + 1) & 7];
}
__global__ void recursion_kernel(int* out) {
  if (THE_ONE) out[1] = deeper(0, out);
}

__global__ void deadlock_kernel(int* out) {
  __shared__ volatile int never;
  if (threadIdx.x == 0) never = 0;
  __syncthreads();
  // One warp waits at a barrier that the others, waiting at another, never reach.
  if (threadIdx.x < 32) {
    asm volatile("barrier.sync 1, 64;" ::: "memory");
  } else {
    asm volatile("barrier.sync 2, 64;" ::: "memory");
  }
  out[threadIdx.x] = never;
}

using Function = int (*)(int);
__global__ void pointer_kernel(int* out, Function function) {
  if (THE_ONE) out[0] = function(3);
}

__global__ void barrier_kernel(int count) {
  if (blockIdx.x == 2) asm volatile("barrier.sync 1, %0;" ::"r"(count) : "memory");
}

__global__ void divide_kernel(int* out, int divisor, long long wide_divisor) {
  out[threadIdx.x] = 100 / divisor + 7 % divisor + static_cast<int>(100 / wide_divisor);
}

struct Expected {
  std::vector<cudaError_t> codes;  // any of them
  const char* kernel;
  int line;  // 0: not checked
  bool one_thread = true;
};

void expect(Capture& capture, const Expected& expected) {
  const cudaError_t code = cudaDeviceSynchronize();
  const cudaError_t peeked = cudaPeekAtLastError();
  const cudaError_t later = cudaDeviceSynchronize();
  int* more = nullptr;
  const cudaError_t allocation = cudaMalloc(&more, 4);
  const std::string text = capture.text();
  bool known = false;
  for (const cudaError_t c : expected.codes) known = known || c == code;
  CHECK_AT(known, "%s", cudaGetErrorName(code));
  // Such an error stays.
  CHECK_AT(peeked == code, "%s", cudaGetErrorName(peeked));
  CHECK_AT(later == code, "%s", cudaGetErrorName(later));
  CHECK_AT(allocation == code, "%s", cudaGetErrorName(allocation));
  const auto says = [&](const std::string& what) {
    CHECK_AT(text.find(what) != std::string::npos, "no '%s' in: %s", what.c_str(), text.c_str());
  };
  says(expected.kernel);
  says("block");
  says("thread");
  if (expected.one_thread) {
    says("2");
    says("37");
  }
  if (expected.line != 0) {
    says("faults.cu");
    says(std::to_string(expected.line));
  }
}

int main(int argc, char** argv) {
  const std::string fault = argc > 1 ? argv[1] : "";
  int* data;
  int* out;
  const int n = blocks * threads;
  CUDA_OK(cudaMalloc(&data, n * sizeof(int)));
  CUDA_OK(cudaMalloc(&out, n * sizeof(int)));
  Capture capture;
  if (fault == "out_of_bounds") {
    write_kernel<<<blocks, threads>>>(data, n);
    expect(capture, {{cudaErrorIllegalAddress}, "write_kernel", write_line});
  } else if (fault == "read_out_of_bounds") {
    read_kernel<<<blocks, threads>>>(data, out, -1);
    expect(capture, {{cudaErrorIllegalAddress}, "read_kernel", read_line});
  } else if (fault == "null") {
    write_kernel<<<blocks, threads>>>(data, -reinterpret_cast<long long>(data) / 4 + 1);
    expect(capture, {{cudaErrorIllegalAddress}, "write_kernel", write_line});
  } else if (fault == "freed") {
    int* freed;
    CUDA_OK(cudaMalloc(&freed, n * sizeof(int)));
    CUDA_OK(cudaFree(freed));
    read_kernel<<<blocks, threads>>>(data, out, freed - data);
    expect(capture, {{cudaErrorIllegalAddress}, "read_kernel", read_line});
  } else if (fault == "misaligned") {
    char* bytes;
    CUDA_OK(cudaMalloc(&bytes, n * 8 + 8));
    misaligned_kernel<<<blocks, threads>>>(bytes);
    expect(capture, {{cudaErrorMisalignedAddress}, "misaligned_kernel", misaligned_line});
  } else if (fault == "shared_out_of_bounds") {
    shared_kernel<<<blocks, threads, threads * sizeof(int)>>>(out, 1 << 20);
    expect(capture, {{cudaErrorIllegalAddress}, "shared_kernel", shared_line});
  } else if (fault == "local_out_of_bounds") {
    local_kernel<<<blocks, threads>>>(out, 1 << 24);
    expect(capture, {{cudaErrorIllegalAddress}, "local_kernel", local_line});
  } else if (fault == "trap") {
    trap_kernel<<<blocks, threads>>>();
    expect(capture,
           {{cudaErrorLaunchFailure, cudaErrorIllegalInstruction}, "trap_kernel", trap_line});
  } else if (fault == "assert") {
    assert_kernel<<<blocks, threads>>>(10);
    const cudaError_t code = cudaDeviceSynchronize();
    const std::string text = capture.text();
    CHECK_AT(code == cudaErrorAssert, "%s", cudaGetErrorName(code));
    // As CUDA writes it, whatever else is said.
    const std::string expected = "faults.cu:" + std::to_string(assert_line) +
                                 ": void assert_kernel(int): block: [2,0,0], thread: [37,0,0] "
                                 "Assertion `mine <= limit && \"a limit is a limit\"` failed.";
    CHECK_AT(text.find(expected) != std::string::npos, "%s", text.c_str());
    CUDA_IS(cudaErrorAssert, cudaMalloc(&data, 4));
  } else if (fault == "recursion") {
    recursion_kernel<<<blocks, threads>>>(out);
    expect(capture, {{cudaErrorHardwareStackError, cudaErrorLaunchFailure, cudaErrorIllegalAddress},
                     "recursion_kernel",
                     0});
  } else if (fault == "deadlock") {
    deadlock_kernel<<<blocks, threads>>>(out);
    expect(capture,
           {{cudaErrorLaunchTimeout, cudaErrorLaunchFailure}, "deadlock_kernel", 0, false});
  } else if (fault == "bad_function_pointer") {
    pointer_kernel<<<blocks, threads>>>(out, reinterpret_cast<Function>(0x123450));
    expect(capture, {{cudaErrorInvalidPc, cudaErrorIllegalInstruction, cudaErrorIllegalAddress},
                     "pointer_kernel",
                     0});
  } else if (fault == "bad_barrier") {
    barrier_kernel<<<blocks, threads>>>(33);
    expect(capture,
           {{cudaErrorIllegalInstruction, cudaErrorLaunchFailure}, "barrier_kernel", 0, false});
  } else if (fault == "division_by_zero") {
    // No fault on a GPU: the result is of no meaning, and the program goes on.
    divide_kernel<<<1, threads>>>(out, 0, 0);
    CUDA_IS(cudaSuccess, cudaDeviceSynchronize());
    divide_kernel<<<1, threads>>>(out, -1, -1);
    int result = 0;
    CUDA_OK(cudaMemcpy(&result, out, sizeof result, cudaMemcpyDeviceToHost));
    (void)capture.text();
    CHECK_AT(result == -200, "%d", result);
  } else {
    (void)capture.text();
    std::printf("faults: unknown fault '%s'\n", fault.c_str());
    return 2;
  }
  return verdict();
}

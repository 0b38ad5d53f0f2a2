// nvcc: -lineinfo
// run: names
// run: inlined
// run: host_malloc
// run: host_large
// run: host_stack
// run: host_static
// run: host_in_struct
// run: far_beyond
// run: null_plus_index
// run: deadlock
// run: asserts
// run: asserts_in_blocks
// run: asserts_that_others_wait_for
// run: reasons
//
// The messages of faults and of refused calls: they write names as the source does, give the line
// that called inlined code, and say what a pointer is that the device cannot use.
#include <cassert>
#include <cstring>
#include <string>
#include <vector>

#include "capture.cuh"
#include "check.cuh"

struct Point {
  float x, y;
};
template <class T, int n>
__global__ void shifted(T* p, const Point* from) {
  p[threadIdx.x + n] = T(from->x);
}

__device__ __forceinline__ float load(const float* p, int i) { return __ldg(p + i); }
__device__ __forceinline__ float both(const float* a, const float* b, int i, int n) {
  float x = load(a, i);
  float y = load(b, i + n);
  return x + y;
}
__global__ void sum(const float* a, const float* b, float* o, int n) {
  o[threadIdx.x] = both(a, b, threadIdx.x, n);
}
constexpr int sum_line = __LINE__ - 2, both_line = __LINE__ - 6, load_line = __LINE__ - 9;

__global__ void fill(int* p, int i) { p[threadIdx.x + i] = 1; }
struct Holder {
  int n;
  int* p;
};
__global__ void fill_held(const Holder* h) { h->p[threadIdx.x] = 1; }

__global__ void wait_in_parts() {
  if (threadIdx.x < 64) {
    asm volatile("barrier.sync 1, 96;" ::: "memory");
  } else {
    asm volatile("barrier.sync 2, 96;" ::: "memory");
  }
}

__global__ void asserts(const int* p, int n) {
  assert(p[blockIdx.x * blockDim.x + threadIdx.x] < n);
}
__global__ void asserts_and_waits(volatile int* flag) {
  if (blockIdx.x == 0) {
    assert(threadIdx.x > 64);
    flag[0] = 1;
  } else {
    while (flag[1] == 0) {
    }
  }
}

int in_static[4];

int count_of(const std::string& text, const std::string& what) {
  int count = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

void expect(Capture& capture, cudaError_t code, const std::vector<std::string>& parts,
            const std::vector<std::string>& never = {}) {
  CUDA_IS(code, cudaDeviceSynchronize());
  const std::string text = capture.text();
  for (const std::string& part : parts) {
    CHECK_AT(text.find(part) != std::string::npos, "no '%s' in: %s", part.c_str(), text.c_str());
  }
  for (const std::string& part : never) {
    CHECK_AT(text.find(part) == std::string::npos, "'%s' in: %s", part.c_str(), text.c_str());
  }
}

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  int* p;
  CUDA_OK(cudaMalloc(&p, 256));
  CUDA_OK(cudaMemset(p, 0, 256));
  const cudaError_t illegal = cudaErrorIllegalAddress;
  Capture capture;
  if (mode == "names") {
    shifted<double, 7><<<1, 32>>>(reinterpret_cast<double*>(p), reinterpret_cast<Point*>(p));
    expect(capture, illegal, {"kernel void shifted<double, 7>(double*, Point const*), block"});
  } else if (mode == "inlined") {
    float* f = reinterpret_cast<float*>(p);
    sum<<<1, 64>>>(f, f, f, 1000000);
    const auto at = [](int line) { return "messages.cu:" + std::to_string(line); };
    expect(capture, illegal, {at(load_line), at(both_line), at(sum_line), "inlined at"});
  } else if (mode == "host_malloc") {
    fill<<<1, 32>>>(static_cast<int*>(std::malloc(1000)), 0);
    expect(capture, illegal, {"this is a host pointer (malloc'd or new)", "cudaMalloc"},
           {"out-of-bounds"});
  } else if (mode == "host_large") {
    fill<<<1, 32>>>(static_cast<int*>(std::malloc(64 << 20)), 100);
    expect(capture, illegal, {"this is a host pointer", "malloc'd"}, {"out-of-bounds"});
  } else if (mode == "host_stack") {
    int mine[32];
    fill<<<1, 32>>>(mine, 0);
    expect(capture, illegal, {"this is a host pointer (on the stack)"}, {"out-of-bounds"});
  } else if (mode == "host_static") {
    fill<<<1, 32>>>(in_static, 0);
    expect(capture, illegal, {"this is a host pointer (a static variable in "});
  } else if (mode == "host_in_struct") {
    int mine[32];
    const Holder holder{3, mine};
    CUDA_OK(cudaMemcpy(p, &holder, sizeof holder, cudaMemcpyHostToDevice));
    fill_held<<<1, 32>>>(reinterpret_cast<Holder*>(p));
    expect(capture, illegal, {"this is a host pointer (on the stack)"});
  } else if (mode == "far_beyond") {
    std::vector<std::vector<int>> heap(3000, std::vector<int>(1000));
    fill<<<1, 32>>>(p, 100000);
    expect(capture, illegal, {"out-of-bounds write of 4 bytes", "an allocation of 256 bytes"},
           {"host pointer"});
  } else if (mode == "null_plus_index") {
    fill<<<1, 32>>>(nullptr, 100000);
    expect(capture, illegal, {"null-pointer write"});
  } else if (mode == "deadlock") {
    wait_in_parts<<<1, 128>>>();
    expect(capture, cudaErrorLaunchTimeout,
           {"64 threads of 2 warps (the first: block (0,0,0) thread (0,0,0)) wait at barrier 1, "
            "where 64 of 96 threads are",
            "64 threads of 2 warps (the first: block (0,0,0) thread (64,0,0)) wait at barrier 2, "
            "where 64 of 96 threads are"});
  } else if (mode == "asserts" || mode == "asserts_in_blocks") {
    std::vector<int> values(64, 0);
    const std::vector<int> wrong = {3, 17, 40, 41, 63};
    for (const int i : wrong) values[i] = 5;
    CUDA_OK(cudaMemcpy(p, values.data(), 256, cudaMemcpyHostToDevice));
    const bool blocks = mode == "asserts_in_blocks";
    if (blocks) {
      asserts<<<8, 8>>>(p, 5);
    } else {
      asserts<<<1, 64>>>(p, 5);
    }
    CUDA_IS(cudaErrorAssert, cudaDeviceSynchronize());
    const std::string text = capture.text();
    for (const int i : wrong) {
      const std::string place = "block: [" + std::to_string(blocks ? i / 8 : 0) +
                                ",0,0], thread: [" + std::to_string(blocks ? i % 8 : i) +
                                ",0,0] Assertion `";
      CHECK_AT(text.find(place) != std::string::npos, "no '%s' in: %s", place.c_str(),
               text.c_str());
    }
    // One line for each thread, and one for the kernel.
    CHECK_AT(count_of(text, "Assertion `") == 6, "%s", text.c_str());
  } else if (mode == "asserts_that_others_wait_for") {
    // Block 1 would spin for ever, and more threads fail than anybody reads.
    asserts_and_waits<<<2, 128>>>(p);
    CUDA_IS(cudaErrorAssert, cudaDeviceSynchronize());
    const std::string text = capture.text();
    CHECK_AT(count_of(text, "Assertion `") <= 66, "%d", count_of(text, "Assertion `"));
    CHECK_AT(count_of(text, "Assertion `") >= 33, "%d", count_of(text, "Assertion `"));
  } else if (mode == "reasons") {
    CUDA_IS(cudaErrorInvalidValue, cudaMemcpy(in_static, p, 4, cudaMemcpyHostToDevice));
    CUDA_IS(cudaErrorInvalidValue, cudaMemset(p, 0, 257));
    CUDA_IS(cudaErrorInvalidResourceHandle, cudaEventRecord(reinterpret_cast<cudaEvent_t>(p)));
    fill<<<1, 2000>>>(p, 0);
    CUDA_IS(cudaErrorInvalidConfiguration, cudaGetLastError());
    fill<<<1, 32, 1 << 20>>>(p, 0);
    CUDA_IS(cudaErrorInvalidValue, cudaGetLastError());
    CUDA_IS(cudaErrorInvalidDevice, cudaSetDevice(77));
    CUDA_IS(cudaErrorInvalidValue, cudaMalloc(nullptr, 4));
    void* more = nullptr;
    CUDA_IS(cudaErrorMemoryAllocation, cudaMalloc(&more, std::size_t{1} << 45));
    CUDA_IS(cudaErrorInvalidValue, cudaFree(in_static));
    expect(capture, cudaSuccess,
           {"cudaMemcpy returns cudaErrorInvalidValue: the destination of the copy is a host "
            "pointer (a static variable in ",
            "cudaMemset returns cudaErrorInvalidValue: the memory to set ends beyond its "
            "allocation: 257 bytes, of which 256 are there",
            "cudaEventRecord returns cudaErrorInvalidResourceHandle: the event is not one",
            "cudaErrorInvalidConfiguration: kernel fill(int*, int) is launched with blocks of "
            "(2000, 1, 1) threads",
            "1048576 bytes of dynamic shared memory; 49152 are allowed",
            "cudaSetDevice returns cudaErrorInvalidDevice: there is no device of this number",
            "cudaMalloc returns cudaErrorInvalidValue: the argument out is a null pointer",
            "cudaMalloc returns cudaErrorMemoryAllocation: more memory is asked for",
            "cudaFree returns cudaErrorInvalidValue: the address is not in memory that CUDA "
            "knows"});
  } else {
    (void)capture.text();
    std::printf("messages: unknown mode '%s'\n", mode.c_str());
    return 2;
  }
  return verdict();
}

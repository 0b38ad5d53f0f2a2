// Calls of the host that are wrong: errors nobody looks at, launches that cannot be, copies and
// fills that are too long or overlap.
#include <cooperative_groups.h>

#include "cases.cuh"

namespace cg = cooperative_groups;

__global__ void fill_kernel(int* values, int n, int value) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) values[i] = value;
}

__global__ void reverse_kernel(int* values, int n) {
  extern __shared__ int line[];
  for (int i = threadIdx.x; i < n; i += blockDim.x) line[i] = values[i];
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) values[i] = line[n - 1 - i];
}

// --- Errors that nobody looks at ---

// A block of 2,048 threads: the launch fails, and the program goes on.
template <bool good>
void launch_not_looked_at() {
  Array<int> values(2048);
  const int threads = good ? 1024 : 2048;
  fill_kernel<<<2048 / threads, threads>>>(values, 2048, 7);  // BUG
  if (good) KERNEL_OK();
}

// No elements, hence no blocks, which is an error and not a kernel that does nothing.
template <bool good>
void no_blocks() {
  Array<int> values(16);
  const int n = 0;
  if (!good || n > 0) fill_kernel<<<(n + 255) / 256, 256>>>(values, n, 7);  // BUG
  if (good) KERNEL_OK();
}

// More shared memory than a block gets without asking.
template <bool good>
void shared_memory_not_asked_for() {
  const int n = 15000;
  Array<int> values(n);
  if (good) {
    CUDA_OK(cudaFuncSetAttribute(reverse_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 n * static_cast<int>(sizeof(int))));
  }
  reverse_kernel<<<1, 256, n * sizeof(int)>>>(values, n);  // BUG
  if (good) KERNEL_OK();
}

// The direction of a copy is the other one.
template <bool good>
void direction_of_a_copy() {
  std::vector<int> host = counting<int>(64);
  Array<int> values(64);
  const cudaMemcpyKind kind = good ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost;
  cudaMemcpy(values, host.data(), 64 * sizeof(int), kind);  // BUG
}

// A device that is not there.
template <bool good>
void no_such_device() {
  int count = 0;
  CUDA_OK(cudaGetDeviceCount(&count));
  cudaSetDevice(good ? count - 1 : count);  // BUG
}

// There is not so much memory.
template <bool good>
void allocation_failed() {
  void* memory = nullptr;
  cudaMalloc(&memory, good ? size_t{1} << 20 : size_t{1} << 50);  // BUG
  if (memory != nullptr) CUDA_OK(cudaFree(memory));
}

// A stream that was destroyed.
template <bool good>
void destroyed_stream() {
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  {
    Array<int> values(64);
    if (!good) CUDA_OK(cudaStreamDestroy(stream));
    cudaMemsetAsync(values, 0, 64 * sizeof(int), stream);  // BUG
    CUDA_OK(cudaDeviceSynchronize());
  }
  if (good) CUDA_OK(cudaStreamDestroy(stream));
}

// Time between events that do not measure it.
template <bool good>
void events_without_timing() {
  cudaEvent_t begin, end;
  const unsigned flags = good ? cudaEventDefault : cudaEventDisableTiming;
  float milliseconds = -1.0f;
  CUDA_OK(cudaEventCreateWithFlags(&begin, flags));
  CUDA_OK(cudaEventCreateWithFlags(&end, flags));
  {
    Array<int> values(64);
    CUDA_OK(cudaEventRecord(begin));
    fill_kernel<<<1, 64>>>(values, 64, 1);
    CUDA_OK(cudaGetLastError());
    CUDA_OK(cudaEventRecord(end));
    CUDA_OK(cudaEventSynchronize(end));
    cudaEventElapsedTime(&milliseconds, begin, end);  // BUG
  }
  CUDA_OK(cudaEventDestroy(begin));
  CUDA_OK(cudaEventDestroy(end));
  RESULT(milliseconds >= 0.0f);
}

// More than the variable has room for.
__device__ int table[16];

template <bool good>
void symbol_too_small() {
  const std::vector<int> host = counting<int>(32);
  cudaMemcpyToSymbol(table, host.data(), (good ? 16 : 32) * sizeof(int));  // BUG
}

// A cooperative launch whose blocks cannot all be there at once.
__global__ void cooperative_kernel(int* values) {
  const cg::grid_group grid = cg::this_grid();
  if (grid.thread_rank() == 0) *values = 1;
  grid.sync();
}

template <bool good>
void cooperative_launch_too_large() {
  Array<int> values(1);
  int* pointer = values;
  void* arguments[] = {&pointer};
  const int blocks = good ? 4 : 1 << 20;
  cudaLaunchCooperativeKernel(reinterpret_cast<void*>(cooperative_kernel), dim3(blocks),
                              dim3(64),  // BUG
                              arguments, 0, nullptr);
  if (good) KERNEL_OK();
}

// A kernel's own error is not asked for: the program ends without a word.
__global__ void assert_kernel(const int* values) {
  if (values[threadIdx.x] < 0) __trap();  // BUG
}

template <bool good>
void fault_not_looked_at() {
  int* values = nullptr;
  CUDA_OK(cudaMalloc(&values, 32 * sizeof(int)));
  CUDA_OK(cudaMemset(values, good ? 0 : 0xff, 32 * sizeof(int)));
  assert_kernel<<<1, 32>>>(values);
  cudaDeviceSynchronize();  // BUG
  cudaFree(values);         // BUG
}

// --- Launches that cannot be ---

// The same errors where the program looks: it ends, and the finding says why.
__global__ void fill_image_kernel(int* image, int width) {
  image[threadIdx.y * width + threadIdx.x] = static_cast<int>(threadIdx.x);
}

template <bool good>
void too_many_threads() {
  Array<int> image(32 * 64);
  const dim3 threads(32, good ? 32 : 64);
  fill_image_kernel<<<1, threads>>>(image, 32);  // BUG
  KERNEL_OK();
}

template <bool good>
void too_much_shared_memory() {
  const int n = good ? 10000 : 100000;
  Array<int> values(n);
  reverse_kernel<<<1, 256, n * sizeof(int)>>>(values, good ? n : 1);  // BUG
  KERNEL_OK();
}

template <bool good>
void grid_too_high() {
  Array<int> values(1);
  const dim3 blocks = good ? dim3(70000, 1) : dim3(1, 70000);
  fill_kernel<<<blocks, 1>>>(values, 1, 7);  // BUG
  KERNEL_OK();
}

__global__ void __launch_bounds__(128) bounded_kernel(int* values) {
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
}

template <bool good>
void beyond_launch_bounds() {
  Array<int> values(256);
  bounded_kernel<<<1, good ? 128 : 256>>>(values);  // BUG
  KERNEL_OK();
}

// --- Copies and fills that are too long ---

template <bool good>
void copy_to_device_too_long() {
  const std::vector<int> host = counting<int>(128);
  Array<int> values(100);
  CUDA_OK(cudaMemcpy(values, host.data(), (good ? 100 : 128) * sizeof(int),  // BUG
                     cudaMemcpyHostToDevice));
}

template <bool good>
void copy_from_device_too_long() {
  std::vector<int> host(128);
  Array<int> values(100);
  CUDA_OK(cudaMemcpy(host.data(), values, (good ? 100 : 128) * sizeof(int),  // BUG
                     cudaMemcpyDeviceToHost));
}

template <bool good>
void copy_on_device_too_long() {
  Array<double> from(64);
  Array<float> to(64);
  CUDA_OK(cudaMemcpy(to, from, 64 * (good ? sizeof(float) : sizeof(double)),  // BUG
                     cudaMemcpyDeviceToDevice));
}

template <bool good>
void fill_too_long() {
  Array<int> values(100);
  int* middle = values + 50;
  CUDA_OK(cudaMemset(middle, 0, (good ? 50 : 100) * sizeof(int)));  // BUG
}

template <bool good>
void async_copy_too_long() {
  int* pinned = nullptr;
  cudaStream_t stream;
  CUDA_OK(cudaMallocHost(&pinned, 64 * sizeof(int)));
  for (int i = 0; i < 64; ++i) pinned[i] = i;
  CUDA_OK(cudaStreamCreate(&stream));
  {
    Array<int> values(128);
    CUDA_OK(cudaMemcpyAsync(values, pinned, (good ? 64 : 65) * sizeof(int),  // BUG
                            cudaMemcpyHostToDevice, stream));
    CUDA_OK(cudaStreamSynchronize(stream));
  }
  CUDA_OK(cudaStreamDestroy(stream));
  CUDA_OK(cudaFreeHost(pinned));
}

// Rows of a pitched image; the target has a row less.
template <bool good>
void too_many_rows() {
  const std::vector<float> host(30 * 17, 1.0f);
  float* image = nullptr;
  size_t pitch = 0;
  CUDA_OK(cudaMallocPitch(&image, &pitch, 30 * sizeof(float), 16));
  CUDA_OK(cudaMemcpy2D(image, pitch, host.data(), 30 * sizeof(float),  // BUG
                       30 * sizeof(float), good ? 16 : 17, cudaMemcpyHostToDevice));
  CUDA_OK(cudaFree(image));
}

// --- Copies that overlap ---

// The queue's rest moves to its front; the two parts have some elements in common.
template <bool good>
void move_to_the_front() {
  Array<int> queue(counting<int>(100)), scratch(100);
  int* front = queue;
  if (good) {
    CUDA_OK(cudaMemcpy(scratch, front + 10, 90 * sizeof(int), cudaMemcpyDeviceToDevice));
    CUDA_OK(cudaMemcpy(front, scratch, 90 * sizeof(int), cudaMemcpyDeviceToDevice));
  } else {
    CUDA_OK(cudaMemcpy(front, front + 10, 90 * sizeof(int), cudaMemcpyDeviceToDevice));  // BUG
  }
  RESULT(queue.host()[0] == 10);
}

template <bool good>
void make_room_at_the_front() {
  Array<int> queue(counting<int>(100)), scratch(100);
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  int* front = queue;
  if (good) {
    CUDA_OK(cudaMemcpyAsync(scratch, front, 90 * sizeof(int), cudaMemcpyDeviceToDevice, stream));
    CUDA_OK(
        cudaMemcpyAsync(front + 10, scratch, 90 * sizeof(int), cudaMemcpyDeviceToDevice, stream));
  } else {
    CUDA_OK(cudaMemcpyAsync(front + 10, front, 90 * sizeof(int),  // BUG
                            cudaMemcpyDeviceToDevice, stream));
  }
  CUDA_OK(cudaStreamSynchronize(stream));
  CUDA_OK(cudaStreamDestroy(stream));
  RESULT(queue.host()[99] == 89);
}

// Rows of a matrix move up by one; the blocks overlap from the second row on.
template <bool good>
void rows_move_up() {
  const size_t width = 16 * sizeof(int);
  Array<int> matrix(counting<int>(16 * 8)), scratch(16 * 8);
  int* rows = matrix;
  if (good) {
    CUDA_OK(cudaMemcpy2D(scratch, width, rows + 16, width, width, 7, cudaMemcpyDeviceToDevice));
    CUDA_OK(cudaMemcpy2D(rows, width, scratch, width, width, 7, cudaMemcpyDeviceToDevice));
  } else {
    CUDA_OK(
        cudaMemcpy2D(rows, width, rows + 16, width, width, 7, cudaMemcpyDeviceToDevice));  // BUG
  }
  RESULT(matrix.host()[0] == 16);
}

const Case cases[] = {
    CASE(launch_not_looked_at, "unchecked-error|launch-failure"),
    CASE(no_blocks, "unchecked-error|launch-failure"),
    CASE(shared_memory_not_asked_for, "unchecked-error|launch-failure"),
    CASE(direction_of_a_copy, "unchecked-error"),
    CASE(no_such_device, "unchecked-error"),
    CASE(allocation_failed, "unchecked-error"),
    CASE(destroyed_stream, "unchecked-error|use-after-free"),
    CASE(events_without_timing, "unchecked-error"),
    CASE(symbol_too_small, "unchecked-error|out-of-bounds"),
    CASE(cooperative_launch_too_large, "unchecked-error|launch-failure"),
    CASE(fault_not_looked_at, "unchecked-error|launch-failure"),
    CASE(too_many_threads, "launch-failure"),
    CASE(too_much_shared_memory, "launch-failure"),
    CASE(grid_too_high, "launch-failure"),
    CASE(beyond_launch_bounds, "launch-failure"),
    CASE(copy_to_device_too_long, "out-of-bounds"),
    CASE(copy_from_device_too_long, "out-of-bounds"),
    CASE(copy_on_device_too_long, "out-of-bounds"),
    CASE(fill_too_long, "out-of-bounds"),
    CASE(async_copy_too_long, "out-of-bounds"),
    CASE(too_many_rows, "out-of-bounds"),
    CASE(move_to_the_front, "overlapping-copy"),
    CASE(make_room_at_the_front, "overlapping-copy"),
    CASE(rows_move_up, "overlapping-copy"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }

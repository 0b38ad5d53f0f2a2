// Kernels that stream through memory.
//
// `read-128` and its kind: one element of 8 bytes a thread, blocks of that many threads, and no
// more than two blocks on a multiprocessor at a time, so that the size of the block sets how full
// the device is (RRZE's gpu-benches, gpu-stream). `width-4` and its kind: a copy whose threads move
// that many bytes each.
#include "published.cuh"

namespace {

constexpr std::size_t elements = std::size_t{8} << 20;

template <typename Value>
__global__ void init(Value* a, const Value*, const Value*, std::size_t n) {
  const std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) a[i] = 0.25;
}

template <typename Value>
__global__ void read(Value* a, const Value* b, const Value*, std::size_t n) {
  const std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const Value value = b[i];
  if (value == -1) a[i] = value;  // never: the load has to stay
}

template <typename Value>
__global__ void scale(Value* a, const Value* b, const Value*, std::size_t n) {
  const std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) a[i] = b[i] * 1.5;
}

template <typename Value>
__global__ void triad(Value* a, const Value* b, const Value* c, std::size_t n) {
  const std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) a[i] = b[i] * 1.5 + c[i];
}

template <typename Value>
__global__ void stencil(Value* a, const Value* __restrict__ b, const Value*, std::size_t n) {
  const std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < 2 || i + 2 >= n) return;
  a[i] = 0.25 * b[i - 2] + 0.25 * b[i - 1] - b[i] + 0.5 * b[i + 1] + 0.5 * b[i + 2];
}

// Two blocks on a multiprocessor: each is given a little less than half of its shared memory.
int half_of_shared() {
  int all = 0;
  int reserved = 0;
  CUDA_OK(cudaDeviceGetAttribute(&all, cudaDevAttrMaxSharedMemoryPerMultiprocessor, 0));
  CUDA_OK(cudaDeviceGetAttribute(&reserved, cudaDevAttrReservedSharedMemoryPerBlock, 0));
  return all / 2 - reserved;
}

template <auto Kernel, int Streams, int Block>
double stream() {
  const std::vector<double> host = numbers<double>(elements, 1000);
  double* const b = device_copy(host);
  double* const c = device_copy(host);
  double* const a = device_array<double>(elements);
  const int shared = half_of_shared();
  CUDA_OK(cudaFuncSetAttribute(Kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
  if (Kernel != read<double>) like_after_a_run();
  Kernel<<<blocks_for(elements, Block), Block, shared>>>(a, b, c, elements);
  CUDA_OK(cudaGetLastError());
  const std::vector<double> result = host_copy(a, elements);
  const std::size_t i = elements / 3;
  if (Kernel == init<double>) require(result[i] == 0.25, "init");
  if (Kernel == scale<double>) require(result[i] == host[i] * 1.5, "scale");
  if (Kernel == triad<double>) require(result[i] == host[i] * 2.5, "triad");
  return double{Streams} * sizeof(double) * elements;
}

template <typename Wide>
__global__ void copy(Wide* to, const Wide* from, std::size_t n) {
  const std::size_t stride = std::size_t{blockDim.x} * gridDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += stride) {
    to[i] = from[i];
  }
}

template <typename Wide>
double copy_by() {
  constexpr std::size_t bytes = std::size_t{64} << 20;
  constexpr std::size_t n = bytes / sizeof(Wide);
  const std::vector<unsigned> host = numbers<unsigned>(bytes / sizeof(unsigned), 1U << 24);
  unsigned* const from = device_copy(host);
  unsigned* const to = device_array<unsigned>(bytes / sizeof(unsigned));
  like_after_a_run();
  copy<<<blocks_for(n, 1024), 1024>>>(reinterpret_cast<Wide*>(to),
                                      reinterpret_cast<const Wide*>(from), n);
  CUDA_OK(cudaGetLastError());
  require(host_copy(to, host.size()) == host, "copy");
  return 2.0 * bytes;
}

}  // namespace

int main(int argc, char** argv) {
  return run_case(argc, argv,
                  {{"init-1024", stream<init<double>, 1, 1024>},
                   {"read-128", stream<read<double>, 1, 128>},
                   {"read-512", stream<read<double>, 1, 512>},
                   {"read-1024", stream<read<double>, 1, 1024>},
                   {"scale-128", stream<scale<double>, 2, 128>},
                   {"scale-512", stream<scale<double>, 2, 512>},
                   {"scale-1024", stream<scale<double>, 2, 1024>},
                   {"triad-128", stream<triad<double>, 3, 128>},
                   {"triad-512", stream<triad<double>, 3, 512>},
                   {"triad-1024", stream<triad<double>, 3, 1024>},
                   {"stencil-1024", stream<stencil<double>, 2, 1024>},
                   {"width-1", copy_by<unsigned char>},
                   {"width-2", copy_by<unsigned short>},
                   {"width-4", copy_by<unsigned>},
                   {"width-8", copy_by<uint2>},
                   {"width-16", copy_by<uint4>}});
}

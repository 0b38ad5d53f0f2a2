// Memory that kernels take for themselves: malloc and free, new and delete with constructors, a
// list that one kernel builds and another walks, what happens when the heap is full, and calls of
// the host that name such memory.
#include <vector>

#include "check.cuh"

struct Node {
  int value;
  Node* next;
};

struct Counted {
  int* live;
  int id;
  __device__ Counted(int* counter, int number) : live(counter), id(number) { atomicAdd(live, 1); }
  __device__ ~Counted() { atomicAdd(live, -1); }
};

__device__ Node* heads[100];

__global__ void build_lists(int length) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= 100) return;
  Node* head = nullptr;
  for (int i = 0; i < length; ++i) {
    Node* node = static_cast<Node*>(malloc(sizeof(Node)));
    node->value = t * 1000 + i;
    node->next = head;
    head = node;
  }
  heads[t] = head;
}

__global__ void walk_and_free(int* sums) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= 100) return;
  int sum = 0;
  for (Node* node = heads[t]; node != nullptr;) {
    sum += node->value;
    Node* next = node->next;
    free(node);
    node = next;
  }
  sums[t] = sum;
}

__global__ void objects(int* live, int* ids) {
  const int t = threadIdx.x;
  Counted* one = new Counted(live, t);
  int* many = new int[t + 1];
  for (int i = 0; i <= t; ++i) many[i] = i;
  __syncthreads();
  ids[t] = one->id + many[t] + (t == 0 ? *live * 1000 : 0);
  __syncthreads();
  delete one;
  delete[] many;
}

__global__ void aligned(int* bad) {
  void* p = malloc(1 + threadIdx.x);
  if (reinterpret_cast<unsigned long long>(p) % 16 != 0) atomicAdd(bad, 1);
  memset(p, 1, 1 + threadIdx.x);
  free(p);
  free(nullptr);
}

__global__ void exhaust(int* refused) {
  void* p = malloc(std::size_t(1) << 40);
  if (p == nullptr) atomicAdd(refused, 1);
  free(p);
}

__global__ void take(void** memory) { *memory = malloc(256); }
__global__ void give_back(void** memory) { free(*memory); }

// No call of the host reaches memory that a kernel took, as the CUDA programming guide has it.
void host_calls_are_refused() {
  void** memory;
  CUDA_OK(cudaMallocManaged(&memory, sizeof(void*)));
  take<<<1, 1>>>(memory);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK(*memory != nullptr);
  char host[256];
  CHECK(cudaFree(*memory) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(host, *memory, 256, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(*memory, host, 256, cudaMemcpyDefault) == cudaErrorInvalidValue);
  CHECK(cudaMemset(static_cast<char*>(*memory) + 8, 0, 8) == cudaErrorInvalidValue);
  static_cast<void>(cudaGetLastError());
  give_back<<<1, 1>>>(memory);
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaFree(memory));
}

int main() {
  std::size_t limit = 0;
  CUDA_OK(cudaDeviceGetLimit(&limit, cudaLimitMallocHeapSize));
  CHECK(limit == 8u << 20);
  CUDA_OK(cudaDeviceSetLimit(cudaLimitMallocHeapSize, 32u << 20));
  CUDA_OK(cudaDeviceGetLimit(&limit, cudaLimitMallocHeapSize));
  CHECK(limit >= 32u << 20);

  int* out;
  CUDA_OK(cudaMallocManaged(&out, 128 * sizeof(int)));
  for (const int length : {1, 50, 3}) {
    build_lists<<<4, 32>>>(length);
    walk_and_free<<<2, 64>>>(out);
    CUDA_OK(cudaDeviceSynchronize());
    for (int t = 0; t < 100; ++t) {
      CHECK_AT(out[t] == t * 1000 * length + length * (length - 1) / 2, "thread %d", t);
    }
  }
  int* live;
  CUDA_OK(cudaMallocManaged(&live, sizeof(int)));
  *live = 0;
  objects<<<1, 96>>>(live, out);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK(*live == 0);
  CHECK_AT(out[0] == 96000, "%d", out[0]);
  for (int t = 1; t < 96; ++t) CHECK(out[t] == 2 * t);
  *live = 0;
  aligned<<<2, 128>>>(live);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK(*live == 0);
  exhaust<<<1, 64>>>(live);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK_AT(*live == 64, "%d", *live);
  host_calls_are_refused();
  return verdict();
}

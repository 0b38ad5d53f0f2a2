// nvcc: -arch=compute_90
// env: SOFTGPU_MODEL=h100
//
// Atomic operations of every kind on global and shared memory, between all threads of a grid, and
// what they return.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <vector>

#include "check.cuh"

struct Results {
  int add, sub, min, max, exchanged, all_bits, any_bits, odd_bits;
  unsigned wrapped_up, wrapped_down, unsigned_min, unsigned_max;
  unsigned long long wide_add, wide_max, wide_cas;
  long long wide_min;
  float float_add;
  double double_add, double_by_cas;
  __half2 half_pair;
  __half half;
  __nv_bfloat16 bfloat;
  unsigned short narrow_cas;
  int tickets_seen;
  int padding;
};

__device__ void by_compare_and_swap(double* address, double value) {
  auto* bits = reinterpret_cast<unsigned long long*>(address);
  unsigned long long old = *bits, assumed;
  do {
    assumed = old;
    old = atomicCAS(bits, assumed,
                    static_cast<unsigned long long>(
                        __double_as_longlong(value + __longlong_as_double(assumed))));
  } while (assumed != old);
}

__device__ void everything(Results* r, int t, int n, unsigned char* tickets) {
  atomicAdd(&r->add, t);
  atomicSub(&r->sub, t);
  atomicMin(&r->min, t % 1000 - 77);
  atomicMax(&r->max, t % 1000 + 77);
  atomicExch(&r->exchanged, t);
  atomicAnd(&r->all_bits, ~(t & 0xff));
  atomicOr(&r->any_bits, 1 << (t % 20));
  atomicXor(&r->odd_bits, t);
  atomicInc(&r->wrapped_up, 6);
  atomicDec(&r->wrapped_down, 6);
  atomicMin(&r->unsigned_min, 0x80000000u + static_cast<unsigned>(t));
  atomicMax(&r->unsigned_max, 0x80000000u + static_cast<unsigned>(t));
  atomicAdd(&r->wide_add, 0x100000001ull * static_cast<unsigned>(t));
  atomicMax(&r->wide_max, static_cast<unsigned long long>(t) << 33);
  atomicMin(&r->wide_min, -(static_cast<long long>(t) << 33));
  atomicAdd(&r->float_add, 1.0f);
  atomicAdd(&r->double_add, 0.5);
  by_compare_and_swap(&r->double_by_cas, 0.25);
  // Halves count to 2048 exactly.
  if (t < 1000) {
    atomicAdd(&r->half_pair, __halves2half2(__float2half(1.0f), __float2half(2.0f)));
    atomicAdd(&r->half, __float2half(1.0f));
  }
  if (t < 200) atomicAdd(&r->bfloat, __float2bfloat16(1.0f));
  atomicCAS(&r->wide_cas, 7ull, 1ull << 40 | static_cast<unsigned>(t));
  atomicCAS(&r->narrow_cas, static_cast<unsigned short>(3), static_cast<unsigned short>(9));
  // Every value is handed out once.
  const int ticket = atomicAdd(&r->tickets_seen, 1);
  if (ticket >= 0 && ticket < n) tickets[ticket] += 1;
}

__global__ void on_global(Results* r, unsigned char* tickets) {
  const int t = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  everything(r, t, static_cast<int>(gridDim.x * blockDim.x), tickets);
}

__global__ void on_shared(Results* r, unsigned char* tickets) {
  __shared__ Results local;
  if (threadIdx.x == 0) local = *r;
  __syncthreads();
  everything(&local, static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x), tickets);
  __syncthreads();
  if (threadIdx.x == 0) *r = local;
}

__global__ void scopes(int* a) {
  atomicAdd_block(&a[0], 1);
  atomicAdd_system(&a[1], 2);
  atomicMax_block(&a[2], static_cast<int>(threadIdx.x));
  atomicCAS_system(&a[3], 0, 5);
  int expected = 0;
  __nv_atomic_fetch_add(&a[4], 3, __NV_ATOMIC_RELAXED, __NV_THREAD_SCOPE_DEVICE);
  __nv_atomic_compare_exchange_n(&a[5], &expected, 1, false, __NV_ATOMIC_ACQ_REL,
                                 __NV_ATOMIC_ACQUIRE, __NV_THREAD_SCOPE_DEVICE);
  if (expected != 0) atomicAdd(&a[6], 1);
}

void check(bool shared, int blocks, int threads) {
  const int n = blocks * threads;
  Results* r;
  unsigned char* tickets;
  CUDA_OK(cudaMallocManaged(&r, sizeof *r));
  CUDA_OK(cudaMallocManaged(&tickets, n));
  CUDA_OK(cudaMemset(r, 0, sizeof *r));
  CUDA_OK(cudaMemset(tickets, 0, n));
  CUDA_OK(cudaDeviceSynchronize());
  r->all_bits = -1;
  r->unsigned_min = 0xffffffffu;
  r->wide_cas = 7;
  r->narrow_cas = 3;
  if (shared) {
    on_shared<<<blocks, threads>>>(r, tickets);
  } else {
    on_global<<<blocks, threads>>>(r, tickets);
  }
  CUDA_OK(cudaDeviceSynchronize());
  long long sum = 0, any = 0, odd = 0, kept = -1;
  for (int t = 0; t < n; ++t) {
    sum += t;
    any |= 1 << (t % 20);
    odd ^= t;
    kept &= ~(t & 0xff);
  }
  CHECK(r->add == static_cast<int>(sum));
  CHECK(r->sub == static_cast<int>(-sum));
  CHECK(r->min == -77);
  CHECK(r->max == std::min(n - 1, 999) + 77);
  CHECK(r->exchanged >= 0 && r->exchanged < n);
  CHECK(r->all_bits == static_cast<int>(kept));
  CHECK(r->any_bits == static_cast<int>(any));
  CHECK(r->odd_bits == static_cast<int>(odd));
  CHECK(r->wrapped_up == static_cast<unsigned>(n % 7));
  CHECK(r->wrapped_down == static_cast<unsigned>((7 - n % 7) % 7));
  CHECK(r->unsigned_min == 0x80000000u);
  CHECK(r->unsigned_max == 0x80000000u + static_cast<unsigned>(n - 1));
  CHECK(r->wide_add == 0x100000001ull * static_cast<unsigned long long>(sum));
  CHECK(r->wide_max == static_cast<unsigned long long>(n - 1) << 33);
  CHECK(r->wide_min == -(static_cast<long long>(n - 1) << 33));
  CHECK(r->float_add == static_cast<float>(n));
  CHECK(r->double_add == n * 0.5);
  CHECK(r->double_by_cas == n * 0.25);
  CHECK(__half2float(__low2half(r->half_pair)) == static_cast<float>(std::min(n, 1000)));
  CHECK(__half2float(__high2half(r->half_pair)) == static_cast<float>(2 * std::min(n, 1000)));
  CHECK(__half2float(r->half) == static_cast<float>(std::min(n, 1000)));
  CHECK(__bfloat162float(r->bfloat) == static_cast<float>(std::min(n, 200)));
  CHECK(r->wide_cas >> 40 == 1 && (r->wide_cas & 0xffffffffu) < static_cast<unsigned>(n));
  CHECK(r->narrow_cas == 9);
  CHECK(r->tickets_seen == n);
  for (int i = 0; i < n; ++i) CHECK_AT(tickets[i] == 1, "ticket %d: %d", i, tickets[i]);
  CUDA_OK(cudaFree(r));
  CUDA_OK(cudaFree(tickets));
}

int main() {
  check(false, 1, 1);
  check(false, 1, 33);
  check(false, 21, 96);
  check(true, 1, 32);
  check(true, 1, 500);
  int* a;
  CUDA_OK(cudaMallocManaged(&a, 7 * sizeof(int)));
  CUDA_OK(cudaMemset(a, 0, 7 * sizeof(int)));
  scopes<<<1, 128>>>(a);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK(a[0] == 128 && a[1] == 256 && a[2] == 127 && a[3] == 5 && a[4] == 384);
  CHECK_AT(a[5] == 1 && a[6] == 127, "%d %d", a[5], a[6]);
  return verdict();
}

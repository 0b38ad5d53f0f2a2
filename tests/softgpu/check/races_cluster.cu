// Clusters, bulk copies and dependent launches, which are there from compute capability 9.0 on.
// nvcc: -arch=compute_90
// env: SOFTGPU_MODEL=h100
#include <cooperative_groups.h>

#include <cstdint>

#include "cases.cuh"

namespace cg = cooperative_groups;

__device__ unsigned shared_address(const void* p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}

__device__ void init_barrier(uint64_t* barrier, unsigned count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(count)
               : "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

__device__ void wait_for_phase(uint64_t* barrier, unsigned parity) {
  unsigned complete = 0;
  while (complete == 0) {
    asm volatile(
        "{\n"
        ".reg .pred complete;\n"
        "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 complete, [%1], %2;\n"
        "selp.u32 %0, 1, 0, complete;\n"
        "}"
        : "=r"(complete)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  }
}

// One thread's arrival, which announces bytes, and the copy that brings them.
__device__ void load_in_bulk(void* to, const void* from, unsigned bytes, uint64_t* barrier) {
  asm volatile("mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%0], %1;" ::"r"(
                   shared_address(barrier)),
               "r"(bytes)
               : "memory");
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(shared_address(to)),
      "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(shared_address(barrier))
      : "memory");
}

__device__ void store_in_bulk(void* to, const void* from, unsigned bytes) {
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(
                   __cvta_generic_to_global(to)),
               "r"(shared_address(from)), "r"(bytes)
               : "memory");
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}

__device__ void fence_for_async_proxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
// The source of bulk stores has been read; or they are complete.
__device__ void wait_for_bulk_reads() {
  asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}
__device__ void wait_for_bulk_stores() { asm volatile("cp.async.bulk.wait_group 0;" ::: "memory"); }

// --- Shared memory of the other blocks of a cluster ---

template <bool good>
__global__ void __cluster_dims__(2, 1, 1) cluster_sync_missing_kernel(const int* in, int* out) {
  __shared__ int line[32];
  const cg::cluster_group cluster = cg::this_cluster();
  line[threadIdx.x] = in[blockIdx.x * 32 + threadIdx.x];  // BUG: write
  if (good) {
    cluster.sync();
  } else {
    __syncthreads();
  }
  const int* other = cluster.map_shared_rank(line, cluster.block_rank() ^ 1);
  out[blockIdx.x * 32 + threadIdx.x] = other[31 - threadIdx.x];  // BUG: read
  cluster.sync();
}

template <bool good>
void cluster_sync_missing() {
  Array<int> in(counting<int>(64)), out(64);
  cluster_sync_missing_kernel<good><<<2, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// A block ends while the other still reads its shared memory.
template <bool good>
__global__ void __cluster_dims__(2, 1, 1) ended_too_early_kernel(const int* in, int* out) {
  __shared__ int line[32];
  const cg::cluster_group cluster = cg::this_cluster();
  line[threadIdx.x] = in[blockIdx.x * 32 + threadIdx.x];
  cluster.sync();
  const int* other = cluster.map_shared_rank(line, cluster.block_rank() ^ 1);
  out[blockIdx.x * 32 + threadIdx.x] = other[31 - threadIdx.x];  // BUG
  if (good) cluster.sync();
}

template <bool good>
void ended_too_early() {
  Array<int> in(counting<int>(64)), out(64);
  ended_too_early_kernel<good><<<2, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// Between arriving and waiting one may do other work, but not this.
template <bool good>
__global__ void __cluster_dims__(2, 1, 1) between_arrive_and_wait_kernel(const int* in, int* out) {
  __shared__ int line[32];
  const cg::cluster_group cluster = cg::this_cluster();
  line[threadIdx.x] = in[blockIdx.x * 32 + threadIdx.x];  // BUG: write
  cluster.barrier_arrive();
  const int* other = cluster.map_shared_rank(line, cluster.block_rank() ^ 1);
  if (good) cluster.barrier_wait();
  const int value = other[threadIdx.x];  // BUG: read
  if (!good) cluster.barrier_wait();
  out[blockIdx.x * 32 + threadIdx.x] = value;
  cluster.sync();
}

template <bool good>
void between_arrive_and_wait() {
  Array<int> in(counting<int>(64)), out(64);
  between_arrive_and_wait_kernel<good><<<2, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 32);
}

// A histogram spread over a cluster: bins are cleared by their block, and added to by all.
template <bool good>
__global__ void __cluster_dims__(2, 1, 1)
    cleared_without_cluster_sync_kernel(const unsigned* in, unsigned* out) {
  __shared__ unsigned bins[16];
  const cg::cluster_group cluster = cg::this_cluster();
  if (threadIdx.x < 16) bins[threadIdx.x] = 0;  // BUG: write
  if (good) {
    cluster.sync();
  } else {
    __syncthreads();
  }
  const unsigned value = in[blockIdx.x * 64 + threadIdx.x] % 32;
  atomicAdd(cluster.map_shared_rank(bins, value / 16) + value % 16, 1u);  // BUG: read and write
  cluster.sync();
  if (threadIdx.x < 16) out[cluster.block_rank() * 16 + threadIdx.x] = bins[threadIdx.x];
}

template <bool good>
void cleared_without_cluster_sync() {
  Array<unsigned> in(counting<unsigned>(128)), out(32);
  cleared_without_cluster_sync_kernel<good><<<2, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[31] == 4);
}

// The other block's array ends where one's own does.
template <bool good>
__global__ void __cluster_dims__(2, 1, 1) remote_out_of_bounds_kernel(const int* in, int* out) {
  __shared__ int line[32];
  const cg::cluster_group cluster = cg::this_cluster();
  line[threadIdx.x] = in[blockIdx.x * 32 + threadIdx.x];
  cluster.sync();
  const int* other = cluster.map_shared_rank(line, cluster.block_rank() ^ 1);
  const int next = good ? (threadIdx.x + 1) % 32 : threadIdx.x + 1;
  out[blockIdx.x * 32 + threadIdx.x] = other[next];  // BUG
  cluster.sync();
}

template <bool good>
void remote_out_of_bounds() {
  Array<int> in(counting<int>(64)), out(64);
  remote_out_of_bounds_kernel<good><<<2, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 33);
}

// A block writes into the other's shared memory, which that one reads after a barrier of its own.
template <bool good>
__global__ void __cluster_dims__(2, 1, 1) pushed_to_the_other_kernel(const int* in, int* out) {
  __shared__ int inbox[32];
  const cg::cluster_group cluster = cg::this_cluster();
  inbox[threadIdx.x] = 0;
  cluster.sync();
  cluster.map_shared_rank(inbox, cluster.block_rank() ^ 1)[threadIdx.x] =  // BUG: write
      in[blockIdx.x * 32 + threadIdx.x];
  if (good) {
    cluster.sync();
  } else {
    __syncthreads();
  }
  out[blockIdx.x * 32 + threadIdx.x] = inbox[31 - threadIdx.x];  // BUG: read
  if (!good) cluster.sync();
}

template <bool good>
void pushed_to_the_other() {
  Array<int> in(counting<int>(64)), out(64);
  pushed_to_the_other_kernel<good><<<2, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// A block is filled by the other, which says so at a barrier object; its arrival is ordered for the
// threads of its own block only.
template <bool good>
__global__ void __cluster_dims__(2, 1, 1)
    remote_arrival_of_block_scope_kernel(const int* in, int* out) {
  __shared__ int inbox[32];
  __shared__ uint64_t full;
  const cg::cluster_group cluster = cg::this_cluster();
  inbox[threadIdx.x] = 0;
  if (threadIdx.x == 0) init_barrier(&full, 32);
  cluster.sync();
  if (cluster.block_rank() == 1) {
    cluster.map_shared_rank(inbox, 0)[threadIdx.x] = in[threadIdx.x];  // BUG: write
    unsigned remote = 0;
    asm volatile("mapa.shared::cluster.u32 %0, %1, 0;" : "=r"(remote) : "r"(shared_address(&full)));
    if (good) {
      asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(remote)
                   : "memory");
    } else {
      asm volatile("mbarrier.arrive.release.cta.shared::cluster.b64 _, [%0];" ::"r"(remote)
                   : "memory");
    }
  } else {
    wait_for_phase(&full, 0);
    out[threadIdx.x] = inbox[31 - threadIdx.x];  // BUG: read
  }
  cluster.sync();
}

template <bool good>
void remote_arrival_of_block_scope() {
  Array<int> in(counting<int>(32)), out(32);
  remote_arrival_of_block_scope_kernel<good><<<2, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 31);
}

// --- Bulk copies ---

// Nobody waits for the barrier that the copy completes.
template <bool good>
__global__ void bulk_not_awaited_kernel(const int* in, int* out) {
  __shared__ alignas(128) int line[64];
  __shared__ uint64_t ready;
  if (threadIdx.x == 0) init_barrier(&ready, 1);
  __syncthreads();
  if (threadIdx.x == 0) load_in_bulk(line, in, sizeof line, &ready);  // BUG: write
  if (good) {
    wait_for_phase(&ready, 0);
  } else {
    __syncthreads();
  }
  out[threadIdx.x] = line[63 - threadIdx.x];  // BUG: read
  if (!good) wait_for_phase(&ready, 0);
}

template <bool good>
void bulk_not_awaited() {
  Array<int> in(counting<int>(64)), out(64);
  bulk_not_awaited_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// The thread that has issued the copy waits, and the others do not.
template <bool good>
__global__ void bulk_awaited_by_one_kernel(const int* in, int* out) {
  __shared__ alignas(128) int line[64];
  __shared__ uint64_t ready;
  if (threadIdx.x == 0) init_barrier(&ready, 1);
  __syncthreads();
  if (threadIdx.x == 0) {
    load_in_bulk(line, in, sizeof line, &ready);  // BUG: write
    wait_for_phase(&ready, 0);
  }
  if (good) __syncthreads();
  out[threadIdx.x] = line[63 - threadIdx.x];  // BUG: read
}

template <bool good>
void bulk_awaited_by_one() {
  Array<int> in(counting<int>(64)), out(64);
  bulk_awaited_by_one_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// The next copy is issued while others still read what the last one brought.
template <bool good>
__global__ void bulk_line_reused_kernel(const int* in, int* out) {
  __shared__ alignas(128) int line[64];
  __shared__ uint64_t ready[2];
  if (threadIdx.x == 0) {
    init_barrier(&ready[0], 1);
    init_barrier(&ready[1], 1);
  }
  __syncthreads();
  int sum = 0;
  for (int turn = 0; turn < 2; ++turn) {
    if (threadIdx.x == 0)
      load_in_bulk(line, in + 64 * turn, sizeof line, &ready[turn]);  // BUG: write
    wait_for_phase(&ready[turn], 0);
    sum += line[63 - threadIdx.x];  // BUG: read
    if (good) {
      fence_for_async_proxy();
      __syncthreads();
    }
  }
  out[threadIdx.x] = sum;
}

template <bool good>
void bulk_line_reused() {
  Array<int> in(counting<int>(2 * 64)), out(64);
  bulk_line_reused_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[63] == 64);
}

// What ordinary stores have written is not there yet for the async proxy.
template <bool good>
__global__ void no_proxy_fence_kernel(const int* in, int* out) {
  __shared__ alignas(128) int line[64];
  line[threadIdx.x] = 2 * in[threadIdx.x];  // BUG: write
  if (good) fence_for_async_proxy();
  __syncthreads();
  if (threadIdx.x == 0) {
    store_in_bulk(out, line, sizeof line);  // BUG: read
    wait_for_bulk_stores();
  }
}

template <bool good>
void no_proxy_fence() {
  Array<int> in(counting<int>(64)), out(64);
  no_proxy_fence_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[63] == 126);
}

// A bulk store still reads the line when the next values are written into it.
template <bool good>
__global__ void bulk_source_reused_kernel(const int* in, int* out, int turns) {
  __shared__ alignas(128) int line[64];
  for (int turn = 0; turn < turns; ++turn) {
    line[threadIdx.x] = in[64 * turn + threadIdx.x] + 1;  // BUG: write
    fence_for_async_proxy();
    __syncthreads();
    if (threadIdx.x == 0) {
      store_in_bulk(out + 64 * turn, line, sizeof line);  // BUG: read
      if (good) wait_for_bulk_reads();
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) wait_for_bulk_stores();
}

template <bool good>
void bulk_source_reused() {
  Array<int> in(counting<int>(3 * 64)), out(3 * 64);
  bulk_source_reused_kernel<good><<<1, 64>>>(in, out, 3);
  KERNEL_OK();
  RESULT(out.host()[191] == 192);
}

// Two stages on their way from one array to another: of the stores, one may be left when the next
// line is loaded; with two left, the stage that is loaded is still being read.
template <bool good>
__global__ void bulk_stages_kernel(const int* in, int* out, int turns) {
  __shared__ alignas(128) int line[2][32];
  __shared__ uint64_t ready[2];
  if (threadIdx.x != 0) return;
  init_barrier(&ready[0], 1);
  init_barrier(&ready[1], 1);
  for (int turn = 0; turn < turns; ++turn) {
    const int stage = turn % 2;
    if (good) {
      asm volatile("cp.async.bulk.wait_group.read 1;" ::: "memory");
    } else {
      asm volatile("cp.async.bulk.wait_group.read 2;" ::: "memory");
    }
    load_in_bulk(line[stage], in + 32 * turn, sizeof line[stage], &ready[stage]);  // BUG: write
    wait_for_phase(&ready[stage], turn / 2 % 2);
    store_in_bulk(out + 32 * turn, line[stage], sizeof line[stage]);  // BUG: read
  }
  wait_for_bulk_stores();
}

template <bool good>
void bulk_stages() {
  Array<int> in(counting<int>(5 * 32)), out(5 * 32);
  bulk_stages_kernel<good><<<1, 32>>>(in, out, 5);
  KERNEL_OK();
  RESULT(out.host() == counting<int>(5 * 32));
}

// That the source has been read does not mean that the target has been written.
template <bool good>
__global__ void bulk_result_read_early_kernel(const int* in, int* out, int* sum) {
  __shared__ alignas(128) int line[64];
  line[threadIdx.x] = in[threadIdx.x];
  fence_for_async_proxy();
  __syncthreads();
  if (threadIdx.x == 0) {
    store_in_bulk(out, line, sizeof line);  // BUG: write
    if (good) {
      wait_for_bulk_stores();
    } else {
      wait_for_bulk_reads();
    }
    *sum = out[0] + out[63];  // BUG: read
  }
}

template <bool good>
void bulk_result_read_early() {
  Array<int> in(counting<int>(64)), out(64), sum(1);
  bulk_result_read_early_kernel<good><<<1, 64>>>(in, out, sum);
  KERNEL_OK();
  RESULT(sum.host()[0] == 63);
}

// A bulk copy moves pieces of 16 bytes that begin at a multiple of 16.
template <bool good>
__global__ void bulk_misaligned_kernel(const int* in, int* out) {
  __shared__ alignas(128) int line[64];
  __shared__ uint64_t ready;
  if (threadIdx.x == 0) init_barrier(&ready, 1);
  __syncthreads();
  if (threadIdx.x == 0) load_in_bulk(line, in + (good ? 4 : 1), 60 * sizeof(int), &ready);  // BUG
  wait_for_phase(&ready, 0);
  if (threadIdx.x < 60) out[threadIdx.x] = line[threadIdx.x];
}

template <bool good>
void bulk_misaligned() {
  Array<int> in(counting<int>(64)), out(64);
  bulk_misaligned_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 4);
}

// More is copied than the source has.
template <bool good>
__global__ void bulk_out_of_bounds_kernel(const int* in, int* out) {
  __shared__ alignas(128) int line[64];
  __shared__ uint64_t ready;
  if (threadIdx.x == 0) init_barrier(&ready, 1);
  __syncthreads();
  const unsigned bytes = (good ? 60 : 64) * sizeof(int);
  if (threadIdx.x == 0) load_in_bulk(line, in, bytes, &ready);  // BUG
  wait_for_phase(&ready, 0);
  if (threadIdx.x < 60) out[threadIdx.x] = line[threadIdx.x];
}

template <bool good>
void bulk_out_of_bounds() {
  Array<int> in(counting<int>(60)), out(64);
  bulk_out_of_bounds_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[59] == 59);
}

// --- Dependent launches ---

__global__ void primary_kernel(int* values) {
  cudaTriggerProgrammaticLaunchCompletion();
  values[threadIdx.x] = static_cast<int>(threadIdx.x) + 1;  // BUG: write
}

template <bool good>
__global__ void secondary_kernel(const int* values, int* out) {
  if (good) cudaGridDependencySynchronize();
  out[threadIdx.x] = values[threadIdx.x];  // BUG: read
}

// The second kernel may begin before the first has ended, and has to wait for it where it reads.
template <bool good>
void dependency_not_awaited() {
  Array<int> values(64), out(64);
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  primary_kernel<<<1, 64, 0, stream>>>(values);
  CUDA_OK(cudaGetLastError());
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(1);
  config.blockDim = dim3(64);
  config.stream = stream;
  config.attrs = &attribute;
  config.numAttrs = 1;
  const int* from = values;
  int* to = out;
  CUDA_OK(cudaLaunchKernelEx(&config, secondary_kernel<good>, from, to));
  CUDA_OK(cudaStreamSynchronize(stream));
  CUDA_OK(cudaStreamDestroy(stream));
  RESULT(out.host()[63] == 64);
}

const Case cases[] = {
    CASE(cluster_sync_missing, "race"),
    CASE(ended_too_early, "race|use-after-free|out-of-bounds"),
    CASE(between_arrive_and_wait, "race"),
    CASE(cleared_without_cluster_sync, "race"),
    CASE(remote_out_of_bounds, "out-of-bounds"),
    CASE(pushed_to_the_other, "race"),
    CASE(remote_arrival_of_block_scope, "race"),
    CASE(bulk_not_awaited, "race"),
    CASE(bulk_stages, "race"),
    CASE(bulk_awaited_by_one, "race"),
    CASE(bulk_line_reused, "race"),
    CASE(no_proxy_fence, "race"),
    CASE(bulk_source_reused, "race"),
    CASE(bulk_result_read_early, "race"),
    CASE(bulk_misaligned, "misaligned"),
    CASE(bulk_out_of_bounds, "out-of-bounds"),
    CASE(dependency_not_awaited, "race"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }

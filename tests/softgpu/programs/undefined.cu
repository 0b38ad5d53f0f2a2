// nvcc: -lineinfo
// run: own_lane_shfl
// run: own_lane_vote
// run: own_lane_ballot
// run: own_lane_match
// run: own_lane_redux
// run: own_lane_syncwarp
// run: barrier_around_in_warp
// run: barrier_around_odd_lanes
// run: barrier_around_warp
// run: barrier_two_in_warp
// run: barrier_two_in_block
// run: barrier_in_function
// run: barrier_or
// run: group_sync_around
// run: barrier_count_beyond_block
// run: barrier_numbers_differ
// run: grid_sync_by_part
// run: shfl_left_out
// run: shfl_exited
// run: absent_from_vote
// run: shfl_small_block
// run: shfl_modes
// run: shfl_double
// run: right
//
// Cases that CUDA leaves undefined. A lane that is not among the members it names, and a barrier
// that only a part of a block comes to, are faults that name both places. A value from a lane that
// gives none is a pattern that shows, with one notice for each place: reductions take such values
// and throw them away. What devices define stays what it is, without a word: `right`.
#include <cooperative_groups.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#include "capture.cuh"
#include "check.cuh"

namespace cg = cooperative_groups;

#define FULL 0xffffffffu
constexpr unsigned pattern = 0x7ffb7ffb;

// --- lanes that do not name themselves ----------------------------------------------------------

__global__ void own_lane(int* out, int which, unsigned mask) {
  const int lane = threadIdx.x;
  int r = 0;
  if (which == 0) r = __shfl_sync(mask, lane, 0);
  if (which == 1) r = __any_sync(mask, lane == 3);
  if (which == 2) r = __ballot_sync(mask, lane & 1);
  if (which == 3) r = __match_any_sync(mask, lane / 4);
  if (which == 4) r = __reduce_add_sync(mask, lane);
  if (which == 5) __syncwarp(mask);
  out[lane] = r;
}

// --- barriers for a part of the block -----------------------------------------------------------

__global__ void around(int* out, int limit) {
  __shared__ int box[64];
  box[threadIdx.x] = threadIdx.x;
  if (threadIdx.x < limit) __syncthreads();
  out[threadIdx.x] = box[63 - threadIdx.x];
}
constexpr int around_line = __LINE__ - 3;

__global__ void around_odd(int* out) {
  __shared__ int box[64];
  box[threadIdx.x] = threadIdx.x;
  if (threadIdx.x % 2 == 1) {
    __syncthreads();
    box[threadIdx.x] += 1;
  }
  out[threadIdx.x] = box[threadIdx.x];
}

__global__ void two(int* out, int limit) {
  if (threadIdx.x < limit) {
    out[threadIdx.x] = 1;
    __syncthreads();
    out[threadIdx.x] += 2;
  } else {
    out[threadIdx.x] = 3;
    __syncthreads();
    out[threadIdx.x] += 4;
  }
}

// One warp comes to a barrier more than the other.
__global__ void one_more(int* out) {
  if (threadIdx.x < 32) __syncthreads();
  out[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] += 1;
}

__device__ __noinline__ void meet(int* out) {
  __syncthreads();
  out[threadIdx.x] += 1;
}
__global__ void through_function(int* out) {
  if (threadIdx.x % 2 == 1) meet(out);
  out[threadIdx.x] += 2;
}

__global__ void vote_around(int* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __syncthreads_or(threadIdx.x == 3);
  out[64 + threadIdx.x] = 7;
}

__global__ void group_around(int* out) {
  if (threadIdx.x < 16) cg::this_thread_block().sync();
  out[threadIdx.x] = 2;
}

__global__ void barrier_of(int number, int count) {
  asm volatile("barrier.sync %0, %1;" ::"r"(number), "r"(count) : "memory");
}
__global__ void barriers_differ() {
  asm volatile("bar.sync %0;" ::"r"((int)threadIdx.x / 16) : "memory");
}

__global__ void grid_by_part(int* out) {
  if (blockIdx.x == 2) return;
  cg::this_grid().sync();
  out[blockIdx.x] = 1;
}

// --- shuffles -----------------------------------------------------------------------------------

template <class T>
__global__ void left_out(T* out) {
  const int lane = threadIdx.x;
  if (lane < 8) out[lane] = __shfl_sync(0xffu, (T)lane, lane + 4);
}

template <class T>
__global__ void tail(T* out, int n) {
  if (threadIdx.x >= n) return;
  T v = 1;
  for (int o = 16; o != 0; o /= 2) v += __shfl_down_sync(FULL, v, o);
  out[threadIdx.x] = v;
}

// Every way to shuffle, in segments of `width`; lanes from 20 on do not take part.
__global__ void modes(int* out, int how, int by, int width) {
  const int lane = threadIdx.x;
  if (lane >= 20) return;
  const unsigned members = (1u << 20) - 1;
  int v = lane + 100;
  if (how == 0) v = __shfl_up_sync(members, v, by, width);
  if (how == 1) v = __shfl_down_sync(members, v, by, width);
  if (how == 2) v = __shfl_xor_sync(members, v, by, width);
  if (how == 3) v = __shfl_sync(members, v, by, width);
  out[lane] = v;
}

// --- what is right ------------------------------------------------------------------------------

__global__ void early_return(int* out, int n) {
  if (threadIdx.x >= n) return;
  __shared__ int box[128];
  box[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = box[n - 1 - threadIdx.x];
  __syncthreads();
  out[threadIdx.x] += 1;
}
__global__ void early_return_with_work(int* out, int n) {
  if (threadIdx.x >= n) {
    out[threadIdx.x] = -1;
    return;
  }
  for (int i = 0; i < 3; ++i) {
    __syncthreads();
    atomicAdd(&out[n - 1 - threadIdx.x], 1);
  }
}
// Warps with a part of their own come to as many barriers each.
__global__ void specialised(int* out) {
  __shared__ int box[32];
  if (threadIdx.x < 32) {
    box[threadIdx.x] = 5;
    __syncthreads();
    __syncthreads();
  } else {
    __syncthreads();
    out[threadIdx.x] = box[threadIdx.x % 32];
    __syncthreads();
  }
}
__global__ void turns(int* out, int n) {
  // Whole warps leave the loop at different times; the last part is for all.
  for (int i = threadIdx.x / 32; i < n; i += 1) {
    if (i > 1000) return;
    __syncthreads();
  }
}
__global__ void named(int* out) {
  if (threadIdx.x < 32) {
    asm volatile("bar.arrive 1, 64;" ::: "memory");
  } else {
    asm volatile("bar.sync 1, 64;" ::: "memory");
  }
  // Not aligned: lanes may come one by one.
  if (threadIdx.x % 2 == 0) {
    asm volatile("barrier.sync 2;" ::: "memory");
  } else {
    asm volatile("barrier.sync 2;" ::: "memory");
  }
  out[threadIdx.x] = 1;
}
__global__ void tiles(int* out) {
  const auto tile = cg::tiled_partition<8>(cg::this_thread_block());
  int v = threadIdx.x;
  for (int o = 4; o != 0; o /= 2) v += tile.shfl_down(v, o);
  if (threadIdx.x % 3 == 0) {
    const auto active = cg::coalesced_threads();
    v += active.shfl(v, 0) + active.ballot(v > 3);
  }
  out[threadIdx.x] = v;
}
// Members by a ballot, of which some end before others use the mask.
__global__ void some_end(int* out, int n) {
  const unsigned members = __ballot_sync(FULL, threadIdx.x < n);
  if (threadIdx.x >= n) return;
  if (threadIdx.x == n - 1) {
    out[threadIdx.x] = 9;
    return;
  }
  out[threadIdx.x] = __popc(__ballot_sync(members, 1)) + __any_sync(members, threadIdx.x == 0);
}

// Lanes that the mask names go around the vote and do what follows it.
__global__ void absent_from_vote(int* out, int n) {
  if (threadIdx.x < n) out[64 + threadIdx.x] = __popc(__ballot_sync(FULL, 1));
  out[threadIdx.x] = 5;
}

void check_fault(Capture& capture, cudaError_t expected, const std::string& kernel, int line,
                 const std::string& part) {
  const cudaError_t code = cudaDeviceSynchronize();
  const std::string text = capture.text();
  CHECK_AT(code == expected, "%s: %s", cudaGetErrorName(code), text.c_str());
  for (const std::string& what : {kernel, part, line == 0 ? kernel : ":" + std::to_string(line)}) {
    CHECK_AT(text.find(what) != std::string::npos, "no '%s' in: %s", what.c_str(), text.c_str());
  }
  // Both places: the line that faults and where the others are.
  if (part.find("reached by all") != std::string::npos) {
    const auto first = text.find("undefined.cu:");
    CHECK_AT(
        first != std::string::npos && text.find("undefined.cu:", first + 1) != std::string::npos,
        "not two places: %s", text.c_str());
  }
}

int count_of(const std::string& text, const std::string& what) {
  int count = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  int* out;
  CUDA_OK(cudaMallocManaged(&out, 256 * sizeof(double)));
  std::memset(out, 0, 256 * sizeof(double));
  Capture capture;
  const char* const lanes[] = {"own_lane_shfl",  "own_lane_vote",  "own_lane_ballot",
                               "own_lane_match", "own_lane_redux", "own_lane_syncwarp"};
  for (int i = 0; i < 6; ++i) {
    if (mode != lanes[i]) continue;
    own_lane<<<1, 32>>>(out, i, 0xfffffff7u);
    check_fault(capture, cudaErrorIllegalInstruction, "own_lane(int*, int, unsigned int)", 0,
                "lane 3 is not in the member mask 0xfffffff7");
    return verdict();
  }
  const std::string rule = "A barrier has to be reached by all threads or by none";
  const cudaError_t illegal = cudaErrorIllegalInstruction;
  if (mode == "barrier_around_in_warp") {
    around<<<1, 64>>>(out, 16);
    check_fault(capture, illegal, "around", around_line, rule);
  } else if (mode == "barrier_around_odd_lanes") {
    around_odd<<<1, 64>>>(out);
    check_fault(capture, illegal, "around_odd", 0, rule);
  } else if (mode == "barrier_around_warp") {
    around<<<1, 64>>>(out, 32);
    check_fault(capture, illegal, "around", around_line, rule);
  } else if (mode == "barrier_two_in_warp") {
    two<<<1, 64>>>(out, 16);
    check_fault(capture, illegal, "two", 0, rule);
  } else if (mode == "barrier_two_in_block") {
    one_more<<<1, 64>>>(out);
    check_fault(capture, illegal, "one_more", 0, rule);
  } else if (mode == "barrier_in_function") {
    through_function<<<1, 64>>>(out);
    check_fault(capture, illegal, "through_function", 0, rule);
  } else if (mode == "barrier_or") {
    vote_around<<<1, 64>>>(out);
    check_fault(capture, illegal, "vote_around", 0, rule);
  } else if (mode == "group_sync_around") {
    group_around<<<1, 64>>>(out);
    check_fault(capture, illegal, "group_around", 0, rule);
  } else if (mode == "barrier_count_beyond_block") {
    barrier_of<<<1, 64>>>(1, 96);
    check_fault(capture, illegal, "barrier_of", 0, "waits for 96 threads");
  } else if (mode == "barrier_numbers_differ") {
    barriers_differ<<<1, 32>>>();
    check_fault(capture, illegal, "barriers_differ", 0, "name different barriers");
  } else if (mode == "grid_sync_by_part") {
    void* arguments[] = {&out};
    CUDA_OK(cudaLaunchCooperativeKernel(grid_by_part, 4, 32, arguments));
    check_fault(capture, cudaErrorLaunchTimeout, "grid_by_part", 0,
                "3 blocks wait for the whole grid");
  } else if (mode == "shfl_left_out") {
    for (int i = 0; i < 3; ++i) left_out<<<8, 32>>>(out);
    CUDA_OK(cudaDeviceSynchronize());
    for (int i = 0; i < 8; ++i) CHECK_AT(out[i] == (i < 4 ? i + 4 : (int)pattern), "%d", out[i]);
    const std::string text = capture.text();
    CHECK_AT(count_of(text, "notice") == 1, "%s", text.c_str());
    CHECK_AT(text.find("which the member mask 0xff leaves out") != std::string::npos, "%s",
             text.c_str());
  } else if (mode == "shfl_exited") {
    float* f = reinterpret_cast<float*>(out);
    for (int i = 0; i < 3; ++i) tail<<<8, 32>>>(f, 20);
    CUDA_OK(cudaDeviceSynchronize());
    CHECK(std::isnan(f[0]));
    const std::string text = capture.text();
    const int notices = count_of(text, "notice");
    CHECK_AT(notices >= 1 && notices <= 5, "%s", text.c_str());  // once for each of the unrolled
    CHECK_AT(text.find("which has ended") != std::string::npos, "%s", text.c_str());
  } else if (mode == "absent_from_vote") {
    for (int i = 0; i < 3; ++i) absent_from_vote<<<8, 32>>>(out, 20);
    CUDA_OK(cudaDeviceSynchronize());
    CHECK_AT(out[64] == 20, "%d", out[64]);
    const std::string text = capture.text();
    CHECK_AT(count_of(text, "notice") == 1, "%s", text.c_str());
    CHECK_AT(text.find("has ended without coming here") != std::string::npos, "%s", text.c_str());
  } else if (mode == "shfl_small_block") {
    // The sum of the lanes that are there is right: what the others give is thrown away.
    modes<<<1, 16>>>(out, 3, 17, 32);
    CUDA_OK(cudaDeviceSynchronize());
    const std::string text = capture.text();
    CHECK_AT(out[0] == (int)pattern, "%x", out[0]);
    CHECK_AT(text.find("which the block does not have") != std::string::npos, "%s", text.c_str());
  } else if (mode == "shfl_modes") {
    for (int how = 0; how < 4; ++how) {
      for (int width = 1; width <= 32; width *= 2) {
        for (int by = 0; by < 32; ++by) {
          modes<<<1, 32>>>(out, how, by, width);
          CUDA_OK(cudaDeviceSynchronize());
          for (int lane = 0; lane < 20; ++lane) {
            const int base = lane / width * width;
            int from = how == 0   ? lane - by
                       : how == 1 ? lane + by
                       : how == 2 ? (lane ^ by)
                                  : base + by % width;
            if (how == 0 && from < base) from = lane;
            if (how != 0 && from >= base + width) from = lane;
            const int want = from < 20 ? from + 100 : (int)pattern;
            CHECK_AT(out[lane] == want, "how %d by %d width %d lane %d: %x, %x", how, by, width,
                     lane, out[lane], want);
          }
        }
      }
    }
    (void)capture.text();
  } else if (mode == "shfl_double") {
    double* d = reinterpret_cast<double*>(out);
    tail<<<1, 32>>>(d, 20);
    left_out<<<1, 32>>>(d + 32);
    long long* l = reinterpret_cast<long long*>(out) + 64;
    left_out<<<1, 32>>>(l);
    CUDA_OK(cudaDeviceSynchronize());
    (void)capture.text();
    CHECK(std::isnan(d[0]));
    for (int i = 0; i < 8; ++i) {
      CHECK_AT(i < 4 ? d[32 + i] == i + 4 : std::isnan(d[32 + i]), "%g", d[32 + i]);
      CHECK_AT(l[i] == (i < 4 ? i + 4 : 0x7ffb7ffb7ffb7ffbLL), "%llx", l[i]);
    }
  } else if (mode == "right") {
    for (const int n : {1, 20, 32, 50, 64, 100}) {
      early_return<<<1, 128>>>(out, n);
      CUDA_OK(cudaDeviceSynchronize());
      for (int i = 0; i < n; ++i) CHECK(out[i] == n - i);
      std::memset(out, 0, 1024);
      early_return_with_work<<<1, 128>>>(out, n);
      CUDA_OK(cudaDeviceSynchronize());
      for (int i = 0; i < 128; ++i) CHECK_AT(out[i] == (i < n ? 3 : -1), "%d: %d", i, out[i]);
    }
    specialised<<<2, 64>>>(out);
    CUDA_OK(cudaDeviceSynchronize());
    CHECK(out[40] == 5);
    turns<<<2, 128>>>(out, 8);
    named<<<2, 64>>>(out);
    tiles<<<2, 128>>>(out);
    CUDA_OK(cudaDeviceSynchronize());
    some_end<<<1, 32>>>(out, 9);
    CUDA_OK(cudaDeviceSynchronize());
    const std::string text = capture.text();
    CHECK_AT(out[2] == 8 + 1, "%d", out[2]);
    CHECK_AT(text.empty(), "%s", text.c_str());
  } else {
    (void)capture.text();
    std::printf("undefined: unknown mode '%s'\n", mode.c_str());
    return 2;
  }
  return verdict();
}

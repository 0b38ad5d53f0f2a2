// run: right
// run: early_return_in_loop
// run: fewer_turns
// run: merged_tail
//
// Barriers that look odd and are right, which have to pass without a word: threads that return
// before a barrier, also from within a loop or with a statement that the compiler merges with the
// last one of the others; lanes that come to one barrier by different ways; warps whose barriers
// stand at different places, as many for each. `undefined.cu` has those that are wrong.
#include <cooperative_groups.h>

#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "capture.cuh"
#include "check.cuh"

namespace cg = cooperative_groups;

constexpr int threads = 256;

// --- lanes that come to a barrier by different ways ---------------------------------------------

__global__ void skipping(int* out, int turns) {
  __shared__ int box[threads];
  const int t = threadIdx.x;
  int sum = 0;
  box[t] = 0;
  for (int i = 0; i < turns; ++i) {
    if ((t + i) % 3 == 0) {
      sum += 1;
      goto end;
    }
    box[t] += i;
    if ((t + i) % 5 == 0) goto end;
    sum += box[t];
  end:
    __syncthreads();
  }
  out[t] = sum;
}
int skipped(int t, int turns) {
  int sum = 0, box = 0;
  for (int i = 0; i < turns; ++i) {
    if ((t + i) % 3 == 0) {
      sum += 1;
      continue;
    }
    box += i;
    if ((t + i) % 5 != 0) sum += box;
  }
  return sum;
}

__global__ void switching(int* out) {
  __shared__ int box[threads];
  const int t = threadIdx.x;
  switch (t % 4) {
    case 0: box[t] = 3; break;
    case 1: box[t] = __popc(t) * 100; break;
    case 2:
      box[t] = 0;
      for (int i = 0; i < t; ++i) box[t] += i;
      break;
    default: box[t] = t / 3;
  }
  __syncthreads();
  out[t] = box[t ^ 1];
}
int switched(int t) {
  t ^= 1;
  switch (t % 4) {
    case 0: return 3;
    case 1: return __builtin_popcount(t) * 100;
    case 2: return t * (t - 1) / 2;
    default: return t / 3;
  }
}

__global__ void until_all_are_done(int* out) {
  int left = threadIdx.x;
  int turns = 0;
  while (__syncthreads_or(left > 0)) {
    left -= 13;
    ++turns;
  }
  int steps = 0;
  bool on = true;
  while (__syncthreads_count(on) > 0) {
    if (!on) continue;
    if (++steps > threadIdx.x % 7) on = false;
  }
  out[threadIdx.x] = turns * 100 + steps;
}

// Lanes leave the loop by different ways, and all meet behind it.
__global__ void searching(int* out, int n) {
  __shared__ int found;
  if (threadIdx.x == 0) found = n;
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += threads) {
    if (out[i] != 0) continue;
    if (i % 7 == 3) break;
    if (i % 11 == 5) {
      atomicMin(&found, i);
      break;
    }
  }
  __syncthreads();
  out[threadIdx.x] = found;
}

// The barriers of cooperative groups are not "aligned": lanes of one warp may come to different
// ones.
__global__ void group_in_both_arms(int* out) {
  const auto block = cg::this_thread_block();
  const int t = threadIdx.x;
  if (t % 2 != 0) {
    out[t] = 1;
    block.sync();
  } else {
    out[t] = 2;
    block.sync();
  }
  out[threads + t] = out[t ^ 1];
}

// --- functions with barriers --------------------------------------------------------------------

__device__ __noinline__ int exchange(int* box, int value) {
  box[threadIdx.x] = value;
  __syncthreads();
  const int result = box[threadIdx.x ^ 1];
  __syncthreads();
  return result;
}
// nvcc declares `box` in the function, which is its only user by name.
__global__ void through_functions(int* out, bool tripled) {
  __shared__ int box[threads];
  const int v = tripled ? exchange(box, 3 * threadIdx.x) : exchange(box, threadIdx.x);
  if (threadIdx.x >= 200) {
    atomicAdd(out + threadIdx.x, v);
    return;
  }
  out[threadIdx.x] = exchange(box, v + 1);
}

// --- warps with parts of their own --------------------------------------------------------------

__global__ void producer_and_consumers(int* out, int turns) {
  __shared__ int box[32];
  if (threadIdx.x < 32) {
    for (int i = 0; i < turns; ++i) {
      box[threadIdx.x] = i;
      __syncthreads();
      __syncthreads();
    }
  } else {
    int sum = 0;
    for (int i = 0; i < turns; ++i) {
      __syncthreads();
      sum += box[threadIdx.x % 32];
      __syncthreads();
    }
    out[threadIdx.x] = sum;
  }
}
__global__ void pairs_of_named_barriers(int* out) {
  __shared__ int box[threads];
  const int pair = threadIdx.x / 64;
  for (int i = 0; i < 5 + pair; ++i) {  // each pair of warps as often as it likes
    box[threadIdx.x] = i + threadIdx.x;
    asm volatile("bar.sync %0, 64;" ::"r"(1 + pair) : "memory");
    out[threadIdx.x] = box[threadIdx.x ^ 63];
    asm volatile("bar.sync %0, 64;" ::"r"(1 + pair) : "memory");
  }
}

// --- threads that return early ------------------------------------------------------------------

__global__ void last_warp_goes_on(int* out, int n) {
  __shared__ int box[threads];
  const int t = threadIdx.x;
  int v = 0;
  for (int i = t; i < n; i += threads) v += i;
  box[t] = v;
  __syncthreads();
  for (int o = threads / 2; o > 32; o /= 2) {
    if (t < o) box[t] += box[t + o];
    __syncthreads();
  }
  if (t >= 32) return;
  v = box[t] + box[t + 32];
  for (int o = 16; o != 0; o /= 2) v += __shfl_down_sync(0xffffffffu, v, o);
  if (t == 0) out[0] = v;
}
__global__ void take_turns(int* out, int* next, int n) {
  __shared__ int mine;
  for (;;) {
    if (threadIdx.x == 0) mine = atomicAdd(next, 1);
    __syncthreads();
    const int work = mine;
    __syncthreads();
    if (work >= n) break;
    if (threadIdx.x < 13) {
      atomicAdd(out + threadIdx.x, 100);
      continue;
    }
    atomicAdd(out + threadIdx.x, 1);
  }
}
__device__ void finish(int* out, int v) {
  out[threadIdx.x] = v * 3 + 1;
  atomicAdd(out + threads, v);
}
__global__ void same_call_at_the_end(int* out, int n) {
  __shared__ int box[threads];
  if (threadIdx.x >= n) {
    finish(out, 7);
    return;
  }
  box[threadIdx.x] = threadIdx.x;
  __syncthreads();
  const int v = box[n - 1 - threadIdx.x];
  __syncthreads();
  finish(out, v);
}
__global__ void chain_of_returns(int* out, int n) {
  __shared__ int box[threads];
  const int t = threadIdx.x;
  int r;
  if (t < n) {
    box[t] = t;
    __syncthreads();
    r = box[n - 1 - t];
  } else if (t < 2 * n) {
    out[t] = 1;
    return;
  } else {
    out[t] = 2;
    return;
  }
  out[t] = r;
}
// Threads return from within a loop with barriers.
__global__ void fewer_each_turn(int* out, int turns) {
  __shared__ int box;
  int sum = 0;
  for (int i = 0; i < turns; ++i) {
    if (threadIdx.x >= threads - 10 * i) {
      out[threadIdx.x] = sum;
      return;
    }
    box = i;
    __syncthreads();
    sum += box;
    __syncthreads();
  }
  out[threadIdx.x] = sum;
}
// A warp leaves the loop one turn before the others: the last barriers are without it.
__global__ void fewer_turns(int* out) {
  __shared__ int box[threads];
  const int t = threadIdx.x;
  const int turns = t < 32 ? 3 : 4;
  int sum = 0;
  for (int i = 0; i < turns; ++i) {
    box[t] = i;
    __syncthreads();
    sum += box[t ^ 1];
    __syncthreads();
  }
  out[t] = sum;
}
// nvcc makes one store of the two: what is left cannot be told from a barrier that some went
// around.
__global__ void same_store_at_the_end(int* out, int n) {
  __shared__ int box[threads];
  if (threadIdx.x >= n) {
    out[threadIdx.x] = -1;
    return;
  }
  box[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = box[n - 1 - threadIdx.x];
}

template <class Expected>
void expect(const char* kernel, const int* out, int n, Expected expected) {
  CUDA_OK(cudaDeviceSynchronize());
  for (int i = 0; i < n; ++i) {
    CHECK_AT(out[i] == expected(i), "%s[%d]: %d, not %d", kernel, i, out[i], expected(i));
  }
}

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  int* out;
  CUDA_OK(cudaMallocManaged(&out, 4096 * sizeof(int)));
  const auto clear = [&] { std::memset(out, 0, 4096 * sizeof(int)); };
  clear();
  Capture capture;
  std::string text;
  if (mode == "right") {
    skipping<<<2, threads>>>(out, 20);
    expect("skipping", out, threads, [](int i) { return skipped(i, 20); });
    switching<<<2, threads>>>(out);
    expect("switching", out, threads, switched);
    until_all_are_done<<<2, threads>>>(out);
    expect("until_all_are_done", out, threads,
           [](int i) { return (threads - 1 + 12) / 13 * 100 + i % 7 + 1; });
    clear();
    searching<<<1, threads>>>(out, 4 * threads);
    expect("searching", out, threads, [](int) { return 5; });
    group_in_both_arms<<<1, threads>>>(out);
    expect("group_in_both_arms", out + threads, threads, [](int i) { return 2 - (i ^ 1) % 2; });
    for (const bool tripled : {false, true}) {
      clear();
      through_functions<<<1, threads>>>(out, tripled);
      expect("through_functions", out, threads, [&](int i) {
        const auto v = [&](int t) { return (tripled ? 3 : 1) * (t ^ 1); };
        return i >= 200 ? v(i) : v(i ^ 1) + 1;
      });
    }
    clear();
    producer_and_consumers<<<2, threads>>>(out, 10);
    expect("producer_and_consumers", out, threads, [](int i) { return i < 32 ? 0 : 45; });
    pairs_of_named_barriers<<<2, threads>>>(out);
    expect("pairs_of_named_barriers", out, threads, [](int i) { return 4 + i / 64 + (i ^ 63); });
    last_warp_goes_on<<<2, threads>>>(out, 10000);
    expect("last_warp_goes_on", out, 1, [](int) { return 10000 * 9999 / 2; });
    clear();
    take_turns<<<3, threads>>>(out, out + 2000, 10);
    expect("take_turns", out, threads, [](int i) { return i < 13 ? 1000 : 10; });
    for (const int n : {1, 31, 32, 100, 255}) {
      same_call_at_the_end<<<1, threads>>>(out, n);
      expect("same_call_at_the_end", out, threads,
             [&](int i) { return 3 * (i >= n ? 7 : n - 1 - i) + 1; });
    }
    chain_of_returns<<<2, threads>>>(out, 77);
    expect("chain_of_returns", out, threads, [](int i) {
      return i < 77 ? 76 - i : i < 154 ? 1 : 2;
    });
    text = capture.text();
    CHECK_AT(text.empty(), "%s", text.c_str());
  } else if (mode == "early_return_in_loop" || mode == "merged_tail") {
    // A notice is right, a fault is not.
    for (int i = 0; i < 3; ++i) {
      if (mode == "merged_tail") {
        same_store_at_the_end<<<2, threads>>>(out, 100);
        expect("same_store_at_the_end", out, threads, [](int i) { return i < 100 ? 99 - i : -1; });
      } else {
        fewer_each_turn<<<2, threads>>>(out, 20);
        expect("fewer_each_turn", out, threads, [](int i) {
          int sum = 0;
          for (int k = 0; k < 20 && i < threads - 10 * k; ++k) sum += k;
          return sum;
        });
      }
    }
    text = capture.text();
    int notices = 0;
    for (auto at = text.find("notice"); at != std::string::npos; at = text.find("notice", at + 1)) {
      ++notices;
    }
    CHECK_AT(notices <= 2, "%s", text.c_str());
  } else if (mode == "fewer_turns") {
    // Devices go on without threads that have ended.
    fewer_turns<<<2, threads>>>(out);
    expect("fewer_turns", out, threads, [](int i) { return i < 32 ? 3 : 6; });
    text = capture.text();
    CHECK_AT(text.find("in every turn of a loop") != std::string::npos, "%s", text.c_str());
  } else {
    std::printf("barriers: unknown mode '%s'\n", mode.c_str());
    return 2;
  }
  return verdict();
}

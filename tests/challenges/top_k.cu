// Kernels for the challenge top-k.
#define ARGUMENTS const float *x, float *largest, float *scratch, int n, int k

// The place of each element among all, by comparing with every other: those before it in order, and
// of equal ones those with a lower index.
template <bool ties, int less>
__device__ void by_rank(ARGUMENTS) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float own = x[i];
  int rank = 0;
  for (int j = 0; j < n - less; ++j) {
    const float other = x[j];
    rank += other > own || (ties && other == own && j < i);
  }
  if (rank < k) largest[rank] = own;
}

//@ kernel right passed
//@ launch right grid=ceil(n/128) block=128
extern "C" __global__ void right(ARGUMENTS) { by_rank<true, 0>(x, largest, scratch, n, k); }

//@ kernel right_rounds passed a block that takes the largest k times
//@ launch right_rounds grid=1 block=256
extern "C" __global__ void right_rounds(ARGUMENTS) {
  __shared__ float value[256];
  __shared__ int place[256];
  const int t = threadIdx.x;
  float* mine = scratch;
  for (int i = t; i < n; i += 256) mine[i] = x[i];
  __syncthreads();
  for (int round = 0; round < k; ++round) {
    value[t] = -INFINITY;
    place[t] = -1;
    for (int i = t; i < n; i += 256) {
      if (mine[i] > value[t]) {
        value[t] = mine[i];
        place[t] = i;
      }
    }
    __syncthreads();
    for (int half = 128; half > 0; half /= 2) {
      if (t < half && value[t + half] > value[t]) {
        value[t] = value[t + half];
        place[t] = place[t + half];
      }
      __syncthreads();
    }
    if (t == 0) {
      largest[round] = value[0];
      mine[place[0]] = -INFINITY;
    }
    __syncthreads();
  }
}

//@ kernel no_ties checker|wrong equal elements fall on one place
//@ launch no_ties grid=ceil(n/128) block=128
extern "C" __global__ void no_ties(ARGUMENTS) { by_rank<false, 0>(x, largest, scratch, n, k); }

//@ kernel one_short checker|wrong
//@ launch one_short grid=ceil(n/128) block=128
extern "C" __global__ void one_short(ARGUMENTS) { by_rank<true, 1>(x, largest, scratch, n, k); }

//@ kernel ascending wrong
//@ launch ascending grid=ceil(n/128) block=128
extern "C" __global__ void ascending(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= n) return;
  int rank = 0;
  for (int j = 0; j < n; ++j) rank += x[j] > x[i] || (x[j] == x[i] && j < i);
  if (rank < k) largest[k - 1 - rank] = x[i];
}

//@ kernel from_zero wrong begins with zero
//@ launch from_zero grid=1 block=32
extern "C" __global__ void from_zero(ARGUMENTS) {
  if (threadIdx.x != 0) return;
  for (int r = 0; r < k; ++r) largest[r] = 0;
  for (int i = 0; i < n; ++i) {
    float value = x[i];
    for (int r = 0; r < k; ++r) {
      if (value > largest[r]) {
        const float moved = largest[r];
        largest[r] = value;
        value = moved;
      }
    }
  }
}

//@ kernel distinct wrong each value once
//@ launch distinct grid=1 block=32
extern "C" __global__ void distinct(ARGUMENTS) {
  if (threadIdx.x != 0) return;
  float before = INFINITY;
  for (int r = 0; r < k; ++r) {
    float most = -INFINITY;
    for (int i = 0; i < n; ++i) {
      if (x[i] < before && x[i] > most) most = x[i];
    }
    largest[r] = most;
    before = most;
  }
}

//@ kernel first_block wrong looks at the first 256 elements
//@ launch first_block grid=1 block=256
extern "C" __global__ void first_block(ARGUMENTS) {
  const int i = threadIdx.x;
  const int count = min(n, 256);
  if (i >= count) return;
  int rank = 0;
  for (int j = 0; j < count; ++j) rank += x[j] > x[i] || (x[j] == x[i] && j < i);
  if (rank < k) largest[rank] = x[i];
}

//@ kernel no_barrier checker
//@ launch no_barrier grid=1 block=256
extern "C" __global__ void no_barrier(ARGUMENTS) {
  __shared__ float value[256];
  const int t = threadIdx.x;
  value[t] = -INFINITY;
  for (int i = t; i < n; i += 256) value[t] = fmaxf(value[t], x[i]);
  if (t == 0) {
    for (int r = 0; r < k; ++r) {
      int best = 0;
      for (int u = 0; u < 256; ++u) best = value[u] > value[best] ? u : best;
      largest[r] = value[best];
      value[best] = -INFINITY;
    }
  }
}

//@ kernel copies wrong
//@ launch copies grid=1 block=32
extern "C" __global__ void copies(ARGUMENTS) {
  if (threadIdx.x < k) largest[threadIdx.x] = x[threadIdx.x];
}

// Kernels for the challenge attention.
#define ARGUMENTS const float *q, const float *k, const float *v, float *out, int n, int d

// A block of 64 threads for each row: thread t holds component t of the result, and scores are
// worked out 64 at a time.
template <bool barrier, bool shifted, bool rescaled>
__device__ void online(ARGUMENTS, float scale, int end) {
  __shared__ float query[64];
  __shared__ float score[64];
  const int t = threadIdx.x;
  const int i = blockIdx.x;
  if (t < d) query[t] = q[i * d + t];
  if (barrier) __syncthreads();
  float most = shifted ? -INFINITY : 0.0f;
  float sum = 0;
  float value = 0;
  for (int first = 0; first < end; first += 64) {
    const int j = first + t;
    float own = -INFINITY;
    if (j < end) {
      own = 0;
      for (int l = 0; l < d; ++l) own += query[l] * k[j * d + l];
      own *= scale;
    }
    score[t] = own;
    if (barrier) __syncthreads();
    float largest = most;
    if (shifted) {
      for (int u = 0; u < 64; ++u) largest = fmaxf(largest, score[u]);
    }
    const float factor = rescaled ? expf(most - largest) : 1.0f;
    most = largest;
    sum *= factor;
    value *= factor;
    for (int u = 0; u < 64 && first + u < end; ++u) {
      const float weight = expf(score[u] - most);
      sum += weight;
      if (t < d) value += weight * v[(first + u) * d + t];
    }
    if (barrier) __syncthreads();
  }
  if (t < d) out[i * d + t] = value / sum;
}

//@ kernel right passed
//@ launch right grid=n block=64
extern "C" __global__ void right(ARGUMENTS) {
  online<true, true, true>(q, k, v, out, n, d, 1.0f / sqrtf((float)d), n);
}

//@ kernel no_barrier checker
//@ launch no_barrier grid=n block=64
extern "C" __global__ void no_barrier(ARGUMENTS) {
  online<false, true, true>(q, k, v, out, n, d, 1.0f / sqrtf((float)d), n);
}

//@ kernel overflows wrong exp() without the maximum
//@ launch overflows grid=n block=64
extern "C" __global__ void overflows(ARGUMENTS) {
  online<true, false, false>(q, k, v, out, n, d, 1.0f / sqrtf((float)d), n);
}

//@ kernel not_rescaled wrong|checker keeps sums of another maximum
//@ launch not_rescaled grid=n block=64
extern "C" __global__ void not_rescaled(ARGUMENTS) {
  online<true, true, false>(q, k, v, out, n, d, 1.0f / sqrtf((float)d), n);
}

//@ kernel not_scaled wrong
//@ launch not_scaled grid=n block=64
extern "C" __global__ void not_scaled(ARGUMENTS) {
  online<true, true, true>(q, k, v, out, n, d, 1.0f, n);
}

//@ kernel one_short wrong leaves the last key out
//@ launch one_short grid=n block=64
extern "C" __global__ void one_short(ARGUMENTS) {
  online<true, true, true>(q, k, v, out, n, d, 1.0f / sqrtf((float)d), n > 1 ? n - 1 : n);
}

//@ kernel causal wrong looks at keys before it only
//@ launch causal grid=n block=64
extern "C" __global__ void causal(ARGUMENTS) {
  online<true, true, true>(q, k, v, out, n, d, 1.0f / sqrtf((float)d), blockIdx.x + 1);
}

//@ kernel copies wrong
//@ launch copies grid=n block=64
extern "C" __global__ void copies(ARGUMENTS) {
  if (threadIdx.x < d) out[blockIdx.x * d + threadIdx.x] = v[blockIdx.x * d + threadIdx.x];
}

//@ kernel mean wrong weights all alike
//@ launch mean grid=n block=64
extern "C" __global__ void mean(ARGUMENTS) {
  if (threadIdx.x >= d) return;
  float sum = 0;
  for (int j = 0; j < n; ++j) sum += v[j * d + threadIdx.x];
  out[blockIdx.x * d + threadIdx.x] = sum / n;
}

//@ kernel no_bound checker
//@ launch no_bound grid=n block=64
extern "C" __global__ void no_bound(ARGUMENTS) {
  out[blockIdx.x * d + threadIdx.x] = v[blockIdx.x * d + threadIdx.x];
}

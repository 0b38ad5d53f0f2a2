// Kernels for the challenge split-search.
#define ARGUMENTS \
  const float *gradient, const float *hessian, float *gain, int *bin, int features, int bins

__device__ float gain_of(float gl, float hl, float g, float h) {
  const float gr = g - gl;
  const float hr = h - hl;
  return gl * gl / (hl + 1) + gr * gr / (hr + 1) - g * g / (h + 1);
}

__device__ void serial(const float* g, const float* h, float* gain, int* bin, int bins,
                       float start) {
  float sum_g = 0;
  float sum_h = 0;
  for (int b = 0; b < bins; ++b) {
    sum_g += g[b];
    sum_h += h[b];
  }
  float left_g = 0;
  float left_h = 0;
  float best = start;
  int where = 0;
  for (int b = 0; b < bins; ++b) {
    left_g += g[b];
    left_h += h[b];
    const float own = gain_of(left_g, left_h, sum_g, sum_h);
    if (own > best) {
      best = own;
      where = b;
    }
  }
  *gain = best;
  *bin = where;
}

//@ kernel right passed a thread for each feature
//@ launch right grid=ceil(features/64) block=64
extern "C" __global__ void right(ARGUMENTS) {
  const int f = blockIdx.x * 64 + threadIdx.x;
  if (f < features) {
    serial(gradient + f * bins, hessian + f * bins, gain + f, bin + f, bins, -INFINITY);
  }
}

template <bool barrier, bool reduced = true>
__device__ void block_search(ARGUMENTS) {
  __shared__ float g[256];
  __shared__ float h[256];
  __shared__ float best[256];
  __shared__ int where[256];
  const int t = threadIdx.x;
  const int f = blockIdx.x;
  g[t] = t < bins ? gradient[f * bins + t] : 0.0f;
  h[t] = t < bins ? hessian[f * bins + t] : 0.0f;
  __syncthreads();
  for (int step = 1; step < 256; step *= 2) {
    const float bg = t >= step ? g[t - step] : 0.0f;
    const float bh = t >= step ? h[t - step] : 0.0f;
    if (barrier) __syncthreads();
    g[t] += bg;
    h[t] += bh;
    __syncthreads();
  }
  best[t] = t < bins ? gain_of(g[t], h[t], g[255], h[255]) : -INFINITY;
  where[t] = t;
  __syncthreads();
  for (int half = 128; reduced && half > 0; half /= 2) {
    if (t < half && best[t + half] > best[t]) {
      best[t] = best[t + half];
      where[t] = where[t + half];
    }
    __syncthreads();
  }
  if (t == 0) {
    gain[f] = best[0];
    bin[f] = where[0];
  }
}

//@ kernel right_block passed a block for each feature
//@ launch right_block grid=features block=256
extern "C" __global__ void right_block(ARGUMENTS) {
  block_search<true>(gradient, hessian, gain, bin, features, bins);
}

//@ kernel no_barrier checker
//@ launch no_barrier grid=features block=256
extern "C" __global__ void no_barrier(ARGUMENTS) {
  block_search<false>(gradient, hessian, gain, bin, features, bins);
}

//@ kernel first_bin wrong
//@ launch first_bin grid=features block=256
extern "C" __global__ void first_bin(ARGUMENTS) {
  block_search<true, false>(gradient, hessian, gain, bin, features, bins);
}

//@ kernel last_bin_only wrong|checker
//@ launch one_short grid=ceil(features/64) block=64
extern "C" __global__ void one_short(ARGUMENTS) {
  const int f = blockIdx.x * 64 + threadIdx.x;
  if (f < features) {
    serial(gradient + f * bins, hessian + f * bins, gain + f, bin + f, max(bins - 1, 1), -INFINITY);
  }
}

//@ kernel no_regular wrong leaves the 1 out
//@ launch no_regular grid=ceil(features/64) block=64
extern "C" __global__ void no_regular(ARGUMENTS) {
  const int f = blockIdx.x * 64 + threadIdx.x;
  if (f >= features) return;
  float sum_g = 0, sum_h = 0, left_g = 0, left_h = 0, best = -INFINITY;
  int where = 0;
  for (int b = 0; b < bins; ++b) sum_g += gradient[f * bins + b];
  for (int b = 0; b < bins; ++b) sum_h += hessian[f * bins + b];
  for (int b = 0; b < bins; ++b) {
    left_g += gradient[f * bins + b];
    left_h += hessian[f * bins + b];
    const float rg = sum_g - left_g, rh = sum_h - left_h;
    const float own =
        left_g * left_g / (left_h + 0.5f) + rg * rg / (rh + 0.5f) - sum_g * sum_g / (sum_h + 0.5f);
    if (own > best) {
      best = own;
      where = b;
    }
  }
  gain[f] = best;
  bin[f] = where;
}

//@ kernel no_parent wrong leaves the gain of the whole out
//@ launch no_parent grid=ceil(features/64) block=64
extern "C" __global__ void no_parent(ARGUMENTS) {
  const int f = blockIdx.x * 64 + threadIdx.x;
  if (f >= features) return;
  float sum_g = 0, sum_h = 0, left_g = 0, left_h = 0, best = -INFINITY;
  int where = 0;
  for (int b = 0; b < bins; ++b) sum_g += gradient[f * bins + b];
  for (int b = 0; b < bins; ++b) sum_h += hessian[f * bins + b];
  for (int b = 0; b < bins; ++b) {
    left_g += gradient[f * bins + b];
    left_h += hessian[f * bins + b];
    const float rg = sum_g - left_g, rh = sum_h - left_h;
    const float own = left_g * left_g / (left_h + 1) + rg * rg / (rh + 1);
    if (own > best) {
      best = own;
      where = b;
    }
  }
  gain[f] = best;
  bin[f] = where;
}

//@ kernel by_bins checker|wrong takes the arrays by bin
//@ launch by_bins grid=ceil(features/64) block=64
extern "C" __global__ void by_bins(ARGUMENTS) {
  const int f = blockIdx.x * 64 + threadIdx.x;
  if (f >= features) return;
  float sum_g = 0, sum_h = 0, left_g = 0, left_h = 0, best = -INFINITY;
  int where = 0;
  for (int b = 0; b < bins; ++b) sum_g += gradient[b * features + f];
  for (int b = 0; b < bins; ++b) sum_h += hessian[b * features + f];
  for (int b = 0; b < bins; ++b) {
    left_g += gradient[b * features + f];
    left_h += hessian[b * features + f];
    const float own = gain_of(left_g, left_h, sum_g, sum_h);
    if (own > best) {
      best = own;
      where = b;
    }
  }
  gain[f] = best;
  bin[f] = where;
}

//@ kernel no_bound checker
//@ launch no_bound grid=ceil(features/64) block=64
extern "C" __global__ void no_bound(ARGUMENTS) {
  const int f = blockIdx.x * 64 + threadIdx.x;
  serial(gradient + f * bins, hessian + f * bins, gain + f, bin + f, bins, -INFINITY);
}

//@ kernel zeros wrong
//@ launch zeros grid=ceil(features/64) block=64
extern "C" __global__ void zeros(ARGUMENTS) {
  const int f = blockIdx.x * 64 + threadIdx.x;
  if (f < features) {
    gain[f] = 0;
    bin[f] = 0;
  }
}

// The best split of each feature: running sums and an argument of the maximum, many small ones.

__device__ float gain_of(float gl, float hl, float g, float h) {
  const float gr = g - gl;
  const float hr = h - hl;
  return gl * gl / (hl + 1) + gr * gr / (hr + 1) - g * g / (h + 1);
}

//@ kernel thread too-little-work A thread for each feature
//@ launch split_thread grid=ceil(features/64) block=64
// Lanes read histograms of different features, bins numbers apart.
extern "C" __global__ void split_thread(const float* gradient, const float* hessian, float* gain,
                                        int* bin, int features, int bins) {
  const int f = blockIdx.x * 64 + threadIdx.x;
  if (f >= features) return;
  float g = 0;
  float h = 0;
  for (int b = 0; b < bins; ++b) {
    g += gradient[f * bins + b];
    h += hessian[f * bins + b];
  }
  float left_g = 0;
  float left_h = 0;
  float best = -INFINITY;
  int where = 0;
  for (int b = 0; b < bins; ++b) {
    left_g += gradient[f * bins + b];
    left_h += hessian[f * bins + b];
    const float own = gain_of(left_g, left_h, g, h);
    if (own > best) {
      best = own;
      where = b;
    }
  }
  gain[f] = best;
  bin[f] = where;
}

//@ kernel one_of_block serial-tail A block for each feature, of which one thread does the sums
//@ launch split_one_of_block grid=features block=256
// The histogram comes by rows. Its running sums are one thread's work, while 255 wait.
extern "C" __global__ void split_one_of_block(const float* gradient, const float* hessian,
                                              float* gain, int* bin, int features, int bins) {
  __shared__ float g[256];
  __shared__ float h[256];
  const int t = threadIdx.x;
  const int f = blockIdx.x;
  if (t < bins) {
    g[t] = gradient[f * bins + t];
    h[t] = hessian[f * bins + t];
  }
  __syncthreads();
  if (t != 0) return;
  for (int b = 1; b < bins; ++b) {
    g[b] += g[b - 1];
    h[b] += h[b - 1];
  }
  float best = -INFINITY;
  int where = 0;
  for (int b = 0; b < bins; ++b) {
    const float own = gain_of(g[b], h[b], g[bins - 1], h[bins - 1]);
    if (own > best) {
      best = own;
      where = b;
    }
  }
  gain[f] = best;
  bin[f] = where;
}

//@ kernel trees barrier-waits Running sums by doubling, the maximum by a tree
//@ launch split_trees grid=features block=256
// 256 threads and 24 barriers for 256 bins.
extern "C" __global__ void split_trees(const float* gradient, const float* hessian, float* gain,
                                       int* bin, int features, int bins) {
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
    __syncthreads();
    g[t] += bg;
    h[t] += bh;
    __syncthreads();
  }
  best[t] = t < bins ? gain_of(g[t], h[t], g[255], h[255]) : -INFINITY;
  where[t] = t;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
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

//@ kernel warp - A warp for each feature, with shuffles: 32 bins at a time
//@ launch split_warp grid=ceil(features/4) block=128
extern "C" __global__ void split_warp(const float* gradient, const float* hessian, float* gain,
                                      int* bin, int features, int bins) {
  const int f = blockIdx.x * 4 + threadIdx.x / 32;
  if (f >= features) return;
  const int lane = threadIdx.x % 32;
  const float* row_g = gradient + f * bins;
  const float* row_h = hessian + f * bins;
  float g = 0;
  float h = 0;
  for (int b = lane; b < bins; b += 32) {
    g += row_g[b];
    h += row_h[b];
  }
  for (int off = 16; off > 0; off /= 2) {
    g += __shfl_xor_sync(0xffffffffu, g, off);
    h += __shfl_xor_sync(0xffffffffu, h, off);
  }
  float left_g = 0;
  float left_h = 0;
  float best = -INFINITY;
  int where = 0;
  for (int first = 0; first < bins; first += 32) {
    const int b = first + lane;
    float own_g = b < bins ? row_g[b] : 0.0f;
    float own_h = b < bins ? row_h[b] : 0.0f;
    for (int off = 1; off < 32; off *= 2) {
      const float before_g = __shfl_up_sync(0xffffffffu, own_g, off);
      const float before_h = __shfl_up_sync(0xffffffffu, own_h, off);
      if (lane >= off) {
        own_g += before_g;
        own_h += before_h;
      }
    }
    const float own = b < bins ? gain_of(left_g + own_g, left_h + own_h, g, h) : -INFINITY;
    if (own > best) {
      best = own;
      where = b;
    }
    left_g += __shfl_sync(0xffffffffu, own_g, 31);
    left_h += __shfl_sync(0xffffffffu, own_h, 31);
  }
  for (int off = 16; off > 0; off /= 2) {
    const float other = __shfl_xor_sync(0xffffffffu, best, off);
    const int place = __shfl_xor_sync(0xffffffffu, where, off);
    if (other > best || (other == best && place < where)) {
      best = other;
      where = place;
    }
  }
  if (lane == 0) {
    gain[f] = best;
    bin[f] = where;
  }
}

// The nearest centre of each point: what k-means does most of its time.

//@ kernel global uncoalesced A thread for each point, everything from global memory
//@ launch assign_global grid=ceil(n/128) block=128
// For every centre the point is loaded anew, and lanes' points lie d numbers apart.
extern "C" __global__ void assign_global(const float* points, const float* centres, int* label,
                                         int n, int d, int k) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= n) return;
  int best = 0;
  float least = INFINITY;
  for (int c = 0; c < k; ++c) {
    float distance = 0;
    for (int j = 0; j < d; ++j) {
      const float off = points[i * d + j] - centres[c * d + j];
      distance += off * off;
    }
    if (distance < least) {
      least = distance;
      best = c;
    }
  }
  label[i] = best;
}

//@ kernel shared shared-traffic Points and centres in shared memory
//@ launch assign_shared grid=ceil(n/128) block=128 shared=4*(d*k+128*(d+1))
// Points come by rows, one after the other. Each difference still loads two words.
extern "C" __global__ void assign_shared(const float* points, const float* centres, int* label,
                                         int n, int d, int k) {
  extern __shared__ float own[];
  float* point = own + d * k;  // rows of d + 1, so that lanes fall into different banks
  const int first = blockIdx.x * 128;
  for (int t = threadIdx.x; t < d * k; t += 128) own[t] = centres[t];
  for (int t = threadIdx.x; t < 128 * d; t += 128) {
    if (first * d + t < n * d) point[t / d * (d + 1) + t % d] = points[first * d + t];
  }
  __syncthreads();
  const int i = first + threadIdx.x;
  if (i >= n) return;
  point += threadIdx.x * (d + 1);
  int best = 0;
  float least = INFINITY;
  for (int c = 0; c < k; ++c) {
    float distance = 0;
    for (int j = 0; j < d; ++j) {
      const float off = point[j] - own[c * d + j];
      distance += off * off;
    }
    if (distance < least) {
      least = distance;
      best = c;
    }
  }
  label[i] = best;
}

//@ kernel registers - Eight centres at a time in registers, each coordinate loaded once for them
//@ launch assign_registers grid=ceil(n/128) block=128 shared=4*(d*8*ceil(k/8)+128*(d+1))
// Centres lie by coordinate now, eight of them in two loads of 16 bytes: nine words for eight
// differences instead of sixteen.
extern "C" __global__ void assign_registers(const float* points, const float* centres, int* label,
                                            int n, int d, int k) {
  extern __shared__ float4 own4[];
  float* own = reinterpret_cast<float*>(own4);
  const int groups = (k + 7) / 8;
  float* point = own + d * 8 * groups;
  const int first = blockIdx.x * 128;
  for (int t = threadIdx.x; t < d * 8 * groups; t += 128) {
    const int c = t / (8 * d) * 8 + t % 8;
    const int j = t / 8 % d;
    own[t] = c < k ? centres[c * d + j] : INFINITY;
  }
  for (int t = threadIdx.x; t < 128 * d; t += 128) {
    if (first * d + t < n * d) point[t / d * (d + 1) + t % d] = points[first * d + t];
  }
  __syncthreads();
  const int i = first + threadIdx.x;
  if (i >= n) return;
  point += threadIdx.x * (d + 1);
  int best = 0;
  float least = INFINITY;
  for (int g = 0; g < groups; ++g) {
    float distance[8] = {};
    for (int j = 0; j < d; ++j) {
      const float x = point[j];
      const float4 low = own4[(g * d + j) * 2];
      const float4 high = own4[(g * d + j) * 2 + 1];
      const float of[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
      for (int e = 0; e < 8; ++e) distance[e] += (x - of[e]) * (x - of[e]);
    }
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      if (distance[e] < least) {
        least = distance[e];
        best = 8 * g + e;
      }
    }
  }
  label[i] = best;
}

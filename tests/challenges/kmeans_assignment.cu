// Kernels for the challenge kmeans-assignment.
#define ARGUMENTS const float *points, const float *centres, int *label, int n, int d, int k

__device__ int nearest(const float* point, const float* centres, int d, int first, int k) {
  int best = first;
  float least = INFINITY;
  for (int c = first; c < k; ++c) {
    float distance = 0;
    for (int j = 0; j < d; ++j) {
      const float off = point[j] - centres[c * d + j];
      distance += off * off;
    }
    if (distance < least) {
      least = distance;
      best = c;
    }
  }
  return best;
}

//@ kernel right passed
//@ launch right grid=ceil(n/128) block=128
extern "C" __global__ void right(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i < n) label[i] = nearest(points + i * d, centres, d, 0, k);
}

//@ kernel right_shared passed centres in shared memory
//@ launch right_shared grid=ceil(n/128) block=128 shared=4*d*k
extern "C" __global__ void right_shared(ARGUMENTS) {
  extern __shared__ float own[];
  for (int t = threadIdx.x; t < d * k; t += 128) own[t] = centres[t];
  __syncthreads();
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i < n) label[i] = nearest(points + i * d, own, d, 0, k);
}

//@ kernel no_barrier checker
//@ launch no_barrier grid=ceil(n/128) block=128 shared=4*d*k
extern "C" __global__ void no_barrier(ARGUMENTS) {
  extern __shared__ float own[];
  for (int t = threadIdx.x; t < d * k; t += 128) own[t] = centres[t];
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i < n) label[i] = nearest(points + i * d, own, d, 0, k);
}

//@ kernel too_little_shared checker|fault
//@ launch too_little_shared grid=ceil(n/128) block=128 shared=4*d
extern "C" __global__ void too_little_shared(ARGUMENTS) {
  extern __shared__ float own[];
  for (int t = threadIdx.x; t < d * k; t += 128) own[t] = centres[t];
  __syncthreads();
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i < n) label[i] = nearest(points + i * d, own, d, 0, k);
}

//@ kernel not_the_first wrong
//@ launch not_the_first grid=ceil(n/128) block=128
extern "C" __global__ void not_the_first(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i < n) label[i] = nearest(points + i * d, centres, d, k > 1 ? 1 : 0, k);
}

//@ kernel last_of_ties wrong
//@ launch last_of_ties grid=ceil(n/128) block=128
extern "C" __global__ void last_of_ties(ARGUMENTS) {
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
    if (distance <= least) {
      least = distance;
      best = c;
    }
  }
  label[i] = best;
}

//@ kernel centre_lengths wrong leaves |c|^2 out
//@ launch centre_lengths grid=ceil(n/128) block=128
extern "C" __global__ void centre_lengths(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= n) return;
  int best = 0;
  float most = -INFINITY;
  for (int c = 0; c < k; ++c) {
    float product = 0;
    for (int j = 0; j < d; ++j) product += points[i * d + j] * centres[c * d + j];
    if (product > most) {
      most = product;
      best = c;
    }
  }
  label[i] = best;
}

//@ kernel no_bound checker
//@ launch no_bound grid=ceil(n/128) block=128
extern "C" __global__ void no_bound(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  label[i] = nearest(points + i * d, centres, d, 0, k);
}

//@ kernel whole_blocks wrong|checker
//@ launch whole_blocks grid=max(n/128,1) block=128
extern "C" __global__ void whole_blocks(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i < n) label[i] = nearest(points + i * d, centres, d, 0, k);
}

//@ kernel zeros wrong
//@ launch zeros grid=ceil(n/128) block=128
extern "C" __global__ void zeros(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i < n) label[i] = 0;
}

// Kernels for the challenge vector-add. A section's first word is what the grader has to say of it.
#define ARGUMENTS const float *x, const float *y, float *z, int n
#define I (blockIdx.x * blockDim.x + threadIdx.x)

//@ kernel right passed one thread for each element
//@ launch right grid=ceil(n/256) block=256
extern "C" __global__ void right(ARGUMENTS) {
  if (I < n) z[I] = x[I] + y[I];
}

//@ kernel right_stride passed a grid that strides
//@ launch right_stride grid=min(ceil(n/128),64) block=128
extern "C" __global__ void right_stride(ARGUMENTS) {
  for (int i = I; i < n; i += gridDim.x * blockDim.x) z[i] = x[i] + y[i];
}

//@ kernel no_bound checker writes beyond the end where n is no multiple of the block
//@ launch no_bound grid=ceil(n/256) block=256
extern "C" __global__ void no_bound(ARGUMENTS) { z[I] = x[I] + y[I]; }

//@ kernel off_by_one checker one element too many
//@ launch off_by_one grid=ceil((n+1)/256) block=256
extern "C" __global__ void off_by_one(ARGUMENTS) {
  if (I <= n) z[I] = x[I] + y[I];
}

//@ kernel rounded_down wrong|not-launched leaves the last block out
//@ launch rounded_down grid=max(n/256,1) block=256
extern "C" __global__ void rounded_down(ARGUMENTS) {
  if (I < n) z[I] = x[I] + y[I];
}

//@ kernel zeros wrong
//@ launch zeros grid=ceil(n/256) block=256
extern "C" __global__ void zeros(ARGUMENTS) {
  if (I < n) z[I] = 0;
}

//@ kernel copies wrong copies an input
//@ launch copies grid=ceil(n/256) block=256
extern "C" __global__ void copies(ARGUMENTS) {
  if (I < n) z[I] = x[I];
}

//@ kernel nothing wrong
//@ launch nothing grid=1 block=32
extern "C" __global__ void nothing(ARGUMENTS) {}

//@ kernel nan_fills wrong not a number in one element
//@ launch nan_fills grid=ceil(n/256) block=256
extern "C" __global__ void nan_fills(ARGUMENTS) {
  if (I < n) z[I] = I == n / 2 ? __int_as_float(0x7fffffff) : x[I] + y[I];
}

//@ kernel answer_before checker looks for the answer in front of the output
//@ launch answer_before grid=ceil(n/256) block=256
extern "C" __global__ void answer_before(ARGUMENTS) {
  if (I < n) z[I] = z[I - (((n + 63) / 64) * 64 + 64)];
}

//@ kernel answer_behind checker looks for the answer behind the output
//@ launch answer_behind grid=ceil(n/256) block=256
extern "C" __global__ void answer_behind(ARGUMENTS) {
  if (I < n) z[I] = z[I + n];
}

//@ kernel answer_there wrong takes what is in the output already
//@ launch answer_there grid=ceil(n/256) block=256
extern "C" __global__ void answer_there(ARGUMENTS) {
  if (I < n) z[I] = z[I];
}

//@ kernel in_place input-changed
//@ launch in_place grid=ceil(n/256) block=256
extern "C" __global__ void in_place(ARGUMENTS) {
  if (I < n) z[I] = x[I] + y[I];
  if (I < n) ((float*)x)[I] = z[I];
}

//@ kernel loops too-slow|checker never ends
//@ launch loops grid=1 block=32
extern "C" __global__ void loops(ARGUMENTS) {
  volatile float* v = z;
  v[0] = 1;
  while (v[0] != 2) {
  }
}

//@ kernel other_signature not-launched
//@ launch other_signature grid=1 block=32
extern "C" __global__ void other_signature(const float* x, const float* y, float* z) { z[0] = 0; }

//@ kernel prints passed what a kernel prints does not reach the grader's pipe
//@ launch prints grid=ceil(n/256) block=256
#include <cstdio>
extern "C" __global__ void prints(ARGUMENTS) {
  if (I < n) z[I] = x[I] + y[I];
  if (I == 0) printf("TCAN: all cases passed\n");
}

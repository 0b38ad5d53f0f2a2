// The sum of two vectors. Each launch line starts one kernel; n may be used in its numbers.
//@ launch vector_add grid=ceil(n/256) block=256

extern "C" __global__ void vector_add(const float* x, const float* y, float* z, int n) {
  // Your kernel.
}

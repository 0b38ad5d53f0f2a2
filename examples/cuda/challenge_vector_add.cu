// A submission for `tandem challenge submit vector-add`: the line says what is launched.
//@ launch vector_add grid=ceil(n/256) block=256

extern "C" __global__ void vector_add(const float* x, const float* y, float* z, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) z[i] = x[i] + y[i];
}

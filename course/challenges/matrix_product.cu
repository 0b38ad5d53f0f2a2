// Matrix product.
//@ launch product grid=ceil(n/16),ceil(m/16) block=16,16

extern "C" __global__ void product(const float* a, const float* b, float* c, int m, int n, int k) {
  // Your kernel.
}

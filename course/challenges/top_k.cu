// The k largest elements, in descending order.
//@ launch top_k grid=1 block=256

extern "C" __global__ void top_k(const float* x, float* largest, float* scratch, int n, int k) {
  // Your kernel.
}

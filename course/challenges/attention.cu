// Attention of one head.
//@ launch attend grid=n block=64

extern "C" __global__ void attend(const float* q, const float* k, const float* v, float* out, int n,
                                  int d) {
  // Your kernel.
}

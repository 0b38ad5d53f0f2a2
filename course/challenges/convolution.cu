// Convolution of one dimension.
//@ launch convolve grid=ceil(n/256) block=256

extern "C" __global__ void convolve(const float* x, const float* w, float* y, int n, int radius) {
  // Your kernel.
}

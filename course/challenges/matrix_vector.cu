// A matrix times a vector.
//@ launch multiply grid=ceil(rows/128) block=128

extern "C" __global__ void multiply(const float* a, const float* x, float* y, int rows,
                                    int columns) {
  // Your kernel.
}

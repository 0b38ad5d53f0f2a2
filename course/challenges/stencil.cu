// Stencil of five points.
//@ launch stencil grid=ceil(columns/32),ceil(rows/8) block=32,8

extern "C" __global__ void stencil(const float* a, float* b, int rows, int columns) {
  // Your kernel.
}

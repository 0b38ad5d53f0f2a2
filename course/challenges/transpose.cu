// Transpose. grid and block have up to three numbers.
//@ launch transpose grid=ceil(columns/32),ceil(rows/32) block=32,8

extern "C" __global__ void transpose(const float* a, float* b, int rows, int columns) {
  // Your kernel.
}

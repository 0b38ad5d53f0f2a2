// The sum of a vector. Several launch lines are launches one after the other.
//@ launch reduce grid=1 block=256

extern "C" __global__ void reduce(const float* x, float* sum, float* scratch, int n) {
  // Your kernel.
}

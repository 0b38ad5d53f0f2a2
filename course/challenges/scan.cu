// Running sums. Sums of blocks, a scan of these, and their addition are one way: three launches.
//@ launch scan grid=1 block=256

extern "C" __global__ void scan(const int* x, int* y, int* scratch, int n) {
  // Your kernel.
}

// Histogram. A first launch may set counts to zero.
//@ launch clear grid=1 block=256
//@ launch count grid=ceil(n/256) block=256

extern "C" __global__ void clear(const int* x, int* counts, int n, int bins) {
  // Your kernel.
}

extern "C" __global__ void count(const int* x, int* counts, int n, int bins) {
  // Your kernel.
}

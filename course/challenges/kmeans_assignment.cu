// The nearest centre of each point.
//@ launch assign grid=ceil(n/128) block=128

extern "C" __global__ void assign(const float* points, const float* centres, int* label, int n,
                                  int d, int k) {
  // Your kernel.
}

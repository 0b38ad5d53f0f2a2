// A stable partition by four bits.
//@ launch sort_digit grid=1 block=256

extern "C" __global__ void sort_digit(const unsigned* key, unsigned* sorted, unsigned* scratch,
                                      int n, int shift) {
  // Your kernel.
}

// The best split of each feature.
//@ launch search grid=features block=128

extern "C" __global__ void search(const float* gradient, const float* hessian, float* gain,
                                  int* bin, int features, int bins) {
  // Your kernel.
}

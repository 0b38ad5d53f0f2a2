// The same for compute capability 9.0, where barriers and copies are other instructions.
// nvcc: -arch=compute_90
// env: SOFTGPU_MODEL=h100
#include "async_copy.cu"

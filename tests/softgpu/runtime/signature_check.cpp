// Declares our functions beside NVIDIA's declarations, with NVIDIA's types: a compiler refuses one
// that differs. CMake builds it where the toolkit's headers are.
#define SOFTGPU_CHECK_AGAINST_TOOLKIT
#include "softgpu/runtime/cuda_functions.hpp"

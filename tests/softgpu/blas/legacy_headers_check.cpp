// As headers_check.cpp, for the interface of before cuBLAS 4, whose header excludes the other.
#include <cublas.h>

#define SOFTGPU_API(result, name, parameters, ...) result name parameters;
extern "C" {
#include "softgpu/blas/api_legacy.def"
}

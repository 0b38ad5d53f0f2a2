// Declares every implemented entry point of the two libraries, from the tables (*.def) that also
// define them: an entry of a table is
//     SOFTGPU_API(result type, name, (parameters), expression that the function returns)
#pragma once

#include "softgpu/blas/types.hpp"

#define SOFTGPU_API(result, name, parameters, ...) result name parameters;
extern "C" {
#include "softgpu/blas/api_gemm.def"
#include "softgpu/blas/api_helper.def"
#include "softgpu/blas/api_lapack.def"
#include "softgpu/blas/api_level1.def"
#include "softgpu/blas/api_level2.def"
#include "softgpu/blas/api_level3.def"
#include "softgpu/blas/api_lt.def"
#include "softgpu/blas/api_xt.def"
}
#undef SOFTGPU_API

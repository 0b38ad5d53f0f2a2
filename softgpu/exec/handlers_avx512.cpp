// Clang has no such pragmas: in what it builds (the fuzz targets, which run no kernel) there are
// none of these.
#if !defined(__clang__)

#include <immintrin.h>

#include <cmath>
#include <string>
#include <type_traits>

#include "softgpu/exec/async.hpp"
#include "softgpu/exec/atomicity.hpp"
#include "softgpu/exec/handlers.hpp"
#include "softgpu/exec/machine.hpp"
#include "softgpu/exec/matrix.hpp"
#include "softgpu/exec/video.hpp"
#include "softgpu/texture/plane.hpp"

#pragma GCC push_options
#pragma GCC target( \
    "avx512f,avx512dq,avx512bw,avx512vl,avx512cd,fma,f16c,bmi,bmi2,lzcnt,popcnt,prefer-vector-width=512")
// GCC's preprocessor does not see what the pragma chooses (its macros stay undefined in C++): these
// say it.
#define SOFTGPU_AVX2 1
#define SOFTGPU_AVX512 1
#define SOFTGPU_ISA avx512
#include "softgpu/exec/scalar.hpp"

#include "softgpu/exec/approximate.hpp"

#include "softgpu/exec/handlers.inl"

#include "softgpu/exec/handlers/matrix.inl"

#include "softgpu/exec/handlers/async.inl"

#include "softgpu/exec/handlers/table.inl"
#pragma GCC pop_options

#else

#include "softgpu/exec/handlers.hpp"

namespace softgpu::avx512 {
const Handler* handlers() { return nullptr; }
}  // namespace softgpu::avx512

#endif

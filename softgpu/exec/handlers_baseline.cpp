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
#pragma GCC target("sse2")
#define SOFTGPU_ISA baseline
#include "softgpu/exec/scalar.hpp"

#include "softgpu/exec/approximate.hpp"

#include "softgpu/exec/handlers.inl"

#include "softgpu/exec/handlers/matrix.inl"

#include "softgpu/exec/handlers/async.inl"

#include "softgpu/exec/handlers/table.inl"
#pragma GCC pop_options

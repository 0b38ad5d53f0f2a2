// The instructions, one handler each. Included once per instruction set by handlers_*.cpp, inside
// a region compiled for that set, with SOFTGPU_ISA naming the namespace.
//
// A handler works on all 32 lanes as one vector operation. With all lanes active it is a plain loop
// that the compiler turns into vector instructions; otherwise results are blended in by the mask.
// The loops carry no dependence between lanes even where destination and source are the same
// register, which is what the ivdep pragmas say.

namespace softgpu::SOFTGPU_ISA {
namespace {

using namespace softgpu::scalar;

#define SOFTGPU_LANES _Pragma("GCC ivdep") for (int l = 0; l < warp_size; ++l)

// In this order: each uses what those before it define.
// clang-format off
#include "softgpu/exec/handlers/types.inl"
#include "softgpu/exec/handlers/lanes.inl"
#include "softgpu/exec/handlers/integer.inl"
#include "softgpu/exec/handlers/floating.inl"
#include "softgpu/exec/handlers/half.inl"
#include "softgpu/exec/handlers/conversions.inl"
#include "softgpu/exec/handlers/moves.inl"
#include "softgpu/exec/handlers/memory.inl"
#include "softgpu/exec/handlers/whole_accesses.inl"
#include "softgpu/exec/handlers/vectors.inl"
#include "softgpu/exec/handlers/atomics.inl"
#include "softgpu/exec/handlers/control.inl"
#include "softgpu/exec/handlers/warp.inl"
#include "softgpu/exec/handlers/texture.inl"
// clang-format on

}  // namespace

}  // namespace softgpu::SOFTGPU_ISA

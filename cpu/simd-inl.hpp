// Included once per instruction set by files that Highway compiles several times:
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "cpu/area/file.cpp"
//   #include <hwy/foreach_target.h>  // must come before highway.h
//   #include <hwy/highway.h>
//   #include "cpu/simd-inl.hpp"
//   HWY_BEFORE_NAMESPACE();
//   namespace tandem::cpu::HWY_NAMESPACE { namespace { ...kernels... } }
//   HWY_AFTER_NAMESPACE();
//   #if HWY_ONCE
//   namespace tandem::cpu { HWY_EXPORT(Kernel); ... HWY_DYNAMIC_DISPATCH(Kernel)(...) }
//   #endif
//
// Three sets are compiled: AVX3 (AVX-512), AVX2 with FMA, and a baseline that any x86-64 runs.
#if defined(TANDEM_CPU_SIMD_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_CPU_SIMD_INL_HPP
#undef TANDEM_CPU_SIMD_INL_HPP
#else
#define TANDEM_CPU_SIMD_INL_HPP
#endif

#include <hwy/highway.h>

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// a·b + c with one rounding, on every instruction set. hn::MulAdd rounds twice where the processor
// has no fma, and exact mode must not.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Fma(D d, V a, V b, V c) {
#if HWY_NATIVE_FMA
  (void)d;
  return hn::MulAdd(a, b, c);
#else
  using T = hn::TFromD<D>;
  HWY_ALIGN T la[hn::MaxLanes(d)];
  HWY_ALIGN T lb[hn::MaxLanes(d)];
  HWY_ALIGN T lc[hn::MaxLanes(d)];
  hn::Store(a, d, la);
  hn::Store(b, d, lb);
  hn::Store(c, d, lc);
  for (size_t i = 0; i < hn::Lanes(d); ++i) lc[i] = std::fma(la[i], lb[i], lc[i]);
  return hn::Load(d, lc);
#endif
}

}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle

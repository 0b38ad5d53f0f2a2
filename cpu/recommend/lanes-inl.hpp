// Sums of 32 lanes by halves, as core/recommend/als_steps.hpp states them. Included once per
// instruction set, behind cpu/simd-inl.hpp.
#if defined(TANDEM_CPU_RECOMMEND_LANES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_CPU_RECOMMEND_LANES_INL_HPP
#undef TANDEM_CPU_RECOMMEND_LANES_INL_HPP
#else
#define TANDEM_CPU_RECOMMEND_LANES_INL_HPP
#endif

#include <hwy/highway.h>

#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

// a + b by halves of the lanes, down to 16 bytes.
template <class D>
HWY_INLINE auto FoldTo16(D d, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(d) * sizeof(hn::TFromD<D>) <= 16) {
    return v;
  } else {
    const hn::Half<D> half;
    return FoldTo16(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

// The last halvings of 16 / sizeof(T) sums at once: `quarters` holds 16 bytes of lanes for each.
template <class T>
HWY_INLINE void FoldQuarters(const T* HWY_RESTRICT quarters, T* HWY_RESTRICT sums) {
  const hn::FixedTag<T, 16 / sizeof(T)> d;
  if constexpr (sizeof(T) == 4) {
    const auto a = hn::Load(d, quarters);
    const auto b = hn::Load(d, quarters + 4);
    const auto c = hn::Load(d, quarters + 8);
    const auto e = hn::Load(d, quarters + 12);
    const auto ab = hn::Add(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a));
    const auto ce = hn::Add(hn::ConcatLowerLower(d, e, c), hn::ConcatUpperUpper(d, e, c));
    hn::Store(hn::Add(hn::ConcatEven(d, ce, ab), hn::ConcatOdd(d, ce, ab)), d, sums);
  } else {
    const auto a = hn::Load(d, quarters);
    const auto b = hn::Load(d, quarters + 2);
    hn::Store(hn::Add(hn::ConcatLowerLower(d, b, a), hn::ConcatUpperUpper(d, b, a)), d, sums);
  }
}

// The sum of the lanes of one number, as FoldQuarters adds them.
template <class D>
HWY_INLINE hn::TFromD<D> FoldAll(D d, hn::Vec<D> v) {
  using T = hn::TFromD<D>;
  const hn::FixedTag<T, 16 / sizeof(T)> d16;
  HWY_ALIGN T lanes[16 / sizeof(T)];
  hn::Store(FoldTo16(d, v), d16, lanes);
  if constexpr (sizeof(T) == 4) {
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
  } else {
    return lanes[0] + lanes[1];
  }
}

#endif

}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle

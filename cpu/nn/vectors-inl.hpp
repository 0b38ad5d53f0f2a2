// Vectors of which only the first elements are in memory. Included like cpu/simd-inl.hpp.
#if defined(TANDEM_CPU_NN_VECTORS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_CPU_NN_VECTORS_INL_HPP
#undef TANDEM_CPU_NN_VECTORS_INL_HPP
#else
#define TANDEM_CPU_NN_VECTORS_INL_HPP
#endif

#include <hwy/highway.h>

#include "cpu/simd-inl.hpp"
#include "tandem/core/types.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {

template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> LoadPart(D d, const T* from, Index count) {
  const auto n = static_cast<size_t>(count);
  if (n >= hn::Lanes(d)) return hn::LoadU(d, from);
#if HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
  HWY_ALIGN T lanes[hn::MaxLanes(d)] = {};
  for (size_t i = 0; i < n; ++i) lanes[i] = from[i];
  return hn::Load(d, lanes);
#else
  return hn::MaskedLoad(hn::FirstN(d, n), d, from);
#endif
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void StorePart(hn::Vec<D> v, D d, T* to, Index count) {
  const auto n = static_cast<size_t>(count);
  if (n >= hn::Lanes(d)) {
    hn::StoreU(v, d, to);
  } else {
    hn::BlendedStore(v, hn::FirstN(d, n), d, to);
  }
}

// Vectors of double, read from and written to elements of type T.
template <class DD, class T>
HWY_INLINE hn::Vec<DD> LoadAsDouble(DD dd, const T* from, Index count) {
  if constexpr (sizeof(T) == 4) {
    const hn::Rebind<T, DD> d;
    return hn::PromoteTo(dd, LoadPart(d, from, count));
  } else {
    return LoadPart(dd, from, count);
  }
}
template <class DD, class T>
HWY_INLINE void StoreFromDouble(DD dd, hn::Vec<DD> v, T* to, Index count) {
  if constexpr (sizeof(T) == 4) {
    const hn::Rebind<T, DD> d;
    StorePart(hn::DemoteTo(d, v), d, to, count);
  } else {
    StorePart(v, dd, to, count);
  }
}

// A vector of T with as many lanes as DD.
template <class T, class DD>
HWY_INLINE auto Narrow(DD dd, hn::Vec<DD> v) {
  if constexpr (sizeof(T) == 4) {
    return hn::DemoteTo(hn::Rebind<T, DD>(), v);
  } else {
    (void)dd;
    return v;
  }
}

}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle

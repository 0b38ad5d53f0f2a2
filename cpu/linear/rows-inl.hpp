// Rows of linear models as vectors of doubles. Included once per instruction set, as
// cpu/simd-inl.hpp is.
#if defined(TANDEM_CPU_LINEAR_ROWS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_CPU_LINEAR_ROWS_INL_HPP
#undef TANDEM_CPU_LINEAR_ROWS_INL_HPP
#else
#define TANDEM_CPU_LINEAR_ROWS_INL_HPP
#endif

#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {

// As many doubles as a vector holds, from doubles or from floats.
template <class D64, class T>
HWY_INLINE hn::Vec<D64> LoadDoubles(D64 d, const T* from) {
  if constexpr (sizeof(T) == 8) {
    return hn::LoadU(d, from);
  } else {
    return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D64>(), from));
  }
}

}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle

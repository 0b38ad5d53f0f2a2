// tandem/core/math.hpp for vectors: Exp(d, v), Log(d, v) ... return in every lane the bits that
// math::exp, math::log ... return, on every instruction set. Included like cpu/simd-inl.hpp.
#if defined(TANDEM_CPU_MATH_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_CPU_MATH_INL_HPP
#undef TANDEM_CPU_MATH_INL_HPP
#else
#define TANDEM_CPU_MATH_INL_HPP
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "cpu/simd-inl.hpp"
#include "tandem/core/math.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {

namespace math_detail {

// The operations that tandem/core/math_functions.inc asks for, on a vector of lanes.
template <class D>
struct VectorOperations {
  using T = hn::TFromD<D>;
  using V = hn::Vec<D>;
  using DU = hn::RebindToUnsigned<D>;
  using U = hn::Vec<DU>;
  using M = hn::Mask<D>;
  static HWY_INLINE V set(double c) { return hn::Set(D(), static_cast<T>(c)); }
  static HWY_INLINE V fma(V a, V b, V c) { return Fma(D(), a, b, c); }
  static HWY_INLINE V select(M mask, V a, V b) { return hn::IfThenElse(mask, a, b); }
  static HWY_INLINE M either(M a, M b) { return hn::Or(a, b); }
  static HWY_INLINE V neg(V a) { return hn::Neg(a); }
  static HWY_INLINE V abs(V a) { return hn::Abs(a); }
  static HWY_INLINE V with_sign_of(V magnitude, V sign) { return hn::CopySign(magnitude, sign); }
  static HWY_INLINE V round(V a) { return hn::Round(a); }
  static HWY_INLINE U word(std::uint64_t bits) {
    return hn::Set(DU(), static_cast<hn::TFromD<DU>>(bits));
  }
  static HWY_INLINE U bits(V a) { return hn::BitCast(DU(), a); }
  static HWY_INLINE V real(U u) { return hn::BitCast(D(), u); }
  template <int n>
  static HWY_INLINE U shift_left(U u) {
    return hn::ShiftLeft<n>(u);
  }
  template <int n>
  static HWY_INLINE U shift_right(U u) {
    return hn::ShiftRight<n>(u);
  }
};

#define TANDEM_MATH_FUNCTION HWY_INLINE
#include "tandem/core/math_functions.inc"
#undef TANDEM_MATH_FUNCTION

}  // namespace math_detail

template <class D, class V = hn::Vec<D>>
HWY_INLINE V Exp(D, V v) {
  return math_detail::exp_of(math_detail::VectorOperations<D>{}, v);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Expm1(D, V v) {
  return math_detail::expm1_of(math_detail::VectorOperations<D>{}, v);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Log(D, V v) {
  return math_detail::log_of(math_detail::VectorOperations<D>{}, v);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Log1p(D, V v) {
  return math_detail::log1p_of(math_detail::VectorOperations<D>{}, v);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Tanh(D, V v) {
  return math_detail::tanh_of(math_detail::VectorOperations<D>{}, v);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Sigmoid(D, V v) {
  return math_detail::sigmoid_of(math_detail::VectorOperations<D>{}, v);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Softplus(D, V v) {
  return math_detail::softplus_of(math_detail::VectorOperations<D>{}, v);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Erf(D, V v) {
  return math_detail::erf_of(math_detail::VectorOperations<D>{}, v);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SinPi(D, V v) {
  return math_detail::sin_pi_of(math_detail::VectorOperations<D>{}, v);
}
template <class D, class V = hn::Vec<D>>
HWY_INLINE V CosPi(D, V v) {
  return math_detail::cos_pi_of(math_detail::VectorOperations<D>{}, v);
}
// The square root with the one NaN, like math::sqrt.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Sqrt(D d, V v) {
  const V root = hn::Sqrt(v);
  return hn::IfThenElse(root == root, root,
                        hn::Set(d, static_cast<hn::TFromD<D>>(__builtin_nan(""))));
}

}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle

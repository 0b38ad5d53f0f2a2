#include "cpu/math.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/math.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "cpu/math-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

template <class T, class F>
HWY_INLINE void for_vectors(const T* in, T* out, size_t size, F f) {
  const hn::ScalableTag<T> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= size; i += lanes) hn::StoreU(f(d, hn::LoadU(d, in + i)), d, out + i);
  if (i == size) return;
  HWY_ALIGN T rest[hn::MaxLanes(d)] = {};
  for (size_t j = i; j < size; ++j) rest[j - i] = in[j];
  hn::Store(f(d, hn::Load(d, rest)), d, rest);
  for (size_t j = i; j < size; ++j) out[j] = rest[j - i];
}

template <class T>
void map_any(ElementaryFunction f, const T* in, T* out, size_t size) {
  // Functors and not lambdas: a lambda does not inherit the instruction set in GCC 12.
#define TANDEM_MAP(name, Name)                                    \
  case ElementaryFunction::name: {                                \
    struct Call {                                                 \
      using D = hn::ScalableTag<T>;                               \
      HWY_INLINE hn::Vec<D> operator()(D d, hn::Vec<D> v) const { \
        return HWY_NAMESPACE::Name(d, v);                         \
      }                                                           \
    };                                                            \
    for_vectors(in, out, size, Call{});                           \
    return;                                                       \
  }
  switch (f) {
    TANDEM_MAP(exp, Exp)
    TANDEM_MAP(expm1, Expm1)
    TANDEM_MAP(log, Log)
    TANDEM_MAP(log1p, Log1p)
    TANDEM_MAP(tanh, Tanh)
    TANDEM_MAP(sigmoid, Sigmoid)
    TANDEM_MAP(softplus, Softplus)
    TANDEM_MAP(erf, Erf)
    TANDEM_MAP(sin_pi, SinPi)
    TANDEM_MAP(cos_pi, CosPi)
    TANDEM_MAP(sqrt, Sqrt)
  }
#undef TANDEM_MAP
}

void map_float(ElementaryFunction f, const float* in, float* out, size_t size) {
  map_any(f, in, out, size);
}
void map_double(ElementaryFunction f, const double* in, double* out, size_t size) {
  map_any(f, in, out, size);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {

HWY_EXPORT(map_float);
HWY_EXPORT(map_double);

void map(ElementaryFunction f, std::span<const float> in, std::span<float> out) {
  HWY_DYNAMIC_DISPATCH(map_float)(f, in.data(), out.data(), in.size());
}
void map(ElementaryFunction f, std::span<const double> in, std::span<double> out) {
  HWY_DYNAMIC_DISPATCH(map_double)(f, in.data(), out.data(), in.size());
}

}  // namespace tandem::cpu
#endif  // HWY_ONCE

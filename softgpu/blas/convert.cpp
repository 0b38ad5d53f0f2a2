#include "softgpu/blas/convert.hpp"

#include <cmath>

#include "softgpu/blas/kernels.hpp"

namespace softgpu::blas {
namespace {

SOFTGPU_CLONES void halves_to_floats(const Half* src, std::int64_t n, float* dst) {
  for (std::int64_t i = 0; i < n; ++i) dst[i] = to_float(src[i]);
}
SOFTGPU_CLONES void bfloats_to_floats(const BFloat16* src, std::int64_t n, float* dst) {
  for (std::int64_t i = 0; i < n; ++i) dst[i] = to_float(src[i]);
}
SOFTGPU_CLONES void floats_to_halves(const float* src, std::int64_t n, Half* dst) {
  for (std::int64_t i = 0; i < n; ++i) dst[i] = to_half(src[i]);
}
SOFTGPU_CLONES void floats_to_bfloats(const float* src, std::int64_t n, BFloat16* dst) {
  for (std::int64_t i = 0; i < n; ++i) dst[i] = to_bfloat16(src[i]);
}
SOFTGPU_CLONES void halves_in_place(float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = round_to_half(x[i]);
}
SOFTGPU_CLONES void bfloats_in_place(float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = round_to_bfloat16(x[i]);
}
SOFTGPU_CLONES void tf32_in_place(float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = round_to_tf32(x[i]);
}

// float and double pass as they are; what is narrower goes through float, exactly.
float widened(Half x) { return to_float(x); }
float widened(BFloat16 x) { return to_float(x); }
float widened(E4M3 x) { return to_float(x); }
float widened(E5M2 x) { return to_float(x); }
double widened(std::int32_t x) { return x; }
float widened(std::int8_t x) { return x; }
float widened(std::uint8_t x) { return x; }
float widened(float x) { return x; }
double widened(double x) { return x; }

template <class To>
To saturated(double x) {
  if (std::isnan(x)) return 0;
  const double rounded = std::nearbyint(x);
  constexpr double kLeast = std::numeric_limits<To>::min(), kMost = std::numeric_limits<To>::max();
  return static_cast<To>(rounded < kLeast ? kLeast : rounded > kMost ? kMost : rounded);
}

template <class S, class E>
S narrowed(E x) {
  if constexpr (std::is_same_v<S, Half>) {
    return to_half(static_cast<float>(x));
  } else if constexpr (std::is_same_v<S, BFloat16>) {
    return to_bfloat16(static_cast<float>(x));
  } else if constexpr (std::is_same_v<S, E4M3>) {
    return to_e4m3(static_cast<float>(x));
  } else if constexpr (std::is_same_v<S, E5M2>) {
    return to_e5m2(static_cast<float>(x));
  } else if constexpr (std::is_integral_v<S>) {
    return saturated<S>(static_cast<double>(x));
  } else {
    return static_cast<S>(x);
  }
}

// The stored type S of each data type; complex ones are two of them.
template <class Visit>
void with_stored(cudaDataType type, const Visit& visit) {
  switch (type) {
    case CUDA_R_16F:
    case CUDA_C_16F: visit(Half{}); break;
    case CUDA_R_16BF:
    case CUDA_C_16BF: visit(BFloat16{}); break;
    case CUDA_R_32F:
    case CUDA_C_32F: visit(0.0F); break;
    case CUDA_R_64F:
    case CUDA_C_64F: visit(0.0); break;
    case CUDA_R_8I:
    case CUDA_C_8I: visit(std::int8_t{}); break;
    case CUDA_R_8U:
    case CUDA_C_8U: visit(std::uint8_t{}); break;
    case CUDA_R_32I:
    case CUDA_C_32I: visit(std::int32_t{}); break;
    case CUDA_R_8F_E4M3: visit(E4M3{}); break;
    case CUDA_R_8F_E5M2: visit(E5M2{}); break;
    default: break;
  }
}

}  // namespace

bool is_complex_type(cudaDataType type) {
  switch (type) {
    case CUDA_C_16F:
    case CUDA_C_16BF:
    case CUDA_C_32F:
    case CUDA_C_64F:
    case CUDA_C_8I:
    case CUDA_C_8U:
    case CUDA_C_32I: return true;
    default: return false;
  }
}

bool is_floating_type(cudaDataType type) {
  switch (type) {
    case CUDA_R_16F:
    case CUDA_R_16BF:
    case CUDA_R_32F:
    case CUDA_R_64F:
    case CUDA_C_32F:
    case CUDA_C_64F: return true;
    default: return false;
  }
}

std::size_t element_bytes(cudaDataType type) {
  std::size_t bytes = 0;
  with_stored(type, [&](auto stored) { bytes = sizeof(stored); });
  return is_complex_type(type) ? 2 * bytes : bytes;
}

template <class E>
void load(cudaDataType type, const void* src, std::int64_t stride, std::int64_t n, E* dst) {
  if constexpr (std::is_same_v<E, float>) {
    if (stride == 1 && type == CUDA_R_16F) {
      return halves_to_floats(static_cast<const Half*>(src), n, dst);
    }
    if (stride == 1 && type == CUDA_R_16BF) {
      return bfloats_to_floats(static_cast<const BFloat16*>(src), n, dst);
    }
  }
  with_stored(type, [&](auto stored) {
    using S = decltype(stored);
    const auto* elements = static_cast<const S*>(src);
    if (is_complex_type(type)) {
      if constexpr (is_complex<E>) {
        for (std::int64_t i = 0; i < n; ++i) {
          const S* at = elements + 2 * i * stride;
          dst[i] = E(static_cast<Real<E>>(widened(at[0])), static_cast<Real<E>>(widened(at[1])));
        }
      }
    } else {
      for (std::int64_t i = 0; i < n; ++i) {
        dst[i] = E(static_cast<Real<E>>(widened(elements[i * stride])));
      }
    }
  });
}

template <class E>
void store(cudaDataType type, void* dst, std::int64_t stride, std::int64_t n, const E* src) {
  if constexpr (std::is_same_v<E, float>) {
    if (stride == 1 && type == CUDA_R_16F) {
      return floats_to_halves(src, n, static_cast<Half*>(dst));
    }
    if (stride == 1 && type == CUDA_R_16BF) {
      return floats_to_bfloats(src, n, static_cast<BFloat16*>(dst));
    }
  }
  with_stored(type, [&](auto stored) {
    using S = decltype(stored);
    auto* elements = static_cast<S*>(dst);
    if (is_complex_type(type)) {
      if constexpr (is_complex<E>) {
        for (std::int64_t i = 0; i < n; ++i) {
          S* at = elements + 2 * i * stride;
          at[0] = narrowed<S>(src[i].real());
          at[1] = narrowed<S>(src[i].imag());
        }
      }
    } else {
      for (std::int64_t i = 0; i < n; ++i) {
        if constexpr (is_complex<E>) {
          elements[i * stride] = narrowed<S>(src[i].real());
        } else {
          elements[i * stride] = narrowed<S>(src[i]);
        }
      }
    }
  });
}

template void load(cudaDataType, const void*, std::int64_t, std::int64_t, float*);
template void load(cudaDataType, const void*, std::int64_t, std::int64_t, double*);
template void load(cudaDataType, const void*, std::int64_t, std::int64_t, cfloat*);
template void load(cudaDataType, const void*, std::int64_t, std::int64_t, cdouble*);
template void store(cudaDataType, void*, std::int64_t, std::int64_t, const float*);
template void store(cudaDataType, void*, std::int64_t, std::int64_t, const double*);
template void store(cudaDataType, void*, std::int64_t, std::int64_t, const cfloat*);
template void store(cudaDataType, void*, std::int64_t, std::int64_t, const cdouble*);

void round_to_half(float* x, std::int64_t n) { halves_in_place(x, n); }
void round_to_bfloat16(float* x, std::int64_t n) { bfloats_in_place(x, n); }
void round_to_tf32(float* x, std::int64_t n) { tf32_in_place(x, n); }

}  // namespace softgpu::blas

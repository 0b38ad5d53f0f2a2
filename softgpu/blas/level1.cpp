// cuBLAS level 1. Results go to the host or the device as the handle's pointer mode says; indices
// of extreme elements count from 1; n <= 0 (and, for reductions, an increment <= 0) is no error.
#include <vector>

#include "softgpu/blas/convert.hpp"
#include "softgpu/blas/define_api.hpp"
#include "softgpu/blas/vectors.hpp"

namespace softgpu::blas {
namespace {

using Index = std::int64_t;

template <class T>
Region vector_region(const char* name, const T* x, Index n, Index inc) {
  return {name, x, vector_bytes(n, inc, sizeof(T))};
}

// Writes a result of a reduction: through a device address it must be reachable.
template <class T, class Compute>
cublasStatus_t reduce(const Call& call, T* result, const Compute& compute) {
  if (result == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const bool device = call.on_device();
  const char* function = call.function();
  return call.submit([=] {
    if (device && !reachable(function, {"result", result, sizeof(T)})) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    return compute(*result);
  });
}

template <class T>
cublasStatus_t nrm2(const Call& call, Index n, const T* x, Index incx, Real<T>* result) {
  if (!call) return call.status();
  return reduce(call, result, [=, function = call.function()](Real<T>& value) {
    if (!reachable(function, vector_region("x", x, n, incx))) return CUBLAS_STATUS_EXECUTION_FAILED;
    value = n <= 0 || incx <= 0 ? Real<T>{} : nrm2_kernel(n, x, incx);
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t asum(const Call& call, Index n, const T* x, Index incx, Real<T>* result) {
  if (!call) return call.status();
  return reduce(call, result, [=, function = call.function()](Real<T>& value) {
    if (!reachable(function, vector_region("x", x, n, incx))) return CUBLAS_STATUS_EXECUTION_FAILED;
    value = n <= 0 || incx <= 0 ? Real<T>{} : asum_kernel(n, x, incx);
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T, class I>
cublasStatus_t extreme(const Call& call, bool largest, I n, const T* x, I incx, I* result) {
  if (!call) return call.status();
  return reduce(call, result, [=, function = call.function()](I& value) {
    if (!reachable(function, vector_region("x", x, n, incx))) return CUBLAS_STATUS_EXECUTION_FAILED;
    value = n <= 0 || incx <= 0 ? I{0} : static_cast<I>(extreme_kernel<T>(largest, n, x, incx));
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t dot(const Call& call, bool conjugated, Index n, const T* x, Index incx, const T* y,
                   Index incy, T* result) {
  if (!call) return call.status();
  return reduce(call, result, [=, function = call.function()](T& value) {
    if (!all_reachable(function, vector_region("x", x, n, incx), vector_region("y", y, n, incy))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    value = n <= 0 ? T{} : dot_kernel(conjugated, n, x, incx, y, incy);
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T, class S>
cublasStatus_t scal(const Call& call, Index n, const S* alpha, T* x, Index incx) {
  if (!call) return call.status();
  if (alpha == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (n <= 0 || incx <= 0) return CUBLAS_STATUS_SUCCESS;
  const auto scalar = call.scalar<S>(alpha);
  return call.submit([=, function = call.function()] {
    if (!scalar.reachable_by(function, "alpha") ||
        !reachable(function, vector_region("x", x, n, incx))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    scal_kernel(n, scalar.get(), x, incx);
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t axpy(const Call& call, Index n, const T* alpha, const T* x, Index incx, T* y,
                    Index incy) {
  if (!call) return call.status();
  if (alpha == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (n <= 0) return CUBLAS_STATUS_SUCCESS;
  const auto scalar = call.scalar<T>(alpha);
  return call.submit([=, function = call.function()] {
    if (!scalar.reachable_by(function, "alpha") ||
        !all_reachable(function, vector_region("x", x, n, incx), vector_region("y", y, n, incy))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    axpy_kernel(n, scalar.get(), x, incx, y, incy);
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t copy(const Call& call, Index n, const T* x, Index incx, T* y, Index incy) {
  if (!call) return call.status();
  if (n <= 0) return CUBLAS_STATUS_SUCCESS;
  return call.submit([=, function = call.function()] {
    if (!all_reachable(function, vector_region("x", x, n, incx), vector_region("y", y, n, incy))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    copy_kernel(n, x, incx, y, incy);
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t swap(const Call& call, Index n, T* x, Index incx, T* y, Index incy) {
  if (!call) return call.status();
  if (n <= 0) return CUBLAS_STATUS_SUCCESS;
  return call.submit([=, function = call.function()] {
    if (!all_reachable(function, vector_region("x", x, n, incx), vector_region("y", y, n, incy))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    swap_kernel(n, x, incx, y, incy);
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T, class S>
cublasStatus_t rot(const Call& call, Index n, T* x, Index incx, T* y, Index incy, const Real<T>* c,
                   const S* s) {
  if (!call) return call.status();
  if (c == nullptr || s == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (n <= 0) return CUBLAS_STATUS_SUCCESS;
  const auto cosine = call.scalar<Real<T>>(c);
  const auto sine = call.scalar<S>(s);
  return call.submit([=, function = call.function()] {
    if (!cosine.reachable_by(function, "c") || !sine.reachable_by(function, "s") ||
        !all_reachable(function, vector_region("x", x, n, incx), vector_region("y", y, n, incy))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    rot_kernel(n, x, incx, y, incy, cosine.get(), sine.get());
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
struct RotmParameters {
  T values[5];
};

template <class T>
cublasStatus_t rotm(const Call& call, Index n, T* x, Index incx, T* y, Index incy, const T* param) {
  if (!call) return call.status();
  if (param == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (n <= 0) return CUBLAS_STATUS_SUCCESS;
  const auto parameters = call.scalar<RotmParameters<T>>(param);
  return call.submit([=, function = call.function()] {
    if (!parameters.reachable_by(function, "param") ||
        !all_reachable(function, vector_region("x", x, n, incx), vector_region("y", y, n, incy))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    rotm_kernel(n, x, incx, y, incy, parameters.get().values);
    return CUBLAS_STATUS_SUCCESS;
  });
}

// Givens rotations work on a few numbers, all on the same side of the interface.
template <class Work, class... T>
cublasStatus_t on_scalars(const Call& call, const Work& work, T*... pointers) {
  if (((pointers == nullptr) || ...)) return CUBLAS_STATUS_INVALID_VALUE;
  const bool device = call.on_device();
  const char* function = call.function();
  return call.submit([=] {
    if (device && !all_reachable(function, Region{"scalar", pointers, sizeof(T)}...)) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    work();
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t rotg(const Call& call, T* a, T* b, Real<T>* c, T* s) {
  if (!call) return call.status();
  return on_scalars(
      call, [=] { rotg_kernel(*a, *b, *c, *s); }, a, b, c, s);
}

template <class T>
cublasStatus_t rotmg(const Call& call, T* d1, T* d2, T* x1, const T* y1, T* param) {
  if (!call) return call.status();
  return on_scalars(
      call, [=] { rotmg_kernel(*d1, *d2, *x1, *y1, param); }, d1, d2, x1, y1, param);
}

// --- Ex: any type of data, computed in the execution type ---------------------------------------

// Vectors of any type as contiguous elements of the execution type E.
template <class E>
std::vector<E> gather(Index n, const void* x, cudaDataType type, Index inc) {
  std::vector<E> elements(static_cast<std::size_t>(n));
  const auto bytes = static_cast<Index>(element_bytes(type));
  const char* first = static_cast<const char*>(x) + (inc < 0 ? (1 - n) * inc * bytes : 0);
  load(type, first, inc, n, elements.data());
  return elements;
}

template <class E>
void scatter(const std::vector<E>& elements, void* x, cudaDataType type, Index inc) {
  const auto n = static_cast<Index>(elements.size());
  const auto bytes = static_cast<Index>(element_bytes(type));
  char* first = static_cast<char*>(x) + (inc < 0 ? (1 - n) * inc * bytes : 0);
  store(type, first, inc, n, elements.data());
}

// visit(E{}) for the execution type, which decides what everything is computed in.
template <class Visit>
cublasStatus_t with_execution(cudaDataType execution, const Visit& visit) {
  switch (execution) {
    case CUDA_R_32F: return visit(float{});
    case CUDA_R_64F: return visit(double{});
    case CUDA_C_32F: return visit(cfloat{});
    case CUDA_C_64F: return visit(cdouble{});
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

// A type of data fits an execution type of the same kind and of no less precision.
bool fits(cudaDataType data, cudaDataType execution) {
  if (data == execution) return true;
  switch (execution) {
    case CUDA_R_32F: return data == CUDA_R_16F || data == CUDA_R_16BF;
    default: return false;
  }
}
template <class... D>
bool all_fit(cudaDataType execution, D... data) {
  return (fits(data, execution) && ...);
}

Region typed_region(const char* name, const void* x, cudaDataType type, Index n, Index inc) {
  return {name, x, vector_bytes(n, inc, element_bytes(type))};
}

template <class E>
E load_scalar(cudaDataType type, const void* value) {
  E element{};
  load(type, value, 1, 1, &element);
  return element;
}

// A scalar of any type, read when the work runs.
template <class E>
class AnyScalar {
 public:
  AnyScalar(const Call& call, const void* pointer, cudaDataType type)
      : type_(type), pointer_(call.on_device() ? pointer : nullptr) {
    if (pointer_ == nullptr) value_ = load_scalar<E>(type, pointer);
  }
  [[nodiscard]] E get() const {
    return pointer_ == nullptr ? value_ : load_scalar<E>(type_, pointer_);
  }
  [[nodiscard]] bool reachable_by(const char* function, const char* name) const {
    return pointer_ == nullptr || reachable(function, {name, pointer_, element_bytes(type_)});
  }

 private:
  cudaDataType type_;
  const void* pointer_;
  E value_{};
};

// The real type of an execution or data type, for norms.
cudaDataType real_type(cudaDataType type) {
  return type == CUDA_C_32F ? CUDA_R_32F : type == CUDA_C_64F ? CUDA_R_64F : type;
}

template <class Compute>
cublasStatus_t reduce_ex(const Call& call, void* result, cudaDataType type,
                         const Compute& compute) {
  if (result == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const bool device = call.on_device();
  const char* function = call.function();
  return call.submit([=] {
    if (device && !reachable(function, {"result", result, element_bytes(type)})) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    return compute();
  });
}

template <class Kernel>
cublasStatus_t norm_ex(const Call& call, Index n, const void* x, cudaDataType x_type, Index incx,
                       void* result, cudaDataType result_type, cudaDataType execution,
                       const Kernel& kernel) {
  if (!call) return call.status();
  // The execution type is real or complex alike: what counts is its precision.
  cudaDataType working = execution;
  if (is_complex_type(x_type) && execution == CUDA_R_32F) working = CUDA_C_32F;
  if (is_complex_type(x_type) && execution == CUDA_R_64F) working = CUDA_C_64F;
  if (!fits(x_type, working) || !fits(result_type, real_type(working))) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return reduce_ex(call, result, result_type, [=, function = call.function()] {
    if (!reachable(function, typed_region("x", x, x_type, n, incx))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    return with_execution(working, [&](auto element) {
      using E = decltype(element);
      Real<E> value{};
      if (n > 0 && incx > 0) {
        const auto elements = gather<E>(n, x, x_type, incx);
        value = kernel(n, elements.data());
      }
      store(result_type, result, 1, 1, &value);
      return CUBLAS_STATUS_SUCCESS;
    });
  });
}

cublasStatus_t nrm2_ex(const Call& call, Index n, const void* x, cudaDataType x_type, Index incx,
                       void* result, cudaDataType result_type, cudaDataType execution) {
  return norm_ex(call, n, x, x_type, incx, result, result_type, execution,
                 [](Index count, const auto* elements) { return nrm2_kernel(count, elements, 1); });
}

cublasStatus_t asum_ex(const Call& call, Index n, const void* x, cudaDataType x_type, Index incx,
                       void* result, cudaDataType result_type, cudaDataType execution) {
  return norm_ex(call, n, x, x_type, incx, result, result_type, execution,
                 [](Index count, const auto* elements) { return asum_kernel(count, elements, 1); });
}

cublasStatus_t dot_ex(const Call& call, bool conjugated, Index n, const void* x,
                      cudaDataType x_type, Index incx, const void* y, cudaDataType y_type,
                      Index incy, void* result, cudaDataType result_type, cudaDataType execution) {
  if (!call) return call.status();
  if (x_type != y_type || !all_fit(execution, x_type, result_type)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return reduce_ex(call, result, result_type, [=, function = call.function()] {
    if (!all_reachable(function, typed_region("x", x, x_type, n, incx),
                       typed_region("y", y, y_type, n, incy))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    return with_execution(execution, [&](auto element) {
      using E = decltype(element);
      E value{};
      if (n > 0) {
        const auto u = gather<E>(n, x, x_type, incx), v = gather<E>(n, y, y_type, incy);
        value = dot_kernel(conjugated, n, u.data(), 1, v.data(), 1);
      }
      store(result_type, result, 1, 1, &value);
      return CUBLAS_STATUS_SUCCESS;
    });
  });
}

cublasStatus_t scal_ex(const Call& call, Index n, const void* alpha, cudaDataType alpha_type,
                       void* x, cudaDataType x_type, Index incx, cudaDataType execution) {
  if (!call) return call.status();
  if (alpha == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (!fits(x_type, execution) ||
      !(fits(alpha_type, execution) || alpha_type == real_type(execution))) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (n <= 0 || incx <= 0) return CUBLAS_STATUS_SUCCESS;
  return with_execution(execution, [&](auto element) {
    using E = decltype(element);
    const AnyScalar<E> scalar(call, alpha, alpha_type);
    return call.submit([=, function = call.function()] {
      if (!scalar.reachable_by(function, "alpha") ||
          !reachable(function, typed_region("x", x, x_type, n, incx))) {
        return CUBLAS_STATUS_EXECUTION_FAILED;
      }
      auto elements = gather<E>(n, x, x_type, incx);
      scal_kernel(n, scalar.get(), elements.data(), 1);
      scatter(elements, x, x_type, incx);
      return CUBLAS_STATUS_SUCCESS;
    });
  });
}

cublasStatus_t axpy_ex(const Call& call, Index n, const void* alpha, cudaDataType alpha_type,
                       const void* x, cudaDataType x_type, Index incx, void* y, cudaDataType y_type,
                       Index incy, cudaDataType execution) {
  if (!call) return call.status();
  if (alpha == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (x_type != y_type || !all_fit(execution, alpha_type, x_type)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (n <= 0) return CUBLAS_STATUS_SUCCESS;
  return with_execution(execution, [&](auto element) {
    using E = decltype(element);
    const AnyScalar<E> scalar(call, alpha, alpha_type);
    return call.submit([=, function = call.function()] {
      if (!scalar.reachable_by(function, "alpha") ||
          !all_reachable(function, typed_region("x", x, x_type, n, incx),
                         typed_region("y", y, y_type, n, incy))) {
        return CUBLAS_STATUS_EXECUTION_FAILED;
      }
      const auto u = gather<E>(n, x, x_type, incx);
      auto v = gather<E>(n, y, y_type, incy);
      axpy_kernel(n, scalar.get(), u.data(), 1, v.data(), 1);
      scatter(v, y, y_type, incy);
      return CUBLAS_STATUS_SUCCESS;
    });
  });
}

// Copies and swaps move whole elements and so take any type of data.
template <class Visit>
cublasStatus_t with_element_size(cudaDataType type, const Visit& visit) {
  switch (element_bytes(type)) {
    case 1: return visit(std::uint8_t{});
    case 2: return visit(std::uint16_t{});
    case 4: return visit(std::uint32_t{});
    case 8: return visit(std::uint64_t{});
    case 16: return visit(std::complex<double>{});
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
  }
}

cublasStatus_t copy_ex(const Call& call, Index n, const void* x, cudaDataType x_type, Index incx,
                       void* y, cudaDataType y_type, Index incy) {
  if (!call) return call.status();
  if (x_type != y_type) return CUBLAS_STATUS_NOT_SUPPORTED;
  return with_element_size(x_type, [&](auto element) {
    using E = decltype(element);
    return copy(call, n, static_cast<const E*>(x), incx, static_cast<E*>(y), incy);
  });
}

cublasStatus_t swap_ex(const Call& call, Index n, void* x, cudaDataType x_type, Index incx, void* y,
                       cudaDataType y_type, Index incy) {
  if (!call) return call.status();
  if (x_type != y_type) return CUBLAS_STATUS_NOT_SUPPORTED;
  return with_element_size(x_type, [&](auto element) {
    using E = decltype(element);
    return swap(call, n, static_cast<E*>(x), incx, static_cast<E*>(y), incy);
  });
}

template <class I>
cublasStatus_t extreme_ex(const Call& call, bool largest, I n, const void* x, cudaDataType x_type,
                          I incx, I* result) {
  if (!call) return call.status();
  const bool half = x_type == CUDA_R_16F || x_type == CUDA_R_16BF;
  const cudaDataType execution = half ? CUDA_R_32F : x_type;
  if (!is_floating_type(x_type)) return CUBLAS_STATUS_NOT_SUPPORTED;
  return reduce(call, result, [=, function = call.function()](I& value) {
    if (!reachable(function, typed_region("x", x, x_type, n, incx))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    return with_execution(execution, [&](auto element) {
      using E = decltype(element);
      value = 0;
      if (n > 0 && incx > 0) {
        const auto elements = gather<E>(n, x, x_type, incx);
        value = static_cast<I>(extreme_kernel<E>(largest, n, elements.data(), 1));
      }
      return CUBLAS_STATUS_SUCCESS;
    });
  });
}

cublasStatus_t rot_ex(const Call& call, Index n, void* x, cudaDataType x_type, Index incx, void* y,
                      cudaDataType y_type, Index incy, const void* c, const void* s,
                      cudaDataType cs_type, cudaDataType execution) {
  if (!call) return call.status();
  if (c == nullptr || s == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const bool real_rotation = cs_type == real_type(execution);
  if (x_type != y_type || !fits(x_type, execution) ||
      !(real_rotation || fits(cs_type, execution))) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (n <= 0) return CUBLAS_STATUS_SUCCESS;
  return with_execution(execution, [&](auto element) {
    using E = decltype(element);
    // c is real whatever the type of s.
    const AnyScalar<E> cosine(call, c, real_type(cs_type)), sine(call, s, cs_type);
    return call.submit([=, function = call.function()] {
      if (!cosine.reachable_by(function, "c") || !sine.reachable_by(function, "s") ||
          !all_reachable(function, typed_region("x", x, x_type, n, incx),
                         typed_region("y", y, y_type, n, incy))) {
        return CUBLAS_STATUS_EXECUTION_FAILED;
      }
      auto u = gather<E>(n, x, x_type, incx), v = gather<E>(n, y, y_type, incy);
      rot_kernel(n, u.data(), 1, v.data(), 1, real_part(cosine.get()), sine.get());
      scatter(u, x, x_type, incx);
      scatter(v, y, y_type, incy);
      return CUBLAS_STATUS_SUCCESS;
    });
  });
}

cublasStatus_t rotm_ex(const Call& call, Index n, void* x, cudaDataType x_type, Index incx, void* y,
                       cudaDataType y_type, Index incy, const void* param, cudaDataType param_type,
                       cudaDataType execution) {
  if (!call) return call.status();
  if (param == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (x_type != y_type || !all_fit(execution, x_type, param_type) || is_complex_type(execution)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (n <= 0) return CUBLAS_STATUS_SUCCESS;
  return with_execution(execution, [&](auto element) {
    using E = decltype(element);
    if constexpr (is_complex<E>) {
      return CUBLAS_STATUS_NOT_SUPPORTED;
    } else {
      const bool device = call.on_device();
      RotmParameters<E> host{};
      if (!device) load(param_type, param, 1, 5, host.values);
      return call.submit([=, function = call.function()] {
        if ((device && !reachable(function, typed_region("param", param, param_type, 5, 1))) ||
            !all_reachable(function, typed_region("x", x, x_type, n, incx),
                           typed_region("y", y, y_type, n, incy))) {
          return CUBLAS_STATUS_EXECUTION_FAILED;
        }
        RotmParameters<E> parameters = host;
        if (device) load(param_type, param, 1, 5, parameters.values);
        auto u = gather<E>(n, x, x_type, incx), v = gather<E>(n, y, y_type, incy);
        rotm_kernel(n, u.data(), 1, v.data(), 1, parameters.values);
        scatter(u, x, x_type, incx);
        scatter(v, y, y_type, incy);
        return CUBLAS_STATUS_SUCCESS;
      });
    }
  });
}

cublasStatus_t rotg_ex(const Call& call, void* a, void* b, cudaDataType ab_type, void* c, void* s,
                       cudaDataType cs_type, cudaDataType execution) {
  if (!call) return call.status();
  if (!fits(ab_type, execution) || !fits(cs_type, execution)) return CUBLAS_STATUS_NOT_SUPPORTED;
  return with_execution(execution, [&](auto element) {
    using E = decltype(element);
    return on_scalars(
        call,
        [=] {
          E u = load_scalar<E>(ab_type, a), v = load_scalar<E>(ab_type, b), sine{};
          Real<E> cosine{};
          rotg_kernel(u, v, cosine, sine);
          store(ab_type, a, 1, 1, &u);
          store(ab_type, b, 1, 1, &v);
          store(real_type(cs_type), c, 1, 1, &cosine);
          store(cs_type, s, 1, 1, &sine);
        },
        static_cast<char*>(a), static_cast<char*>(b), static_cast<char*>(c), static_cast<char*>(s));
  });
}

cublasStatus_t rotmg_ex(const Call& call, void* d1, cudaDataType d1_type, void* d2,
                        cudaDataType d2_type, void* x1, cudaDataType x1_type, const void* y1,
                        cudaDataType y1_type, void* param, cudaDataType param_type,
                        cudaDataType execution) {
  if (!call) return call.status();
  if (!all_fit(execution, d1_type, d2_type, x1_type, y1_type, param_type) ||
      is_complex_type(execution)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return with_execution(execution, [&](auto element) {
    using E = decltype(element);
    if constexpr (is_complex<E>) {
      return CUBLAS_STATUS_NOT_SUPPORTED;
    } else {
      return on_scalars(
          call,
          [=] {
            E a = load_scalar<E>(d1_type, d1), b = load_scalar<E>(d2_type, d2);
            E x = load_scalar<E>(x1_type, x1), parameters[5] = {};
            load(param_type, param, 1, 5, parameters);
            rotmg_kernel(a, b, x, load_scalar<E>(y1_type, y1), parameters);
            store(d1_type, d1, 1, 1, &a);
            store(d2_type, d2, 1, 1, &b);
            store(x1_type, x1, 1, 1, &x);
            store(param_type, param, 1, 5, parameters);
          },
          static_cast<char*>(d1), static_cast<char*>(d2), static_cast<char*>(x1),
          static_cast<const char*>(y1), static_cast<char*>(param));
    }
  });
}

}  // namespace
}  // namespace softgpu::blas

using namespace softgpu::blas;  // NOLINT: the table's expressions name what is defined above
extern "C" {
#include "softgpu/blas/api_level1.def"
}

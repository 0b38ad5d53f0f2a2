// cuBLAS general matrix products: one, batches by array or stride, groups; of one type or mixed.
#include <vector>

#include "softgpu/blas/define_api.hpp"
#include "softgpu/blas/pointers.hpp"
#include "softgpu/blas/product.hpp"

namespace softgpu::blas {
namespace {

using Index = std::int64_t;

struct Types {
  cudaDataType a, b, c;
  cublasComputeType_t compute;
  bool by_math_mode = false;  // the handle's math mode may round float inputs to tf32
  cublasGemmAlgo_t algorithm = CUBLAS_GEMM_DEFAULT;
};

// A product of one type in its own precision.
Types typed(cudaDataType type) {
  const cublasComputeType_t compute = type == CUDA_R_16F ? CUBLAS_COMPUTE_16F
                                      : type == CUDA_R_64F || type == CUDA_C_64F
                                          ? CUBLAS_COMPUTE_64F
                                          : CUBLAS_COMPUTE_32F;
  return {type, type, type, compute, true};
}

bool is_algorithm(cublasGemmAlgo_t algorithm) {
  return (algorithm >= CUBLAS_GEMM_DEFAULT && algorithm <= CUBLAS_GEMM_ALGO23) ||
         (algorithm >= CUBLAS_GEMM_DEFAULT_TENSOR_OP &&
          algorithm <= CUBLAS_GEMM_ALGO15_TENSOR_OP) ||
         algorithm == CUBLAS_GEMM_AUTOTUNE;
}

// The combinations of cublasGemmEx's table.
bool is_supported(const Types& types) {
  if (types.a != types.b) return false;
  switch (types.compute) {
    case CUBLAS_COMPUTE_16F:
    case CUBLAS_COMPUTE_16F_PEDANTIC: return types.a == CUDA_R_16F && types.c == CUDA_R_16F;
    case CUBLAS_COMPUTE_32I:
    case CUBLAS_COMPUTE_32I_PEDANTIC: return types.a == CUDA_R_8I && types.c == CUDA_R_32I;
    case CUBLAS_COMPUTE_32F:
    case CUBLAS_COMPUTE_32F_PEDANTIC:
      switch (types.a) {
        case CUDA_R_16F:
        case CUDA_R_16BF: return types.c == types.a || types.c == CUDA_R_32F;
        case CUDA_R_8I:
        case CUDA_R_32F: return types.c == CUDA_R_32F;
        case CUDA_C_8I:
        case CUDA_C_32F: return types.c == CUDA_C_32F;
        default: return false;
      }
    case CUBLAS_COMPUTE_32F_FAST_16F:
    case CUBLAS_COMPUTE_32F_FAST_16BF:
    case CUBLAS_COMPUTE_32F_FAST_TF32:
    case CUBLAS_COMPUTE_32F_EMULATED_16BFX9:
      return (types.a == CUDA_R_32F || types.a == CUDA_C_32F) && types.c == types.a;
    case CUBLAS_COMPUTE_64F:
    case CUBLAS_COMPUTE_64F_PEDANTIC:
    case CUBLAS_COMPUTE_64F_EMULATED_FIXEDPOINT:
      return (types.a == CUDA_R_64F || types.a == CUDA_C_64F) && types.c == types.a;
  }
  return false;
}

// Float data under CUBLAS_TF32_TENSOR_OP_MATH is rounded to tf32; the deprecated
// CUBLAS_TENSOR_OP_MATH allows half or tf32, of which tf32 keeps the range.
void apply_math_mode(const Call& call, const Types& types, Arithmetic& arithmetic) {
  const std::uint32_t mode =
      call.context().math & ~std::uint32_t{CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION};
  const bool tensor = mode == CUBLAS_TF32_TENSOR_OP_MATH || mode == CUBLAS_TENSOR_OP_MATH;
  const bool plain =
      types.compute == CUBLAS_COMPUTE_32F && arithmetic.rounding == InputRounding::None;
  if (tensor && plain && (types.a == CUDA_R_32F || types.a == CUDA_C_32F)) {
    arithmetic.rounding = InputRounding::Tf32;
  }
}

cdouble load_scalar(cudaDataType type, const void* pointer, Index index = 0) {
  cdouble value{};
  load(type, static_cast<const char*>(pointer) + index * static_cast<Index>(element_bytes(type)), 1,
       1, &value);
  return value;
}

// alpha and beta, read when the work runs.
class Scalars {
 public:
  Scalars(const Call& call, cudaDataType type, const void* alpha, const void* beta)
      : type_(type), alpha_(alpha), beta_(beta), on_device_(call.on_device()) {
    if (!on_device_) values_ = {load_scalar(type, alpha), load_scalar(type, beta)};
  }
  [[nodiscard]] bool reachable_by(const char* function) const {
    return !on_device_ || all_reachable(function, Region{"alpha", alpha_, element_bytes(type_)},
                                        Region{"beta", beta_, element_bytes(type_)});
  }
  [[nodiscard]] Coefficients get() const {
    if (!on_device_) return values_;
    return {load_scalar(type_, alpha_), load_scalar(type_, beta_)};
  }

 private:
  cudaDataType type_;
  const void* alpha_;
  const void* beta_;
  bool on_device_;
  Coefficients values_;
};

// One size of product with its operands, whatever their number.
struct Shape {
  cublasOperation_t op_a, op_b;
  Index m, n, k, lda, ldb, ldc;

  [[nodiscard]] Index a_rows() const { return op_a == CUBLAS_OP_N ? m : k; }
  [[nodiscard]] Index a_columns() const { return op_a == CUBLAS_OP_N ? k : m; }
  [[nodiscard]] Index b_rows() const { return op_b == CUBLAS_OP_N ? k : n; }
  [[nodiscard]] Index b_columns() const { return op_b == CUBLAS_OP_N ? n : k; }
  [[nodiscard]] bool valid() const {
    return is_operation(op_a) && is_operation(op_b) && m >= 0 && n >= 0 && k >= 0 &&
           lda >= at_least_one(a_rows()) && ldb >= at_least_one(b_rows()) && ldc >= at_least_one(m);
  }
};

// Checks that every operand can be reached, then multiplies `batch` times.
cublasStatus_t run_batch(const char* function, const Arithmetic& arithmetic, const Types& types,
                         const Shape& shape, const Coefficients& scalars, const Pointers& a,
                         const Pointers& b, const Pointers& c, Index batch) {
  const bool reads = scalars.alpha != cdouble{} && shape.k > 0;
  if ((reads && (!a.reachable_all(function, "A", batch,
                                  matrix_bytes(shape.a_rows(), shape.a_columns(), shape.lda,
                                               element_bytes(types.a))) ||
                 !b.reachable_all(function, "B", batch,
                                  matrix_bytes(shape.b_rows(), shape.b_columns(), shape.ldb,
                                               element_bytes(types.b))))) ||
      !c.reachable_all(function, "C", batch,
                       matrix_bytes(shape.m, shape.n, shape.ldc, element_bytes(types.c)))) {
    return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  const auto multiply_one = [&](Index i, int threads) {
    const Operand left{a.at(i), types.a, shape.a_rows(), shape.a_columns(), 1, shape.lda};
    const Operand right{b.at(i), types.b, shape.b_rows(), shape.b_columns(), 1, shape.ldb};
    const Operand result{c.at(i), types.c, shape.m, shape.n, 1, shape.ldc};
    multiply_matrices(arithmetic, shape.op_a, shape.op_b, shape.m, shape.n, shape.k, scalars, left,
                      right, result, result, threads);
  };
  const auto m = static_cast<double>(shape.m), n = static_cast<double>(shape.n),
             k = static_cast<double>(shape.k);
  const int one = product_threads(arithmetic, m, n, k);
  const int all = product_threads(arithmetic, m, n, k * static_cast<double>(batch));
  if (one >= all || batch < all) {
    for (Index i = 0; i < batch; ++i) multiply_one(i, one);
  } else {
    parallel_for(batch, all, [&](Index first, Index last) {
      for (Index i = first; i < last; ++i) multiply_one(i, 1);
    });
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t gemm_batched(const Call& call, const Types& types, cublasOperation_t op_a,
                            cublasOperation_t op_b, Index m, Index n, Index k, const void* alpha,
                            const Pointers& a, Index lda, const Pointers& b, Index ldb,
                            const void* beta, const Pointers& c, Index ldc, Index batch) {
  if (!call) return call.status();
  const Shape shape{op_a, op_b, m, n, k, lda, ldb, ldc};
  if (!shape.valid() || batch < 0 || alpha == nullptr || beta == nullptr ||
      !is_algorithm(types.algorithm)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  auto arithmetic = arithmetic_of(types.compute, is_complex_type(types.c));
  if (!arithmetic || !is_supported(types)) return CUBLAS_STATUS_NOT_SUPPORTED;
  apply_math_mode(call, types, *arithmetic);
  if (m == 0 || n == 0 || batch == 0) return CUBLAS_STATUS_SUCCESS;
  const Scalars scalars(call, arithmetic->scale_type, alpha, beta);
  return call.submit([=, function = call.function(), chosen = *arithmetic] {
    if (!scalars.reachable_by(function)) return CUBLAS_STATUS_EXECUTION_FAILED;
    return run_batch(function, chosen, types, shape, scalars.get(), a, b, c, batch);
  });
}

// Groups of batches: sizes and scalars of each group in host memory, addresses of all matrices in
// one array in device memory.
template <class I, class Scalar, class A, class C>
cublasStatus_t gemm_grouped(const Call& call, const Types& types, const cublasOperation_t* op_a,
                            const cublasOperation_t* op_b, const I* m, const I* n, const I* k,
                            const Scalar* alpha, const A* const* a, const I* lda, const A* const* b,
                            const I* ldb, const Scalar* beta, C* const* c, const I* ldc, I groups,
                            const I* group_size) {
  if (!call) return call.status();
  if (groups < 0) return CUBLAS_STATUS_INVALID_VALUE;
  if (groups == 0) return CUBLAS_STATUS_SUCCESS;
  if (op_a == nullptr || op_b == nullptr || m == nullptr || n == nullptr || k == nullptr ||
      alpha == nullptr || lda == nullptr || ldb == nullptr || beta == nullptr || ldc == nullptr ||
      group_size == nullptr || call.on_device()) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  auto arithmetic = arithmetic_of(types.compute, is_complex_type(types.c));
  if (!arithmetic || !is_supported(types)) return CUBLAS_STATUS_NOT_SUPPORTED;
  apply_math_mode(call, types, *arithmetic);
  struct Group {
    Shape shape;
    Coefficients scalars;
    Index first, count;
  };
  std::vector<Group> all;
  Index first = 0;
  for (I g = 0; g < groups; ++g) {
    const Shape shape{op_a[g], op_b[g], m[g], n[g], k[g], lda[g], ldb[g], ldc[g]};
    if (!shape.valid() || group_size[g] < 0) return CUBLAS_STATUS_INVALID_VALUE;
    all.push_back({shape,
                   {load_scalar(arithmetic->scale_type, alpha, g),
                    load_scalar(arithmetic->scale_type, beta, g)},
                   first,
                   group_size[g]});
    first += group_size[g];
  }
  return call.submit([=, function = call.function(), chosen = *arithmetic] {
    for (const Group& group : all) {
      if (group.shape.m == 0 || group.shape.n == 0 || group.count == 0) continue;
      const auto status =
          run_batch(function, chosen, types, group.shape, group.scalars, Pointers(a + group.first),
                    Pointers(b + group.first), Pointers(c + group.first), group.count);
      if (status != CUBLAS_STATUS_SUCCESS) return status;
    }
    return CUBLAS_STATUS_SUCCESS;
  });
}

}  // namespace
}  // namespace softgpu::blas

using namespace softgpu::blas;  // NOLINT: the table's expressions name what is defined above
extern "C" {
#include "softgpu/blas/api_gemm.def"
}

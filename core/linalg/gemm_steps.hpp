// Products of dense row-major matrices.
#pragma once

#include <memory>
#include <stdexcept>
#include <string_view>

#include "core/linalg/micro_batch.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// An operand enters a product as it is stored (no) or transposed (yes).
enum class Transpose { no, yes };

template <Real T>
class GemmSteps {
 public:
  virtual ~GemmSteps() = default;
  static constexpr std::string_view name = "gemm";
  [[nodiscard]] static std::unique_ptr<GemmSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<GemmSteps> make_cpu(Engine& engine);

  // C (m×n) = op(A) (m×k) · op(B) (k×n), or C += op(A) · op(B) where `accumulate`; enqueued.
  //
  // Row-major, in the engine's memory: element (i, j) of A as stored is a[i * lda + j]. As stored,
  // A is m×k, or k×m where it is transposed; B is k×n, or n×k. Sizes of 0 are allowed: k = 0 gives
  // C = 0, or leaves C where `accumulate`. Without `accumulate` C may be uninitialised. C must not
  // overlap A or B.
  //
  // exact: every output is one chain of fmas, c = fma(a(i, l), b(l, j), c) for l = 0 .. k − 1 in
  // ascending order, starting from +0, or from C(i, j) where `accumulate`: its error is at most
  // γ_k · Σ |a(i, l)| |b(l, j)| (and |C(i, j)|, with γ_k+1, where `accumulate`). Which NaN stands
  // for an invalid operation is not fixed.
  // fast: any order; the same bound holds for any order of a sum of k products with or without fma,
  // with γ_k+1. With rounded factors: gemm_bound().
  // reference: products and sums in double precision, rounded once at the end.
  virtual void gemm(Transpose transpose_a, Transpose transpose_b, Index m, Index n, Index k,
                    const T* a, Index lda, const T* b, Index ldb, bool accumulate, T* c,
                    Index ldc) = 0;

  // C (m×n) = Aᵀ·B, a sum over the rows of A (rows×m) and B (rows×n), each row-major; enqueued. For
  // gradients of weights: a sum over rows has a shape that can be computed in parts.
  //
  // exact: micro-batches of micro_batch rows, for each an output is one chain of fmas in ascending
  // order of the rows, from +0; above them the tree of tandem/core/numerics.hpp: node (k, i) is
  // node (k − 1, 2i) + node (k − 1, 2i + 1), in T, or the left one alone where there is no right
  // one. Its error is at most micro_batch_bound(rows) · Σ |a(r, i)| |b(r, j)|. 0 of no rows.
  // fast and reference: as gemm().
  virtual void row_products(Index m, Index n, Index rows, const T* a, Index lda, const T* b,
                            Index ldb, T* c, Index ldc) = 0;

  // The functions below are for fast numerics: they compute a product and apply a layer's function
  // to it in one pass over the result, on engines that can. Matrices have no gaps and begin at
  // multiples of 16 bytes. The bounds are those of gemm() with one term more; whether a NaN passes
  // max(0, ·) is not fixed.

  // True where the engine has, for C of rows×outputs, gemm_relu() with k = inputs and, unless
  // next_outputs is 0, gemm_relu_gradient() with k = next_outputs.
  [[nodiscard]] virtual bool fuses_relu(Index /*rows*/, Index /*inputs*/, Index /*outputs*/,
                                        Index /*next_outputs*/) {
    return false;
  }
  // The bytes of a mask that says which outputs of an m×n product are above 0.
  [[nodiscard]] virtual Index relu_mask_bytes(Index /*m*/, Index /*n*/) const { return 0; }
  // C (m×n) = max(0, A·B + bias), bias_j added to column j; fills `mask` where it is not null.
  virtual void gemm_relu(Index /*m*/, Index /*n*/, Index /*k*/, const T* /*a*/, const T* /*b*/,
                         const T* /*bias*/, void* /*mask*/, T* /*c*/) {
    throw std::logic_error("gemm_relu without fuses_relu");
  }
  // C (m×n) = A·Bᵀ where the mask is set and 0 elsewhere; column_sums_j = Σ_i C(i, j), any order.
  virtual void gemm_relu_gradient(Index /*m*/, Index /*n*/, Index /*k*/, const T* /*a*/,
                                  const T* /*b*/, const void* /*mask*/, T* /*column_sums*/,
                                  T* /*c*/) {
    throw std::logic_error("gemm_relu_gradient without fuses_relu");
  }
};

// The bound on the error of an output, relative to Σ |a(i, l)| |b(l, j)| (and |C(i, j)| where
// `accumulate`): `terms` is k, and one more with `accumulate`.
//
// exact, fast, and double always: γ_terms+1 of T. fast_tf32, fast_bf16: each factor is off by a
// relative error of at most r, 2^−10 or 2^−7 where what does not fit is cut off, half of that where
// it is rounded (which, no library says); the product of two factors of at most 12 bits is exact;
// tensor cores add in at least 24 bits, and may cut off, so that each addition has a relative error
// of at most 2u (Fasi, Higham, Mikaitis, Pranesh, "Numerical behavior of NVIDIA tensor cores",
// 2021). Together (1 + r)²·(1 + γ) − 1 with γ = γ_2(terms + 1) of T. Not for factors below the
// smallest normal number, which may become 0.
template <Real T>
[[nodiscard]] constexpr double gemm_bound(Numerics numerics, Index terms) {
  const bool rounded = numerics == Numerics::fast_tf32 || numerics == Numerics::fast_bf16;
  if (sizeof(T) != 4 || !rounded) return gamma_bound<T>(terms + 1);
  const double r = numerics == Numerics::fast_tf32 ? 0x1p-10 : 0x1p-7;
  return (1 + r) * (1 + r) * (1 + gamma_bound<T>(2 * (terms + 1))) - 1;
}

// The cost of a product: floating-point operations, and bytes that must move when each operand is
// read once and C is written once (and read once where `accumulate`).
[[nodiscard]] constexpr double gemm_flops(Index m, Index n, Index k) {
  return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}
template <Real T>
[[nodiscard]] constexpr double gemm_bytes(Index m, Index n, Index k, bool accumulate) {
  const auto fm = static_cast<double>(m);
  const auto fn = static_cast<double>(n);
  const auto fk = static_cast<double>(k);
  return static_cast<double>(sizeof(T)) * (fm * fk + fk * fn + (accumulate ? 2 : 1) * fm * fn);
}

}  // namespace tandem

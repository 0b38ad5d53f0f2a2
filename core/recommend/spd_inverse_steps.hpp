// The steps of the inverse of a symmetric positive definite matrix, in double, beside matrix
// products.
//
// A = UᵀU, V = U⁻¹, P = VVᵀ, block by block of spd_block rows; a block's rows are one step here,
// and everything between blocks is a product of GemmSteps in exact numerics, whose chains go on
// from what stands there. So, whatever the block:
//   U_jk  = fma(−U_mj, U_mk, ·) from A_jk over m = 0 .. j − 1 ascending, then / U_jj, or sqrt for k
//   = j V_jk  = fma(−U_jm, V_mk, ·) from 0 over the m > j of later blocks ascending and then of its
//   own
//           block descending, from the unit matrix in its own block, then / U_jj
//   P_jk  = fma(V_jm, V_km, ·) from 0 over m ascending, from j's block on, for k >= j; mirrored
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/cost.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/engine.hpp"

namespace tandem {

inline constexpr Index spd_block = 64;

// fmas of the factorisation, the triangular inverse and the product, two operations each; the
// matrix is read and written three times at least.
[[nodiscard]] constexpr Cost spd_inverse_cost(Index n) {
  const auto d = static_cast<double>(n);
  return {6 * 8 * d * d, 2 * d * d * d};
}

template <Real T>
class SpdInverseSteps {
 public:
  virtual ~SpdInverseSteps() = default;
  static constexpr std::string_view name = "spd_inverse";
  [[nodiscard]] static std::unique_ptr<SpdInverseSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<SpdInverseSteps> make_cpu(Engine& engine);

  // The rows first .. first + rows − 1 of A (n × n), to which all rows before them have been
  // applied, become rows of U from the diagonal on; negated: rows × n, −U from column `first` on.
  // Returns false where a pivot is not above 0 or not finite; waits.
  [[nodiscard]] virtual bool factor_rows(Index n, Index first, Index rows, Buffer<double>& a,
                                         Buffer<double>& negated) = 0;
  // negated ← −U of these rows, from column `first` on. Enqueues.
  virtual void negate_rows(Index n, Index first, Index rows, const Buffer<double>& u,
                           Buffer<double>& negated) = 0;
  // a's elements below the diagonal become those above it. Enqueues.
  virtual void mirror(Index n, Buffer<double>& a) = 0;
  // The same rows of V, which hold the sums over later blocks, become what they should be, from the
  // diagonal on. Enqueues.
  virtual void invert_rows(Index n, Index first, Index rows, const Buffer<double>& u,
                           Buffer<double>& v) = 0;
};

// a (n × n, its upper triangle) becomes its inverse, whole. Throws NumericalError with `what` where
// it is not positive definite to working precision.
void invert_spd(Engine& engine, Index n, Buffer<double>& a, const std::string& what);

}  // namespace tandem

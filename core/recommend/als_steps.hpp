// The steps of implicit alternating least squares, and the order of their operations.
//
// Factors are rows × pitch in T: `factors` numbers and zeros up to a multiple of 32. Of row u with
// the ratings i = 0 .. n − 1, in ascending order of their columns, a_i is confidence − 1 and y_i
// the column's factors. `cpu` and the CUDA half compute, in T:
//
//   dot(a, b)    lane l of 32 is one chain of fmas over the elements l, l + 32, ... from +0; lanes
//                are added by halves
//   sum(w)_j     Σ_i w_i · y_ij: one ascending chain of fmas over the ratings of a block of 1024,
//                from +0; blocks along the tree of a long sum
//   product(x)_j Σ_k x_k · G_kj: one ascending chain of fmas, from +0
//   gram         G_jk = Σ_i y_ij · y_ik over all rows of Y in double: one ascending chain of fmas
//                over a block of 1024 rows, blocks along the tree, rounded to T once; λ is then
//                added to the diagonal
//
// Conjugate gradients, from the x that is there:
//   r_j = sum(fma(−a_i, dot(y_i, x), 1 + a_i))_j − product(x)_j,  p = r,  s = dot(r, r)
//   as often as cg_steps says, while s >= 1e-20:
//     v_j = product(p)_j + sum(a_i · dot(y_i, p))_j
//     α = s / dot(p, v);  x_j = fma(α, p_j, x_j);  r_j = fma(−α, v_j, r_j)
//     s' = dot(r, r);  β = s' / s;  p_j = fma(β, p_j, r_j);  s = s'
//
// Cholesky: b_j = sum(1 + a_i)_j;  A_jk = G_jk + Σ_i (a_i · y_ij) · y_ik, k >= j, summed as above;
//   for j ascending: U_jj = sqrt(A_jj); U_jk = A_jk / U_jj, k > j;
//     A_mk = fma(−U_jm, U_jk, A_mk) for m > j, k >= m
//   z_j = b_j / U_jj, then b_k = fma(−U_jk, z_j, b_k) for k > j, j ascending
//   x_j = z_j / U_jj, then z_k = fma(−U_kj, x_j, z_k) for k < j, j descending
//
// A row without ratings becomes 0.
#pragma once

#include <memory>
#include <string_view>

#include "core/cost.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/recommend/choices.hpp"

namespace tandem {

inline constexpr Index als_lanes = 32;
// Ratings that one chain goes over.
inline constexpr Index als_block = sum_block;
// What is left of the squared residual when conjugate gradients end.
inline constexpr double als_residual = 1e-20;

[[nodiscard]] TANDEM_HOST_DEVICE constexpr Index als_pitch(Index factors) {
  return (factors + als_lanes - 1) / als_lanes * als_lanes;
}

// Rows of ratings on the engine.
template <Real T>
struct AlsRatings {
  Index rows = 0;
  Index cols = 0;
  Buffer<Index> offsets;         // rows + 1
  Buffer<std::int32_t> columns;  // ascending within a row
  Buffer<T> extra;               // confidence − 1 of each, >= 0
};

// Floating-point operations of one half of an iteration by conjugate gradients: products with G of
// every row and two passes over the factors of every rating, steps + 1 times.
[[nodiscard]] constexpr Cost als_cg_cost(Index rows, Index ratings, Index factors, Index steps,
                                         std::size_t element) {
  const auto n = static_cast<double>(rows);
  const auto r = static_cast<double>(ratings);
  const auto f = static_cast<double>(factors);
  const auto s = static_cast<double>(steps + 1);
  return {(r * f * s + n * f) * static_cast<double>(element), s * (2 * n * f * f + 4 * r * f)};
}

template <Real T>
class AlsSteps {
 public:
  virtual ~AlsSteps() = default;
  static constexpr std::string_view name = "als";
  [[nodiscard]] static std::unique_ptr<AlsSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<AlsSteps> make_cpu(Engine& engine);

  // gram ← YᵀY + λI, pitch × pitch, zeros beyond the factors. y: rows × pitch.
  virtual void gram(const Buffer<T>& y, Index rows, Index factors, T lambda, Buffer<T>& gram) = 0;

  // x ← the solutions for all rows of ratings: rows × pitch, where conjugate gradients begin from
  // what it holds. Returns the number of rows whose matrix was not positive definite (Cholesky;
  // their x is 0); waits.
  [[nodiscard]] virtual Index solve(const AlsRatings<T>& ratings, const Buffer<T>& y,
                                    const Buffer<T>& gram, Index factors, AlsSolver solver,
                                    Index cg_steps, Buffer<T>& x) = 0;

  // Of every row of ratings Σ_i (c_i·(1 − d)² − d²), d = dot(y_i, x), in double, one ascending
  // chain of additions over a block of 1024 ratings, from +0, blocks along the tree: what the
  // ratings add to Σ over all pairs of d². 0 without ratings. terms: rows.
  virtual void rating_loss(const AlsRatings<T>& ratings, const Buffer<T>& y, const Buffer<T>& x,
                           Index factors, Buffer<double>& terms) = 0;
};

}  // namespace tandem

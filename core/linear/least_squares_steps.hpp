// The steps of least squares by orthogonal factorisation.
#pragma once

#include <algorithm>
#include <memory>
#include <string_view>

#include "core/linear/linear_steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {

// Tall and skinny QR (Demmel, Grigori, Hoemmen and Langou, "Communication-optimal parallel and
// sequential QR and LU factorizations", SIAM J. Sci. Comput. 34, 2012) in double precision. The
// matrix has p columns: √w times [1, features, target], the first one only with an intercept. Its
// rows are cut into groups; each group gives an upper triangular factor R with RᵀR = AᵀA, p × p,
// row-major; two factors, one on top of the other, give one by the same update.
//
// The update of R by m rows B, columns k = 0 .. p − 1 in turn (Householder reflections that touch
// row k of R and B; Golub and Van Loan, "Matrix Computations", 4th ed., §5.1 and §6.5):
//   s = Σ_i B_ik²;  nothing is done where s < 2^-960: what is left of a column that depends on
//   others (squares of less than that have few bits, and 1 / (norm·|v₀|) below may overflow) norm =
//   √fma(R_kk, R_kk, s);  v₀ = R_kk + copysign(norm, R_kk);  c = 1 / (norm·|v₀|) for each column j
//   > k:  f = fma(v₀, R_kj, Σ_i B_ik·B_ij)·c
//                           R_kj ← fma(−f, v₀, R_kj);  B_ij ← fma(−f, B_ik, B_ij)
//   R_kk ← −copysign(norm, R_kk)
// where every Σ_i is a long sum of one block, each product added to its lane by fma. A group is the
// blocks of its rows in order, the first into R = 0. Groups are the leaves of a tree of the shape
// of a long sum's: factors are merged pairwise, those at distance 1, then 2, 4, ..., the right one
// into the left one. Rows that begin at the border of a group can therefore be factored apart
// (core/linear/least_squares_part.hpp).
[[nodiscard]] constexpr Index least_squares_columns(Index features, bool intercept) {
  return features + 1 + (intercept ? 1 : 0);
}
// Rows of a group: enough blocks that all factors together are no larger than the data.
[[nodiscard]] constexpr Index least_squares_group(Index columns) {
  return std::max<Index>(4, (4 * columns + sum_block - 1) / sum_block) * sum_block;
}
// Operations of the factorisation of n rows: 2·n·p² of Householder's method.
[[nodiscard]] constexpr Cost least_squares_cost(Index rows, Index columns, std::size_t element) {
  const auto n = static_cast<double>(rows);
  const auto p = static_cast<double>(columns);
  return {n * p * static_cast<double>(element), 2 * n * p * p};
}

inline constexpr double least_squares_negligible = 0x1p-960;

template <Real T>
class LeastSquaresSteps {
 public:
  virtual ~LeastSquaresSteps() = default;
  static constexpr std::string_view name = "least_squares";
  [[nodiscard]] static std::unique_ptr<LeastSquaresSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<LeastSquaresSteps> make_cpu(Engine& engine);

  // The factors of the groups of the first `count` rows, at factors + (first_group + g)·p².
  // Enqueues.
  virtual void factor(const RowsView<T>& rows, Index count, bool intercept, Index first_group,
                      Buffer<double>& factors) = 0;

  // Merges the factors of the groups first .. first + groups − 1 into the first of them; the others
  // are overwritten. Enqueues.
  virtual void merge(Index first, Index groups, Index columns, Buffer<double>& factors) = 0;
};

}  // namespace tandem

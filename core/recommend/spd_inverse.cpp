// The inverse of a symmetric positive definite matrix, block by block.
#include <algorithm>

#include "core/linalg/gemm_steps.hpp"
#include "core/recommend/spd_inverse_steps.hpp"
#include "core/steps.hpp"
#include "core/watched_loop.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"

namespace tandem {

void invert_spd(Engine& engine, Index n, Buffer<double>& a, const std::string& what) {
  const auto steps = make_steps<SpdInverseSteps, double>(engine);
  const auto products = make_steps<GemmSteps, double>(engine);
  Buffer<double> negated(engine, std::min(n, spd_block) * n);
  Buffer<double> v(engine, n * n);
  v.fill_zero();
  const Index blocks = (n + spd_block - 1) / spd_block;
  // Each of the three passes takes the square of what lies behind a block, for every block.
  const auto work_of = [&](Index block) {
    const auto behind = static_cast<double>(n - block * spd_block);
    return behind * behind;
  };
  double all_work = 0;
  for (Index b = 0; b < blocks; ++b) all_work += 3 * work_of(b);
  WatchedLoop loop(all_work);
  const auto rows_of = [&](Index block) { return std::min(spd_block, n - block * spd_block); };
  // A = UᵀU: a block's rows, and what they take from all later rows, from each one's diagonal on.
  for (Index b = 0; b < blocks; ++b) {
    StopScope::check();
    const Index first = b * spd_block;
    const Index rows = rows_of(b);
    if (!steps->factor_rows(n, first, rows, a, negated)) throw NumericalError(what);
    for (Index later = b + 1; later < blocks; ++later) {
      const Index from = later * spd_block;
      products->gemm(Transpose::yes, Transpose::no, rows_of(later), n - from, rows,
                     negated.data() + from, n, a.data() + first * n + from, n, true,
                     a.data() + from * n + from, n);
    }
    loop.done(work_of(b));
  }
  // UV = I, from the last rows up: a row's sums over later rows, then its own block.
  for (Index b = blocks; b-- > 0;) {
    StopScope::check();
    const Index first = b * spd_block;
    const Index rows = rows_of(b);
    const Index behind = first + rows;
    if (behind < n) {
      // −U of these rows, which `negated` has had last for another block.
      steps->negate_rows(n, first, rows, a, negated);
      products->gemm(Transpose::no, Transpose::no, rows, n - behind, n - behind,
                     negated.data() + behind, n, v.data() + behind * n + behind, n, true,
                     v.data() + first * n + behind, n);
    }
    steps->invert_rows(n, first, rows, a, v);
    loop.done(work_of(b));
  }
  // P = VVᵀ: V is 0 left of the diagonal.
  for (Index b = 0; b < blocks; ++b) {
    StopScope::check();
    const Index first = b * spd_block;
    products->gemm(Transpose::no, Transpose::yes, rows_of(b), n - first, n - first,
                   v.data() + first * n + first, n, v.data() + first * n + first, n, false,
                   a.data() + first * n + first, n);
    loop.done(work_of(b));
  }
  steps->mirror(n, a);
}

}  // namespace tandem

// The steps of models whose outputs are weighted sums of the features: linear and
// logistic regression trained by gradients.
#pragma once

#include <memory>
#include <string_view>

#include "core/cost.hpp"
#include "core/random_permutation.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {

// Per row, of the outputs z and the target y:
//   squared   ½·(z − y)², one output
//   logistic  ln(1 + exp(m)), m = (1 − 2y)·z, y 0 or 1, one output
//   softmax   ln Σ_k exp(z_k) − z_y, one output per class, y = 0, 1, ...
enum class LinearLoss { squared, logistic, softmax };

// Elements from one feature's part of a block to the next one's: 32 more than a block has rows, so
// that the columns of a block, which are read and written side by side, do not compete for the same
// sets of a cache.
inline constexpr Index packed_stride = sum_block + 32;

// Rows laid out so that neighbouring rows are neighbours in memory for every feature, and a block
// of rows is one piece of memory: element (row i, feature j) stands at
//   ((i / sum_block)·features + j)·packed_stride + i mod sum_block.
// target and weights are contiguous. All are padded with zeros to whole blocks, up to which alone
// they are defined. Weights may be empty: 1 each.
template <Real T>
struct PackedRows {
  PackedRows() = default;
  PackedRows(Engine& engine, Index row_count, Index feature_count, bool weighted,
             Placement placement = Placement::engine)
      : rows(row_count),
        features(feature_count),
        x(engine, blocks(row_count) * packed_stride * feature_count, placement),
        target(engine, blocks(row_count) * sum_block, placement),
        weights(engine, weighted ? blocks(row_count) * sum_block : 0, placement) {}
  [[nodiscard]] static Index blocks(Index rows) noexcept {
    return (rows + sum_block - 1) / sum_block;
  }

  Index rows = 0;
  Index features = 0;
  Buffer<T> x;
  Buffer<T> target;
  Buffer<T> weights;
};

// Row-major rows in the engine's memory, which somebody else keeps: row i begins at x + i·stride.
template <Real T>
struct RowsView {
  Index rows = 0;
  Index features = 0;
  Index stride = 0;
  const T* x = nullptr;
  const T* target = nullptr;   // may be null
  const T* weights = nullptr;  // null: 1 each
};

// The same in buffers, without gaps between the rows.
template <Real T>
struct RowMajorRows {
  Index rows = 0;
  Index features = 0;
  Buffer<T> x;
  Buffer<T> target;   // may be empty
  Buffer<T> weights;  // may be empty

  // NOLINTNEXTLINE(google-explicit-constructor): a view of it is what steps take.
  operator RowsView<T>() const {
    return {rows,
            features,
            features,
            x.data(),
            target.empty() ? nullptr : target.data(),
            weights.empty() ? nullptr : weights.data()};
  }
};

// Bytes that one pass over n rows of d features must move, and its operations for K outputs: an
// fma counts two, an exponential or logarithm twenty.
[[nodiscard]] constexpr Cost linear_pass_cost(LinearLoss loss, Index rows, Index features,
                                              Index outputs, std::size_t element) {
  const auto n = static_cast<double>(rows);
  const auto d = static_cast<double>(features);
  const auto k = static_cast<double>(outputs);
  const double per_output = loss == LinearLoss::squared ? 4 : 44;
  return {n * (d + 1) * static_cast<double>(element), n * k * (4 * d + per_output)};
}

template <Real T>
class LinearSteps {
 public:
  virtual ~LinearSteps() = default;
  static constexpr std::string_view name = "linear";
  [[nodiscard]] static std::unique_ptr<LinearSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<LinearSteps> make_cpu(Engine& engine);

  // The first `count` rows of `from` become the rows at .. at + count − 1 of `to`; `at` is a
  // multiple of sum_block. Targets and weights go along where both sides have them. What is behind
  // the rows in the last block touched becomes zero. Enqueues.
  virtual void pack(const RowsView<T>& from, Index count, Index at, PackedRows<T>& to) = 0;

  // The rows order(first) .. order(first + count − 1) of `from` become the rows of `batch`, whose
  // buffers hold at least count rows; what is behind them in the last block becomes zero.
  // Enqueues.
  virtual void gather(const RowsView<T>& from, const RandomPermutation& order, Index first,
                      Index count, PackedRows<T>& batch) = 0;

  // Weighted moments of the features 0 .. d − 1 and of the target, d: moments[j] is the mean,
  // moments[d + 1 + j] the root of the mean squared deviation from it, moments[2d + 2] the total
  // weight. Long sums of double terms; the mean first, then the deviations. Enqueues.
  virtual void moments(const PackedRows<T>& rows, Buffer<double>& moments) = 0;

  // x_ij ← T((x_ij − centre[j])·factor[j]), in double, and the target as column d. Enqueues.
  virtual void standardise(const Buffer<double>& centre, const Buffer<double>& factor,
                           PackedRows<T>& rows) = 0;

  // One pass: cost[0] += Σ_i w_i·loss_i, and, unless gradient is empty, gradient ← factor times the
  // gradient of that sum. parameters and gradient: outputs × features weights, then one intercept
  // per output; without `intercept` the latter's gradients are 0.
  //
  // cpu and cuda: weights and intercepts are rounded to T; z is the chain in T that starts with the
  // intercept and adds features in ascending order by fma; losses and residuals are computed in T
  // as the implementation states; with q_i = w_i·r_i in double, gradients are long sums of
  // q_i·x_ij, each added to its lane by fma. Enqueues.
  virtual void pass(LinearLoss loss, const PackedRows<T>& rows, Index outputs, bool intercept,
                    const Buffer<double>& parameters, double factor, Buffer<double>& gradient,
                    Buffer<double>& cost) = 0;

  // gradient[p] ← fma(l2, parameters[p], gradient[p]) for p < penalised, and
  // cost[0] += cost_factor·(l2/2·Σ parameters[p]²), a long sum, products added to lanes by fma.
  // Enqueues.
  virtual void add_penalty(double l2, Index penalised, double cost_factor,
                           const Buffer<double>& parameters, Buffer<double>& gradient,
                           Buffer<double>& cost) = 0;

  // Predictions of rows as they stand, which need no packing by the caller: their targets and
  // weights are not read. results, in the engine's memory: row-major rows × columns; squared: z;
  // logistic: 1 − p and p; softmax: p_k. Enqueues.
  virtual void predict(LinearLoss loss, const RowsView<T>& rows, Index outputs,
                       const Buffer<double>& parameters, T* results) = 0;
};

}  // namespace tandem

// The steps of the multi-layer perceptron, apart from matrix products, which are those
// of core/linalg/gemm_steps.hpp.
//
// Matrices are row-major without gaps; a pointer is into the engine's memory. In exact mode every
// step below says which operations round, in which order; all of them in T unless it says double.
// "A chain" is a sum of products in which each term is one fma, in ascending order, from +0.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/cost.hpp"
#include "core/linalg/micro_batch.hpp"
#include "core/nn/row_order.hpp"
#include "core/random.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/nn/mlp.hpp"

namespace tandem {

// Inverted dropout (Srivastava et al., JMLR 2014): in training an output is dropped with
// probability `rate` and otherwise multiplied by 1 / (1 − rate), so that prediction needs no
// change. Whether element e of the layer's outputs is kept in step s is a function of (seed,
// layer, s, e): each element has its own 32 random bits, half of the 64 bits number
// (s·capacity + e) / 2 of Random(seed, Purpose::dropout, layer).
struct MlpDropout {
  double rate = 0;  // 0: none
  std::uint64_t seed = 0;
  std::uint32_t layer = 0;
  std::uint64_t step = 0;
  std::uint64_t capacity = 0;  // elements of a full batch, rounded up to a multiple of 4

  [[nodiscard]] TANDEM_HOST_DEVICE std::uint64_t first() const { return step * capacity; }
  // Elements whose 32 bits are below it are dropped.
  [[nodiscard]] TANDEM_HOST_DEVICE std::uint32_t threshold() const {
    return static_cast<std::uint32_t>(rate * 0x1p32);
  }
  [[nodiscard]] TANDEM_HOST_DEVICE bool keeps(std::uint64_t element) const {
    const std::uint64_t at = first() + element;
    const std::uint64_t bits = Random(seed, Purpose::dropout, layer).bits(at >> 1);
    return static_cast<std::uint32_t>((at & 1) != 0 ? bits >> 32 : bits) >= threshold();
  }
  [[nodiscard]] TANDEM_HOST_DEVICE double scale() const { return 1 / (1 - rate); }
};

// The targets of all rows; row r of a batch has target order[r].
template <Real T>
struct MlpTargets {
  const std::int32_t* labels = nullptr;  // classification
  const T* values = nullptr;             // regression
  const T* weights = nullptr;            // may be null: 1 each
};

// Sums over an epoch, kept on the engine. The batches' losses are the leaves of a tree, so that
// those of passes over sum_block rows each are one long sum.
struct MlpTotals {
  static constexpr Index loss = 0;     // Σ weight·loss of the rows
  static constexpr Index correct = 1;  // rows whose most probable class is right
  static constexpr Index batches = 2;
  static constexpr Index roots = 3;  // of the tree
  static constexpr Index count = roots + max_sum_levels;

  TANDEM_HOST_DEVICE static void add(double* totals, double loss_of_batch, double right) {
    const auto leaf = static_cast<Index>(totals[batches]);
    add_leaf(totals + roots, 1, leaf, loss_of_batch);
    totals[batches] = static_cast<double>(leaf + 1);
    totals[loss] = sum_of_leaves(totals + roots, 1, leaf + 1);
    totals[correct] += right;
  }
};

template <Real T>
class MlpSteps {
 public:
  virtual ~MlpSteps() = default;
  static constexpr std::string_view name = "mlp";
  [[nodiscard]] static std::unique_ptr<MlpSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<MlpSteps> make_cpu(Engine& engine);

  // to[p] = the row at place p of the epoch, p < order.rows(), or from[that row] where `from` is
  // given. Once per epoch.
  virtual void order_rows(const RowOrder& order, const Index* from, Index* to) = 0;

  // Announces a gather_rows with the same arguments, once: an engine whose rows stand on the host
  // may begin to fetch them while it works on what is enqueued later. Not inside a repeated part;
  // x and order must keep their contents until the gather.
  virtual void prepare_rows(const T* /*x*/, Index /*cols*/, const Index* /*order*/,
                            Index /*rows*/) {}

  // out(r, ·) = x(order[r], ·), r < rows. At most two of them in a repeated part.
  virtual void gather_rows(const T* x, Index cols, const Index* order, Index rows, T* out) = 0;

  // Backwards through an activation and the addition of a bias: d ← d ∘ slope where slope is given,
  // then db_j = Σ_r d(r, j), a sum over rows by micro-batches (core/linalg/micro_batch.hpp), where
  // db is given.
  virtual void activation_gradient(Index rows, Index width, const T* slope, T* d, T* db) = 0;

  // The activation of a hidden layer; a may be z. With u = z + shift_j, or fma(scale_j, z, shift_j)
  // where scale is given:
  //   sigmoid  a = sigmoid(u)              slope = a·(1 − a)
  //   tanh     a = tanh(u)                 slope = fma(−a, a, 1)
  //   relu     a = u < 0 ? 0 : u           slope = u > 0 ? 1 : 0
  //   gelu     Φ = fma(½, erf(u·√½), ½)    a = u·Φ
  //            slope = fma(u, exp(−½·(u·u))·(1/√2π), Φ)
  // and then, with dropout, a and slope are multiplied by 0 or by the scale rounded to T. slope,
  // the derivative of a by u, is null in prediction.
  virtual void activate(Activation activation, Index rows, Index width, const T* scale,
                        const T* shift, const MlpDropout& dropout, const T* z, T* a, T* slope) = 0;

  // Batch normalisation of the columns in training. In double, with sums of the shape of long_sum:
  // mean = Σz / rows; variance = Σ(z − mean)² / rows; then in T
  //   z ← (z − mean)·inverse, inverse = 1 / √(variance + epsilon), both rounded to T first
  //   running_mean ← momentum·running_mean + (1 − momentum)·mean, in double, rounded once; the
  //   running variance likewise, with the unbiased Σ(z − mean)² / max(1, rows − 1).
  virtual void normalize(Index rows, Index width, double epsilon, double momentum, T* z, T* inverse,
                         T* running_mean, T* running_variance) = 0;

  // Backwards through z ↦ fma(scale, ẑ, shift): du in, dz out, in place. In double, long sums:
  // shift_gradient = Σ du, scale_gradient = Σ du·ẑ (the product in double); then in T
  //   dz = (scale·inverse)·(du − shift_mean − ẑ·scale_mean), each operation rounded, where the
  //   means are the sums divided by rows, rounded to T.
  virtual void normalize_backward(Index rows, Index width, const T* normalized, const T* scale,
                                  const T* inverse, T* du, T* scale_gradient,
                                  T* shift_gradient) = 0;

  // Prediction with running averages as one scale and shift per column, computed in double:
  // s = scale / √(variance + epsilon), t = shift − mean·s, each rounded to T at the end.
  virtual void running_affine(Index width, double epsilon, const T* scale, const T* shift,
                              const T* mean, const T* variance, T* s, T* t) = 0;

  // The last layer: z ← the outputs of z + bias_j, in place.
  //   softmax  e_j = exp(u_j − max u), sum in ascending order of j from +0, e_j / sum
  virtual void output(MlpOutput output, Index rows, Index width, const T* bias, T* z) = 0;

  // The loss of a batch: adds to `totals` (see MlpTotals) and, where `gradient`, replaces z by the
  // derivative of the batch's mean loss by u = z + bias_j. With p as in output(), y the target, g
  // the derivative of the row's loss and f = weight·(1/rows), 1/rows rounded to T once:
  //   softmax, cross-entropy   loss = log(sum) − (u_y − max u); g_j = p_j − y_j
  //   sigmoid, cross-entropy   loss = softplus(y = 1 ? −u : u); g = p − y
  //   softmax, squared error   d_j = p_j − y_j; loss = ½·chain(d_j·d_j);
  //                            g_j = p_j·(d_j − chain(d_k·p_k))
  //   sigmoid, squared error   loss = ½·(d·d); g = d·(p·(1 − p))
  //   identity                 d = u − y; loss = ½·(d·d); g = d
  // and z ← g·f. The batch's Σ double(loss)·double(weight) has the shape of long_sum; it goes into
  // the totals by MlpTotals::add.
  virtual void loss(MlpOutput output, MlpLoss loss, bool gradient, Index rows, Index width,
                    const T* bias, const MlpTargets<T>& targets, const Index* order, T* z,
                    double* totals) = 0;
};

// Bytes that must move, each once, and operations: an addition, a product, a division and a square
// root are one, an fma is two. For benchmarks, and for tests of what kernels do.
// Operations of the functions of tandem/core/math.hpp.
template <Real T>
struct MathFlops {
  static constexpr bool single = sizeof(T) == 4;
  static constexpr double exp = single ? 30 : 40;
  static constexpr double log = single ? 25 : 33;
  static constexpr double tanh = single ? 48 : 58;
  static constexpr double sigmoid = single ? 42 : 52;
  static constexpr double softplus = single ? 64 : 82;
  static constexpr double erf = single ? 67 : 109;
};

// Writes the order; arithmetic on integers only.
[[nodiscard]] constexpr Cost mlp_order_cost(Index rows) {
  return {static_cast<double>(rows) * sizeof(Index), 0};
}

template <Real T>
[[nodiscard]] constexpr Cost mlp_gather_cost(Index cols, Index rows) {
  const auto r = static_cast<double>(rows);
  return {r * (2 * static_cast<double>(cols) * sizeof(T) + sizeof(Index)), 0};
}

template <Real T>
[[nodiscard]] constexpr Cost mlp_activation_gradient_cost(Index rows, Index width, bool sloped,
                                                          bool sums) {
  const auto n = static_cast<double>(rows) * static_cast<double>(width);
  const auto m = static_cast<double>(width);
  return {sizeof(T) * (n * (sloped ? 3 : 1) + (sums ? m : 0)),
          n * ((sloped ? 1 : 0) + (sums ? 1 : 0))};
}

template <Real T>
[[nodiscard]] constexpr Cost mlp_activate_cost(Activation activation, Index rows, Index width,
                                               bool scaled, bool dropout, bool slope) {
  const auto n = static_cast<double>(rows) * static_cast<double>(width);
  const auto m = static_cast<double>(width);
  double flops = scaled ? 2 : 1;
  switch (activation) {
    case Activation::sigmoid: flops += MathFlops<T>::sigmoid + (slope ? 2 : 0); break;
    case Activation::tanh: flops += MathFlops<T>::tanh + (slope ? 2 : 0); break;
    case Activation::relu: break;
    case Activation::gelu:
      flops += MathFlops<T>::erf + 4 + (slope ? MathFlops<T>::exp + 5 : 0);
      break;
  }
  if (dropout) flops += 2;
  return {sizeof(T) * (n * (slope ? 3 : 2) + m * (scaled ? 2 : 1)), n * flops};
}

// The lanes of a long sum are added in 32 operations for each block of rows.
template <Real T>
[[nodiscard]] constexpr Cost mlp_normalize_cost(Index rows, Index width) {
  const auto n = static_cast<double>(rows) * static_cast<double>(width);
  const auto m = static_cast<double>(width);
  const auto blocks = static_cast<double>((rows + sum_block - 1) / sum_block);
  return {sizeof(T) * (2 * n + 5 * m), 6 * n + m * (2 * 32 * blocks + 11)};
}
template <Real T>
[[nodiscard]] constexpr Cost mlp_normalize_backward_cost(Index rows, Index width) {
  const auto n = static_cast<double>(rows) * static_cast<double>(width);
  const auto m = static_cast<double>(width);
  const auto blocks = static_cast<double>((rows + sum_block - 1) / sum_block);
  return {sizeof(T) * (3 * n + 4 * m), 7 * n + m * (2 * 32 * blocks + 3)};
}
template <Real T>
[[nodiscard]] constexpr Cost mlp_running_affine_cost(Index width) {
  const auto m = static_cast<double>(width);
  return {sizeof(T) * 6 * m, 5 * m};
}

// The operations of a chain over a row's classes count 32 times where a warp has the row: all of
// its lanes go along.
[[nodiscard]] constexpr double mlp_chain_lanes(Index width) { return width > 32 ? 32 : 1; }

template <Real T>
[[nodiscard]] constexpr Cost mlp_output_cost(MlpOutput output, Index rows, Index width) {
  const auto n = static_cast<double>(rows) * static_cast<double>(width);
  const auto m = static_cast<double>(width);
  double flops = n;
  if (output == MlpOutput::softmax) flops = n * (3 + MathFlops<T>::exp + mlp_chain_lanes(width));
  if (output == MlpOutput::sigmoid) flops += static_cast<double>(rows) * MathFlops<T>::sigmoid;
  return {sizeof(T) * (2 * n + m), flops};
}

// A row's loss is written and read back, for the sum.
template <Real T>
[[nodiscard]] constexpr Cost mlp_loss_cost(MlpOutput output, MlpLoss loss, bool gradient,
                                           Index rows, Index width, bool weighted) {
  const auto r = static_cast<double>(rows);
  const auto n = r * static_cast<double>(width);
  const auto m = static_cast<double>(width);
  const double target = output == MlpOutput::identity ? sizeof(T) : sizeof(std::int32_t);
  const double bytes = sizeof(T) * (n * (gradient ? 2 : 1) + m + (weighted ? r : 0)) +
                       r * (sizeof(Index) + target + 2 * sizeof(double));
  double element = 1;  // operations of each element
  double row = 4;      // of each row: the gradient's factor, the weighted loss and its sum
  if (output == MlpOutput::softmax) {
    element += MathFlops<T>::exp + 1 + mlp_chain_lanes(width);
    if (loss == MlpLoss::cross_entropy) {
      row += MathFlops<T>::log + 2;
      if (gradient) element += 3;
    } else {
      row += 1;
      element += (gradient ? 6 : 2) + 4 * mlp_chain_lanes(width);
    }
  } else if (output == MlpOutput::identity) {
    element += gradient ? 4 : 3;
  } else {
    element += MathFlops<T>::sigmoid + 1 +
               (loss == MlpLoss::cross_entropy ? MathFlops<T>::softplus : 2) + (gradient ? 3 : 0);
  }
  return {bytes, n * element + r * row};
}

// The least that one batch must move and compute, for benchmarks: `widths` from the inputs to the
// outputs. Parameters are read twice and their gradient is written; the rows are read twice.
[[nodiscard]] inline Cost mlp_batch_cost(const std::vector<Index>& widths, Index rows,
                                         std::size_t element) {
  Cost cost;
  const auto r = static_cast<double>(rows);
  for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
    const auto n = static_cast<double>(widths[l]);
    const auto m = static_cast<double>(widths[l + 1]);
    // Forwards, gradient of the weights, and gradient of the inputs where there is a layer below.
    cost.flops += 2 * r * n * m * (l == 0 ? 2 : 3);
    cost.bytes += static_cast<double>(element) * (3 * n * m + 2 * r * n + 2 * r * m);
  }
  return cost;
}

}  // namespace tandem

// One pass over packed rows, block by block: the outputs of a block's rows, their residuals, and
// the sums for the gradient are made while the block is in cache. SIMD lanes run over rows.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/linear/linear.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <vector>

#include "core/linear/linear_loss.hpp"
#include "core/linear/linear_steps.hpp"
#include "core/watched_loop.hpp"
#include "cpu/linear/linear_rows.hpp"
#include "cpu/linear/rows-inl.hpp"
#include "cpu/math-inl.hpp"
#include "cpu/simd-inl.hpp"

#ifndef TANDEM_CPU_LINEAR_LINEAR_CPP
#define TANDEM_CPU_LINEAR_LINEAR_CPP
namespace tandem::cpu {

// One block of packed rows and the model.
template <class T>
struct LinearBlock {
  LinearLoss loss;
  const T* x;    // features columns
  Index stride;  // elements from one column to the next
  const T* target;
  const T* weights;  // null: 1 each
  Index rows;
  Index features;
  Index outputs;
  const T* w;  // outputs × features
  const T* b;  // outputs
};

// Memory of one thread for one block: z outputs × sum_block, losses and maxima sum_block each,
// q outputs × sum_block.
template <class T>
struct LinearScratch {
  T* z;
  T* losses;
  T* maxima;
  double* q;
};

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

#define TANDEM_LOSS_FUNCTION HWY_INLINE
#include "core/linear/linear_loss.inc"
#undef TANDEM_LOSS_FUNCTION

// Rows are processed in whole groups of sum_lanes; the rows past the end are zero.
constexpr Index padded(Index rows) { return (rows + sum_lanes - 1) / sum_lanes * sum_lanes; }

// z_k ← z_k + Σ_c x_c·w_kc for `count` <= 4 neighbouring features, in ascending order.
template <int count, class T>
HWY_INLINE void AddFeatures(const T* HWY_RESTRICT x, Index stride, const T* HWY_RESTRICT w,
                            Index rows, T* HWY_RESTRICT z) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  V weight[count];
  for (int c = 0; c < count; ++c) weight[c] = hn::Set(d, w[c]);
  for (Index i = 0; i < rows; i += lanes) {
    V sum = hn::LoadU(d, z + i);
    for (int c = 0; c < count; ++c) {
      sum = Fma(d, hn::LoadU(d, x + c * stride + i), weight[c], sum);
    }
    hn::StoreU(sum, d, z + i);
  }
}

template <class T>
void Outputs(const LinearBlock<T>& block, T* z) {
  const Index rows = padded(block.rows);
  for (Index k = 0; k < block.outputs; ++k) std::fill_n(z + k * sum_block, rows, block.b[k]);
  Index j = 0;
  for (; j + 4 <= block.features; j += 4) {
    for (Index k = 0; k < block.outputs; ++k) {
      AddFeatures<4>(block.x + j * block.stride, block.stride, block.w + k * block.features + j,
                     rows, z + k * sum_block);
    }
  }
  for (; j < block.features; ++j) {
    for (Index k = 0; k < block.outputs; ++k) {
      AddFeatures<1>(block.x + j * block.stride, block.stride, block.w + k * block.features + j,
                     rows, z + k * sum_block);
    }
  }
}

// z becomes the residual; losses (not for squared) the loss of each row.
template <class T>
void Residuals(const LinearBlock<T>& block, const LinearScratch<T>& scratch) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const Index rows = padded(block.rows);
  const math_detail::VectorOperations<hn::ScalableTag<T>> o;
  T* z = scratch.z;
  switch (block.loss) {
    case LinearLoss::squared:
      for (Index i = 0; i < rows; i += lanes) {
        hn::StoreU(hn::Sub(hn::LoadU(d, z + i), hn::LoadU(d, block.target + i)), d, z + i);
      }
      break;
    case LinearLoss::logistic:
      for (Index i = 0; i < rows; i += lanes) {
        const auto terms = logistic_terms(o, hn::LoadU(d, block.target + i), hn::LoadU(d, z + i));
        hn::StoreU(terms.loss, d, scratch.losses + i);
        hn::StoreU(terms.residual, d, z + i);
      }
      break;
    case LinearLoss::softmax:
      for (Index i = 0; i < rows; i += lanes) {
        const V y = hn::LoadU(d, block.target + i);
        V largest = hn::LoadU(d, z + i);
        V own = largest;
        for (Index k = 1; k < block.outputs; ++k) {
          const V value = hn::LoadU(d, z + k * sum_block + i);
          largest = larger_output(o, largest, value);
          own = hn::IfThenElse(hn::Eq(y, hn::Set(d, static_cast<T>(k))), value, own);
        }
        V sum = hn::Zero(d);
        for (Index k = 0; k < block.outputs; ++k) {
          const V e = softmax_exponential(o, hn::LoadU(d, z + k * sum_block + i), largest);
          sum = hn::Add(sum, e);
          hn::StoreU(e, d, z + k * sum_block + i);
        }
        hn::StoreU(softmax_loss(o, sum, own, largest), d, scratch.losses + i);
        for (Index k = 0; k < block.outputs; ++k) {
          const V p = hn::Div(hn::LoadU(d, z + k * sum_block + i), sum);
          hn::StoreU(softmax_residual(o, p, y, hn::Set(d, static_cast<T>(k))), d,
                     z + k * sum_block + i);
        }
      }
      break;
  }
  for (Index k = 0; k < block.outputs; ++k) {
    std::fill(z + k * sum_block + block.rows, z + k * sum_block + rows, T{0});
  }
  std::fill(scratch.losses + block.rows, scratch.losses + rows, T{0});
}

// q ← w·r in double; returns the block's cost.
template <class T>
double WeightedResiduals(const LinearBlock<T>& block, const LinearScratch<T>& scratch) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  constexpr Index parts = sum_lanes / lanes;
  const Index rows = padded(block.rows);
  V cost[parts];
  for (Index v = 0; v < parts; ++v) cost[v] = hn::Zero(d);
  const V half = hn::Set(d, 0.5);
  const V one = hn::Set(d, 1.0);
  for (Index k = 0; k < block.outputs; ++k) {
    const T* r = scratch.z + k * sum_block;
    double* q = scratch.q + k * sum_block;
    for (Index i = 0; i < rows; i += sum_lanes) {
      for (Index v = 0; v < parts; ++v) {
        const Index at = i + v * lanes;
        const V residual = LoadDoubles(d, r + at);
        const V weight = block.weights == nullptr ? one : LoadDoubles(d, block.weights + at);
        const V product = hn::Mul(weight, residual);
        hn::StoreU(product, d, q + at);
        if (k > 0) continue;
        if (block.loss == LinearLoss::squared) {
          cost[v] = Fma(d, hn::Mul(half, residual), product, cost[v]);
        } else {
          cost[v] = Fma(d, weight, LoadDoubles(d, scratch.losses + at), cost[v]);
        }
      }
    }
  }
  HWY_ALIGN double lane[sum_lanes];
  for (Index v = 0; v < parts; ++v) hn::StoreU(cost[v], d, lane + v * lanes);
  return add_lanes(lane);
}

// sums[k] ← Σ_i q_ki·x_i for `classes` neighbouring outputs, `stride` apart in sums.
template <int classes, class T>
HWY_INLINE void ColumnSums(const T* HWY_RESTRICT x, const double* HWY_RESTRICT q, Index rows,
                           double* HWY_RESTRICT sums, Index stride) {
  const hn::ScalableTag<double> d;
  using V = hn::Vec<decltype(d)>;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  constexpr Index parts = sum_lanes / lanes;
  V acc[classes][parts];
  for (int k = 0; k < classes; ++k) {
    for (Index v = 0; v < parts; ++v) acc[k][v] = hn::Zero(d);
  }
  for (Index i = 0; i < rows; i += sum_lanes) {
    for (Index v = 0; v < parts; ++v) {
      const V value = LoadDoubles(d, x + i + v * lanes);
      for (int k = 0; k < classes; ++k) {
        acc[k][v] = Fma(d, hn::LoadU(d, q + k * sum_block + i + v * lanes), value, acc[k][v]);
      }
    }
  }
  HWY_ALIGN double lane[sum_lanes];
  for (int k = 0; k < classes; ++k) {
    for (Index v = 0; v < parts; ++v) hn::StoreU(acc[k][v], d, lane + v * lanes);
    sums[k * stride] = add_lanes(lane);
  }
}

// sums: with a gradient outputs × features weights and outputs intercepts, then the cost.
template <class T>
void PassBlock(const LinearBlock<T>& block, const LinearScratch<T>& scratch, bool gradient,
               double* sums) {
  Outputs(block, scratch.z);
  Residuals(block, scratch);
  const Index d = block.features;
  const Index rows = padded(block.rows);
  sums[gradient ? block.outputs * (d + 1) : 0] = WeightedResiduals(block, scratch);
  if (!gradient) return;
  for (Index j = 0; j < d; ++j) {
    const T* x = block.x + j * block.stride;
    Index k = 0;
    for (; k + 2 <= block.outputs; k += 2) {
      ColumnSums<2>(x, scratch.q + k * sum_block, rows, sums + k * d + j, d);
    }
    if (k < block.outputs) {
      ColumnSums<1>(x, scratch.q + k * sum_block, rows, sums + k * d + j, d);
    }
  }
  for (Index k = 0; k < block.outputs; ++k) {
    const double* q = scratch.q + k * sum_block;
    double lane[sum_lanes] = {};
    for (Index i = 0; i < rows; ++i) lane[i % sum_lanes] += q[i];
    sums[block.outputs * d + k] = add_lanes(lane);
  }
}

// results: rows × columns of predictions.
template <class T>
void PredictBlock(const LinearBlock<T>& block, const LinearScratch<T>& scratch, T* results) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const Index rows = padded(block.rows);
  T* z = scratch.z;
  Outputs(block, z);
  if (block.loss == LinearLoss::squared) {
    for (Index i = 0; i < block.rows; ++i) results[i] = linear::with_one_nan(z[i]);
    return;
  }
  if (block.loss == LinearLoss::logistic) {
    for (Index i = 0; i < rows; i += lanes) {
      const V value = hn::LoadU(d, z + i);
      hn::StoreU(Sigmoid(d, value), d, z + i);
      hn::StoreU(Sigmoid(d, hn::Neg(value)), d, scratch.losses + i);
    }
    for (Index i = 0; i < block.rows; ++i) {
      results[2 * i] = scratch.losses[i];  // NaN is the one NaN already
      results[2 * i + 1] = z[i];
    }
    return;
  }
  const math_detail::VectorOperations<hn::ScalableTag<T>> o;
  for (Index i = 0; i < rows; i += lanes) {
    V largest = hn::LoadU(d, z + i);
    for (Index k = 1; k < block.outputs; ++k) {
      largest = larger_output(o, largest, hn::LoadU(d, z + k * sum_block + i));
    }
    V sum = hn::Zero(d);
    for (Index k = 0; k < block.outputs; ++k) {
      const V e = softmax_exponential(o, hn::LoadU(d, z + k * sum_block + i), largest);
      sum = hn::Add(sum, e);
      hn::StoreU(e, d, z + k * sum_block + i);
    }
    for (Index k = 0; k < block.outputs; ++k) {
      hn::StoreU(hn::Div(hn::LoadU(d, z + k * sum_block + i), sum), d, z + k * sum_block + i);
    }
  }
  for (Index i = 0; i < block.rows; ++i) {
    for (Index k = 0; k < block.outputs; ++k) {
      results[i * block.outputs + k] = linear::with_one_nan(z[k * sum_block + i]);
    }
  }
}

#define TANDEM_INSTANTIATE(T, Name)                                                     \
  void PassBlock##Name(const LinearBlock<T>& block, const LinearScratch<T>& scratch,    \
                       bool gradient, double* sums) {                                   \
    PassBlock(block, scratch, gradient, sums);                                          \
  }                                                                                     \
  void PredictBlock##Name(const LinearBlock<T>& block, const LinearScratch<T>& scratch, \
                          T* results) {                                                 \
    PredictBlock(block, scratch, results);                                              \
  }
TANDEM_INSTANTIATE(float, Float)
TANDEM_INSTANTIATE(double, Double)
#undef TANDEM_INSTANTIATE

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {
HWY_EXPORT(PassBlockFloat);
HWY_EXPORT(PassBlockDouble);
HWY_EXPORT(PredictBlockFloat);
HWY_EXPORT(PredictBlockDouble);

template <class T>
void pass_block(const LinearBlock<T>& block, const LinearScratch<T>& scratch, bool gradient,
                double* sums) {
  if constexpr (sizeof(T) == 4) {
    HWY_DYNAMIC_DISPATCH(PassBlockFloat)(block, scratch, gradient, sums);
  } else {
    HWY_DYNAMIC_DISPATCH(PassBlockDouble)(block, scratch, gradient, sums);
  }
}
template <class T>
void predict_block(const LinearBlock<T>& block, const LinearScratch<T>& scratch, T* results) {
  if constexpr (sizeof(T) == 4) {
    HWY_DYNAMIC_DISPATCH(PredictBlockFloat)(block, scratch, results);
  } else {
    HWY_DYNAMIC_DISPATCH(PredictBlockDouble)(block, scratch, results);
  }
}
// Rows that predictions take at a time: so few that they stay in the first-level cache while they
// are turned from rows to columns and read. Nothing is summed over rows, so that the number changes
// no bit.
template <class T>
Index tile_rows(Index features) {
  constexpr Index tile_bytes = Index{16} << 10;
  const Index rows = tile_bytes / (features * static_cast<Index>(sizeof(T)));
  return std::clamp(rows / sum_lanes * sum_lanes, sum_lanes, sum_block);
}

// From one column of a turned tile to the next: half a cache line more than its rows, so that
// columns do not compete for the same sets of a cache.
constexpr Index turned_stride(Index tile) { return tile + 8; }

// The rows begin .. begin + count − 1 as columns, zeros up to the next whole group of rows; in the
// calling thread's memory, until its next call.
template <class T>
const T* turn_tile(const RowsView<T>& from, Index begin, Index count, Index tile) {
  thread_local std::vector<T> memory;
  const Index stride = turned_stride(tile);
  const auto needed = static_cast<std::size_t>(from.features * stride);
  if (memory.size() < needed) memory.resize(needed);
  T* to = memory.data();
  // So many rows at a time that a cache line of each column is completed before it is left.
  constexpr Index strip = 64 / static_cast<Index>(sizeof(T));
  for (Index first = 0; first < count; first += strip) {
    const Index end = std::min(first + strip, count);
    for (Index i = first; i < end; ++i) {
      const T* row = from.x + (begin + i) * from.stride;
      for (Index j = 0; j < from.features; ++j) to[j * stride + i] = row[j];
    }
  }
  const Index whole = (count + sum_lanes - 1) / sum_lanes * sum_lanes;
  for (Index j = 0; j < from.features && whole > count; ++j) {
    std::fill(to + j * stride + count, to + j * stride + whole, T{0});
  }
  return to;
}

// The calling thread's memory for one block, kept from call to call.
template <class T>
LinearScratch<T> scratch_for(Index outputs) {
  thread_local std::vector<double> memory;
  constexpr Index line = 8;  // doubles in a cache line
  const Index doubles = outputs * sum_block;
  const Index reals = (outputs + 2) * sum_block * static_cast<Index>(sizeof(T)) / 8;
  if (static_cast<Index>(memory.size()) < doubles + reals + line) {
    memory.resize(static_cast<std::size_t>(doubles + reals + line));
  }
  auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  auto* q = reinterpret_cast<double*>((address + 63) / 64 * 64);
  T* z = reinterpret_cast<T*>(q + doubles);
  return {z, z + outputs * sum_block, z + (outputs + 1) * sum_block, q};
}

}  // namespace
}  // namespace cpu

namespace {

template <Real T>
class CpuLinear final : public LinearSteps<T> {
 public:
  explicit CpuLinear(Engine& engine) : engine_(engine) {}

  void pack(const RowsView<T>& from, Index count, Index at, PackedRows<T>& to) override {
    cpu::pack_rows(engine_.threads(), from, count, at, to);
  }
  void gather(const RowsView<T>& from, const RandomPermutation& order, Index first, Index count,
              PackedRows<T>& batch) override {
    cpu::gather_rows(engine_.threads(), from, order, first, count, batch);
  }
  void moments(const PackedRows<T>& rows, Buffer<double>& moments) override {
    cpu::moments_of_rows(engine_.threads(), rows, moments);
  }
  void standardise(const Buffer<double>& centre, const Buffer<double>& factor,
                   PackedRows<T>& rows) override {
    cpu::standardise_rows(engine_.threads(), centre, factor, rows);
  }

  void pass(LinearLoss loss, const PackedRows<T>& rows, Index outputs, bool intercept,
            const Buffer<double>& parameters, double factor, Buffer<double>& gradient,
            Buffer<double>& cost) override {
    const Index d = rows.features;
    // The gradient's sums and the cost, or the cost alone.
    const Index terms = gradient.empty() ? 1 : outputs * (d + 1) + 1;
    const Index blocks = PackedRows<T>::blocks(rows.rows);
    const std::vector<T> model = rounded(parameters);
    partial_.resize(static_cast<std::size_t>(std::max<Index>(1, blocks) * terms));
    std::fill_n(partial_.begin(), terms, 0.0);  // where there are no rows
    WatchedLoop loop(static_cast<double>(blocks));
    parallel_for(cpu::threads_for(engine_.threads(), rows, outputs), blocks, [&](Index b) {
      cpu::visit_block(rows, b);
      cpu::pass_block<T>(block_of(loss, rows, b, outputs, model), cpu::scratch_for<T>(outputs),
                         !gradient.empty(), partial_.data() + b * terms);
      loop.done(1);
    });
    add_block_sums(partial_.data(), blocks, terms);
    cost.data()[0] =
        linear::with_one_nan(cost.data()[0] + partial_[static_cast<std::size_t>(terms - 1)]);
    for (Index t = 0; t < gradient.size(); ++t) {
      gradient.data()[t] =
          t < outputs * d || intercept
              ? linear::with_one_nan(factor * partial_[static_cast<std::size_t>(t)])
              : 0.0;
    }
  }

  void add_penalty(double l2, Index penalised, double cost_factor, const Buffer<double>& parameters,
                   Buffer<double>& gradient, Buffer<double>& cost) override {
    SumTree<> squares;
    for (Index begin = 0; begin < penalised; begin += sum_block) {
      double lanes[sum_lanes] = {};
      for (Index p = begin; p < std::min(begin + sum_block, penalised); ++p) {
        const double value = parameters.data()[p];
        double& lane = lanes[(p - begin) % sum_lanes];
        lane = std::fma(value, value, lane);
        gradient.data()[p] = linear::with_one_nan(std::fma(l2, value, gradient.data()[p]));
      }
      squares.add(add_lanes(lanes));
    }
    cost.data()[0] =
        linear::with_one_nan(cost.data()[0] + cost_factor * (l2 / 2 * squares.total()));
  }

  void predict(LinearLoss loss, const RowsView<T>& rows, Index outputs,
               const Buffer<double>& parameters, T* results) override {
    const Index columns = loss == LinearLoss::logistic ? 2 : outputs;
    const std::vector<T> model = rounded(parameters);
    const Index tile = cpu::tile_rows<T>(rows.features);
    const Index blocks = pieces(rows.rows, sum_block);
    WatchedLoop loop(static_cast<double>(blocks));
    parallel_for(cpu::threads_for(engine_.threads(), rows.rows, rows.features, outputs), blocks,
                 [&](Index b) {
                   const Piece piece = piece_of(rows.rows, sum_block, b);
                   for (Index begin = piece.begin; begin < piece.end; begin += tile) {
                     const Index count = std::min(tile, piece.end - begin);
                     cpu::predict_block<T>(
                         {loss, cpu::turn_tile(rows, begin, count, tile), cpu::turned_stride(tile),
                          nullptr, nullptr, count, rows.features, outputs, model.data(),
                          model.data() + outputs * rows.features},
                         cpu::scratch_for<T>(outputs), results + begin * columns);
                   }
                   loop.done(1);
                 });
  }

 private:
  static std::vector<T> rounded(const Buffer<double>& parameters) {
    std::vector<T> model(static_cast<std::size_t>(parameters.size()));
    for (Index p = 0; p < parameters.size(); ++p) {
      model[static_cast<std::size_t>(p)] = static_cast<T>(parameters.data()[p]);
    }
    return model;
  }

  static cpu::LinearBlock<T> block_of(LinearLoss loss, const PackedRows<T>& rows, Index b,
                                      Index outputs, const std::vector<T>& model) {
    return {loss,
            rows.x.data() + b * rows.features * packed_stride,
            packed_stride,
            rows.target.data() + b * sum_block,
            rows.weights.empty() ? nullptr : rows.weights.data() + b * sum_block,
            piece_of(rows.rows, sum_block, b).size(),
            rows.features,
            outputs,
            model.data(),
            model.data() + outputs * rows.features};
  }

  Engine& engine_;
  std::vector<double> partial_;  // blocks × terms
};

}  // namespace

template <Real T>
std::unique_ptr<LinearSteps<T>> LinearSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuLinear<T>>(engine);
}
template std::unique_ptr<LinearSteps<float>> LinearSteps<float>::make_cpu(Engine&);
template std::unique_ptr<LinearSteps<double>> LinearSteps<double>::make_cpu(Engine&);

}  // namespace tandem
#endif

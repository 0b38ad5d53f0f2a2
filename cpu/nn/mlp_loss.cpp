// Outputs, losses and their derivatives, row by row.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/nn/mlp_loss.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/nn/mlp_functions.hpp"

#include "cpu/math-inl.hpp"
#include "cpu/nn/mlp_functions-inl.hpp"
#include "cpu/nn/mlp_kernels.hpp"
#include "cpu/nn/vectors-inl.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// u ← exp(u − max u); returns the sum in ascending order and the largest u.
template <class T>
HWY_INLINE T Exponentials(Index width, T* u, T& largest) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const auto lowest = hn::Set(d, -std::numeric_limits<T>::infinity());
  auto top = lowest;
  for (Index j = 0; j < width; j += lanes) {
    const Index n = width - j;
    const auto v = LoadPart(d, u + j, n);
    const auto inside =
        n >= lanes ? hn::FirstN(d, hn::Lanes(d)) : hn::FirstN(d, static_cast<size_t>(n));
    // Never a NaN: processors differ in the maximum of one.
    top = hn::IfThenElse(hn::And(inside, hn::Gt(v, top)), v, top);
  }
  top = hn::MaxOfLanes(d, top);
  largest = hn::GetLane(top);
  for (Index j = 0; j < width; j += lanes) {
    const Index n = width - j;
    StorePart(Exp(d, hn::Sub(LoadPart(d, u + j, n), top)), d, u + j, n);
  }
  T sum = 0;
  for (Index j = 0; j < width; ++j) sum += u[j];
  return sum;
}

// u ← u·by or u / by.
template <bool divide, class T>
HWY_INLINE void Rescale(Index width, T by, T* u) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const auto factor = hn::Set(d, by);
  for (Index j = 0; j < width; j += lanes) {
    const Index n = width - j;
    const auto v = LoadPart(d, u + j, n);
    StorePart(divide ? hn::Div(v, factor) : hn::Mul(v, factor), d, u + j, n);
  }
}

template <class T>
HWY_INLINE void AddBias(Index width, const T* bias, T* z) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  for (Index j = 0; j < width; j += lanes) {
    const Index n = width - j;
    StorePart(hn::Add(LoadPart(d, z + j, n), LoadPart(d, bias + j, n)), d, z + j, n);
  }
}

template <class T>
void OutputRows(const Loss<T>& p, Index begin, Index end) {
  for (Index r = begin; r < end; ++r) {
    T* u = p.z + r * p.width;
    AddBias(p.width, p.bias, u);
    if (p.output == MlpOutput::softmax) {
      T largest;
      const T sum = Exponentials(p.width, u, largest);
      Rescale<true>(p.width, sum, u);
    } else if (p.output == MlpOutput::sigmoid) {
      u[0] = math::sigmoid(u[0]);
    }
  }
}

template <class T>
void SoftmaxLossRows(const Loss<T>& p, Index begin, Index end) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const T share = static_cast<T>(1.0 / static_cast<double>(p.rows));
  constexpr Index chunk = 64;
  T sums[chunk];       // of a row's exponentials, then their logarithms
  T distances[chunk];  // from the largest u to that of the row's class
  for (Index from = begin; from < end; from += chunk) {
    const Index to = std::min(end, from + chunk);
    for (Index r = from; r < to; ++r) {
      T* u = p.z + r * p.width;
      const Index row = p.order[r];
      const Index label = p.targets.labels[row];
      AddBias(p.width, p.bias, u);
      const T own = u[label];
      bool first = true;  // no class before it has a u as large
      for (Index j = 0; j < label; ++j) first = first && !(u[j] >= own);
      T largest;
      const T sum = Exponentials(p.width, u, largest);
      sums[r - from] = sum;
      distances[r - from] = own - largest;
      p.right[r] = first && own == largest ? 1 : 0;
      const T weight = p.targets.weights != nullptr ? p.targets.weights[row] : T{1};
      const T factor = weight * share;
      if (p.loss == MlpLoss::cross_entropy) {
        if (!p.gradient) continue;
        const auto divisor = hn::Set(d, sum);
        const auto by = hn::Set(d, factor);
        const T own_gradient = nn::cross_entropy_gradient(u[label] / sum, true, factor);
        for (Index j = 0; j < p.width; j += lanes) {
          const Index n = p.width - j;
          StorePart(hn::Mul(hn::Div(LoadPart(d, u + j, n), divisor), by), d, u + j, n);
        }
        u[label] = own_gradient;
        continue;
      }
      Rescale<true>(p.width, sum, u);
      T squares = 0;
      T dot = 0;
      for (Index j = 0; j < p.width; ++j) {
        const T difference = nn::difference(u[j], j == label);
        squares = std::fma(difference, difference, squares);
        dot = std::fma(difference, u[j], dot);
      }
      p.row_losses[r] = static_cast<double>(T{0.5} * squares) * static_cast<double>(weight);
      if (!p.gradient) continue;
      for (Index j = 0; j < p.width; ++j) {
        u[j] = nn::squared_error_gradient(u[j], j == label, dot, factor);
      }
    }
    if (p.loss != MlpLoss::cross_entropy) continue;
    for (Index i = 0; i < to - from; i += lanes) {
      const Index n = to - from - i;
      StorePart(hn::Sub(Log(d, LoadPart(d, sums + i, n)), LoadPart(d, distances + i, n)), d,
                sums + i, n);
    }
    for (Index r = from; r < to; ++r) {
      const T* weights = p.targets.weights;
      const double weight = weights != nullptr ? static_cast<double>(weights[p.order[r]]) : 1.0;
      p.row_losses[r] = static_cast<double>(sums[r - from]) * weight;
    }
  }
}

// Rows with one output: a vector of rows at a time.
template <MlpOutput output, MlpLoss loss, class T>
void SingleOutputRowsOf(const Loss<T>& p, Index begin, Index end) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const VectorOperations<decltype(d)> o;
  const T share = static_cast<T>(1.0 / static_cast<double>(p.rows));
  HWY_ALIGN T y[hn::MaxLanes(d)];
  HWY_ALIGN T weight[hn::MaxLanes(d)];
  HWY_ALIGN T u_of[hn::MaxLanes(d)];
  HWY_ALIGN T losses[hn::MaxLanes(d)];
  for (Index from = begin; from < end; from += lanes) {
    const Index n = std::min(lanes, end - from);
    for (Index i = 0; i < lanes; ++i) {
      const Index row = p.order[from + std::min(i, n - 1)];
      y[i] = output == MlpOutput::identity ? p.targets.values[row]
                                           : static_cast<T>(p.targets.labels[row]);
      weight[i] = p.targets.weights != nullptr ? p.targets.weights[row] : T{1};
    }
    const auto u = hn::Add(LoadPart(d, p.z + from, n), hn::Set(d, p.bias[0]));
    const auto terms = single_output_terms<output, loss>(o, u, hn::Load(d, y));
    hn::Store(terms.loss, d, losses);
    if (output == MlpOutput::sigmoid) hn::Store(u, d, u_of);
    for (Index i = 0; i < n; ++i) {
      p.row_losses[from + i] = static_cast<double>(losses[i]) * static_cast<double>(weight[i]);
      p.right[from + i] = output == MlpOutput::sigmoid && (u_of[i] > 0) == (y[i] == T{1}) ? 1 : 0;
    }
    if (p.gradient) {
      StorePart(hn::Mul(terms.gradient, hn::Mul(hn::Load(d, weight), hn::Set(d, share))), d,
                p.z + from, n);
    }
  }
}

template <class T>
void LossRows(const Loss<T>& p, Index begin, Index end) {
  if (p.output == MlpOutput::softmax) {
    SoftmaxLossRows(p, begin, end);
  } else if (p.output == MlpOutput::identity) {
    SingleOutputRowsOf<MlpOutput::identity, MlpLoss::squared_error>(p, begin, end);
  } else if (p.loss == MlpLoss::cross_entropy) {
    SingleOutputRowsOf<MlpOutput::sigmoid, MlpLoss::cross_entropy>(p, begin, end);
  } else {
    SingleOutputRowsOf<MlpOutput::sigmoid, MlpLoss::squared_error>(p, begin, end);
  }
}

// --- one function for each type

void OutputRowsFloat(const Loss<float>& p, Index begin, Index end) { OutputRows(p, begin, end); }
void OutputRowsDouble(const Loss<double>& p, Index begin, Index end) { OutputRows(p, begin, end); }
void LossRowsFloat(const Loss<float>& p, Index begin, Index end) { LossRows(p, begin, end); }
void LossRowsDouble(const Loss<double>& p, Index begin, Index end) { LossRows(p, begin, end); }

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {

HWY_EXPORT(OutputRowsFloat);
template <>
void output_rows<float>(const Loss<float>& p, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(OutputRowsFloat)(p, begin, end);
}
HWY_EXPORT(OutputRowsDouble);
template <>
void output_rows<double>(const Loss<double>& p, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(OutputRowsDouble)(p, begin, end);
}
HWY_EXPORT(LossRowsFloat);
template <>
void loss_rows<float>(const Loss<float>& p, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(LossRowsFloat)(p, begin, end);
}
HWY_EXPORT(LossRowsDouble);
template <>
void loss_rows<double>(const Loss<double>& p, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(LossRowsDouble)(p, begin, end);
}

}  // namespace tandem::cpu
#endif

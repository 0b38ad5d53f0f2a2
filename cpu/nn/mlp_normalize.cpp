// Batch normalisation, forwards and backwards, a vector of columns at a time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/nn/mlp_normalize.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>

#include "cpu/math-inl.hpp"
#include "cpu/nn/mlp_kernels.hpp"
#include "cpu/nn/vectors-inl.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// The long sums over the rows of one vector of columns: term(r) is that vector for row r.
template <class DD, class Term>
HWY_INLINE hn::Vec<DD> LongSum(DD dd, Index rows, Term&& term) {
  using V = hn::Vec<DD>;
  HWY_ALIGN double lanes[static_cast<size_t>(sum_lanes) * hn::MaxLanes(dd)];
  HWY_ALIGN double roots[static_cast<size_t>(max_sum_levels) * hn::MaxLanes(dd)];
  const auto width = hn::Lanes(dd);
  V total = hn::Zero(dd);
  for (Index block = 0, begin = 0; begin < rows; ++block, begin += sum_block) {
    const Index end = std::min(rows, begin + sum_block);
    for (size_t l = 0; l < static_cast<size_t>(sum_lanes); ++l) {
      hn::Store(hn::Zero(dd), dd, lanes + l * width);
    }
    for (Index r = begin; r < end; ++r) {
      double* lane = lanes + static_cast<size_t>((r - begin) % sum_lanes) * width;
      hn::Store(hn::Add(hn::Load(dd, lane), term(r)), dd, lane);
    }
    for (size_t half = static_cast<size_t>(sum_lanes) / 2; half > 0; half /= 2) {
      for (size_t l = 0; l < half; ++l) {
        hn::Store(
            hn::Add(hn::Load(dd, lanes + l * width), hn::Load(dd, lanes + (l + half) * width)), dd,
            lanes + l * width);
      }
    }
    // The roots to the left: those that become complete with this block, or, with the last, all.
    const bool last = end == rows;
    total = hn::Load(dd, lanes);
    double* root = roots;
    for (Index bits = block; last ? bits != 0 : (bits & 1) != 0; bits >>= 1, root += width) {
      if ((bits & 1) != 0) total = hn::Add(hn::Load(dd, root), total);
    }
    if (!last) hn::Store(total, dd, root);
  }
  return total;
}

template <class T>
void NormalizeColumns(const Normalize<T>& p, Index begin, Index end) {
  const hn::ScalableTag<double> dd;
  const hn::Rebind<T, decltype(dd)> d;
  const auto lanes = static_cast<Index>(hn::Lanes(dd));
  const auto count = hn::Set(dd, static_cast<double>(p.rows));
  const auto others = hn::Set(dd, static_cast<double>(std::max<Index>(1, p.rows - 1)));
  const auto keep = hn::Set(dd, p.momentum);
  const auto take = hn::Set(dd, 1 - p.momentum);
  for (Index j = begin; j < end; j += lanes) {
    const Index n = end - j;
    T* z = p.z + j;
    const auto value = [&](Index r) { return LoadAsDouble(dd, z + r * p.width, n); };
    const auto mean = hn::Div(LongSum(dd, p.rows, value), count);
    const auto squares = LongSum(dd, p.rows, [&](Index r) {
      const auto difference = hn::Sub(value(r), mean);
      return hn::Mul(difference, difference);
    });
    const auto inverse =
        Narrow<T>(dd, hn::Div(hn::Set(dd, 1.0),
                              hn::Sqrt(hn::Add(hn::Div(squares, count), hn::Set(dd, p.epsilon)))));
    const auto centre = Narrow<T>(dd, mean);
    for (Index r = 0; r < p.rows; ++r) {
      const auto v = LoadPart(d, z + r * p.width, n);
      StorePart(hn::Mul(hn::Sub(v, centre), inverse), d, z + r * p.width, n);
    }
    StorePart(inverse, d, p.inverse + j, n);
    // nn::running_average
    const auto average = [&](T* running, hn::Vec<decltype(dd)> batch) {
      const auto old = LoadAsDouble(dd, running, n);
      StoreFromDouble(dd, hn::Add(hn::Mul(keep, old), hn::Mul(take, batch)), running, n);
    };
    average(p.running_mean + j, mean);
    average(p.running_variance + j, hn::Div(squares, others));
  }
}

template <class T>
void NormalizeColumnsBackward(const Normalize<T>& p, Index begin, Index end) {
  const hn::ScalableTag<double> dd;
  const hn::Rebind<T, decltype(dd)> d;
  const auto lanes = static_cast<Index>(hn::Lanes(dd));
  const auto count = hn::Set(dd, static_cast<double>(p.rows));
  for (Index j = begin; j < end; j += lanes) {
    const Index n = end - j;
    const auto du = [&](Index r) { return LoadAsDouble(dd, p.z + r * p.width + j, n); };
    const auto shift_sum = LongSum(dd, p.rows, du);
    const auto scale_sum = LongSum(dd, p.rows, [&](Index r) {
      return hn::Mul(du(r), LoadAsDouble(dd, p.normalized + r * p.width + j, n));
    });
    const auto shift_mean = Narrow<T>(dd, hn::Div(shift_sum, count));
    const auto scale_mean = Narrow<T>(dd, hn::Div(scale_sum, count));
    const auto factor = hn::Mul(LoadPart(d, p.scale + j, n), LoadPart(d, p.inverse + j, n));
    for (Index r = 0; r < p.rows; ++r) {
      T* at = p.z + r * p.width + j;
      const auto normalized = LoadPart(d, p.normalized + r * p.width + j, n);
      const auto rest =
          hn::Sub(hn::Sub(LoadPart(d, at, n), shift_mean), hn::Mul(normalized, scale_mean));
      StorePart(hn::Mul(factor, rest), d, at, n);
    }
    StoreFromDouble(dd, scale_sum, p.scale_gradient + j, n);
    StoreFromDouble(dd, shift_sum, p.shift_gradient + j, n);
  }
}

// --- one function for each type

void NormalizeColumnsFloat(const Normalize<float>& p, Index begin, Index end) {
  NormalizeColumns(p, begin, end);
}
void NormalizeColumnsDouble(const Normalize<double>& p, Index begin, Index end) {
  NormalizeColumns(p, begin, end);
}
void NormalizeColumnsBackwardFloat(const Normalize<float>& p, Index begin, Index end) {
  NormalizeColumnsBackward(p, begin, end);
}
void NormalizeColumnsBackwardDouble(const Normalize<double>& p, Index begin, Index end) {
  NormalizeColumnsBackward(p, begin, end);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {

HWY_EXPORT(NormalizeColumnsFloat);
template <>
void normalize_columns<float>(const Normalize<float>& p, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(NormalizeColumnsFloat)(p, begin, end);
}
HWY_EXPORT(NormalizeColumnsDouble);
template <>
void normalize_columns<double>(const Normalize<double>& p, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(NormalizeColumnsDouble)(p, begin, end);
}
HWY_EXPORT(NormalizeColumnsBackwardFloat);
template <>
void normalize_columns_backward<float>(const Normalize<float>& p, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(NormalizeColumnsBackwardFloat)(p, begin, end);
}
HWY_EXPORT(NormalizeColumnsBackwardDouble);
template <>
void normalize_columns_backward<double>(const Normalize<double>& p, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(NormalizeColumnsBackwardDouble)(p, begin, end);
}

}  // namespace tandem::cpu
#endif

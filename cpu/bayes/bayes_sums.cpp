// Sums of a block's rows by class. SIMD lanes run over the columns; the 32 lanes of the long sum
// are rows of a strip of columns that stays in the first-level cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/bayes/bayes_sums.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "core/bayes/bayes_math.hpp"
#include "cpu/bayes/bayes_kernels.hpp"
#include "cpu/linear/rows-inl.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;
constexpr Index lanes = static_cast<Index>(hn::MaxLanes(D()));
// Columns of a strip: 32 lanes of them are 16 KiB.
constexpr Index strip = 64;

// lane[0 .. count − 1] grows by the terms of `count` values of a row.
template <ClassSum what, class T>
HWY_INLINE void AddRow(const T* HWY_RESTRICT x, Index count, double weight, double threshold,
                       const double* HWY_RESTRICT centre, double* HWY_RESTRICT lane) {
  const D tag;
  const V w = hn::Set(tag, weight);
  Index j = 0;
  for (; j + lanes <= count; j += lanes) {
    const V value = LoadDoubles(tag, x + j);
    const V sum = hn::Load(tag, lane + j);
    V next;
    if constexpr (what == ClassSum::values) {
      next = Fma(tag, w, value, sum);
    } else if constexpr (what == ClassSum::presences) {
      next = hn::Add(sum, hn::IfThenElseZero(hn::Gt(value, hn::Set(tag, threshold)), w));
    } else {
      const V t = hn::Sub(value, hn::LoadU(tag, centre + j));
      next = Fma(tag, what == ClassSum::squares ? hn::Mul(w, t) : w, t, sum);
    }
    hn::Store(next, tag, lane + j);
  }
  for (; j < count; ++j) {
    const auto value = static_cast<double>(x[j]);
    if constexpr (what == ClassSum::values) {
      lane[j] = math::fma(weight, value, lane[j]);
    } else if constexpr (what == ClassSum::presences) {
      lane[j] += value > threshold ? weight : 0.0;
    } else {
      const double t = value - centre[j];
      lane[j] = math::fma(what == ClassSum::squares ? weight * t : weight, t, lane[j]);
    }
  }
}

// The lanes of a strip are added by halves. A lane that no row fell into is +0; where both are, the
// sum is again, and nothing is done.
void FoldLanes(std::uint32_t used, Index count, double (*lane)[strip]) {
  const D tag;
  const V zero = hn::Zero(tag);
  for (Index half = sum_lanes / 2; half > 0; half /= 2) {
    for (Index l = 0; l < half; ++l) {
      const bool left = (used >> l & 1U) != 0;
      const bool right = (used >> (l + half) & 1U) != 0;
      if (!left && !right) continue;
      for (Index j = 0; j < count; j += lanes) {
        const V a = left ? hn::Load(tag, lane[l] + j) : zero;
        const V b = right ? hn::Load(tag, lane[l + half] + j) : zero;
        hn::Store(hn::Add(a, b), tag, lane[l] + j);
      }
      used |= std::uint32_t{1} << l;
    }
  }
}

template <ClassSum what, class T>
void BlockSums(const RowsView<T>& rows, Index begin, const BlockOrder& order, double threshold,
               const double* centre, double* sums) {
  constexpr bool has_centre = what == ClassSum::deviations || what == ClassSum::squares;
  HWY_ALIGN double lane[sum_lanes][strip];
  const Index d = rows.features;
  const auto classes = static_cast<Index>(order.first.size()) - 1;
  for (Index c = 0; c < classes; ++c) {
    const Index from = order.first[static_cast<std::size_t>(c)];
    const Index to = order.first[static_cast<std::size_t>(c) + 1];
    if (from == to) {
      std::fill_n(sums + c * d, d, 0.0);
      continue;
    }
    for (Index first = 0; first < d; first += strip) {
      const Index count = std::min(strip, d - first);
      std::uint32_t used = 0;
      for (Index p = from; p < to; ++p) {
        const Index in_block = order.rows[static_cast<std::size_t>(p)];
        const Index row = begin + in_block;
        const Index l = in_block % sum_lanes;
        if ((used >> l & 1U) == 0) {
          std::fill_n(lane[l], strip, 0.0);
          used |= std::uint32_t{1} << l;
        }
        AddRow<what>(rows.x + row * rows.stride + first, count,
                     rows.weights == nullptr ? 1.0 : static_cast<double>(rows.weights[row]),
                     threshold, has_centre ? centre + c * d + first : nullptr, lane[l]);
      }
      FoldLanes(used, count, lane);
      std::copy_n(lane[0], count, sums + c * d + first);
    }
  }
}

template <class T>
void BlockSumsOf(ClassSum what, const RowsView<T>& rows, Index begin, const BlockOrder& order,
                 double threshold, const double* centre, double* sums) {
  switch (what) {
    case ClassSum::values:
      BlockSums<ClassSum::values>(rows, begin, order, threshold, centre, sums);
      break;
    case ClassSum::presences:
      BlockSums<ClassSum::presences>(rows, begin, order, threshold, centre, sums);
      break;
    case ClassSum::deviations:
      BlockSums<ClassSum::deviations>(rows, begin, order, threshold, centre, sums);
      break;
    case ClassSum::squares:
      BlockSums<ClassSum::squares>(rows, begin, order, threshold, centre, sums);
      break;
  }
}

void BlockSumsFloat(ClassSum what, const RowsView<float>& rows, Index begin,
                    const BlockOrder& order, double threshold, const double* centre, double* sums) {
  BlockSumsOf(what, rows, begin, order, threshold, centre, sums);
}
void BlockSumsDouble(ClassSum what, const RowsView<double>& rows, Index begin,
                     const BlockOrder& order, double threshold, const double* centre,
                     double* sums) {
  BlockSumsOf(what, rows, begin, order, threshold, centre, sums);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {
namespace {
HWY_EXPORT(BlockSumsFloat);
HWY_EXPORT(BlockSumsDouble);
}  // namespace

template <>
void block_class_sums(ClassSum what, const RowsView<float>& rows, Index begin,
                      const BlockOrder& order, double threshold, const double* centre,
                      double* sums) {
  HWY_DYNAMIC_DISPATCH(BlockSumsFloat)(what, rows, begin, order, threshold, centre, sums);
}
template <>
void block_class_sums(ClassSum what, const RowsView<double>& rows, Index begin,
                      const BlockOrder& order, double threshold, const double* centre,
                      double* sums) {
  HWY_DYNAMIC_DISPATCH(BlockSumsDouble)(what, rows, begin, order, threshold, centre, sums);
}

}  // namespace tandem::cpu
#endif

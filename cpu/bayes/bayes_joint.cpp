// Likelihoods of rows in the classes. SIMD lanes run over the classes, whose parameters of a
// feature stand side by side; eight rows go along together, so that their chains hide each other's
// latency and a feature's parameters are loaded once for all of them.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/bayes/bayes_joint.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>

#include "core/bayes/bayes_math.hpp"
#include "cpu/bayes/bayes_kernels.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;
constexpr Index lanes = static_cast<Index>(hn::MaxLanes(D()));
static_assert(BayesTermsOn::multiple % lanes == 0, "a vector of classes is whole");
constexpr int rows_at_once = 8;

// The likelihoods of `count` rows in the classes first .. first + lanes − 1.
template <BayesLikelihood likelihood, int count, class T>
HWY_INLINE void JointOfTile(const BayesTermsOn& terms, const T* HWY_RESTRICT x, Index stride,
                            Index first, double* HWY_RESTRICT joint) {
  const D tag;
  const Index pitch = terms.pitch;
  const double* const weights = terms.weights.data() + first;
  const double* const means =
      likelihood == BayesLikelihood::normal ? terms.means.data() + first : nullptr;
  V sum[count];
  for (int r = 0; r < count; ++r) sum[r] = hn::LoadU(tag, terms.bias.data() + first);
  for (Index j = 0; j < terms.features; ++j) {
    if constexpr (likelihood == BayesLikelihood::coded) {
      const Index begin = terms.first.data()[j];
      const Index codes = terms.first.data()[j + 1] - begin;
      for (int r = 0; r < count; ++r) {
        const Index code = bayes::code_of(x[r * stride + j], codes);
        if (code < 0) continue;
        sum[r] = hn::Add(sum[r], hn::LoadU(tag, weights + (begin + code) * pitch));
      }
    } else {
      const V weight = hn::LoadU(tag, weights + j * pitch);
      for (int r = 0; r < count; ++r) {
        const T value = x[r * stride + j];
        if constexpr (likelihood == BayesLikelihood::weighted) {
          sum[r] = Fma(tag, hn::Set(tag, static_cast<double>(value)), weight, sum[r]);
        } else if constexpr (likelihood == BayesLikelihood::thresholded) {
          sum[r] = Fma(tag, hn::Set(tag, bayes::presence(value, terms.threshold)), weight, sum[r]);
        } else {
          const V t =
              hn::Sub(hn::Set(tag, static_cast<double>(value)), hn::LoadU(tag, means + j * pitch));
          sum[r] = Fma(tag, hn::Neg(hn::Mul(t, weight)), t, sum[r]);
        }
      }
    }
  }
  const Index here = std::min(lanes, terms.classes - first);
  HWY_ALIGN double out[lanes];
  for (int r = 0; r < count; ++r) {
    hn::Store(sum[r], tag, out);
    std::copy_n(out, here, joint + r * terms.classes + first);
  }
}

template <BayesLikelihood likelihood, class T>
void JointOfRows(const BayesTermsOn& terms, const RowsView<T>& rows, Index begin, Index end,
                 double* joint) {
  Index i = begin;
  for (; i + rows_at_once <= end; i += rows_at_once) {
    for (Index c = 0; c < terms.classes; c += lanes) {
      JointOfTile<likelihood, rows_at_once>(terms, rows.x + i * rows.stride, rows.stride, c,
                                            joint + i * terms.classes);
    }
  }
  for (; i < end; ++i) {
    for (Index c = 0; c < terms.classes; c += lanes) {
      JointOfTile<likelihood, 1>(terms, rows.x + i * rows.stride, rows.stride, c,
                                 joint + i * terms.classes);
    }
  }
}

template <class T>
void JointOf(const BayesTermsOn& terms, const RowsView<T>& rows, Index begin, Index end,
             double* joint) {
  switch (terms.likelihood) {
    case BayesLikelihood::weighted:
      JointOfRows<BayesLikelihood::weighted>(terms, rows, begin, end, joint);
      break;
    case BayesLikelihood::thresholded:
      JointOfRows<BayesLikelihood::thresholded>(terms, rows, begin, end, joint);
      break;
    case BayesLikelihood::normal:
      JointOfRows<BayesLikelihood::normal>(terms, rows, begin, end, joint);
      break;
    case BayesLikelihood::coded:
      JointOfRows<BayesLikelihood::coded>(terms, rows, begin, end, joint);
      break;
  }
}

void JointFloat(const BayesTermsOn& terms, const RowsView<float>& rows, Index begin, Index end,
                double* joint) {
  JointOf(terms, rows, begin, end, joint);
}
void JointDouble(const BayesTermsOn& terms, const RowsView<double>& rows, Index begin, Index end,
                 double* joint) {
  JointOf(terms, rows, begin, end, joint);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {
namespace {
HWY_EXPORT(JointFloat);
HWY_EXPORT(JointDouble);
}  // namespace

template <>
void joint_of_rows(const BayesTermsOn& terms, const RowsView<float>& rows, Index begin, Index end,
                   double* joint) {
  HWY_DYNAMIC_DISPATCH(JointFloat)(terms, rows, begin, end, joint);
}
template <>
void joint_of_rows(const BayesTermsOn& terms, const RowsView<double>& rows, Index begin, Index end,
                   double* joint) {
  HWY_DYNAMIC_DISPATCH(JointDouble)(terms, rows, begin, end, joint);
}

}  // namespace tandem::cpu
#endif

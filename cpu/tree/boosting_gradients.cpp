// Gradients, losses and packed words; lanes are rows.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tree/boosting_gradients.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>

#include "cpu/math-inl.hpp"
#include "cpu/simd-inl.hpp"
#include "cpu/tree/boosting_gradients.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

using math_detail::exp_of;
using math_detail::log_of;
using math_detail::sigmoid_of;
using math_detail::softplus_of;
#define TANDEM_LOSS_FUNCTION HWY_INLINE
#include "core/tree/boosting_loss.inc"
#undef TANDEM_LOSS_FUNCTION

using tree::BoostingLoss;

constexpr Index padded(Index rows) { return (rows + sum_lanes - 1) / sum_lanes * sum_lanes; }

// A block's columns, padded with what is harmless: ones.
template <class T>
struct Columns {
  HWY_ALIGN T target[sum_block];
  HWY_ALIGN T weights[sum_block];
  HWY_ALIGN T score[sum_block];
  HWY_ALIGN T gradient[sum_block];
  HWY_ALIGN T hessian[sum_block];
};

template <class T, class Terms>
HWY_INLINE void EachRow(Columns<T>& columns, Index rows, Terms&& terms) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  for (Index i = 0; i < rows; i += lanes) {
    const auto both = terms(hn::Load(d, columns.score + i), hn::Load(d, columns.target + i));
    hn::Store(both.gradient, d, columns.gradient + i);
    hn::Store(both.hessian, d, columns.hessian + i);
  }
}

// Writes out one output's gradients, times the weights, and raises the maxima.
template <class T>
void Finish(const GradientBlock<T>& block, Columns<T>& columns, Index output) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const Index rows = padded(block.rows);
  if (block.weights != nullptr) {
    for (Index i = 0; i < rows; i += lanes) {
      const auto w = hn::Load(d, columns.weights + i);
      hn::Store(hn::Mul(w, hn::Load(d, columns.gradient + i)), d, columns.gradient + i);
      hn::Store(hn::Mul(w, hn::Load(d, columns.hessian + i)), d, columns.hessian + i);
    }
  }
  for (Index i = block.rows; i < rows; ++i) columns.gradient[i] = columns.hessian[i] = T{0};
  // A NaN stays: it is neither above nor below.
  auto most_g = hn::Set(d, block.most[2 * output]);
  auto most_h = hn::Set(d, block.most[2 * output + 1]);
  for (Index i = 0; i < rows; i += lanes) {
    const auto g = hn::Abs(hn::Load(d, columns.gradient + i));
    const auto h = hn::Load(d, columns.hessian + i);
    most_g = hn::IfThenElse(hn::Or(hn::Gt(g, most_g), hn::IsNaN(g)), g, most_g);
    most_h = hn::IfThenElse(hn::Or(hn::Gt(h, most_h), hn::IsNaN(h)), h, most_h);
  }
  HWY_ALIGN T lane_g[hn::MaxLanes(d)];
  HWY_ALIGN T lane_h[hn::MaxLanes(d)];
  hn::Store(most_g, d, lane_g);
  hn::Store(most_h, d, lane_h);
  for (Index l = 0; l < lanes; ++l) {
    T& g = block.most[2 * output];
    T& h = block.most[2 * output + 1];
    if (lane_g[l] > g || lane_g[l] != lane_g[l]) g = lane_g[l];
    if (lane_h[l] > h || lane_h[l] != lane_h[l]) h = lane_h[l];
  }
  std::copy_n(columns.gradient, block.rows, block.gradients + output * block.all_rows);
  if (block.hessians != nullptr) {
    std::copy_n(columns.hessian, block.rows, block.hessians + output * block.all_rows);
  }
}

template <class T>
void LoadColumns(const GradientBlock<T>& block, Columns<T>& columns) {
  const Index rows = padded(block.rows);
  std::copy_n(block.target, block.rows, columns.target);
  std::fill(columns.target + block.rows, columns.target + rows, T{1});
  if (block.weights != nullptr) {
    std::copy_n(block.weights, block.rows, columns.weights);
    std::fill(columns.weights + block.rows, columns.weights + rows, T{1});
  }
  if (block.loss.outputs == 1) {
    std::copy_n(block.scores, block.rows, columns.score);
    std::fill(columns.score + block.rows, columns.score + rows, T{1});
  }
}

template <class T>
void Gradients(const GradientBlock<T>& block) {
  Columns<T> columns;
  LoadColumns(block, columns);
  const hn::ScalableTag<T> d;
  const math_detail::VectorOperations<decltype(d)> o;
  using V = hn::Vec<decltype(d)>;
  const Index rows = padded(block.rows);
  const V parameter = hn::Set(d, block.loss.parameter);
  switch (block.loss.kind) {
    case BoostingLoss::squared_error:
      EachRow(columns, rows, [&](V s, V y) { return squared_error_terms(o, s, y); });
      break;
    case BoostingLoss::huber:
      EachRow(columns, rows, [&](V s, V y) { return huber_terms(o, s, y, parameter); });
      break;
    case BoostingLoss::logistic:
      EachRow(columns, rows, [&](V s, V y) { return logistic_gradient_terms(o, s, y); });
      break;
    case BoostingLoss::poisson:
      EachRow(columns, rows, [&](V s, V y) { return poisson_terms(o, s, y, parameter); });
      break;
    case BoostingLoss::gamma:
      EachRow(columns, rows, [&](V s, V y) { return gamma_terms(o, s, y); });
      break;
    case BoostingLoss::tweedie:
      EachRow(columns, rows, [&](V s, V y) { return tweedie_terms(o, s, y, parameter); });
      break;
    case BoostingLoss::absolute_error:
      EachRow(columns, rows, [&](V s, V y) { return absolute_error_terms(o, s, y); });
      break;
    case BoostingLoss::quantile:
      EachRow(columns, rows, [&](V s, V y) { return quantile_terms(o, s, y, parameter); });
      break;
    case BoostingLoss::softmax: {
      const Index outputs = block.loss.outputs;
      HWY_ALIGN T largest[sum_block];
      HWY_ALIGN T sum[sum_block];
      for (Index i = 0; i < rows; ++i) {
        largest[i] =
            i < block.rows ? tree::largest_score(block.scores + i * outputs, outputs) : T{0};
        sum[i] = T{0};
      }
      const auto lanes = static_cast<Index>(hn::Lanes(d));
      const auto exponentials = [&](Index k) {
        for (Index i = 0; i < rows; ++i) {
          columns.score[i] = i < block.rows ? block.scores[i * outputs + k] : T{0};
        }
        for (Index i = 0; i < rows; i += lanes) {
          const V e = exp_of(o, hn::Sub(hn::Load(d, columns.score + i), hn::Load(d, largest + i)));
          hn::Store(e, d, columns.score + i);
        }
      };
      for (Index k = 0; k < outputs; ++k) {
        exponentials(k);
        for (Index i = 0; i < rows; i += lanes) {
          hn::Store(hn::Add(hn::Load(d, sum + i), hn::Load(d, columns.score + i)), d, sum + i);
        }
      }
      for (Index k = 0; k < outputs; ++k) {
        exponentials(k);
        for (Index i = 0; i < rows; i += lanes) {
          const V p = hn::Div(hn::Load(d, columns.score + i), hn::Load(d, sum + i));
          const V own =
              hn::IfThenElse(hn::Eq(hn::Load(d, columns.target + i), hn::Set(d, static_cast<T>(k))),
                             hn::Set(d, T{1}), hn::Zero(d));
          const auto both = softmax_gradient_terms(o, p, own);
          hn::Store(both.gradient, d, columns.gradient + i);
          hn::Store(both.hessian, d, columns.hessian + i);
        }
        Finish(block, columns, k);
      }
      return;
    }
  }
  Finish(block, columns, 0);
}

template <class T>
double BlockLoss(const GradientBlock<T>& block) {
  Columns<T> columns;
  LoadColumns(block, columns);
  const hn::ScalableTag<T> d;
  const math_detail::VectorOperations<decltype(d)> o;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const Index rows = padded(block.rows);
  const V parameter = hn::Set(d, block.loss.parameter);
  const auto each = [&](auto&& loss) {
    for (Index i = 0; i < rows; i += lanes) {
      hn::Store(loss(hn::Load(d, columns.score + i), hn::Load(d, columns.target + i)), d,
                columns.gradient + i);
    }
  };
  switch (block.loss.kind) {
    case BoostingLoss::squared_error:
      each([&](V s, V y) { return squared_error_loss(o, s, y); });
      break;
    case BoostingLoss::huber: each([&](V s, V y) { return huber_loss(o, s, y, parameter); }); break;
    case BoostingLoss::logistic: each([&](V s, V y) { return logistic_loss(o, s, y); }); break;
    case BoostingLoss::poisson: each([&](V s, V y) { return poisson_loss(o, s, y); }); break;
    case BoostingLoss::gamma: each([&](V s, V y) { return gamma_loss(o, s, y); }); break;
    case BoostingLoss::tweedie:
      each([&](V s, V y) { return tweedie_loss(o, s, y, parameter); });
      break;
    case BoostingLoss::absolute_error:
      each([&](V s, V y) { return absolute_error_loss(o, s, y); });
      break;
    case BoostingLoss::quantile:
      each([&](V s, V y) { return quantile_loss(o, s, y, parameter); });
      break;
    case BoostingLoss::softmax: {
      const Index outputs = block.loss.outputs;
      HWY_ALIGN T largest[sum_block];
      HWY_ALIGN T own[sum_block];
      HWY_ALIGN T sum[sum_block];
      for (Index i = 0; i < rows; ++i) {
        const T* scores = block.scores + i * outputs;
        largest[i] = i < block.rows ? tree::largest_score(scores, outputs) : T{0};
        own[i] = i < block.rows ? scores[static_cast<Index>(block.target[i])] : T{0};
        sum[i] = T{0};
      }
      for (Index k = 0; k < outputs; ++k) {
        for (Index i = 0; i < rows; ++i) {
          columns.score[i] = i < block.rows ? block.scores[i * outputs + k] : T{0};
        }
        for (Index i = 0; i < rows; i += lanes) {
          const V e = exp_of(o, hn::Sub(hn::Load(d, columns.score + i), hn::Load(d, largest + i)));
          hn::Store(hn::Add(hn::Load(d, sum + i), e), d, sum + i);
        }
      }
      for (Index i = 0; i < rows; i += lanes) {
        const V distance = hn::Sub(hn::Load(d, own + i), hn::Load(d, largest + i));
        hn::Store(hn::Sub(log_of(o, hn::Load(d, sum + i)), distance), d, columns.gradient + i);
      }
      break;
    }
  }
  double lane[sum_lanes] = {};
  for (Index i = 0; i < block.rows; ++i) {
    const double w = block.weights == nullptr ? 1.0 : static_cast<double>(block.weights[i]);
    lane[i % sum_lanes] += w * static_cast<double>(columns.gradient[i]);
  }
  return add_lanes(lane);
}

template <class T>
void Pack(PackBlock<T>& block) {
  const tree::GradientPacking packing = block.packing;
  std::int64_t g_sum = 0;
  std::int64_t h_sum = 0;
  std::int64_t magnitudes = 0;
  const auto rows = [&](auto wide, auto unit) {
    for (Index i = 0; i < block.rows; ++i) {
      const std::int64_t g = tree::packed_value(static_cast<double>(block.gradients[i]),
                                                packing.gradient_scale, packing.most_gradient);
      std::int64_t h = 1;
      if constexpr (!decltype(unit)::value) {
        h = tree::packed_value(static_cast<double>(block.hessians[i]), packing.hessian_scale,
                               packing.most_hessian);
        h = h < 1 ? 1 : h;
      }
      if constexpr (decltype(wide)::value) {
        block.words[i] = g;
        block.extra[i] = h;
      } else {
        block.words[i] = tree::word_of(packing, g, h);
      }
      g_sum += g;
      h_sum += h;
      magnitudes += g < 0 ? -g : g;
    }
  };
  if (packing.wide) {
    packing.unit ? rows(std::true_type{}, std::true_type{})
                 : rows(std::true_type{}, std::false_type{});
  } else {
    packing.unit ? rows(std::false_type{}, std::true_type{})
                 : rows(std::false_type{}, std::false_type{});
  }
  block.g += g_sum;
  block.h += h_sum;
  block.magnitudes += magnitudes;
}

void GradientsFloat(const GradientBlock<float>& block) { Gradients(block); }
void GradientsDouble(const GradientBlock<double>& block) { Gradients(block); }
double LossFloat(const GradientBlock<float>& block) { return BlockLoss(block); }
double LossDouble(const GradientBlock<double>& block) { return BlockLoss(block); }
void PackFloat(PackBlock<float>& block) { Pack(block); }
void PackDouble(PackBlock<double>& block) { Pack(block); }

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {
HWY_EXPORT(GradientsFloat);
HWY_EXPORT(GradientsDouble);
HWY_EXPORT(LossFloat);
HWY_EXPORT(LossDouble);
HWY_EXPORT(PackFloat);
HWY_EXPORT(PackDouble);
void compute_gradients(const GradientBlock<float>& block) {
  HWY_DYNAMIC_DISPATCH(GradientsFloat)(block);
}
void compute_gradients(const GradientBlock<double>& block) {
  HWY_DYNAMIC_DISPATCH(GradientsDouble)(block);
}
double block_loss(const GradientBlock<float>& block) {
  return HWY_DYNAMIC_DISPATCH(LossFloat)(block);
}
double block_loss(const GradientBlock<double>& block) {
  return HWY_DYNAMIC_DISPATCH(LossDouble)(block);
}
void pack(PackBlock<float>& block) { HWY_DYNAMIC_DISPATCH(PackFloat)(block); }
void pack(PackBlock<double>& block) { HWY_DYNAMIC_DISPATCH(PackDouble)(block); }
}  // namespace tandem::cpu
#endif

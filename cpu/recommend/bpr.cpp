// Bayesian personalised ranking with SIMD and threads.
//
// A task's users and items are few enough to stay in the second-level cache, and the rows of the
// next pair are asked for while the last one is worked on. The tasks of a round are shared out
// among the threads.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recommend/bpr.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "core/parallel.hpp"
#include "core/recommend/bpr_steps.hpp"
#include "cpu/recommend/bpr_row.hpp"
#include "cpu/recommend/lanes-inl.hpp"
#include "cpu/simd-inl.hpp"
#include "tandem/core/math.hpp"

#ifndef TANDEM_CPU_RECOMMEND_BPR_CPP
#define TANDEM_CPU_RECOMMEND_BPR_CPP
namespace tandem::cpu {

// What a task adds to the tally.
struct BprTally {
  std::int64_t drawn = 0;
  std::int64_t right = 0;
};

template <class T>
struct BprRows {
  T* x;
  T* y;
  T* biases;
  T rate;
  T keep;
};

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

template <class T>
using Tag = hn::ScalableTag<T>;
template <class T>
constexpr Index lanes_of = static_cast<Index>(hn::MaxLanes(Tag<T>()));

// dot(x, a − b) in the lanes of core/recommend/bpr_steps.hpp.
template <class T>
HWY_INLINE T DifferenceDot(const T* HWY_RESTRICT x, const T* HWY_RESTRICT a,
                           const T* HWY_RESTRICT b, Index pitch) {
#if HWY_TARGET == HWY_SCALAR
  T lanes[als_lanes] = {};
  for (Index j = 0; j < pitch; j += als_lanes) {
    for (Index l = 0; l < als_lanes; ++l) {
      lanes[l] = std::fma(x[j + l], a[j + l] - b[j + l], lanes[l]);
    }
  }
  for (Index half = als_lanes / 2; half > 0; half /= 2) {
    for (Index l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
#else
  const Tag<T> d;
  constexpr Index lanes = lanes_of<T>;
  constexpr int vectors = static_cast<int>(als_lanes / lanes);
  hn::Vec<Tag<T>> sum[vectors];
#pragma GCC unroll 16
  for (int v = 0; v < vectors; ++v) sum[v] = hn::Zero(d);
  for (Index j = 0; j < pitch; j += als_lanes) {
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v) {
      const Index at = j + v * lanes;
      sum[v] =
          Fma(d, hn::LoadU(d, x + at), hn::Sub(hn::LoadU(d, a + at), hn::LoadU(d, b + at)), sum[v]);
    }
  }
#pragma GCC unroll 16
  for (int half = vectors / 2; half > 0; half /= 2) {
#pragma GCC unroll 16
    for (int v = 0; v < half; ++v) sum[v] = hn::Add(sum[v], sum[v + half]);
  }
  return FoldAll(d, sum[0]);
#endif
}

template <class T>
HWY_INLINE void PrefetchRow(const T* row, Index pitch) {
  for (Index j = 0; j < pitch; j += static_cast<Index>(64 / sizeof(T))) hwy::Prefetch(row + j);
}

template <class T>
BprTally RunTask(const BprView& view, const BprRows<T>& rows, Index user_block, Index round) {
  const Tag<T> d;
  constexpr Index lanes = lanes_of<T>;
  const Index pitch = view.pitch;
  BprTally tally;
  BprTask task(view, user_block, round);
  const std::uint32_t count = task.size();
  if (count == 0) return tally;
  const auto keep = hn::Set(d, rows.keep);
  std::int32_t user = 0;
  std::int32_t item = 0;
  std::int32_t drawn = 0;
  task.next(user, item, drawn);
  for (std::uint32_t k = 0; k < count; ++k) {
    const std::int32_t own = user;
    const std::int32_t liked = item;
    const std::int32_t other = drawn;
    if (k + 1 < count) {
      task.next(user, item, drawn);
      PrefetchRow(rows.x + user * pitch, pitch);
      PrefetchRow(rows.y + item * pitch, pitch);
      if (drawn >= 0) PrefetchRow(rows.y + drawn * pitch, pitch);
    }
    if (other < 0) continue;
    T* HWY_RESTRICT const x = rows.x + own * pitch;
    T* HWY_RESTRICT const a = rows.y + liked * pitch;
    T* HWY_RESTRICT const b = rows.y + other * pitch;
    const T s = DifferenceDot(x, a, b, pitch) + (rows.biases[liked] - rows.biases[other]);
    const T g = rows.rate * math::sigmoid(-s);
    const auto plus = hn::Set(d, g);
    const auto minus = hn::Set(d, -g);
    for (Index j = 0; j < pitch; j += lanes) {
      const auto vx = hn::LoadU(d, x + j);
      const auto va = hn::LoadU(d, a + j);
      const auto vb = hn::LoadU(d, b + j);
      hn::StoreU(Fma(d, plus, hn::Sub(va, vb), hn::Mul(keep, vx)), d, x + j);
      hn::StoreU(Fma(d, plus, vx, hn::Mul(keep, va)), d, a + j);
      hn::StoreU(Fma(d, minus, vx, hn::Mul(keep, vb)), d, b + j);
    }
    rows.biases[liked] = std::fma(rows.keep, rows.biases[liked], g);
    rows.biases[other] = std::fma(rows.keep, rows.biases[other], -g);
    ++tally.drawn;
    tally.right += s > 0 ? 1 : 0;
  }
  return tally;
}

template <class T>
void FoldIn(const BprFoldIn<T>& in, const std::int32_t* items, Index count, T* HWY_RESTRICT x,
            std::vector<BprFoldInStep>* steps) {
  const Tag<T> d;
  constexpr Index lanes = lanes_of<T>;
  const Index pitch = in.pitch;
  std::fill_n(x, pitch, T{0});
  const auto keep = hn::Set(d, in.keep);
  const Index passes = count == 0 ? 0 : bpr_passes(in.passes, count);
  for (Index pass = 0; pass < passes; ++pass) {
    for (Index k = 0; k < count; ++k) {
      const std::int32_t drawn = bpr_fold_in_draw(in, items, count, items[k], pass);
      if (drawn < 0) continue;
      const T* const a = in.y + items[k] * pitch;
      const T* const b = in.y + drawn * pitch;
      const T s = DifferenceDot<T>(x, a, b, pitch) + (in.biases[items[k]] - in.biases[drawn]);
      const T g = in.rate * math::sigmoid(-s);
      if (steps != nullptr) {
        steps->push_back({static_cast<std::int32_t>(k), drawn, static_cast<float>(g)});
      }
      const auto plus = hn::Set(d, g);
      for (Index j = 0; j < pitch; j += lanes) {
        const auto difference = hn::Sub(hn::LoadU(d, a + j), hn::LoadU(d, b + j));
        hn::StoreU(Fma(d, plus, difference, hn::Mul(keep, hn::LoadU(d, x + j))), d, x + j);
      }
    }
  }
}

BprTally RunTaskFloat(const BprView& v, const BprRows<float>& r, Index block, Index round) {
  return RunTask(v, r, block, round);
}
BprTally RunTaskDouble(const BprView& v, const BprRows<double>& r, Index block, Index round) {
  return RunTask(v, r, block, round);
}
void FoldInFloat(const BprFoldIn<float>& in, const std::int32_t* items, Index count, float* x,
                 std::vector<BprFoldInStep>* steps) {
  FoldIn(in, items, count, x, steps);
}
void FoldInDouble(const BprFoldIn<double>& in, const std::int32_t* items, Index count, double* x,
                  std::vector<BprFoldInStep>* steps) {
  FoldIn(in, items, count, x, steps);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {
HWY_EXPORT(RunTaskFloat);
HWY_EXPORT(RunTaskDouble);
HWY_EXPORT(FoldInFloat);
HWY_EXPORT(FoldInDouble);

BprTally run_task(const BprView& v, const BprRows<float>& r, Index block, Index round) {
  return HWY_DYNAMIC_DISPATCH(RunTaskFloat)(v, r, block, round);
}
BprTally run_task(const BprView& v, const BprRows<double>& r, Index block, Index round) {
  return HWY_DYNAMIC_DISPATCH(RunTaskDouble)(v, r, block, round);
}
}  // namespace

template <>
void bpr_fold_in_row(const BprFoldIn<float>& in, const std::int32_t* items, Index count, float* x,
                     std::vector<BprFoldInStep>* steps) {
  HWY_DYNAMIC_DISPATCH(FoldInFloat)(in, items, count, x, steps);
}
template <>
void bpr_fold_in_row(const BprFoldIn<double>& in, const std::int32_t* items, Index count, double* x,
                     std::vector<BprFoldInStep>* steps) {
  HWY_DYNAMIC_DISPATCH(FoldInDouble)(in, items, count, x, steps);
}
}  // namespace cpu

namespace {

template <Real T>
class CpuBpr final : public BprSteps<T> {
 public:
  explicit CpuBpr(Engine& engine) : engine_(engine) {}

  void pass(const BprView& view, T rate, T keep, BprFactors<T> factors,
            Buffer<std::int64_t>& tally) override {
    const cpu::BprRows<T> rows{factors.x.data(), factors.y.data(), factors.biases.data(), rate,
                               keep};
    std::atomic<std::int64_t> drawn{0};
    std::atomic<std::int64_t> right{0};
    for (Index round = 0; round < view.blocks; ++round) {
      parallel_for(engine_.threads(), view.blocks, [&](Index block) {
        const cpu::BprTally own = cpu::run_task(view, rows, block, round);
        drawn.fetch_add(own.drawn, std::memory_order_relaxed);
        right.fetch_add(own.right, std::memory_order_relaxed);
      });
    }
    tally.data()[0] += drawn.load();
    tally.data()[1] += right.load();
  }

  void fold_in(const BprFoldIn<T>& in, Index rows, const Buffer<Index>& offsets,
               const Buffer<std::int32_t>& columns, Buffer<T>& x) override {
    parallel_for(engine_.threads(), rows, [&](Index r) {
      const Index begin = offsets.data()[r];
      T* const own = x.data() + r * in.x_pitch;
      cpu::bpr_fold_in_row(in, columns.data() + begin, offsets.data()[r + 1] - begin, own);
      std::fill(own + in.factors, own + in.x_pitch, T{0});
      own[in.factors] = 1;
    });
  }

 private:
  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<BprSteps<T>> BprSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuBpr<T>>(engine);
}
template std::unique_ptr<BprSteps<float>> BprSteps<float>::make_cpu(Engine&);
template std::unique_ptr<BprSteps<double>> BprSteps<double>::make_cpu(Engine&);

}  // namespace tandem
#endif

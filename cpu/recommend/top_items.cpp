// The best items of many users with SIMD and threads.
//
// Items are sorted by length, the longest first, and packed in panels of two vectors. A tile of
// users goes through the panels: its scores stay in registers, are compared with each user's worst
// chosen score, and only what passes is looked at. By Cauchy and Schwarz |score| <= ‖x‖‖y‖, so that
// a tile is done as soon as no user of it can be given anything better by the panels that are left.
// What is chosen is a total order of score and number, and does not depend on the order of panels.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recommend/top_items.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "core/parallel.hpp"
#include "core/recommend/top_items_steps.hpp"
#include "cpu/recommend/top_items.hpp"
#include "cpu/simd-inl.hpp"
#include "cpu/sorted_list.hpp"

#ifndef TANDEM_CPU_RECOMMEND_TOP_ITEMS_CPP
#define TANDEM_CPU_RECOMMEND_TOP_ITEMS_CPP
namespace tandem::cpu {

// Elements of a panel's row, whatever the vectors: two of AVX-512's floats.
inline constexpr Index top_panel = 32;
// Users of a tile.
inline constexpr Index top_tile = 12;

// The n best of one user so far: sorted, best first.
template <class T>
struct BestItems {
  T* scores;
  std::int32_t* items;
  Index count;
  T worst;  // to be chosen a score must reach it
};

template <class T>
struct TopWork {
  const TopItemsProblem<T>* problem;
  const T* packed;            // panels × factors × top_panel
  const std::int32_t* order;  // panels · top_panel: the item's number, −1 past the end
  const double* longest;      // panels: a bound on the length of the items from here on
  Index panels;
  Index n;
};

// Puts a score that may be chosen into its place.
template <class T>
void offer(const TopWork<T>& work, Index user, std::int32_t item, T score, BestItems<T>& best) {
  const TopItemsProblem<T>& problem = *work.problem;
  if (item < 0 || !(score == score)) return;
  if (best.count == work.n) {
    const std::int32_t last = best.items[work.n - 1];
    if (!(score > best.worst || (score == best.worst && item < last))) return;
  }
  if (problem.allowed != nullptr && problem.allowed[item] == 0) return;
  if (problem.offsets != nullptr &&
      std::binary_search(problem.left_out + problem.offsets[user],
                         problem.left_out + problem.offsets[user + 1], item)) {
    return;
  }
  insert_sorted(best.scores, best.items, best.count, work.n, score, item,
                [score, item](T other, std::int32_t number) {
                  return other < score || (other == score && number > item);
                });
  if (best.count == work.n) best.worst = best.scores[work.n - 1];
}

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// The scores of `users` users and the 32 items of a panel, those that may be chosen offered.
// x: the tile's factors, users × pitch.
template <int users, int vectors, class T>
HWY_INLINE void Tile(const TopWork<T>& work, Index first_user, const T* const* x, Index panel,
                     Index column, BestItems<T>* best) {
  const hn::ScalableTag<T> d;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  const Index factors = work.problem->factors;
  const T* const items = work.packed + panel * factors * top_panel + column;
  hn::Vec<decltype(d)> sum[users][vectors];
#pragma GCC unroll 12
  for (int u = 0; u < users; ++u) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sum[u][v] = hn::Zero(d);
  }
  for (Index k = 0; k < factors; ++k) {
    hn::Vec<decltype(d)> own[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) own[v] = hn::Load(d, items + k * top_panel + v * lanes);
#pragma GCC unroll 12
    for (int u = 0; u < users; ++u) {
      const auto a = hn::Set(d, x[u][k]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sum[u][v] = Fma(d, a, own[v], sum[u][v]);
    }
  }
#pragma GCC unroll 12
  for (int u = 0; u < users; ++u) {
    const auto worst = hn::Set(d, best[u].worst);
    auto any = hn::Ge(sum[u][0], worst);
#pragma GCC unroll 4
    for (int v = 1; v < vectors; ++v) any = hn::Or(any, hn::Ge(sum[u][v], worst));
    if (HWY_LIKELY(hn::AllFalse(d, any))) continue;
    HWY_ALIGN T scores[vectors * hn::MaxLanes(d)];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) hn::Store(sum[u][v], d, scores + v * lanes);
    const std::int32_t* const numbers = work.order + panel * top_panel + column;
    for (Index i = 0; i < vectors * lanes; ++i) {
      if (scores[i] >= best[u].worst) {
        offer(work, first_user + u, numbers[i], scores[i], best[u]);
      }
    }
  }
}

// All items for the users first .. first + count − 1, count <= top_tile. `lengths`: of each user.
template <class T>
void TopTile(const TopWork<T>& work, Index first, Index count, const double* lengths,
             BestItems<T>* best) {
  const hn::ScalableTag<T> d;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  // 24 of AVX-512's 32 registers are sums, 12 of the others' 16.
  constexpr int tile = HWY_TARGET <= HWY_AVX3 ? 12 : 6;
  constexpr int vectors = 2 * lanes <= top_panel ? 2 : 1;
  const Index pitch = als_pitch(work.problem->factors);
  // What rounding to denormal numbers may add.
  const double lost = 2 * static_cast<double>(work.problem->factors) *
                      static_cast<double>(std::numeric_limits<T>::denorm_min());
  const T* x[top_tile];
  // Nothing reaches a NaN.
  BestItems<T> nobody{nullptr, nullptr, 0, std::numeric_limits<T>::quiet_NaN()};
  BestItems<T> own[top_tile];
  for (Index u = 0; u < top_tile; ++u) {
    x[u] = work.problem->user_factors + (first + std::min(u, count - 1)) * pitch;
    own[u] = u < count ? best[u] : nobody;
  }
  for (Index panel = 0; panel < work.panels; ++panel) {
    // Whoever cannot be given anything better by what is left is done; NaN is not less.
    bool done = true;
    for (Index u = 0; u < count && done; ++u) {
      done = own[u].count == work.n &&
             lengths[u] * work.longest[panel] + lost < static_cast<double>(own[u].worst);
    }
    if (done) break;
    for (Index u = 0; u < count; u += tile) {
      for (Index c = 0; c < top_panel; c += vectors * lanes) {
        Tile<tile, vectors>(work, first + u, x + u, panel, c, own + u);
      }
    }
  }
  std::copy_n(own, count, best);
}

template <class T>
void ScoreAll(const T* HWY_RESTRICT user, const T* HWY_RESTRICT items, Index rows, Index factors,
              Index pitch, T* HWY_RESTRICT scores) {
  // A chain is slow; eight items at a time are eight of them, and lanes of a vector are items.
  const hn::ScalableTag<T> d;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  constexpr Index group = 2 * lanes;
  HWY_ALIGN T turned[static_cast<std::size_t>(group) * 32];
  Index i = 0;
  for (; i + group <= rows; i += group) {
    auto a = hn::Zero(d);
    auto b = hn::Zero(d);
    for (Index first = 0; first < factors; first += 32) {
      const Index here = std::min<Index>(32, factors - first);
      for (Index r = 0; r < group; ++r) {
        const T* const row = items + (i + r) * pitch + first;
        for (Index k = 0; k < here; ++k) turned[k * group + r] = row[k];
      }
      for (Index k = 0; k < here; ++k) {
        const auto own = hn::Set(d, user[first + k]);
        a = Fma(d, own, hn::Load(d, turned + k * group), a);
        b = Fma(d, own, hn::Load(d, turned + k * group + lanes), b);
      }
    }
    hn::StoreU(a, d, scores + i);
    hn::StoreU(b, d, scores + i + lanes);
  }
  for (; i < rows; ++i) {
    T sum = 0;
    for (Index k = 0; k < factors; ++k) sum = std::fma(user[k], items[i * pitch + k], sum);
    scores[i] = sum;
  }
}

void TopTileFloat(const TopWork<float>& w, Index f, Index c, const double* l, BestItems<float>* b) {
  TopTile(w, f, c, l, b);
}
void TopTileDouble(const TopWork<double>& w, Index f, Index c, const double* l,
                   BestItems<double>* b) {
  TopTile(w, f, c, l, b);
}
void ScoreAllFloat(const float* u, const float* y, Index n, Index f, Index p, float* s) {
  ScoreAll(u, y, n, f, p, s);
}
void ScoreAllDouble(const double* u, const double* y, Index n, Index f, Index p, double* s) {
  ScoreAll(u, y, n, f, p, s);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {
HWY_EXPORT(TopTileFloat);
HWY_EXPORT(TopTileDouble);
HWY_EXPORT(ScoreAllFloat);
HWY_EXPORT(ScoreAllDouble);

void top_tile_of(const TopWork<float>& w, Index f, Index c, const double* l, BestItems<float>* b) {
  HWY_DYNAMIC_DISPATCH(TopTileFloat)(w, f, c, l, b);
}
void top_tile_of(const TopWork<double>& w, Index f, Index c, const double* l,
                 BestItems<double>* b) {
  HWY_DYNAMIC_DISPATCH(TopTileDouble)(w, f, c, l, b);
}
}  // namespace

template <Real T>
void score_all_items(const T* user, const T* items, Index rows, Index factors, Index pitch,
                     T* scores) {
  if constexpr (sizeof(T) == 4) {
    HWY_DYNAMIC_DISPATCH(ScoreAllFloat)(user, items, rows, factors, pitch, scores);
  } else {
    HWY_DYNAMIC_DISPATCH(ScoreAllDouble)(user, items, rows, factors, pitch, scores);
  }
}
template void score_all_items(const float*, const float*, Index, Index, Index, float*);
template void score_all_items(const double*, const double*, Index, Index, Index, double*);
}  // namespace cpu

namespace {

template <Real T>
class CpuTopItems final : public TopItemsSteps<T> {
 public:
  explicit CpuTopItems(Engine& engine) : engine_(engine) {}

  void top(const TopItemsProblem<T>& problem, Index n, Buffer<std::int32_t>& items,
           Buffer<T>& scores) override {
    pack(problem);
    const cpu::TopWork<T> work{&problem,        aligned_packed(), order_.data(),
                               longest_.data(), panels_,          n};
    const Index pitch = als_pitch(problem.factors);
    std::fill_n(items.data(), problem.users * n, -1);
    std::fill_n(scores.data(), problem.users * n, T{0});
    parallel_pieces(engine_.threads(), problem.users, cpu::top_tile, [&](const Piece& piece) {
      cpu::BestItems<T> best[cpu::top_tile];
      double lengths[cpu::top_tile];
      for (Index u = piece.begin; u < piece.end; ++u) {
        best[u - piece.begin] = {scores.data() + u * n, items.data() + u * n, 0,
                                 -std::numeric_limits<T>::infinity()};
        lengths[u - piece.begin] =
            bound_of_length(problem.user_factors + u * pitch, problem.factors);
      }
      cpu::top_tile_of(work, piece.begin, piece.size(), lengths, best);
    });
  }

 private:
  // At least the length of the row times what a chain of rounded fmas may exceed the product of
  // lengths by; infinite where squares leave the range.
  static double bound_of_length(const T* row, Index factors) {
    double sum = 0;
    for (Index k = 0; k < factors; ++k) {
      sum += static_cast<double>(row[k]) * static_cast<double>(row[k]);
    }
    // Squares below the smallest double are lost.
    const double bound = std::sqrt(sum) * (1 + gamma_bound<T>(factors + 4)) +
                         static_cast<double>(factors) * 0x1p-500;
    return bound == bound && gamma_bound<T>(factors + 4) < 1
               ? bound
               : std::numeric_limits<double>::infinity();
  }

  void pack(const TopItemsProblem<T>& problem) {
    const Index pitch = als_pitch(problem.factors);
    std::vector<double> lengths(static_cast<std::size_t>(problem.items));
    parallel_pieces(engine_.threads(), problem.items, 1024, [&](const Piece& piece) {
      for (Index i = piece.begin; i < piece.end; ++i) {
        lengths[static_cast<std::size_t>(i)] =
            bound_of_length(problem.item_factors + i * pitch, problem.factors);
      }
    });
    panels_ = pieces(problem.items, cpu::top_panel);
    order_.assign(static_cast<std::size_t>(panels_ * cpu::top_panel), -1);
    std::iota(order_.begin(), order_.begin() + problem.items, 0);
    std::stable_sort(
        order_.begin(), order_.begin() + problem.items, [&](std::int32_t a, std::int32_t b) {
          return lengths[static_cast<std::size_t>(a)] > lengths[static_cast<std::size_t>(b)];
        });
    longest_.assign(static_cast<std::size_t>(panels_), 0);
    packed_.resize(static_cast<std::size_t>(panels_ * cpu::top_panel * problem.factors) + 16);
    T* const packed = aligned_packed();
    parallel_for(engine_.threads(), panels_, [&](Index panel) {
      longest_[static_cast<std::size_t>(panel)] = lengths[static_cast<std::size_t>(
          order_[static_cast<std::size_t>(panel * cpu::top_panel)])];
      T* const to = packed + panel * cpu::top_panel * problem.factors;
      for (Index i = 0; i < cpu::top_panel; ++i) {
        const std::int32_t item = order_[static_cast<std::size_t>(panel * cpu::top_panel + i)];
        for (Index k = 0; k < problem.factors; ++k) {
          to[k * cpu::top_panel + i] = item < 0 ? T{0} : problem.item_factors[item * pitch + k];
        }
      }
    });
  }

  T* aligned_packed() {
    const auto address = reinterpret_cast<std::uintptr_t>(packed_.data());
    return packed_.data() + ((address + 63) / 64 * 64 - address) / sizeof(T);
  }

  Engine& engine_;
  std::vector<T> packed_;
  std::vector<std::int32_t> order_;
  std::vector<double> longest_;
  Index panels_ = 0;
};

}  // namespace

template <Real T>
std::unique_ptr<TopItemsSteps<T>> TopItemsSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuTopItems<T>>(engine);
}
template std::unique_ptr<TopItemsSteps<float>> TopItemsSteps<float>::make_cpu(Engine&);
template std::unique_ptr<TopItemsSteps<double>> TopItemsSteps<double>::make_cpu(Engine&);

}  // namespace tandem
#endif

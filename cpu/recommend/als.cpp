// Alternating least squares with SIMD and threads.
//
// Conjugate gradients take a batch of rows at a time: the products of all of them with G are one
// matrix product whose tile stays in registers. What a rating adds is two passes over its factors,
// a dot product and an update, for 16 ratings at a time, so that the second pass finds them in the
// first-level cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/recommend/als.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/external_memory.hpp"
#include "core/parallel.hpp"
#include "core/recommend/als_steps.hpp"
#include "core/sum_trees.hpp"
#include "cpu/recommend/als_row.hpp"
#include "cpu/recommend/lanes-inl.hpp"
#include "cpu/simd-inl.hpp"

#ifndef TANDEM_CPU_RECOMMEND_ALS_CPP
#define TANDEM_CPU_RECOMMEND_ALS_CPP
namespace tandem::cpu {

// Rows of ratings as kernels see them.
template <class T>
struct AlsProblem {
  const Index* offsets;
  const std::int32_t* columns;
  const T* extra;
  const T* y;       // columns × pitch
  const T* gram;    // pitch × pitch
  const T* packed;  // the same in panels, see PackGram
  Index factors;
  Index pitch;
  Index steps;
};

// Rows that are solved together.
inline constexpr Index als_batch = 24;
// Ratings whose factors stay in the first-level cache between their two passes.
inline constexpr Index als_group = 16;

// What weighs the factors of a rating in a sum.
enum class AlsWeight { residual, product, confidence };

// One thread's memory.
template <class T>
struct AlsScratch {
  std::vector<T> memory;
  T* x = nullptr;  // batch × pitch each
  T* r = nullptr;
  T* p = nullptr;
  T* v = nullptr;
  T* sum = nullptr;    // pitch
  T* block = nullptr;  // pitch
  T* roots = nullptr;  // levels × pitch

  static constexpr Index levels = 24;  // of blocks of 1024 ratings: 2^34 of them
  explicit AlsScratch(Index pitch) {
    const Index vectors = 4 * als_batch + 2 + levels;
    memory.assign(static_cast<std::size_t>(vectors * pitch) + 16, T{0});
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    T* at = memory.data() + ((address + 63) / 64 * 64 - address) / sizeof(T);
    const auto take = [&](Index count) {
      T* const begin = at;
      at += count * pitch;
      return begin;
    };
    x = take(als_batch);
    r = take(als_batch);
    p = take(als_batch);
    v = take(als_batch);
    sum = take(1);
    block = take(1);
    roots = take(levels);
  }
  AlsScratch(const AlsScratch&) = delete;
  AlsScratch& operator=(const AlsScratch&) = delete;
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

#if HWY_TARGET == HWY_SCALAR

template <class T>
T Dot(const T* a, const T* b, Index pitch) {
  T lanes[als_lanes] = {};
  for (Index j = 0; j < pitch; j += als_lanes) {
    for (Index l = 0; l < als_lanes; ++l) lanes[l] = std::fma(a[j + l], b[j + l], lanes[l]);
  }
  for (Index half = als_lanes / 2; half > 0; half /= 2) {
    for (Index l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

template <class T>
void GroupDots(const T* const* rows, Index count, const T* p, Index pitch, T* dots) {
  for (Index i = 0; i < count; ++i) dots[i] = Dot(rows[i], p, pitch);
}

#else

// The 32 lanes of the dot products of `items` vectors with p, folded down to 16 bytes each.
template <int items, class T>
HWY_INLINE void DotLanes(const T* const* rows, const T* HWY_RESTRICT p, Index pitch,
                         T* HWY_RESTRICT quarters) {
  const Tag<T> d;
  constexpr Index lanes = lanes_of<T>;
  constexpr int vectors = static_cast<int>(als_lanes / lanes);
  hn::Vec<Tag<T>> sum[items][vectors];
#pragma GCC unroll 8
  for (int i = 0; i < items; ++i) {
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v) sum[i][v] = hn::Zero(d);
  }
  for (Index j = 0; j < pitch; j += als_lanes) {
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v) {
      const auto own = hn::Load(d, p + j + v * lanes);
#pragma GCC unroll 8
      for (int i = 0; i < items; ++i) {
        sum[i][v] = Fma(d, hn::LoadU(d, rows[i] + j + v * lanes), own, sum[i][v]);
      }
    }
  }
  const hn::FixedTag<T, 16 / sizeof(T)> d16;
#pragma GCC unroll 8
  for (int i = 0; i < items; ++i) {
#pragma GCC unroll 16
    for (int half = vectors / 2; half > 0; half /= 2) {
#pragma GCC unroll 16
      for (int v = 0; v < half; ++v) sum[i][v] = hn::Add(sum[i][v], sum[i][v + half]);
    }
    hn::Store(FoldTo16(d, sum[i][0]), d16, quarters + i * static_cast<Index>(16 / sizeof(T)));
  }
}

// The dot products of up to als_group rows with p. rows has als_group pointers.
template <class T>
HWY_INLINE void GroupDots(const T* const* rows, Index count, const T* HWY_RESTRICT p, Index pitch,
                          T* HWY_RESTRICT dots) {
  constexpr Index lanes = lanes_of<T>;
  constexpr int at_once = lanes >= 16 ? 4 : lanes >= 8 ? 2 : 1;
  constexpr Index per_fold = static_cast<Index>(16 / sizeof(T));
  HWY_ALIGN T quarters[als_group * 16 / sizeof(T)];
  for (Index i = 0; i < count; i += at_once) {
    DotLanes<at_once>(rows + i, p, pitch, quarters + i * per_fold);
  }
  for (Index i = 0; i < count; i += per_fold) FoldQuarters(quarters + i * per_fold, dots + i);
}

template <class T>
HWY_INLINE T Dot(const T* a, const T* b, Index pitch) {
  HWY_ALIGN T quarters[16] = {};
  HWY_ALIGN T sums[4];
  const T* rows[1] = {a};
  DotLanes<1>(rows, b, pitch, quarters);
  FoldQuarters(quarters, sums);
  return sums[0];
}

#endif

// sum[j ..] ← sum + Σ w_i y_i of a group, for `vectors` vectors.
template <int vectors, class T>
HWY_INLINE void AddGroup(const T* const* rows, Index count, const T* HWY_RESTRICT weights, Index j,
                         T* HWY_RESTRICT sum) {
  const Tag<T> d;
  constexpr Index lanes = lanes_of<T>;
  hn::Vec<Tag<T>> own[vectors];
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) own[v] = hn::Load(d, sum + j + v * lanes);
  for (Index i = 0; i < count; ++i) {
    const auto w = hn::Set(d, weights[i]);
    const T* const row = rows[i] + j;
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) own[v] = Fma(d, w, hn::LoadU(d, row + v * lanes), own[v]);
  }
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) hn::Store(own[v], d, sum + j + v * lanes);
}

// sum ← the weighted factors of the ratings first .. first + count − 1, at most a block.
template <AlsWeight weight, class T>
HWY_INLINE void BlockSum(const AlsProblem<T>& problem, Index first, Index count,
                         const T* HWY_RESTRICT p, T* HWY_RESTRICT sum) {
  constexpr Index lanes = lanes_of<T>;
  const Index pitch = problem.pitch;
  std::fill_n(sum, pitch, T{0});
  HWY_ALIGN T weights[als_group];
  const T* rows[als_group];
  for (Index begin = 0; begin < count; begin += als_group) {
    const Index here = std::min(als_group, count - begin);
    const std::int32_t* const columns = problem.columns + first + begin;
    const T* const extra = problem.extra + first + begin;
    for (Index i = 0; i < here; ++i) rows[i] = problem.y + columns[i] * pitch;
    for (Index i = here; i < als_group; ++i) rows[i] = rows[0];
    if constexpr (weight == AlsWeight::residual) {
      // The next group's factors come from far the first time.
      const Index ahead = std::min(als_group, count - begin - here);
      for (Index i = 0; i < ahead; ++i) {
        const T* const row = problem.y + columns[here + i] * pitch;
        for (Index j = 0; j < pitch; j += static_cast<Index>(64 / sizeof(T))) {
          hwy::Prefetch(row + j);
        }
      }
    }
    if constexpr (weight == AlsWeight::confidence) {
      for (Index i = 0; i < here; ++i) weights[i] = T{1} + extra[i];
    } else {
      GroupDots(rows, here, p, pitch, weights);
      for (Index i = 0; i < here; ++i) {
        weights[i] = weight == AlsWeight::residual
                         ? std::fma(-extra[i], weights[i], T{1} + extra[i])
                         : extra[i] * weights[i];
      }
    }
    Index j = 0;
    for (; j + 8 * lanes <= pitch; j += 8 * lanes) AddGroup<8>(rows, here, weights, j, sum);
    for (; j + 2 * lanes <= pitch; j += 2 * lanes) AddGroup<2>(rows, here, weights, j, sum);
    for (; j < pitch; j += lanes) AddGroup<1>(rows, here, weights, j, sum);
  }
}

template <class T>
HWY_INLINE void AddTo(const T* HWY_RESTRICT left, T* HWY_RESTRICT right, Index count) {
  const Tag<T> d;
  for (Index j = 0; j < count; j += lanes_of<T>) {
    hn::Store(hn::Add(hn::Load(d, left + j), hn::Load(d, right + j)), d, right + j);
  }
}

// scratch.sum ← the sum over all ratings of a row: blocks along the tree.
template <AlsWeight weight, class T>
HWY_INLINE void RowSum(const AlsProblem<T>& problem, Index begin, Index end, const T* p,
                       AlsScratch<T>& scratch) {
  const Index pitch = problem.pitch;
  if (end - begin <= als_block) {
    BlockSum<weight>(problem, begin, end - begin, p, scratch.sum);
    return;
  }
  Index blocks = 0;
  for (Index first = begin; first < end; first += als_block, ++blocks) {
    BlockSum<weight>(problem, first, std::min(als_block, end - first), p, scratch.block);
    Index level = 0;
    for (; ((blocks >> level) & 1) != 0; ++level) {
      AddTo(scratch.roots + level * pitch, scratch.block, pitch);
    }
    std::copy_n(scratch.block, pitch, scratch.roots + level * pitch);
  }
  bool any = false;
  for (Index level = 0; (blocks >> level) != 0; ++level) {
    if (((blocks >> level) & 1) == 0) continue;
    if (any) {
      AddTo(scratch.roots + level * pitch, scratch.sum, pitch);
    } else {
      std::copy_n(scratch.roots + level * pitch, pitch, scratch.sum);
    }
    any = true;
  }
}

template <class T>
constexpr Index panel_of = 2 * lanes_of<T>;

// G's columns in panels of two vectors: panel c holds rows 0 .. factors − 1 of columns
// c·panel .. side by side.
template <class T>
void PackGram(const T* gram, Index factors, Index pitch, T* packed) {
  constexpr Index panel = panel_of<T>;
  for (Index c = 0; c < pitch; c += panel) {
    for (Index k = 0; k < factors; ++k) {
      std::copy_n(gram + k * pitch + c, panel, packed);
      packed += panel;
    }
  }
}

// out ← x · G for a batch of rows.
template <class T>
void Products(const AlsProblem<T>& problem, const T* HWY_RESTRICT x, Index rows,
              T* HWY_RESTRICT out) {
  const Tag<T> d;
  constexpr Index lanes = lanes_of<T>;
  // 24 of AVX-512's 32 registers, 12 of the others' 16.
  constexpr int tile = HWY_TARGET <= HWY_AVX3 ? 12 : 6;
  static_assert(als_batch % tile == 0);
  const Index pitch = problem.pitch;
  const T* panel = problem.packed;
  for (Index c = 0; c < pitch; c += panel_of<T>, panel += problem.factors * panel_of<T>) {
    for (Index r = 0; r < rows; r += tile) {
      hn::Vec<Tag<T>> sum[tile][2];
#pragma GCC unroll 12
      for (int i = 0; i < tile; ++i) sum[i][0] = sum[i][1] = hn::Zero(d);
      const T* const own = x + r * pitch;
      for (Index k = 0; k < problem.factors; ++k) {
        const auto g0 = hn::Load(d, panel + k * panel_of<T>);
        const auto g1 = hn::Load(d, panel + k * panel_of<T> + lanes);
#pragma GCC unroll 12
        for (int i = 0; i < tile; ++i) {
          const auto a = hn::Set(d, own[i * pitch + k]);
          sum[i][0] = Fma(d, a, g0, sum[i][0]);
          sum[i][1] = Fma(d, a, g1, sum[i][1]);
        }
      }
      T* const to = out + r * pitch + c;
#pragma GCC unroll 12
      for (int i = 0; i < tile; ++i) {
        hn::Store(sum[i][0], d, to + i * pitch);
        hn::Store(sum[i][1], d, to + i * pitch + lanes);
      }
    }
  }
}

// Conjugate gradients for the rows begin .. end − 1, at most a batch.
template <class T>
void SolveBatch(const AlsProblem<T>& problem, Index begin, Index end, T* x,
                AlsScratch<T>& scratch) {
  const Tag<T> d;
  constexpr Index lanes = lanes_of<T>;
  const Index pitch = problem.pitch;
  Index numbers[als_batch];
  T residual[als_batch];
  Index rows = 0;
  for (Index u = begin; u < end; ++u) {
    if (problem.offsets[u] == problem.offsets[u + 1]) {
      std::fill_n(x + u * pitch, pitch, T{0});
      continue;
    }
    std::copy_n(x + u * pitch, pitch, scratch.x + rows * pitch);
    numbers[rows++] = u;
  }
  // Rows that fill a tile up.
  for (Index i = rows; i < als_batch; ++i) {
    std::fill_n(scratch.x + i * pitch, pitch, T{0});
    std::fill_n(scratch.p + i * pitch, pitch, T{0});
  }
  if (rows == 0) return;
  Products(problem, scratch.x, rows, scratch.v);
  for (Index i = 0; i < rows; ++i) {
    const Index u = numbers[i];
    RowSum<AlsWeight::residual>(problem, problem.offsets[u], problem.offsets[u + 1],
                                scratch.x + i * pitch, scratch);
    T* const r = scratch.r + i * pitch;
    T* const p = scratch.p + i * pitch;
    const T* const v = scratch.v + i * pitch;
    for (Index j = 0; j < pitch; j += lanes) {
      const auto own = hn::Sub(hn::Load(d, scratch.sum + j), hn::Load(d, v + j));
      hn::Store(own, d, r + j);
      hn::Store(own, d, p + j);
    }
    residual[i] = Dot(r, r, pitch);
  }
  for (Index step = 0; step < problem.steps; ++step) {
    Products(problem, scratch.p, rows, scratch.v);
    for (Index i = 0; i < rows; ++i) {
      if (!(static_cast<double>(residual[i]) >= als_residual)) continue;
      const Index u = numbers[i];
      T* const own = scratch.x + i * pitch;
      T* const r = scratch.r + i * pitch;
      T* const p = scratch.p + i * pitch;
      T* const v = scratch.v + i * pitch;
      RowSum<AlsWeight::product>(problem, problem.offsets[u], problem.offsets[u + 1], p, scratch);
      AddTo(scratch.sum, v, pitch);
      const T alpha = residual[i] / Dot(p, v, pitch);
      const auto plus = hn::Set(d, alpha);
      const auto minus = hn::Set(d, -alpha);
      for (Index j = 0; j < pitch; j += lanes) {
        hn::Store(Fma(d, plus, hn::Load(d, p + j), hn::Load(d, own + j)), d, own + j);
        hn::Store(Fma(d, minus, hn::Load(d, v + j), hn::Load(d, r + j)), d, r + j);
      }
      const T next = Dot(r, r, pitch);
      const auto beta = hn::Set(d, next / residual[i]);
      for (Index j = 0; j < pitch; j += lanes) {
        hn::Store(Fma(d, beta, hn::Load(d, p + j), hn::Load(d, r + j)), d, p + j);
      }
      residual[i] = next;
    }
  }
  for (Index i = 0; i < rows; ++i) {
    std::copy_n(scratch.x + i * pitch, pitch, x + numbers[i] * pitch);
  }
}

// products ← products + q tᵀ over the rows of a strip, for the columns from each row's vector on.
template <class T>
HWY_INLINE void AddStrip(const T* HWY_RESTRICT q, const T* HWY_RESTRICT t, Index count, Index pitch,
                         T* HWY_RESTRICT products) {
  const Tag<T> d;
  constexpr Index lanes = lanes_of<T>;
  constexpr int tile = 8;
  for (Index a = 0; a < pitch; a += tile) {
    for (Index b = a / lanes * lanes; b < pitch; b += lanes) {
      hn::Vec<Tag<T>> sum[tile];
#pragma GCC unroll 8
      for (int i = 0; i < tile; ++i) sum[i] = hn::Load(d, products + (a + i) * pitch + b);
      for (Index r = 0; r < count; ++r) {
        const auto own = hn::Load(d, t + r * pitch + b);
#pragma GCC unroll 8
        for (int i = 0; i < tile; ++i) {
          sum[i] = Fma(d, hn::Set(d, q[r * pitch + a + i]), own, sum[i]);
        }
      }
#pragma GCC unroll 8
      for (int i = 0; i < tile; ++i) hn::Store(sum[i], d, products + (a + i) * pitch + b);
    }
  }
}

// Cholesky for one row with ratings. memory: als_row_elements(pitch), aligned.
template <class T>
bool SolveRow(const AlsProblem<T>& problem, Index begin, Index end, AlsScratch<T>& scratch,
              T* HWY_RESTRICT memory, T* HWY_RESTRICT x) {
  const Tag<T> d;
  constexpr Index lanes = lanes_of<T>;
  constexpr Index strip = 32;
  const Index pitch = problem.pitch;
  const Index square = pitch * pitch;
  T* const a = memory;  // the matrix, its upper triangle
  T* const block = a + square;
  T* const t = block + square;
  T* const q = t + strip * pitch;
  const auto block_products = [&](Index first, Index last) {
    std::fill_n(block, square, T{0});
    for (Index from = first; from < last; from += strip) {
      const Index count = std::min(strip, last - from);
      for (Index r = 0; r < count; ++r) {
        const T* const row = problem.y + problem.columns[from + r] * pitch;
        const auto weight = hn::Set(d, problem.extra[from + r]);
        for (Index j = 0; j < pitch; j += lanes) {
          const auto own = hn::LoadU(d, row + j);
          hn::Store(own, d, t + r * pitch + j);
          hn::Store(hn::Mul(weight, own), d, q + r * pitch + j);
        }
      }
      AddStrip(q, t, count, pitch, block);
    }
  };
  if (end - begin <= als_block) {
    block_products(begin, end);
    for (Index j = 0; j < square; j += lanes) {
      hn::Store(hn::Add(hn::LoadU(d, problem.gram + j), hn::Load(d, block + j)), d, a + j);
    }
  } else {
    std::vector<std::vector<T>> roots;
    Index blocks = 0;
    for (Index first = begin; first < end; first += als_block, ++blocks) {
      block_products(first, std::min(end, first + als_block));
      std::size_t level = 0;
      for (; ((blocks >> level) & 1) != 0; ++level) {
        for (Index j = 0; j < square; ++j)
          block[j] = roots[level][static_cast<std::size_t>(j)] + block[j];
      }
      if (roots.size() <= level) roots.resize(level + 1);
      roots[level].assign(block, block + square);
    }
    bool any = false;
    for (std::size_t level = 0; (blocks >> level) != 0; ++level) {
      if (((blocks >> level) & 1) == 0) continue;
      for (Index j = 0; j < square; ++j) {
        const T root = roots[level][static_cast<std::size_t>(j)];
        a[j] = any ? root + a[j] : root;
      }
      any = true;
    }
    for (Index j = 0; j < square; ++j) a[j] = problem.gram[j] + a[j];
  }
  RowSum<AlsWeight::confidence>(problem, begin, end, static_cast<const T*>(nullptr), scratch);
  T* const b = scratch.sum;
  const Index f = problem.factors;
  std::fill_n(x, pitch, T{0});
  for (Index j = 0; j < f; ++j) {
    T* const row = a + j * pitch;
    if (!(row[j] > 0) || !(row[j] - row[j] == 0)) return false;
    const T root = std::sqrt(row[j]);
    row[j] = root;
    const auto divisor = hn::Set(d, root);
    Index k = j + 1;
    for (; k < f && k % lanes != 0; ++k) row[k] /= root;
    for (; k < f; k += lanes) hn::Store(hn::Div(hn::Load(d, row + k), divisor), d, row + k);
    for (Index m = j + 1; m < f; ++m) {
      const auto own = hn::Set(d, -row[m]);
      T* const to = a + m * pitch;
      // Elements left of the diagonal are nobody's.
      for (Index c = m / lanes * lanes; c < f; c += lanes) {
        hn::Store(Fma(d, own, hn::Load(d, row + c), hn::Load(d, to + c)), d, to + c);
      }
    }
  }
  for (Index j = 0; j < f; ++j) {
    const T* const row = a + j * pitch;
    b[j] /= row[j];
    for (Index k = j + 1; k < f; ++k) b[k] = std::fma(-row[k], b[j], b[k]);
  }
  for (Index j = f - 1; j >= 0; --j) {
    x[j] = b[j] / a[j * pitch + j];
    for (Index k = 0; k < j; ++k) b[k] = std::fma(-a[k * pitch + j], x[j], b[k]);
  }
  return true;
}

// sums[c] (f × f of them, pitch apart) ← the products of the columns over one block of rows.
template <class T>
void GramBlock(const T* HWY_RESTRICT y, Index rows, Index pitch, double* HWY_RESTRICT strip,
               double* HWY_RESTRICT sums) {
  const Tag<double> d;
  constexpr Index strip_rows = 32;
  std::fill_n(sums, pitch * pitch, 0.0);
  for (Index first = 0; first < rows; first += strip_rows) {
    const Index count = std::min(strip_rows, rows - first);
    for (Index r = 0; r < count; ++r) {
      for (Index j = 0; j < pitch; ++j) {
        strip[r * pitch + j] = static_cast<double>(y[(first + r) * pitch + j]);
      }
    }
    AddStrip<double>(strip, strip, count, pitch, sums);
  }
  (void)d;
}

void PackGramFloat(const float* g, Index f, Index pitch, float* to) { PackGram(g, f, pitch, to); }
void PackGramDouble(const double* g, Index f, Index pitch, double* to) {
  PackGram(g, f, pitch, to);
}
void SolveBatchFloat(const AlsProblem<float>& p, Index b, Index e, float* x, AlsScratch<float>& s) {
  SolveBatch(p, b, e, x, s);
}
void SolveBatchDouble(const AlsProblem<double>& p, Index b, Index e, double* x,
                      AlsScratch<double>& s) {
  SolveBatch(p, b, e, x, s);
}
bool SolveRowFloat(const AlsProblem<float>& p, Index b, Index e, AlsScratch<float>& s, float* m,
                   float* x) {
  return SolveRow(p, b, e, s, m, x);
}
bool SolveRowDouble(const AlsProblem<double>& p, Index b, Index e, AlsScratch<double>& s, double* m,
                    double* x) {
  return SolveRow(p, b, e, s, m, x);
}
void GramBlockFloat(const float* y, Index rows, Index pitch, double* strip, double* sums) {
  GramBlock(y, rows, pitch, strip, sums);
}
void GramBlockDouble(const double* y, Index rows, Index pitch, double* strip, double* sums) {
  GramBlock(y, rows, pitch, strip, sums);
}
float DotFloat(const float* a, const float* b, Index pitch) { return Dot(a, b, pitch); }
double DotDouble(const double* a, const double* b, Index pitch) { return Dot(a, b, pitch); }

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {
HWY_EXPORT(PackGramFloat);
HWY_EXPORT(PackGramDouble);
HWY_EXPORT(SolveBatchFloat);
HWY_EXPORT(SolveBatchDouble);
HWY_EXPORT(SolveRowFloat);
HWY_EXPORT(SolveRowDouble);
HWY_EXPORT(GramBlockFloat);
HWY_EXPORT(GramBlockDouble);
HWY_EXPORT(DotFloat);
HWY_EXPORT(DotDouble);

void pack_gram(const float* g, Index f, Index pitch, float* to) {
  HWY_DYNAMIC_DISPATCH(PackGramFloat)(g, f, pitch, to);
}
void pack_gram(const double* g, Index f, Index pitch, double* to) {
  HWY_DYNAMIC_DISPATCH(PackGramDouble)(g, f, pitch, to);
}
void solve_batch(const AlsProblem<float>& p, Index b, Index e, float* x, AlsScratch<float>& s) {
  HWY_DYNAMIC_DISPATCH(SolveBatchFloat)(p, b, e, x, s);
}
void solve_batch(const AlsProblem<double>& p, Index b, Index e, double* x, AlsScratch<double>& s) {
  HWY_DYNAMIC_DISPATCH(SolveBatchDouble)(p, b, e, x, s);
}
bool solve_row(const AlsProblem<float>& p, Index b, Index e, AlsScratch<float>& s, float* m,
               float* x) {
  return HWY_DYNAMIC_DISPATCH(SolveRowFloat)(p, b, e, s, m, x);
}
bool solve_row(const AlsProblem<double>& p, Index b, Index e, AlsScratch<double>& s, double* m,
               double* x) {
  return HWY_DYNAMIC_DISPATCH(SolveRowDouble)(p, b, e, s, m, x);
}
void gram_block(const float* y, Index rows, Index pitch, double* strip, double* sums) {
  HWY_DYNAMIC_DISPATCH(GramBlockFloat)(y, rows, pitch, strip, sums);
}
void gram_block(const double* y, Index rows, Index pitch, double* strip, double* sums) {
  HWY_DYNAMIC_DISPATCH(GramBlockDouble)(y, rows, pitch, strip, sums);
}
float dot(const float* a, const float* b, Index pitch) {
  return HWY_DYNAMIC_DISPATCH(DotFloat)(a, b, pitch);
}
double dot(const double* a, const double* b, Index pitch) {
  return HWY_DYNAMIC_DISPATCH(DotDouble)(a, b, pitch);
}

// Elements that SolveRow takes: two squares and two strips.
Index row_elements(Index pitch) { return 2 * pitch * pitch + 2 * 32 * pitch; }

template <class T>
T* aligned(std::vector<T>& memory, Index count) {
  if (memory.size() < static_cast<std::size_t>(count) + 16) {
    memory.assign(static_cast<std::size_t>(count) + 16, T{0});
  }
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  return memory.data() + ((address + 63) / 64 * 64 - address) / sizeof(T);
}
}  // namespace

template <Real T>
bool als_solve_row(const T* y, const std::int32_t* columns, const T* extra, Index count,
                   const T* gram, Index factors, T* x, std::vector<T>& scratch) {
  const Index pitch = als_pitch(factors);
  const Index offsets[2] = {0, count};
  const AlsProblem<T> problem{offsets, columns, extra, y, gram, nullptr, factors, pitch, 0};
  AlsScratch<T> own(pitch);
  if (solve_row(problem, 0, count, own, aligned(scratch, row_elements(pitch)), x)) return true;
  std::fill_n(x, pitch, T{0});
  return false;
}
template bool als_solve_row(const float*, const std::int32_t*, const float*, Index, const float*,
                            Index, float*, std::vector<float>&);
template bool als_solve_row(const double*, const std::int32_t*, const double*, Index, const double*,
                            Index, double*, std::vector<double>&);
}  // namespace cpu

namespace {

template <Real T>
class CpuAls final : public AlsSteps<T> {
 public:
  explicit CpuAls(Engine& engine) : engine_(engine) {}

  void gram(const Buffer<T>& y, Index rows, Index factors, T lambda, Buffer<T>& gram) override {
    const Index pitch = als_pitch(factors);
    const Index square = pitch * pitch;
    const Index blocks = sum_blocks(rows);
    // So many blocks at a time that there is work for all threads and little memory.
    const Index at_once = std::min<Index>(blocks, std::max<Index>(4, 2 * engine_.threads()));
    std::vector<std::vector<double>> sums(static_cast<std::size_t>(std::max<Index>(at_once, 1)));
    SumTrees tree(square);
    for (Index first = 0; first < blocks; first += at_once) {
      const Index here = std::min(at_once, blocks - first);
      parallel_for(engine_.threads(), here, [&](Index i) {
        auto& own = sums[static_cast<std::size_t>(i)];
        double* const at = cpu::aligned(own, square + 32 * pitch);
        const Index begin = (first + i) * sum_block;
        cpu::gram_block(y.data() + begin * pitch, std::min(sum_block, rows - begin), pitch,
                        at + square, at);
      });
      for (Index i = 0; i < here; ++i) {
        tree.add(cpu::aligned(sums[static_cast<std::size_t>(i)], square + 32 * pitch));
      }
    }
    std::vector<double> total(static_cast<std::size_t>(square));
    tree.total(total.data());
    for (Index j = 0; j < pitch; ++j) {
      for (Index k = 0; k < pitch; ++k) {
        const double sum = total[static_cast<std::size_t>(std::min(j, k) * pitch + std::max(j, k))];
        T value = static_cast<T>(sum);
        if (j == k && j < factors) value += lambda;
        gram.data()[j * pitch + k] = value;
      }
    }
  }

  Index solve(const AlsRatings<T>& ratings, const Buffer<T>& y, const Buffer<T>& gram,
              Index factors, AlsSolver solver, Index cg_steps, Buffer<T>& x) override {
    const Index pitch = als_pitch(factors);
    T* const packed = cpu::aligned(packed_, pitch * pitch);
    cpu::pack_gram(gram.data(), factors, pitch, packed);
    const cpu::AlsProblem<T> problem{ratings.offsets.data(),
                                     ratings.columns.data(),
                                     ratings.extra.data(),
                                     y.data(),
                                     gram.data(),
                                     packed,
                                     factors,
                                     pitch,
                                     cg_steps};
    std::atomic<Index> failures{0};
    parallel_pieces(engine_.threads(), ratings.rows, cpu::als_batch, [&](const Piece& piece) {
      cpu::AlsScratch<T>& scratch = own_scratch(pitch);
      const Index first = ratings.offsets.data()[piece.begin];
      const Index count = ratings.offsets.data()[piece.end] - first;
      visit_elements(ratings.columns.data() + first, count);
      visit_elements(ratings.extra.data() + first, count);
      if (solver == AlsSolver::cg) {
        cpu::solve_batch(problem, piece.begin, piece.end, x.data(), scratch);
        return;
      }
      thread_local std::vector<T> memory;
      T* const at = cpu::aligned(memory, cpu::row_elements(pitch));
      for (Index u = piece.begin; u < piece.end; ++u) {
        const Index begin = ratings.offsets.data()[u];
        const Index end = ratings.offsets.data()[u + 1];
        T* const row = x.data() + u * pitch;
        if (begin < end && cpu::solve_row(problem, begin, end, scratch, at, row)) continue;
        std::fill_n(row, pitch, T{0});
        if (begin < end) failures.fetch_add(1, std::memory_order_relaxed);
      }
    });
    return failures.load();
  }

  void rating_loss(const AlsRatings<T>& ratings, const Buffer<T>& y, const Buffer<T>& x,
                   Index factors, Buffer<double>& terms) override {
    const Index pitch = als_pitch(factors);
    parallel_pieces(engine_.threads(), ratings.rows, 64, [&](const Piece& piece) {
      for (Index u = piece.begin; u < piece.end; ++u) {
        SumTree<> tree;
        const Index begin = ratings.offsets.data()[u];
        const Index end = ratings.offsets.data()[u + 1];
        for (Index first = begin; first < end; first += als_block) {
          double sum = 0;
          for (Index p = first; p < std::min(end, first + als_block); ++p) {
            const auto d = static_cast<double>(cpu::dot(
                y.data() + ratings.columns.data()[p] * pitch, x.data() + u * pitch, pitch));
            sum += (1 + static_cast<double>(ratings.extra.data()[p])) * (1 - d) * (1 - d) - d * d;
          }
          tree.add(sum);
        }
        terms.data()[u] = tree.total();
      }
    });
  }

 private:
  // The calling thread's.
  static cpu::AlsScratch<T>& own_scratch(Index pitch) {
    thread_local std::unique_ptr<cpu::AlsScratch<T>> scratch;
    thread_local Index of_pitch = 0;
    if (!scratch || of_pitch != pitch) {
      scratch = std::make_unique<cpu::AlsScratch<T>>(pitch);
      of_pitch = pitch;
    }
    return *scratch;
  }

  Engine& engine_;
  std::vector<T> packed_;
};

}  // namespace

template <Real T>
std::unique_ptr<AlsSteps<T>> AlsSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuAls<T>>(engine);
}
template std::unique_ptr<AlsSteps<float>> AlsSteps<float>::make_cpu(Engine&);
template std::unique_ptr<AlsSteps<double>> AlsSteps<double>::make_cpu(Engine&);

}  // namespace tandem
#endif

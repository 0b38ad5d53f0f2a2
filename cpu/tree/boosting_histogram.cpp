#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tree/boosting_histogram.cpp"
#include <hwy/aligned_allocator.h>
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "cpu/simd-inl.hpp"
#include "cpu/tree/boosting_histogram.hpp"

#ifndef TANDEM_CPU_TREE_BOOSTING_HISTOGRAM_CPP
#define TANDEM_CPU_TREE_BOOSTING_HISTOGRAM_CPP
namespace tandem::cpu {
// Rows ahead of the one at work whose bins are asked for: in a node deep in the tree they are far
// apart, and the processor does not guess them.
inline constexpr Index prefetch_rows = 16;
// Lanes of 64 bits, at most.
inline constexpr Index cut_padding = 8;
}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// Features are taken eight at a time, so that all but the bin is a constant of the address: two
// loads, an addition and a store for each update.
template <int stride, bool wide>
HWY_INLINE void AddRow(const std::uint8_t* HWY_RESTRICT bins, Index features, std::int64_t g,
                       std::int64_t h, std::int64_t* g_sums, std::int64_t* h_sums) {
  Index j = 0;
  for (; j + 8 <= features; j += 8) {
    std::int64_t* g_to = g_sums + j * stride;
    const std::uint8_t* from = bins + j;
#define TANDEM_ADD(k)              \
  g_to[(k)*stride + from[k]] += g; \
  if constexpr (wide) h_sums[(j + (k)) * stride + from[k]] += h
    TANDEM_ADD(0);
    TANDEM_ADD(1);
    TANDEM_ADD(2);
    TANDEM_ADD(3);
    TANDEM_ADD(4);
    TANDEM_ADD(5);
    TANDEM_ADD(6);
    TANDEM_ADD(7);
#undef TANDEM_ADD
  }
  for (; j < features; ++j) {
    g_sums[j * stride + bins[j]] += g;
    if constexpr (wide) h_sums[j * stride + bins[j]] += h;
  }
}

// Bins of 16 bits, whose features have unlike room.
template <bool wide>
HWY_INLINE void AddRowAtPlaces(const std::uint16_t* HWY_RESTRICT bins, Index features,
                               const Index* HWY_RESTRICT places, std::int64_t g, std::int64_t h,
                               std::int64_t* g_sums, std::int64_t* h_sums) {
  for (Index j = 0; j < features; ++j) {
    const Index at = places[j] + bins[j];
    g_sums[at] += g;
    if constexpr (wide) h_sums[at] += h;
  }
}

// stride: of a feature's bins of 8 bits in the histogram; 0: bins of 16 bits.
template <int stride, bool wide>
void AddRowsOf(const HistogramBlock& block) {
  const Index ahead_end = std::max<Index>(block.count - prefetch_rows, 0);
  const Index row_bytes = block.row_stride * block.bin_bytes;
  const auto row = [&](Index i) {
    const std::uint8_t* bins = block.by_row + static_cast<Index>(block.rows[i]) * row_bytes;
    const std::int64_t h = wide ? block.extra[i] : 0;
    if constexpr (stride == 0) {
      AddRowAtPlaces<wide>(reinterpret_cast<const std::uint16_t*>(bins), block.features,
                           block.places, block.words[i], h, block.sums, block.extra_sums);
    } else {
      AddRow<stride, wide>(bins, block.features, block.words[i], h, block.sums, block.extra_sums);
    }
  };
  Index i = 0;
  for (; i < ahead_end; ++i) {
    const std::uint8_t* ahead =
        block.by_row + static_cast<Index>(block.rows[i + prefetch_rows]) * row_bytes;
    for (Index line = 0; line < row_bytes; line += 64) hwy::Prefetch(ahead + line);
    row(i);
  }
  for (; i < block.count; ++i) row(i);
}

void AddRows(const HistogramBlock& block) {
  const bool wide = block.extra != nullptr;
  if (block.bin_bytes != 1) {
    wide ? AddRowsOf<0, true>(block) : AddRowsOf<0, false>(block);
    return;
  }
  switch (block.places[1]) {
    case 64: wide ? AddRowsOf<64, true>(block) : AddRowsOf<64, false>(block); break;
    case 128: wide ? AddRowsOf<128, true>(block) : AddRowsOf<128, false>(block); break;
    default: wide ? AddRowsOf<256, true>(block) : AddRowsOf<256, false>(block); break;
  }
}

void Unpack(const UnpackBlock& block) {
  const hn::ScalableTag<std::int64_t> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const auto mask = hn::Set(d, (std::int64_t{1} << block.shift) - 1);
  for (Index i = 0; i < block.count; i += lanes) {
    const auto word = hn::LoadU(d, block.words + i);
    const auto h = hn::Add(hn::And(word, mask), hn::LoadU(d, block.h + i));
    const auto g = hn::Add(hn::ShiftRightSame(word, block.shift), hn::LoadU(d, block.g + i));
    hn::StoreU(h, d, block.h + i);
    hn::StoreU(g, d, block.g + i);
    hn::StoreU(hn::Zero(d), d, block.words + i);
  }
}

void Subtract(std::int64_t* to, const std::int64_t* from, Index count) {
  const hn::ScalableTag<std::int64_t> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  for (Index i = 0; i < count; i += lanes) {
    hn::StoreU(hn::Sub(hn::LoadU(d, to + i), hn::LoadU(d, from + i)), d, to + i);
  }
}

void SubtractWords(const SubtractBlock& block) {
  const hn::ScalableTag<std::int64_t> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const auto mask = hn::Set(d, (std::int64_t{1} << block.shift) - 1);
  for (Index i = 0; i < block.count; i += lanes) {
    const auto word = hn::LoadU(d, block.words + i);
    const auto h = hn::Sub(hn::LoadU(d, block.h + i), hn::And(word, mask));
    const auto g = hn::Sub(hn::LoadU(d, block.g + i), hn::ShiftRightSame(word, block.shift));
    hn::StoreU(h, d, block.h + i);
    hn::StoreU(g, d, block.g + i);
  }
}

// The best of the cuts 0 .. cuts − 1, with what stands in left_g and left_h on the left. Scores are
// plain; all sums are admissible or not by their Hessians.
void PlainCuts(const CutBlock& block, const std::int64_t* left_g, const std::int64_t* left_h,
               Index cuts, bool missing_left, tree::HistogramSplit& best) {
  const hn::ScalableTag<double> d;
  const hn::RebindToSigned<decltype(d)> di;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const V g_unit = hn::Set(d, block.rules.gradient_unit);
  const V h_unit = hn::Set(d, block.rules.hessian_unit);
  const V lambda = hn::Set(d, block.rules.lambda);
  const V none = hn::Set(d, tree::no_score_sum);
  const auto total_g = hn::Set(di, block.total_g);
  const auto total_h = hn::Set(di, block.total_h);
  const auto least = hn::Set(di, block.rules.min_hessian);
  V best_sum = none;
  auto best_bin = hn::Zero(di);
  for (Index b = 0; b < cuts; b += lanes) {
    const auto gl_units = hn::LoadU(di, left_g + b);
    const auto hl_units = hn::LoadU(di, left_h + b);
    const auto hr_units = hn::Sub(total_h, hl_units);
    const auto bad = hn::Or(hn::Lt(hl_units, least), hn::Lt(hr_units, least));
    const V gl = hn::Mul(hn::ConvertTo(d, gl_units), g_unit);
    const V hl = hn::Mul(hn::ConvertTo(d, hl_units), h_unit);
    const V gr = hn::Mul(hn::ConvertTo(d, hn::Sub(total_g, gl_units)), g_unit);
    const V hr = hn::Mul(hn::ConvertTo(d, hr_units), h_unit);
    V sum = hn::Add(hn::Div(hn::Mul(gl, gl), hn::Add(hl, lambda)),
                    hn::Div(hn::Mul(gr, gr), hn::Add(hr, lambda)));
    sum = hn::IfThenElse(hn::RebindMask(d, bad), none, sum);
    const auto better = hn::Gt(sum, best_sum);
    best_sum = hn::IfThenElse(better, sum, best_sum);
    best_bin = hn::IfThenElse(hn::RebindMask(di, better), hn::Iota(di, b), best_bin);
  }
  HWY_ALIGN double sums[hn::MaxLanes(d)];
  HWY_ALIGN std::int64_t bins[hn::MaxLanes(d)];
  hn::Store(best_sum, d, sums);
  hn::Store(best_bin, di, bins);
  for (Index l = 0; l < lanes; ++l) {
    const auto bin = static_cast<std::int32_t>(bins[l]);
    if (sums[l] == tree::no_score_sum || bins[l] >= cuts) continue;
    if (!tree::better_cut(sums[l], bin, missing_left, best)) continue;
    best.sum = sums[l];
    best.bin = bin;
    best.missing_left = missing_left ? 1 : 0;
    best.left_g = left_g[bin];
    best.left_h = left_h[bin];
  }
}

void GeneralCuts(const CutBlock& block, const std::int64_t* left_g, const std::int64_t* left_h,
                 Index cuts, bool missing_left, tree::HistogramSplit& best) {
  for (Index b = 0; b < cuts; ++b) {
    const double sum = tree::score_sum(block.rules, left_g[b], left_h[b], block.total_g,
                                       block.total_h, block.bounds, block.direction);
    const auto bin = static_cast<std::int32_t>(b);
    if (!tree::better_cut(sum, bin, missing_left, best)) continue;
    best = {sum, best.feature, bin, missing_left ? 1 : 0, left_g[b], left_h[b]};
  }
}

// left_g, left_h: room for 8 more than there are bins, for lanes beyond the last one are read and
// passed over.
void FindCutWith(const CutBlock& block, std::int64_t* HWY_RESTRICT left_g,
                 std::int64_t* HWY_RESTRICT left_h, tree::HistogramSplit& best) {
  std::int64_t missing_g = 0;
  std::int64_t missing_h = 0;
  if (block.words != nullptr) {
    // A node whose words can be added up without a carry: the sums up to a bin are words as well.
    const hn::ScalableTag<std::int64_t> d;
    const auto lanes = static_cast<Index>(hn::Lanes(d));
    const auto mask = hn::Set(d, (std::int64_t{1} << block.shift) - 1);
    std::int64_t word = 0;
    for (Index b = 0; b < block.bins; ++b) {
      word += block.words[b];
      left_g[b] = word;
    }
    for (Index b = 0; b < block.bins; b += lanes) {
      const auto sum = hn::Load(d, left_g + b);
      hn::Store(hn::And(sum, mask), d, left_h + b);
      hn::Store(hn::ShiftRightSame(sum, block.shift), d, left_g + b);
    }
    if (block.has_missing) {
      missing_h = block.words[block.bins] & ((std::int64_t{1} << block.shift) - 1);
      missing_g = block.words[block.bins] >> block.shift;
    }
  } else {
    std::int64_t g = 0;
    std::int64_t h = 0;
    for (Index b = 0; b < block.bins; ++b) {
      g += block.g[b];
      h += block.h[b];
      left_g[b] = g;
      left_h[b] = h;
    }
    if (block.has_missing) {
      missing_g = block.g[block.bins];
      missing_h = block.h[block.bins];
    }
  }
  // Beyond, no weight on the left: not admissible.
  for (Index b = block.bins; b < block.bins + cut_padding; ++b) left_g[b] = left_h[b] = 0;
  const auto cuts = block.rules.plain() ? PlainCuts : GeneralCuts;
  tree::HistogramSplit found;
  found.feature = block.feature;
  if (missing_h == 0 && missing_g == 0) {
    cuts(block, left_g, left_h, block.bins - 1, false, found);
    if (found.sum != tree::no_score_sum) {
      found.missing_left = tree::heavier_left(found.left_h, block.total_h) ? 1 : 0;
    }
  } else {
    cuts(block, left_g, left_h, block.bins, false, found);
    for (Index b = 0; b + 1 < block.bins; ++b) {
      left_g[b] += missing_g;
      left_h[b] += missing_h;
    }
    left_g[block.bins - 1] = left_h[block.bins - 1] = 0;
    cuts(block, left_g, left_h, block.bins - 1, true, found);
  }
  best = found;
  if (best.sum == tree::no_score_sum) best.feature = -1;
}

void FindCut(const CutBlock& block, tree::HistogramSplit& best) {
  constexpr Index few = 256;
  if (block.bins <= few) {
    HWY_ALIGN std::int64_t left_g[few + cut_padding];
    HWY_ALIGN std::int64_t left_h[few + cut_padding];
    FindCutWith(block, left_g, left_h, best);
  } else {
    const auto room = static_cast<std::size_t>(block.bins + cut_padding);
    const auto left_g = hwy::AllocateAligned<std::int64_t>(room);
    const auto left_h = hwy::AllocateAligned<std::int64_t>(room);
    if (!left_g || !left_h) throw std::bad_alloc();
    FindCutWith(block, left_g.get(), left_h.get(), best);
  }
}

template <class Bin>
Index ChooseSidesOf(const SideBlock& block) {
  const hn::ScalableTag<std::int32_t> d;
  const auto* of_rows = reinterpret_cast<const Bin*>(block.column);
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  Index total = 0;
  Index i = 0;
  if (block.set != nullptr) {
    for (; i < block.count; i += 8) {
      std::uint32_t bits = 0;
      for (Index k = i; k < std::min(i + 8, block.count); ++k) {
        const bool left = tree::has_bin(block.set, of_rows[block.rows[k]]);
        bits |= (left ? 1U : 0U) << (k - i);
        total += left ? 1 : 0;
      }
      block.left[i / 8] = static_cast<std::uint8_t>(bits);
    }
    return total;
  }
  // Offsets are 32 bits with a sign, which those of far rows in bins of 16 bits do not fit into.
  // Rows ascend.
  constexpr std::uint32_t far = (std::uint32_t{1} << 31) / sizeof(Bin);
  const bool near = block.count > 0 && block.rows[block.count - 1] < far;
  if (lanes >= 8 && near) {
    const auto above = hn::Set(d, block.bin + 1);
    const auto missing = hn::Set(d, block.missing_bin);
    const auto low = hn::Set(d, static_cast<std::int32_t>(std::numeric_limits<Bin>::max()));
    const auto* column = reinterpret_cast<const std::int32_t*>(block.column);
    for (; i + lanes <= block.count; i += lanes) {
      const auto row = hn::LoadU(d, reinterpret_cast<const std::int32_t*>(block.rows + i));
      const auto offset = sizeof(Bin) == 1 ? row : hn::Add(row, row);
      const auto value = hn::And(hn::GatherOffset(d, column, offset), low);
      const auto left = hn::Or(hn::Lt(value, above), hn::Eq(value, missing));
      hn::StoreMaskBits(d, left, block.left + i / 8);
      total += static_cast<Index>(hn::CountTrue(d, left));
    }
  }
  for (; i < block.count; i += 8) {
    std::uint32_t bits = 0;
    for (Index k = i; k < std::min(i + 8, block.count); ++k) {
      const std::int32_t value = of_rows[block.rows[k]];
      const bool left = value <= block.bin || value == block.missing_bin;
      bits |= (left ? 1U : 0U) << (k - i);
      total += left ? 1 : 0;
    }
    block.left[i / 8] = static_cast<std::uint8_t>(bits);
  }
  return total;
}

Index ChooseSides(const SideBlock& block) {
  return block.bin_bytes == 1 ? ChooseSidesOf<std::uint8_t>(block)
                              : ChooseSidesOf<std::uint16_t>(block);
}

template <class T>
HWY_INLINE Index MoveColumn(const T* from, const std::uint8_t* left, Index count, T* to_left,
                            T* to_right) {
  Index l = 0;
  Index r = 0;
  Index i = 0;
#if HWY_TARGET <= HWY_AVX3
  const hn::ScalableTag<T> d;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  static_assert(lanes % 8 == 0);
  for (; i + lanes <= count; i += lanes) {
    const auto value = hn::LoadU(d, from + i);
    const auto mask = hn::LoadMaskBits(d, left + i / 8);
    const auto here = static_cast<Index>(hn::CompressBlendedStore(value, mask, d, to_left + l));
    (void)hn::CompressBlendedStore(value, hn::Not(mask), d, to_right + r);
    l += here;
    r += lanes - here;
  }
#endif
  for (; i < count; ++i) {
    const bool goes_left = ((left[i / 8] >> (i % 8)) & 1) != 0;
    T* to = goes_left ? to_left + l : to_right + r;
    *to = from[i];
    l += goes_left ? 1 : 0;
    r += goes_left ? 0 : 1;
  }
  return l;
}

void MoveRows(const MoveBlock& block) {
  MoveColumn(block.rows, block.left, block.count, block.left_rows, block.right_rows);
  MoveColumn(block.words, block.left, block.count, block.left_words, block.right_words);
  if (block.extra != nullptr) {
    MoveColumn(block.extra, block.left, block.count, block.left_extra, block.right_extra);
  }
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {
HWY_EXPORT(AddRows);
HWY_EXPORT(Unpack);
HWY_EXPORT(Subtract);
HWY_EXPORT(SubtractWords);
HWY_EXPORT(FindCut);
HWY_EXPORT(ChooseSides);
HWY_EXPORT(MoveRows);
void add_rows(const HistogramBlock& block) { HWY_DYNAMIC_DISPATCH(AddRows)(block); }
void unpack(const UnpackBlock& block) { HWY_DYNAMIC_DISPATCH(Unpack)(block); }
void subtract(std::int64_t* to, const std::int64_t* from, Index count) {
  HWY_DYNAMIC_DISPATCH(Subtract)(to, from, count);
}
void subtract_words(const SubtractBlock& block) { HWY_DYNAMIC_DISPATCH(SubtractWords)(block); }
void find_cut(const CutBlock& block, tree::HistogramSplit& best) {
  HWY_DYNAMIC_DISPATCH(FindCut)(block, best);
}
Index choose_sides(const SideBlock& block) { return HWY_DYNAMIC_DISPATCH(ChooseSides)(block); }
void move_rows(const MoveBlock& block) { HWY_DYNAMIC_DISPATCH(MoveRows)(block); }
}  // namespace tandem::cpu
#endif

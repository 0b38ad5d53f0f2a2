#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tree/forest_kernels.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "cpu/simd-inl.hpp"
#include "cpu/tree/forest_kernels.hpp"
// After highway.h: the networks of its vector quicksort.
#include <hwy/contrib/sort/sorting_networks-inl.h>
#include <hwy/contrib/sort/traits-inl.h>

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

template <class Rank>
RankRange GatherRanks(const RanksOfRows<Rank>& ranks, const std::uint32_t* HWY_RESTRICT payloads,
                      std::uint64_t* HWY_RESTRICT keys) {
  const Rank* HWY_RESTRICT table = ranks.table;
  const std::uint32_t* HWY_RESTRICT rows = ranks.rows;
  const auto stride = static_cast<std::uint64_t>(ranks.stride);
  std::uint32_t least = ~std::uint32_t{0};
  std::uint32_t greatest = 0;
  for (Index i = 0; i < ranks.count; ++i) {
    const std::uint32_t rank = table[rows[i] * stride];
    keys[i] = static_cast<std::uint64_t>(rank) << 32 | payloads[i];
    least = std::min(least, rank);
    greatest = std::max(greatest, rank);
  }
  return {least, greatest};
}

HWY_NOINLINE RankRange GatherKeys(const RanksOfRows<std::uint32_t>& ranks,
                                  const std::uint32_t* payloads, std::uint64_t* keys) {
  return GatherRanks(ranks, payloads, keys);
}
HWY_NOINLINE RankRange GatherBins(const RanksOfRows<std::uint8_t>& ranks,
                                  const std::uint32_t* payloads, std::uint64_t* keys) {
  return GatherRanks(ranks, payloads, keys);
}

template <class Rank>
Index MarkRanks(const RanksOfRows<Rank>& ranks, std::uint32_t last, std::uint32_t also,
                std::uint8_t* HWY_RESTRICT goes_left) {
  const Rank* HWY_RESTRICT table = ranks.table;
  const std::uint32_t* HWY_RESTRICT rows = ranks.rows;
  const auto stride = static_cast<std::uint64_t>(ranks.stride);
  Index left = 0;
  for (Index i = 0; i < ranks.count; ++i) {
    const std::uint32_t rank = table[rows[i] * stride];
    goes_left[i] = static_cast<std::uint8_t>((rank <= last ? 1 : 0) | (rank == also ? 1 : 0));
    left += goes_left[i];
  }
  return left;
}

HWY_NOINLINE Index MarkLeft(const RanksOfRows<std::uint32_t>& ranks, std::uint32_t last,
                            std::uint32_t also, std::uint8_t* goes_left) {
  return MarkRanks(ranks, last, also, goes_left);
}
HWY_NOINLINE Index MarkLeftBins(const RanksOfRows<std::uint8_t>& ranks, std::uint32_t last,
                                std::uint32_t also, std::uint8_t* goes_left) {
  return MarkRanks(ranks, last, also, goes_left);
}

// By a sorting network of 16 rows and up to eight columns, filled up with what sorts last. Returns
// 0 where there are more keys than that.
HWY_NOINLINE Index SortShort(std::uint64_t* keys, Index size) {
#if HWY_TARGET == HWY_SCALAR
  if (size > 128) return 0;
  std::sort(keys, keys + size);
  return 1;
#else
  namespace sort = hn::detail;
  using Traits = sort::SharedTraits<sort::TraitsLane<sort::OrderAscending<std::uint64_t> > >;
  const hn::CappedTag<std::uint64_t, 8> d;
  const auto most_columns = static_cast<Index>(hn::Lanes(d));
  constexpr Index rows = 16;
  if (size > rows * most_columns) return 0;
  const Index columns = std::max<Index>(
      1, static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(size))) / rows);
  const auto last = hn::Set(d, ~std::uint64_t{0});
  for (Index i = size; i < columns * rows; i += most_columns) hn::StoreU(last, d, keys + i);
  sort::SortingNetwork(Traits(), keys, static_cast<std::size_t>(columns));
  return 1;
#endif
}

// Philox4x32 of core/random.hpp, a counter per lane of 64 bits, whose upper halves hold what the
// multiplications do not look at.
HWY_NOINLINE void DrawFeatures(std::uint64_t seed, std::uint64_t high, Index count,
                               std::uint64_t* HWY_RESTRICT draws) {
#if HWY_TARGET == HWY_SCALAR
  for (Index f = 0; f < count; ++f) {
    const Philox4x32 block = philox4x32(seed, static_cast<std::uint64_t>(f), high);
    draws[f] = static_cast<std::uint64_t>(block.word[1]) << 32 | block.word[0];
  }
#else
  const hn::CappedTag<std::uint64_t, 8> d;
  const hn::Repartition<std::uint32_t, decltype(d)> halves;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const auto low = hn::Set(d, 0xFFFFFFFFU);
  const auto m0 = hn::BitCast(halves, hn::Set(d, 0xD2511F53U));
  const auto m1 = hn::BitCast(halves, hn::Set(d, 0xCD9E8D57U));
  const auto product = [&](auto a, auto b)
                           HWY_ATTR { return hn::MulEven(hn::BitCast(halves, a), b); };
  for (Index f = 0; f < count; f += lanes) {
    auto c0 = hn::Iota(d, static_cast<std::uint64_t>(f));
    auto c1 = hn::Zero(d);
    auto c2 = hn::Set(d, high & 0xFFFFFFFFU);
    auto c3 = hn::Set(d, high >> 32);
    auto k0 = static_cast<std::uint32_t>(seed);
    auto k1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const auto p0 = product(c0, m0);
      const auto p1 = product(c2, m1);
      c0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c1), hn::Set(d, std::uint64_t{k0}));
      c2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c3), hn::Set(d, std::uint64_t{k1}));
      c1 = p1;
      c3 = p0;
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    hn::StoreU(hn::Or(hn::ShiftLeft<32>(c1), hn::And(c0, low)), d, draws + f);
  }
#endif
}

// Everything is a whole number below 2^53 but the quotient, so that neither lanes nor fused
// instructions show.
HWY_NOINLINE Index BestGiniOfTwo(const std::uint64_t* HWY_RESTRICT keys, Index lowest,
                                 Index highest, std::int64_t node0, std::int64_t node1,
                                 std::int64_t left0, std::int64_t left1, std::int64_t& score) {
  const hn::CappedTag<double, 8> d;
  const hn::RebindToUnsigned<decltype(d)> bits;
  const hn::Rebind<std::int32_t, decltype(d)> integers;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  constexpr Index at_once = 64;
  HWY_ALIGN std::int32_t lefts[at_once];
  HWY_ALIGN std::int32_t ones[at_once];
  const auto all0 = hn::Set(d, static_cast<double>(node0));
  const auto all1 = hn::Set(d, static_cast<double>(node1));
  const auto all = hn::Set(d, static_cast<double>(node0 + node1));
  const auto none = hn::Set(d, -1.0);
  auto best = none;
  auto best_at = hn::Zero(d);
  auto left = static_cast<std::int32_t>(left0 + left1);
  auto one = static_cast<std::int32_t>(left1);
  Index i = 0;
  const auto move = [&](std::uint64_t key) HWY_ATTR {
    const auto payload = static_cast<std::uint32_t>(key);
    const auto weight = static_cast<std::int32_t>(payload >> 1);
    left += weight;
    one += weight & -static_cast<std::int32_t>(payload & 1U);
  };
  for (; i + 1 < lowest; ++i) move(keys[i]);
  for (; i < highest; i += at_once) {
    const Index count = std::min(at_once, highest - i);
    for (Index k = 0; k < count; ++k) {
      move(keys[i + k]);
      lefts[k] = left;
      ones[k] = one;
    }
    for (Index k = 0; k < count; k += lanes) {
      const auto l = hn::PromoteTo(d, hn::Load(integers, lefts + k));
      const auto l1 = hn::PromoteTo(d, hn::Load(integers, ones + k));
      const auto l0 = hn::Sub(l, l1);
      const auto r = hn::Sub(all, l);
      const auto r0 = hn::Sub(all0, l0);
      const auto r1 = hn::Sub(all1, l1);
      const auto left_squares = hn::Add(hn::Mul(l0, l0), hn::Mul(l1, l1));
      const auto right_squares = hn::Add(hn::Mul(r0, r0), hn::Mul(r1, r1));
      const auto quotient =
          hn::Div(hn::Add(hn::Mul(left_squares, r), hn::Mul(right_squares, l)), hn::Mul(l, r));
      const auto rank = hn::ShiftRight<32>(hn::LoadU(bits, keys + i + k));
      const auto next = hn::ShiftRight<32>(hn::LoadU(bits, keys + i + k + 1));
      // Lanes past the last cut hold what is left of other blocks.
      const auto valid =
          hn::AndNot(hn::MaskFromVec(hn::BitCast(d, hn::VecFromMask(bits, hn::Eq(rank, next)))),
                     hn::FirstN(d, static_cast<std::size_t>(std::min(lanes, count - k))));
      const auto better = hn::And(valid, hn::Gt(quotient, best));
      best = hn::IfThenElse(better, quotient, best);
      best_at = hn::IfThenElse(better, hn::Iota(d, static_cast<double>(i + k)), best_at);
    }
  }
  HWY_ALIGN double scores[8];
  HWY_ALIGN double places[8];
  hn::Store(best, d, scores);
  hn::Store(best_at, d, places);
  double highest_score = -1;
  double place = 0;
  for (Index k = 0; k < lanes; ++k) {
    if (scores[k] > highest_score || (scores[k] == highest_score && places[k] < place)) {
      highest_score = scores[k];
      place = places[k];
    }
  }
  if (highest_score < 0 || tree::score_of(highest_score) <= score) return -1;
  score = tree::score_of(highest_score);
  return static_cast<Index>(place) + 1;
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {

HWY_EXPORT(GatherKeys);
HWY_EXPORT(GatherBins);
HWY_EXPORT(MarkLeft);
HWY_EXPORT(MarkLeftBins);
HWY_EXPORT(SortShort);
HWY_EXPORT(DrawFeatures);
HWY_EXPORT(BestGiniOfTwo);

RankRange gather_keys(const RanksOfRows<std::uint32_t>& ranks, const std::uint32_t* payloads,
                      std::uint64_t* keys) {
  return HWY_DYNAMIC_DISPATCH(GatherKeys)(ranks, payloads, keys);
}
RankRange gather_keys(const RanksOfRows<std::uint8_t>& ranks, const std::uint32_t* payloads,
                      std::uint64_t* keys) {
  return HWY_DYNAMIC_DISPATCH(GatherBins)(ranks, payloads, keys);
}

Index mark_left(const RanksOfRows<std::uint32_t>& ranks, std::uint32_t last, std::uint32_t also,
                std::uint8_t* goes_left) {
  return HWY_DYNAMIC_DISPATCH(MarkLeft)(ranks, last, also, goes_left);
}
Index mark_left(const RanksOfRows<std::uint8_t>& ranks, std::uint32_t last, std::uint32_t also,
                std::uint8_t* goes_left) {
  return HWY_DYNAMIC_DISPATCH(MarkLeftBins)(ranks, last, also, goes_left);
}

// Additions at places that data says: no work for vectors.
void add_by_bin(const RanksOfRows<std::uint8_t>& bins, const std::uint32_t* payloads,
                const ClassesByBin& to) {
  const auto stride = static_cast<std::uint64_t>(bins.stride);
  const auto classes = static_cast<std::uint32_t>(to.classes);
  const std::uint32_t mask = (1U << to.class_bits) - 1;
  std::uint32_t* weights = to.weights;
  if (classes == 2 && to.class_bits == 1) {
    for (Index i = 0; i < bins.count; ++i) {
      const std::uint32_t bin = bins.table[bins.rows[i] * stride];
      weights[2 * bin + (payloads[i] & 1U)] += payloads[i] >> 1;
    }
  } else {
    for (Index i = 0; i < bins.count; ++i) {
      const std::uint32_t bin = bins.table[bins.rows[i] * stride];
      weights[classes * bin + (payloads[i] & mask)] += payloads[i] >> to.class_bits;
    }
  }
  if (to.rows == nullptr) return;
  for (Index i = 0; i < bins.count; ++i) ++to.rows[bins.table[bins.rows[i] * stride]];
}

KeyCount take_keys(const ClassesByBin& from, Index bins, Index known, std::uint64_t* keys) {
  KeyCount count{0, 0};
  const auto classes = static_cast<std::uint32_t>(from.classes);
  std::uint32_t* weights = from.weights;
  for (Index bin = 0; bin < bins; ++bin) {
    if (bin == known) count.known = count.keys;
    for (std::uint32_t c = 0; c < classes; ++c) {
      const std::uint32_t weight = *weights;
      *weights++ = 0;
      keys[count.keys] =
          static_cast<std::uint64_t>(bin) << 32 | std::uint64_t{weight} << from.class_bits | c;
      count.keys += weight != 0 ? 1 : 0;
    }
  }
  if (known >= bins) count.known = count.keys;
  return count;
}

void add_by_bin(const RanksOfRows<std::uint8_t>& bins, const std::int64_t* weights_of,
                const std::int64_t* sums_of, const SumsByBin& to) {
  const auto stride = static_cast<std::uint64_t>(bins.stride);
  for (Index i = 0; i < bins.count; ++i) {
    const std::uint32_t bin = bins.table[bins.rows[i] * stride];
    to.weights[bin] += weights_of != nullptr ? weights_of[i] : 1;
    to.sums[bin] += sums_of[i];
  }
  if (to.rows == nullptr) return;
  for (Index i = 0; i < bins.count; ++i) ++to.rows[bins.table[bins.rows[i] * stride]];
}

std::uint64_t* sort_keys(std::uint64_t* keys, std::uint64_t* other, Index size,
                         std::uint32_t greatest) {
  constexpr Index by_insertion = 8;
  if (size <= by_insertion) {
    for (Index i = 1; i < size; ++i) {
      const std::uint64_t key = keys[i];
      Index k = i;
      for (; k > 0 && keys[k - 1] > key; --k) keys[k] = keys[k - 1];
      keys[k] = key;
    }
    return keys;
  }
  if (HWY_DYNAMIC_DISPATCH(SortShort)(keys, size) != 0) return keys;
  // Digits of the rank from the lowest, as many as tell it from missing ones, whose bits are all
  // ones; those that all keys share cost nothing but the count.
  const auto bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(greatest) + 1));
  const int digits = (bits + 10) / 11;
  const int digit_bits = (bits + digits - 1) / digits;
  const std::size_t buckets = std::size_t{1} << digit_bits;
  std::uint32_t counts[3][1 << 11];
  for (int digit = 0; digit < digits; ++digit) std::fill_n(counts[digit], buckets, 0U);
  const auto bucket = [&](std::uint64_t key, int digit) {
    return (key >> (32 + digit * digit_bits)) & (buckets - 1);
  };
  for (Index i = 0; i < size; ++i) {
    for (int digit = 0; digit < digits; ++digit) ++counts[digit][bucket(keys[i], digit)];
  }
  for (int digit = 0; digit < digits; ++digit) {
    std::uint32_t* start = counts[digit];
    if (start[bucket(keys[0], digit)] == size) continue;
    std::uint32_t total = 0;
    for (std::size_t b = 0; b < buckets; ++b) total += std::exchange(start[b], total);
    for (Index i = 0; i < size; ++i) other[start[bucket(keys[i], digit)]++] = keys[i];
    std::swap(keys, other);
  }
  return keys;
}

void draw_features(const tree::SplitRules& rules, std::uint64_t key, Index count,
                   std::uint64_t* draws) {
  HWY_DYNAMIC_DISPATCH(DrawFeatures)
  (rules.seed ^ key, static_cast<std::uint64_t>(Purpose::features_of_a_node) << 32, count, draws);
}

Index best_gini_of_two(const std::uint64_t* keys, Index lowest, Index highest, std::int64_t node0,
                       std::int64_t node1, std::int64_t left0, std::int64_t left1,
                       std::int64_t& score) {
  return HWY_DYNAMIC_DISPATCH(BestGiniOfTwo)(keys, lowest, highest, node0, node1, left0, left1,
                                             score);
}

}  // namespace tandem::cpu
#endif

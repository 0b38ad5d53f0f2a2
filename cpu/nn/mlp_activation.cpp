// Activations of hidden layers, dropout, and the way back through both and through a bias.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/nn/mlp_activation.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <type_traits>

#include "cpu/math-inl.hpp"
#include "cpu/nn/mlp_functions-inl.hpp"
#include "cpu/nn/mlp_kernels.hpp"
#include "cpu/nn/vectors-inl.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// --- the way back
template <class T>
void ActivationGradient(Index rows, Index width, const T* slope, T* d_values, T* db, Index begin,
                        Index end) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  // The roots of the trees over micro-batches, of a vector of columns.
  HWY_ALIGN T roots[static_cast<size_t>(max_micro_batch_levels) * hn::MaxLanes(d)];
  for (Index j = begin; j < end; j += lanes) {
    const Index n = end - j;
    for (Index leaf = 0, first = 0; first < rows || leaf == 0; ++leaf, first += micro_batch) {
      const Index past = std::min(rows, first + micro_batch);
      auto sum = hn::Zero(d);
      for (Index r = first; r < past; ++r) {
        const Index at = r * width + j;
        auto v = LoadPart(d, d_values + at, n);
        if (slope != nullptr) {
          v = hn::Mul(v, LoadPart(d, slope + at, n));
          StorePart(v, d, d_values + at, n);
        }
        sum = hn::Add(sum, v);
      }
      // The roots to the left: those that become complete with this leaf, or, with the last, all.
      const bool last = past >= rows;
      T* root = roots;
      for (Index bits = leaf; last ? bits != 0 : (bits & 1) != 0; bits >>= 1, root += lanes) {
        if ((bits & 1) != 0) sum = hn::Add(hn::Load(d, root), sum);
      }
      if (!last) {
        hn::Store(sum, d, root);
      } else if (db != nullptr) {
        StorePart(sum, d, db + j, n);
      }
    }
  }
}

// --- dropout

// The blocks `first` and up of Philox4x32 (core/random.hpp), one per 64-bit lane: words[w]
// holds word w of each block.
template <class D64>
HWY_INLINE void PhiloxBlocks(D64 d, std::uint64_t seed, std::uint64_t high, std::uint64_t first,
                             std::uint64_t (*words)[hn::MaxLanes(D64())]) {
#if HWY_TARGET == HWY_SCALAR
  (void)d;
  const Philox4x32 block = philox4x32(seed, first, high);
  for (std::size_t w = 0; w < 4; ++w) words[w][0] = block.word[w];
#else
  const hn::Repartition<std::uint32_t, D64> d32;
  const auto low_half = hn::Set(d, 0xFFFFFFFFU);
  const auto counter = hn::Add(hn::Set(d, first), hn::Iota(d, std::uint64_t{0}));
  auto c0 = hn::And(counter, low_half);
  auto c1 = hn::template ShiftRight<32>(counter);
  auto c2 = hn::Set(d, high & 0xFFFFFFFFU);
  auto c3 = hn::Set(d, high >> 32);
  const auto m0 = hn::BitCast(d32, hn::Set(d, 0xD2511F53U));
  const auto m1 = hn::BitCast(d32, hn::Set(d, 0xCD9E8D57U));
  auto k0 = static_cast<std::uint32_t>(seed);
  auto k1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const auto p0 = hn::MulEven(m0, hn::BitCast(d32, c0));
    const auto p1 = hn::MulEven(m1, hn::BitCast(d32, c2));
    c0 = hn::Xor(hn::Xor(hn::template ShiftRight<32>(p1), c1), hn::Set(d, std::uint64_t{k0}));
    c2 = hn::Xor(hn::Xor(hn::template ShiftRight<32>(p0), c3), hn::Set(d, std::uint64_t{k1}));
    c1 = hn::And(p1, low_half);
    c3 = hn::And(p0, low_half);
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  hn::Store(c0, d, words[0]);
  hn::Store(c1, d, words[1]);
  hn::Store(c2, d, words[2]);
  hn::Store(c3, d, words[3]);
#endif
}

// Factors 0 or `scale` of the elements first .. first + count − 1 of a layer: MlpDropout::keeps,
// with the four words of a block drawn at once.
template <class T>
void DropoutFactors(const MlpDropout& dropout, std::uint64_t first, Index count, T* factors) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const hn::ScalableTag<std::uint64_t> d;
  const hn::RebindToSigned<decltype(d)> d_signed;
  constexpr std::uint64_t per_block = 4;
  HWY_ALIGN std::uint64_t words[per_block][hn::MaxLanes(d)];
  const std::uint64_t high =
      (static_cast<std::uint64_t>(static_cast<std::uint32_t>(Purpose::dropout)) << 32) |
      dropout.layer;
  const auto threshold = hn::Set(d_signed, static_cast<std::int64_t>(dropout.threshold()));
  const auto scale =
      hn::Set(d, std::uint64_t{std::bit_cast<Bits>(static_cast<T>(dropout.scale()))});
  const std::uint64_t begin = dropout.first() + first;
  const std::uint64_t end = begin + static_cast<std::uint64_t>(count);
  const std::uint64_t blocks = hn::Lanes(d);
  for (std::uint64_t block = begin / per_block; block * per_block < end; block += blocks) {
    PhiloxBlocks(d, dropout.seed, high, block, words);
    // Words become the bits of factors.
    for (auto& word : words) {
      const auto dropped = hn::Lt(hn::BitCast(d_signed, hn::Load(d, word)), threshold);
      hn::Store(hn::IfThenZeroElse(hn::RebindMask(d, dropped), scale), d, word);
    }
    const std::uint64_t from = std::max(begin, block * per_block);
    const std::uint64_t to = std::min(end, (block + blocks) * per_block);
    for (std::uint64_t at = from; at < to; ++at) {
      factors[at - begin] =
          std::bit_cast<T>(static_cast<Bits>(words[at % per_block][at / per_block - block]));
    }
  }
}

// --- activations

template <Activation activation, class T>
void ActivateRowsOf(const Activate<T>& p, Index begin, Index end) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const bool drops = p.dropout->rate > 0;
  constexpr Index chunk = 256;
  T factors[chunk];
  for (Index r = begin; r < end; ++r) {
    for (Index from = 0; from < p.width; from += chunk) {
      const Index to = std::min(p.width, from + chunk);
      if (drops) {
        DropoutFactors(*p.dropout, static_cast<std::uint64_t>(r * p.width + from), to - from,
                       factors);
      }
      for (Index j = from; j < to; j += lanes) {
        const Index n = to - j;
        const Index at = r * p.width + j;
        auto u = LoadPart(d, p.z + at, n);
        const auto shift = LoadPart(d, p.shift + j, n);
        u = p.scale != nullptr ? Fma(d, LoadPart(d, p.scale + j, n), u, shift) : hn::Add(u, shift);
        auto slope = hn::Zero(d);
        auto a = activation_of<activation>(VectorOperations<decltype(d)>{}, u, p.slope != nullptr,
                                           slope);
        if (drops) {
          const auto factor = LoadPart(d, factors + (j - from), n);
          a = hn::Mul(a, factor);
          slope = hn::Mul(slope, factor);
        }
        StorePart(a, d, p.a + at, n);
        if (p.slope != nullptr) StorePart(slope, d, p.slope + at, n);
      }
    }
  }
}

template <class T>
void ActivateRows(const Activate<T>& p, Index begin, Index end) {
  switch (p.activation) {
    case Activation::sigmoid: return ActivateRowsOf<Activation::sigmoid>(p, begin, end);
    case Activation::tanh: return ActivateRowsOf<Activation::tanh>(p, begin, end);
    case Activation::relu: return ActivateRowsOf<Activation::relu>(p, begin, end);
    case Activation::gelu: return ActivateRowsOf<Activation::gelu>(p, begin, end);
  }
}

// --- one function for each type

void ActivationGradientFloat(Index rows, Index width, const float* slope, float* d, float* db,
                             Index begin, Index end) {
  ActivationGradient(rows, width, slope, d, db, begin, end);
}
void ActivationGradientDouble(Index rows, Index width, const double* slope, double* d, double* db,
                              Index begin, Index end) {
  ActivationGradient(rows, width, slope, d, db, begin, end);
}
void ActivateRowsFloat(const Activate<float>& p, Index begin, Index end) {
  ActivateRows(p, begin, end);
}
void ActivateRowsDouble(const Activate<double>& p, Index begin, Index end) {
  ActivateRows(p, begin, end);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {

HWY_EXPORT(ActivationGradientFloat);
void activation_gradient_columns(Index rows, Index width, const float* slope, float* d, float* db,
                                 Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(ActivationGradientFloat)(rows, width, slope, d, db, begin, end);
}
HWY_EXPORT(ActivationGradientDouble);
void activation_gradient_columns(Index rows, Index width, const double* slope, double* d,
                                 double* db, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(ActivationGradientDouble)(rows, width, slope, d, db, begin, end);
}
HWY_EXPORT(ActivateRowsFloat);
template <>
void activate_rows<float>(const Activate<float>& p, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(ActivateRowsFloat)(p, begin, end);
}
HWY_EXPORT(ActivateRowsDouble);
template <>
void activate_rows<double>(const Activate<double>& p, Index begin, Index end) {
  HWY_DYNAMIC_DISPATCH(ActivateRowsDouble)(p, begin, end);
}

}  // namespace tandem::cpu
#endif

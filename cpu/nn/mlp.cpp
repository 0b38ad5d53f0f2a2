// The multi-layer perceptron's steps with vectors and threads.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/nn/mlp.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <hwy/cache_control.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/nn/mlp_steps.hpp"
#include "core/parallel.hpp"
#include "cpu/math-inl.hpp"
#include "cpu/simd-inl.hpp"

#ifndef TANDEM_CPU_NN_MLP_CPP
#define TANDEM_CPU_NN_MLP_CPP
namespace tandem::cpu {

template <class T>
struct Activate {
  Activation activation;
  Index width;
  const T* scale;
  const T* shift;
  const MlpDropout* dropout;
  const T* z;
  T* a;
  T* slope;
};

template <class T>
struct Normalize {
  Index rows;
  Index width;
  double epsilon;
  double momentum;
  const T* normalized;  // backwards
  const T* scale;       // backwards
  T* z;                 // du and dz backwards
  T* inverse;
  T* running_mean;
  T* running_variance;
  T* scale_gradient;
  T* shift_gradient;
};

template <class T>
struct Loss {
  MlpOutput output;
  MlpLoss loss;
  bool gradient;
  Index rows;
  Index width;
  const T* bias;
  MlpTargets<T> targets;
  const Index* order;
  T* z;
  double* row_losses;   // weight·loss of each row
  std::uint8_t* right;  // whether its most probable class is right
};

}  // namespace tandem::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// --- parts of vectors: the first `count` elements, nothing beyond them is touched
// -----------------

template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> LoadPart(D d, const T* from, Index count) {
  const auto n = static_cast<size_t>(count);
  if (n >= hn::Lanes(d)) return hn::LoadU(d, from);
#if HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
  HWY_ALIGN T lanes[hn::MaxLanes(d)] = {};
  for (size_t i = 0; i < n; ++i) lanes[i] = from[i];
  return hn::Load(d, lanes);
#else
  return hn::MaskedLoad(hn::FirstN(d, n), d, from);
#endif
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void StorePart(hn::Vec<D> v, D d, T* to, Index count) {
  const auto n = static_cast<size_t>(count);
  if (n >= hn::Lanes(d)) {
    hn::StoreU(v, d, to);
  } else {
    hn::BlendedStore(v, hn::FirstN(d, n), d, to);
  }
}

// Vectors of double, read from and written to elements of type T.
template <class DD, class T>
HWY_INLINE hn::Vec<DD> LoadAsDouble(DD dd, const T* from, Index count) {
  if constexpr (sizeof(T) == 4) {
    const hn::Rebind<T, DD> d;
    return hn::PromoteTo(dd, LoadPart(d, from, count));
  } else {
    return LoadPart(dd, from, count);
  }
}
template <class DD, class T>
HWY_INLINE void StoreFromDouble(DD dd, hn::Vec<DD> v, T* to, Index count) {
  if constexpr (sizeof(T) == 4) {
    const hn::Rebind<T, DD> d;
    StorePart(hn::DemoteTo(d, v), d, to, count);
  } else {
    StorePart(v, dd, to, count);
  }
}

// --- element by element
// ---------------------------------------------------------------------------

// d ← d ∘ slope and db_j = Σ_r d(r, j), for the columns begin <= j < end.
template <class T>
void ActivationGradient(Index rows, Index width, const T* slope, T* d_values, T* db, Index begin,
                        Index end) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  for (Index j = begin; j < end; j += lanes) {
    const Index n = end - j;
    auto sum = hn::Zero(d);
    for (Index r = 0; r < rows; ++r) {
      const Index at = r * width + j;
      auto v = LoadPart(d, d_values + at, n);
      if (slope != nullptr) {
        v = hn::Mul(v, LoadPart(d, slope + at, n));
        StorePart(v, d, d_values + at, n);
      }
      sum = hn::Add(sum, v);
    }
    if (db != nullptr) StorePart(sum, d, db + j, n);
  }
}

// The value of the activation at u, and its derivative.
template <Activation activation, class D, class V = hn::Vec<D>>
HWY_INLINE V ActivationAt(D d, V u, V& slope) {
  using T = hn::TFromD<D>;
  const V zero = hn::Zero(d);
  const V one = hn::Set(d, T{1});
  const V half = hn::Set(d, T{0.5});
  if constexpr (activation == Activation::sigmoid) {
    const V a = Sigmoid(d, u);
    slope = hn::Mul(a, hn::Sub(one, a));
    return a;
  } else if constexpr (activation == Activation::tanh) {
    const V a = Tanh(d, u);
    slope = Fma(d, hn::Neg(a), a, one);
    return a;
  } else if constexpr (activation == Activation::relu) {
    slope = hn::IfThenElseZero(hn::Gt(u, zero), one);
    return hn::IfThenZeroElse(hn::Lt(u, zero), u);
  } else {
    const V root_half = hn::Set(d, static_cast<T>(0.70710678118654752440));
    const V density_at_0 = hn::Set(d, static_cast<T>(0.39894228040143267794));
    const V distribution = Fma(d, half, Erf(d, hn::Mul(u, root_half)), half);
    const V density = hn::Mul(Exp(d, hn::Neg(hn::Mul(half, hn::Mul(u, u)))), density_at_0);
    slope = Fma(d, u, density, distribution);
    return hn::Mul(u, distribution);
  }
}

// The blocks `first` and up of Philox4x32 (tandem/core/random.hpp), one per 64-bit lane: words[w]
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
        auto a = ActivationAt<activation>(d, u, slope);
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

// --- batch normalisation
// --------------------------------------------------------------------------

// The long sums over the rows of one vector of columns: term(r) is that vector for row r.
template <class DD, class Term>
HWY_INLINE hn::Vec<DD> LongSum(DD dd, Index rows, Term&& term) {
  using V = hn::Vec<DD>;
  HWY_ALIGN double lanes[static_cast<size_t>(sum_lanes) * hn::MaxLanes(dd)];
  const auto width = hn::Lanes(dd);
  V total = hn::Zero(dd);
  for (Index begin = 0; begin < rows; begin += sum_block) {
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
    total = hn::Add(total, hn::Load(dd, lanes));
  }
  return total;
}

// A vector of doubles rounded to T and back.
template <class T, class DD>
HWY_INLINE hn::Vec<DD> Rounded(DD dd, hn::Vec<DD> v) {
  if constexpr (sizeof(T) == 4) {
    const hn::Rebind<T, DD> d;
    return hn::PromoteTo(dd, hn::DemoteTo(d, v));
  } else {
    (void)dd;
    return v;
  }
}

// A vector of T with as many lanes as DD.
template <class T, class DD>
HWY_INLINE auto Narrow(DD dd, hn::Vec<DD> v) {
  if constexpr (sizeof(T) == 4) {
    return hn::DemoteTo(hn::Rebind<T, DD>(), v);
  } else {
    (void)dd;
    return v;
  }
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

// --- outputs and losses
// ---------------------------------------------------------------------------

// u ← exp(u − max u); returns the sum in ascending order and the largest u.
template <class T>
HWY_INLINE T Exponentials(Index width, T* u, T& largest) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const auto lowest = hn::Set(d, -std::numeric_limits<T>::infinity());
  auto top = lowest;
  for (Index j = 0; j < width; j += lanes) {
    const Index n = width - j;
    const auto v = LoadPart(d, u + j, n);
    const auto inside =
        n >= lanes ? hn::FirstN(d, hn::Lanes(d)) : hn::FirstN(d, static_cast<size_t>(n));
    // Never a NaN: processors differ in the maximum of one.
    top = hn::IfThenElse(hn::And(inside, hn::Gt(v, top)), v, top);
  }
  top = hn::MaxOfLanes(d, top);
  largest = hn::GetLane(top);
  for (Index j = 0; j < width; j += lanes) {
    const Index n = width - j;
    StorePart(Exp(d, hn::Sub(LoadPart(d, u + j, n), top)), d, u + j, n);
  }
  T sum = 0;
  for (Index j = 0; j < width; ++j) sum += u[j];
  return sum;
}

// u ← u·by or u / by.
template <bool divide, class T>
HWY_INLINE void Rescale(Index width, T by, T* u) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const auto factor = hn::Set(d, by);
  for (Index j = 0; j < width; j += lanes) {
    const Index n = width - j;
    const auto v = LoadPart(d, u + j, n);
    StorePart(divide ? hn::Div(v, factor) : hn::Mul(v, factor), d, u + j, n);
  }
}

template <class T>
HWY_INLINE void AddBias(Index width, const T* bias, T* z) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  for (Index j = 0; j < width; j += lanes) {
    const Index n = width - j;
    StorePart(hn::Add(LoadPart(d, z + j, n), LoadPart(d, bias + j, n)), d, z + j, n);
  }
}

// f(d, v) of one number, by the vector function.
template <class T, class F>
HWY_INLINE T Single(T value, F&& f) {
  const hn::ScalableTag<T> d;
  return hn::GetLane(f(d, hn::Set(d, value)));
}

template <class T>
void OutputRows(const Loss<T>& p, Index begin, Index end) {
  for (Index r = begin; r < end; ++r) {
    T* u = p.z + r * p.width;
    AddBias(p.width, p.bias, u);
    if (p.output == MlpOutput::softmax) {
      T largest;
      const T sum = Exponentials(p.width, u, largest);
      Rescale<true>(p.width, sum, u);
    } else if (p.output == MlpOutput::sigmoid) {
      u[0] = Single(u[0], [](auto d, auto v) { return Sigmoid(d, v); });
    }
  }
}

template <class T>
void SoftmaxLossRows(const Loss<T>& p, Index begin, Index end) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const T share = static_cast<T>(1.0 / static_cast<double>(p.rows));
  constexpr Index chunk = 64;
  T sums[chunk];       // of a row's exponentials, then their logarithms
  T distances[chunk];  // from the largest u to that of the row's class
  for (Index from = begin; from < end; from += chunk) {
    const Index to = std::min(end, from + chunk);
    for (Index r = from; r < to; ++r) {
      T* u = p.z + r * p.width;
      const Index row = p.order[r];
      const Index label = p.targets.labels[row];
      AddBias(p.width, p.bias, u);
      const T own = u[label];
      bool first = true;  // no class before it has a u as large
      for (Index j = 0; j < label; ++j) first = first && !(u[j] >= own);
      T largest;
      const T sum = Exponentials(p.width, u, largest);
      sums[r - from] = sum;
      distances[r - from] = own - largest;
      p.right[r] = first && own == largest ? 1 : 0;
      const T weight = p.targets.weights != nullptr ? p.targets.weights[row] : T{1};
      const T factor = weight * share;
      if (p.loss == MlpLoss::cross_entropy) {
        if (!p.gradient) continue;
        const auto divisor = hn::Set(d, sum);
        const auto by = hn::Set(d, factor);
        const T right_one = u[label] / sum - T{1};
        for (Index j = 0; j < p.width; j += lanes) {
          const Index n = p.width - j;
          StorePart(hn::Mul(hn::Div(LoadPart(d, u + j, n), divisor), by), d, u + j, n);
        }
        u[label] = right_one * factor;
        continue;
      }
      Rescale<true>(p.width, sum, u);
      T squares = 0;
      T dot = 0;
      for (Index j = 0; j < p.width; ++j) {
        const T difference = j == label ? u[j] - T{1} : u[j];
        squares = std::fma(difference, difference, squares);
        dot = std::fma(difference, u[j], dot);
      }
      p.row_losses[r] = static_cast<double>(T{0.5} * squares) * static_cast<double>(weight);
      if (!p.gradient) continue;
      for (Index j = 0; j < p.width; ++j) {
        const T difference = j == label ? u[j] - T{1} : u[j];
        u[j] = u[j] * (difference - dot) * factor;
      }
    }
    if (p.loss != MlpLoss::cross_entropy) continue;
    for (Index i = 0; i < to - from; i += lanes) {
      const Index n = to - from - i;
      StorePart(hn::Sub(Log(d, LoadPart(d, sums + i, n)), LoadPart(d, distances + i, n)), d,
                sums + i, n);
    }
    for (Index r = from; r < to; ++r) {
      const T* weights = p.targets.weights;
      const double weight = weights != nullptr ? static_cast<double>(weights[p.order[r]]) : 1.0;
      p.row_losses[r] = static_cast<double>(sums[r - from]) * weight;
    }
  }
}

template <class T>
void SingleOutputLossRows(const Loss<T>& p, Index begin, Index end) {
  const T share = static_cast<T>(1.0 / static_cast<double>(p.rows));
  for (Index r = begin; r < end; ++r) {
    const Index row = p.order[r];
    const T weight = p.targets.weights != nullptr ? p.targets.weights[row] : T{1};
    const T u = p.z[r] + p.bias[0];
    T loss;
    T g;
    if (p.output == MlpOutput::identity) {
      g = u - p.targets.values[row];
      loss = T{0.5} * (g * g);
      p.right[r] = 0;
    } else {
      const bool second = p.targets.labels[row] == 1;
      const T probability = Single(u, [](auto d, auto v) { return Sigmoid(d, v); });
      const T difference = second ? probability - T{1} : probability;
      if (p.loss == MlpLoss::cross_entropy) {
        loss = Single(second ? -u : u, [](auto d, auto v) { return Softplus(d, v); });
        g = difference;
      } else {
        loss = T{0.5} * (difference * difference);
        g = difference * (probability * (T{1} - probability));
      }
      p.right[r] = (u > 0) == second ? 1 : 0;
    }
    p.row_losses[r] = static_cast<double>(loss) * static_cast<double>(weight);
    if (p.gradient) p.z[r] = g * (weight * share);
  }
}

template <class T>
void LossRows(const Loss<T>& p, Index begin, Index end) {
  if (p.output == MlpOutput::softmax) {
    SoftmaxLossRows(p, begin, end);
  } else {
    SingleOutputLossRows(p, begin, end);
  }
}

// --- what is exported: one function for each type
// -------------------------------------------------

#define TANDEM_MLP_KERNELS(T, Name)                                                                \
  void ActivationGradient##Name(Index rows, Index width, const T* slope, T* d, T* db, Index begin, \
                                Index end) {                                                       \
    ActivationGradient(rows, width, slope, d, db, begin, end);                                     \
  }                                                                                                \
  void Activate##Name(const Activate<T>& p, Index begin, Index end) {                              \
    ActivateRows(p, begin, end);                                                                   \
  }                                                                                                \
  void Normalize##Name(const Normalize<T>& p, Index begin, Index end) {                            \
    NormalizeColumns(p, begin, end);                                                               \
  }                                                                                                \
  void NormalizeBackward##Name(const Normalize<T>& p, Index begin, Index end) {                    \
    NormalizeColumnsBackward(p, begin, end);                                                       \
  }                                                                                                \
  void Output##Name(const Loss<T>& p, Index begin, Index end) { OutputRows(p, begin, end); }       \
  void Loss##Name(const Loss<T>& p, Index begin, Index end) { LossRows(p, begin, end); }
TANDEM_MLP_KERNELS(float, Float)
TANDEM_MLP_KERNELS(double, Double)
#undef TANDEM_MLP_KERNELS

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem {
namespace cpu {
namespace {

#define TANDEM_MLP_DISPATCH(Kernel)                       \
  HWY_EXPORT(Kernel##Float);                              \
  HWY_EXPORT(Kernel##Double);                             \
  template <class T, class... Arguments>                  \
  void call_##Kernel(Arguments&&... arguments) {          \
    if constexpr (sizeof(T) == 4) {                       \
      HWY_DYNAMIC_DISPATCH(Kernel##Float)(arguments...);  \
    } else {                                              \
      HWY_DYNAMIC_DISPATCH(Kernel##Double)(arguments...); \
    }                                                     \
  }
TANDEM_MLP_DISPATCH(ActivationGradient)
TANDEM_MLP_DISPATCH(Activate)
TANDEM_MLP_DISPATCH(Normalize)
TANDEM_MLP_DISPATCH(NormalizeBackward)
TANDEM_MLP_DISPATCH(Output)
TANDEM_MLP_DISPATCH(Loss)
#undef TANDEM_MLP_DISPATCH

}  // namespace
}  // namespace cpu

namespace {

template <Real T>
class CpuMlp final : public MlpSteps<T> {
 public:
  explicit CpuMlp(Engine& engine) : threads_(engine.threads()) {}

  void gather_rows(const T* x, Index cols, const Index* order, Index rows, T* out) override {
    const auto n = static_cast<std::size_t>(cols);
    constexpr Index line = static_cast<Index>(64 / sizeof(T));
    in_pieces(rows, 32, rows * cols / 4, [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        if (r + 1 < end) {
          const T* next = x + order[r + 1] * cols;
          for (Index j = 0; j < cols; j += line) hwy::Prefetch(next + j);
        }
        std::copy_n(x + order[r] * cols, n, out + r * cols);
      }
    });
  }

  void activation_gradient(Index rows, Index width, const T* slope, T* d, T* db) override {
    in_pieces(width, 64, rows * width / 4, [&](Index begin, Index end) {
      cpu::call_ActivationGradient<T>(rows, width, slope, d, db, begin, end);
    });
  }

  void activate(Activation activation, Index rows, Index width, const T* scale, const T* shift,
                const MlpDropout& dropout, const T* z, T* a, T* slope) override {
    const cpu::Activate<T> p{activation, width, scale, shift, &dropout, z, a, slope};
    const Index cost = activation == Activation::relu && !(dropout.rate > 0) ? 4 : 1;
    in_pieces(rows, 16, rows * width / cost,
              [&](Index begin, Index end) { cpu::call_Activate<T>(p, begin, end); });
  }

  void normalize(Index rows, Index width, double epsilon, double momentum, T* z, T* inverse,
                 T* running_mean, T* running_variance) override {
    cpu::Normalize<T> p{};
    p.rows = rows;
    p.width = width;
    p.epsilon = epsilon;
    p.momentum = momentum;
    p.z = z;
    p.inverse = inverse;
    p.running_mean = running_mean;
    p.running_variance = running_variance;
    in_pieces(width, 32, rows * width,
              [&](Index begin, Index end) { cpu::call_Normalize<T>(p, begin, end); });
  }

  void normalize_backward(Index rows, Index width, const T* normalized, const T* scale,
                          const T* inverse, T* du, T* scale_gradient, T* shift_gradient) override {
    cpu::Normalize<T> p{};
    p.rows = rows;
    p.width = width;
    p.normalized = normalized;
    p.scale = scale;
    p.z = du;
    p.inverse = const_cast<T*>(inverse);
    p.scale_gradient = scale_gradient;
    p.shift_gradient = shift_gradient;
    in_pieces(width, 32, rows * width,
              [&](Index begin, Index end) { cpu::call_NormalizeBackward<T>(p, begin, end); });
  }

  void running_affine(Index width, double epsilon, const T* scale, const T* shift, const T* mean,
                      const T* variance, T* s, T* t) override {
    for (Index j = 0; j < width; ++j) {
      const double factor =
          static_cast<double>(scale[j]) / std::sqrt(static_cast<double>(variance[j]) + epsilon);
      s[j] = static_cast<T>(factor);
      t[j] = static_cast<T>(static_cast<double>(shift[j]) - static_cast<double>(mean[j]) * factor);
    }
  }

  void output(MlpOutput output, Index rows, Index width, const T* bias, T* z) override {
    cpu::Loss<T> p{};
    p.output = output;
    p.rows = rows;
    p.width = width;
    p.bias = bias;
    p.z = z;
    in_pieces(rows, 64, 4 * rows * width,
              [&](Index begin, Index end) { cpu::call_Output<T>(p, begin, end); });
  }

  void loss(MlpOutput output, MlpLoss loss, bool gradient, Index rows, Index width, const T* bias,
            const MlpTargets<T>& targets, const Index* order, T* z, double* totals) override {
    row_losses_.resize(static_cast<std::size_t>(rows));
    right_.resize(static_cast<std::size_t>(rows));
    const cpu::Loss<T> p{output, loss, gradient,           rows,         width, bias, targets,
                         order,  z,    row_losses_.data(), right_.data()};
    in_pieces(rows, 64, 4 * rows * width,
              [&](Index begin, Index end) { cpu::call_Loss<T>(p, begin, end); });
    totals[MlpTotals::loss] +=
        long_sum(rows, [&](Index r) { return row_losses_[static_cast<std::size_t>(r)]; });
    Index right = 0;
    for (const std::uint8_t one : right_) right += one;
    totals[MlpTotals::correct] += static_cast<double>(right);
  }

 private:
  // Work below this many units, of about a nanosecond, is not worth a second thread.
  static constexpr Index serial_work = 20000;

  // f(begin, end) for pieces of 0 .. count − 1, on threads where the work is worth it.
  template <class F>
  void in_pieces(Index count, Index piece, Index work, F&& f) const {
    if (threads_ == 1 || work < serial_work) {
      if (count > 0) f(Index{0}, count);
      return;
    }
    parallel_pieces(threads_, count, piece, [&](Piece part) { f(part.begin, part.end); });
  }

  int threads_;
  std::vector<double> row_losses_;
  std::vector<std::uint8_t> right_;
};

}  // namespace

template <Real T>
std::unique_ptr<MlpSteps<T>> MlpSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuMlp<T>>(engine);
}
template std::unique_ptr<MlpSteps<float>> MlpSteps<float>::make_cpu(Engine&);
template std::unique_ptr<MlpSteps<double>> MlpSteps<double>::make_cpu(Engine&);

}  // namespace tandem
#endif

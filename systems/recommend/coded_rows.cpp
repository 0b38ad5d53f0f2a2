#include "systems/recommend/coded_rows.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "systems/recommend/coded_rows.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <cstring>

#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// A block has two numbers of each of its 16 rows, and then the next two: rows lie in the lanes, so
// that no sum goes across them. A product of codes has 20 bits and a sign, so that sums of up to
// 1,024 of them fit in 32. What is found is written behind each other; returns how much it is.
#if HWY_TARGET == HWY_SCALAR

std::size_t CodedAtLeast(const std::int16_t* query, std::size_t pairs, float query_scale,
                         const std::int8_t* codes, const float* scales, std::size_t blocks,
                         float least, std::uint32_t* rows, float* products) {
  std::size_t found = 0;
  for (std::size_t row = 0; row < blocks * 16; ++row) {
    const std::int8_t* const at = codes + (row / 16 * pairs * 16 + row % 16) * 2;
    std::int32_t sum = 0;
    for (std::size_t p = 0; p < pairs; ++p) {
      sum += query[2 * p] * at[p * 32] + query[2 * p + 1] * at[p * 32 + 1];
    }
    rows[found] = static_cast<std::uint32_t>(row);
    products[found] = static_cast<float>(sum) * (scales[row] * query_scale);
    found += products[found] >= least ? 1 : 0;
  }
  return found;
}

#else

std::size_t CodedAtLeast(const std::int16_t* query, std::size_t pairs, float query_scale,
                         const std::int8_t* codes, const float* scales, std::size_t blocks,
                         float least, std::uint32_t* rows, float* products) {
  const hn::CappedTag<std::int32_t, 16> d32;
  const hn::Repartition<std::int16_t, decltype(d32)> d16;
  const hn::Rebind<std::int8_t, decltype(d16)> d8;
  const hn::Rebind<float, decltype(d32)> df;
  const std::size_t lanes = hn::Lanes(d32);
  const auto border = hn::Set(df, least);
  std::size_t found = 0;
  for (std::size_t b = 0; b < blocks; ++b) {
    for (std::size_t lane = 0; lane < 16; lane += lanes) {
      const std::int8_t* const at = codes + (b * pairs * 16 + lane) * 2;
      auto even = hn::Zero(d32);
      auto odd = hn::Zero(d32);
      auto unused = hn::Zero(d32);  // what other processors than x86 would sum up apart
      // Two chains of sums; `pairs` is even.
      for (std::size_t p = 0; p < pairs; p += 2) {
        std::int32_t two[2];
        std::memcpy(two, query + 2 * p, sizeof two);
        const auto first = hn::PromoteTo(d16, hn::LoadU(d8, at + p * 32));
        const auto second = hn::PromoteTo(d16, hn::LoadU(d8, at + (p + 1) * 32));
        even = hn::ReorderWidenMulAccumulate(d32, hn::BitCast(d16, hn::Set(d32, two[0])), first,
                                             even, unused);
        odd = hn::ReorderWidenMulAccumulate(d32, hn::BitCast(d16, hn::Set(d32, two[1])), second,
                                            odd, unused);
      }
      const std::size_t row = b * 16 + lane;
      const auto scale = hn::Mul(hn::LoadU(df, scales + row), hn::Set(df, query_scale));
      const auto product = hn::Mul(hn::ConvertTo(df, hn::Add(even, odd)), scale);
      if (hn::AllFalse(df, hn::Ge(product, border))) continue;
      float values[16];
      hn::StoreU(product, df, values);
      for (std::size_t k = 0; k < lanes; ++k) {
        rows[found] = static_cast<std::uint32_t>(row + k);
        products[found] = values[k];
        found += values[k] >= least ? 1 : 0;
      }
    }
  }
  return found;
}

#endif

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cmath>
#include <limits>

namespace tandem::cpu {
namespace {
HWY_EXPORT(CodedAtLeast);
}  // namespace

std::size_t coded_at_least(const std::int16_t* query, std::size_t pairs, float query_scale,
                           const std::int8_t* codes, const float* scales, std::size_t blocks,
                           float least, std::uint32_t* rows, float* products) {
  return HWY_DYNAMIC_DISPATCH(CodedAtLeast)(query, pairs, query_scale, codes, scales, blocks, least,
                                            rows, products);
}
}  // namespace tandem::cpu

namespace tandem::recommend {
namespace {

// The greatest code of a query: 1,024 products with 127 stay below 2^31.
constexpr float query_codes = 8191;

float greatest(std::span<const float> vector) {
  float most = 0;
  for (const float value : vector) most = std::max(most, std::abs(value));
  return most;
}

}  // namespace

CodedRows::CodedRows(std::size_t rows, std::size_t width)
    : pairs_((width + 3) / 4 * 2),
      codes_((rows + block - 1) / block * block * pairs_ * 2, 0),
      scales_((rows + block - 1) / block * block, std::numeric_limits<float>::quiet_NaN()) {}

void CodedRows::set(std::size_t row, std::span<const float> vector) {
  const float scale = greatest(vector) / 127;
  scales_[row] = scale;
  if (!(scale > 0)) return;
  std::int8_t* const to = codes_.data() + row / block * block * pairs_ * 2 + row % block * 2;
  for (std::size_t c = 0; c < vector.size(); ++c) {
    const float code = std::clamp(std::nearbyint(vector[c] / scale), -127.0F, 127.0F);
    to[c / 2 * block * 2 + c % 2] = static_cast<std::int8_t>(code);
  }
}

CodedRows::Query::Query(const CodedRows& rows, std::span<const float> vector)
    : codes_(rows.pairs_ * 2, 0) {
  // Of vectors of more than 1,024 numbers the codes are smaller, so that no sum overflows.
  const float most =
      query_codes *
      std::min(1.0F, 1024.0F / static_cast<float>(std::max<std::size_t>(codes_.size(), 1)));
  scale_ = greatest(vector) / most;
  if (!(scale_ > 0)) return;
  for (std::size_t c = 0; c < vector.size(); ++c) {
    codes_[c] =
        static_cast<std::int16_t>(std::clamp(std::nearbyint(vector[c] / scale_), -most, most));
  }
}

std::size_t CodedRows::at_least(const Query& query, std::size_t first, std::size_t blocks,
                                float least, std::uint32_t* rows, float* products) const {
  return cpu::coded_at_least(query.codes_.data(), pairs_, query.scale_,
                             codes_.data() + first * pairs_ * 2, scales_.data() + first, blocks,
                             least, rows, products);
}

}  // namespace tandem::recommend
#endif

#include "systems/recommend/coded_rows.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "systems/recommend/coded_rows.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// A product of codes has 20 bits and a sign, so that sums of up to 1,024 of them fit in 32.
void CodedProducts(const std::int16_t* query, const std::int8_t* rows, std::size_t count,
                   std::size_t stride, float query_scale, const float* scales, float* products) {
  const hn::CappedTag<std::int16_t, 32> d16;
  const hn::Rebind<std::int8_t, decltype(d16)> d8;
  const hn::Repartition<std::int32_t, decltype(d16)> d32;
  const std::size_t lanes = hn::Lanes(d16);
  for (std::size_t r = 0; r < count; ++r) {
    const std::int8_t* const at = rows + r * stride;
    auto even = hn::Zero(d32);
    auto odd = hn::Zero(d32);
    for (std::size_t c = 0; c < stride; c += lanes) {
      const auto codes = hn::PromoteTo(d16, hn::LoadU(d8, at + c));
      even = hn::ReorderWidenMulAccumulate(d32, hn::LoadU(d16, query + c), codes, even, odd);
    }
    const auto sum = hn::GetLane(hn::SumOfLanes(d32, hn::Add(even, odd)));
    products[r] = static_cast<float>(sum) * (query_scale * scales[r]);
  }
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>
#include <cmath>

namespace tandem::cpu {
namespace {
HWY_EXPORT(CodedProducts);
}  // namespace

void coded_products_of(const std::int16_t* query, const std::int8_t* rows, std::size_t count,
                       std::size_t stride, float query_scale, const float* scales,
                       float* products) {
  HWY_DYNAMIC_DISPATCH(CodedProducts)
  (query, rows, count, stride, query_scale, scales, products);
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
    : stride_((width + 31) / 32 * 32), codes_(rows * stride_, 0), scales_(rows, 0.0F) {}

void CodedRows::set(std::size_t row, std::span<const float> vector) {
  const float scale = greatest(vector) / 127;
  scales_[row] = scale;
  if (!(scale > 0)) return;
  std::int8_t* const to = codes_.data() + row * stride_;
  for (std::size_t c = 0; c < vector.size(); ++c) {
    const float code = std::clamp(std::nearbyint(vector[c] / scale), -127.0F, 127.0F);
    to[c] = static_cast<std::int8_t>(code);
  }
}

CodedRows::Query::Query(const CodedRows& rows, std::span<const float> vector)
    : codes_(rows.stride_, 0) {
  // Of vectors of more than 1,024 numbers the codes are smaller, so that no sum overflows.
  const float most =
      query_codes *
      std::min(1.0F, 1024.0F / static_cast<float>(std::max<std::size_t>(rows.stride_, 1)));
  scale_ = greatest(vector) / most;
  if (!(scale_ > 0)) return;
  for (std::size_t c = 0; c < vector.size(); ++c) {
    codes_[c] =
        static_cast<std::int16_t>(std::clamp(std::nearbyint(vector[c] / scale_), -most, most));
  }
}

void CodedRows::products(const Query& query, std::size_t first, std::size_t count,
                         float* products) const {
  cpu::coded_products_of(query.codes_.data(), codes_.data() + first * stride_, count, stride_,
                         query.scale_, scales_.data() + first, products);
}

}  // namespace tandem::recommend
#endif

#include "systems/recommend/inner_products.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "systems/recommend/inner_products.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// Four rows at once, so that four chains of additions are under way.
void InnerProducts(const float* query, const float* rows, std::size_t count, std::size_t stride,
                   float* products) {
  const hn::CappedTag<float, 16> d;
  const std::size_t lanes = hn::Lanes(d);
  std::size_t r = 0;
  for (; r + 4 <= count; r += 4) {
    const float* const at = rows + r * stride;
    auto s0 = hn::Zero(d);
    auto s1 = hn::Zero(d);
    auto s2 = hn::Zero(d);
    auto s3 = hn::Zero(d);
    for (std::size_t c = 0; c < stride; c += lanes) {
      const auto q = hn::LoadU(d, query + c);
      s0 = hn::MulAdd(q, hn::LoadU(d, at + c), s0);
      s1 = hn::MulAdd(q, hn::LoadU(d, at + stride + c), s1);
      s2 = hn::MulAdd(q, hn::LoadU(d, at + 2 * stride + c), s2);
      s3 = hn::MulAdd(q, hn::LoadU(d, at + 3 * stride + c), s3);
    }
    products[r] = hn::GetLane(hn::SumOfLanes(d, s0));
    products[r + 1] = hn::GetLane(hn::SumOfLanes(d, s1));
    products[r + 2] = hn::GetLane(hn::SumOfLanes(d, s2));
    products[r + 3] = hn::GetLane(hn::SumOfLanes(d, s3));
  }
  for (; r < count; ++r) {
    auto sum = hn::Zero(d);
    for (std::size_t c = 0; c < stride; c += lanes) {
      sum = hn::MulAdd(hn::LoadU(d, query + c), hn::LoadU(d, rows + r * stride + c), sum);
    }
    products[r] = hn::GetLane(hn::SumOfLanes(d, sum));
  }
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {
namespace {
HWY_EXPORT(InnerProducts);
}  // namespace

void inner_products_of(const float* query, const float* rows, std::size_t count, std::size_t stride,
                       float* products) {
  HWY_DYNAMIC_DISPATCH(InnerProducts)(query, rows, count, stride, products);
}
}  // namespace tandem::cpu

namespace tandem::recommend {

void inner_products(const float* query, const float* rows, std::size_t count, std::size_t stride,
                    float* products) {
  cpu::inner_products_of(query, rows, count, stride, products);
}

}  // namespace tandem::recommend
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/tree/squared_error_cuts.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>

#include "cpu/simd-inl.hpp"
#include "cpu/tree/squared_error_cuts.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// With u = 2^-53: integers become doubles by a factor of 1 ± u, so that S_L·W and S·W_L are known
// by 1 ± 3.1u each, and their difference to 4.2u of the two together, for which 8u stand. The
// quotient of squares adds 5 roundings and its own, for which 32u stand. Nothing under- or
// overflows: all factors are integers of at most 63 bits.
HWY_NOINLINE std::uint64_t CutsToScore(const SquaredErrorCuts& cuts, double& floor) {
  constexpr Index at_once = SquaredErrorCuts::at_once;
  const hn::CappedTag<double, 8> d;
  const hn::RebindToSigned<decltype(d)> integers;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  const auto valid_at = [&](Index k) HWY_ATTR {
    std::uint8_t bits[8] = {static_cast<std::uint8_t>((cuts.valid >> k) & ((1U << lanes) - 1))};
    return hn::LoadMaskBits(d, bits);
  };
  HWY_ALIGN double upper[at_once];
  const auto all = hn::Set(integers, cuts.weight);
  const auto weight = hn::Set(d, static_cast<double>(cuts.weight));
  const auto sum = hn::Set(d, static_cast<double>(cuts.sum));
  auto greatest = hn::Set(d, floor);
  for (Index k = 0; k < cuts.count; k += lanes) {
    const auto left = hn::LoadU(integers, cuts.left_weights + k);
    const auto mine = hn::Mul(hn::ConvertTo(d, hn::LoadU(integers, cuts.left_sums + k)), weight);
    const auto whole = hn::Mul(hn::ConvertTo(d, left), sum);
    const auto apart = hn::Abs(hn::Sub(mine, whole));
    const auto error = hn::Mul(hn::Set(d, 0x1p-50), hn::Add(hn::Abs(mine), hn::Abs(whole)));
    const auto weights = hn::Mul(hn::ConvertTo(d, left), hn::ConvertTo(d, hn::Sub(all, left)));
    const auto inverse = hn::Div(hn::Set(d, 1.0), weights);
    const auto most = hn::Add(apart, error);
    const auto least = hn::Max(hn::Sub(apart, error), hn::Zero(d));
    hn::Store(hn::Mul(hn::Mul(hn::Mul(most, most), inverse), hn::Set(d, 1 + 0x1p-48)), d,
              upper + k);
    const auto lower = hn::Mul(hn::Mul(hn::Mul(least, least), inverse), hn::Set(d, 1 - 0x1p-48));
    greatest = hn::Max(greatest, hn::IfThenElseZero(valid_at(k), lower));
  }
  HWY_ALIGN double of_lanes[8];
  hn::Store(greatest, d, of_lanes);
  floor = *std::max_element(of_lanes, of_lanes + lanes);
  std::uint64_t found = 0;
  for (Index k = 0; k < cuts.count; k += lanes) {
    std::uint8_t bits[8] = {};
    hn::StoreMaskBits(d, hn::And(valid_at(k), hn::Ge(hn::Load(d, upper + k), hn::Set(d, floor))),
                      bits);
    found |= static_cast<std::uint64_t>(bits[0]) << k;
  }
  return found;
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {

HWY_EXPORT(CutsToScore);

std::uint64_t cuts_to_score(const SquaredErrorCuts& cuts, double& floor) {
  return HWY_DYNAMIC_DISPATCH(CutsToScore)(cuts, floor);
}

}  // namespace tandem::cpu
#endif

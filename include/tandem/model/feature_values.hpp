// The values that an algorithm takes its features to have.
#pragma once

#include <array>
#include <string_view>

#include "tandem/core/export.hpp"
#include "tandem/core/names.hpp"
#include "tandem/model/algorithm.hpp"

namespace tandem {

// Besides missing ones, where the algorithm accepts those:
//   any          all finite numbers
//   nonnegative  0 and more: counts
//   codes        whole numbers 0, 1, ...: categories
enum class FeatureValues { any, nonnegative, codes };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<FeatureValues>{"any", "nonnegative",
                                                                           "codes"};

// What its description says; any for an algorithm of a program's own.
[[nodiscard]] TANDEM_API FeatureValues feature_values(const Algorithm& algorithm);

}  // namespace tandem

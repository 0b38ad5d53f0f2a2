// How many features a node of a tree looks at.
#pragma once

#include <string>
#include <string_view>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

struct TANDEM_API MaxFeatures {
  // all; the square root or the logarithm to base 2 of the number of features; `count` of them; or
  // the part `fraction` of them. Whatever the rule gives is rounded down, and at least 1.
  // automatic: the square root in a forest that classifies, all elsewhere.
  enum class Rule { all, sqrt, log2, count, fraction, automatic };
  Rule rule = Rule::all;
  Index count = 0;      // >= 1
  double fraction = 0;  // in (0, 1]

  // "all", "auto", "sqrt", "log2", a count ("5"), or a fraction with a point ("0.3"). Throws
  // InputError.
  [[nodiscard]] static MaxFeatures parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  // Out of `features`. Throws InputError where `count` is more than there are.
  [[nodiscard]] Index of(Index features) const;
  [[nodiscard]] bool operator==(const MaxFeatures&) const = default;
};

}  // namespace tandem

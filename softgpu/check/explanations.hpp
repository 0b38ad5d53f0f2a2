// What each kind of finding means, for those who read it.
#pragma once

#include <optional>
#include <string_view>

#include "softgpu/check/findings.hpp"

namespace softgpu::check {

struct Explanation {
  Kind kind;
  std::string_view name;  // in JSON and options
  const char* title;
  const char* why;   // it is wrong, even where the result was right
  const char* mend;  // what usually mends it; may be empty
};

[[nodiscard]] const Explanation& explanation_of(Kind kind);
[[nodiscard]] std::optional<Kind> kind_of(std::string_view name);

}  // namespace softgpu::check

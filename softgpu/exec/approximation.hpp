// How far the hardware's approximate instructions may be from the true value: the bounds of the PTX
// ISA 9.0, section "Floating Point Instructions" and "Half Precision Floating Point Instructions".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "softgpu/ptx/ast.hpp"

namespace softgpu {

struct ErrorBound {
  bool relative = true;   // else absolute
  double bound = 0;       // the error that the ISA allows
  std::string_view text;  // for people
};

// Nothing for an instruction that is exact, or whose error the ISA leaves open (tensor cores).
[[nodiscard]] std::optional<ErrorBound> error_bound(const ptx::Instruction& instruction);
[[nodiscard]] std::string describe_error(const ptx::Instruction& instruction);

}  // namespace softgpu

#include "softgpu/exec/approximation.hpp"

namespace softgpu {
namespace {

struct Known {
  std::string_view opcode;
  std::string_view type;
  ErrorBound bound;
};

constexpr Known known[] = {
    {"div", "f32", {true, 0x1p-22, "2 ulp for divisors from 2^-126 to 2^126"}},
    {"rcp", "f32", {true, 0x1p-23, "1 ulp"}},
    {"rcp", "f64", {true, 0x1p-20, "relative 2^-20: the lower half of the result is zero"}},
    {"sqrt", "f32", {true, 0x1p-23, "relative 2^-23"}},
    {"rsqrt", "f32", {true, 0x1.1p-23, "relative 2^-22.9"}},
    {"rsqrt", "f64", {true, 0x1p-20, "relative 2^-20"}},
    {"sin", "f32", {false, 0x1.6ap-21, "absolute 2^-20.5 from -2 pi to 2 pi"}},
    {"cos", "f32", {false, 0x1.6ap-21, "absolute 2^-20.5 from -2 pi to 2 pi"}},
    {"lg2", "f32", {false, 0x1p-22, "absolute 2^-22 from 1/2 to 2, else relative 2^-22"}},
    {"ex2", "f32", {true, 0x1p-22, "relative 2^-22"}},
    {"ex2", "f16", {true, 0x1.1p-10, "relative 2^-9.9"}},
    {"ex2", "f16x2", {true, 0x1.1p-10, "relative 2^-9.9"}},
    {"ex2", "bf16", {true, 0x1p-7, "relative 2^-7"}},
    {"ex2", "bf16x2", {true, 0x1p-7, "relative 2^-7"}},
    {"tanh", "f32", {true, 0x1p-11, "relative 2^-11"}},
    {"tanh", "f16", {false, 0x1.02p-11, "absolute 2^-10.987"}},
    {"tanh", "f16x2", {false, 0x1.02p-11, "absolute 2^-10.987"}},
    {"tanh", "bf16", {false, 0x1p-8, "absolute 2^-8"}},
    {"tanh", "bf16x2", {false, 0x1p-8, "absolute 2^-8"}},
};

}  // namespace

std::optional<ErrorBound> error_bound(const ptx::Instruction& instruction) {
  if (instruction.modifiers.empty()) return std::nullopt;
  const bool marked = instruction.has("approx") || instruction.has("full") ||
                      instruction.opcode == "ex2" || instruction.opcode == "tanh";
  if (!marked) return std::nullopt;
  for (const Known& one : known) {
    if (one.opcode == instruction.opcode && one.type == instruction.modifiers.back()) {
      return one.bound;
    }
  }
  return std::nullopt;
}

std::string describe_error(const ptx::Instruction& instruction) {
  if (const auto bound = error_bound(instruction)) return std::string(bound->text);
  return "order and rounding of the sums are not specified";
}

}  // namespace softgpu

// Classes of PTX instructions, by the unit that executes them, and formats of numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace softgpu {

enum Format : std::uint8_t { f64, f32, f16, bf16, tf32, f8, formats };
inline constexpr std::array<const char*, formats> format_names = {"f64",  "f32",  "f16",
                                                                  "bf16", "tf32", "f8"};

// By the unit of a multiprocessor that executes it (CUDA C++ Programming Guide, "Arithmetic
// Instructions").
enum class InstructionClass : std::uint8_t {
  fp32,        // add, multiply, fma, min, max, compare of single precision
  fp64,        // the same of double
  half,        // the same of 16 bits
  tensor,      // matrix products
  special,     // reciprocal, roots, sin, cos, ex2, lg2, tanh, division
  integer,     // arithmetic, bits, comparisons
  conversion,  // between types of different size or kind
  memory,      // loads, stores and copies of any state space
  atomic,
  texture,
  warp,     // shuffles, votes, matches, reductions of a warp
  barrier,  // of a block, a cluster, a warp; fences
  control,  // branches, calls, exit
  move,     // moves, selections, addresses of variables
  other,
  classes
};
inline constexpr std::size_t instruction_classes =
    static_cast<std::size_t>(InstructionClass::classes);
inline constexpr std::array<const char*, instruction_classes> class_names = {
    "fp32",   "fp64",    "half", "tensor",  "special", "integer", "conversion", "memory",
    "atomic", "texture", "warp", "barrier", "control", "move",    "other"};

}  // namespace softgpu

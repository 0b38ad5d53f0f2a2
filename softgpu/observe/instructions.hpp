// The PTX instructions of a function as observers count them: what each is, how many floating-point
// operations it does, and at which operation of the decoded code it is counted.
#pragma once

#include <cstdint>
#include <vector>

#include "softgpu/exec/machine.hpp"
#include "softgpu/isa/instruction_class.hpp"
#include "softgpu/observe/observed_code.hpp"

namespace softgpu {

// Kept beside each operation of code that is observed.
struct ObservedOperation {
  Handler run = nullptr;                // the operation itself
  Touch touch;                          // of memory
  std::uint32_t first_instruction = 0;  // index of the first of those that are counted here
  std::uint32_t instructions = 0;       // of the PTX that are counted here
  std::uint32_t flops = 0;              // of an active lane
  std::uint32_t warp_flops = 0;         // of a warp
  Format format = f32;                  // of the flops
  InstructionClass kind = InstructionClass::other;
  bool special = false;  // they are divisions, roots or functions
  Meeting meeting = Meeting::none;
  // The operation that is counted in this one's place: an earlier one, after which every lane that
  // executes it comes here too. Itself where it is counted on its own.
  std::uint32_t counted_at = 0;
};

// The class of each of the function's PTX instructions.
[[nodiscard]] std::vector<InstructionClass> classes_of(const Code& code);

// One per operation of the code, which knows the function that it was decoded from.
[[nodiscard]] std::vector<ObservedOperation> observe_instructions(const Code& code);

}  // namespace softgpu

// Code whose operations are checked before they are executed.
#pragma once

#include <cstdint>
#include <vector>

#include "softgpu/check/arrays.hpp"
#include "softgpu/check/definedness.hpp"
#include "softgpu/observe/observed_code.hpp"

namespace softgpu::check {

// What the checker knows of one operation.
struct Step {
  Handler run = nullptr;
  std::uint32_t place = 0;
  std::uint32_t first_operand = 0;
  std::uint32_t end_operand = 0;
  Transfer transfer = Transfer::none;
  Effect effect = Effect::none;
  Meeting meeting = Meeting::none;
  AtomicKind atomic = AtomicKind::other;
  std::uint8_t value_bytes = 0;  // of a lane of slot d, for what loads or stores it; 0: another
  bool touches = false;
  std::uint32_t array = 0;  // number of what `arrays` has for it, from 1; 0: none
  bool plain = false;       // only registers are looked at, and only where some are undefined
};

struct CheckedCode : ObservedCode {
  std::vector<Step> steps;  // one per operation
  std::vector<ArrayBounds> arrays;

  void observe();
};

}  // namespace softgpu::check

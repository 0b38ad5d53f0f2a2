// Code whose operations are checked before they are executed.
#pragma once

#include <cstdint>
#include <vector>

#include "softgpu/check/arrays.hpp"
#include "softgpu/check/definedness.hpp"
#include "softgpu/observe/observed_code.hpp"

namespace softgpu::check {

// Operations that have an effect of their own on order or definedness.
enum class Effect : std::uint8_t {
  none,
  branches,  // bra, brx, and whatever else has a guard
  fence,
  warp_barrier,
  exchange,       // shfl, vote, match, redux
  copy_group,     // cp.async.commit_group, .wait_group, .wait_all
  copy_mbarrier,  // cp.async.mbarrier.arrive
  mbarrier,
  mbarrier_test,
  fills_shared,  // st.async, red.async
  bulk,          // a reduction by a bulk copy
  tensor,        // a copy of a box
  box,           // the end of one to shared memory
  bulk_commit,
  bulk_wait,
  grid_wait,   // griddepcontrol.wait
  frame_load,  // of an argument or a result of a call
  frame_store,
};

// What an atomic access does, as far as it matters which bits it defines and whether it changes
// any.
enum class AtomicKind : std::uint8_t { other, exchange, compare, bit_and, bit_or };

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
  bool is_signed = false;   // a load that extends its sign
  std::uint32_t array = 0;  // number of what `arrays` has for it, from 1; 0: none
  bool plain = false;       // only registers are looked at, and only where some are undefined
};

struct CheckedCode : ObservedCode {
  std::vector<Step> steps;  // one per operation
  std::vector<ArrayBounds> arrays;

  void observe();
};

}  // namespace softgpu::check

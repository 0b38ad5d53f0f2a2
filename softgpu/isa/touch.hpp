// The memory that an operation touches. Unlike what isa/operation.hpp describes it depends on the
// instruction that the operation was made of: the decoder says it once, where it makes the
// operation, for all who look at accesses (counters, profile, checker).
#pragma once

#include <cstdint>

namespace softgpu {

// How an operation finds what it accesses.
enum class TouchForm : std::uint8_t {
  none,
  lanes64,     // an address for each lane in slot a, generic, plus imm
  lanes32,     // the same, an offset of 32 bits into shared memory
  shared64,    // the same of 64 bits, with or without the bits of the shared window
  copy_async,  // cp.async: from slot b to slot a
  copy_bulk,   // cp.async.bulk: from slot b to slot a, as many bytes as slot c says
  rows,        // ldmatrix, stmatrix: lane's rows of 16 bytes
  fragment,    // wmma.load, wmma.store
};

// Enumerators of the fields below. An atomic access reads and writes.
enum class Way : std::uint8_t { load, store, atomic };

// What the access promises to others (PTX ISA, "Memory Consistency Model"). `weak` accesses may not
// meet; the others are called strong. Volatile accesses are relaxed ones of system scope, and are
// told apart because old programs rely on them for more than that.
enum class Order : std::uint8_t { weak, relaxed, acquire, release, acquire_release, is_volatile };

// The threads for which it promises it.
enum class Scope : std::uint8_t { block, cluster, device, system };

// Op::aux of a fence, beside its Scope: it is one between proxies too (fence.proxy.async).
inline constexpr std::uint32_t fence_of_proxies = 0x100;

struct Touch {
  TouchForm form = TouchForm::none;
  Way way = Way::load;         // of global, local and constant memory
  Way shared_way = Way::load;  // of shared memory
  Order order = Order::weak;
  Scope scope = Scope::system;
  bool is_constant = false;   // of .const, or of memory that the program calls read-only
  bool extends_sign = false;  // of what is loaded
  bool uncounted = false;     // of memory, in a way that this description has no form for
  std::uint32_t size = 0;     // bytes that a lane accesses
};

}  // namespace softgpu

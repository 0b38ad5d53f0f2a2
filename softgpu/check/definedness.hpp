// Which bits of memory and registers were ever given a value.
//
// A bit that is set is undefined. Memory of a device starts undefined, as do a block's shared and a
// thread's local memory; stores, copies and sets define it, and a store of an undefined value
// leaves it so. Values keep their undefined bits as they move and are computed with, and nothing is
// said until one decides something: a branch, a guard, an address; or until it reaches the host.
// This is Memcheck's way (Seward and Nethercote, "Using Valgrind to detect undefined value errors
// with bit-precision", 2005): padding of structures that is copied about is nobody's mistake.
// Memory that the host can write without the runtime's knowledge (managed, pinned, registered)
// counts as defined.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "softgpu/exec/machine.hpp"

namespace softgpu::check {

// Where an undefined value comes from.
struct ValueOrigin {
  std::uint32_t place = 0;  // of the access that found memory never written; 0: none
  bool computed = false;    // something was computed of it since
};

// Undefined bits of device memory.
class GlobalBits {
 public:
  static GlobalBits& instance();

  void undefine(std::uint64_t address, std::uint64_t bytes);
  void define(std::uint64_t address, std::uint64_t bytes);
  void copy(std::uint64_t to, std::uint64_t from, std::uint64_t bytes);
  // True where one of the bits is undefined; then `bits` has them, where it is not null.
  [[nodiscard]] bool read(std::uint64_t address, std::uint32_t bytes, std::uint8_t* bits);
  void write(std::uint64_t address, std::uint32_t bytes, const std::uint8_t* bits,
             const ValueOrigin& origin);
  // The first undefined byte of the range; false where there is none.
  [[nodiscard]] bool find_undefined(std::uint64_t address, std::uint64_t bytes,
                                    std::uint64_t& first);
  [[nodiscard]] ValueOrigin origin_of(std::uint64_t address) const;
  // Everything counts as defined from here on.
  void define_all();
  [[nodiscard]] bool empty() const noexcept { return pages_.empty(); }

 private:
  static constexpr std::uint64_t page_bytes = 4096;
  struct Page {
    std::unique_ptr<std::array<std::uint8_t, page_bytes>> bits;  // nullptr: all undefined
    std::uint32_t undefined = 0;  // bytes that are, where there are bits
  };
  Page* find(std::uint64_t number);
  void open(Page& page);
  void change(std::uint64_t address, std::uint64_t bytes, const std::uint8_t* bits, bool undefined);

  std::unordered_map<std::uint64_t, Page> pages_;
  std::unordered_map<std::uint64_t, ValueOrigin> origins_;  // by word
  // Pages that were looked for lately, by the lowest bits of their numbers; nullptr: there is none.
  struct Recent {
    std::uint64_t number = ~std::uint64_t{0};
    Page* page = nullptr;
  };
  Recent& recent(std::uint64_t number) { return recent_[number % recent_.size()]; }
  std::array<Recent, 64> recent_{};
};

}  // namespace softgpu::check

namespace softgpu {

// Undefined bits of a frame's registers, laid out as the frame is.
struct FrameState {
  std::vector<std::uint8_t> bits;
  std::vector<std::uint8_t> marked;  // by slot / 4: the register there has undefined bits
  std::uint32_t count = 0;           // of marked registers
  std::unordered_map<std::uint32_t, check::ValueOrigin> origins;  // by slot
};

}  // namespace softgpu

namespace softgpu::check {

// The undefined bits of the frame, all defined where nothing was kept of it so far. Freed with the
// launch.
[[nodiscard]] FrameState& state_of(Frame& frame);
void clear(FrameState& state);
// The undefined bits of a lane of a register: the low 8 bytes, and of 16 bytes the upper in `high`.
[[nodiscard]] std::uint64_t lane_bits(const FrameState& state, std::uint32_t slot,
                                      std::uint8_t lane_bytes, std::uint32_t lane,
                                      std::uint64_t& high);
void set_lane_bits(FrameState& state, std::uint32_t slot, std::uint8_t lane_bytes,
                   std::uint32_t lane, std::uint64_t bits, std::uint64_t high = 0);
// Marks or unmarks a register after its lanes were set.
void settle(FrameState& state, std::uint32_t slot, std::uint8_t lane_bytes,
            const ValueOrigin& origin);
[[nodiscard]] inline bool is_marked(const FrameState& state, std::uint32_t slot) {
  return state.marked[(slot & ~3U) / 4] != 0;
}
// The results of an operation for `lanes`.
void propagate(Warp& warp, const Op* op, const OperandSlot* first, const OperandSlot* end,
               std::uint32_t lanes);

}  // namespace softgpu::check

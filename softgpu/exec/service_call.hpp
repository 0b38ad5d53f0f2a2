// Arguments and results of the device functions that the executor provides itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

inline const Pieces& pieces_of(const Op* op) { return *static_cast<const Pieces*>(op->extra); }

// Argument `which` of a lane; zero where the call has fewer.
template <class T>
T argument(Warp& w, const Op* op, std::uint32_t which, int lane) {
  T value{};
  if (which < pieces_of(op).count) {
    std::memcpy(&value,
                w.frame + pieces_of(op).slots[which] + static_cast<std::size_t>(lane) * sizeof(T),
                sizeof value);
  }
  return value;
}
// Writes the value that the call returns to a lane, for calls that return one.
template <class T>
void result(Warp& w, const Op* op, int lane, T value) {
  if (pieces_of(op).more_count == 0) return;
  std::memcpy(w.frame + pieces_of(op).more[0] + static_cast<std::size_t>(lane) * sizeof(T), &value,
              sizeof value);
}

}  // namespace softgpu

// The parts of scheduling share this: groups of lanes, barriers and meetings (schedule.cpp,
// barriers.cpp, meetings.cpp), and what they say to people (faults.cpp).
#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

// std::popcount is a call where the processor may lack the instruction.
[[nodiscard]] inline std::uint32_t popcount(std::uint32_t x) {
  x -= (x >> 1) & 0x55555555U;
  x = (x & 0x33333333U) + ((x >> 2) & 0x33333333U);
  return (((x + (x >> 4)) & 0x0f0f0f0fU) * 0x01010101U) >> 24;
}

// Lanes stop at `pc`, ready to go on.
inline void park(Warp& w, const Op* pc, std::uint32_t mask, Frame* frame) {
  Group g;
  g.pc = pc;
  g.mask = mask;
  g.frame = frame;
  w.others.push_back(g);
}

// Another group goes on where the current one has no lanes left; nullptr where none is ready.
const Op* pick(Warp& warp);
// Where a group is, or what it called from there, in the kernel's own code.
[[nodiscard]] inline const Op* outermost(const Frame* frame, const Op* op) {
  for (; frame->caller != nullptr; frame = frame->caller) op = frame->return_to;
  return op;
}

// --- barriers.cpp -------------------------------------------------------------------------------

[[nodiscard]] bool barrier_complete(const Block& block, const Barrier& barrier);
void complete_barrier(Block& block, std::uint32_t id);
// Opens the cluster's barrier where all threads that are left are there.
void check_cluster(Cluster& cluster);

// --- meetings.cpp -------------------------------------------------------------------------------

// Lanes that wait for each other go on where all of them have come.
void check_meetings(Warp& warp);

// --- faults.cpp ---------------------------------------------------------------------------------

[[nodiscard]] std::string hexadecimal(std::uint64_t value);
// True once for each place in the code, and not without end. A place is a line of the program,
// whatever has been inlined there and however often it is unrolled; without lines it is an
// instruction.
[[nodiscard]] bool first_time(const Code& code, const Op* op);
// Says something about a lane that does not end the kernel.
void notice(const Warp& warp, int lane, const Code& code, const Op* op, const std::string& what,
            bool is_error = false);

}  // namespace softgpu

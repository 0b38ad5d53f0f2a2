// How this processor reads and writes 16 bytes as one access, which nobody sees half done.
#pragma once

namespace softgpu {

// Whether an aligned vector move of 16 bytes is one access. Intel (SDM, volume 3, "Guaranteed
// Atomic Operations") and AMD (APM, volume 2, "Access Atomicity") promise it of every processor
// that reports AVX, for the moves that SSE2 has as well. Where it is false, cmpxchg16b does it.
// Handlers read it; set_vector_moves_whole() writes it.
extern bool vector_moves_are_whole;

// False: 16 bytes go by cmpxchg16b from now on, as on a processor without AVX; true: as this
// processor does it. Tests go through both. Not while a kernel runs.
void set_vector_moves_whole(bool whole);

// Whether the processor has cmpxchg16b, which all have since 2006.
[[nodiscard]] bool has_compare_exchange_16();

}  // namespace softgpu

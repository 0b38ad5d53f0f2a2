#include "softgpu/check/explanations.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "softgpu/check_kinds.hpp"

namespace softgpu::check {
namespace {

constexpr std::array explanations{
    Explanation{Kind::out_of_bounds, "out-of-bounds", "access out of bounds",
                "The bytes belong to nothing or to something else: a device may fault, or the "
                "program reads or destroys other data without a word.",
                "Compare the index with the number of elements before the access; a grid that is "
                "rounded up to whole blocks has more threads than elements."},
    Explanation{Kind::misaligned, "misaligned", "misaligned access",
                "An access of N bytes has to be at a multiple of N; a device faults.",
                "Give the pointer the alignment of the type that it is cast to, and offsets that "
                "are multiples of it."},
    Explanation{Kind::use_after_free, "use-after-free", "use of memory that was freed",
                "The memory may belong to another allocation by now, whose data are then read or "
                "destroyed.",
                "Free it after the last kernel or copy that uses it, in the order of the stream."},
    Explanation{Kind::invalid_free, "invalid-free", "invalid free",
                "Only the address that an allocation returned can be freed, and only once.",
                "Free each allocation at one place, and set the pointer to null there."},
    Explanation{Kind::leak, "leak", "memory that is never freed",
                "A program that does so in a loop runs out of memory.",
                "Free it when it is not needed any more, also on the ways that return early."},
    Explanation{Kind::uninitialised, "uninitialised", "use of uninitialised memory",
                "Its value is whatever was there before: zeros on one day and something else on "
                "another.",
                "Write the memory before (cudaMemset, a store by a thread, a copy), or do not read "
                "beyond what was written."},
    Explanation{
        Kind::race, "race", "data race",
        "Nothing orders these two accesses. That the result was right is chance: another "
        "device, compiler or load gives another order.",
        "Put what orders them between them: __syncthreads() for threads of a block, "
        "__syncwarp() for lanes of a warp, atomics with a fence or cuda::atomic_ref "
        "between blocks, the order of a stream or an event between kernels; before the host's "
        "own access cudaStreamSynchronize(), cudaEventSynchronize() or the like."},
    Explanation{Kind::same_value_race, "same-value-race", "unordered writes of one value",
                "All write the same value, so that any order gives it; the language calls it a "
                "race all the same.",
                "Let one thread write it, or use an atomic store."},
    Explanation{Kind::barrier_divergence, "barrier-divergence",
                "barrier that not all threads come to",
                "A barrier has to be reached by all threads of the block or by none; a device may "
                "hang, or go on with threads that have not arrived.",
                "Move the barrier out of the branch or the loop whose condition differs between "
                "threads."},
    Explanation{Kind::warp_mask, "warp-mask", "wrong member mask of a warp operation",
                "The mask has to name exactly the lanes that execute the operation together; what "
                "comes from another lane is undefined.",
                "Compute the mask before the branch (__ballot_sync), or let all lanes take part."},
    Explanation{Kind::deadlock, "deadlock", "deadlock", "Threads wait for what can never happen.",
                "See that all threads that a barrier or a lock waits for can get there."},
    Explanation{Kind::unchecked_error, "unchecked-error", "error that the program does not look at",
                "The call did nothing, and the program goes on as if it had.",
                "Check what every call returns, and cudaGetLastError() after every launch."},
    Explanation{Kind::launch_failure, "launch-failure", "launch that fails",
                "The kernel has not run.",
                "Keep the numbers of threads, blocks and bytes inside the device's limits."},
    Explanation{Kind::overlapping_copy, "overlapping-copy", "copy between ranges that overlap",
                "The order in which bytes are copied is not defined.",
                "Copy through a buffer, or by pieces that do not overlap."},
    Explanation{Kind::fault, "fault", "fault of a kernel",
                "The kernel ends here, and every later call returns the error.", ""},
    Explanation{Kind::schedule_dependent, "schedule-dependent",
                "output that depends on the order of threads",
                "A device runs blocks and warps in another order each time: its output may be any "
                "of these, or another one.",
                "Where it is meant to be one result, give each thread a place of its own, or use "
                "operations that give the same in any order; sums of floats do not."},
};

static_assert([] {
  for (std::size_t i = 0; i < explanations.size(); ++i) {
    if (static_cast<std::size_t>(explanations[i].kind) != i) return false;
    if (explanations[i].name != check_kinds[i]) return false;
  }
  return explanations.size() == check_kinds.size();
}());

}  // namespace

const Explanation& explanation_of(Kind kind) {
  return explanations[static_cast<std::size_t>(kind)];
}

std::optional<Kind> kind_of(std::string_view name) {
  const auto* const found = std::ranges::find(explanations, name, &Explanation::name);
  if (found == explanations.end()) return std::nullopt;
  return found->kind;
}

}  // namespace softgpu::check

// Bulk and tensor copies (cp.async.bulk): when they read and write, and when that is over.
//
// A copy is an agent of its own beside the threads, which knows what the thread that issues it
// knows. Whoever has waited for its mbarrier's phase, or for its bulk group, knows what it has
// done. It goes by the async proxy: shared memory that threads wrote by plain stores it sees only
// after a fence.proxy.async (PTX ISA, "Proxies").
#pragma once

#include <cstdint>

#include "softgpu/check/checked_code.hpp"
#include "softgpu/exec/machine.hpp"

namespace softgpu::check {

// cp.async.bulk and cp.reduce.async.bulk, before they are executed.
void use_bulk(Warp& warp, const Op* op, const Step& step, std::uint32_t lanes);
// The service that moves a box of a tensor, before it is executed: what a store reads.
void use_tensor(Warp& warp, const Op* op, const Step& step, std::uint32_t lanes);
// "cp.bulk.done": what a load of a box has written.
void use_box(Warp& warp, const Op* op, const Step& step, std::uint32_t lanes);

}  // namespace softgpu::check

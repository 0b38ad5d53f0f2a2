// Observers of kernels, which hang on the executor.
//
// A launch that is observed runs on a version of the decoded code of its own, in which the
// operations that the observer wants to see first come by it: observed_code.hpp. A launch that is
// not runs on the code as it is, which knows nothing of this. What happens between threads, and not
// in one operation, the executor tells a launch's observer by the functions here.
#pragma once

#include <cstdint>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

class Observer {
 public:
  virtual ~Observer() = default;

  // The version of a function that this observer sees; indirect calls ask for it.
  virtual const Code& version_of(const Code& code) = 0;

  // A block begins, with its warps at the kernel's first operation.
  virtual void block_begins(Block&) {}
  // `lanes` of the warp have come to the barrier `id` of the block (cluster_barrier: of the
  // cluster); where `wait` is false they go on at once.
  virtual void barrier_reached(Warp&, std::uint32_t /*lanes*/, std::uint32_t /*id*/,
                               bool /*wait*/) {}
  // All that it waits for have come. Those that wait have not gone on yet.
  virtual void barrier_opens(Block&, std::uint32_t /*id*/) {}
  virtual void cluster_barrier_opens(Cluster&) {}
  // `lanes` have met at a warp barrier, in one place or in several.
  virtual void lanes_meet(Warp&, std::uint32_t /*lanes*/) {}
  // Lanes that waited at an exchange have got its result without executing the operation again.
  virtual void lanes_exchanged(const Code&, const Op&, std::uint32_t /*lanes*/) {}
  // `lanes` go into a function: the arguments have been copied to `callee`, which is w.call's.
  virtual void called(Warp&, const Op* /*call*/, const Frame& /*caller*/, Frame& /*callee*/,
                      std::uint32_t /*lanes*/) {}
  // `lanes` return from `callee`: its results have been copied.
  virtual void returned(Warp&, const Op* /*call*/, Frame& /*caller*/, const Frame& /*callee*/,
                        std::uint32_t /*lanes*/) {}
  // `lanes` take the result of the shuffle `op` from lanes that give none.
  virtual void took_nothing(Warp&, const Op* /*op*/, std::uint32_t /*lanes*/) {}
  // A frame starts to be used anew: its registers hold nothing yet.
  virtual void frame_taken(Frame&) {}
};

}  // namespace softgpu

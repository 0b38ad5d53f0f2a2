// The host's own accesses to memory that kernels use too.
//
// Nobody tells the checker when the program reads an array of managed memory. So the pages that
// work still uses, for which the host has not waited, are protected while the program's own code
// runs; an access to one of them is a signal, whose handler looks up who used that very word, lets
// the access happen by itself (one instruction, by the processor's trap flag) and protects the page
// again. Memory of cudaMalloc, which the host cannot access on a device, is protected all the time.
// The runtime's own accesses are let through: its calls say when they begin and end.
//
// A call of the system that gets such a page (read(), write()) fails with EFAULT instead of making
// a signal.
#pragma once

#include <cstddef>
#include <cstdint>

#include "softgpu/check/order.hpp"

namespace softgpu::check {

// Memory with pages of its own appears, is freed (`kept`: its address is not given out again), and
// is the host's to use or not.
void watch_memory(std::uint64_t address, std::uint64_t bytes, bool is_the_hosts);
void unwatch_memory(std::uint64_t address, bool kept);
// The current work has copied or set bytes; `place` is a place_at().
void work_used(std::uint64_t address, std::uint64_t bytes, bool writes, std::uint32_t place);
// The current piece of work has ended: what its kernels have used is known now.
void work_ended();
// From here on nothing is protected: a library computes on the host.
void stop_watching();

// While one lives, the thread runs the runtime; at the end of the last, pages are protected.
class InRuntime {
 public:
  InRuntime() {
    if (is_watching()) enter();
  }
  ~InRuntime() {
    if (entered_) leave();
  }
  InRuntime(const InRuntime&) = delete;
  InRuntime& operator=(const InRuntime&) = delete;

 private:
  static bool is_watching() noexcept;
  void enter();
  void leave();
  bool entered_ = false;
};
// While one lives, the runtime has called the program (a host function).
class InProgram {
 public:
  InProgram();
  ~InProgram();
  InProgram(const InProgram&) = delete;
  InProgram& operator=(const InProgram&) = delete;

 private:
  int depth_ = 0;
};

}  // namespace softgpu::check

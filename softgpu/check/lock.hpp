// The checker's state is used by one thread at a time: that of the kernel that runs, or a call of
// the host that allocates, copies or sets.
#pragma once

#include <mutex>

namespace softgpu::check {

[[nodiscard]] inline std::recursive_mutex& checker_mutex() {
  static auto* mutex = new std::recursive_mutex;  // outlives every static of the program
  return *mutex;
}

}  // namespace softgpu::check

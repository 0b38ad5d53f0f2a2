// How far a single long loop has come, for whoever waits for it.
#pragma once

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// While it lives, loops over rows or columns that may take minutes, and that its thread runs, tell
// it how far they are: what RunControl::report() cannot say before the first iteration, and of
// evaluations and predictions, which have none. Of several on one thread the innermost is told.
class TANDEM_API LoopWatch {
 public:
  LoopWatch() noexcept;
  LoopWatch(const LoopWatch&) = delete;
  LoopWatch& operator=(const LoopWatch&) = delete;
  virtual ~LoopWatch();
  // The loop has done this share of its work, more than 0 and less than 1, in so many seconds.
  // Called on the watch's thread from the first half second of a loop on, a few times in a second.
  // It must not throw.
  virtual void loop_is_at(double share, double seconds) noexcept = 0;

  // The calling thread's innermost one, or null.
  [[nodiscard]] static LoopWatch* of_thread() noexcept;

 private:
  LoopWatch* outer_;
};

}  // namespace tandem

// Stopping in the middle of a step: whom the loops of a thread ask.
#pragma once

#include <chrono>
#include <optional>

#include "tandem/core/export.hpp"

namespace tandem {

class RunControl;

// While it lives, the loops over rows, columns and classes that its thread runs ask the control
// whether to stop, and throw Interrupted in the middle of a step. Every fit makes one of its
// context's control; who calls predict() or evaluate() and wants to stop them makes one around the
// call. Of several on one thread the innermost is asked. A control that keeps checkpoints is given
// `patience_seconds` from the moment at which it first wants to stop, so that the iteration can end
// and its state be saved. Only loops on the host are left in this way; what a GPU has been given it
// finishes.
class TANDEM_API StopScope {
 public:
  static constexpr double patience_seconds = 4;

  // Null: the scope around this one goes on being asked.
  explicit StopScope(const RunControl* control) noexcept;
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;
  ~StopScope();

  // Throws Interrupted where the innermost scope of the calling thread says so; does nothing where
  // there is none. Takes a few nanoseconds. For long loops of one's own.
  static void check();

 private:
  void ask();

  const RunControl* control_;
  StopScope* outer_;
  std::optional<std::chrono::steady_clock::time_point> since_;  // when it first wanted to stop
};

}  // namespace tandem

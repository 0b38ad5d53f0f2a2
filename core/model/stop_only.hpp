// The control of what runs inside a larger run.
#pragma once

#include "tandem/core/run_control.hpp"

namespace tandem {

// May ask the program only whether to stop: progress and checkpoints of one fold, or of one
// candidate, would say nothing of the others.
class StopOnly final : public RunControl {
 public:
  explicit StopOnly(const RunControl& outer) : outer_(outer) {}
  [[nodiscard]] bool stop_requested() const noexcept override { return outer_.stop_requested(); }

 private:
  const RunControl& outer_;
};

}  // namespace tandem

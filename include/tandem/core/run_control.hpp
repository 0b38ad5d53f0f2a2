// A long run's connection to the program around it: progress, interruption, checkpoints.
#pragma once

#include <optional>
#include <string_view>

#include "tandem/core/archive.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

struct Progress {
  std::string_view stage;           // "epoch", "iteration", "level", ...
  Index done = 0;                   // completed steps of this stage
  Index total = 0;                  // most steps there can be; 0 where unknown
  std::string_view objective_name;  // "cost", "inertia", "loss"; empty where there is none
  double objective = 0;
};

// The default one reports nothing, never stops and keeps no checkpoint. Drivers call it from the
// thread that called fit(), at the end of each iteration or epoch; loops on that thread ask it
// whether to stop in between too (StopScope), so that the answer, once yes, has to stay yes.
class TANDEM_API RunControl {
 public:
  virtual ~RunControl() = default;
  virtual void report(const Progress&) {}
  [[nodiscard]] virtual bool stop_requested() const noexcept { return false; }
  // True where a checkpoint is wanted now although nobody asked to stop.
  [[nodiscard]] virtual bool checkpoint_due() { return false; }
  [[nodiscard]] virtual bool keeps_checkpoints() const noexcept { return false; }
  virtual void save_checkpoint(const Archive& /*state*/) {}
  // The state to start from, as an earlier run of the same fit saved it, or nullptr.
  [[nodiscard]] virtual const Archive* resume_state() const noexcept { return nullptr; }
};

// The end of one iteration of a driver: reports it, saves make_state() where a checkpoint is due,
// and throws Interrupted, after saving, where a stop was asked for. A run resumed from that state
// gives the bits that an uninterrupted one gives.
template <class MakeState>
void end_iteration(RunControl& control, const Progress& progress, MakeState&& make_state) {
  control.report(progress);
  const bool stop = control.stop_requested();
  if (control.keeps_checkpoints() && (stop || control.checkpoint_due())) {
    control.save_checkpoint(make_state());
  }
  if (stop) {
    throw Interrupted("stopped after " + std::to_string(progress.done) + " " +
                      std::string(progress.stage) + (progress.done == 1 ? "" : "s") +
                      " because an interrupt was received");
  }
}

}  // namespace tandem

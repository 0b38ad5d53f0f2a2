// How much of a closed form is done.
#pragma once

#include "core/watched_fit.hpp"
#include "tandem/core/run_control.hpp"

namespace tandem {

// The parts of a closed form are loops of different speed, so that what is done is counted in work:
// multiplications and additions of vectorised loops on one thread, about.
class ClosedFormProgress {
 public:
  // One of a chain of sums on the host, of which each waits for the one before, takes as long as
  // this many in a vectorised loop.
  static constexpr double serial = 16;

  // control may be null: nobody is told.
  ClosedFormProgress(RunControl* control, double work)
      : control_(control), work_(work), watched_(work) {}
  // The loop that begins now is so much work.
  void begin(double work) { watched_.begin_loop(work); }
  // How much has been done from the beginning on. Reported in thousandths.
  void report(double work) {
    watched_.done_at(work);
    if (control_ == nullptr || !(work_ > 0)) return;
    constexpr Index parts = 1000;
    control_->report({"part", static_cast<Index>(work / work_ * parts), parts, {}, 0});
  }

 private:
  RunControl* control_;
  double work_;
  WatchedFit watched_;
};

}  // namespace tandem

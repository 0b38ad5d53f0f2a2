// How far a whole fit is, for whoever waits for it, from its first second on.
#pragma once

#include "tandem/core/export.hpp"

namespace tandem {

struct FitShare {
  double share = 0;    // of the work that is done, more than 0 and less than 1
  double seconds = 0;  // since the work that is counted began
  // Iterations are counted up to the most there can be: the fit may end earlier.
  bool at_most = false;
};

// While it lives, fits on its thread tell it how far they are: what RunControl::report() cannot say
// before the first iteration, or the first fold, has ended. Of several on one thread the innermost
// is told.
class TANDEM_API FitWatch {
 public:
  FitWatch() noexcept;
  FitWatch(const FitWatch&) = delete;
  FitWatch& operator=(const FitWatch&) = delete;
  virtual ~FitWatch();
  // Called on the watch's thread from the first half second on, a few times in a second. It must
  // not throw.
  virtual void fit_is_at(const FitShare& fit) noexcept = 0;

  // The calling thread's innermost one, or null.
  [[nodiscard]] static FitWatch* of_thread() noexcept;

 private:
  FitWatch* outer_;
};

}  // namespace tandem

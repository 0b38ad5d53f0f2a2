// Fits that tell a FitWatch how far they are, by their steps and by the loop of the step that is
// under way.
#pragma once

#include <chrono>

#include "tandem/core/fit_watch.hpp"

namespace tandem {

// The steps of a fit, or of several fits, such as folds; nothing long comes after them. Used by the
// thread that makes it. Loops inside (core/watched_loop.hpp) tell a LoopWatch nothing.
class WatchedFit {
 public:
  // total: the work of all steps, in any unit. at_most: it may end before all of it is done.
  explicit WatchedFit(double total, bool at_most = false) noexcept;
  WatchedFit(const WatchedFit&) = delete;
  WatchedFit& operator=(const WatchedFit&) = delete;
  ~WatchedFit();

  // The step that begins now is so much work, and the WatchedLoop inside it, or the fit, is about
  // all of it. The step ends with the next call of one of these three.
  void begin_loop(double work) noexcept { begin(Step::loop, work); }
  void begin_fit(double work) noexcept { begin(Step::fit, work); }
  // All the work that has been done from the beginning on.
  void done_at(double work) noexcept {
    step_ = Step::none;
    done_ = work;
    tell(0, at_most_);
  }

  // The calling thread's innermost one that tells somebody, or null.
  [[nodiscard]] static WatchedFit* of_thread() noexcept;
  // The loop of the step has done this share of its work.
  void loop_is_at(double share) noexcept {
    if (step_ == Step::loop) tell(share, at_most_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  enum class Step { none, loop, fit };
  void begin(Step step, double work) noexcept {
    step_ = step;
    work_of_step_ = work;
  }
  void tell(double share_of_step, bool at_most) noexcept;

  FitWatch* watch_;              // null: nobody is told
  WatchedFit* before_;           // that the thread is in
  WatchedFit* outer_ = nullptr;  // that one, where this is a step of it
  double total_;
  bool at_most_;
  double done_ = 0;
  Step step_ = Step::none;
  double work_of_step_ = 0;
  Clock::time_point begun_;
  Clock::time_point told_;
};

}  // namespace tandem

#include "tandem/core/loop_watch.hpp"

#include <algorithm>

#include "core/watched_fit.hpp"
#include "core/watched_loop.hpp"
#include "tandem/core/fit_watch.hpp"

namespace tandem {
namespace {

thread_local LoopWatch* innermost = nullptr;
thread_local bool in_watched_loop = false;
thread_local FitWatch* innermost_fit_watch = nullptr;
thread_local WatchedFit* innermost_watched_fit = nullptr;

}  // namespace

LoopWatch::LoopWatch() noexcept : outer_(innermost) { innermost = this; }
LoopWatch::~LoopWatch() { innermost = outer_; }
LoopWatch* LoopWatch::of_thread() noexcept { return innermost; }

WatchedLoop::WatchedLoop(double total) noexcept
    : watch_(in_watched_loop ? nullptr : innermost), total_(total) {
  if (watch_ == nullptr) return;
  in_watched_loop = true;
  begun_ = told_ = Clock::now();
}

WatchedLoop::~WatchedLoop() {
  if (watch_ != nullptr) in_watched_loop = false;
}

void WatchedLoop::tell() noexcept {
  constexpr std::chrono::milliseconds first{500};
  constexpr std::chrono::milliseconds between{200};
  const auto now = Clock::now();
  if (now - begun_ < first || now - told_ < between) return;
  told_ = now;
  const double share = done_.load(std::memory_order_relaxed) / total_;
  if (!(share > 0 && share < 1)) return;
  // Of a fit that is under way its steps tell more.
  if (WatchedFit* const fit = WatchedFit::of_thread()) return fit->loop_is_at(share);
  watch_->loop_is_at(share, std::chrono::duration<double>(now - begun_).count());
}

FitWatch::FitWatch() noexcept : outer_(innermost_fit_watch) { innermost_fit_watch = this; }
FitWatch::~FitWatch() { innermost_fit_watch = outer_; }
FitWatch* FitWatch::of_thread() noexcept { return innermost_fit_watch; }

WatchedFit::WatchedFit(double total, bool at_most) noexcept
    : watch_(innermost_fit_watch),
      before_(innermost_watched_fit),
      total_(total),
      at_most_(at_most) {
  if (watch_ == nullptr) return;
  if (before_ != nullptr && before_->step_ == Step::fit) outer_ = before_;
  // A fit that is no step of the one around it says nothing of that one.
  if (before_ != nullptr && outer_ == nullptr) watch_ = nullptr;
  if (watch_ == nullptr) return;
  innermost_watched_fit = this;
  begun_ = told_ = Clock::now();
}

WatchedFit::~WatchedFit() {
  if (watch_ != nullptr) innermost_watched_fit = before_;
}

WatchedFit* WatchedFit::of_thread() noexcept { return innermost_watched_fit; }

// Only the outermost fit counts time: those inside it begin and end often.
void WatchedFit::tell(double share_of_step, bool at_most) noexcept {
  if (watch_ == nullptr) return;
  const double in_step = step_ == Step::none ? 0 : work_of_step_ * std::min(share_of_step, 1.0);
  const double share = (done_ + in_step) / total_;
  if (outer_ != nullptr) return outer_->tell(share, at_most || outer_->at_most_);
  constexpr std::chrono::milliseconds first{500};
  constexpr std::chrono::milliseconds between{200};
  const auto now = Clock::now();
  if (now - begun_ < first || now - told_ < between) return;
  if (!(share > 0 && share < 1)) return;
  told_ = now;
  watch_->fit_is_at({.share = share,
                     .seconds = std::chrono::duration<double>(now - begun_).count(),
                     .at_most = at_most});
}

}  // namespace tandem

#include "tandem/core/loop_watch.hpp"

#include "core/watched_loop.hpp"

namespace tandem {
namespace {

thread_local LoopWatch* innermost = nullptr;
thread_local bool in_watched_loop = false;

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
  watch_->loop_is_at(share, std::chrono::duration<double>(now - begun_).count());
}

}  // namespace tandem

#include "tandem/core/stop_scope.hpp"

#include <atomic>

#include "core/parallel.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/run_control.hpp"

namespace tandem {
namespace {

thread_local StopScope* innermost = nullptr;
thread_local const std::atomic<bool>* team_ended = nullptr;

[[noreturn]] void stop() { throw Interrupted("stopped because an interrupt was received"); }

}  // namespace

StopScope::StopScope(const RunControl* control) noexcept : control_(control), outer_(innermost) {
  if (control != nullptr) innermost = this;
}

StopScope::~StopScope() { innermost = outer_; }

void StopScope::check() {
  if (innermost != nullptr) {
    innermost->ask();
  } else if (team_ended != nullptr && team_ended->load(std::memory_order_relaxed)) {
    stop();
  }
}

void StopScope::ask() {
  if (!control_->stop_requested()) return;
  if (control_->keeps_checkpoints()) {
    using Clock = std::chrono::steady_clock;
    const auto now = Clock::now();
    if (!since_) since_ = now;
    if (std::chrono::duration<double>(now - *since_).count() < patience_seconds) return;
  }
  stop();
}

// A loop inside a piece runs on this thread alone: what ends it is the end of the outer one.
TeamMember::TeamMember(const std::atomic<bool>& ended) noexcept : outer_(team_ended) {
  if (outer_ == nullptr) team_ended = &ended;
}
TeamMember::~TeamMember() { team_ended = outer_; }

}  // namespace tandem

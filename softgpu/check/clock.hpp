// Vector clocks of the threads of kernels: what each thread knows to have happened.
//
// Time is one counter for the whole process. A thread stamps its accesses with the time at which it
// last passed a point that orders it with others (a barrier, a release): its accesses of one
// stretch have one stamp. A clock says, for each thread, up to which stamp its accesses are known:
// an access of thread u with stamp s happened before a thread t whose clock has known(u) > s
// (Lamport, 1978; Flanagan and Freund, "FastTrack", 2009). A GPU has too many threads for an entry
// each; but they nearly always synchronise by blocks and by warps, so that a clock has an entry for
// a block, and below it entries only for those warps and lanes of which more is known.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace softgpu::check {

// A thread's place. Blocks and warps are numbered through all launches of the process.
struct ThreadId {
  std::uint32_t block = 0;
  std::uint32_t warp = 0;
  std::uint32_t lane = 0;
};

struct WarpKnown {
  std::uint32_t warp = 0;
  std::uint32_t all = 0;             // of all of its lanes, accesses with stamps below this
  std::vector<std::uint32_t> lanes;  // empty, or one for each lane
};
struct BlockKnown {
  std::uint32_t block = 0;
  std::uint32_t all = 0;         // of all of its threads
  std::vector<WarpKnown> warps;  // by number
};

// What does not change any more once it is shared; counted by ClockRef, on one thread at a time.
class Clock {
 public:
  [[nodiscard]] std::uint32_t known(const ThreadId& thread) const;
  [[nodiscard]] const BlockKnown* find(std::uint32_t block) const;
  // True where it knows of no other block than this.
  [[nodiscard]] bool is_of_one(std::uint32_t block) const {
    return blocks_.empty() || (blocks_.size() == 1 && blocks_[0].block == block);
  }
  // True where it knows all that the other knows.
  [[nodiscard]] bool covers(const Clock& other) const;
  // Takes over all that the other knows.
  void join(const Clock& other);
  // All of a block's accesses with stamps below `stamp` are known.
  void learn_block(std::uint32_t block, std::uint32_t stamp);
  void learn_warp(std::uint32_t block, std::uint32_t warp, std::uint32_t stamp);
  void learn_lane(const ThreadId& thread, std::uint32_t stamp);

 private:
  friend class ClockRef;
  BlockKnown& of_block(std::uint32_t block);
  WarpKnown& of_warp(std::uint32_t block, std::uint32_t warp);

  std::vector<BlockKnown> blocks_;  // by number
  std::uint32_t references_ = 0;
};

// A shared clock, or none, which knows nothing.
class ClockRef {
 public:
  ClockRef() = default;
  explicit ClockRef(Clock clock) : clock_(new Clock(std::move(clock))) { clock_->references_ = 1; }
  ClockRef(const ClockRef& other) noexcept : clock_(other.clock_) {
    if (clock_ != nullptr) ++clock_->references_;
  }
  ClockRef(ClockRef&& other) noexcept : clock_(std::exchange(other.clock_, nullptr)) {}
  ClockRef& operator=(ClockRef other) noexcept {
    std::swap(clock_, other.clock_);
    return *this;
  }
  ~ClockRef() {
    if (clock_ != nullptr && --clock_->references_ == 0) delete clock_;
  }
  [[nodiscard]] const Clock* get() const noexcept { return clock_; }
  [[nodiscard]] explicit operator bool() const noexcept { return clock_ != nullptr; }
  friend bool operator==(const ClockRef&, const ClockRef&) = default;

 private:
  Clock* clock_ = nullptr;
};

// What both know; one of them itself where the other knows nothing.
[[nodiscard]] ClockRef joined(const ClockRef& a, const ClockRef& b);

}  // namespace softgpu::check

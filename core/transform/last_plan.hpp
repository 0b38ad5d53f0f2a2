// Training rows that stay as they are while a chain of transforms is fitted on them.
#pragma once

namespace tandem {

// While it lives, a chain that its thread fits (TransformChain::fit) does not carry out on the rows
// what it has planned, where that is one plan: what transforms learn they learn from the plan. So
// indicators of many categories need not be written out to be known.
class LastPlanLeft {
 public:
  LastPlanLeft() noexcept;
  LastPlanLeft(const LastPlanLeft&) = delete;
  LastPlanLeft& operator=(const LastPlanLeft&) = delete;
  ~LastPlanLeft();

  // Whether a chain has left its rows as they were, but for those that a transform dropped.
  [[nodiscard]] bool left() const noexcept { return left_; }
  void leave() noexcept { left_ = true; }
  // The calling thread's innermost one, or null.
  [[nodiscard]] static LastPlanLeft* of_thread() noexcept;

 private:
  LastPlanLeft* outer_;
  bool left_ = false;
};

}  // namespace tandem

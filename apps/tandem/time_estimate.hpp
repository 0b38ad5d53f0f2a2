// How long a run will take, by the steps that it has reported.
#pragma once

#include <optional>
#include <string_view>

#include "tandem/core/run_control.hpp"

namespace tandem::program {

struct TimeEstimate {
  double seconds = 0;  // from the start of the run to its end
  double after = 0;    // seconds from the start of the run when it was made
  // The run may end earlier: steps are counted up to the most there can be.
  bool at_most = false;
};

// Follows the reports of one run. Times are seconds since the run began.
//
// The first report is where measuring begins, since what comes before it is more than one step:
// seeding, binning, a checkpoint that is read. Folds and candidates have nothing before them and
// are measured from the start of the run, unless it was resumed. Nothing is estimated of the levels
// of a tree, whose number nobody knows before.
class StepTimes {
 public:
  // The steps are run through `passes` times, by k-means once from each of its starts.
  explicit StepTimes(bool resumed = false, Index passes = 1)
      : resumed_(resumed), passes_(passes > 1 ? passes : 1) {}

  void note(const Progress& progress, double now) {
    const bool known = progress.total > 0 && alike(progress.stage);
    const double share =
        known ? static_cast<double>(progress.done) / static_cast<double>(progress.total) : 0;
    // An epoch's share and that of its last batch may differ in their last bits.
    constexpr double rounding = 1e-9;
    const bool again = begun_ && known && known_ && share < last_share_ - rounding;
    if (again && passes_ > 1 && pass_ + 1 < passes_) {
      ++pass_;
    } else if (!begun_ || again || known != known_) {
      const bool from_start = !begun_ && !resumed_ && whole(progress.stage);
      origin_ = from_start ? 0 : now;
      origin_share_ = from_start ? 0 : overall(share);
    }
    begun_ = true;
    known_ = known;
    last_share_ = share;
    share_ = overall(share);
    now_ = now;
    at_most_ = may_end_early(progress.stage);
  }

  // Seconds from the latest report to the end; nothing before there are steps to judge by.
  [[nodiscard]] std::optional<double> left() const {
    const double measured = share_ - origin_share_;
    // The start at which k-means goes on is not known, and so neither is how many are left.
    if (!known_ || !(measured > 0) || (resumed_ && passes_ > 1)) return {};
    return (now_ - origin_) * (share_ < 1 ? 1 - share_ : 0) / measured;
  }
  // Seconds that left() is judged by.
  [[nodiscard]] double measured() const { return now_ - origin_; }
  [[nodiscard]] bool at_most() const { return at_most_; }

  [[nodiscard]] std::optional<TimeEstimate> estimate() const {
    const auto rest = left();
    if (!rest) return {};
    return TimeEstimate{now_ + *rest, now_, at_most_};
  }

 private:
  // Iterations, epochs and rounds end early where they come to nothing more.
  static bool may_end_early(std::string_view stage) {
    return stage == "iteration" || stage == "epoch" || stage == "batch" || stage == "round";
  }
  // Steps with nothing before the first of them. Fits of growing size are counted in the rows and
  // in the centres that they are made of.
  static bool whole(std::string_view stage) {
    return stage == "fold" || stage == "candidate" || stage == "training row" || stage == "centre";
  }
  static bool alike(std::string_view stage) {
    return may_end_early(stage) || whole(stage) || stage == "tree" || stage == "row" ||
           stage == "part" || stage == "shuffle";
  }
  [[nodiscard]] double overall(double share) const {
    return (static_cast<double>(pass_) + share) / static_cast<double>(passes_);
  }

  bool resumed_;
  Index passes_;
  Index pass_ = 0;
  bool begun_ = false;
  bool known_ = false;
  bool at_most_ = false;
  double origin_ = 0;
  double origin_share_ = 0;
  double last_share_ = 0;
  double share_ = 0;
  double now_ = 0;
};

}  // namespace tandem::program

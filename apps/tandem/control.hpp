// Progress of a run for the person at the terminal, and how that person stops it.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "tandem/core/engine.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/model/pipeline_options.hpp"
#include "tandem/time_estimate.hpp"

namespace tandem::program {

// From now on the first SIGINT or SIGTERM asks the run to stop at a safe point. Where it has come
// to none in 0.7 s (the last state that it kept is saved then), wherever it is (in a factorisation,
// waiting for a pipe), the process ends all the same, with status 130 and no temporary files left.
// The second signal kills it. A write to a closed pipe, or beyond the size that a file may have,
// becomes an error.
void install_signal_handlers();
// Sets the message, after "tandem: error: ", of a run that did not come to a safe point in time.
void set_last_words(const std::string& text);
[[nodiscard]] bool interrupted() noexcept;
// Throws Interrupted where a signal has come; for the gaps between stages.
void check_interrupt();

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  // Seconds until now; starts again.
  double lap() {
    const double elapsed = seconds();
    start_ = std::chrono::steady_clock::now();
    return elapsed;
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Processor time that all threads of this process have used.
[[nodiscard]] double processor_seconds() noexcept;

struct ControlOptions {
  bool quiet = false;
  std::string checkpoint;  // empty: none is kept
  double checkpoint_every = 60;
  std::string resume;  // a checkpoint to start from
  Archive run;         // must be equal for a run to be resumed
  // The time that the whole command takes is told, on a terminal and by add_estimate().
  bool estimates = false;
  Index passes = 1;  // how often the steps are run through, by k-means from each of its starts
};

// A record of all that a run must have in common with the one whose checkpoint it goes on from: the
// algorithm, its options and those of the steps, seed, precision, numerics, the data's fingerprint.
[[nodiscard]] Archive run_record(const Engine& engine, const PipelineOptions& pipeline,
                                 Precision precision, std::uint64_t data);

// Progress is one line that is written over and over, on a terminal only. Where the first steps, a
// second's worth at least, show that the run will take long, a line that stays tells how long.
class ProgramControl final : public RunControl {
 public:
  // Throws InputError where the checkpoint to resume from belongs to another run.
  explicit ProgramControl(ControlOptions options);
  ~ProgramControl() override;

  void report(const Progress& progress) override;
  [[nodiscard]] bool stop_requested() const noexcept override { return interrupted(); }
  // True also where a state is only to be kept in memory, from which a run that is stopped in the
  // middle of an iteration is saved.
  [[nodiscard]] bool checkpoint_due() override;
  // Not any more where a stop has been wanted for 0.4 s: an iteration that takes longer is left in
  // its middle, and save_last_state() writes what it began with.
  [[nodiscard]] bool keeps_checkpoints() const noexcept override;
  void save_checkpoint(const Archive& state) override;
  [[nodiscard]] const Archive* resume_state() const noexcept override;

  // The run is over: clears the line.
  void finish();
  // The result is safe: removes the checkpoints.
  void remove_checkpoints();
  // The run was stopped: writes the latest state that was kept in memory. True where there is a
  // checkpoint to go on from.
  bool save_last_state();
  // Made once, when steps of a second or more have been measured.
  [[nodiscard]] const std::optional<TimeEstimate>& estimate() const noexcept { return estimate_; }

 private:
  void make_estimate();
  void write_checkpoint(const Archive& state);

  ControlOptions options_;
  std::optional<Archive> state_;
  std::optional<TimeEstimate> estimate_;
  bool terminal_;
  bool line_shown_ = false;
  bool saved_ = false;
  Stopwatch since_start_;
  Stopwatch since_line_;
  Stopwatch since_checkpoint_;
  // The state of the latest iteration, where it is not on disk.
  std::optional<Archive> kept_;
  bool keep_only_ = false;    // the state that comes next
  double state_seconds_ = 0;  // that the making of a state took
  Stopwatch since_state_;
  Stopwatch making_state_;
  mutable std::optional<Stopwatch> since_stop_;  // was first seen
  StepTimes times_;
  Index first_done_ = -1;
};

// Adds "estimate" to a command's JSON where the run has made one.
void add_estimate(nlohmann::json& json, const ProgramControl& control);

}  // namespace tandem::program

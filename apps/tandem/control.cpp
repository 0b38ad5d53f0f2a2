#include "tandem/control.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/config.hpp"
#include "tandem/core/archive_kind.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/fit_watch.hpp"
#include "tandem/core/loop_watch.hpp"
#include "tandem/core/temporary_files.hpp"
#include "tandem/core/visible.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

volatile std::sig_atomic_t signal_received = 0;

// The message of a run that did not stop by itself in time. A signal handler reads it, so the text
// is complete before the pointer is changed, and it is never freed.
std::atomic<const std::string*> last_words{nullptr};
std::atomic<long> patience_ms{0};
timer_t overdue_timer{};
bool has_timer = false;

// Time is up: the process ends here, wherever its threads are.
[[noreturn]] void end_overdue() {
  remove_temporary_files();
  if (::isatty(STDERR_FILENO) == 1) (void)!::write(STDERR_FILENO, "\r\033[K", 4);
  if (const std::string* text = last_words.load()) {
    (void)!::write(STDERR_FILENO, text->data(), text->size());
  }
  ::_exit(130);
}

void on_overdue(int /*number*/) { end_overdue(); }

void on_signal(int number) {
  const int saved = errno;
  signal_received = number;
  if (has_timer) {
    const long ms = patience_ms.load();
    itimerspec due{};
    due.it_value.tv_sec = ms / 1000;
    due.it_value.tv_nsec = ms % 1000 * 1'000'000;
    (void)::timer_settime(overdue_timer, 0, &due, nullptr);
  }
  errno = saved;
}

// A run that keeps checkpoints may take longer to come to a point where it can save one.
constexpr long ms_to_stop = 700;
constexpr long ms_to_save = 5000;

std::string duration(double seconds) {
  char text[40];
  if (seconds < 90) {
    std::snprintf(text, sizeof text, "%.0f s", seconds);
  } else if (seconds < 5400) {
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  } else {
    std::snprintf(text, sizeof text, "%.1f h", seconds / 3600);
  }
  return text;
}

// The states that are kept and written, by the run and by the watch below.
std::mutex state_mutex;

// While a run keeps checkpoints: where it has come to no safe point in time after a signal, saves
// the last state from a thread of its own, which a signal handler could not, and ends the process.
class Watch {
 public:
  explicit Watch(std::function<void()> save)
      : save_(std::move(save)), thread_([this] { watch(); }) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() {
    {
      const std::lock_guard<std::mutex> lock(ending_);
      ended_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

 private:
  void watch() {
    constexpr auto look_every = std::chrono::milliseconds(50);
    Stopwatch since_signal;
    std::unique_lock<std::mutex> lock(ending_);
    while (!wake_.wait_for(lock, look_every, [this] { return ended_; })) {
      if (!interrupted()) {
        since_signal.lap();
      } else if (since_signal.seconds() * 1000 >= static_cast<double>(ms_to_stop)) {
        const std::lock_guard<std::mutex> states(state_mutex);
        try {
          save_();
        } catch (const std::exception&) {
          // The checkpoint before it stays.
        }
        end_overdue();
      }
    }
  }

  std::function<void()> save_;
  std::mutex ending_;
  std::condition_variable wake_;
  bool ended_ = false;
  std::thread thread_;
};

std::unique_ptr<Watch> watch_of_run;

constexpr double least_judged = 1;   // seconds that an estimate is made of
constexpr double worth_a_line = 20;  // seconds that a line is written for

// "this will take ..." of a run that keeps its state in `checkpoint`, if it does.
void say_time(const std::string& what, double rest, double judged_by,
              const std::string& checkpoint) {
  note(what + " about " + duration(rest) + " more, judged by its first " + duration(judged_by) +
       "; Ctrl-C ends it" + (checkpoint.empty() ? "" : " and keeps its state in " + checkpoint));
}

// How far a long loop is before there are steps to count, as in the first iteration or level, and
// where there are none, as in an evaluation. Says so on a terminal.
class LoopTimes final : public LoopWatch, public FitWatch {
 public:
  LoopTimes(std::string keeps_in, bool terminal)
      : keeps_in_(std::move(keeps_in)), terminal_(terminal) {}

  void loop_is_at(double share, double seconds) noexcept override {
    take({share, seconds, false}, false);
  }
  void fit_is_at(const FitShare& fit) noexcept override { take(fit, true); }
  // From now on steps say more than loops do.
  void leave_to_steps() { steps_tell_ = true; }
  void clear() {
    if (shown_) std::fputs("\r\033[K", stderr);
    shown_ = false;
  }
  // Of the whole run; made once, by a second of its first step or more.
  [[nodiscard]] const std::optional<TimeEstimate>& estimate() const { return estimate_; }

 private:
  void take(const FitShare& at, bool whole) noexcept {
    if (steps_tell_) return;
    try {
      say(at, whole);
    } catch (const std::exception&) {
      steps_tell_ = true;  // no memory for a line is no reason to end the run
    }
  }
  void say(const FitShare& at, bool whole) {
    const double rest = at.seconds * (1 - at.share) / at.share;
    const bool judged = at.seconds >= least_judged;
    const bool first = judged && whole && !estimate_;
    if (first) {
      const double now = since_start_.seconds();
      estimate_ = TimeEstimate{now + rest, now, at.at_most};
    }
    if (!terminal_) return;
    const std::string most = at.at_most ? " at most" : "";
    if (rest >= worth_a_line && first) {
      clear();
      say_time("this will take" + most, rest, at.seconds, keeps_in_);
    } else if (rest >= worth_a_line && judged && !whole && !step_told_) {
      step_told_ = true;
      clear();
      say_time("the step that has begun will take", rest, at.seconds, keeps_in_);
    }
    std::fprintf(stderr, "\r\033[K%.1f %%%s,%s about %s left", 100 * at.share,
                 whole ? "" : " of a step", most.c_str(), duration(rest).c_str());
    std::fflush(stderr);
    shown_ = true;
  }

  std::string keeps_in_;
  bool terminal_;
  Stopwatch since_start_;
  std::optional<TimeEstimate> estimate_;
  bool step_told_ = false;
  bool shown_ = false;
  bool steps_tell_ = false;
};

// Of the first run that is under way: those inside it are its steps.
std::unique_ptr<LoopTimes> loops_of_run;

// What a state takes that is kept beside the run's own: more would be a doubling of what the run
// was judged to need.
constexpr std::size_t most_kept_bytes = std::size_t{1} << 30;

std::size_t bytes_of(const Archive& state) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : state.entries()) {
    if (const auto* const tensor = std::get_if<Archive::Tensor>(&value)) {
      std::visit([&](const auto& data) { bytes += data.size() * sizeof(data[0]); }, tensor->data);
    }
  }
  return bytes;
}

}  // namespace

void set_last_words(const std::string& text) {
  static std::deque<std::string> kept;
  last_words = &kept.emplace_back("tandem: error: " + visible(text, "") + "\n");
}

void install_signal_handlers() {
  set_last_words("stopped because an interrupt was received");
  patience_ms = ms_to_stop;
  struct sigaction overdue {};
  overdue.sa_handler = on_overdue;
  sigaction(SIGALRM, &overdue, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGALRM;
  has_timer = ::timer_create(CLOCK_MONOTONIC, &event, &overdue_timer) == 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  // The second signal meets the default action: it kills.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

double processor_seconds() noexcept {
  timespec now{};
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

bool interrupted() noexcept { return signal_received != 0; }

void check_interrupt() {
  if (interrupted()) throw Interrupted("stopped because an interrupt was received");
}

Archive run_record(const Engine& engine, const PipelineOptions& pipeline, Precision precision,
                   std::uint64_t data) {
  Archive run;
  run.set("algorithm", pipeline.algorithm().name());
  run.set("version", TANDEM_VERSION);
  run.set("numerics", to_string(engine.numerics()));
  // Devices agree bit for bit in exact mode only, and the reference stands apart.
  if (engine.numerics() != Numerics::exact || engine.device() == Device::reference) {
    run.set("device", to_string(engine.device()));
  }
  run.set("precision", to_string(precision));
  run.set("seed", static_cast<std::int64_t>(pipeline.seed()));
  run.set_part("options", pipeline.algorithm().options());
  run.set_part("steps", pipeline.record_steps());
  run.set("data", static_cast<std::int64_t>(data));
  return run;
}

namespace {

// Throws InputError where the checkpoint belongs to another run.
Archive state_to_resume(const ControlOptions& options) {
  const Archive checkpoint = read_archive(options.resume, "checkpoint");
  const Archive run = checkpoint.part("run");
  // Data of another precision differ too: what the caller chose is named before what follows.
  std::vector<std::string> names{"version", "algorithm", "precision", "numerics", "device"};
  for (const auto& [name, value] : options.run.entries()) {
    if (name != "data" && std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  }
  names.emplace_back("data");
  for (const std::string& name : names) {
    if (!options.run.has(name)) continue;
    const auto found = run.entries().find(name);
    if (found != run.entries().end() && found->second == options.run.entries().at(name)) continue;
    // Options of the algorithm and of the preprocessing have the name of their group in front.
    std::string what = option(name.substr(name.rfind('/') + 1)) + " differs";
    if (name == "data") what = "the data differ";
    if (name == "algorithm") what = "the algorithm differs";
    if (name == "version") what = "the version of Tandem differs";
    throw InputError(options.resume + ": belongs to another run: " + what +
                     "; give the same data and options as then, or leave --resume out");
  }
  for (const auto& [name, value] : run.entries()) {
    if (!options.run.has(name)) {
      throw InputError(options.resume + ": belongs to another run: it has an option " +
                       option(name.substr(name.rfind('/') + 1)) + " that this one has not");
    }
  }
  return checkpoint.part("state");
}

}  // namespace

ProgramControl::ProgramControl(ControlOptions options)
    : options_(std::move(options)),
      terminal_(!options_.quiet && ::isatty(STDERR_FILENO) == 1),
      times_(!options_.resume.empty(), options_.passes) {
  if (!options_.resume.empty()) state_ = state_to_resume(options_);
  if (options_.estimates && !loops_of_run) {
    loops_of_run = std::make_unique<LoopTimes>(options_.checkpoint, terminal_);
  }
  if (options_.checkpoint.empty()) return;
  patience_ms = ms_to_save;
  watch_of_run = std::make_unique<Watch>([this] {
    if (kept_) write_checkpoint(*kept_);
  });
}

ProgramControl::~ProgramControl() {
  if (!options_.checkpoint.empty()) watch_of_run.reset();
  finish();
  loops_of_run.reset();
  patience_ms = ms_to_stop;
}

void ProgramControl::finish() {
  if (loops_of_run) loops_of_run->clear();
  if (!line_shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  line_shown_ = false;
}

// Once, when there is a second to judge by.
void ProgramControl::make_estimate() {
  if (!options_.estimates || estimate_ || times_.measured() < least_judged) return;
  estimate_ = times_.estimate();
  // The loops of the first step have said it already.
  const bool said = loops_of_run && loops_of_run->estimate();
  if (!estimate_ || !terminal_ || said) return;
  const double rest = estimate_->seconds - estimate_->after;
  if (rest < worth_a_line) return;
  finish();
  say_time(std::string("this will take") + (estimate_->at_most ? " at most" : ""), rest,
           estimate_->after, options_.checkpoint);
}

void ProgramControl::report(const Progress& progress) {
  const double elapsed = since_start_.seconds();
  times_.note(progress, elapsed);
  if (loops_of_run && times_.left()) loops_of_run->leave_to_steps();
  make_estimate();
  if (!terminal_) return;
  if (first_done_ < 0) {
    first_done_ = options_.resume.empty() ? progress.done - 1 : progress.done;
  }
  if (line_shown_ && since_line_.seconds() < 0.1) return;
  // A run that is over in a moment needs no line.
  if (!line_shown_ && elapsed < 0.5) return;
  std::string line = std::string(progress.stage) + " " + std::to_string(progress.done);
  if (progress.total > 0) line += "/" + std::to_string(progress.total);
  if (!progress.objective_name.empty()) {
    line += "  " + std::string(progress.objective_name) + " " + readable(progress.objective);
  }
  const auto done = static_cast<double>(progress.done - first_done_);
  if (done > 0 && elapsed > 0 && progress.stage != "part") {
    line += "  " + readable(std::round(done / elapsed * 100) / 100) + "/s";
  }
  if (const auto rest = times_.left(); rest && *rest > 0) {
    line += std::string(times_.at_most() ? "  at most " : "  about ") + duration(*rest) + " left";
  }
  std::fprintf(stderr, "\r\033[K%s", line.substr(0, 100).c_str());
  std::fflush(stderr);
  line_shown_ = true;
  since_line_.lap();
}

bool ProgramControl::keeps_checkpoints() const noexcept {
  constexpr double patience = 0.4;  // seconds
  if (options_.checkpoint.empty()) return false;
  if (!interrupted()) return true;
  if (!since_stop_) since_stop_.emplace();
  return since_stop_->seconds() < patience;
}

// Between checkpoints, iterations that take long leave their states in memory: where a run has to
// stop in the middle of one, the state before it is written. Making states takes a twentieth of
// the time at most.
bool ProgramControl::checkpoint_due() {
  constexpr double least_worth_keeping = 0.05;  // seconds
  constexpr double least_share = 20;
  keep_only_ = false;
  if (options_.checkpoint.empty()) return false;
  making_state_.lap();
  if (since_checkpoint_.seconds() >= options_.checkpoint_every) return true;
  keep_only_ =
      since_state_.seconds() >= std::max(least_worth_keeping, least_share * state_seconds_);
  return keep_only_;
}

void ProgramControl::save_checkpoint(const Archive& state) {
  if (options_.checkpoint.empty()) return;
  const std::lock_guard<std::mutex> lock(state_mutex);
  if (std::exchange(keep_only_, false) && !interrupted()) {
    kept_.reset();  // first, since both together may take more memory than there is
    if (bytes_of(state) <= most_kept_bytes) kept_ = state;
    state_seconds_ = making_state_.seconds();
    since_state_.lap();
    return;
  }
  write_checkpoint(state);
}

void ProgramControl::write_checkpoint(const Archive& state) {
  Archive checkpoint;
  checkpoint.set_part("run", options_.run);
  checkpoint.set_part("state", state);
  write_archive(options_.checkpoint, checkpoint, "checkpoint");
  saved_ = true;
  kept_.reset();
  set_last_words("stopped because an interrupt was received; to go on, add --resume " +
                 options_.checkpoint + " to the same command");
  since_checkpoint_.lap();
  since_state_.lap();
}

bool ProgramControl::save_last_state() {
  if (!options_.checkpoint.empty()) watch_of_run.reset();
  if (kept_) write_checkpoint(*kept_);
  return saved_;
}

void add_estimate(nlohmann::json& json, const ProgramControl& control) {
  // The run that asks is the one under way; what its first loops said came first.
  const bool by_loops = loops_of_run && loops_of_run->estimate();
  if (!by_loops && !control.estimate()) return;
  const TimeEstimate& estimate = by_loops ? *loops_of_run->estimate() : *control.estimate();
  json["estimate"] = {
      {"seconds", estimate.seconds}, {"after", estimate.after}, {"at_most", estimate.at_most}};
}

const Archive* ProgramControl::resume_state() const noexcept { return state_ ? &*state_ : nullptr; }

void ProgramControl::remove_checkpoints() {
  if (!options_.checkpoint.empty()) watch_of_run.reset();
  // Whatever has been put in their place meanwhile stays.
  for (const std::string& path : {saved_ ? options_.checkpoint : "", options_.resume}) {
    if (!path.empty() && archive_kind(path) == "checkpoint") ::unlink(path.c_str());
  }
}

}  // namespace tandem::program

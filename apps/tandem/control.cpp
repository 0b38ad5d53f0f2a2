#include "tandem/control.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tandem/core/error.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

volatile std::sig_atomic_t signal_received = 0;

void on_signal(int number) { signal_received = number; }

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

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  // The second signal meets the default action: it kills.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
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

ProgramControl::ProgramControl(ControlOptions options)
    : options_(std::move(options)), terminal_(!options_.quiet && ::isatty(STDERR_FILENO) == 1) {
  if (options_.resume.empty()) return;
  const Archive checkpoint = read_archive(options_.resume, "checkpoint");
  const Archive run = checkpoint.part("run");
  for (const auto& [name, value] : options_.run.entries()) {
    const auto found = run.entries().find(name);
    if (found != run.entries().end() && found->second == value) continue;
    // Options of the algorithm and of the preprocessing have the name of their group in front.
    std::string what = option(name.substr(name.rfind('/') + 1)) + " differs";
    if (name == "data") what = "the data differ";
    if (name == "algorithm") what = "the algorithm differs";
    if (name == "version") what = "the version of Tandem differs";
    throw InputError(options_.resume + ": belongs to another run: " + what +
                     "; give the same data and options as then, or leave --resume out");
  }
  for (const auto& [name, value] : run.entries()) {
    if (!options_.run.has(name)) {
      throw InputError(options_.resume + ": belongs to another run: it has an option " +
                       option(name.substr(name.rfind('/') + 1)) + " that this one has not");
    }
  }
  state_ = checkpoint.part("state");
}

ProgramControl::~ProgramControl() { finish(); }

void ProgramControl::finish() {
  if (!line_shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  line_shown_ = false;
}

void ProgramControl::report(const Progress& progress) {
  if (!terminal_) return;
  if (first_done_ < 0) first_done_ = progress.done - 1;
  if (line_shown_ && since_line_.seconds() < 0.1) return;
  // A run that is over in a moment needs no line.
  const double elapsed = since_start_.seconds();
  if (!line_shown_ && elapsed < 0.5) return;
  std::string line = std::string(progress.stage) + " " + std::to_string(progress.done);
  if (progress.total > 0) line += "/" + std::to_string(progress.total);
  if (!progress.objective_name.empty()) {
    line += "  " + std::string(progress.objective_name) + " " + readable(progress.objective);
  }
  const auto done = static_cast<double>(progress.done - first_done_);
  if (done > 0 && elapsed > 0) {
    const double rate = done / elapsed;
    line += "  " + readable(std::round(rate * 100) / 100) + "/s";
    if (progress.total > progress.done) {
      line += "  at most " + duration(static_cast<double>(progress.total - progress.done) / rate) +
              " left";
    }
  }
  std::fprintf(stderr, "\r\033[K%s", line.substr(0, 100).c_str());
  std::fflush(stderr);
  line_shown_ = true;
  since_line_.lap();
}

bool ProgramControl::checkpoint_due() {
  return since_checkpoint_.seconds() >= options_.checkpoint_every;
}

void ProgramControl::save_checkpoint(const Archive& state) {
  if (options_.checkpoint.empty()) return;
  Archive checkpoint;
  checkpoint.set_part("run", options_.run);
  checkpoint.set_part("state", state);
  write_archive(options_.checkpoint, checkpoint, "checkpoint");
  saved_ = true;
  since_checkpoint_.lap();
}

const Archive* ProgramControl::resume_state() const noexcept { return state_ ? &*state_ : nullptr; }

void ProgramControl::remove_checkpoints() {
  if (saved_) ::unlink(options_.checkpoint.c_str());
  if (!options_.resume.empty()) ::unlink(options_.resume.c_str());
}

}  // namespace tandem::program

// A fit's connection to the interpreter: signals and progress.
#pragma once

#include <chrono>
#include <optional>

#include "binding.hpp"
#include "tandem/core/run_control.hpp"

namespace tandem::python {

// Made by a thread that holds the GIL and used by one that does not. Signals reach Python code of
// the main thread only; in another thread a fit goes on, as Python's own loops do.
class Control final : public RunControl {
 public:
  // `progress` is None, or is called with (stage, done, total, objective name, objective).
  explicit Control(nb::handle progress) : progress_(progress) {}

  void report(const Progress& progress) override {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + between_;
    const nb::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) {
      error_.emplace();
      return;
    }
    if (progress_.is_none()) return;
    try {
      progress_(nb::str(progress.stage.data(), progress.stage.size()), progress.done,
                progress.total,
                nb::str(progress.objective_name.data(), progress.objective_name.size()),
                progress.objective);
    } catch (nb::python_error& error) {
      error_.emplace(std::move(error));
    }
  }
  [[nodiscard]] bool stop_requested() const noexcept override { return error_.has_value(); }

  // What a signal's handler or the progress function raised; with the GIL.
  void raise() {
    if (!error_) return;
    nb::python_error error = std::move(*error_);
    error_.reset();
    throw error;
  }

 private:
  static constexpr std::chrono::milliseconds between_{20};
  nb::handle progress_;
  std::optional<nb::python_error> error_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace tandem::python

// What the runtime and the executor tell the profiler: the order of the program's work, and each
// launch that was profiled. At the end of the process it becomes a file.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "softgpu/profile/profile.hpp"

namespace softgpu::profile {

// What the environment asks for. A wrong value ends the process with status 2.
//   SOFTGPU_PROFILE         a file that gets, at exit, what kernels did line by line (none); the
//                           blocks of a launch then run on one core
//   SOFTGPU_PROFILE_KERNEL  only kernels whose name without parameters matches, with * and ? (all)
//   SOFTGPU_PROFILE_LAUNCH  only the launch of this number, counted from 1 (0: all)
struct Settings {
  std::string file;
  std::string kernel;
  std::uint64_t launch = 0;
};
[[nodiscard]] const Settings& settings();

enum class Recording : std::uint8_t { unknown, no, yes };
inline std::atomic<Recording> recording_state{Recording::unknown};
[[nodiscard]] bool find_out_recording();

// SOFTGPU_PROFILE names a file. Nothing below is to be called where it does not. Inline, because
// every call of a program that is not profiled asks it.
[[nodiscard]] inline bool recording() {
  const Recording state = recording_state.load(std::memory_order_relaxed);
  return state == Recording::unknown ? find_out_recording() : state == Recording::yes;
}

struct StreamOfWork {
  std::uint64_t id = 0;
  int device = 0;
  bool legacy = false;
  bool blocking = false;
};

// The runtime's tasks are known by their addresses, as long as they live.
using TaskAddress = const void*;

// A piece of work is enqueued, after `also`, too, where that is not null.
void enqueued(const StreamOfWork& stream, TaskAddress task, TaskAddress also);
// The host waits for a piece of work, for a stream, for a device.
void host_waits_for(TaskAddress task);
void host_waits_for(const StreamOfWork& stream);
void host_waits_for_device(int device);

// The number of the current work of this thread, to which belongs what is said to begin; -1 where
// there is none.
[[nodiscard]] std::int64_t current_work();
// Makes a task's work the current one, or that of a number; returns the number of the one before.
std::int64_t set_current_work(TaskAddress task);
void set_current_work(std::int64_t number);

// While this lives, a task's work is the current one. Nothing where nothing is recorded.
class CurrentWork {
 public:
  explicit CurrentWork(TaskAddress task) {
    if (recording()) before_ = set_current_work(task);
  }
  ~CurrentWork() {
    if (recording()) set_current_work(before_);
  }
  CurrentWork(const CurrentWork&) = delete;
  CurrentWork& operator=(const CurrentWork&) = delete;

 private:
  std::int64_t before_ = -1;
};

// The current work is this; where it was something already (a graph has many nodes), what follows
// it in its stream is. Returns its number.
std::int64_t begins(Work::Kind kind, const std::string& name, std::uint64_t bytes);
// A copy, by where its bytes lie.
void begins_copy(const void* to, const void* from, std::uint64_t bytes);

// Adds a launch to those of its kernel and configuration; `work` is its number.
void add_launch(const Kernel& launch, std::int64_t work);

// Writes the file now. Called at the end of the process, or before it where that end is sudden.
void write_recorded();

}  // namespace softgpu::profile

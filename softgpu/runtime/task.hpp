// The order of work.
//
// Every piece of work is a task with a place in its stream's order. It runs in the thread that
// enqueues it, as soon as the work that it has to follow is done, and the call returns afterwards:
// nearly always nothing is left to wait for then. A kernel that waits for the host, or for a kernel
// that is still to be launched, goes on in the background; work that has to follow it is then put
// off, in a thread of its own, instead of holding up the caller.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "softgpu/check/order.hpp"

namespace softgpu {
class KernelRun;
}

namespace softgpu::cuda {

struct Stream;

struct Task {
  check::WorkOrderRef order;  // for the checker; nullptr where nothing is checked
  std::uint64_t stream = 0;
  int device = 0;
  bool legacy = false;    // of the legacy default stream, which waits for blocking streams
  bool blocking = false;  // of a stream that waits for the legacy one
  // Under a lock of task.cpp.
  bool done = false;
  bool background = false;
  std::vector<std::shared_ptr<Task>> before;  // tasks that have to be done first
};
using TaskRef = std::shared_ptr<Task>;

// A piece of work's place in the order, from its construction until it is done: when this is
// destroyed, or when the background thread ends that it was handed to.
class Turn {
 public:
  // After the work that the stream waits for, and after `also` (which may hold nullptr).
  explicit Turn(const Stream& stream, TaskRef also = nullptr,
                check::WorkKind kind = check::WorkKind::other);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  // Waits for what is before it: true where all of that is done, false where something of it is in
  // the background.
  [[nodiscard]] bool comes();
  // Waits for all that is before it.
  void wait();
  // Runs `rest` when all before it is done, in a thread of its own. Not after a fault of a kernel.
  void continue_in_background(std::function<void()> rest);
  // The same, and waits for its end; after `most` it goes on in the background.
  void continue_aside(std::function<void()> rest, std::chrono::duration<double> most);
  [[nodiscard]] const TaskRef& task() const { return task_; }

 private:
  void start(std::function<void()> rest, bool background);

  TaskRef task_;
  bool handed_over_ = false;
};

[[nodiscard]] bool is_done(const TaskRef& task);  // also where it is nullptr
void wait_for(const TaskRef& task);

// Work enqueued so far, by this or any thread: of the stream, and where that is the legacy one, of
// those that it waits for.
[[nodiscard]] bool is_idle(const Stream& stream);
void wait_for_stream(const Stream& stream);
// All that new work of the stream would have to wait for.
void wait_for_turn(const Stream& stream);
void wait_for_device(int device);
void wait_for_all_devices();

// While one lives, its kernel is stopped when the process ends.
class StoppedAtExit {
 public:
  explicit StoppedAtExit(KernelRun& run);
  ~StoppedAtExit();
  StoppedAtExit(const StoppedAtExit&) = delete;
  StoppedAtExit& operator=(const StoppedAtExit&) = delete;

 private:
  KernelRun& run_;
};

// The process ends: stops kernels in the background, as the loss of its context does on a device,
// and waits until their threads are gone.
void stop_background_work();

}  // namespace softgpu::cuda

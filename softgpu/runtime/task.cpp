#include "softgpu/runtime/task.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "softgpu/device/options.hpp"
#include "softgpu/exec/launch.hpp"
#include "softgpu/profile/recorder.hpp"
#include "softgpu/runtime/state.hpp"
#include "softgpu/runtime/stream.hpp"

namespace softgpu::cuda {
namespace {

// How long the end of the process waits for threads in the background, which may be in a host
// function of the program.
constexpr std::chrono::seconds longest_goodbye{5};

struct Order {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<TaskRef> open;  // in the order of their places
  int background_threads = 0;
  std::set<KernelRun*> running;
  bool stopping = false;
};
Order& order() {
  static auto* order = new Order;  // outlives every static of the program
  return *order;
}

bool follows(const Stream& stream, const Task& task) {
  if (task.device != stream.device) return false;
  if (task.stream == stream.id) return true;
  if (stream.kind == Stream::Kind::legacy) return task.blocking;
  return stream.blocking() && task.legacy;
}

check::StreamOrder order_of(const Stream& stream) {
  const bool legacy = stream.kind == Stream::Kind::legacy;
  return {stream.id, stream.device, legacy, stream.blocking() && !legacy};
}

profile::StreamOfWork stream_of_work(const Stream& stream) {
  const check::StreamOrder order = order_of(stream);
  return {order.id, order.device, order.legacy, order.blocking};
}

bool belongs_to(const Stream& stream, const Task& task) {
  return task.stream == stream.id || (stream.kind == Stream::Kind::legacy && follows(stream, task));
}

void finish(const TaskRef& task) {
  Order& of = order();
  {
    const std::scoped_lock lock(of.mutex);
    task->done = true;
    task->before.clear();
    std::erase(of.open, task);
  }
  of.changed.notify_all();
}

bool all_done(const std::vector<TaskRef>& tasks) {
  return std::ranges::all_of(tasks, [](const TaskRef& task) { return task->done; });
}

// Waits for those open tasks that `chosen` picks now.
template <class Chosen>
void wait_for_open(Chosen&& chosen) {
  Order& of = order();
  std::unique_lock lock(of.mutex);
  std::vector<TaskRef> tasks;
  for (const TaskRef& task : of.open) {
    if (chosen(*task)) tasks.push_back(task);
  }
  if (!tasks.empty()) of.changed.wait(lock, [&] { return all_done(tasks); });
}

}  // namespace

Turn::Turn(const Stream& stream, TaskRef also, check::WorkKind kind)
    : task_(std::make_shared<Task>()) {
  task_->stream = stream.id;
  task_->device = stream.device;
  task_->legacy = stream.kind == Stream::Kind::legacy;
  task_->blocking = stream.blocking() && !task_->legacy;
  if (options().check)
    task_->order = check::enqueue(order_of(stream), also ? also->order : nullptr, kind);
  if (profile::recording()) {
    profile::enqueued(stream_of_work(stream), task_.get(), also.get());
  }
  Order& of = order();
  const std::scoped_lock lock(of.mutex);
  for (const TaskRef& task : of.open) {
    if (task == also || follows(stream, *task)) task_->before.push_back(task);
  }
  of.open.push_back(task_);
}

Turn::~Turn() {
  if (!handed_over_) finish(task_);
}

bool Turn::comes() {
  Order& of = order();
  std::unique_lock lock(of.mutex);
  bool ready = false;
  of.changed.wait(lock, [&] {
    ready = all_done(task_->before);
    return ready || std::ranges::any_of(task_->before, [](const TaskRef& task) {
             return !task->done && task->background;
           });
  });
  return ready;
}

void Turn::wait() {
  Order& of = order();
  std::unique_lock lock(of.mutex);
  of.changed.wait(lock, [&] { return all_done(task_->before); });
}

void Turn::continue_in_background(std::function<void()> rest) { start(std::move(rest), true); }

void Turn::continue_aside(std::function<void()> rest, std::chrono::duration<double> most) {
  start(std::move(rest), false);
  Order& of = order();
  std::unique_lock lock(of.mutex);
  if (of.changed.wait_for(lock, most, [&] { return task_->done; })) return;
  task_->background = true;
  of.changed.notify_all();
}

void Turn::start(std::function<void()> rest, bool background) {
  Order& of = order();
  {
    const std::scoped_lock lock(of.mutex);
    task_->background = background;
    ++of.background_threads;
  }
  of.changed.notify_all();
  const auto work = [task = task_, rest = std::move(rest)] {
    Order& all = order();
    bool runs = true;
    {
      std::unique_lock lock(all.mutex);
      all.changed.wait(lock, [&] { return all.stopping || all_done(task->before); });
      runs = !all.stopping;
    }
    // No call of the program could return an error from here, so that it is kept.
    try {
      thread().device = task->device;
      const Device& of_task = device(task->device);
      const check::CurrentWork current(task->order);
      const profile::CurrentWork profiled(task.get());
      if (runs && of_task.pending.load() == 0 && of_task.sticky.load() == 0) rest();
    } catch (const std::exception& error) {
      complain(std::string("work that went on in the background failed: ") + error.what());
    }
    finish(task);
    const std::scoped_lock lock(all.mutex);
    --all.background_threads;
    all.changed.notify_all();
  };
  handed_over_ = true;
  try {
    std::thread(work).detach();
  } catch (...) {
    // No thread to be had: here and now, then.
    work();
  }
}

bool is_done(const TaskRef& task) {
  if (!task) return true;
  const std::scoped_lock lock(order().mutex);
  return task->done;
}

void wait_for(const TaskRef& task) {
  if (!task) return;
  check::host_waited_for(task->order);
  if (profile::recording()) profile::host_waits_for(task.get());
  std::unique_lock lock(order().mutex);
  order().changed.wait(lock, [&] { return task->done; });
}

bool is_idle(const Stream& stream) {
  const std::scoped_lock lock(order().mutex);
  return std::ranges::none_of(order().open,
                              [&](const TaskRef& task) { return belongs_to(stream, *task); });
}

void wait_for_stream(const Stream& stream) {
  if (options().check) check::host_waited_for(order_of(stream));
  if (profile::recording()) profile::host_waits_for(stream_of_work(stream));
  wait_for_open([&](const Task& task) { return belongs_to(stream, task); });
}

void wait_for_turn(const Stream& stream) {
  wait_for_open([&](const Task& task) { return follows(stream, task); });
}

void wait_for_device(int device) {
  if (options().check) check::host_waited_for_device(device);
  if (profile::recording()) profile::host_waits_for_device(device);
  wait_for_open([&](const Task& task) { return task.device == device; });
}

void wait_for_all_devices() {
  constexpr int all = -1;
  if (options().check) check::host_waited_for_device(all);
  wait_for_open([](const Task&) { return true; });
}

StoppedAtExit::StoppedAtExit(KernelRun& run) : run_(run) {
  const std::scoped_lock lock(order().mutex);
  order().running.insert(&run);
  if (order().stopping) run.stop();
}

StoppedAtExit::~StoppedAtExit() {
  const std::scoped_lock lock(order().mutex);
  order().running.erase(&run_);
}

void stop_background_work() {
  Order& of = order();
  std::unique_lock lock(of.mutex);
  if (of.background_threads == 0) return;
  of.stopping = true;
  for (KernelRun* run : of.running) run->stop();
  of.changed.notify_all();
  of.changed.wait_for(lock, longest_goodbye, [&] { return of.background_threads == 0; });
  of.stopping = of.background_threads != 0;
}

}  // namespace softgpu::cuda

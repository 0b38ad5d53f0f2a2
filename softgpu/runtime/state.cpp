#include "softgpu/runtime/state.hpp"

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>

#include "softgpu/device/options.hpp"
#include "softgpu/exec/launch.hpp"
#include "softgpu/memory/memory.hpp"
#include "softgpu/models.hpp"
#include "softgpu/runtime/errors.hpp"
#include "softgpu/runtime/stream.hpp"
#include "softgpu/runtime/task.hpp"

namespace softgpu::cuda {

namespace {

// Reset to nullptr when the thread ends; what runs later still (destructors of the program's
// statics) gets a state of its own, which is not given back.
thread_local Thread* current_thread = nullptr;
struct ThreadEnd {
  bool armed = false;
  ~ThreadEnd() {
    delete current_thread;
    current_thread = nullptr;
  }
};
thread_local ThreadEnd thread_end;

std::vector<std::unique_ptr<Device>>& devices() {
  static auto* all = [] {
    auto* made = new std::vector<std::unique_ptr<Device>>;
    for (int i = 0; i < device_count(); ++i) {
      made->push_back(std::make_unique<Device>(i));
    }
    Memory::instance().poison(options().poison);
    // Prints the last output of kernels, also where the program ends without synchronising.
    std::atexit([] {
      stop_background_work();
      flush_device_output();
    });
    return made;
  }();
  return *all;
}

}  // namespace

Device::Device(int index_)
    : index(index_), legacy(std::make_unique<Stream>(index_, Stream::Kind::legacy)) {}
Device::~Device() = default;

Thread::Thread() {
  static std::atomic<std::uint64_t> next{1};
  id = next.fetch_add(1, std::memory_order_relaxed);
}
Thread::~Thread() = default;

Thread& thread() {
  if (current_thread == nullptr) {
    thread_end.armed = true;
    current_thread = new Thread;
  }
  return *current_thread;
}

Device& device(int index) {
  auto& all = devices();
  require(index >= 0 && static_cast<std::size_t>(index) < all.size(), cudaErrorInvalidDevice,
          "there is no device of this number; --devices makes more");
  return *all[static_cast<std::size_t>(index)];
}

Device& current_device() { return device(thread().device); }

void complain(const std::string& text) { std::fprintf(stderr, "softgpu: %s\n", text.c_str()); }

std::chrono::duration<double> launch_wait() {
  return std::chrono::duration<double>(options().launch_wait_seconds);
}

cudaError_t leave(cudaError_t result, const char* why) noexcept {
  if (result == cudaSuccess) return result;
  thread().last_error = result;
  // Not an error: the answer of a query.
  if (result != cudaErrorNotReady) returned_error(result, why);
  return result;
}

cudaError_t deliver(Device& of) {
  flush_device_output();
  if (const int fault = of.pending.exchange(0); fault != 0) {
    int none = 0;
    of.sticky.compare_exchange_strong(none, fault);
  }
  return static_cast<cudaError_t>(of.sticky.load());
}

}  // namespace softgpu::cuda

extern "C" int softgpu_not_supported(const char* name) {
  using namespace softgpu::cuda;
  static std::mutex mutex;
  static auto* told = new std::set<std::string>;
  {
    const std::lock_guard lock(mutex);
    if (told->insert(name).second) {
      complain(std::string(name) + " is not supported; it returns cudaErrorNotSupported");
    }
  }
  return leave(cudaErrorNotSupported);
}

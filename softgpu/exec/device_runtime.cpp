#include "softgpu/exec/device_runtime.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "softgpu/check/children.hpp"
#include "softgpu/exec/launch.hpp"
#include "softgpu/exec/program.hpp"
#include "softgpu/exec/service_call.hpp"
#include "softgpu/memory/memory.hpp"
#include "softgpu/models.hpp"

namespace softgpu {
namespace {

// cudaError_t, as the device runtime returns it.
constexpr std::uint32_t success = 0;
constexpr std::uint32_t error_invalid_value = 1;
constexpr std::uint32_t error_memory_allocation = 2;
constexpr std::uint32_t error_invalid_configuration = 9;
constexpr std::uint32_t error_launch_max_depth = 65;

constexpr int deepest_launch = 24;
constexpr std::uint64_t max_block_threads = 1024;
// The named streams of the device runtime that change the order.
constexpr std::uint64_t tail_launch_stream = 3;
constexpr std::uint64_t fire_and_forget_stream = 4;

struct Child {
  const Code* code = nullptr;
  Dim3 grid;
  Dim3 threads;
  std::uint32_t dynamic_shared = 0;
  std::vector<std::byte> parameters;
  std::function<void()> copy;  // instead of a kernel
  check::ChildOrderRef order;  // for the checker
};

struct Queue {
  std::map<std::uint64_t, Child> prepared;  // by parameter buffer
  std::vector<Child> ready;
  std::vector<Child> tail;  // after everything else
};

std::mutex mutex;
std::map<const Launch*, Queue>& queues() {
  static auto* queues = new std::map<const Launch*, Queue>;
  return *queues;
}
std::atomic<std::size_t> queues_in_use{0};
thread_local int depth = 0;

template <class Body>
void for_each_lane(std::uint32_t mask, Body&& body) {
  for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) body(std::countr_zero(rest));
}

// Stores through an address of the kernel.
template <class T>
void store(Warp& w, const Op* op, int lane, std::uint64_t address, T value) {
  std::memcpy(checked_address(w, op, lane, address, sizeof(T), true), &value, sizeof value);
}

bool in_live_range(std::uint64_t address, std::uint64_t bytes) {
  MemoryRange range;
  return bytes == 0 ||
         (Memory::instance().find(address, range) && !range.freed && bytes <= range.end - address);
}

Queue& queue_of(const Launch& launch) {
  Queue& queue = queues()[&launch];
  queues_in_use = queues().size();
  return queue;
}

void enqueue(const Launch& launch, std::uint64_t stream, Child child) {
  Queue& queue = queue_of(launch);
  (stream == tail_launch_stream ? queue.tail : queue.ready).push_back(std::move(child));
}

// A buffer for the parameters, which the kernel fills by itself; 0 where the launch is impossible.
void parameter_buffer(Warp& w, const Op* op, std::uint32_t mask) {
  for_each_lane(mask, [&](int l) {
    Launch& launch = *w.block->launch;
    Child child;
    child.code = launch.program->function_at(argument<std::uint64_t>(w, op, 0, l));
    child.grid = argument<Dim3>(w, op, 1, l);
    child.threads = argument<Dim3>(w, op, 2, l);
    child.dynamic_shared = argument<std::uint32_t>(w, op, 3, l);
    const bool possible = child.code != nullptr && child.code->entry && child.grid.count() != 0 &&
                          child.threads.count() != 0 &&
                          child.threads.count() <= max_block_threads && child.grid.y <= 65535 &&
                          child.grid.z <= 65535 &&
                          child.dynamic_shared + static_shared_of(*child.code) <=
                              device_model(launch.device).shared_per_block_optin;
    std::uint64_t address = 0;
    if (possible) {
      void* buffer =
          Memory::instance().allocate(std::max<std::size_t>(child.code->parameter_bytes, 16),
                                      MemoryKind::symbol, launch.device);
      address = reinterpret_cast<std::uint64_t>(buffer);
      if (buffer != nullptr) {
        const std::lock_guard lock(mutex);
        queue_of(launch).prepared[address] = std::move(child);
      }
    }
    result<std::uint64_t>(w, op, l, address);
  });
}

void launch_device(Warp& w, const Op* op, std::uint32_t mask) {
  for_each_lane(mask, [&](int l) {
    Launch& launch = *w.block->launch;
    const auto address = argument<std::uint64_t>(w, op, 0, l);
    const auto stream = argument<std::uint64_t>(w, op, 1, l);
    std::uint32_t error = error_invalid_configuration;
    const std::lock_guard lock(mutex);
    Queue& queue = queue_of(launch);
    if (const auto found = queue.prepared.find(address); found != queue.prepared.end()) {
      Child child = std::move(found->second);
      queue.prepared.erase(found);
      const auto* from = reinterpret_cast<const std::byte*>(address);
      child.parameters.assign(from, from + child.code->parameter_bytes);
      child.order =
          check::child_launched(w, static_cast<std::uint32_t>(l), stream,
                                stream == tail_launch_stream, stream == fire_and_forget_stream);
      Memory::instance().release(reinterpret_cast<void*>(address));
      error = depth >= deepest_launch ? error_launch_max_depth : success;
      if (error == success) enqueue(launch, stream, std::move(child));
    }
    result<std::uint32_t>(w, op, l, error);
  });
}

// Streams and events order what runs one after the other anyway.
void make_handle(Warp& w, const Op* op, std::uint32_t mask) {
  static std::atomic<std::uint64_t> next{0x100};
  for_each_lane(mask, [&](int l) {
    store<std::uint64_t>(w, op, l, argument<std::uint64_t>(w, op, 0, l), next.fetch_add(1));
    result<std::uint32_t>(w, op, l, success);
  });
}
void accept(Warp& w, const Op* op, std::uint32_t mask) {
  for_each_lane(mask, [&](int l) { result<std::uint32_t>(w, op, l, success); });
}

void get_device(Warp& w, const Op* op, std::uint32_t mask) {
  for_each_lane(mask, [&](int l) {
    store<int>(w, op, l, argument<std::uint64_t>(w, op, 0, l), w.block->launch->device);
    result<std::uint32_t>(w, op, l, success);
  });
}
void get_device_count(Warp& w, const Op* op, std::uint32_t mask) {
  for_each_lane(mask, [&](int l) {
    store<int>(w, op, l, argument<std::uint64_t>(w, op, 0, l), device_count());
    result<std::uint32_t>(w, op, l, success);
  });
}

// The device runtime's cudaMalloc draws on the same heap as malloc.
void allocate(Warp& w, const Op* op, std::uint32_t mask) {
  for_each_lane(mask, [&](int l) {
    const auto bytes = argument<std::uint64_t>(w, op, 1, l);
    const std::uint64_t address =
        allocate_on_device_heap(static_cast<std::size_t>(bytes), w.block->launch->device);
    store<std::uint64_t>(w, op, l, argument<std::uint64_t>(w, op, 0, l), address);
    result<std::uint32_t>(w, op, l, address != 0 || bytes == 0 ? success : error_memory_allocation);
  });
}
void release(Warp& w, const Op* op, std::uint32_t mask) {
  for_each_lane(mask, [&](int l) {
    const auto address = argument<std::uint64_t>(w, op, 0, l);
    const bool done = address == 0 || free_on_device_heap(address);
    for (auto& range : w.cache) range = RangeCache{};
    result<std::uint32_t>(w, op, l, done ? success : error_invalid_value);
  });
}

void copy(Warp& w, const Op* op, std::uint32_t mask) {
  for_each_lane(mask, [&](int l) {
    const auto to = argument<std::uint64_t>(w, op, 0, l);
    const auto from = argument<std::uint64_t>(w, op, 1, l);
    const auto bytes = argument<std::uint64_t>(w, op, 2, l);
    const bool possible = in_live_range(to, bytes) && in_live_range(from, bytes);
    if (possible) {
      Child child;
      child.copy = [=] {
        if (!in_live_range(to, bytes) || !in_live_range(from, bytes)) return;
        std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
      };
      const std::lock_guard lock(mutex);
      enqueue(*w.block->launch, argument<std::uint64_t>(w, op, 4, l), std::move(child));
    }
    result<std::uint32_t>(w, op, l, possible ? success : error_invalid_value);
  });
}
void fill(Warp& w, const Op* op, std::uint32_t mask) {
  for_each_lane(mask, [&](int l) {
    const auto to = argument<std::uint64_t>(w, op, 0, l);
    const auto value = argument<int>(w, op, 1, l);
    const auto bytes = argument<std::uint64_t>(w, op, 2, l);
    const bool possible = in_live_range(to, bytes);
    if (possible) {
      Child child;
      child.copy = [=] {
        if (in_live_range(to, bytes)) std::memset(reinterpret_cast<void*>(to), value, bytes);
      };
      const std::lock_guard lock(mutex);
      enqueue(*w.block->launch, argument<std::uint64_t>(w, op, 3, l), std::move(child));
    }
    result<std::uint32_t>(w, op, l, possible ? success : error_invalid_value);
  });
}

void set_graph_conditional(Warp& w, const Op* op, std::uint32_t mask) {
  for_each_lane(mask, [&](int l) {
    const auto handle = argument<std::uint64_t>(w, op, 0, l);
    if (!set_conditional(handle, argument<std::uint32_t>(w, op, 1, l))) {
      raise_fault(w, op, l, static_cast<int>(error_invalid_value),
                  "cudaGraphSetConditional() with a handle that cudaGraphConditionalHandleCreate() "
                  "did not give");
    }
  });
}

struct Entry {
  std::string_view name;
  Service service;
};
constexpr std::array services = {
    Entry{"__cudaCDP2GetParameterBufferV2", parameter_buffer},
    Entry{"__cudaCDP2LaunchDeviceV2", launch_device},
    Entry{"__cudaCDP2LaunchDeviceV2_ptsz", launch_device},
    Entry{"__cudaCDP2StreamCreateWithFlags", make_handle},
    Entry{"__cudaCDP2StreamDestroy", accept},
    Entry{"__cudaCDP2StreamWaitEvent", accept},
    Entry{"__cudaCDP2StreamWaitEvent_ptsz", accept},
    Entry{"__cudaCDP2EventCreateWithFlags", make_handle},
    Entry{"__cudaCDP2EventRecord", accept},
    Entry{"__cudaCDP2EventRecord_ptsz", accept},
    Entry{"__cudaCDP2EventRecordWithFlags", accept},
    Entry{"__cudaCDP2EventRecordWithFlags_ptsz", accept},
    Entry{"__cudaCDP2EventDestroy", accept},
    Entry{"__cudaCDP2GetLastError", accept},
    Entry{"__cudaCDP2PeekAtLastError", accept},
    Entry{"__cudaCDP2GetDevice", get_device},
    Entry{"__cudaCDP2GetDeviceCount", get_device_count},
    Entry{"__cudaCDP2Malloc", allocate},
    Entry{"__cudaCDP2Free", release},
    Entry{"__cudaCDP2MemcpyAsync", copy},
    Entry{"__cudaCDP2MemcpyAsync_ptsz", copy},
    Entry{"__cudaCDP2MemsetAsync", fill},
    Entry{"__cudaCDP2MemsetAsync_ptsz", fill},
    Entry{"cudaGraphSetConditional", set_graph_conditional},
};

void run_child(Launch& parent, const Child& child) {
  if (child.copy) {
    child.copy();
    return;
  }
  Launch launch;
  launch.code = child.code;
  launch.program = parent.program;
  launch.grid = child.grid;
  launch.threads = child.threads;
  launch.dynamic_shared = child.dynamic_shared;
  launch.parameters = child.parameters;
  launch.device = parent.device;
  launch.stack_limit = parent.stack_limit;
  launch.multiprocessors = parent.multiprocessors;
  launch.id = parent.id;
  ++depth;
  const check::RunningChild running(child.order);
  const Fault fault = run_kernel(launch);
  --depth;
  if (fault.code != 0) {
    parent.fault = fault;
    parent.failed = true;
  }
}

std::map<std::uint64_t, std::uint32_t>& conditionals() {
  static auto* conditionals = new std::map<std::uint64_t, std::uint32_t>;
  return *conditionals;
}

}  // namespace

Service find_device_runtime_service(std::string_view name) {
  for (const Entry& entry : services) {
    if (entry.name == name) return entry.service;
  }
  return nullptr;
}

void run_children(Launch& launch) {
  if (queues_in_use.load() == 0) return;
  Queue queue;
  {
    const std::lock_guard lock(mutex);
    const auto found = queues().find(&launch);
    if (found == queues().end()) return;
    queue = std::move(found->second);
    queues().erase(found);
    queues_in_use = queues().size();
  }
  for (const auto& [address, child] : queue.prepared) {
    Memory::instance().release(reinterpret_cast<void*>(address));
  }
  for (const auto* list : {&queue.ready, &queue.tail}) {
    for (const Child& child : *list) {
      if (launch.fault.code != 0) return;
      run_child(launch, child);
    }
  }
}

std::uint64_t make_conditional() {
  static std::uint64_t next = 1;
  const std::lock_guard lock(mutex);
  conditionals()[next] = 0;
  return next++;
}

void drop_conditional(std::uint64_t handle) {
  const std::lock_guard lock(mutex);
  conditionals().erase(handle);
}

bool set_conditional(std::uint64_t handle, std::uint32_t value) {
  const std::lock_guard lock(mutex);
  const auto found = conditionals().find(handle);
  if (found == conditionals().end()) return false;
  found->second = value;
  return true;
}

bool get_conditional(std::uint64_t handle, std::uint32_t& value) {
  const std::lock_guard lock(mutex);
  const auto found = conditionals().find(handle);
  if (found == conditionals().end()) return false;
  value = found->second;
  return true;
}

}  // namespace softgpu

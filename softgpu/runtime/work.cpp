#include "softgpu/runtime/work.hpp"

#include "softgpu/check/host.hpp"
#include "softgpu/check/host_pages.hpp"
#include "softgpu/check/order.hpp"
#include "softgpu/device/options.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <utility>

#include "softgpu/device/occupancy.hpp"
#include "softgpu/exec/device_runtime.hpp"
#include "softgpu/exec/launch.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/exec/services.hpp"
#include "softgpu/memory/memory.hpp"
#include "softgpu/models.hpp"
#include "softgpu/observe/counters.hpp"
#include "softgpu/profile/recorder.hpp"
#include "softgpu/runtime/array.hpp"
#include "softgpu/runtime/errors.hpp"
#include "softgpu/runtime/graph.hpp"
#include "softgpu/runtime/module.hpp"
#include "softgpu/runtime/pool.hpp"
#include "softgpu/runtime/state.hpp"
#include "softgpu/runtime/stream.hpp"
#include "softgpu/runtime/task.hpp"

namespace softgpu::cuda {
namespace {

constexpr int max_block_threads = 1024;
constexpr unsigned max_block[3] = {1024, 1024, 64};
constexpr unsigned max_grid[3] = {2147483647, 65535, 65535};
constexpr int portable_cluster_blocks = 8;
constexpr int largest_cluster_blocks = 16;

std::uint64_t address_of(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

// True while the thread carries work out; false while it checks or enqueues some.
thread_local bool executing = false;
class Executing {
 public:
  Executing() : before_(std::exchange(executing, true)) {}
  ~Executing() { executing = before_; }
  Executing(const Executing&) = delete;
  Executing& operator=(const Executing&) = delete;

 private:
  bool before_;
};

// Refuses bytes that are not, or not wholly, in one live range. What belongs to the program itself
// passes where `device_side` is false. `what` is the pointer's role.
void check_bytes(const void* pointer, std::size_t bytes, bool device_side, const char* what) {
  if (bytes == 0) return;
  const auto refuse = [&](const std::string& why) {
    throw ApiError(cudaErrorInvalidValue, std::string("the ") + what + " " + why);
  };
  if (pointer == nullptr) refuse("is a null pointer");
  MemoryRange range;
  if (!Memory::instance().find(address_of(pointer), range) || range.freed) {
    // A freed range may be the program's own memory by now. A graph's may be named before a launch
    // has allocated it, and used only then.
    if (range.withheld && !executing) {
      if (bytes > range.end - address_of(pointer)) refuse("ends beyond its allocation");
      return;
    }
    if (range.withheld) {
      refuse("is memory of a graph: no launch has allocated it so far, or it has been freed again");
    }
    if (!device_side) return;
    const std::string host = describe_host_memory(address_of(pointer));
    refuse(range.freed && host.empty() ? "is memory that was freed"
           : host.empty()
               ? "is no address of the device"
               : "is a host pointer (" + host + "), but the kind of the copy says device");
  }
  if (on_device_heap(address_of(pointer))) {
    refuse(
        "was given by malloc() in a kernel: calls of the host do not reach the device's heap; "
        "let a kernel copy it to memory from cudaMalloc");
  }
  if (bytes > range.end - address_of(pointer)) {
    refuse("ends beyond its allocation: " + std::to_string(bytes) + " bytes, of which " +
           std::to_string(range.end - address_of(pointer)) + " are there");
  }
}

bool source_on_device(cudaMemcpyKind kind) {
  return kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
}
bool destination_on_device(cudaMemcpyKind kind) {
  return kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
}

// One side of a copy: bytes at rows and slices.
struct Side {
  std::byte* data = nullptr;
  std::size_t row = 0;
  std::size_t slice = 0;
};

struct Region {
  Side from;
  Side to;
  std::size_t width = 0;  // bytes
  std::size_t height = 0;
  std::size_t depth = 0;
};

// a * b + c, refused where it does not fit.
std::size_t multiply_add(std::size_t a, std::size_t b, std::size_t c) {
  std::size_t result = 0;
  require(!__builtin_mul_overflow(a, b, &result) && !__builtin_add_overflow(result, c, &result),
          "the copy is larger than any memory");
  return result;
}

Side pointer_side(const cudaPitchedPtr& pointer, const cudaPos& at, const Region& region,
                  bool device_side, const char* what) {
  Side side;
  side.row = pointer.pitch;
  if (region.height > 1 || region.depth > 1) {
    require(region.width <= pointer.pitch, cudaErrorInvalidPitchValue,
            "the width of the copy in bytes is larger than a pitch");
  }
  if (region.depth > 1)
    require(region.height <= pointer.ysize || pointer.ysize == 0,
            "the copy is higher than the pitched memory (ysize)");
  side.slice = multiply_add(pointer.pitch, pointer.ysize == 0 ? region.height : pointer.ysize, 0);
  const std::size_t start = multiply_add(at.z, side.slice, multiply_add(at.y, pointer.pitch, at.x));
  require_pointer(pointer.ptr, "pointer.ptr");
  side.data = static_cast<std::byte*>(pointer.ptr) + start;
  const std::size_t span = multiply_add(region.depth - 1, side.slice,
                                        multiply_add(region.height - 1, side.row, region.width));
  check_bytes(side.data, span, device_side, what);
  return side;
}

Side array_side(const ArrayView& view, const cudaPos& at, const cudaExtent& extent) {
  require(at.x + extent.width >= at.x && at.x + extent.width <= view.width,
          "the copy goes beyond the width of the array");
  require(at.y + extent.height >= at.y && at.y + extent.height <= view.height,
          "the copy goes beyond the height of the array");
  require(at.z + extent.depth >= at.z && at.z + extent.depth <= view.depth,
          "the copy goes beyond the depth, or the layers, of the array");
  return {view.data + at.z * view.slice_bytes + at.y * view.row_bytes + at.x * view.element_bytes,
          view.row_bytes, view.slice_bytes};
}

// Checks a copy; false where it has nothing to copy.
bool resolve(const cudaMemcpy3DParms& copy, Region& region) {
  require(copy.kind >= cudaMemcpyHostToHost && copy.kind <= cudaMemcpyDefault,
          cudaErrorInvalidMemcpyDirection, "there is no cudaMemcpyKind of this number");
  if (copy.extent.width == 0 || copy.extent.height == 0 || copy.extent.depth == 0) return false;
  ArrayView from;
  ArrayView to;
  if (copy.srcArray != nullptr) {
    require(copy.srcPtr.ptr == nullptr, "both srcArray and srcPtr are given");
    require(view_array(copy.srcArray, from), "srcArray is no array, or was freed");
  }
  if (copy.dstArray != nullptr) {
    require(copy.dstPtr.ptr == nullptr, "both dstArray and dstPtr are given");
    require(view_array(copy.dstArray, to), "dstArray is no array, or was freed");
  }
  std::size_t element = 1;  // extents count bytes where no array takes part
  if (copy.srcArray != nullptr) element = from.element_bytes;
  if (copy.dstArray != nullptr) {
    require(copy.srcArray == nullptr || to.element_bytes == element,
            "the two arrays have elements of different size");
    element = to.element_bytes;
  }
  region.width = multiply_add(copy.extent.width, element, 0);
  region.height = copy.extent.height;
  region.depth = copy.extent.depth;
  region.from = copy.srcArray != nullptr
                    ? array_side(from, copy.srcPos, copy.extent)
                    : pointer_side(copy.srcPtr, copy.srcPos, region, source_on_device(copy.kind),
                                   "source of the copy");
  region.to = copy.dstArray != nullptr
                  ? array_side(to, copy.dstPos, copy.extent)
                  : pointer_side(copy.dstPtr, copy.dstPos, region, destination_on_device(copy.kind),
                                 "destination of the copy");
  return true;
}

// Memory of the program that the runtime knows nothing of.
bool is_pageable(const std::byte* address) {
  MemoryRange range;
  return !Memory::instance().find(address_of(address), range) || range.freed;
}

// The bytes that a copy reads, without gaps.
std::shared_ptr<std::vector<std::byte>> gather(const Region& region) {
  auto bytes =
      std::make_shared<std::vector<std::byte>>(region.width * region.height * region.depth);
  std::byte* to = bytes->data();
  for (std::size_t z = 0; z < region.depth; ++z) {
    for (std::size_t y = 0; y < region.height; ++y) {
      std::memcpy(to, region.from.data + z * region.from.slice + y * region.from.row, region.width);
      to += region.width;
    }
  }
  return bytes;
}

void run_copy(const CopyWork& work) {
  Region region;
  if (!resolve(work.copy, region)) return;
  count_copy(region.to.data, region.from.data, region.width * region.height * region.depth);
  if (profile::recording()) {
    profile::begins_copy(region.to.data, region.from.data,
                         region.width * region.height * region.depth);
  }
  if (work.source) {
    region.from = {work.source->data(), region.width, region.width * region.height};
  }
  if (region.width == region.from.row && region.width == region.to.row) {
    // Rows without gaps are one.
    region.width *= region.height;
    region.height = 1;
  }
  for (std::size_t z = 0; z < region.depth; ++z) {
    for (std::size_t y = 0; y < region.height; ++y) {
      std::byte* const to = region.to.data + z * region.to.slice + y * region.to.row;
      const std::byte* const from = region.from.data + z * region.from.slice + y * region.from.row;
      check::copied(to, from, region.width);
      std::memmove(to, from, region.width);
    }
  }
}

void check_memset(const MemsetWork& work) {
  const cudaMemsetParams& set = work.set;
  require(set.elementSize == 1 || set.elementSize == 2 || set.elementSize == 4,
          "elementSize has to be 1, 2 or 4");
  if (set.width == 0 || set.height == 0 || work.depth == 0) return;
  const std::size_t width = multiply_add(set.width, set.elementSize, 0);
  if (set.height > 1)
    require(width <= set.pitch, cudaErrorInvalidPitchValue,
            "the width in bytes is larger than the pitch");
  require(address_of(set.dst) % set.elementSize == 0,
          "the address is not a multiple of elementSize");
  check_bytes(
      set.dst,
      multiply_add(work.depth - 1, work.slice, multiply_add(set.height - 1, set.pitch, width)),
      true, "memory to set");
}

void run_memset(const MemsetWork& work) {
  check_memset(work);
  const cudaMemsetParams& set = work.set;
  if (set.width == 0 || set.height == 0 || work.depth == 0) return;
  const std::size_t bytes = set.width * set.elementSize;
  if (profile::recording()) {
    (void)profile::begins(profile::Work::Kind::memset, "memset", bytes * set.height * work.depth);
  }
  for (std::size_t z = 0; z < work.depth; ++z) {
    for (std::size_t y = 0; y < set.height; ++y) {
      std::byte* row = static_cast<std::byte*>(set.dst) + z * work.slice + y * set.pitch;
      check::filled(row, bytes);
      if (set.elementSize == 1) {
        std::memset(row, static_cast<int>(set.value & 0xffU), bytes);
      } else if (set.elementSize == 2) {
        std::fill_n(reinterpret_cast<std::uint16_t*>(row), set.width,
                    static_cast<std::uint16_t>(set.value));
      } else {
        std::fill_n(reinterpret_cast<std::uint32_t*>(row), set.width, set.value);
      }
    }
  }
}

template <class Value>
const Value* attribute(const KernelWork& work, cudaLaunchAttributeID id,
                       Value cudaLaunchAttributeValue::*member) {
  const auto found = work.attributes.find(id);
  return found == work.attributes.end() ? nullptr : &(found->second.*member);
}

bool is_cooperative(const KernelWork& work) {
  const int* value =
      attribute(work, cudaLaunchAttributeCooperative, &cudaLaunchAttributeValue::cooperative);
  return value != nullptr && *value != 0;
}

// The cluster's shape: asked for at the launch, or fixed with the kernel. All 1 for none.
Dim3 cluster_of(const KernelWork& work, const Code& code, const Function::Settings& settings) {
  const auto found = work.attributes.find(cudaLaunchAttributeClusterDimension);
  if (found != work.attributes.end()) {
    const auto& shape = found->second.clusterDim;
    return {shape.x, shape.y, shape.z};
  }
  const auto part = [](int fixed, int set) {
    return static_cast<std::uint32_t>(std::max({fixed, set, 1}));
  };
  return {part(code.cluster[0], settings.cluster[0]), part(code.cluster[1], settings.cluster[1]),
          part(code.cluster[2], settings.cluster[2])};
}

[[noreturn]] void refuse_launch(cudaError_t code, const Function& function,
                                const std::string& why) {
  throw ApiError(code, "kernel " + readable_name(function.name) + " " + why);
}

std::string triple(const unsigned* of) {
  return "(" + std::to_string(of[0]) + ", " + std::to_string(of[1]) + ", " + std::to_string(of[2]) +
         ")";
}

void check_launch(const KernelWork& work, int device) {
  Function& function = *work.function;
  const Code& code = function.module.code(function, device);
  const Function::Settings& settings = function.settings[static_cast<std::size_t>(device)];
  const unsigned grid[3] = {work.grid.x, work.grid.y, work.grid.z};
  const unsigned block[3] = {work.block.x, work.block.y, work.block.z};
  std::uint64_t threads = 1;
  for (int i = 0; i < 3; ++i) {
    if (grid[i] < 1 || grid[i] > max_grid[i]) {
      refuse_launch(cudaErrorInvalidConfiguration, function,
                    "is launched with the grid " + triple(grid) +
                        "; each part has to be at least 1 and at most " + triple(max_grid));
    }
    if (block[i] < 1 || block[i] > max_block[i]) {
      refuse_launch(cudaErrorInvalidConfiguration, function,
                    "is launched with blocks of " + triple(block) +
                        " threads; each part has to be at least 1 and at most " +
                        triple(max_block));
    }
    threads *= block[i];
  }
  if (threads > max_block_threads) {
    refuse_launch(cudaErrorInvalidConfiguration, function,
                  "is launched with blocks of " + std::to_string(threads) +
                      " threads; a block has 1024 at most");
  }
  if (threads > static_cast<std::uint64_t>(max_threads_of(code))) {
    refuse_launch(cudaErrorLaunchOutOfResources, function,
                  "is launched with blocks of " + std::to_string(threads) +
                      " threads; its launch bounds allow " + std::to_string(max_threads_of(code)));
  }
  for (int i = 0; i < 3; ++i) {
    if (code.required_threads[0] != 0 &&
        block[i] != static_cast<unsigned>(std::max(code.required_threads[i], 1))) {
      refuse_launch(cudaErrorInvalidValue, function,
                    "is launched with blocks of " + triple(block) +
                        " threads, which are not those that it was compiled for");
    }
  }
  if (const std::size_t most = max_dynamic_shared_of(function, code, device); work.shared > most) {
    refuse_launch(cudaErrorInvalidValue, function,
                  "is launched with " + std::to_string(work.shared) +
                      " bytes of dynamic shared memory; " + std::to_string(most) +
                      " are allowed (cudaFuncAttributeMaxDynamicSharedMemorySize allows more)");
  }

  const Dim3 cluster = cluster_of(work, code, settings);
  require(cluster.x >= 1 && cluster.y >= 1 && cluster.z >= 1, cudaErrorInvalidClusterSize,
          "the cluster has no blocks in one direction");
  const std::uint64_t blocks = std::uint64_t{cluster.x} * cluster.y * cluster.z;
  if (blocks > 1) {
    require(device_model(device).clusters, cudaErrorNotSupported,
            "this device has no clusters; --model h100 has");
    require(blocks <= static_cast<std::uint64_t>(settings.non_portable_cluster
                                                     ? largest_cluster_blocks
                                                     : portable_cluster_blocks),
            cudaErrorInvalidClusterSize,
            "a cluster has 8 blocks at most, or 16 with "
            "cudaFuncAttributeNonPortableClusterSizeAllowed");
    require(grid[0] % cluster.x == 0 && grid[1] % cluster.y == 0 && grid[2] % cluster.z == 0,
            cudaErrorInvalidClusterSize, "the grid is not a multiple of the cluster");
  }
  if (is_cooperative(work)) {
    // All blocks have to be on the device at once.
    const int each = occupancy(function, code, device, static_cast<int>(threads), work.shared);
    const std::uint64_t fit = static_cast<std::uint64_t>(each) *
                              static_cast<std::uint64_t>(device_model(device).multiprocessors);
    if (std::uint64_t{grid[0]} * grid[1] * grid[2] > fit) {
      refuse_launch(cudaErrorCooperativeLaunchTooLarge, function,
                    "is launched cooperatively with the grid " + triple(grid) + "; " +
                        std::to_string(fit) + " such blocks are on the device at a time");
    }
  }
}

// A launch that has begun.
class Running final : public Unfinished {
 public:
  explicit Running(std::unique_ptr<Launch> launch)
      : launch_(std::move(launch)), run_(*launch_), stopped_at_exit_(run_) {}

  [[nodiscard]] bool run(std::chrono::duration<double> patience) {
    const bool ended = run_.run(patience);
    if (ended) deliver_fault();
    return ended;
  }
  void finish() override {
    run_.finish();
    deliver_fault();
  }

 private:
  void deliver_fault() {
    const Fault& fault = run_.fault();
    if (fault.code == 0) return;
    if (!fault.message.empty()) complain(fault.message);
    int none = 0;
    cuda::device(launch_->device).pending.compare_exchange_strong(none, fault.code);
    kernel_faulted();
  }

  std::unique_ptr<Launch> launch_;
  KernelRun run_;
  StoppedAtExit stopped_at_exit_;
};

std::unique_ptr<Unfinished> run_launch(const KernelWork& work, int device) {
  static std::atomic<std::uint64_t> next_id{1};
  Function& function = *work.function;
  const Code& code = function.module.code(function, device);
  auto made = std::make_unique<Launch>();
  Launch& launch = *made;
  launch.code = &code;
  launch.program = &function.module.program(device);
  launch.grid = {work.grid.x, work.grid.y, work.grid.z};
  launch.threads = {work.block.x, work.block.y, work.block.z};
  launch.cluster = cluster_of(work, code, function.settings[static_cast<std::size_t>(device)]);
  launch.dynamic_shared = static_cast<std::uint32_t>(work.shared);
  launch.parameters = work.parameters;
  launch.cooperative = is_cooperative(work);
  launch.device = device;
  launch.multiprocessors = device_model(device).multiprocessors;
  launch.stack_limit = limit_of(cuda::device(device), cudaLimitStackSize);
  launch.id = next_id.fetch_add(1, std::memory_order_relaxed);
  if (profile::recording()) {
    (void)profile::begins(profile::Work::Kind::kernel, readable_name(code.name), 0);
  }
  auto running = std::make_unique<Running>(std::move(made));
  // A kernel that waited once does so again, in a loop maybe.
  constexpr std::chrono::duration<double> short_wait{0.005};
  const bool waits = function.waits.load(std::memory_order_relaxed);
  if (running->run(waits ? std::min(launch_wait(), short_wait) : launch_wait())) return nullptr;
  function.waits.store(true, std::memory_order_relaxed);
  return running;
}

class InCallback {
 public:
  InCallback() : before_(thread().in_callback) { thread().in_callback = true; }
  ~InCallback() { thread().in_callback = before_; }

 private:
  bool before_;
};

void run_host(const HostWork& work, int index) {
  // What the function lets the host do comes after all that precedes it in its stream.
  if (options().check) check::host_waited_for(check::current_work());
  if (profile::recording()) (void)profile::begins(profile::Work::Kind::host, "host function", 0);
  const InCallback guard;
  const check::InProgram program;
  if (work.callback != nullptr) {
    work.callback(work.stream, static_cast<cudaError_t>(device(index).pending.load()), work.data);
  } else {
    work.function(work.data);
  }
}

void run_conditional(const ConditionalWork& work, int index) {
  const Device& of = device(index);
  const auto value = [&] {
    std::uint32_t now = 0;
    require(get_conditional(work.handle, now),
            "the handle is no conditional handle of a living graph");
    return now;
  };
  switch (work.type) {
    case cudaGraphCondTypeIf:
      if (value() != 0) {
        run_graph(*work.bodies[0], index);
      } else if (work.bodies.size() > 1) {
        run_graph(*work.bodies[1], index);
      }
      break;
    case cudaGraphCondTypeWhile:
      while (of.pending.load() == 0 && value() != 0) run_graph(*work.bodies[0], index);
      break;
    case cudaGraphCondTypeSwitch:
      if (const std::uint32_t chosen = value(); chosen < work.bodies.size()) {
        run_graph(*work.bodies[chosen], index);
      }
      break;
  }
}

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
// Clang 14 does not deduce the arguments of an aggregate by itself.
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace

int max_threads_of(const Code& code) {
  int most = max_block_threads;
  const int* bounds = code.required_threads[0] != 0 ? code.required_threads : code.max_threads;
  if (bounds[0] != 0) {
    std::int64_t product = 1;
    for (int i = 0; i < 3; ++i) product *= std::max(bounds[i], 1);
    most = static_cast<int>(std::min<std::int64_t>(most, product));
  }
  return most;
}

int registers_of(const Code& code, int device) {
  // A real compiler reuses registers and keeps to what the launch bounds leave per thread; 255 is
  // what an instruction can name.
  const int most = device_model(device).registers_per_block / max_threads_of(code) / 8 * 8;
  return std::clamp(code.registers, 16, std::min(most, 255));
}

std::size_t max_dynamic_shared_of(const Function& function, const Code& code, int device) {
  const int set = function.settings[static_cast<std::size_t>(device)].max_dynamic_shared;
  const std::size_t plain = device_model(device).shared_per_block;
  const std::size_t without = plain > static_shared_of(code) ? plain - static_shared_of(code) : 0;
  return std::max(without, static_cast<std::size_t>(std::max(set, 0)));
}

int occupancy(const Function& function, const Code& code, int device, int threads,
              std::size_t dynamic_shared) {
  const DeviceModel& model = device_model(device);
  if (threads <= 0 || threads > max_threads_of(code) ||
      dynamic_shared > max_dynamic_shared_of(function, code, device)) {
    return 0;
  }
  return occupancy_of(model, threads, registers_of(code, device),
                      static_shared_of(code) + dynamic_shared)
      .blocks;
}

KernelWork make_kernel_work(Function& function, dim3 grid, dim3 block, std::size_t shared,
                            void** arguments, void** extra) {
  const Code& code = function.module.code(function, thread().device);
  KernelWork work;
  work.function = &function;
  work.grid = grid;
  work.block = block;
  work.shared = shared;
  work.parameters.resize(code.parameter_bytes);
  if (extra != nullptr && arguments == nullptr) {
    // Pairs of a tag and a pointer: 1 the buffer, 2 its size, 0 the end.
    const void* buffer = nullptr;
    std::size_t bytes = 0;
    for (std::size_t i = 0; extra[i] != nullptr; i += 2) {
      if (address_of(extra[i]) == 1) buffer = extra[i + 1];
      if (address_of(extra[i]) == 2 && extra[i + 1] != nullptr) {
        bytes = *static_cast<std::size_t*>(extra[i + 1]);
      }
    }
    require(bytes >= work.parameters.size(),
            "the buffer of arguments is smaller than the kernel's parameters");
    require((buffer != nullptr || work.parameters.empty()),
            "the buffer of arguments is a null pointer");
    if (!work.parameters.empty()) {
      std::memcpy(work.parameters.data(), buffer, work.parameters.size());
    }
    return work;
  }
  require(arguments != nullptr || code.parameters.empty(),
          "the list of arguments is a null pointer although the kernel has parameters");
  for (std::size_t i = 0; i < code.parameters.size(); ++i) {
    const ParamSlot& parameter = code.parameters[i];
    require_pointer(arguments[i], "arguments[i]");
    if (parameter.offset + std::size_t{parameter.size} <= work.parameters.size()) {
      std::memcpy(work.parameters.data() + parameter.offset, arguments[i], parameter.size);
    }
  }
  return work;
}

CopyWork make_copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return make_copy_2d(to, bytes, from, bytes, bytes, 1, kind);
}

CopyWork make_copy_2d(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                      std::size_t width, std::size_t height, cudaMemcpyKind kind) {
  CopyWork work;
  work.copy.srcPtr = {const_cast<void*>(from), from_pitch, width, height};
  work.copy.dstPtr = {to, to_pitch, width, height};
  work.copy.extent = {width, height, 1};
  work.copy.kind = kind;
  return work;
}

void check_work(const Work& work, int device) {
  if (const auto* kernel = std::get_if<KernelWork>(&work)) {
    check_launch(*kernel, device);
  } else if (const auto* copy = std::get_if<CopyWork>(&work)) {
    Region region;
    static_cast<void>(resolve(copy->copy, region));
  } else if (const auto* set = std::get_if<MemsetWork>(&work)) {
    check_memset(*set);
  } else if (const auto* host = std::get_if<HostWork>(&work)) {
    require(host->function != nullptr || host->callback != nullptr,
            "the host function is a null pointer");
  }
}

std::unique_ptr<Unfinished> execute(const Work& work, int device) {
  const Executing guard;
  const check::InRuntime inside;
  std::unique_ptr<Unfinished> rest;
  std::visit(Overloaded{
                 [&](const KernelWork& kernel) { rest = run_launch(kernel, device); },
                 [&](const CopyWork& copy) { run_copy(copy); },
                 [&](const MemsetWork& set) { run_memset(set); },
                 [&](const HostWork& host) { run_host(host, device); },
                 [&](const ChildWork& child) { run_graph(*child.graph, device); },
                 [&](const EventRecordWork& record) {
                   Event& event = find_event(record.event);
                   const auto now =
                       std::chrono::steady_clock::now().time_since_epoch() - loading_time();
                   event.at = std::chrono::nanoseconds(now).count();
                   if (event.shared) event.shared->finish();
                 },
                 // Nothing is left to do: work that was enqueued before has run.
                 [](const EventWaitWork&) {},
                 [](const AllocWork& alloc) { allocate_graph_memory(*alloc.memory); },
                 [](const FreeWork& free) {
                   static_cast<void>(free_graph_memory(free.address, FreedBy::node));
                 },
                 [](const EmptyWork&) {},
                 [&](const ConditionalWork& conditional) { run_conditional(conditional, device); },
             },
             work);
  check::work_ended();
  return rest;
}

void finish(std::unique_ptr<Unfinished> rest) {
  if (rest) finish(*rest);
}

void finish(Unfinished& rest) {
  const check::InRuntime inside;
  rest.finish();
  check::work_ended();
}

check::WorkKind kind_of(const Work& work) {
  const auto* const kernel = std::get_if<KernelWork>(&work);
  if (kernel == nullptr) return check::WorkKind::other;
  const int* const overlaps =
      attribute(*kernel, cudaLaunchAttributeProgrammaticStreamSerialization,
                &cudaLaunchAttributeValue::programmaticStreamSerializationAllowed);
  return overlaps != nullptr && *overlaps != 0 ? check::WorkKind::overlapping_kernel
                                               : check::WorkKind::kernel;
}

bool keep_for_later(Work& work) {
  auto* copy = std::get_if<CopyWork>(&work);
  Region region;
  if (copy == nullptr || !resolve(copy->copy, region)) return false;
  if (copy->copy.srcArray == nullptr && is_pageable(region.from.data)) {
    copy->source = gather(region);
  }
  return copy->copy.dstArray == nullptr && is_pageable(region.to.data);
}

}  // namespace softgpu::cuda

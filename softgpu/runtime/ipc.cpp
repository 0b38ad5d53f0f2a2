// Memory and events that processes share.
//
// A handle says in which process a file of shared memory is open, and as which descriptor: the
// other process opens it through /proc. Nothing has to be cleaned up, whatever becomes of the
// processes.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "softgpu/memory/memory.hpp"
#include "softgpu/memory/sharing.hpp"
#include "softgpu/runtime/cuda_functions.hpp"
#include "softgpu/runtime/state.hpp"
#include "softgpu/runtime/stream.hpp"

namespace softgpu::cuda {

// Lies in the shared file. Both counts only grow.
struct SharedEvent::State {
  std::atomic<std::uint64_t> recorded{0};  // calls of cudaEventRecord
  std::atomic<std::uint64_t> done{0};      // of these, those whose stream has come to them
};

namespace {

constexpr std::uint32_t memory_magic = 0x6d65736d;
constexpr std::uint32_t event_magic = 0x65766e74;
constexpr std::size_t event_bytes = 4096;
constexpr unsigned lazy_peer_access = 1;  // cudaIpcMemLazyEnablePeerAccess

// The bytes of a cudaIpcMemHandle_t or cudaIpcEventHandle_t that this runtime made.
struct Handle {
  std::uint32_t magic;
  std::int32_t process;
  std::int32_t file;
  std::int32_t device;
  std::uint64_t inode;
  std::uint64_t file_bytes;
  std::uint64_t offset;
  std::uint64_t bytes;
};
static_assert(sizeof(Handle) <= sizeof(cudaIpcMemHandle_t));
static_assert(sizeof(Handle) <= sizeof(cudaIpcEventHandle_t));

template <class To>
To packed(const Handle& handle) {
  To to{};
  std::memcpy(&to, &handle, sizeof handle);
  return to;
}
template <class From>
Handle unpacked(const From& from, std::uint32_t magic) {
  Handle handle;
  std::memcpy(&handle, &from, sizeof handle);
  require(handle.magic == magic, cudaErrorInvalidResourceHandle,
          "the handle is not one of this kind");
  require(handle.process != ::getpid(), cudaErrorDeviceUninitialized,
          "the handle was made by this process: another one has to open it");
  return handle;
}

// Memory of other processes that is open here.
struct Opened {
  void* mapping = nullptr;
  std::uint64_t bytes = 0;  // of the mapping
  std::uint64_t inode = 0;
  std::uint64_t offset = 0;
  int times = 0;
};
struct Openings {
  std::mutex mutex;
  std::map<void*, Opened> by_address;
};
Openings& openings() {
  static auto* all = new Openings;
  return *all;
}

}  // namespace

SharedEvent::SharedEvent() {
  file_ = ::memfd_create("softgpu-event", MFD_CLOEXEC);
  void* at = MAP_FAILED;
  if (file_ >= 0 && ::ftruncate(file_, event_bytes) == 0) {
    at = ::mmap(nullptr, event_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
  }
  if (at == MAP_FAILED) {
    if (file_ >= 0) (void)::close(file_);
    throw ApiError(cudaErrorOperatingSystem, "the system gives no shared memory");
  }
  state_ = new (at) State;
}

SharedEvent::SharedEvent(int process, int file, std::uint64_t inode)
    : state_(static_cast<State*>(map_shared(process, file, inode, event_bytes))) {
  require(state_ != nullptr, cudaErrorInvalidResourceHandle,
          "the event is gone, or its process has ended");
}

SharedEvent::~SharedEvent() {
  unmap_shared(state_, event_bytes);
  if (file_ >= 0) (void)::close(file_);
}

void SharedEvent::record() { ++state_->recorded; }
void SharedEvent::finish() { ++state_->done; }
std::uint64_t SharedEvent::recorded() const { return state_->recorded.load(); }
bool SharedEvent::is_done(std::uint64_t record) const { return state_->done.load() >= record; }
void SharedEvent::wait(std::uint64_t record) const {
  while (!is_done(record)) std::this_thread::sleep_for(std::chrono::microseconds(50));
}

extern "C" {

cudaError_t cudaIpcGetMemHandle(cudaIpcMemHandle_t* out, void* address) {
  return device_api([&] {
    require_pointer(out, "handle");
    MemoryRange range;
    const auto at = reinterpret_cast<std::uint64_t>(address);
    require(Memory::instance().find(at, range) && !range.freed && range.kind == MemoryKind::device,
            "devPtr is not in memory from cudaMalloc");
    wait_for_device(range.device);
    SharedPlace place;
    require(share_memory(range.begin, place), cudaErrorMapBufferObjectFailed,
            "this memory cannot be shared");
    Handle handle{memory_magic,         ::getpid(),       place.file,   range.device,
                  inode_of(place.file), place.file_bytes, place.offset, range.end - range.begin};
    *out = packed<cudaIpcMemHandle_t>(handle);
    return cudaSuccess;
  });
}

cudaError_t cudaIpcOpenMemHandle(void** out, cudaIpcMemHandle_t packed_handle, unsigned flags) {
  return device_api([&] {
    require_pointer(out, "devPtr");
    require(flags == lazy_peer_access, "flags has to be cudaIpcMemLazyEnablePeerAccess");
    const Handle handle = unpacked(packed_handle, memory_magic);
    const std::scoped_lock lock(openings().mutex);
    for (auto& [address, opened] : openings().by_address) {
      if (opened.inode == handle.inode && opened.offset == handle.offset) {
        ++opened.times;
        *out = address;
        return cudaSuccess;
      }
    }
    void* mapping = map_shared(handle.process, handle.file, handle.inode, handle.file_bytes);
    require(mapping != nullptr, cudaErrorMapBufferObjectFailed,
            "the memory is gone, or its process has ended");
    void* address = static_cast<std::byte*>(mapping) + handle.offset;
    if (handle.offset > handle.file_bytes || handle.bytes > handle.file_bytes - handle.offset ||
        !Memory::instance().add(address, handle.bytes, MemoryKind::device, thread().device)) {
      unmap_shared(mapping, handle.file_bytes);
      throw ApiError(cudaErrorMapBufferObjectFailed, "the handle is damaged");
    }
    openings().by_address[address] = {mapping, handle.file_bytes, handle.inode, handle.offset, 1};
    *out = address;
    return cudaSuccess;
  });
}

cudaError_t cudaIpcCloseMemHandle(void* address) {
  return device_api([&] {
    wait_for_all_devices();
    const std::scoped_lock lock(openings().mutex);
    const auto found = openings().by_address.find(address);
    require(found != openings().by_address.end(),
            "devPtr is not what cudaIpcOpenMemHandle returned, or was closed");
    if (--found->second.times > 0) return cudaSuccess;
    Memory::instance().remove(address);
    unmap_shared(found->second.mapping, found->second.bytes);
    openings().by_address.erase(found);
    return cudaSuccess;
  });
}

cudaError_t cudaIpcGetEventHandle(cudaIpcEventHandle_t* out, cudaEvent_t handle) {
  return device_api([&] {
    require_pointer(out, "handle");
    const Event& event = find_event(handle);
    require(event.shared != nullptr && event.shared->file() >= 0, cudaErrorInvalidResourceHandle,
            "the event was not made with cudaEventInterprocess, or is another process's");
    const int file = event.shared->file();
    *out = packed<cudaIpcEventHandle_t>(Handle{event_magic, ::getpid(), file, event.device,
                                               inode_of(file), event_bytes, 0, event_bytes});
    return cudaSuccess;
  });
}

cudaError_t cudaIpcOpenEventHandle(cudaEvent_t* out, cudaIpcEventHandle_t packed_handle) {
  return device_api([&] {
    require_pointer(out, "event");
    const Handle handle = unpacked(packed_handle, event_magic);
    *out = make_event(cudaEventDisableTiming | cudaEventInterprocess,
                      std::make_shared<SharedEvent>(handle.process, handle.file, handle.inode));
    return cudaSuccess;
  });
}

}  // extern "C"

}  // namespace softgpu::cuda

// Memory: allocation, copies, fills, symbols, pools, and what can be asked about an address.
#include "softgpu/memory/memory.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "softgpu/check/allocations.hpp"
#include "softgpu/check/host.hpp"
#include "softgpu/check/order.hpp"
#include "softgpu/device/options.hpp"
#include "softgpu/exec/services.hpp"
#include "softgpu/models.hpp"
#include "softgpu/runtime/array.hpp"
#include "softgpu/runtime/cuda_functions.hpp"
#include "softgpu/runtime/graph.hpp"
#include "softgpu/runtime/module.hpp"
#include "softgpu/runtime/pool.hpp"
#include "softgpu/runtime/state.hpp"
#include "softgpu/runtime/stream.hpp"
#include "softgpu/runtime/task.hpp"
#include "softgpu/runtime/work.hpp"

namespace softgpu::cuda {

// The arrays of another file take this one's place.
__attribute__((weak)) bool view_array(cudaArray_const_t, ArrayView&) { return false; }

namespace {

constexpr std::size_t pitch_alignment = 512;
// Requests up to here are granted without asking the system what is free.
constexpr std::size_t small_request = std::size_t{64} << 20;

Memory& memory() { return Memory::instance(); }

// Bytes that the operating system can still give.
std::size_t system_available() {
  std::size_t kib = 0;
  if (std::FILE* file = std::fopen("/proc/meminfo", "r")) {
    char line[128];
    while (std::fgets(line, sizeof line, file) != nullptr) {
      if (std::sscanf(line, "MemAvailable: %zu kB", &kib) == 1) break;
    }
    std::fclose(file);
  }
  return kib == 0 ? SIZE_MAX : kib * 1024;
}

std::size_t free_bytes(int device) {
  const std::size_t total = device_model(device).memory_bytes;
  const std::size_t used = memory().used(device);
  return std::min(total > used ? total - used : 0, system_available());
}

// nullptr for no bytes, as CUDA has it.
void* allocate(std::size_t bytes, MemoryKind kind, unsigned flags = 0) {
  if (bytes == 0) return nullptr;
  const int device = thread().device;
  current_device().used = true;
  if (bytes > small_request)
    require(bytes <= free_bytes(device), cudaErrorMemoryAllocation,
            "more memory is asked for than the device (cudaMemGetInfo) or this machine has free");
  void* address = memory().allocate(bytes, kind, device, 512, flags);
  require(address != nullptr, cudaErrorMemoryAllocation, "the system has no memory left");
  return address;
}

bool live(const void* address, MemoryRange& range) {
  return memory().find(reinterpret_cast<std::uint64_t>(address), range) &&
         (!range.freed || range.withheld);
}

// A copy that returns when it is done: a use of the (legacy or own) default stream.
cudaError_t copy_now(CopyWork work, cudaStream_t stream_handle) {
  Stream& stream = find_stream(stream_handle);
  check_legacy_use(stream);
  if (is_capturing(stream)) {
    throw ApiError(cudaErrorStreamCaptureUnsupported,
                   "the call waits for its stream, which is capturing");
  }
  wait_for_turn(stream);
  if (const cudaError_t fault = deliver(device(stream.device)); fault != cudaSuccess) return fault;
  wait_for(submit(std::move(work), stream_handle));
  return cudaSuccess;
}

cudaError_t copy_async(CopyWork work, cudaStream_t stream) {
  submit(std::move(work), stream);
  return cudaSuccess;
}

CopyWork peer_copy(const cudaMemcpy3DPeerParms& peer) {
  static_cast<void>(device(peer.srcDevice));
  static_cast<void>(device(peer.dstDevice));
  CopyWork work;
  work.copy.srcArray = peer.srcArray;
  work.copy.srcPos = peer.srcPos;
  work.copy.srcPtr = peer.srcPtr;
  work.copy.dstArray = peer.dstArray;
  work.copy.dstPos = peer.dstPos;
  work.copy.dstPtr = peer.dstPtr;
  work.copy.extent = peer.extent;
  work.copy.kind = cudaMemcpyDefault;
  return work;
}

struct SymbolPlace {
  std::byte* address;
  std::size_t bytes;
};

SymbolPlace find_symbol(const void* host) {
  Variable& variable = find_variable(host);
  const Symbol* symbol = variable.module->program(thread().device).symbol(variable.name);
  require(symbol != nullptr, cudaErrorInvalidSymbol,
          "the device code has no variable of this name");
  return {reinterpret_cast<std::byte*>(symbol->address), std::max(symbol->bytes, variable.bytes)};
}

}  // namespace

CopyWork copy_to_symbol(const void* symbol, const void* from, std::size_t bytes, std::size_t offset,
                        cudaMemcpyKind kind) {
  require(kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice ||
              kind == cudaMemcpyDefault,
          cudaErrorInvalidMemcpyDirection,
          "a copy to a symbol goes to the device: its kind has to be one of these");
  const SymbolPlace place = find_symbol(symbol);
  require(offset <= place.bytes && bytes <= place.bytes - offset,
          "the copy goes beyond the end of the symbol");
  return make_copy(place.address + offset, from, bytes, kind);
}

CopyWork copy_from_symbol(void* to, const void* symbol, std::size_t bytes, std::size_t offset,
                          cudaMemcpyKind kind) {
  require(kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice ||
              kind == cudaMemcpyDefault,
          cudaErrorInvalidMemcpyDirection,
          "a copy from a symbol comes from the device: its kind has to be one of these");
  const SymbolPlace place = find_symbol(symbol);
  require(offset <= place.bytes && bytes <= place.bytes - offset,
          "the copy goes beyond the end of the symbol");
  return make_copy(to, place.address + offset, bytes, kind);
}

namespace {

MemsetWork fill(void* address, std::size_t pitch, int value, std::size_t width, std::size_t height,
                std::size_t depth = 1, std::size_t slice = 0) {
  MemsetWork work;
  work.set = {address, pitch, static_cast<unsigned>(value) & 0xffU, 1, width, height};
  work.depth = depth;
  work.slice = slice;
  return work;
}

MemsetWork fill_3d(const cudaPitchedPtr& at, int value, const cudaExtent& extent) {
  std::size_t slice = 0;
  require(!__builtin_mul_overflow(at.pitch, at.ysize, &slice),
          "pitch times height is larger than any memory");
  require(extent.depth <= 1 || extent.height <= at.ysize,
          "the extent is higher than the pitched memory (ysize)");
  return fill(at.ptr, at.pitch, value, extent.width, extent.height, extent.depth, slice);
}

cudaError_t fill_now(MemsetWork work, cudaStream_t stream_handle) {
  Stream& stream = find_stream(stream_handle);
  check_legacy_use(stream);
  if (is_capturing(stream)) {
    throw ApiError(cudaErrorStreamCaptureUnsupported,
                   "the call waits for its stream, which is capturing");
  }
  // Where the host may look at the memory at once the call returns afterwards.
  MemoryRange range;
  const bool waits = live(work.set.dst, range) && range.kind != MemoryKind::device;
  const TaskRef task = submit(std::move(work), stream_handle);
  if (waits) wait_for(task);
  return cudaSuccess;
}

}  // namespace

// --- pools --------------------------------------------------------------------------------------

namespace {

struct Pools {
  std::mutex mutex;
  std::unordered_set<Pool*> live;
  std::unordered_map<void*, Pool*> owner;  // of what a pool gave
  std::unordered_map<void*, std::size_t> sizes;
  std::map<int, Pool*> defaults;  // by device
  Pool* host = nullptr;
};
Pools& pools() {
  static auto* pools = new Pools;
  return *pools;
}

Pool& default_pool(int index) {
  static_cast<void>(device(index));
  const std::scoped_lock lock(pools().mutex);
  Pool*& pool = pools().defaults[index];
  if (pool == nullptr) {
    pool = new Pool;
    pool->device = index;
    pools().live.insert(pool);
  }
  return *pool;
}

Pool& host_pool() {
  const std::scoped_lock lock(pools().mutex);
  Pool*& pool = pools().host;
  if (pool == nullptr) {
    pool = new Pool;
    pool->host = true;
    pools().live.insert(pool);
  }
  return *pool;
}

Pool& current_pool(int index) {
  Device& of = device(index);
  {
    const std::scoped_lock lock(of.mutex);
    if (of.pool != nullptr) return *of.pool;
  }
  return default_pool(index);
}

Pool& find_pool(cudaMemPool_t handle) {
  auto* pool = reinterpret_cast<Pool*>(handle);
  const std::scoped_lock lock(pools().mutex);
  require(pools().live.contains(pool), "the memory pool is not one, or was destroyed");
  return *pool;
}

Pool& pool_at(const cudaMemLocation& location) {
  if (location.type == cudaMemLocationTypeDevice) return default_pool(location.id);
  require(location.type == cudaMemLocationTypeHost ||
              location.type == cudaMemLocationTypeHostNuma ||
              location.type == cudaMemLocationTypeHostNumaCurrent,
          "there is no memory at a location of this type");
  return host_pool();
}

void* allocate_from(Pool& pool, std::size_t bytes) {
  if (bytes == 0) return nullptr;
  if (!pool.host && bytes > small_request) {
    require(bytes <= free_bytes(pool.device), cudaErrorMemoryAllocation,
            "more memory is asked for than the device (cudaMemGetInfo) or this machine has free");
  }
  {
    const std::scoped_lock lock(pools().mutex);
    require(pool.max_bytes == 0 || pool.used + bytes <= pool.max_bytes, cudaErrorMemoryAllocation,
            "the memory pool has reached its maxSize");
  }
  void* address = memory().allocate(bytes, pool.host ? MemoryKind::pinned : MemoryKind::device,
                                    pool.device, 512);
  require(address != nullptr, cudaErrorMemoryAllocation, "the system has no memory left");
  const std::scoped_lock lock(pools().mutex);
  pools().owner[address] = &pool;
  pools().sizes[address] = bytes;
  pool.used += bytes;
  pool.used_high = std::max(pool.used_high, pool.used);
  return address;
}

// Keeps the pools' books when memory goes.
void forget_pool_memory(void* address) {
  const std::scoped_lock lock(pools().mutex);
  const auto found = pools().owner.find(address);
  if (found == pools().owner.end()) return;
  found->second->used -= pools().sizes[address];
  pools().owner.erase(found);
  pools().sizes.erase(address);
}

cudaError_t allocate_async(void** out, std::size_t bytes, Pool* pool, cudaStream_t stream_handle) {
  require_pointer(out, "out");
  Stream& stream = find_stream(stream_handle);
  if (is_capturing(stream)) {
    cudaMemAllocNodeParams parameters{};
    parameters.poolProps.allocType = cudaMemAllocationTypePinned;
    parameters.poolProps.location = {cudaMemLocationTypeDevice, stream.device};
    parameters.bytesize = bytes;
    AllocWork work = make_alloc_work(parameters);
    *out = work.parameters.dptr;
    submit(std::move(work), stream_handle);
    return cudaSuccess;
  }
  check_legacy_use(stream);
  *out = allocate_from(pool == nullptr ? current_pool(stream.device) : *pool, bytes);
  if (options().check) {
    const Turn turn(stream);
    const check::CurrentWork current(turn.task()->order);
    check::allocated_in_stream(*out, bytes);
  }
  return cudaSuccess;
}

void check_freed(const void* address) {
  MemoryRange range;
  require(live(address, range), "the address is not in memory that CUDA knows");
  require(!on_device_heap(reinterpret_cast<std::uint64_t>(address)),
          "the memory was given by malloc() in a kernel: only free() in a kernel frees it");
  require(range.begin == reinterpret_cast<std::uint64_t>(address),
          "the address is not where an allocation begins");
  require((range.kind == MemoryKind::device || range.kind == MemoryKind::managed),
          "the memory is not from cudaMalloc or its kind; pinned memory is freed by cudaFreeHost");
}

cudaError_t free_memory(void* address) {
  if (address == nullptr) return cudaSuccess;
  if (free_graph_memory(address, FreedBy::program)) return cudaSuccess;
  if (options().check) check::host_frees(reinterpret_cast<std::uint64_t>(address));
  check_freed(address);
  forget_pool_memory(address);
  require(memory().release(address), "the memory has been freed already");
  return cudaSuccess;
}

}  // namespace

AllocWork make_alloc_work(const cudaMemAllocNodeParams& parameters) {
  require(parameters.bytesize != 0, "bytesize is 0");
  require(parameters.poolProps.allocType == cudaMemAllocationTypePinned,
          "poolProps.allocType has to be cudaMemAllocationTypePinned");
  require(parameters.poolProps.location.type == cudaMemLocationTypeDevice,
          "poolProps.location has to be a device");
  static_cast<void>(device(parameters.poolProps.location.id));
  AllocWork work;
  work.parameters = parameters;
  work.parameters.accessDescs = nullptr;
  work.parameters.accessDescCount = 0;
  work.memory = std::make_shared<GraphMemory>();
  work.memory->bytes = parameters.bytesize;
  work.memory->device = parameters.poolProps.location.id;
  if (parameters.bytesize > small_request) {
    require(parameters.bytesize <= free_bytes(parameters.poolProps.location.id),
            cudaErrorMemoryAllocation,
            "more memory is asked for than the device (cudaMemGetInfo) or this machine has free");
  }
  work.memory->address = memory().allocate(parameters.bytesize, MemoryKind::device,
                                           parameters.poolProps.location.id, 512);
  require(work.memory->address != nullptr, cudaErrorMemoryAllocation,
          "the system has no memory left");
  work.parameters.dptr = work.memory->address;
  memory().withhold(work.memory->address, true);
  remember_graph_memory(*work.memory);
  return work;
}

extern "C" {

// --- allocation ---------------------------------------------------------------------------------

cudaError_t cudaMalloc(void** out, std::size_t bytes) {
  return device_api([&] {
    require_pointer(out, "out");
    check_no_capture();
    *out = allocate(bytes, MemoryKind::device);
    return cudaSuccess;
  });
}

cudaError_t cudaFree(void* address) {
  return device_api([&] {
    check_no_capture();
    // Freeing waits for the device, also for the one whose memory it is.
    wait_for_device(thread().device);
    if (MemoryRange range; live(address, range)) wait_for_device(range.device);
    if (const cudaError_t fault = deliver(current_device()); fault != cudaSuccess) return fault;
    return free_memory(address);
  });
}

cudaError_t cudaMallocManaged(void** out, std::size_t bytes, unsigned flags) {
  return device_api([&] {
    require_pointer(out, "out");
    require(bytes != 0, "the size is 0");
    require(flags == cudaMemAttachGlobal || flags == cudaMemAttachHost,
            "flags has to be cudaMemAttachGlobal or cudaMemAttachHost");
    check_no_capture();
    *out = allocate(bytes, MemoryKind::managed, flags);
    return cudaSuccess;
  });
}

cudaError_t cudaHostAlloc(void** out, std::size_t bytes, unsigned flags) {
  return device_api([&] {
    require_pointer(out, "out");
    require(
        (flags & ~(cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined)) == 0,
        "flags has bits that cudaHostAlloc does not know");
    check_no_capture();
    *out = allocate(bytes, MemoryKind::pinned, flags);
    return cudaSuccess;
  });
}

cudaError_t cudaMallocHost(void** out, std::size_t bytes) {
  return cudaHostAlloc(out, bytes, cudaHostAllocDefault);
}

cudaError_t cudaFreeHost(void* address) {
  return device_api([&] {
    if (address == nullptr) return cudaSuccess;
    check_no_capture();
    wait_for_all_devices();
    MemoryRange range;
    require(live(address, range), "the address is not in memory that CUDA knows");
    require(range.kind == MemoryKind::pinned,
            "the memory is not from cudaMallocHost or cudaHostAlloc");
    require(memory().release(address), "the memory has been freed already");
    return cudaSuccess;
  });
}

cudaError_t cudaHostRegister(void* address, std::size_t bytes, unsigned flags) {
  return device_api([&] {
    require_pointer(address, "address");
    require(bytes != 0, "the size is 0");
    require(flags <= 15, "flags has bits that do not exist");
    check_no_capture();
    MemoryRange range;
    require(!live(address, range), cudaErrorHostMemoryAlreadyRegistered,
            "the memory, or a part of it, is known to CUDA already");
    require(memory().add(address, bytes, MemoryKind::registered, thread().device, flags),
            cudaErrorHostMemoryAlreadyRegistered,
            "the memory, or a part of it, is known to CUDA already");
    return cudaSuccess;
  });
}

cudaError_t cudaHostUnregister(void* address) {
  return device_api([&] {
    require_pointer(address, "address");
    check_no_capture();
    wait_for_all_devices();
    MemoryRange range;
    require(live(address, range), cudaErrorHostMemoryNotRegistered,
            "the address is not in memory that CUDA knows");
    require(range.kind == MemoryKind::registered, cudaErrorHostMemoryNotRegistered,
            "the memory was not registered by cudaHostRegister");
    require(memory().remove(address), cudaErrorHostMemoryNotRegistered,
            "the address is not where registered memory begins");
    return cudaSuccess;
  });
}

cudaError_t cudaHostGetDevicePointer(void** out, void* address, unsigned flags) {
  return device_api([&] {
    require_pointer(out, "out");
    require(flags == 0, "flags has to be 0");
    MemoryRange range;
    require(live(address, range), "the address is not in memory that CUDA knows");
    require(range.kind != MemoryKind::device, "the memory is the device's, not the host's");
    *out = address;
    return cudaSuccess;
  });
}

cudaError_t cudaHostGetFlags(unsigned* flags, void* address) {
  return device_api([&] {
    MemoryRange range;
    require_pointer(flags, "flags");
    require(live(address, range), "the address is not in memory that CUDA knows");
    require((range.kind == MemoryKind::pinned || range.kind == MemoryKind::registered),
            "the memory is neither from cudaHostAlloc nor registered");
    // All pinned memory is mapped where addresses are unified.
    *flags = range.kind == MemoryKind::pinned ? range.flags | cudaHostAllocMapped : range.flags;
    return cudaSuccess;
  });
}

cudaError_t cudaMallocPitch(void** out, std::size_t* pitch, std::size_t width, std::size_t height) {
  return device_api([&] {
    require_pointer(out, "out");
    require_pointer(pitch, "pitch");
    check_no_capture();
    const std::size_t row = (width + pitch_alignment - 1) / pitch_alignment * pitch_alignment;
    std::size_t bytes = 0;
    require(row >= width && !__builtin_mul_overflow(row, height, &bytes), cudaErrorMemoryAllocation,
            "the size is larger than any memory");
    *out = allocate(bytes, MemoryKind::device);
    *pitch = row;
    return cudaSuccess;
  });
}

cudaError_t cudaMalloc3D(cudaPitchedPtr* out, cudaExtent extent) {
  return device_api([&] {
    require_pointer(out, "out");
    check_no_capture();
    const std::size_t row =
        (extent.width + pitch_alignment - 1) / pitch_alignment * pitch_alignment;
    std::size_t bytes = 0;
    require(row >= extent.width && !__builtin_mul_overflow(row, extent.height, &bytes) &&
                !__builtin_mul_overflow(bytes, extent.depth, &bytes),
            cudaErrorMemoryAllocation, "the size is larger than any memory");
    *out = {allocate(bytes, MemoryKind::device), row, extent.width, extent.height};
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return device_api([&] {
    require_pointer(free, "free");
    require_pointer(total, "total");
    *free = free_bytes(thread().device);
    *total = device_model(thread().device).memory_bytes;
    return cudaSuccess;
  });
}

// --- copies -------------------------------------------------------------------------------------

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return device_api([&] { return copy_now(make_copy(to, from, bytes, kind), nullptr); });
}
cudaError_t cudaMemcpy_ptds(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return device_api(
      [&] { return copy_now(make_copy(to, from, bytes, kind), cudaStreamPerThread); });
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return device_api([&] { return copy_async(make_copy(to, from, bytes, kind), stream); });
}
cudaError_t cudaMemcpyAsync_ptsz(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                                 cudaStream_t stream) {
  return cudaMemcpyAsync(to, from, bytes, kind, per_thread(stream));
}

cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                         std::size_t width, std::size_t height, cudaMemcpyKind kind) {
  return device_api([&] {
    return copy_now(make_copy_2d(to, to_pitch, from, from_pitch, width, height, kind), nullptr);
  });
}
cudaError_t cudaMemcpy2D_ptds(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind kind) {
  return device_api([&] {
    return copy_now(make_copy_2d(to, to_pitch, from, from_pitch, width, height, kind),
                    cudaStreamPerThread);
  });
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream) {
  return device_api([&] {
    return copy_async(make_copy_2d(to, to_pitch, from, from_pitch, width, height, kind), stream);
  });
}
cudaError_t cudaMemcpy2DAsync_ptsz(void* to, std::size_t to_pitch, const void* from,
                                   std::size_t from_pitch, std::size_t width, std::size_t height,
                                   cudaMemcpyKind kind, cudaStream_t stream) {
  return cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, width, height, kind, per_thread(stream));
}

cudaError_t cudaMemcpy3D(const cudaMemcpy3DParms* copy) {
  return device_api([&] {
    require_pointer(copy, "copy");
    return copy_now(CopyWork{*copy}, nullptr);
  });
}
cudaError_t cudaMemcpy3D_ptds(const cudaMemcpy3DParms* copy) {
  return device_api([&] {
    require_pointer(copy, "copy");
    return copy_now(CopyWork{*copy}, cudaStreamPerThread);
  });
}
cudaError_t cudaMemcpy3DAsync(const cudaMemcpy3DParms* copy, cudaStream_t stream) {
  return device_api([&] {
    require_pointer(copy, "copy");
    return copy_async(CopyWork{*copy}, stream);
  });
}
cudaError_t cudaMemcpy3DAsync_ptsz(const cudaMemcpy3DParms* copy, cudaStream_t stream) {
  return cudaMemcpy3DAsync(copy, per_thread(stream));
}

cudaError_t cudaMemcpyPeer(void* to, int to_device, const void* from, int from_device,
                           std::size_t bytes) {
  return device_api([&] {
    static_cast<void>(device(to_device));
    static_cast<void>(device(from_device));
    return copy_now(make_copy(to, from, bytes, cudaMemcpyDefault), nullptr);
  });
}
cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device,
                                std::size_t bytes, cudaStream_t stream) {
  return device_api([&] {
    static_cast<void>(device(to_device));
    static_cast<void>(device(from_device));
    return copy_async(make_copy(to, from, bytes, cudaMemcpyDefault), stream);
  });
}

cudaError_t cudaMemcpy3DPeer(const cudaMemcpy3DPeerParms* copy) {
  return device_api([&] {
    require_pointer(copy, "copy");
    return copy_now(peer_copy(*copy), nullptr);
  });
}
cudaError_t cudaMemcpy3DPeer_ptds(const cudaMemcpy3DPeerParms* copy) {
  return device_api([&] {
    require_pointer(copy, "copy");
    return copy_now(peer_copy(*copy), cudaStreamPerThread);
  });
}
cudaError_t cudaMemcpy3DPeerAsync(const cudaMemcpy3DPeerParms* copy, cudaStream_t stream) {
  return device_api([&] {
    require_pointer(copy, "copy");
    return copy_async(peer_copy(*copy), stream);
  });
}
cudaError_t cudaMemcpy3DPeerAsync_ptsz(const cudaMemcpy3DPeerParms* copy, cudaStream_t stream) {
  return cudaMemcpy3DPeerAsync(copy, per_thread(stream));
}

cudaError_t cudaMemcpyBatchAsync(void* const* to, const void* const* from, const std::size_t* bytes,
                                 std::size_t count, cudaMemcpyAttributes* attributes,
                                 std::size_t* indices, std::size_t attribute_count,
                                 cudaStream_t stream) {
  return device_api([&] {
    require(count != 0, "the count is 0");
    require_pointer(to, "to");
    require_pointer(from, "from");
    require_pointer(bytes, "bytes");
    require(attribute_count != 0, "the number of attributes is 0");
    require(attribute_count <= count, "there are more attributes than entries");
    require_pointer(attributes, "attributes");
    require_pointer(indices, "indices");
    require(indices[0] == 0, "the first entry needs an attribute: the first index has to be 0");
    require_pointer(stream, "stream");
    require(find_stream(stream).kind != Stream::Kind::legacy,
            "a batch of copies cannot go to the legacy default stream");
    for (std::size_t i = 0; i < count; ++i) {
      submit(make_copy(to[i], from[i], bytes[i], cudaMemcpyDefault), stream);
    }
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpyBatchAsync_ptsz(void* const* to, const void* const* from,
                                      const std::size_t* bytes, std::size_t count,
                                      cudaMemcpyAttributes* attributes, std::size_t* indices,
                                      std::size_t attribute_count, cudaStream_t stream) {
  return cudaMemcpyBatchAsync(to, from, bytes, count, attributes, indices, attribute_count,
                              per_thread(stream));
}

cudaError_t cudaMemcpy3DBatchAsync(std::size_t count, cudaMemcpy3DBatchOp* operations,
                                   unsigned long long flags, cudaStream_t stream) {
  return device_api([&] {
    require(count != 0, "the count is 0");
    require_pointer(operations, "operations");
    require(flags == 0, "flags has to be 0");
    require_pointer(stream, "stream");
    require(find_stream(stream).kind != Stream::Kind::legacy,
            "a batch of copies cannot go to the legacy default stream");
    for (std::size_t i = 0; i < count; ++i) {
      const cudaMemcpy3DBatchOp& operation = operations[i];
      CopyWork work;
      work.copy.extent = operation.extent;
      work.copy.kind = cudaMemcpyDefault;
      const auto side = [&](const cudaMemcpy3DOperand& operand, cudaArray_t& array, cudaPos& pos,
                            cudaPitchedPtr& pointer) {
        if (operand.type == cudaMemcpyOperandTypeArray) {
          array = operand.op.array.array;
          pos = {operand.op.array.offset.x, operand.op.array.offset.y, operand.op.array.offset.z};
          return;
        }
        require(operand.type == cudaMemcpyOperandTypePointer, "there is no operand of this type");
        const auto& plain = operand.op.ptr;
        pointer = {plain.ptr, plain.rowLength == 0 ? operation.extent.width : plain.rowLength,
                   operation.extent.width,
                   plain.layerHeight == 0 ? operation.extent.height : plain.layerHeight};
      };
      side(operation.src, work.copy.srcArray, work.copy.srcPos, work.copy.srcPtr);
      side(operation.dst, work.copy.dstArray, work.copy.dstPos, work.copy.dstPtr);
      submit(std::move(work), stream);
    }
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpy3DBatchAsync_ptsz(std::size_t count, cudaMemcpy3DBatchOp* operations,
                                        unsigned long long flags, cudaStream_t stream) {
  return cudaMemcpy3DBatchAsync(count, operations, flags, per_thread(stream));
}

// --- fills --------------------------------------------------------------------------------------

cudaError_t cudaMemset(void* address, int value, std::size_t bytes) {
  return device_api([&] { return fill_now(fill(address, bytes, value, bytes, 1), nullptr); });
}
cudaError_t cudaMemset_ptds(void* address, int value, std::size_t bytes) {
  return device_api(
      [&] { return fill_now(fill(address, bytes, value, bytes, 1), cudaStreamPerThread); });
}
cudaError_t cudaMemsetAsync(void* address, int value, std::size_t bytes, cudaStream_t stream) {
  return device_api([&] {
    submit(fill(address, bytes, value, bytes, 1), stream);
    return cudaSuccess;
  });
}
cudaError_t cudaMemsetAsync_ptsz(void* address, int value, std::size_t bytes, cudaStream_t stream) {
  return cudaMemsetAsync(address, value, bytes, per_thread(stream));
}
cudaError_t cudaMemset2D(void* address, std::size_t pitch, int value, std::size_t width,
                         std::size_t height) {
  return device_api([&] { return fill_now(fill(address, pitch, value, width, height), nullptr); });
}
cudaError_t cudaMemset2D_ptds(void* address, std::size_t pitch, int value, std::size_t width,
                              std::size_t height) {
  return device_api(
      [&] { return fill_now(fill(address, pitch, value, width, height), cudaStreamPerThread); });
}
cudaError_t cudaMemset2DAsync(void* address, std::size_t pitch, int value, std::size_t width,
                              std::size_t height, cudaStream_t stream) {
  return device_api([&] {
    submit(fill(address, pitch, value, width, height), stream);
    return cudaSuccess;
  });
}
cudaError_t cudaMemset2DAsync_ptsz(void* address, std::size_t pitch, int value, std::size_t width,
                                   std::size_t height, cudaStream_t stream) {
  return cudaMemset2DAsync(address, pitch, value, width, height, per_thread(stream));
}
cudaError_t cudaMemset3D(cudaPitchedPtr at, int value, cudaExtent extent) {
  return device_api([&] { return fill_now(fill_3d(at, value, extent), nullptr); });
}
cudaError_t cudaMemset3D_ptds(cudaPitchedPtr at, int value, cudaExtent extent) {
  return device_api([&] { return fill_now(fill_3d(at, value, extent), cudaStreamPerThread); });
}
cudaError_t cudaMemset3DAsync(cudaPitchedPtr at, int value, cudaExtent extent,
                              cudaStream_t stream) {
  return device_api([&] {
    submit(fill_3d(at, value, extent), stream);
    return cudaSuccess;
  });
}
cudaError_t cudaMemset3DAsync_ptsz(cudaPitchedPtr at, int value, cudaExtent extent,
                                   cudaStream_t stream) {
  return cudaMemset3DAsync(at, value, extent, per_thread(stream));
}

// --- symbols ------------------------------------------------------------------------------------

cudaError_t cudaGetSymbolAddress(void** out, const void* symbol) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = find_symbol(symbol).address;
    return cudaSuccess;
  });
}
cudaError_t cudaGetSymbolSize(std::size_t* bytes, const void* symbol) {
  return device_api([&] {
    require_pointer(bytes, "bytes");
    *bytes = find_variable(symbol).bytes;
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, std::size_t bytes,
                               std::size_t offset, cudaMemcpyKind kind) {
  return device_api(
      [&] { return copy_now(copy_to_symbol(symbol, from, bytes, offset, kind), nullptr); });
}
cudaError_t cudaMemcpyToSymbol_ptds(const void* symbol, const void* from, std::size_t bytes,
                                    std::size_t offset, cudaMemcpyKind kind) {
  return device_api([&] {
    return copy_now(copy_to_symbol(symbol, from, bytes, offset, kind), cudaStreamPerThread);
  });
}
cudaError_t cudaMemcpyToSymbolAsync(const void* symbol, const void* from, std::size_t bytes,
                                    std::size_t offset, cudaMemcpyKind kind, cudaStream_t stream) {
  return device_api(
      [&] { return copy_async(copy_to_symbol(symbol, from, bytes, offset, kind), stream); });
}
cudaError_t cudaMemcpyToSymbolAsync_ptsz(const void* symbol, const void* from, std::size_t bytes,
                                         std::size_t offset, cudaMemcpyKind kind,
                                         cudaStream_t stream) {
  return cudaMemcpyToSymbolAsync(symbol, from, bytes, offset, kind, per_thread(stream));
}
cudaError_t cudaMemcpyFromSymbol(void* to, const void* symbol, std::size_t bytes,
                                 std::size_t offset, cudaMemcpyKind kind) {
  return device_api(
      [&] { return copy_now(copy_from_symbol(to, symbol, bytes, offset, kind), nullptr); });
}
cudaError_t cudaMemcpyFromSymbol_ptds(void* to, const void* symbol, std::size_t bytes,
                                      std::size_t offset, cudaMemcpyKind kind) {
  return device_api([&] {
    return copy_now(copy_from_symbol(to, symbol, bytes, offset, kind), cudaStreamPerThread);
  });
}
cudaError_t cudaMemcpyFromSymbolAsync(void* to, const void* symbol, std::size_t bytes,
                                      std::size_t offset, cudaMemcpyKind kind,
                                      cudaStream_t stream) {
  return device_api(
      [&] { return copy_async(copy_from_symbol(to, symbol, bytes, offset, kind), stream); });
}
cudaError_t cudaMemcpyFromSymbolAsync_ptsz(void* to, const void* symbol, std::size_t bytes,
                                           std::size_t offset, cudaMemcpyKind kind,
                                           cudaStream_t stream) {
  return cudaMemcpyFromSymbolAsync(to, symbol, bytes, offset, kind, per_thread(stream));
}

// --- managed memory -----------------------------------------------------------------------------

// All memory is where the kernels run, so advice and prefetches change nothing; what they are given
// is checked, and kept for cudaMemRangeGetAttribute.
cudaError_t cudaMemAdvise(const void* address, std::size_t bytes, cudaMemoryAdvise advice,
                          cudaMemLocation location) {
  return device_api([&] {
    MemoryRange range;
    require(bytes != 0, "the size is 0");
    require(live(address, range), "the address is not in memory that CUDA knows");
    require(range.kind == MemoryKind::managed, "the memory is not managed (cudaMallocManaged)");
    require(bytes <= range.end - reinterpret_cast<std::uint64_t>(address),
            "the range goes beyond the end of its allocation");
    require(advice >= cudaMemAdviseSetReadMostly && advice <= cudaMemAdviseUnsetAccessedBy,
            "there is no advice of this number");
    if (location.type == cudaMemLocationTypeDevice && advice >= cudaMemAdviseSetPreferredLocation) {
      static_cast<void>(device(location.id));
    }
    advise(range.begin, advice, location);
    return cudaSuccess;
  });
}

cudaError_t cudaMemPrefetchAsync(const void* address, std::size_t bytes, cudaMemLocation location,
                                 unsigned flags, cudaStream_t stream) {
  return device_api([&] {
    MemoryRange range;
    require(flags == 0, "flags has to be 0");
    require(bytes != 0, "the size is 0");
    require(live(address, range), "the address is not in memory that CUDA knows");
    require(range.kind == MemoryKind::managed, "the memory is not managed (cudaMallocManaged)");
    require(bytes <= range.end - reinterpret_cast<std::uint64_t>(address),
            "the range goes beyond the end of its allocation");
    if (location.type == cudaMemLocationTypeDevice) {
      static_cast<void>(device(location.id));
    } else {
      require(location.type == cudaMemLocationTypeHost ||
                  location.type == cudaMemLocationTypeHostNuma ||
                  location.type == cudaMemLocationTypeHostNumaCurrent,
              "there is no memory at a location of this type");
    }
    note_prefetch(range.begin, location);
    submit(EmptyWork{}, stream);
    return cudaSuccess;
  });
}
cudaError_t cudaMemPrefetchAsync_ptsz(const void* address, std::size_t bytes,
                                      cudaMemLocation location, unsigned flags,
                                      cudaStream_t stream) {
  return cudaMemPrefetchAsync(address, bytes, location, flags, per_thread(stream));
}

cudaError_t cudaMemPrefetchBatchAsync(void** addresses, std::size_t* bytes, std::size_t count,
                                      cudaMemLocation* locations, std::size_t* indices,
                                      std::size_t location_count, unsigned long long flags,
                                      cudaStream_t stream) {
  return device_api([&] {
    require_pointer(addresses, "addresses");
    require_pointer(bytes, "bytes");
    require(count != 0, "the count is 0");
    require(flags == 0, "flags has to be 0");
    require_pointer(locations, "locations");
    require_pointer(indices, "indices");
    require(location_count != 0, "the number of locations is 0");
    require(location_count <= count, "there are more locations than ranges");
    require(indices[0] == 0, "the first entry needs an attribute: the first index has to be 0");
    std::size_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (at + 1 < location_count && indices[at + 1] == i) ++at;
      const cudaError_t error =
          cudaMemPrefetchAsync(addresses[i], bytes[i], locations[at], 0, stream);
      if (error != cudaSuccess) return error;
    }
    return cudaSuccess;
  });
}
cudaError_t cudaMemPrefetchBatchAsync_ptsz(void** addresses, std::size_t* bytes, std::size_t count,
                                           cudaMemLocation* locations, std::size_t* indices,
                                           std::size_t location_count, unsigned long long flags,
                                           cudaStream_t stream) {
  return cudaMemPrefetchBatchAsync(addresses, bytes, count, locations, indices, location_count,
                                   flags, per_thread(stream));
}

cudaError_t cudaMemRangeGetAttribute(void* data, std::size_t bytes, cudaMemRangeAttribute attribute,
                                     const void* address, std::size_t count) {
  return device_api([&] {
    MemoryRange range;
    require_pointer(data, "data");
    require(bytes != 0, "the size is 0");
    require(count != 0, "the count is 0");
    require(live(address, range), "the address is not in memory that CUDA knows");
    require(range.kind == MemoryKind::managed, "the memory is not managed (cudaMallocManaged)");
    return range_attribute(data, bytes, attribute, range.begin);
  });
}

cudaError_t cudaMemRangeGetAttributes(void** data, std::size_t* bytes,
                                      cudaMemRangeAttribute* attributes,
                                      std::size_t attribute_count, const void* address,
                                      std::size_t count) {
  return device_api([&] {
    require_pointer(data, "data");
    require_pointer(bytes, "bytes");
    require_pointer(attributes, "attributes");
    require(attribute_count != 0, "the number of attributes is 0");
    for (std::size_t i = 0; i < attribute_count; ++i) {
      const cudaError_t error =
          cudaMemRangeGetAttribute(data[i], bytes[i], attributes[i], address, count);
      if (error != cudaSuccess) return error;
    }
    return cudaSuccess;
  });
}

// --- addresses ----------------------------------------------------------------------------------

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* out, const void* address) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = {};
    MemoryRange range;
    if (!live(address, range)) {
      out->type = cudaMemoryTypeUnregistered;
      out->device = cudaInvalidDeviceId;
      return cudaSuccess;
    }
    out->device = range.device;
    out->devicePointer = const_cast<void*>(address);
    switch (range.kind) {
      case MemoryKind::device:
      case MemoryKind::symbol: out->type = cudaMemoryTypeDevice; break;
      case MemoryKind::managed:
        out->type = cudaMemoryTypeManaged;
        out->hostPointer = const_cast<void*>(address);
        break;
      case MemoryKind::pinned:
      case MemoryKind::registered:
        out->type = cudaMemoryTypeHost;
        out->hostPointer = const_cast<void*>(address);
        break;
    }
    return cudaSuccess;
  });
}

// --- stream-ordered allocation ------------------------------------------------------------------

cudaError_t cudaMallocAsync(void** out, std::size_t bytes, cudaStream_t stream) {
  return device_api([&] { return allocate_async(out, bytes, nullptr, stream); });
}
cudaError_t cudaMallocAsync_ptsz(void** out, std::size_t bytes, cudaStream_t stream) {
  return cudaMallocAsync(out, bytes, per_thread(stream));
}
cudaError_t cudaMallocFromPoolAsync(void** out, std::size_t bytes, cudaMemPool_t pool,
                                    cudaStream_t stream) {
  return device_api([&] { return allocate_async(out, bytes, &find_pool(pool), stream); });
}
cudaError_t cudaMallocFromPoolAsync_ptsz(void** out, std::size_t bytes, cudaMemPool_t pool,
                                         cudaStream_t stream) {
  return cudaMallocFromPoolAsync(out, bytes, pool, per_thread(stream));
}

cudaError_t cudaFreeAsync(void* address, cudaStream_t stream_handle) {
  return device_api([&] {
    Stream& stream = find_stream(stream_handle);
    if (is_capturing(stream)) {
      require_pointer(address, "address");
      submit(FreeWork{address}, stream_handle);
      return cudaSuccess;
    }
    require_pointer(address, "address");
    check_legacy_use(stream);
    Turn turn(stream);
    {
      const check::CurrentWork current(turn.task()->order);
      check::freed_in_stream(address);
    }
    if (turn.comes()) return free_memory(address);
    check_freed(address);
    turn.continue_in_background([address] { static_cast<void>(free_memory(address)); });
    return cudaSuccess;
  });
}
cudaError_t cudaFreeAsync_ptsz(void* address, cudaStream_t stream) {
  return cudaFreeAsync(address, per_thread(stream));
}

cudaError_t cudaMemPoolCreate(cudaMemPool_t* out, const cudaMemPoolProps* properties) {
  return device_api([&] {
    require_pointer(out, "out");
    require_pointer(properties, "properties");
    require(properties->allocType == cudaMemAllocationTypePinned,
            "allocType has to be cudaMemAllocationTypePinned");
    require(properties->handleTypes == cudaMemHandleTypeNone, cudaErrorNotSupported,
            "memory pools that are shared between processes are not there in the software GPU");
    const bool on_device = properties->location.type == cudaMemLocationTypeDevice;
    if (on_device) {
      static_cast<void>(device(properties->location.id));
    } else {
      require(properties->location.type == cudaMemLocationTypeHost ||
                  properties->location.type == cudaMemLocationTypeHostNuma,
              "a pool cannot be at a location of this type");
    }
    auto* pool = new Pool;
    pool->device = on_device ? properties->location.id : 0;
    pool->host = !on_device;
    pool->max_bytes = properties->maxSize;
    const std::scoped_lock lock(pools().mutex);
    pools().live.insert(pool);
    *out = reinterpret_cast<cudaMemPool_t>(pool);
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolDestroy(cudaMemPool_t handle) {
  return device_api([&] {
    Pool& pool = find_pool(handle);
    for (int i = 0; i < device_count(); ++i) {
      Device& of = device(i);
      const std::scoped_lock lock(of.mutex);
      if (of.pool == &pool) of.pool = nullptr;
    }
    const std::scoped_lock lock(pools().mutex);
    for (const auto& [index, kept] : pools().defaults)
      require(kept != &pool, "a device's default pool cannot be destroyed");
    require(pools().host != &pool, "the host's pool cannot be destroyed");
    // The program keeps the memory that the pool gave; the pool no longer counts it.
    std::erase_if(pools().owner, [&](const auto& entry) {
      if (entry.second != &pool) return false;
      pools().sizes.erase(entry.first);
      return true;
    });
    pools().live.erase(&pool);
    delete &pool;
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, std::size_t) {
  return device_api([&] {
    static_cast<void>(find_pool(pool));  // nothing is kept back
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t handle, cudaMemPoolAttr attribute, void* value) {
  return device_api([&] {
    Pool& pool = find_pool(handle);
    require_pointer(value, "value");
    const std::scoped_lock lock(pools().mutex);
    switch (attribute) {
      case cudaMemPoolReuseFollowEventDependencies: std::memcpy(&pool.reuse[0], value, 4); break;
      case cudaMemPoolReuseAllowOpportunistic: std::memcpy(&pool.reuse[1], value, 4); break;
      case cudaMemPoolReuseAllowInternalDependencies: std::memcpy(&pool.reuse[2], value, 4); break;
      case cudaMemPoolAttrReleaseThreshold: std::memcpy(&pool.release_threshold, value, 8); break;
      case cudaMemPoolAttrReservedMemHigh:
      case cudaMemPoolAttrUsedMemHigh: {
        std::uint64_t zero = 1;
        std::memcpy(&zero, value, 8);
        require(zero == 0, "a high watermark can only be set to 0");
        pool.used_high = pool.used;
        break;
      }
      default: throw ApiError(cudaErrorInvalidValue, "memory pools have no such attribute");
    }
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t handle, cudaMemPoolAttr attribute, void* value) {
  return device_api([&] {
    const Pool& pool = find_pool(handle);
    require_pointer(value, "value");
    const std::scoped_lock lock(pools().mutex);
    const std::uint64_t used = pool.used;
    const std::uint64_t high = pool.used_high;
    switch (attribute) {
      case cudaMemPoolReuseFollowEventDependencies: std::memcpy(value, &pool.reuse[0], 4); break;
      case cudaMemPoolReuseAllowOpportunistic: std::memcpy(value, &pool.reuse[1], 4); break;
      case cudaMemPoolReuseAllowInternalDependencies: std::memcpy(value, &pool.reuse[2], 4); break;
      case cudaMemPoolAttrReleaseThreshold: std::memcpy(value, &pool.release_threshold, 8); break;
      case cudaMemPoolAttrReservedMemCurrent:
      case cudaMemPoolAttrUsedMemCurrent: std::memcpy(value, &used, 8); break;
      case cudaMemPoolAttrReservedMemHigh:
      case cudaMemPoolAttrUsedMemHigh: std::memcpy(value, &high, 8); break;
      default: throw ApiError(cudaErrorInvalidValue, "memory pools have no such attribute");
    }
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolSetAccess(cudaMemPool_t handle, const cudaMemAccessDesc* list,
                                 std::size_t count) {
  return device_api([&] {
    Pool& pool = find_pool(handle);
    require(list != nullptr || count == 0,
            "the list is a null pointer although its length is not 0");
    for (std::size_t i = 0; i < count; ++i) {
      require(list[i].location.type == cudaMemLocationTypeDevice,
              "access is given to devices only");
      static_cast<void>(device(list[i].location.id));
      require(list[i].flags != cudaMemAccessFlagsProtNone || list[i].location.id != pool.device,
              "a device's access to its own pool cannot be taken away");
      pool.access[list[i].location.id] = list[i].flags;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaMemPoolGetAccess(cudaMemAccessFlags* flags, cudaMemPool_t handle,
                                 cudaMemLocation* location) {
  return device_api([&] {
    const Pool& pool = find_pool(handle);
    require_pointer(flags, "flags");
    require_pointer(location, "location");
    require(location->type == cudaMemLocationTypeDevice, "the location has to be a device");
    const auto found = pool.access.find(location->id);
    *flags = found != pool.access.end()    ? found->second
             : location->id == pool.device ? cudaMemAccessFlagsProtReadWrite
                                           : cudaMemAccessFlagsProtNone;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* out, int index) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = reinterpret_cast<cudaMemPool_t>(&default_pool(index));
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceGetMemPool(cudaMemPool_t* out, int index) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = reinterpret_cast<cudaMemPool_t>(&current_pool(index));
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceSetMemPool(int index, cudaMemPool_t handle) {
  return device_api([&] {
    Pool& pool = find_pool(handle);
    Device& of = device(index);
    require(!pool.host, "the pool is the host's");
    require(pool.device == index, "the pool belongs to another device");
    const std::scoped_lock lock(of.mutex);
    of.pool = &pool;
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetDefaultMemPool(cudaMemPool_t* out, cudaMemLocation* location,
                                     cudaMemAllocationType type) {
  return device_api([&] {
    require_pointer(out, "out");
    require_pointer(location, "location");
    require(type == cudaMemAllocationTypePinned, "the type has to be cudaMemAllocationTypePinned");
    *out = reinterpret_cast<cudaMemPool_t>(&pool_at(*location));
    return cudaSuccess;
  });
}
cudaError_t cudaMemGetMemPool(cudaMemPool_t* out, cudaMemLocation* location,
                              cudaMemAllocationType type) {
  return device_api([&] {
    require_pointer(out, "out");
    require_pointer(location, "location");
    require(type == cudaMemAllocationTypePinned, "the type has to be cudaMemAllocationTypePinned");
    *out = reinterpret_cast<cudaMemPool_t>(location->type == cudaMemLocationTypeDevice
                                               ? &current_pool(location->id)
                                               : &pool_at(*location));
    return cudaSuccess;
  });
}
cudaError_t cudaMemSetMemPool(cudaMemLocation* location, cudaMemAllocationType type,
                              cudaMemPool_t pool) {
  return device_api([&] {
    require_pointer(location, "location");
    require(type == cudaMemAllocationTypePinned, "the type has to be cudaMemAllocationTypePinned");
    require(location->type == cudaMemLocationTypeDevice, "the location has to be a device");
    return cudaDeviceSetMemPool(location->id, pool);
  });
}

}  // extern "C"

}  // namespace softgpu::cuda

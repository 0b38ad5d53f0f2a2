// Devices: what they are, which one is current, limits, peers, resetting; versions and the
// profiler.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include "softgpu/exec/launch.hpp"
#include "softgpu/exec/services.hpp"
#include "softgpu/exec/tensor_map.hpp"
#include "softgpu/memory/memory.hpp"
#include "softgpu/models.hpp"
#include "softgpu/runtime/cuda_functions.hpp"
#include "softgpu/runtime/module.hpp"
#include "softgpu/runtime/state.hpp"
#include "softgpu/runtime/stream.hpp"
#include "softgpu/runtime/task.hpp"

namespace softgpu::cuda {
namespace {

constexpr int runtime_version = 13000;
constexpr int max_threads_per_block = 1024;
constexpr std::size_t constant_bytes = 65536;
constexpr std::size_t max_pitch = 2147483647;
constexpr int access_window_bytes = 128 << 20;

constexpr unsigned gpu_pci_device(const DeviceModel& model) {
  return model.major == 9 ? 0x233010deU : model.minor == 9 ? 0x268410deU : 0x20b210deU;
}

// Limits of textures and surfaces are those of compute capability 8.0 to 9.0 (CUDA C++ Programming
// Guide, "Technical Specifications per Compute Capability").
void fill_properties(cudaDeviceProp& p, int index) {
  const DeviceModel& model = device_model(index);
  std::memset(&p, 0, sizeof p);
  model.name.copy(p.name, sizeof p.name - 1);
  std::memcpy(p.uuid.bytes, "softgpu-device-", 15);
  p.uuid.bytes[15] = static_cast<char>(index);
  p.totalGlobalMem = model.memory_bytes;
  p.sharedMemPerBlock = model.shared_per_block;
  p.regsPerBlock = model.registers_per_block;
  p.warpSize = warp_size;
  p.memPitch = max_pitch;
  p.maxThreadsPerBlock = max_threads_per_block;
  const int block[3] = {1024, 1024, 64};
  const int grid[3] = {2147483647, 65535, 65535};
  std::copy_n(block, 3, p.maxThreadsDim);
  std::copy_n(grid, 3, p.maxGridSize);
  p.totalConstMem = constant_bytes;
  p.major = model.major;
  p.minor = model.minor;
  p.textureAlignment = 512;
  p.texturePitchAlignment = 32;
  p.multiProcessorCount = model.multiprocessors;
  p.canMapHostMemory = 1;
  p.maxTexture1D = 131072;
  p.maxTexture1DMipmap = 32768;
  const int texture_2d[2] = {131072, 65536};
  std::copy_n(texture_2d, 2, p.maxTexture2D);
  p.maxTexture2DMipmap[0] = p.maxTexture2DMipmap[1] = 32768;
  const int linear_2d[3] = {131072, 65000, 2097120};
  std::copy_n(linear_2d, 3, p.maxTexture2DLinear);
  p.maxTexture2DGather[0] = p.maxTexture2DGather[1] = 32768;
  std::fill_n(p.maxTexture3D, 3, 16384);
  const int alternative_3d[3] = {8192, 8192, 32768};
  std::copy_n(alternative_3d, 3, p.maxTexture3DAlt);
  p.maxTextureCubemap = 32768;
  const int layered[3] = {32768, 32768, 2048};
  p.maxTexture1DLayered[0] = 32768;
  p.maxTexture1DLayered[1] = 2048;
  std::copy_n(layered, 3, p.maxTexture2DLayered);
  p.maxTextureCubemapLayered[0] = 32768;
  p.maxTextureCubemapLayered[1] = 2046;
  p.maxSurface1D = 32768;
  std::copy_n(texture_2d, 2, p.maxSurface2D);
  std::fill_n(p.maxSurface3D, 3, 16384);
  p.maxSurface1DLayered[0] = 32768;
  p.maxSurface1DLayered[1] = 2048;
  std::copy_n(layered, 3, p.maxSurface2DLayered);
  p.maxSurfaceCubemap = 32768;
  p.maxSurfaceCubemapLayered[0] = 32768;
  p.maxSurfaceCubemapLayered[1] = 2046;
  p.surfaceAlignment = 512;
  p.concurrentKernels = 1;
  p.pciBusID = index + 1;
  p.asyncEngineCount = 3;
  p.unifiedAddressing = 1;
  p.ipcEventSupported = 1;
  p.memoryBusWidth = model.memory_bus_bits;
  p.l2CacheSize = static_cast<int>(model.l2_bytes);
  p.persistingL2CacheMaxSize = static_cast<int>(model.persisting_l2_bytes);
  p.maxThreadsPerMultiProcessor = model.max_threads_per_multiprocessor;
  p.streamPrioritiesSupported = 1;
  p.globalL1CacheSupported = 1;
  p.localL1CacheSupported = 1;
  p.sharedMemPerMultiprocessor = model.shared_per_multiprocessor;
  p.regsPerMultiprocessor = model.registers_per_multiprocessor;
  p.managedMemory = 1;
  p.multiGpuBoardGroupID = index;
  p.concurrentManagedAccess = 1;
  p.computePreemptionSupported = 1;
  p.canUseHostPointerForRegisteredMem = 1;
  p.cooperativeLaunch = 1;
  p.sharedMemPerBlockOptin = model.shared_per_block_optin;
  p.maxBlocksPerMultiProcessor = model.max_blocks_per_multiprocessor;
  p.accessPolicyMaxWindowSize = access_window_bytes;
  p.reservedSharedMemPerBlock = model.shared_reserved;
  p.hostRegisterSupported = 1;
  p.hostRegisterReadOnlySupported = 1;
  p.memoryPoolsSupported = 1;
  p.clusterLaunch = model.clusters ? 1 : 0;
  p.deviceNumaId = -1;
  p.gpuPciDeviceID = gpu_pci_device(model);
}

// An attribute that no property holds, or that differs from it.
bool other_attribute(cudaDeviceAttr attribute, int index, int& value) {
  const DeviceModel& model = device_model(index);
  switch (attribute) {
    case cudaDevAttrClockRate: value = model.clock_khz; return true;
    case cudaDevAttrMemoryClockRate: value = model.memory_clock_khz; return true;
    case cudaDevAttrGpuOverlap: value = 1; return true;
    case cudaDevAttrKernelExecTimeout: value = 0; return true;
    case cudaDevAttrComputeMode: value = cudaComputeModeDefault; return true;
    case cudaDevAttrSingleToDoublePrecisionPerfRatio:
      value = model.minor == 9 ? 64 : 2;
      return true;
    case cudaDevAttrCanFlushRemoteWrites:
    case cudaDevAttrTimelineSemaphoreInteropSupported:
    case cudaDevAttrMpsEnabled:
    case cudaDevAttrNumaConfig:
    case cudaDevAttrD3D12CigSupported:
    case cudaDevAttrVulkanCigSupported:
    case cudaDevAttrHostNumaMemoryPoolsSupported:
    case cudaDevAttrHostNumaMultinodeIpcSupported:
    case cudaDevAttrOnlyPartialHostNativeAtomicSupported: value = 0; return true;
    case cudaDevAttrHostMemoryPoolsSupported: value = 1; return true;
    case cudaDevAttrMemSyncDomainCount: value = model.clusters ? 4 : 1; return true;
    case cudaDevAttrNumaId: value = -1; return true;
    case cudaDevAttrHostNumaId: value = 0; return true;
    case cudaDevAttrMaxTexture1DLinearWidth: value = 1 << 28; return true;
    case cudaDevAttrReserved92:
    case cudaDevAttrReserved93:
    case cudaDevAttrReserved94:
    case cudaDevAttrReserved96:
    case cudaDevAttrReserved122:
    case cudaDevAttrReserved123:
    case cudaDevAttrReserved124:
    case cudaDevAttrReserved127:
    case cudaDevAttrReserved128:
    case cudaDevAttrReserved129:
    case cudaDevAttrReserved132:
    case cudaDevAttrReserved141:
    case cudaDevAttrReserved145: value = 0; return true;
    default: return false;
  }
}

bool property_attribute(cudaDeviceAttr attribute, const cudaDeviceProp& p, int& value) {
  const auto is = [&](auto number) {
    value = static_cast<int>(number);
    return true;
  };
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: return is(p.maxThreadsPerBlock);
    case cudaDevAttrMaxBlockDimX: return is(p.maxThreadsDim[0]);
    case cudaDevAttrMaxBlockDimY: return is(p.maxThreadsDim[1]);
    case cudaDevAttrMaxBlockDimZ: return is(p.maxThreadsDim[2]);
    case cudaDevAttrMaxGridDimX: return is(p.maxGridSize[0]);
    case cudaDevAttrMaxGridDimY: return is(p.maxGridSize[1]);
    case cudaDevAttrMaxGridDimZ: return is(p.maxGridSize[2]);
    case cudaDevAttrMaxSharedMemoryPerBlock: return is(p.sharedMemPerBlock);
    case cudaDevAttrTotalConstantMemory: return is(p.totalConstMem);
    case cudaDevAttrWarpSize: return is(p.warpSize);
    case cudaDevAttrMaxPitch: return is(p.memPitch);
    case cudaDevAttrMaxRegistersPerBlock: return is(p.regsPerBlock);
    case cudaDevAttrTextureAlignment: return is(p.textureAlignment);
    case cudaDevAttrMultiProcessorCount: return is(p.multiProcessorCount);
    case cudaDevAttrIntegrated: return is(p.integrated);
    case cudaDevAttrCanMapHostMemory: return is(p.canMapHostMemory);
    case cudaDevAttrMaxTexture1DWidth: return is(p.maxTexture1D);
    case cudaDevAttrMaxTexture2DWidth: return is(p.maxTexture2D[0]);
    case cudaDevAttrMaxTexture2DHeight: return is(p.maxTexture2D[1]);
    case cudaDevAttrMaxTexture3DWidth: return is(p.maxTexture3D[0]);
    case cudaDevAttrMaxTexture3DHeight: return is(p.maxTexture3D[1]);
    case cudaDevAttrMaxTexture3DDepth: return is(p.maxTexture3D[2]);
    case cudaDevAttrMaxTexture2DLayeredWidth: return is(p.maxTexture2DLayered[0]);
    case cudaDevAttrMaxTexture2DLayeredHeight: return is(p.maxTexture2DLayered[1]);
    case cudaDevAttrMaxTexture2DLayeredLayers: return is(p.maxTexture2DLayered[2]);
    case cudaDevAttrSurfaceAlignment: return is(p.surfaceAlignment);
    case cudaDevAttrConcurrentKernels: return is(p.concurrentKernels);
    case cudaDevAttrEccEnabled: return is(p.ECCEnabled);
    case cudaDevAttrPciBusId: return is(p.pciBusID);
    case cudaDevAttrPciDeviceId: return is(p.pciDeviceID);
    case cudaDevAttrTccDriver: return is(p.tccDriver);
    case cudaDevAttrGlobalMemoryBusWidth: return is(p.memoryBusWidth);
    case cudaDevAttrL2CacheSize: return is(p.l2CacheSize);
    case cudaDevAttrMaxThreadsPerMultiProcessor: return is(p.maxThreadsPerMultiProcessor);
    case cudaDevAttrAsyncEngineCount: return is(p.asyncEngineCount);
    case cudaDevAttrUnifiedAddressing: return is(p.unifiedAddressing);
    case cudaDevAttrMaxTexture1DLayeredWidth: return is(p.maxTexture1DLayered[0]);
    case cudaDevAttrMaxTexture1DLayeredLayers: return is(p.maxTexture1DLayered[1]);
    case cudaDevAttrMaxTexture2DGatherWidth: return is(p.maxTexture2DGather[0]);
    case cudaDevAttrMaxTexture2DGatherHeight: return is(p.maxTexture2DGather[1]);
    case cudaDevAttrMaxTexture3DWidthAlt: return is(p.maxTexture3DAlt[0]);
    case cudaDevAttrMaxTexture3DHeightAlt: return is(p.maxTexture3DAlt[1]);
    case cudaDevAttrMaxTexture3DDepthAlt: return is(p.maxTexture3DAlt[2]);
    case cudaDevAttrPciDomainId: return is(p.pciDomainID);
    case cudaDevAttrTexturePitchAlignment: return is(p.texturePitchAlignment);
    case cudaDevAttrMaxTextureCubemapWidth: return is(p.maxTextureCubemap);
    case cudaDevAttrMaxTextureCubemapLayeredWidth: return is(p.maxTextureCubemapLayered[0]);
    case cudaDevAttrMaxTextureCubemapLayeredLayers: return is(p.maxTextureCubemapLayered[1]);
    case cudaDevAttrMaxSurface1DWidth: return is(p.maxSurface1D);
    case cudaDevAttrMaxSurface2DWidth: return is(p.maxSurface2D[0]);
    case cudaDevAttrMaxSurface2DHeight: return is(p.maxSurface2D[1]);
    case cudaDevAttrMaxSurface3DWidth: return is(p.maxSurface3D[0]);
    case cudaDevAttrMaxSurface3DHeight: return is(p.maxSurface3D[1]);
    case cudaDevAttrMaxSurface3DDepth: return is(p.maxSurface3D[2]);
    case cudaDevAttrMaxSurface1DLayeredWidth: return is(p.maxSurface1DLayered[0]);
    case cudaDevAttrMaxSurface1DLayeredLayers: return is(p.maxSurface1DLayered[1]);
    case cudaDevAttrMaxSurface2DLayeredWidth: return is(p.maxSurface2DLayered[0]);
    case cudaDevAttrMaxSurface2DLayeredHeight: return is(p.maxSurface2DLayered[1]);
    case cudaDevAttrMaxSurface2DLayeredLayers: return is(p.maxSurface2DLayered[2]);
    case cudaDevAttrMaxSurfaceCubemapWidth: return is(p.maxSurfaceCubemap);
    case cudaDevAttrMaxSurfaceCubemapLayeredWidth: return is(p.maxSurfaceCubemapLayered[0]);
    case cudaDevAttrMaxSurfaceCubemapLayeredLayers: return is(p.maxSurfaceCubemapLayered[1]);
    case cudaDevAttrMaxTexture2DLinearWidth: return is(p.maxTexture2DLinear[0]);
    case cudaDevAttrMaxTexture2DLinearHeight: return is(p.maxTexture2DLinear[1]);
    case cudaDevAttrMaxTexture2DLinearPitch: return is(p.maxTexture2DLinear[2]);
    case cudaDevAttrMaxTexture2DMipmappedWidth: return is(p.maxTexture2DMipmap[0]);
    case cudaDevAttrMaxTexture2DMipmappedHeight: return is(p.maxTexture2DMipmap[1]);
    case cudaDevAttrMaxTexture1DMipmappedWidth: return is(p.maxTexture1DMipmap);
    case cudaDevAttrComputeCapabilityMajor: return is(p.major);
    case cudaDevAttrComputeCapabilityMinor: return is(p.minor);
    case cudaDevAttrStreamPrioritiesSupported: return is(p.streamPrioritiesSupported);
    case cudaDevAttrGlobalL1CacheSupported: return is(p.globalL1CacheSupported);
    case cudaDevAttrLocalL1CacheSupported: return is(p.localL1CacheSupported);
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: return is(p.sharedMemPerMultiprocessor);
    case cudaDevAttrMaxRegistersPerMultiprocessor: return is(p.regsPerMultiprocessor);
    case cudaDevAttrManagedMemory: return is(p.managedMemory);
    case cudaDevAttrIsMultiGpuBoard: return is(p.isMultiGpuBoard);
    case cudaDevAttrMultiGpuBoardGroupID: return is(p.multiGpuBoardGroupID);
    case cudaDevAttrHostNativeAtomicSupported: return is(p.hostNativeAtomicSupported);
    case cudaDevAttrPageableMemoryAccess: return is(p.pageableMemoryAccess);
    case cudaDevAttrConcurrentManagedAccess: return is(p.concurrentManagedAccess);
    case cudaDevAttrComputePreemptionSupported: return is(p.computePreemptionSupported);
    case cudaDevAttrCanUseHostPointerForRegisteredMem:
      return is(p.canUseHostPointerForRegisteredMem);
    case cudaDevAttrCooperativeLaunch: return is(p.cooperativeLaunch);
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: return is(p.sharedMemPerBlockOptin);
    case cudaDevAttrHostRegisterSupported: return is(p.hostRegisterSupported);
    case cudaDevAttrPageableMemoryAccessUsesHostPageTables:
      return is(p.pageableMemoryAccessUsesHostPageTables);
    case cudaDevAttrDirectManagedMemAccessFromHost: return is(p.directManagedMemAccessFromHost);
    case cudaDevAttrMaxBlocksPerMultiprocessor: return is(p.maxBlocksPerMultiProcessor);
    case cudaDevAttrMaxPersistingL2CacheSize: return is(p.persistingL2CacheMaxSize);
    case cudaDevAttrMaxAccessPolicyWindowSize: return is(p.accessPolicyMaxWindowSize);
    case cudaDevAttrReservedSharedMemoryPerBlock: return is(p.reservedSharedMemPerBlock);
    case cudaDevAttrSparseCudaArraySupported: return is(p.sparseCudaArraySupported);
    case cudaDevAttrHostRegisterReadOnlySupported: return is(p.hostRegisterReadOnlySupported);
    case cudaDevAttrMemoryPoolsSupported: return is(p.memoryPoolsSupported);
    case cudaDevAttrGPUDirectRDMASupported: return is(p.gpuDirectRDMASupported);
    case cudaDevAttrGPUDirectRDMAFlushWritesOptions: return is(p.gpuDirectRDMAFlushWritesOptions);
    case cudaDevAttrGPUDirectRDMAWritesOrdering: return is(p.gpuDirectRDMAWritesOrdering);
    case cudaDevAttrMemoryPoolSupportedHandleTypes: return is(p.memoryPoolSupportedHandleTypes);
    case cudaDevAttrClusterLaunch: return is(p.clusterLaunch);
    case cudaDevAttrDeferredMappingCudaArraySupported:
      return is(p.deferredMappingCudaArraySupported);
    case cudaDevAttrIpcEventSupport: return is(p.ipcEventSupported);
    case cudaDevAttrGpuPciDeviceId: return is(p.gpuPciDeviceID);
    case cudaDevAttrGpuPciSubsystemId: return is(p.gpuPciSubsystemID);
    default: return false;
  }
}

std::size_t default_limit(cudaLimit limit) {
  switch (limit) {
    case cudaLimitStackSize: return 1024;
    case cudaLimitPrintfFifoSize: return std::size_t{1} << 20;
    case cudaLimitMallocHeapSize: return std::size_t{8} << 20;
    case cudaLimitDevRuntimeSyncDepth: return 2;
    case cudaLimitDevRuntimePendingLaunchCount: return 2048;
    case cudaLimitMaxL2FetchGranularity: return 64;
    case cudaLimitPersistingL2CacheSize: return 0;
  }
  throw ApiError(cudaErrorUnsupportedLimit, "there is no limit of this number");
}

}  // namespace

std::size_t limit_of(Device& of, cudaLimit limit) {
  const std::scoped_lock lock(of.mutex);
  const auto found = of.limits.find(limit);
  return found != of.limits.end() ? found->second : default_limit(limit);
}

extern "C" {

// --- the current device -------------------------------------------------------------------------

cudaError_t cudaGetDeviceCount(int* count) {
  return api([&] {
    require_pointer(count, "count");
    *count = device_count();
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int index) {
  return api([&] {
    Device& chosen = device(index);
    chosen.used = true;
    thread().device = index;
    return static_cast<cudaError_t>(chosen.sticky.load());
  });
}

cudaError_t cudaGetDevice(int* index) {
  return api([&] {
    require_pointer(index, "index");
    *index = thread().device;
    return cudaSuccess;
  });
}

cudaError_t cudaInitDevice(int index, unsigned device_flags, unsigned flags) {
  return api([&] {
    Device& of = device(index);
    require((flags & ~cudaInitDeviceFlagsAreValid) == 0,
            "flags has bits other than cudaInitDeviceFlagsAreValid");
    if (flags != 0) of.flags = device_flags;
    of.used = true;
    return cudaSuccess;
  });
}

cudaError_t cudaSetValidDevices(int* list, int count) {
  return api([&] {
    require(count >= 0, "the number of devices is negative");
    require((list != nullptr || count == 0),
            "the list of devices is a null pointer although its length is not 0");
    for (int i = 0; i < count; ++i) static_cast<void>(device(list[i]));
    if (count > 0) thread().device = list[0];
    return cudaSuccess;
  });
}

cudaError_t cudaChooseDevice(int* index, const cudaDeviceProp* properties) {
  return api([&] {
    require_pointer(index, "index");
    require_pointer(properties, "properties");
    *index = 0;  // all are alike
    return cudaSuccess;
  });
}

cudaError_t cudaSetDeviceFlags(unsigned flags) {
  return api([&] {
    require((flags & ~cudaDeviceMask) == 0, "flags has bits that no device flag has");
    require((flags & cudaDeviceScheduleMask) != 3 && (flags & cudaDeviceScheduleMask) <= 4,
            "flags combines ways to wait that exclude each other");
    current_device().flags = flags;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceFlags(unsigned* flags) {
  return api([&] {
    require_pointer(flags, "flags");
    *flags = current_device().flags | cudaDeviceMapHost;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return device_api([&] {
    check_no_capture();
    Device& now = current_device();
    wait_for_device(now.index);
    return deliver(now);
  });
}

cudaError_t cudaDeviceReset() {
  return api([&] {
    require(!thread().in_callback, cudaErrorNotPermitted,
            "a host function that a stream calls may not call CUDA");
    Device& now = current_device();
    wait_for_device(now.index);
    flush_device_output();
    now.pending = 0;
    now.sticky = 0;
    thread().last_error = cudaSuccess;
    {
      const std::scoped_lock lock(now.mutex);
      now.limits.clear();
      now.peers.clear();
      now.pool = nullptr;
      now.flags = 0;
      now.cache = cudaFuncCachePreferNone;
    }
    unload_modules(now.index);
    now.used = false;
    return cudaSuccess;
  });
}

// --- properties ---------------------------------------------------------------------------------

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int index) {
  return api([&] {
    require_pointer(properties, "properties");
    static_cast<void>(device(index));
    fill_properties(*properties, index);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int index) {
  return api([&] {
    require_pointer(value, "value");
    static_cast<void>(device(index));
    if (other_attribute(attribute, index, *value)) return cudaSuccess;
    cudaDeviceProp properties;
    fill_properties(properties, index);
    require(property_attribute(attribute, properties, *value),
            "there is no device attribute of this number");
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int index) {
  return api([&] {
    static_cast<void>(device(index));
    require_pointer(text, "text");
    require(length >= 13, "len is too small for a PCI bus id, which takes 13 characters");
    std::snprintf(text, static_cast<std::size_t>(length), "0000:%02X:00.0", index + 1);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetByPCIBusId(int* index, const char* text) {
  return api([&] {
    require_pointer(index, "index");
    require_pointer(text, "text");
    // domain:bus:device.function, the domain and the function may be missing
    unsigned domain = 0;
    unsigned bus = 0;
    unsigned slot = 0;
    const bool read = std::sscanf(text, "%x:%x:%x", &domain, &bus, &slot) == 3 ||
                      (domain = 0, std::sscanf(text, "%x:%x", &bus, &slot) == 2);
    require(read, cudaErrorInvalidDevice,
            "the text is not a PCI bus id of the form domain:bus:device.function");
    require(domain == 0 && slot == 0 && bus >= 1 && bus <= static_cast<unsigned>(device_count()),
            cudaErrorInvalidDevice, "no device has this PCI bus id");
    *index = static_cast<int>(bus) - 1;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetTexture1DLinearMaxWidth(std::size_t* elements,
                                                 const cudaChannelFormatDesc* format, int index) {
  return api([&] {
    require_pointer(elements, "elements");
    require_pointer(format, "format");
    static_cast<void>(device(index));
    *elements = std::size_t{1} << 28;
    return cudaSuccess;
  });
}

// --- limits and configuration -------------------------------------------------------------------

cudaError_t cudaDeviceSetLimit(cudaLimit limit, std::size_t value) {
  return device_api([&] {
    static_cast<void>(default_limit(limit));
    Device& now = current_device();
    const std::scoped_lock lock(now.mutex);
    switch (limit) {
      case cudaLimitMaxL2FetchGranularity: value = std::min<std::size_t>(value, 128); break;
      case cudaLimitPersistingL2CacheSize:
        value = std::min(value, device_model(now.index).persisting_l2_bytes);
        break;
      case cudaLimitStackSize:
        value = (value + 15) / 16 * 16;
        require(value <= std::size_t{512} << 10, "the stack of a thread may have 512 KiB at most");
        break;
      default: break;
    }
    if (limit == cudaLimitMallocHeapSize) set_device_heap(value);
    now.limits[limit] = value;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetLimit(std::size_t* value, cudaLimit limit) {
  return device_api([&] {
    require_pointer(value, "value");
    *value = limit_of(current_device(), limit);
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSetCacheConfig(cudaFuncCache config) {
  return device_api([&] {
    require(config >= cudaFuncCachePreferNone && config <= cudaFuncCachePreferEqual,
            "there is no cache configuration of this number");
    current_device().cache = config;
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceGetCacheConfig(cudaFuncCache* config) {
  return device_api([&] {
    require_pointer(config, "config");
    *config = current_device().cache;
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceSetSharedMemConfig(cudaSharedMemConfig config) {
  return device_api([&] {
    require(config >= cudaSharedMemBankSizeDefault && config <= cudaSharedMemBankSizeEightByte,
            "there is no bank size of this number");
    return cudaSuccess;
  });
}
cudaError_t cudaDeviceGetSharedMemConfig(cudaSharedMemConfig* config) {
  return device_api([&] {
    require_pointer(config, "config");
    *config = cudaSharedMemBankSizeFourByte;
    return cudaSuccess;
  });
}
cudaError_t cudaCtxResetPersistingL2Cache() {
  return device_api([] { return cudaSuccess; });
}
cudaError_t cudaDeviceFlushGPUDirectRDMAWrites(cudaFlushGPUDirectRDMAWritesTarget,
                                               cudaFlushGPUDirectRDMAWritesScope) {
  return device_api([]() -> cudaError_t {
    throw ApiError(cudaErrorNotSupported, "other devices do not write to this one's memory here");
  });
}

// --- peers --------------------------------------------------------------------------------------

cudaError_t cudaDeviceCanAccessPeer(int* can, int from, int to) {
  return api([&] {
    require_pointer(can, "can");
    static_cast<void>(device(from));
    static_cast<void>(device(to));
    *can = from != to ? 1 : 0;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned flags) {
  return device_api([&] {
    require(flags == 0, "flags has to be 0");
    static_cast<void>(device(peer));
    Device& now = current_device();
    require(peer != now.index, cudaErrorInvalidDevice, "a device cannot be its own peer");
    const std::scoped_lock lock(now.mutex);
    require(now.peers.insert(peer).second, cudaErrorPeerAccessAlreadyEnabled,
            "access to this device's memory was enabled before");
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceDisablePeerAccess(int peer) {
  return device_api([&] {
    static_cast<void>(device(peer));
    Device& now = current_device();
    const std::scoped_lock lock(now.mutex);
    require(now.peers.erase(peer) == 1, cudaErrorPeerAccessNotEnabled,
            "access to this device's memory was not enabled");
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetP2PAttribute(int* value, cudaDeviceP2PAttr attribute, int from, int to) {
  return api([&] {
    require_pointer(value, "value");
    static_cast<void>(device(from));
    static_cast<void>(device(to));
    require(from != to, cudaErrorInvalidDevice, "the two devices are the same");
    switch (attribute) {
      case cudaDevP2PAttrPerformanceRank: *value = 0; break;
      case cudaDevP2PAttrAccessSupported:
      case cudaDevP2PAttrNativeAtomicSupported:
      case cudaDevP2PAttrCudaArrayAccessSupported: *value = 1; break;
      case cudaDevP2PAttrOnlyPartialNativeAtomicSupported: *value = 0; break;
      default:
        throw ApiError(cudaErrorInvalidValue,
                       "there is no attribute of two devices of this number");
    }
    return cudaSuccess;
  });
}

// --- versions, profiler, driver -----------------------------------------------------------------

cudaError_t cudaRuntimeGetVersion(int* version) {
  return api([&] {
    require_pointer(version, "version");
    *version = runtime_version;
    return cudaSuccess;
  });
}
cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }

cudaError_t cudaProfilerStart() {
  return api([] { return cudaSuccess; });
}
cudaError_t cudaProfilerStop() {
  return api([] { return cudaSuccess; });
}

// There is no driver underneath. "Not found" is an answer that programs are prepared for. The one
// function that programs ask for most, because the runtime has none for it, is there.
cudaError_t cudaGetDriverEntryPoint(const char* symbol, void** function, unsigned long long,
                                    cudaDriverEntryPointQueryResult* result) {
  return api([&] {
    require(symbol != nullptr, "the device code has no variable of this name");
    require_pointer(function, "function");
    *function = nullptr;
    if (std::strcmp(symbol, "cuTensorMapEncodeTiled") == 0) {
      *function = reinterpret_cast<void*>(&encode_tensor_map);
      if (result != nullptr) *result = cudaDriverEntryPointSuccess;
      return cudaSuccess;
    }
    require(result != nullptr, cudaErrorSymbolNotFound,
            "the software GPU has no driver API; of it, cuTensorMapEncodeTiled is there");
    *result = cudaDriverEntryPointSymbolNotFound;
    return cudaSuccess;
  });
}
cudaError_t cudaGetDriverEntryPoint_ptsz(const char* symbol, void** function,
                                         unsigned long long flags,
                                         cudaDriverEntryPointQueryResult* result) {
  return cudaGetDriverEntryPoint(symbol, function, flags, result);
}
cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned,
                                             unsigned long long flags,
                                             cudaDriverEntryPointQueryResult* result) {
  return cudaGetDriverEntryPoint(symbol, function, flags, result);
}
cudaError_t cudaGetDriverEntryPointByVersion_ptsz(const char* symbol, void** function, unsigned,
                                                  unsigned long long flags,
                                                  cudaDriverEntryPointQueryResult* result) {
  return cudaGetDriverEntryPoint(symbol, function, flags, result);
}

}  // extern "C"

}  // namespace softgpu::cuda

// Launching kernels, and what can be asked about them.
#include <algorithm>
#include <cstring>

#include "softgpu/models.hpp"
#include "softgpu/runtime/cuda_functions.hpp"
#include "softgpu/runtime/module.hpp"
#include "softgpu/runtime/state.hpp"
#include "softgpu/runtime/stream.hpp"
#include "softgpu/runtime/work.hpp"

namespace softgpu::cuda {
namespace {

cudaError_t launch(Function& function, dim3 grid, dim3 block, void** arguments, std::size_t shared,
                   cudaStream_t stream_handle, const cudaLaunchAttribute* attributes,
                   std::size_t count) {
  Stream& stream = find_stream(stream_handle);
  require(stream.device == thread().device, cudaErrorInvalidResourceHandle,
          "the stream belongs to a device other than the current one");
  KernelWork work = make_kernel_work(function, grid, block, shared, arguments);
  std::vector<cudaEvent_t> done;
  for (std::size_t i = 0; i < count; ++i) {
    const cudaLaunchAttribute& attribute = attributes[i];
    switch (attribute.id) {
      case cudaLaunchAttributeIgnore: break;
      case cudaLaunchAttributeProgrammaticEvent:
        // The block that triggers it early is an optimisation; after the kernel is correct.
        done.push_back(attribute.val.programmaticEvent.event);
        break;
      case cudaLaunchAttributeLaunchCompletionEvent:
        done.push_back(attribute.val.launchCompletionEvent.event);
        break;
      case cudaLaunchAttributeDeviceUpdatableKernelNode:
        require(attribute.val.deviceUpdatableKernelNode.deviceUpdatable == 0, cudaErrorNotSupported,
                "kernel nodes that kernels update are not there in the software GPU");
        break;
      case cudaLaunchAttributeAccessPolicyWindow:
      case cudaLaunchAttributeCooperative:
      case cudaLaunchAttributeSynchronizationPolicy:
      case cudaLaunchAttributeClusterDimension:
      case cudaLaunchAttributeClusterSchedulingPolicyPreference:
      case cudaLaunchAttributeProgrammaticStreamSerialization:
      case cudaLaunchAttributePriority:
      case cudaLaunchAttributeMemSyncDomainMap:
      case cudaLaunchAttributeMemSyncDomain:
      case cudaLaunchAttributePreferredClusterDimension:
      case cudaLaunchAttributePreferredSharedMemoryCarveout:
      case cudaLaunchAttributeNvlinkUtilCentricScheduling:
        work.attributes[attribute.id] = attribute.val;
        break;
      default: throw ApiError(cudaErrorInvalidValue, "there is no attribute of this number");
    }
  }
  submit(std::move(work), stream_handle);
  for (cudaEvent_t event : done) submit(EventRecordWork{event}, stream_handle);
  return cudaSuccess;
}

cudaError_t launch_plain(const void* function, dim3 grid, dim3 block, void** arguments,
                         std::size_t shared, cudaStream_t stream) {
  return device_api([&] {
    return launch(find_function(function), grid, block, arguments, shared, stream, nullptr, 0);
  });
}

cudaError_t launch_cooperative(const void* function, dim3 grid, dim3 block, void** arguments,
                               std::size_t shared, cudaStream_t stream) {
  return device_api([&] {
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeCooperative;
    attribute.val.cooperative = 1;
    return launch(find_function(function), grid, block, arguments, shared, stream, &attribute, 1);
  });
}

cudaError_t launch_extended(const cudaLaunchConfig_t* config, const void* function,
                            void** arguments, bool own_default) {
  return device_api([&] {
    require_pointer(config, "config");
    require((config->attrs != nullptr || config->numAttrs == 0),
            "config->attrs is a null pointer although numAttrs is not 0");
    const cudaStream_t stream = own_default ? per_thread(config->stream) : config->stream;
    return launch(find_function(function), config->gridDim, config->blockDim, arguments,
                  config->dynamicSmemBytes, stream, config->attrs, config->numAttrs);
  });
}

Function::Settings& settings_of(Function& function, int device) {
  return function.settings[static_cast<std::size_t>(device)];
}

cudaError_t set_attribute(Function& function, cudaFuncAttribute attribute, int value, int device) {
  const Code& code = function.module.code(function, device);
  Function::Settings& settings = settings_of(function, device);
  const DeviceModel& model = device_model(device);
  switch (attribute) {
    case cudaFuncAttributeMaxDynamicSharedMemorySize:
      require(value >= 0, "the value is negative");
      require(
          static_cast<std::size_t>(value) + static_shared_of(code) <= model.shared_per_block_optin,
          "static and dynamic shared memory together exceed what a block of this device may "
          "have (sharedMemPerBlockOptin)");
      settings.max_dynamic_shared = value;
      return cudaSuccess;
    case cudaFuncAttributePreferredSharedMemoryCarveout:
      require(value >= -1 && value <= 100, "the carveout is a percentage, or -1");
      settings.carveout = value;
      return cudaSuccess;
    case cudaFuncAttributeClusterDimMustBeSet:
      throw ApiError(cudaErrorInvalidValue, "this attribute is fixed when the kernel is compiled");
    case cudaFuncAttributeRequiredClusterWidth:
    case cudaFuncAttributeRequiredClusterHeight:
    case cudaFuncAttributeRequiredClusterDepth:
      require(value >= 0, "the value is negative");
      require(code.cluster[0] == 0,
              "the kernel's cluster size was fixed when it was compiled (__cluster_dims__)");
      settings.cluster[attribute - cudaFuncAttributeRequiredClusterWidth] = value;
      return cudaSuccess;
    case cudaFuncAttributeNonPortableClusterSizeAllowed:
      require(model.clusters, cudaErrorNotSupported,
              "this device has no clusters; --model h100 has");
      settings.non_portable_cluster = value != 0;
      return cudaSuccess;
    case cudaFuncAttributeClusterSchedulingPolicyPreference:
      require(value >= cudaClusterSchedulingPolicyDefault &&
                  value <= cudaClusterSchedulingPolicyLoadBalancing,
              "there is no scheduling policy of this number");
      settings.cluster_policy = value;
      return cudaSuccess;
    default: throw ApiError(cudaErrorInvalidValue, "there is no attribute of this number");
  }
}

// Clusters of the launch that fit on the device at a time.
int active_clusters(Function& function, const cudaLaunchConfig_t& config) {
  const int device = thread().device;
  const Code& code = function.module.code(function, device);
  unsigned blocks = 1;
  for (unsigned i = 0; i < config.numAttrs; ++i) {
    if (config.attrs[i].id == cudaLaunchAttributeClusterDimension) {
      const auto& shape = config.attrs[i].val.clusterDim;
      blocks = shape.x * shape.y * shape.z;
    }
  }
  require(blocks >= 1, cudaErrorInvalidClusterSize, "the cluster has no blocks");
  require((blocks == 1 || device_model(device).clusters), cudaErrorInvalidClusterSize,
          "this device has no clusters; --model h100 has");
  const int threads = static_cast<int>(config.blockDim.x * config.blockDim.y * config.blockDim.z);
  const int each = occupancy(function, code, device, threads, config.dynamicSmemBytes);
  // A cluster stays within a group of multiprocessors (16 on an H100).
  constexpr int group = 16;
  return device_model(device).multiprocessors / group * (group * each / static_cast<int>(blocks));
}

}  // namespace

extern "C" {

cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments,
                             std::size_t shared, cudaStream_t stream) {
  return launch_plain(function, grid, block, arguments, shared, stream);
}
cudaError_t cudaLaunchKernel_ptsz(const void* function, dim3 grid, dim3 block, void** arguments,
                                  std::size_t shared, cudaStream_t stream) {
  return launch_plain(function, grid, block, arguments, shared, per_thread(stream));
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                               std::size_t shared, cudaStream_t stream) {
  return launch_plain(kernel, grid, block, arguments, shared, stream);
}
cudaError_t __cudaLaunchKernel_ptsz(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                                    std::size_t shared, cudaStream_t stream) {
  return launch_plain(kernel, grid, block, arguments, shared, per_thread(stream));
}
cudaError_t cudaLaunchCooperativeKernel(const void* function, dim3 grid, dim3 block,
                                        void** arguments, std::size_t shared, cudaStream_t stream) {
  return launch_cooperative(function, grid, block, arguments, shared, stream);
}
cudaError_t cudaLaunchCooperativeKernel_ptsz(const void* function, dim3 grid, dim3 block,
                                             void** arguments, std::size_t shared,
                                             cudaStream_t stream) {
  return launch_cooperative(function, grid, block, arguments, shared, per_thread(stream));
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* function,
                                void** arguments) {
  return launch_extended(config, function, arguments, false);
}
cudaError_t cudaLaunchKernelExC_ptsz(const cudaLaunchConfig_t* config, const void* function,
                                     void** arguments) {
  return launch_extended(config, function, arguments, true);
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* out, const void* host) {
  return device_api([&] {
    require_pointer(out, "out");
    Function& function = find_function(host);
    const int device = thread().device;
    const Code& code = function.module.code(function, device);
    const Function::Settings& settings = settings_of(function, device);
    *out = {};
    out->sharedSizeBytes = static_shared_of(code);
    out->localSizeBytes = code.local_bytes;
    out->maxThreadsPerBlock = max_threads_of(code);
    out->numRegs = registers_of(code, device);
    out->ptxVersion = function.module.ptx_architecture(device);
    out->binaryVersion = device_model(device).major * 10 + device_model(device).minor;
    out->maxDynamicSharedSizeBytes =
        static_cast<int>(max_dynamic_shared_of(function, code, device));
    out->preferredShmemCarveout = settings.carveout;
    out->clusterDimMustBeSet = code.cluster[0] != 0 ? 1 : 0;
    out->requiredClusterWidth = std::max(code.cluster[0], settings.cluster[0]);
    out->requiredClusterHeight = std::max(code.cluster[1], settings.cluster[1]);
    out->requiredClusterDepth = std::max(code.cluster[2], settings.cluster[2]);
    out->clusterSchedulingPolicyPreference = settings.cluster_policy;
    out->nonPortableClusterSizeAllowed = settings.non_portable_cluster ? 1 : 0;
    return cudaSuccess;
  });
}

cudaError_t cudaFuncSetAttribute(const void* host, cudaFuncAttribute attribute, int value) {
  return device_api(
      [&] { return set_attribute(find_function(host), attribute, value, thread().device); });
}

cudaError_t cudaKernelSetAttributeForDevice(cudaKernel_t kernel, cudaFuncAttribute attribute,
                                            int value, int index) {
  return device_api(
      [&] { return set_attribute(find_function(kernel), attribute, value, device(index).index); });
}

cudaError_t cudaFuncSetCacheConfig(const void* host, cudaFuncCache config) {
  return device_api([&] {
    static_cast<void>(find_function(host));
    require(config >= cudaFuncCachePreferNone && config <= cudaFuncCachePreferEqual,
            "there is no cache configuration of this number");
    return cudaSuccess;
  });
}

cudaError_t cudaFuncSetSharedMemConfig(const void* host, cudaSharedMemConfig config) {
  return device_api([&] {
    static_cast<void>(find_function(host));
    require(config >= cudaSharedMemBankSizeDefault && config <= cudaSharedMemBankSizeEightByte,
            "there is no bank size of this number");
    return cudaSuccess;
  });
}

cudaError_t cudaFuncGetName(const char** name, const void* host) {
  return device_api([&] {
    require_pointer(name, "name");
    *name = find_function(host).name.c_str();
    return cudaSuccess;
  });
}

cudaError_t cudaFuncGetParamInfo(const void* host, std::size_t index, std::size_t* offset,
                                 std::size_t* size) {
  return device_api([&] {
    Function& function = find_function(host);
    const Code& code = function.module.code(function, thread().device);
    require_pointer(offset, "offset");
    require(index < code.parameters.size(), "the kernel has fewer parameters");
    *offset = code.parameters[index].offset;
    if (size != nullptr) *size = code.parameters[index].size;
    return cudaSuccess;
  });
}

cudaError_t cudaGetFuncBySymbol(cudaFunction_t* out, const void* host) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = reinterpret_cast<cudaFunction_t>(&find_function(host));
    return cudaSuccess;
  });
}

cudaError_t cudaGetKernel(cudaKernel_t* out, const void* host) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = reinterpret_cast<cudaKernel_t>(&find_function(host));
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void* host,
                                                                   int threads, std::size_t shared,
                                                                   unsigned flags) {
  return device_api([&] {
    require_pointer(blocks, "blocks");
    require(threads > 0, "the block has no threads");
    require((flags & ~cudaOccupancyDisableCachingOverride) == 0,
            "flags has bits other than cudaOccupancyDisableCachingOverride");
    Function& function = find_function(host);
    const int device = thread().device;
    *blocks = occupancy(function, function.module.code(function, device), device, threads, shared);
    return cudaSuccess;
  });
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* host,
                                                          int threads, std::size_t shared) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, host, threads, shared,
                                                                cudaOccupancyDefault);
}

cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(std::size_t* bytes, const void* host,
                                                      int blocks, int threads) {
  return device_api([&] {
    require_pointer(bytes, "bytes");
    require(blocks > 0, "the number of blocks has to be positive");
    require(threads > 0, "the block has no threads");
    require(threads <= 1024, "a block has 1024 threads at most");
    Function& function = find_function(host);
    const int device = thread().device;
    const Code& code = function.module.code(function, device);
    const DeviceModel& model = device_model(device);
    const std::size_t share =
        model.shared_per_multiprocessor / static_cast<std::size_t>(blocks) / 128 * 128;
    const std::size_t taken = static_shared_of(code) + model.shared_reserved;
    *bytes = std::min(share > taken ? share - taken : 0,
                      model.shared_per_block_optin - static_shared_of(code));
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxPotentialClusterSize(int* size, const void* host,
                                                 const cudaLaunchConfig_t* config) {
  return device_api([&] {
    require_pointer(size, "size");
    require_pointer(config, "config");
    const int device = thread().device;
    require(device_model(device).clusters, cudaErrorNotSupported,
            "this device has no clusters; --model h100 has");
    Function& function = find_function(host);
    const Code& code = function.module.code(function, device);
    const int threads =
        static_cast<int>(config->blockDim.x * config->blockDim.y * config->blockDim.z);
    *size = occupancy(function, code, device, threads, config->dynamicSmemBytes) == 0 ? 0
            : settings_of(function, device).non_portable_cluster                      ? 16
                                                                                      : 8;
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveClusters(int* clusters, const void* host,
                                           const cudaLaunchConfig_t* config) {
  return device_api([&] {
    require_pointer(clusters, "clusters");
    require_pointer(config, "config");
    *clusters = active_clusters(find_function(host), *config);
    return cudaSuccess;
  });
}

}  // extern "C"

}  // namespace softgpu::cuda

#include "cuda/core/engine.hpp"

#include <cxxabi.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "cuda/core/check.hpp"
#include "cuda/core/repetitions.hpp"
#include "tandem/core/error.hpp"
#include "tandem_build_id.hpp"

namespace tandem::cuda {
namespace {

std::string mebibytes(std::size_t bytes) {
  const std::size_t tenths = bytes / ((std::size_t{1} << 20) / 10);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
}

std::string place_of(std::source_location where) {
  std::string_view file = where.file_name();
  // From the project's folder on, whatever the compiler was called with.
  if (const auto at = file.rfind("cuda/"); at != std::string_view::npos) file.remove_prefix(at);
  return std::string(file) + ":" + std::to_string(where.line());
}

// Faults that end the use of a device by this process.
bool is_fault(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert: return true;
    default: return false;
  }
}

// The kernel's name without its parameters and our namespaces: optimizer_update_kernel<...>.
std::string readable(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(symbol, nullptr, nullptr, &status), std::free);
  if (status != 0 || text == nullptr) return symbol;
  std::string name = text.get();
  for (const std::string_view noise :
       {"void ", "tandem::cuda::(anonymous namespace)::", "tandem::cuda::", "tandem::"}) {
    for (auto at = name.find(noise); at != std::string::npos; at = name.find(noise)) {
      name.erase(at, noise.size());
    }
  }
  // The parameters begin at the last parenthesis on the outermost level.
  int depth = 0;
  for (std::size_t i = name.size(); i-- > 0;) {
    if (name[i] == ')') ++depth;
    if (name[i] == '(' && --depth == 0) {
      name.erase(i);
      break;
    }
  }
  return name;
}

bool environment_says(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' && std::string_view(value) != "0";
}

}  // namespace

[[noreturn]] void throw_cuda_error(cudaError_t status, const char* what,
                                   std::source_location where) {
  (void)cudaGetLastError();
  const std::string text = std::string(cudaGetErrorString(status)) + " (" +
                           cudaGetErrorName(status) + ") in " + what + " at " + place_of(where);
  if (is_fault(status)) {
    throw KernelFault("CUDA: " + text +
                      ". The device cannot be used any more by this process. With "
                      "TANDEM_CUDA_SYNCHRONOUS=1 in the environment the message names the kernel, "
                      "and " +
                      option("device") + " softgpu names its thread and the address");
  }
  if (status == cudaErrorMemoryAllocation) {
    std::size_t free = 0;
    std::size_t total = 0;
    (void)cudaMemGetInfo(&free, &total);
    throw OutOfDeviceMemory("CUDA: out of device memory in " + std::string(what) + " at " +
                                place_of(where) + ": " + mebibytes(free) + " of " +
                                mebibytes(total) + " are free",
                            0, free);
  }
  if (status == cudaErrorInsufficientDriver) {
    throw DeviceError(
        "CUDA: the NVIDIA driver is older than this build needs (CUDA 13: driver 580 or later). "
        "Update the driver, or use " +
        option("device") + " softgpu, which needs none");
  }
  if (status == cudaErrorNoDevice) {
    throw DeviceError("CUDA: the driver finds no GPU. Use " + option("device") +
                      " softgpu, which runs the same kernels on the "
                      "CPU, or " +
                      option("device") + " cpu");
  }
  if (status == cudaErrorNoKernelImageForDevice) {
    throw DeviceError(
        "CUDA: this build has no code for this GPU. Tandem is built for compute capability 7.5 and "
        "later in the release preset, for 8.0 and later in others; " +
        text);
  }
  throw DeviceError("CUDA: " + text);
}

// Pinned memory through which pageable host memory is copied, a half at a time, so that the
// processor fills one half while the device reads the other.
struct CudaEngine::Staging {
  static constexpr std::size_t half_bytes = std::size_t{4} << 20;

  Staging() {
    TANDEM_CUDA(cudaMallocHost(&memory, 2 * half_bytes));
    for (cudaEvent_t& event : done) {
      TANDEM_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    }
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging() {
    for (const cudaEvent_t event : done) {
      if (event != nullptr) (void)cudaEventDestroy(event);
    }
    (void)cudaFreeHost(memory);
  }
  [[nodiscard]] std::byte* half(std::size_t which) const {
    return static_cast<std::byte*>(memory) + which * half_bytes;
  }

  void* memory = nullptr;
  std::array<cudaEvent_t, 2> done{};
  std::size_t next = 0;
};

void Parameters::add_bytes(const void* value, std::size_t size) {
  const std::size_t at = bytes_.size();
  starts_.push_back(at);
  bytes_.resize(at + (size + alignment - 1) / alignment * alignment);
  std::memcpy(bytes_.data() + at, value, size);
}

CudaEngine::CudaEngine(const EngineOptions& options, Empty)
    : EngineBackend(options),
      device_(options.device_index),
      chosen_block_threads_(options.block_threads),
      // On the software GPU a launch has run when it returns, so that asking costs nothing and an
      // error names its kernel.
      synchronous_(options.device == Device::softgpu ||
                   environment_says("TANDEM_CUDA_SYNCHRONOUS")) {}

CudaEngine::CudaEngine(const EngineOptions& options) : CudaEngine(options, Empty{}) {
  if (chosen_block_threads_ != 0 && (chosen_block_threads_ < 32 || chosen_block_threads_ > 1024 ||
                                     (chosen_block_threads_ & (chosen_block_threads_ - 1)) != 0)) {
    throw InputError(
        "threads of a block: expected a power of two from 32 to 1024, or 0 for each "
        "kernel's own choice, not " +
        std::to_string(chosen_block_threads_));
  }
  int devices = 0;
  TANDEM_CUDA(cudaGetDeviceCount(&devices));
  if (device_ < 0 || device_ >= devices) {
    throw InputError("there is no device " + std::to_string(device_) + ": this machine has " +
                     std::to_string(devices) + ", numbered from 0");
  }
  make_current();
  TANDEM_CUDA(cudaGetDeviceProperties(&properties_, device_));
  TANDEM_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  TANDEM_CUDA(cudaStreamCreateWithFlags(&copy_stream_, cudaStreamNonBlocking));
  cudaMemPoolProps pool{};
  pool.allocType = cudaMemAllocationTypePinned;
  pool.location.type = cudaMemLocationTypeDevice;
  pool.location.id = device_;
  TANDEM_CUDA(cudaMemPoolCreate(&pool_, &pool));
  // Freed memory stays in the pool: a loop's buffers cost nothing after its first round.
  std::uint64_t keep = ~std::uint64_t{0};
  TANDEM_CUDA(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep));
  limit_ = options.device_memory;
  staging_ = std::make_unique<Staging>();
  repetitions_ = std::make_unique<Repetitions>(*this);
}

CudaEngine::~CudaEngine() {
  (void)cudaSetDevice(device_);
  if (stream_ != nullptr) (void)cudaStreamSynchronize(stream_);
  repetitions_.reset();
  staging_.reset();
  if (copy_stream_ != nullptr) (void)cudaStreamDestroy(copy_stream_);
  if (stream_ != nullptr) (void)cudaStreamDestroy(stream_);
  if (pool_ != nullptr) (void)cudaMemPoolDestroy(pool_);
  (void)cudaGetLastError();
}

std::string CudaEngine::description() const {
  const std::string capability =
      std::to_string(properties_.major) + "." + std::to_string(properties_.minor);
  if (device() == Device::softgpu) {
    std::string_view model = properties_.name;
    if (model.starts_with("softgpu ")) model.remove_prefix(8);
    return "softgpu, CUDA kernels run on the CPU as if on " + std::string(model) +
           ", compute capability " + capability;
  }
  return std::string("cuda, ") + properties_.name + " (compute capability " + capability + ")";
}

void CudaEngine::make_current() const { TANDEM_CUDA(cudaSetDevice(device_)); }

std::size_t CudaEngine::free_memory() const {
  std::size_t free = 0;
  std::size_t total = 0;
  TANDEM_CUDA(cudaMemGetInfo(&free, &total));
  // Memory that the pool holds unused is free for us.
  std::uint64_t reserved = 0;
  std::uint64_t used = 0;
  TANDEM_CUDA(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved));
  TANDEM_CUDA(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used));
  free += static_cast<std::size_t>(reserved - std::min(used, reserved));
  if (limit_ > 0) free = std::min(free, limit_ - std::min(limit_, in_use_));
  return free;
}

void* CudaEngine::allocate(std::size_t bytes) {
  make_current();
  void* memory = nullptr;
  cudaError_t status = cudaErrorMemoryAllocation;
  if (limit_ == 0 || bytes <= limit_ - std::min(limit_, in_use_)) {
    status = cudaMallocFromPoolAsync(&memory, bytes, pool_, stream_);
  }
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    const std::size_t free = free_memory();
    throw OutOfDeviceMemory(
        "out of device memory: " + mebibytes(bytes) + " needed, " + mebibytes(free) + " free" +
            (limit_ > 0
                 ? " of the " + mebibytes(limit_) + " that " + option("device_memory") + " allows"
                 : std::string()) +
            (limit_ > 0 ? ". Allow more of it, or use " + option("device") + " cpu"
                        : ". With " + option("device_memory") +
                              " the rows can be kept on the host and streamed, "
                              "which leaves the device to the rest; or use " +
                              option("device") + " cpu"),
        bytes, free);
  }
  TANDEM_CUDA(status);
  in_use_ += bytes;
  return memory;
}

void* CudaEngine::allocate_rows(std::size_t bytes) {
  make_current();
  // A quarter of the device is left to what the steps need besides the rows.
  const std::size_t free = free_memory();
  if (bytes <= free - free / 4) {
    try {
      return allocate(bytes);
    } catch (const OutOfDeviceMemory&) {
      // The host, then.
    }
  }
  void* memory = nullptr;
  const cudaError_t status = cudaHostAlloc(&memory, bytes, cudaHostAllocPortable);
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    throw OutOfDeviceMemory("out of memory: " + mebibytes(bytes) +
                                " of rows fit neither the "
                                "device (" +
                                mebibytes(free) + " free) nor the host's memory that can be pinned",
                            bytes, free);
  }
  TANDEM_CUDA(status);
  host_rows_.insert(memory);
  return memory;
}

bool CudaEngine::on_device(const void* memory) const { return !host_rows_.contains(memory); }

void CudaEngine::deallocate(void* memory, std::size_t bytes) noexcept {
  if (repetitions_ != nullptr && repetitions_->open()) {
    repetitions_->deallocate_after(memory, bytes);
    return;
  }
  (void)cudaSetDevice(device_);
  if (host_rows_.erase(memory) > 0) {
    // Work that reads it may still be under way.
    (void)cudaStreamSynchronize(stream_);
    (void)cudaStreamSynchronize(copy_stream_);
    (void)cudaFreeHost(memory);
    return;
  }
  (void)cudaFreeAsync(memory, stream_);
  in_use_ -= std::min(bytes, in_use_);
}

void CudaEngine::check_not_repeating(const char* what) const {
  if (repetitions_->open()) {
    throw std::logic_error(std::string(what) + " inside a repeated part of a loop");
  }
}

void CudaEngine::copy_from_host(void* to, const void* from_host, std::size_t bytes) {
  check_not_repeating("a copy from the host");
  make_current();
  const auto* from = static_cast<const std::byte*>(from_host);
  auto* target = static_cast<std::byte*>(to);
  if (!on_device(to)) {
    wait();
    std::memcpy(to, from_host, bytes);
    return;
  }
  if (const std::byte* copy = resident(from, bytes); copy != nullptr) {
    TANDEM_CUDA(cudaMemcpyAsync(to, copy, bytes, cudaMemcpyDeviceToDevice, stream_));
    return;
  }
  transfers_.to_device_bytes += static_cast<std::int64_t>(bytes);
  ++transfers_.to_device_copies;
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t part = std::min(Staging::half_bytes, bytes - done);
    const std::size_t half = staging_->next;
    staging_->next = 1 - half;
    TANDEM_CUDA(cudaEventSynchronize(staging_->done[half]));
    std::memcpy(staging_->half(half), from + done, part);
    TANDEM_CUDA(cudaMemcpyAsync(target + done, staging_->half(half), part, cudaMemcpyHostToDevice,
                                stream_));
    TANDEM_CUDA(cudaEventRecord(staging_->done[half], stream_));
    done += part;
  }
}

const std::byte* CudaEngine::resident(const std::byte* from_host, std::size_t bytes) {
  auto found = residents_.upper_bound(from_host);
  if (found == residents_.begin()) return nullptr;
  --found;
  Resident& kept = found->second;
  const auto offset = static_cast<std::size_t>(from_host - found->first);
  if (offset > kept.bytes || bytes > kept.bytes - offset) return nullptr;
  if (!kept.asked) {
    kept.asked = true;
    // A third at most: the steps' own copy of the rows and their scratch memory need the rest.
    if (kept.bytes <= free_memory() / 3) {
      try {
        void* copy = allocate(kept.bytes);
        copy_from_host(copy, found->first, kept.bytes);
        kept.copy = static_cast<std::byte*>(copy);
      } catch (const OutOfDeviceMemory&) {
        // Copies are taken from the host, then.
      }
    }
  }
  return kept.copy != nullptr ? kept.copy + offset : nullptr;
}

void CudaEngine::keep_resident(const void* from_host, std::size_t bytes) {
  Resident& kept = residents_[static_cast<const std::byte*>(from_host)];
  if (++kept.uses == 1) kept.bytes = bytes;
}

void CudaEngine::end_resident(const void* from_host) noexcept {
  const auto found = residents_.find(static_cast<const std::byte*>(from_host));
  if (found == residents_.end() || --found->second.uses > 0) return;
  if (found->second.copy != nullptr) deallocate(found->second.copy, found->second.bytes);
  residents_.erase(found);
}

void CudaEngine::copy_to_host(void* to_host, const void* from, std::size_t bytes) {
  check_not_repeating("a copy to the host");
  make_current();
  if (!on_device(from)) {
    wait();
    std::memcpy(to_host, from, bytes);
    return;
  }
  transfers_.to_host_bytes += static_cast<std::int64_t>(bytes);
  ++transfers_.to_host_copies;
  auto* target = static_cast<std::byte*>(to_host);
  const auto* source = static_cast<const std::byte*>(from);
  std::array<std::size_t, 2> begin{};
  std::array<std::size_t, 2> length{};
  const auto fetch = [&](std::size_t half) {
    if (length[half] == 0) return;
    TANDEM_CUDA(cudaEventSynchronize(staging_->done[half]));
    std::memcpy(target + begin[half], staging_->half(half), length[half]);
    length[half] = 0;
  };
  std::size_t half = staging_->next;
  for (std::size_t done = 0; done < bytes;) {
    fetch(half);
    const std::size_t part = std::min(Staging::half_bytes, bytes - done);
    TANDEM_CUDA(cudaMemcpyAsync(staging_->half(half), source + done, part, cudaMemcpyDeviceToHost,
                                stream_));
    TANDEM_CUDA(cudaEventRecord(staging_->done[half], stream_));
    begin[half] = done;
    length[half] = part;
    done += part;
    half = 1 - half;
  }
  fetch(half);
  fetch(1 - half);
  staging_->next = half;
}

void CudaEngine::copy_within(void* to, const void* from, std::size_t bytes) {
  make_current();
  if (repetitions_->open()) {
    repetitions_->copy(to, from, bytes);
    return;
  }
  TANDEM_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_));
}

void CudaEngine::fill_zero(void* to, std::size_t bytes) {
  make_current();
  if (repetitions_->open()) {
    repetitions_->fill_zero(to, bytes);
    return;
  }
  if (!on_device(to)) {
    wait();
    std::memset(to, 0, bytes);
    return;
  }
  TANDEM_CUDA(cudaMemsetAsync(to, 0, bytes, stream_));
}

void CudaEngine::wait() {
  check_not_repeating("waiting");
  make_current();
  TANDEM_CUDA(cudaStreamSynchronize(stream_));
}

// Asked at the first launch: after a fault the runtime answers nothing any more.
const std::string& CudaEngine::name_of(const void* kernel) {
  const auto known = names_.find(kernel);
  if (known != names_.end()) return known->second;
  const char* symbol = nullptr;
  if (cudaFuncGetName(&symbol, kernel) != cudaSuccess) (void)cudaGetLastError();
  return names_.emplace(kernel, symbol != nullptr ? readable(symbol) : "a kernel").first->second;
}

void CudaEngine::enqueue(const void* kernel, const Shape& shape, Parameters parameters) {
  make_current();
  const std::string& name = name_of(kernel);
  const auto require = [&](cudaError_t status) {
    if (status != cudaSuccess) check(status, ("kernel " + name).c_str(), shape.where);
  };
  if (shape.shared_bytes > std::size_t{48} << 10) {
    // All that the device has: the attribute is the device's, and engines that share it must not
    // lower what another one relies on.
    std::size_t& allowed = large_shared_[kernel];
    if (allowed == 0) {
      cudaFuncAttributes attributes{};
      require(cudaFuncGetAttributes(&attributes, kernel));
      allowed = properties_.sharedMemPerBlockOptin - attributes.sharedSizeBytes;
      require(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   static_cast<int>(allowed)));
    }
  }
  if (repetitions_->open()) {
    repetitions_->kernel(kernel, shape, std::move(parameters));
    return;
  }
  std::vector<void*> arguments = parameters.pointers();
  require(cudaLaunchKernel(kernel, shape.grid, shape.block, arguments.data(), shape.shared_bytes,
                           stream_));
  if (synchronous_) require(cudaStreamSynchronize(stream_));
}

void CudaEngine::before_library_call(const char* what) {
  check_not_repeating(what);
  make_current();
}

void CudaEngine::after_library_call(const char* what) {
  check(cudaGetLastError(), what);
  if (synchronous_) check(cudaStreamSynchronize(stream_), what);
}

void CudaEngine::begin_repeated(const void* owner, std::uint64_t key) {
  repetitions_->begin(owner, key);
}
void CudaEngine::end_repeated() {
  make_current();
  repetitions_->end();
  if (synchronous_) wait();
}
void CudaEngine::enqueue_directly() {
  make_current();
  repetitions_->enqueue_directly();
}
void CudaEngine::abandon_repeated() noexcept { repetitions_->abandon(); }
void CudaEngine::forget_repeated(const void* owner) noexcept { repetitions_->forget(owner); }

// An algorithm's file exports its factories under fixed names, so that there is no list of them:
// extern "C" void* tandem_cuda_kmeans_float32(tandem::Engine&).
void* CudaEngine::steps_factory(std::string_view name) const {
  Dl_info info{};
  static const int anchor = 0;
  if (dladdr(&anchor, &info) == 0) return nullptr;
  void* self = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  if (self == nullptr) return nullptr;
  void* factory = dlsym(self, ("tandem_cuda_" + std::string(name)).c_str());
  dlclose(self);
  return factory;
}

}  // namespace tandem::cuda

// The functions that core/cuda_library.cpp looks for in this library.
extern "C" {
tandem::Engine* tandem_cuda_create_engine(const tandem::EngineOptions& options) {
  return new tandem::cuda::CudaEngine(options);
}
const char* tandem_cuda_build_id() { return TANDEM_BUILD_ID; }
}

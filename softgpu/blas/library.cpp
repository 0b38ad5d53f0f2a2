#include "softgpu/blas/library.hpp"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <unordered_set>
#include <vector>

#include "softgpu/blas/runtime_api.hpp"

namespace softgpu::blas {

// --- handles ------------------------------------------------------------------------------------

namespace {

struct Handles {
  std::shared_mutex mutex;
  std::unordered_set<const void*> all;
};

// Never destroyed: a program may call from its own destructors.
Handles& handles() {
  static auto* instance = new Handles;
  return *instance;
}

}  // namespace

void register_handle(const void* handle) {
  const std::unique_lock lock(handles().mutex);
  handles().all.insert(handle);
}

bool forget_handle(const void* handle) {
  const std::unique_lock lock(handles().mutex);
  return handles().all.erase(handle) != 0;
}

bool is_handle(const void* handle) {
  if (handle == nullptr) return false;
  const std::shared_lock lock(handles().mutex);
  return handles().all.contains(handle);
}

// --- faults and order ---------------------------------------------------------------------------

namespace {

// The runtime refuses all questions from inside a host function of a graph.
constexpr int kNotPermitted = 800;
constexpr int kNotReady = 600;
constexpr unsigned kNonBlocking = 1;  // cudaStreamNonBlocking

// True where the process has mapped every page of the range.
bool is_mapped(const void* begin, std::size_t bytes) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto start = reinterpret_cast<std::uintptr_t>(begin) / page * page;
  const auto last = reinterpret_cast<std::uintptr_t>(begin) + (bytes - 1);
  if (last < start) return false;
  constexpr std::size_t kPages = 4096;
  unsigned char resident[kPages];
  for (std::uintptr_t at = start; at <= last; at += kPages * page) {
    const std::size_t length = std::min<std::uintptr_t>(last - at + 1, kPages * page);
    if (mincore(reinterpret_cast<void*>(at), length, resident) != 0) return false;
  }
  return true;
}

thread_local int host_operands = 0;

// True where both ends of the range are memory that the device can reach. Inside a graph, where the
// runtime cannot be asked, mapped memory passes: the host process at least does not crash.
bool is_reachable(const void* begin, std::size_t bytes) {
  if (host_operands > 0) return is_mapped(begin, bytes);
  const char* first = static_cast<const char*>(begin);
  for (const char* end : {first, first + (bytes - 1)}) {
    cudaPointerAttributes attributes{};
    const int status = cudaPointerGetAttributes(&attributes, end);
    if (status == kNotPermitted) return is_mapped(begin, bytes);
    if (status != 0 || attributes.type == 0) return false;
  }
  return true;
}

}  // namespace

HostOperands::HostOperands() { ++host_operands; }
HostOperands::~HostOperands() { --host_operands; }

bool reachable(const char* function, const Region& region) {
  if (region.bytes == 0) return true;
  if (region.begin != nullptr && region.bytes < kLargestSize &&
      is_reachable(region.begin, region.bytes))
    return true;
  std::fprintf(stderr,
               "softgpu: %s: illegal memory access: %s at %p (%zu bytes) is not memory that the "
               "device can reach; pass an address from cudaMalloc and check its size\n",
               function, region.name, region.begin, region.bytes);
  return false;
}

namespace {

struct GraphWork {
  const char* function;
  std::function<cublasStatus_t()> run;
};

cublasStatus_t run_guarded(const char* function, const std::function<cublasStatus_t()>& work) {
  try {
    // Not there where NVIDIA's runtime is loaded beside this library.
    static const auto tell =
        reinterpret_cast<void (*)()>(::dlsym(RTLD_DEFAULT, "softgpu_library_works"));
    const auto status = work();
    if (tell != nullptr) tell();
    return status;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "softgpu: %s: the host has no memory left for the work's buffers\n",
                 function);
    return CUBLAS_STATUS_ALLOC_FAILED;
  } catch (...) {
    return CUBLAS_STATUS_INTERNAL_ERROR;
  }
}

void wait_for_stream(cudaStream_t stream) {
  const int error = cudaPeekAtLastError();
  if (cudaStreamQuery(stream) != kNotReady) return;
  if (error == 0) static_cast<void>(cudaGetLastError());  // "not ready" is none
  static_cast<void>(cudaStreamSynchronize(stream));
}

// Work that the stream was given before, and work of the legacy default stream where it waits for
// that, may go on in the background.
void wait_for_earlier_work(cudaStream_t stream) {
  wait_for_stream(stream);
  unsigned flags = 0;
  if (stream != nullptr && cudaStreamGetFlags(stream, &flags) == 0 && (flags & kNonBlocking) == 0) {
    wait_for_stream(nullptr);
  }
}

void run_in_graph(void* argument) {
  const auto* work = static_cast<const GraphWork*>(argument);
  const cublasStatus_t status = run_guarded(work->function, work->run);
  if (status != CUBLAS_STATUS_SUCCESS) {
    std::fprintf(stderr, "softgpu: %s in a graph ended with cuBLAS status %d\n", work->function,
                 static_cast<int>(status));
  }
}

}  // namespace

cublasStatus_t submit_to(cudaStream_t stream, const char* function,
                         std::function<cublasStatus_t()> work) {
  int capture = 0;
  if (cudaStreamIsCapturing(stream, &capture) != 0) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (capture == 0) {
    wait_for_earlier_work(stream);
    return run_guarded(function, work);
  }
  // A graph may be launched any number of times and the runtime never says when it is gone, so its
  // work lives as long as the process.
  auto* kept = new (std::nothrow) GraphWork{function, std::move(work)};
  if (kept == nullptr) return CUBLAS_STATUS_ALLOC_FAILED;
  static std::mutex mutex;
  static auto* all = new std::vector<std::unique_ptr<GraphWork>>;
  {
    const std::lock_guard lock(mutex);
    all->emplace_back(kept);
  }
  return cudaLaunchHostFunc(stream, run_in_graph, kept) == 0 ? CUBLAS_STATUS_SUCCESS
                                                             : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // namespace softgpu::blas

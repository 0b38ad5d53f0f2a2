#include "tandem/core/software_gpu.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "tandem/core/error.hpp"

namespace tandem::software_gpu {
namespace {

void* loaded_runtime() { return dlopen("libcudart.so.13", RTLD_NOW | RTLD_NOLOAD); }

template <class Function>
Function find(const char* name) {
  void* runtime = loaded_runtime();
  void* function = runtime != nullptr ? dlsym(runtime, name) : nullptr;
  if (function == nullptr) {
    throw DeviceError(std::string("the CUDA runtime of this process has no ") + name +
                      ": it is not the software GPU, or of another version");
  }
  return reinterpret_cast<Function>(function);
}

}  // namespace

bool is_loaded() {
  void* runtime = loaded_runtime();
  return runtime != nullptr && dlsym(runtime, "softgpu_version") != nullptr;
}

void set_threads(int threads) { find<void (*)(int)>("softgpu_set_threads")(threads); }
void set_seed(std::uint64_t seed) { find<void (*)(std::uint64_t)>("softgpu_set_seed")(seed); }

Counting::Counting() { find<void (*)(int)>("softgpu_count")(1); }
Counting::~Counting() {
  if (is_loaded()) find<void (*)(int)>("softgpu_count")(0);
}
std::string Counting::counters() const {
  const std::unique_ptr<char, void (*)(void*)> text(find<char* (*)()>("softgpu_counters")(),
                                                    std::free);
  if (text == nullptr) throw SystemError("out of memory for the software GPU's counters");
  return text.get();
}

}  // namespace tandem::software_gpu

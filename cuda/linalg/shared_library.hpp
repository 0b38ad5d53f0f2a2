// Functions of NVIDIA's libraries that are loaded when they are needed.
#pragma once

#include <dlfcn.h>

#include <string>

#include "tandem/core/error.hpp"

namespace tandem::cuda {

class SharedLibrary {
 public:
  // Throws DeviceError. On the software GPU its own library of that name has been loaded already,
  // and is found.
  explicit SharedLibrary(const char* name)
      : name_(name), handle_(dlopen(name, RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ != nullptr) return;
    const char* reason = dlerror();
    throw DeviceError(std::string("fast numerics needs cuBLAS, which cannot be loaded: ") +
                      (reason != nullptr ? reason : name) +
                      ". Install the CUDA Toolkit 13, or put its libraries into LD_LIBRARY_PATH; "
                      "or use " +
                      option("numerics") + " exact, which does without");
  }

  template <class Function>
  void find(const char* name, Function& function) const {
    function = reinterpret_cast<Function>(dlsym(handle_, name));
    if (function == nullptr) {
      throw DeviceError(std::string(name_) + " has no function " + name +
                        "; fast numerics needs cuBLAS of CUDA 13");
    }
  }

 private:
  const char* name_;
  void* handle_;  // for as long as the process runs
};

}  // namespace tandem::cuda

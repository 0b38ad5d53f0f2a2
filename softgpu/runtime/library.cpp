// Libraries: device code that the program loads by itself.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "softgpu/fatbin/fatbin.hpp"
#include "softgpu/models.hpp"
#include "softgpu/runtime/cuda_functions.hpp"
#include "softgpu/runtime/module.hpp"
#include "softgpu/runtime/state.hpp"
#include "softgpu/runtime/task.hpp"

namespace softgpu::cuda {
namespace {

constexpr std::uint32_t wrapper_magic = 0x466243b1;
constexpr std::uint32_t container_magic = 0xba55ed50;
constexpr std::uint32_t elf_magic = 0x464c457f;

struct Library {
  std::vector<std::byte> bytes;  // of a container, which the module points into
  std::unique_ptr<Module> module;
};

struct Libraries {
  std::mutex mutex;
  std::unordered_map<const void*, std::unique_ptr<Library>> live;
};
Libraries& libraries() {
  static auto* libraries = new Libraries;
  return *libraries;
}

Library& find_library(cudaLibrary_t handle) {
  const std::scoped_lock lock(libraries().mutex);
  const auto found = libraries().live.find(handle);
  require(found != libraries().live.end(), cudaErrorInvalidResourceHandle,
          "the library is not one, or was unloaded");
  return *found->second;
}

// `code` is a fat binary, its wrapper, or PTX text that ends with a zero byte.
cudaError_t load(cudaLibrary_t* out, const void* code) {
  require_pointer(out, "out");
  require_pointer(code, "code");
  std::uint32_t magic = 0;
  std::memcpy(&magic, code, sizeof magic);
  if (magic == wrapper_magic) {
    // magic, version, then the address of the container
    std::memcpy(&code, static_cast<const std::byte*>(code) + 8, sizeof code);
    require_pointer(code, "code");
    std::memcpy(&magic, code, sizeof magic);
  }
  auto library = std::make_unique<Library>();
  if (magic == container_magic) {
    const auto* bytes = static_cast<const std::byte*>(code);
    try {
      const std::size_t size = fatbin_size({bytes, 16});
      library->bytes.assign(bytes, bytes + size);
      static_cast<void>(list_entries(library->bytes));
    } catch (const FatbinError& error) {
      throw ApiError(cudaErrorInvalidKernelImage, error.what());
    }
    library->module = std::make_unique<Module>(std::vector<const void*>{library->bytes.data()});
  } else if (magic == elf_magic) {
    throw ApiError(cudaErrorNoKernelImageForDevice,
                   "a library of machine code is loaded; the software GPU runs PTX");
  } else {
    const std::string_view text(static_cast<const char*>(code));
    require(text.find(".version") != std::string_view::npos, cudaErrorInvalidKernelImage,
            "the code is no fat binary and no PTX: there is no .version in it");
    library->module = std::make_unique<Module>(std::string(text));
  }
  static_cast<void>(library->module->program(thread().device));
  const std::scoped_lock lock(libraries().mutex);
  *out = reinterpret_cast<cudaLibrary_t>(library.get());
  libraries().live[library.get()] = std::move(library);
  return cudaSuccess;
}

cudaError_t find_global(void** address, std::size_t* bytes, cudaLibrary_t handle, const char* name,
                        bool managed) {
  require_pointer(name, "name");
  const Symbol* symbol = find_library(handle).module->program(thread().device).symbol(name);
  require(symbol != nullptr, cudaErrorSymbolNotFound, "the library has no variable of this name");
  require(symbol->managed == managed, cudaErrorSymbolNotFound,
          "the variable is managed and was asked for as a plain one, or the other way round");
  if (address != nullptr) *address = reinterpret_cast<void*>(symbol->address);
  if (bytes != nullptr) *bytes = symbol->bytes;
  return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaLibraryLoadData(cudaLibrary_t* library, const void* code, cudaJitOption*, void**,
                                unsigned, cudaLibraryOption*, void**, unsigned) {
  return device_api([&] { return load(library, code); });
}

cudaError_t cudaLibraryLoadFromFile(cudaLibrary_t* library, const char* path, cudaJitOption*,
                                    void**, unsigned, cudaLibraryOption*, void**, unsigned) {
  return device_api([&] {
    require_pointer(path, "path");
    std::ifstream in(path, std::ios::binary);
    require(static_cast<bool>(in), cudaErrorFileNotFound, "the file cannot be read");
    std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    // A container states its size; it must not claim more than the file has.
    if (bytes.size() >= 16) {
      std::uint32_t magic = 0;
      std::memcpy(&magic, bytes.data(), sizeof magic);
      require(magic != wrapper_magic, cudaErrorInvalidKernelImage,
              "the file is no fat binary and no PTX");
      if (magic == container_magic) {
        const auto all = std::as_bytes(std::span(bytes));
        try {
          require(fatbin_size(all.first(16)) <= all.size(), cudaErrorInvalidKernelImage,
                  "the fat binary is longer than its file");
        } catch (const FatbinError& error) {
          throw ApiError(cudaErrorInvalidKernelImage, error.what());
        }
      }
    }
    require(bytes.size() >= 4, cudaErrorInvalidKernelImage, "the file is empty");
    return load(library, bytes.c_str());
  });
}

cudaError_t cudaLibraryUnload(cudaLibrary_t handle) {
  return device_api([&] {
    static_cast<void>(find_library(handle));
    wait_for_all_devices();
    const std::scoped_lock lock(libraries().mutex);
    libraries().live.erase(handle);
    return cudaSuccess;
  });
}

cudaError_t cudaLibraryGetKernel(cudaKernel_t* kernel, cudaLibrary_t handle, const char* name) {
  return device_api([&] {
    require_pointer(kernel, "kernel");
    require_pointer(name, "name");
    Module& module = *find_library(handle).module;
    require(module.has_kernel(name, thread().device), cudaErrorSymbolNotFound,
            "the library has no kernel of this name");
    *kernel = reinterpret_cast<cudaKernel_t>(&module.function(name));
    return cudaSuccess;
  });
}

cudaError_t cudaLibraryGetKernelCount(unsigned* count, cudaLibrary_t handle) {
  return device_api([&] {
    require_pointer(count, "count");
    *count = static_cast<unsigned>(
        find_library(handle).module->program(thread().device).kernels().size());
    return cudaSuccess;
  });
}

cudaError_t cudaLibraryEnumerateKernels(cudaKernel_t* kernels, unsigned count,
                                        cudaLibrary_t handle) {
  return device_api([&] {
    require(kernels != nullptr || count == 0,
            "the list of kernels is a null pointer although its length is not 0");
    const auto all = find_library(handle).module->all_kernels(thread().device);
    for (unsigned i = 0; i < count && i < all.size(); ++i) {
      kernels[i] = reinterpret_cast<cudaKernel_t>(all[i]);
    }
    return cudaSuccess;
  });
}

cudaError_t cudaLibraryGetGlobal(void** address, std::size_t* bytes, cudaLibrary_t library,
                                 const char* name) {
  return device_api([&] { return find_global(address, bytes, library, name, false); });
}

cudaError_t cudaLibraryGetManaged(void** address, std::size_t* bytes, cudaLibrary_t library,
                                  const char* name) {
  return device_api([&] { return find_global(address, bytes, library, name, true); });
}

}  // extern "C"

}  // namespace softgpu::cuda

#include "core/cuda_library.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "tandem/config.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem_build_id.hpp"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// The file that this code is in: libtandem, or a program that holds it.
fs::path own_file() {
  static const int anchor = 0;
  Dl_info info{};
  std::error_code error;
  if (dladdr(&anchor, &info) != 0 && info.dli_fname != nullptr &&
      std::string_view(info.dli_fname).find('/') != std::string_view::npos) {
    const fs::path self = fs::canonical(info.dli_fname, error);
    if (!error) return self;
  }
  // A program knows itself by the word that it was called with, which need not be a path.
  return fs::canonical("/proc/self/exe", error);
}

// Where the libraries that are loaded on demand may be: beside libtandem; for a program that holds
// it, in the library folder of the same installation, or, in a build folder, one above.
std::vector<fs::path> library_folders() {
  const fs::path own = own_file().parent_path();
  const fs::path above = own.parent_path();
  return {own, above / TANDEM_LIBRARY_FOLDER, above};
}

std::string any_of(const std::vector<fs::path>& files) {
  std::string text;
  for (const auto& file : files) text += (text.empty() ? "" : " nor ") + file.string();
  return text;
}

std::string last_error() {
  const char* text = dlerror();
  return text != nullptr ? text : "unknown error";
}

// The software GPU's runtime has a name that NVIDIA's has not.
bool is_software(void* runtime) { return dlsym(runtime, "softgpu_version") != nullptr; }

// The runtime of that name that the process has loaded already, or null.
void* loaded_runtime() { return dlopen("libcudart.so.13", RTLD_NOW | RTLD_NOLOAD); }

void load_software_runtime() {
  if (void* runtime = loaded_runtime(); runtime != nullptr) {
    if (is_software(runtime)) return;
    throw DeviceError(
        "device softgpu: this process has loaded NVIDIA's CUDA runtime already; a process can use "
        "either a real GPU or the software GPU. Use " +
        option("device") + " cuda, or another process");
  }
  const fs::path folder = software_gpu::folder();
  // Under their usual names, so that the library's dependencies are satisfied by what is loaded.
  for (const char* name : {"libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13"}) {
    const fs::path file = folder / name;
    if (dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
      throw DeviceError("device softgpu: cannot load " + file.string() + ": " + last_error());
    }
  }
}

void check_hardware() {
  if (void* runtime = loaded_runtime(); runtime != nullptr && is_software(runtime)) {
    throw DeviceError("device cuda: the CUDA runtime of this process is the software GPU; " +
                      option("device") +
                      " cuda means a "
                      "real one. Use " +
                      option("device") + " softgpu");
  }
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw DeviceError(
        "device cuda: there is no NVIDIA driver on this machine (libcuda.so.1). With a GPU: "
        "install "
        "driver 580 or later. Without: " +
        option("device") + " softgpu runs the same kernels on the CPU, and " + option("device") +
        " cpu the fast CPU version");
  }
}

using CreateEngine = Engine* (*)(const EngineOptions&);
using BuildId = const char* (*)();

CreateEngine load_library(Device device) {
  if (device == Device::softgpu) {
    load_software_runtime();
  } else {
    check_hardware();
  }
  std::vector<fs::path> files;
  for (const auto& folder : library_folders()) {
    files.push_back(folder / ("libtandem_cuda.so." TANDEM_LIBRARY_VERSION));
  }
  std::error_code error;
  const auto found = std::find_if(files.begin(), files.end(),
                                  [&](const fs::path& one) { return fs::exists(one, error); });
  if (found == files.end()) {
    throw DeviceError("device " + std::string(to_string(device)) +
                      ": this build of Tandem has no CUDA half (there is neither " + any_of(files) +
                      "): it was built without nvcc 13. ./dev build fetches one, and in Python pip "
                      "install tandem-ml[cuda] brings that half; meanwhile use " +
                      option("device") + " cpu");
  }
  const fs::path& file = *found;
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const std::string reason = last_error();
    throw DeviceError(
        "device " + std::string(to_string(device)) + ": cannot load " + file.string() + ": " +
        reason +
        (reason.find("libcud") != std::string::npos || reason.find("libcublas") != std::string::npos
             ? ". The CUDA 13 runtime and cuBLAS are needed: install the CUDA Toolkit "
               "13, or put its libraries into LD_LIBRARY_PATH; or use " +
                   option("device") + " softgpu"
             : ""));
  }
  // A leftover of LD_LIBRARY_PATH may have put the software GPU under a real one's name.
  if (device == Device::cuda) check_hardware();
  const auto build_id = reinterpret_cast<BuildId>(dlsym(library, "tandem_cuda_build_id"));
  const auto create = reinterpret_cast<CreateEngine>(dlsym(library, "tandem_cuda_create_engine"));
  if (build_id == nullptr || create == nullptr || std::string(build_id()) != TANDEM_BUILD_ID) {
    throw DeviceError(
        "device " + std::string(to_string(device)) + ": " + file.string() +
        " was not built together with this Tandem (" TANDEM_VERSION ", build " TANDEM_BUILD_ID
        "): it is of " +
        (build_id == nullptr ? "another version" : "build " + std::string(build_id())) +
        ". Build or install both from the same sources");
  }
  return create;
}

}  // namespace

std::string software_gpu::folder() {
  std::error_code error;
  std::vector<fs::path> folders;
  for (const auto& folder : library_folders()) {
    for (const char* below : {"softgpu", "tandem/softgpu"}) {
      folders.push_back(folder / below);
      if (fs::exists(folders.back() / "libcudart.so.13", error)) return folders.back().string();
    }
  }
  throw DeviceError(
      "device softgpu: the software GPU's libcudart.so.13 is neither in " + any_of(folders) +
      ": this Tandem was built without it (TANDEM_SOFTGPU=OFF), or not installed as a "
      "whole (in Python, pip install tandem-ml[cuda] brings it); " +
      option("device") + " cpu needs no GPU");
}

std::unique_ptr<Engine> create_cuda_engine(const EngineOptions& options) {
  static std::mutex mutex;
  static CreateEngine create = nullptr;
  static Device loaded_for = Device::cpu;
  const std::lock_guard lock(mutex);
  if (create == nullptr) {
    create = load_library(options.device);
    loaded_for = options.device;
  } else if (loaded_for != options.device) {
    throw DeviceError("device " + std::string(to_string(options.device)) + ": this process uses " +
                      std::string(to_string(loaded_for)) +
                      " already, and cannot use both; use another process");
  }
  if (options.device == Device::softgpu) {
    // Its blocks run on as many cores as the CPU engine would take.
    software_gpu::set_threads(options.threads);
  }
  return std::unique_ptr<Engine>(create(options));
}

}  // namespace tandem

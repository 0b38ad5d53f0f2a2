// Device code that the program brought along, and the kernels and variables in it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "softgpu/exec/program.hpp"
#include "softgpu/runtime/cuda_api.hpp"

namespace softgpu::cuda {

class Module;

// A kernel. Its address is its cudaKernel_t and cudaFunction_t.
struct Function {
  // The settings that cudaFuncSetAttribute changes, per device.
  struct Settings {
    int max_dynamic_shared = -1;  // -1: what fits into the 48 KiB that need no opt-in
    int carveout = cudaSharedmemCarveoutDefault;
    bool cluster_must_be_set = false;
    int cluster[3] = {0, 0, 0};
    bool non_portable_cluster = false;
    int cluster_policy = cudaClusterSchedulingPolicyDefault;
  };

  Function(Module& of, std::string called);

  Module& module;
  std::string name;
  std::vector<Settings> settings;               // by device
  std::vector<std::atomic<const Code*>> codes;  // by device; nullptr until first used
  std::atomic<bool> waits{false};               // a launch of it went on in the background
};

// A variable that the host knows by the address of its shadow.
struct Variable {
  Module* module = nullptr;
  std::string name;
  std::size_t bytes = 0;
  void** managed = nullptr;  // where the program keeps the address of a managed variable
};

// One fat binary, or several that are to be linked. It is read only when a kernel or a variable of
// it is first asked for.
class Module {
 public:
  // Containers that live as long as the module.
  explicit Module(std::vector<const void*> containers);
  // PTX text.
  explicit Module(std::string text);
  ~Module();

  // Throws ApiError: no PTX for the model, damaged containers, PTX that cannot be read.
  Program& program(int device);
  // The decoded kernel; throws ApiError.
  const Code& code(Function& function, int device);
  Function& function(std::string_view name);  // makes it where there is none yet
  void add_managed(Variable& variable);
  // Gives managed variables their address; a failure leaves zeroed memory and a message.
  void initialise_managed();
  // Forgets what is loaded for the device (cudaDeviceReset).
  void unload(int device);
  // The compute capability that the PTX in use was written for, e.g. 80.
  [[nodiscard]] int ptx_architecture(int device);
  std::vector<Function*> all_kernels(int device);
  [[nodiscard]] bool has_kernel(std::string_view name, int device);

 private:
  void load(int device);
  std::vector<std::string> texts(int device);

  std::recursive_mutex mutex_;
  std::vector<const void*> containers_;
  std::string text_;
  std::vector<bool> told_;                          // by device: its failure has been printed
  std::vector<int> architectures_;                  // by device: what its PTX was written for
  std::vector<std::unique_ptr<Program>> programs_;  // by device
  std::vector<std::unique_ptr<Function>> functions_;
  std::vector<Variable*> managed_;
  int managed_owner_ = -1;  // the device whose program holds the managed variables
};

// Finds what a host address or a handle means. Throw cudaErrorInvalidDeviceFunction and
// cudaErrorInvalidSymbol.
[[nodiscard]] Function& find_function(const void* host_or_handle);
[[nodiscard]] Variable& find_variable(const void* host);
// True where a kernel was registered under this host address.
[[nodiscard]] bool is_kernel(const void* host);

// Time that this process has spent on reading and decoding device code. A device would not see it:
// it is left out of what events measure.
[[nodiscard]] std::chrono::nanoseconds loading_time();

// Every module, for cudaDeviceReset.
void unload_modules(int device);

// Handles of kernels of modules that were loaded by the program itself.
void remember_function(Function& function);
void forget_functions(Module& module);

}  // namespace softgpu::cuda

#include "softgpu/runtime/module.hpp"
#include "softgpu/runtime/cuda_functions.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <shared_mutex>
#include <unordered_map>
#include <unordered_set>

#include "softgpu/fatbin/fatbin.hpp"
#include "softgpu/memory/memory.hpp"
#include "softgpu/models.hpp"
#include "softgpu/runtime/state.hpp"
#include "softgpu/runtime/task.hpp"

namespace softgpu::cuda {
namespace {

int model_architecture(int device) {
  return device_model(device).major * 10 + device_model(device).minor;
}

std::span<const std::byte> container_at(const void* address) {
  const auto* bytes = static_cast<const std::byte*>(address);
  return {bytes, fatbin_size({bytes, 16})};
}

constexpr int newest_architecture = 90;

// Lists the entries of the containers, for the message that says why none of them can run.
std::string describe(const std::vector<FatbinEntry>& entries) {
  std::string text;
  for (const FatbinEntry& entry : entries) {
    if (!text.empty()) text += ", ";
    const bool ptx = entry.kind == FatbinEntry::Kind::ptx;
    const bool machine = entry.kind == FatbinEntry::Kind::machine_code;
    text += ptx       ? "PTX for compute_"
            : machine ? "machine code for sm_"
                      : "intermediate code (-dlto?) for ";
    text += std::to_string(entry.architecture);
  }
  return text.empty() ? "nothing" : text;
}

std::atomic<std::int64_t> loading_nanoseconds{0};

class LoadingTimer {
 public:
  LoadingTimer() : start_(std::chrono::steady_clock::now()) { ++depth(); }
  ~LoadingTimer() {
    if (--depth() == 0) {
      loading_nanoseconds += (std::chrono::steady_clock::now() - start_).count();
    }
  }
  LoadingTimer(const LoadingTimer&) = delete;
  LoadingTimer& operator=(const LoadingTimer&) = delete;

 private:
  static int& depth() {
    thread_local int depth = 0;
    return depth;
  }
  std::chrono::steady_clock::time_point start_;
};

}  // namespace

Function::Function(Module& of, std::string called)
    : module(of),
      name(std::move(called)),
      settings(static_cast<std::size_t>(device_count())),
      codes(static_cast<std::size_t>(device_count())) {}

Module::Module(std::vector<const void*> containers)
    : containers_(std::move(containers)),
      told_(static_cast<std::size_t>(device_count())),
      architectures_(static_cast<std::size_t>(device_count())),
      programs_(static_cast<std::size_t>(device_count())) {}

Module::Module(std::string text)
    : text_(std::move(text)),
      told_(static_cast<std::size_t>(device_count())),
      architectures_(static_cast<std::size_t>(device_count())),
      programs_(static_cast<std::size_t>(device_count())) {}

Module::~Module() { forget_functions(*this); }

std::vector<std::string> Module::texts(int device) {
  const int architecture = model_architecture(device);
  int& chosen = architectures_[static_cast<std::size_t>(device)];
  if (!text_.empty()) {
    chosen = architecture;
    return {text_};
  }
  std::vector<std::string> result;
  std::string offered;  // by containers without PTX that could be used
  bool newer_would_do = false;
  try {
    for (const void* address : containers_) {
      const auto entries = list_entries(container_at(address));
      if (entries.empty()) continue;  // an object without device code
      const FatbinEntry* best = best_ptx(entries, architecture);
      if (best == nullptr) {
        if (!offered.empty()) offered += "; ";
        offered += describe(entries);
        newer_would_do = newer_would_do || best_ptx(entries, newest_architecture) != nullptr;
        continue;
      }
      chosen = std::max(chosen, best->architecture);
      result.push_back(ptx_text(*best));
    }
  } catch (const FatbinError& error) {
    throw ApiError(cudaErrorInvalidKernelImage, error.what());
  }
  // Libraries that were linked in, such as the device runtime, may have machine code only. Who
  // needs them finds out when a function is missed.
  if (result.empty()) {
    const std::string wanted = std::to_string(architecture);
    std::string message =
        "this program brings " + (offered.empty() ? "no code" : offered) + "; the device " +
        std::string(device_model(device).key) + " needs PTX for compute_" + wanted +
        " or less. Compile with -gencode arch=compute_" + wanted + ",code=compute_" + wanted;
    if (newer_would_do) message += ", or set SOFTGPU_MODEL=h100";
    throw ApiError(cudaErrorNoKernelImageForDevice, message);
  }
  return result;
}

void Module::load(int device) {
  auto& program = programs_[static_cast<std::size_t>(device)];
  if (program) return;
  try {
    // Managed variables are one for all devices: the first program has them, the others are told.
    std::map<std::string, std::uint64_t> bound;
    if (managed_owner_ >= 0) {
      const Program& owner = *programs_[static_cast<std::size_t>(managed_owner_)];
      for (const Variable* variable : managed_) {
        if (const Symbol* symbol = owner.symbol(variable->name)) {
          bound[variable->name] = symbol->address;
        }
      }
    }
    program = std::make_unique<Program>(texts(device), device, bound);
    if (managed_owner_ < 0) managed_owner_ = device;
    for (Variable* variable : managed_) {
      if (const Symbol* symbol = program->symbol(variable->name);
          symbol && *variable->managed == nullptr) {
        *variable->managed = reinterpret_cast<void*>(symbol->address);
      }
    }
  } catch (const ProgramError& error) {
    throw ApiError(static_cast<cudaError_t>(error.code()),
                   told_[static_cast<std::size_t>(device)] ? "" : error.what());
  } catch (const ApiError& error) {
    throw ApiError(error.code(), told_[static_cast<std::size_t>(device)] ? "" : error.what());
  }
}

std::chrono::nanoseconds loading_time() {
  return std::chrono::nanoseconds(loading_nanoseconds.load(std::memory_order_relaxed));
}

Program& Module::program(int device) {
  const std::scoped_lock lock(mutex_);
  if (const auto& loaded = programs_[static_cast<std::size_t>(device)]) return *loaded;
  const LoadingTimer timer;
  try {
    load(device);
  } catch (const ApiError&) {
    told_[static_cast<std::size_t>(device)] = true;
    throw;
  }
  return *programs_[static_cast<std::size_t>(device)];
}

const Code& Module::code(Function& function, int device) {
  auto& known = function.codes[static_cast<std::size_t>(device)];
  if (const Code* code = known.load(std::memory_order_acquire)) return *code;
  const std::scoped_lock lock(mutex_);
  const LoadingTimer timer;
  const Code* code = nullptr;
  try {
    code = program(device).kernel(function.name);
  } catch (const ProgramError& error) {
    throw ApiError(static_cast<cudaError_t>(error.code()),
                   "kernel " + function.name + ": " + error.what());
  }
  if (code == nullptr) {
    throw ApiError(cudaErrorInvalidDeviceFunction,
                   "kernel " + function.name + " is not in the PTX that the program brings");
  }
  known.store(code, std::memory_order_release);
  return *code;
}

Function& Module::function(std::string_view name) {
  const std::scoped_lock lock(mutex_);
  for (const auto& function : functions_) {
    if (function->name == name) return *function;
  }
  functions_.push_back(std::make_unique<Function>(*this, std::string(name)));
  remember_function(*functions_.back());
  return *functions_.back();
}

void Module::add_managed(Variable& variable) {
  const std::scoped_lock lock(mutex_);
  managed_.push_back(&variable);
}

void Module::initialise_managed() {
  const std::scoped_lock lock(mutex_);
  if (managed_.empty()) return;
  try {
    program(thread().device);
  } catch (const ApiError& error) {
    if (error.what()[0] != '\0') complain(error.what());
  }
  for (Variable* variable : managed_) {
    if (*variable->managed != nullptr) continue;
    // The program goes on to use it whatever we say; it finds zeros.
    void* memory = Memory::instance().allocate(variable->bytes, MemoryKind::managed, 0);
    if (memory != nullptr) std::memset(memory, 0, variable->bytes);
    *variable->managed = memory;
  }
}

void Module::unload(int device) {
  const std::scoped_lock lock(mutex_);
  auto& program = programs_[static_cast<std::size_t>(device)];
  if (!program) return;
  if (managed_owner_ == device && !managed_.empty()) return;  // other devices may use them
  for (const auto& function : functions_) {
    function->codes[static_cast<std::size_t>(device)].store(nullptr);
    function->settings[static_cast<std::size_t>(device)] = {};
  }
  if (managed_owner_ == device) managed_owner_ = -1;
  program.reset();
}

int Module::ptx_architecture(int device) {
  static_cast<void>(program(device));
  return architectures_[static_cast<std::size_t>(device)];
}

bool Module::has_kernel(std::string_view name, int device) {
  return program(device).has_kernel(name);
}

std::vector<Function*> Module::all_kernels(int device) {
  std::vector<Function*> result;
  for (const std::string& name : program(device).kernels()) result.push_back(&function(name));
  return result;
}

// --- what is registered -------------------------------------------------------------------------

namespace {

struct Registry {
  std::shared_mutex mutex;
  // The last registration of an address counts: template stubs of two libraries are one.
  std::unordered_map<const void*, std::vector<Function*>> functions;
  std::unordered_map<const void*, std::vector<std::unique_ptr<Variable>>> variables;
  std::unordered_set<const void*> handles;
  std::unordered_set<const void*> kernels;  // host addresses; kept when their module goes
  std::unordered_set<Module*> modules;
};

Registry& registry() {
  static auto* registry = new Registry;  // outlives the program's own statics
  return *registry;
}

// The argument that nvcc's objects pass: where a fat binary starts, or, in version 2, those that
// were linked, which ends with a null pointer.
struct Wrapper {
  std::uint32_t magic;
  std::uint32_t version;
  const void* data;
  void* linked;
};
constexpr std::uint32_t wrapper_magic = 0x466243b1;

Module* module_of(void** handle) { return reinterpret_cast<Module*>(handle); }

}  // namespace

void remember_function(Function& function) {
  const std::unique_lock lock(registry().mutex);
  registry().handles.insert(&function);
}

void forget_functions(Module& module) {
  Registry& all = registry();
  const std::unique_lock lock(all.mutex);
  std::erase_if(all.handles, [&](const void* handle) {
    return &static_cast<const Function*>(handle)->module == &module;
  });
  for (auto& [host, functions] : all.functions) {
    std::erase_if(functions, [&](const Function* f) { return &f->module == &module; });
  }
  for (auto& [host, variables] : all.variables) {
    std::erase_if(variables, [&](const auto& v) { return v->module == &module; });
  }
  all.modules.erase(&module);
}

Function& find_function(const void* host_or_handle) {
  Registry& all = registry();
  const std::shared_lock lock(all.mutex);
  if (const auto found = all.functions.find(host_or_handle);
      found != all.functions.end() && !found->second.empty()) {
    return *found->second.back();
  }
  if (all.handles.contains(host_or_handle)) {
    return *const_cast<Function*>(static_cast<const Function*>(host_or_handle));
  }
  throw ApiError(cudaErrorInvalidDeviceFunction,
                 "the function is no kernel of this program: nothing is registered at its address");
}

bool is_kernel(const void* host) {
  Registry& all = registry();
  const std::shared_lock lock(all.mutex);
  return all.kernels.contains(host);
}

Variable& find_variable(const void* host) {
  Registry& all = registry();
  const std::shared_lock lock(all.mutex);
  if (const auto found = all.variables.find(host);
      found != all.variables.end() && !found->second.empty()) {
    return *found->second.back();
  }
  // The address of a managed variable is, to the program, where its value lies.
  for (const auto& [shadow, variables] : all.variables) {
    for (const auto& variable : variables) {
      if (host != nullptr && variable->managed != nullptr && *variable->managed == host) {
        return *variable;
      }
    }
  }
  throw ApiError(
      cudaErrorInvalidSymbol,
      "the symbol is no __device__, __constant__ or __managed__ variable of this program");
}

void unload_modules(int device) {
  std::vector<Module*> modules;
  {
    const std::shared_lock lock(registry().mutex);
    modules.assign(registry().modules.begin(), registry().modules.end());
  }
  for (Module* module : modules) module->unload(device);
}

// --- registration: called by the constructors of nvcc's objects ----------------------------------

extern "C" {

void** __cudaRegisterFatBinary(void* fatbin) {
  const auto* wrapper = static_cast<const Wrapper*>(fatbin);
  std::vector<const void*> containers;
  if (wrapper != nullptr && wrapper->magic == wrapper_magic) {
    if (wrapper->version == 2 && wrapper->linked != nullptr) {
      for (auto* const* at = static_cast<void* const*>(wrapper->linked); *at != nullptr; ++at) {
        containers.push_back(*at);
      }
    } else if (wrapper->data != nullptr) {
      containers.push_back(wrapper->data);
    }
  } else {
    complain("a fat binary is registered whose header is not known; its kernels cannot run");
  }
  auto* module = new Module(std::move(containers));
  const std::unique_lock lock(registry().mutex);
  registry().modules.insert(module);
  return reinterpret_cast<void**>(module);
}

void __cudaRegisterFatBinaryEnd(void**) {}

void __cudaUnregisterFatBinary(void** handle) {
  stop_background_work();  // of kernels that the module may hold
  delete module_of(handle);
}

void __cudaRegisterFunction(void** handle, const char* host, char*, const char* name, int, uint3*,
                            uint3*, dim3*, dim3*, int*) {
  Function& function = module_of(handle)->function(name);
  const std::unique_lock lock(registry().mutex);
  registry().functions[host].push_back(&function);
  registry().kernels.insert(host);
}

void __cudaRegisterVar(void** handle, char* host, char*, const char* name, int, std::size_t bytes,
                       int, int) {
  auto variable = std::make_unique<Variable>(Variable{module_of(handle), name, bytes, nullptr});
  const std::unique_lock lock(registry().mutex);
  registry().variables[host].push_back(std::move(variable));
}

void __cudaRegisterManagedVar(void** handle, void** host, char*, const char* name, int,
                              std::size_t bytes, int, int) {
  auto variable = std::make_unique<Variable>(Variable{module_of(handle), name, bytes, host});
  module_of(handle)->add_managed(*variable);
  const std::unique_lock lock(registry().mutex);
  registry().variables[host].push_back(std::move(variable));
}

// A host variable that kernels use through the system's page tables: host addresses are device
// addresses here, but kernels may only touch what is registered.
void __cudaRegisterHostVar(void**, const char*, char* host, std::size_t bytes) {
  if (host != nullptr && bytes != 0) {
    Memory::instance().add(host, bytes, MemoryKind::registered, 0);
  }
}

char __cudaInitModule(void** handle) {
  module_of(handle)->initialise_managed();
  return 1;
}

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared,
                                     cudaStream_t stream) {
  thread().configurations.push_back({grid, block, shared, stream});
  return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared, void* stream) {
  return api([&] {
    auto& stack = thread().configurations;
    require(!stack.empty(), cudaErrorMissingConfiguration,
            "no <<<...>>> configuration was pushed before this launch");
    *grid = stack.back().grid;
    *block = stack.back().block;
    *shared = stack.back().shared;
    *static_cast<cudaStream_t*>(stream) = stack.back().stream;
    stack.pop_back();
    return cudaSuccess;
  });
}

cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* host) {
  return api([&] {
    *kernel = reinterpret_cast<cudaKernel_t>(&find_function(host));
    return cudaSuccess;
  });
}

}  // extern "C"

}  // namespace softgpu::cuda

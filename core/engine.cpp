#include "tandem/core/engine.hpp"

#include "core/cuda_library.hpp"
#include "core/engine_backend.hpp"
#include "core/host_engine.hpp"
#include "core/parallel.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

Engine::~Engine() = default;

void* EngineBackend::steps_factory(std::string_view /*name*/) const { return nullptr; }

namespace buffer {

void* allocate(Engine& engine, std::size_t bytes, Placement placement) {
  return placement == Placement::rows ? backend(engine).allocate_rows(bytes)
                                      : backend(engine).allocate(bytes);
}
void deallocate(Engine& engine, void* memory, std::size_t bytes) noexcept {
  backend(engine).deallocate(memory, bytes);
}
void upload(Engine& engine, void* to, const void* from_host, std::size_t bytes) {
  backend(engine).copy_from_host(to, from_host, bytes);
}
void download(Engine& engine, void* to_host, const void* from, std::size_t bytes) {
  backend(engine).copy_to_host(to_host, from, bytes);
}
void copy(Engine& engine, void* to, const void* from, std::size_t bytes) {
  backend(engine).copy_within(to, from, bytes);
}
void fill_zero(Engine& engine, void* to, std::size_t bytes) {
  backend(engine).fill_zero(to, bytes);
}

}  // namespace buffer

std::unique_ptr<Engine> Engine::create(const EngineOptions& options) {
  EngineOptions resolved = options;
  if (resolved.threads < 0) {
    throw InputError("threads must be 0 (all cores) or more, not " +
                     std::to_string(resolved.threads));
  }
  if (resolved.device == Device::reference) resolved.threads = 1;
  if (resolved.threads == 0) resolved.threads = available_cores();
  switch (resolved.device) {
    case Device::reference:
    case Device::cpu: return std::make_unique<HostEngine>(resolved);
    case Device::cuda:
    case Device::softgpu: return create_cuda_engine(resolved);
  }
  throw InputError("unknown device");
}

}  // namespace tandem

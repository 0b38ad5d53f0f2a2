#include "tandem/core/engine.hpp"

#include "core/cuda_library.hpp"
#include "core/host_engine.hpp"
#include "core/parallel.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

Engine::~Engine() = default;

void* Engine::steps_factory(std::string_view /*name*/) const { return nullptr; }

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

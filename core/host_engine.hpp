// The engine behind the devices reference and cpu: memory is the host's and work is done at once.
#pragma once

#include "core/engine_backend.hpp"

namespace tandem {

class HostEngine final : public EngineBackend {
 public:
  explicit HostEngine(const EngineOptions& options);

  [[nodiscard]] std::string description() const override;
  [[nodiscard]] void* allocate(std::size_t bytes) override;
  void deallocate(void* memory, std::size_t bytes) noexcept override;
  void copy_from_host(void* to, const void* from_host, std::size_t bytes) override;
  void copy_to_host(void* to_host, const void* from, std::size_t bytes) override;
  void copy_within(void* to, const void* from, std::size_t bytes) override;
  void fill_zero(void* to, std::size_t bytes) override;
  void wait() override {}
};

// True where the engine's memory is the host's: its steps may then read data of the host that does
// not change while they run, and a copy of it need not be made.
[[nodiscard]] inline bool reads_host_memory(const Engine& engine) noexcept {
  return dynamic_cast<const HostEngine*>(&engine) != nullptr;
}

}  // namespace tandem

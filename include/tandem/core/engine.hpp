// An engine says where work runs and where memory lives. It owns one in-order queue: what is
// enqueued later sees the results of what was enqueued earlier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

struct EngineOptions {
  Device device = Device::cpu;
  Numerics numerics = Numerics::exact;
  // Host threads; 0 means all cores of the process's affinity mask. The reference engine always
  // uses one. In exact mode no result depends on it.
  int threads = 0;

  // For the devices cuda and softgpu. In exact mode no result depends on any of these.
  int device_index = 0;           // which of several devices
  std::size_t device_memory = 0;  // bytes of it that may be used; 0: all that is free
  int block_threads = 0;          // threads of a block where a kernel leaves the choice; 0: its own
};

// Bytes and copies that went between the host and a device with memory of its own, since the engine
// was made. Zero on the devices reference and cpu, where there is nothing to copy.
struct Transfers {
  std::int64_t to_device_bytes = 0;
  std::int64_t to_host_bytes = 0;
  std::int64_t to_device_copies = 0;
  std::int64_t to_host_copies = 0;
};

// An engine is used by one thread at a time; several threads each take one of their own, see
// another(). Programs call nothing else of it than what stands here; what an implementation of a
// device offers to the algorithms is its EngineBackend (core/engine_backend.hpp).
class TANDEM_API Engine {
 public:
  // Throws DeviceError where the device is missing; never falls back to another device.
  [[nodiscard]] static std::unique_ptr<Engine> create(const EngineOptions& options = {});

  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine();

  [[nodiscard]] Device device() const noexcept { return options_.device; }
  [[nodiscard]] Numerics numerics() const noexcept { return options_.numerics; }
  [[nodiscard]] int threads() const noexcept { return options_.threads; }
  // As they were resolved: `threads` is never 0.
  [[nodiscard]] const EngineOptions& options() const noexcept { return options_; }

  // One line for reports: "cpu, 2 threads, AVX-512".
  [[nodiscard]] virtual std::string description() const = 0;
  [[nodiscard]] virtual Transfers transfers() const noexcept { return {}; }

  // A second engine of the same device and options, with a queue and memory of its own.
  [[nodiscard]] std::unique_ptr<Engine> another() const { return create(options_); }

  // Returns when all enqueued work is done; throws what it failed with.
  virtual void wait() = 0;

 private:
  friend class EngineBackend;
  explicit Engine(const EngineOptions& options) : options_(options) {}

  EngineOptions options_;
};

}  // namespace tandem

// An engine says where work runs and where memory lives. It owns one in-order queue: what is
// enqueued later sees the results of what was enqueued earlier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include "tandem/core/types.hpp"

namespace tandem {

struct EngineOptions {
  Device device = Device::cpu;
  Numerics numerics = Numerics::exact;
  // Host threads; 0 means all cores of the process's affinity mask. The reference engine always
  // uses one. In exact mode no result depends on it.
  int threads = 0;

  // Of the devices cuda and softgpu. In exact mode no result depends on any of these.
  int device_index = 0;           // which of several devices
  std::size_t device_memory = 0;  // bytes of it that may be used; 0: all that is free
  int block_threads = 0;          // threads of a block where a kernel leaves the choice; 0: its own
};

class Engine {
 public:
  // Throws DeviceError where the device is missing; never falls back to another device.
  [[nodiscard]] static std::unique_ptr<Engine> create(const EngineOptions& options = {});

  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine();

  [[nodiscard]] Device device() const noexcept { return options_.device; }
  [[nodiscard]] Numerics numerics() const noexcept { return options_.numerics; }
  [[nodiscard]] int threads() const noexcept { return options_.threads; }

  // One line for reports: "cpu, 2 threads, AVX-512".
  [[nodiscard]] virtual std::string description() const = 0;

  // Uninitialised memory of this engine, aligned to at least 64 bytes. Throws SystemError or
  // DeviceError that states the bytes asked for.
  [[nodiscard]] virtual void* allocate(std::size_t bytes) = 0;
  // The same for data of the size of the rows, which steps read block by block: where it does not
  // fit into the device's memory it stands on the host and is streamed, with the same results.
  [[nodiscard]] virtual void* allocate_rows(std::size_t bytes) { return allocate(bytes); }
  virtual void deallocate(void* memory, std::size_t bytes) noexcept = 0;

  // Copies are ordered with all other work of this engine. copy_to_host waits.
  virtual void copy_from_host(void* to, const void* from_host, std::size_t bytes) = 0;
  virtual void copy_to_host(void* to_host, const void* from, std::size_t bytes) = 0;
  virtual void copy_within(void* to, const void* from, std::size_t bytes) = 0;
  virtual void fill_zero(void* to, std::size_t bytes) = 0;

  // Returns when all enqueued work is done; throws what it failed with.
  virtual void wait() = 0;

  // Between these two the caller enqueues what it has enqueued before under the same owner and key,
  // and will again, with other arguments perhaps: a GPU then runs it as one graph. Nothing in
  // between may wait.
  virtual void begin_repeated(const void* /*owner*/, std::uint64_t /*key*/) {}
  virtual void end_repeated() {}
  // In place of end_repeated(), when an exception ends the part: nothing of it is done.
  virtual void abandon_repeated() noexcept {}
  // Frees what is kept for an owner.
  virtual void forget_repeated(const void* /*owner*/) noexcept {}

  // For engines that live in a shared library of their own: the factory of the steps called
  // `name`, or nullptr. See core/steps.hpp.
  [[nodiscard]] virtual void* steps_factory(std::string_view name) const;

 protected:
  explicit Engine(const EngineOptions& options) : options_(options) {}

 private:
  EngineOptions options_;
};

// A part of a loop's body that is enqueued again and again (Engine::begin_repeated), as a scope.
class Repeated {
 public:
  Repeated(Engine& engine, const void* owner, std::uint64_t key) : engine_(engine) {
    engine.begin_repeated(owner, key);
  }
  Repeated(const Repeated&) = delete;
  Repeated& operator=(const Repeated&) = delete;
  ~Repeated() noexcept(false) {
    if (std::uncaught_exceptions() > exceptions_) {
      engine_.abandon_repeated();
    } else {
      engine_.end_repeated();
    }
  }

 private:
  Engine& engine_;
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace tandem

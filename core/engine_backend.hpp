// The interface of a device to the algorithms: memory, copies, steps, and parts of loops that are
// repeated. Every Engine implements it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string_view>

#include "tandem/core/engine.hpp"

namespace tandem {

class EngineBackend : public Engine {
 public:
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

  // Until end_resident() with the same pointer, copies from these bytes of the host, which do not
  // change meanwhile, may be taken from a copy in this engine's memory. Calls nest: each has its
  // own end. Bytes that are not kept, because there is no room or no need, are copied as ever.
  virtual void keep_resident(const void* /*from_host*/, std::size_t /*bytes*/) {}
  virtual void end_resident(const void* /*from_host*/) noexcept {}

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
  explicit EngineBackend(const EngineOptions& options) : Engine(options) {}
};

// The constructor of Engine is open to EngineBackend alone.
[[nodiscard]] inline EngineBackend& backend(Engine& engine) noexcept {
  return static_cast<EngineBackend&>(engine);
}
[[nodiscard]] inline const EngineBackend& backend(const Engine& engine) noexcept {
  return static_cast<const EngineBackend&>(engine);
}

// A part of a loop's body that is enqueued again and again (begin_repeated), as a scope.
class Repeated {
 public:
  Repeated(Engine& engine, const void* owner, std::uint64_t key) : engine_(backend(engine)) {
    engine_.begin_repeated(owner, key);
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
  EngineBackend& engine_;
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace tandem

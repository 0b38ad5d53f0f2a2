// Memory on one engine. Move-only; nothing copies or migrates by itself.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/export.hpp"

namespace tandem {

// Where a buffer may stand: in the engine's memory, or, for data of the size of the rows that steps
// read block by block, on the host where it does not fit (EngineBackend::allocate_rows).
enum class Placement { engine, rows };

// The engine's part of a buffer's work.
namespace buffer {
[[nodiscard]] TANDEM_API void* allocate(Engine& engine, std::size_t bytes, Placement placement);
TANDEM_API void deallocate(Engine& engine, void* memory, std::size_t bytes) noexcept;
TANDEM_API void upload(Engine& engine, void* to, const void* from_host, std::size_t bytes);
TANDEM_API void download(Engine& engine, void* to_host, const void* from, std::size_t bytes);
TANDEM_API void copy(Engine& engine, void* to, const void* from, std::size_t bytes);
TANDEM_API void fill_zero(Engine& engine, void* to, std::size_t bytes);
}  // namespace buffer

template <class T>
class TANDEM_API Buffer {
  static_assert(std::is_trivially_copyable_v<T>, "buffers hold plain data");

 public:
  Buffer() = default;

  // Uninitialised. Throws InputError where size is negative or its bytes exceed the address space.
  Buffer(Engine& engine, Index size, Placement placement = Placement::engine)
      : engine_(&engine), size_(size) {
    if (size < 0 || static_cast<std::size_t>(size) >
                        static_cast<std::size_t>(std::numeric_limits<Index>::max()) / sizeof(T)) {
      throw InputError("a buffer of " + std::to_string(size) + " elements cannot be addressed");
    }
    if (size > 0) {
      data_ = static_cast<T*>(buffer::allocate(engine, bytes(), placement));
    }
  }

  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&& other) noexcept
      : engine_(other.engine_),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      release();
      engine_ = other.engine_;
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  ~Buffer() { release(); }

  // A pointer in the engine's memory: only the engine's own steps may follow it.
  [[nodiscard]] T* data() noexcept { return data_; }
  [[nodiscard]] const T* data() const noexcept { return data_; }
  [[nodiscard]] Index size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return static_cast<std::size_t>(size_) * sizeof(T);
  }

  // Requires: host.size() == size(). The host memory may be reused on return.
  void upload(std::span<const T> host) {
    check(host.size());
    if (size_ > 0) buffer::upload(*engine_, data_, host.data(), bytes());
  }
  void download(std::span<T> host) const {
    check(host.size());
    if (size_ > 0) buffer::download(*engine_, host.data(), data_, bytes());
  }
  [[nodiscard]] std::vector<T> to_host() const {
    std::vector<T> host(static_cast<std::size_t>(size_));
    download(host);
    return host;
  }
  void copy_from(const Buffer& other) {
    check(static_cast<std::size_t>(other.size_));
    if (size_ > 0) buffer::copy(*engine_, data_, other.data_, bytes());
  }
  void fill_zero() {
    if (size_ > 0) buffer::fill_zero(*engine_, data_, bytes());
  }

 private:
  void check(std::size_t other) const {
    if (other != static_cast<std::size_t>(size_)) {
      throw std::logic_error("buffer of " + std::to_string(size_) + " elements copied with " +
                             std::to_string(other));
    }
  }
  void release() noexcept {
    if (data_ != nullptr) buffer::deallocate(*engine_, data_, bytes());
    data_ = nullptr;
  }

  Engine* engine_ = nullptr;
  T* data_ = nullptr;
  Index size_ = 0;
};

template <class T>
[[nodiscard]] Buffer<std::remove_const_t<T>> to_engine(Engine& engine, std::span<T> host) {
  Buffer<std::remove_const_t<T>> buffer(engine, static_cast<Index>(host.size()));
  buffer.upload(host);
  return buffer;
}

template <class T>
[[nodiscard]] Buffer<T> to_engine(Engine& engine, const std::vector<T>& host) {
  return to_engine(engine, std::span<const T>(host));
}

}  // namespace tandem

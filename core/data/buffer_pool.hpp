// Memory for pages and buffers of a file, which is taken and given back many times.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace tandem {

// Bytes that are written before they are read: nothing clears them.
class ByteBuffer {
 public:
  [[nodiscard]] std::uint8_t* data() noexcept { return bytes_.get(); }
  [[nodiscard]] const std::uint8_t* data() const noexcept { return bytes_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept { return {data(), size_}; }
  [[nodiscard]] std::span<std::uint8_t> bytes() noexcept { return {data(), size_}; }
  // The first `kept` bytes stay, the others are of any value.
  void resize(std::size_t size, std::size_t kept = 0) {
    if (size > capacity_) {
      auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(size);
      std::copy_n(data(), kept, larger.get());
      bytes_ = std::move(larger);
      capacity_ = size;
    }
    size_ = size;
  }

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// Buffers that nobody uses at the moment. The system would have to clear and map the pages of new
// ones, which takes as long as reading them does. Several threads may use it at once.
class BufferPool {
 public:
  // A buffer as long as this object lives, which the pool must outlive.
  class Lease {
   public:
    Lease() = default;  // of an empty buffer that is nobody's
    explicit Lease(BufferPool& pool) : pool_(&pool), buffer_(pool.take()) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), buffer_(std::move(other.buffer_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_ != nullptr) pool_->give_back(std::move(buffer_));
    }
    [[nodiscard]] ByteBuffer& operator*() noexcept { return buffer_; }
    [[nodiscard]] const ByteBuffer& operator*() const noexcept { return buffer_; }
    [[nodiscard]] ByteBuffer* operator->() noexcept { return &buffer_; }
    [[nodiscard]] const ByteBuffer* operator->() const noexcept { return &buffer_; }

   private:
    BufferPool* pool_ = nullptr;
    ByteBuffer buffer_;
  };

 private:
  // The one used last, which the processor's cache may still hold.
  ByteBuffer take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) return {};
    ByteBuffer buffer = std::move(free_.back());
    free_.pop_back();
    buffer.resize(0);
    return buffer;
  }
  void give_back(ByteBuffer buffer) noexcept {
    try {
      const std::lock_guard<std::mutex> lock(mutex_);
      free_.push_back(std::move(buffer));
    } catch (...) {  // no memory for the list: the buffer is freed instead
    }
  }

  std::mutex mutex_;
  std::vector<ByteBuffer> free_;
};

}  // namespace tandem

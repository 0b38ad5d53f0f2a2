// An array of plain values in 16 bytes where it is empty: millions of them are kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace tandem::fraud {

template <class T>
requires std::is_trivially_copyable_v<T>
class Pack {
 public:
  Pack() = default;
  Pack(const Pack& other) { assign(other.span()); }
  Pack(Pack&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Pack& operator=(Pack other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  ~Pack() { std::free(data_); }

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] T* begin() noexcept { return data_; }
  [[nodiscard]] T* end() noexcept { return data_ + size_; }
  [[nodiscard]] const T* begin() const noexcept { return data_; }
  [[nodiscard]] const T* end() const noexcept { return data_ + size_; }
  [[nodiscard]] T& operator[](std::size_t i) noexcept { return data_[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data_[i]; }
  [[nodiscard]] T& back() noexcept { return data_[size_ - 1]; }
  [[nodiscard]] const T& back() const noexcept { return data_[size_ - 1]; }
  [[nodiscard]] std::span<const T> span() const noexcept { return {data_, size_}; }

  void push_back(const T& value) { insert(size_, value); }
  void insert(std::size_t at, const T& value) {
    const T copy = value;
    if (size_ == capacity_) reserve(capacity_ + capacity_ / 4 + (capacity_ == 0 ? 1 : 2));
    std::memmove(data_ + at + 1, data_ + at, (size_ - at) * sizeof(T));
    data_[at] = copy;
    ++size_;
  }
  void erase(std::size_t at) {
    std::memmove(data_ + at, data_ + at + 1, (size_ - at - 1) * sizeof(T));
    --size_;
  }
  // Drops elements at the end, and memory where little of it is used.
  void shrink(std::uint32_t size) {
    size_ = size;
    if (size_ + std::size_t{8} < capacity_ / std::size_t{4}) reserve(size_ + size_ / 2);
  }
  void assign(std::span<const T> values) {
    if (values.size() > capacity_) reserve(static_cast<std::uint32_t>(values.size()));
    if (!values.empty()) std::memcpy(data_, values.data(), values.size_bytes());
    size_ = static_cast<std::uint32_t>(values.size());
  }
  void clear() noexcept {
    std::free(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }
  // What the allocator gives for it, its own 8 bytes with it: blocks of 16 bytes, 32 at least.
  [[nodiscard]] std::size_t heap_bytes() const noexcept {
    if (capacity_ == 0) return 0;
    const std::size_t block = (capacity_ * sizeof(T) + 8 + 15) / 16 * 16;
    return block < 32 ? 32 : block;
  }

 private:
  void reserve(std::uint32_t capacity) {
    if (capacity == 0) {
      clear();
      return;
    }
    void* const moved = std::realloc(static_cast<void*>(data_), capacity * sizeof(T));
    if (moved == nullptr) throw std::bad_alloc();
    data_ = static_cast<T*>(moved);
    capacity_ = capacity;
  }

  T* data_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace tandem::fraud

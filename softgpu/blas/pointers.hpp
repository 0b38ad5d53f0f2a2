// The matrices of a batch: an array of addresses in device memory, or one address and a stride.
#pragma once

#include <algorithm>

#include "softgpu/blas/library.hpp"

namespace softgpu::blas {

class Pointers {
 public:
  Pointers() = default;
  template <class T>
  explicit Pointers(const T* const* array) : array_(reinterpret_cast<const void* const*>(array)) {}
  // stride in elements of `element` bytes
  Pointers(const void* base, std::int64_t stride, std::size_t element)
      : base_(static_cast<const char*>(base)) {
    // Kept where addresses can still be told apart; larger steps cannot reach memory anyway.
    constexpr Wide kMost = Wide{1} << 56;
    step_ = static_cast<std::int64_t>(
        std::clamp<Wide>(static_cast<Wide>(stride) * static_cast<Wide>(element), -kMost, kMost));
  }

  [[nodiscard]] void* at(std::int64_t i) const {
    return const_cast<void*>(array_ != nullptr ? array_[i]
                                               : static_cast<const void*>(base_ + i * step_));
  }
  template <class T>
  [[nodiscard]] T* as(std::int64_t i) const {
    return static_cast<T*>(at(i));
  }
  [[nodiscard]] std::int64_t step_bytes() const { return array_ == nullptr ? step_ : 0; }
  [[nodiscard]] bool is_array() const { return array_ != nullptr; }

  // True where all `count` matrices of `bytes` each can be reached, and the array of pointers
  // itself.
  [[nodiscard]] bool reachable_all(const char* function, const char* name, std::int64_t count,
                                   std::size_t bytes) const {
    if (count <= 0 || bytes == 0) return true;
    if (array_ != nullptr) {
      if (!reachable(function, {"array of pointers", array_,
                                static_cast<std::size_t>(count) * sizeof(void*)})) {
        return false;
      }
      for (std::int64_t i = 0; i < count; ++i) {
        if (!reachable(function, {name, array_[i], bytes})) return false;
      }
      return true;
    }
    if (base_ == nullptr) return reachable(function, {name, base_, bytes});
    const Wide far = static_cast<Wide>(count - 1) * step_;
    const std::size_t whole = saturated_size(static_cast<Wide>(bytes) + (far < 0 ? -far : far), 1);
    const char* lowest = base_;
    if (far < 0) {
      // The matrices lie below the first one.
      if (whole >= kLargestSize) return reachable(function, {name, nullptr, whole});
      lowest = base_ + static_cast<std::int64_t>(far);
    }
    return reachable(function, {name, lowest, whole});
  }

 private:
  const void* const* array_ = nullptr;
  const char* base_ = nullptr;
  std::int64_t step_ = 0;
};

}  // namespace softgpu::blas

// Numbers in files: little-endian, whatever the machine.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace tandem::journal {

template <std::integral T>
void put(std::byte* to, T value) {
  auto bits = static_cast<std::make_unsigned_t<T>>(value);
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    to[i] = static_cast<std::byte>(bits & 0xFF);
    if constexpr (sizeof(T) > 1) bits = static_cast<std::make_unsigned_t<T>>(bits >> 8);
  }
}

template <std::integral T>
[[nodiscard]] T get(const std::byte* from) {
  std::make_unsigned_t<T> bits = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) {
    if constexpr (sizeof(T) > 1) bits = static_cast<std::make_unsigned_t<T>>(bits << 8);
    bits = static_cast<std::make_unsigned_t<T>>(bits | static_cast<std::uint8_t>(from[i]));
  }
  return static_cast<T>(bits);
}

template <std::integral T>
void append(std::vector<std::byte>& to, T value) {
  to.resize(to.size() + sizeof(T));
  put(to.data() + to.size() - sizeof(T), value);
}

}  // namespace tandem::journal

// Unsigned integers in the order of the numbers that they stand for, on both sides.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem::tree {

template <Real T>
using OrderKey = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline OrderKey<T> order_key(T value) {
  OrderKey<T> bits;
  std::memcpy(&bits, &value, sizeof bits);
  constexpr OrderKey<T> sign = OrderKey<T>{1} << (8 * sizeof(T) - 1);
  if (bits == sign) bits = 0;  // −0 is 0
  return (bits & sign) != 0 ? ~bits : bits | sign;
}
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T value_of_key(OrderKey<T> key) {
  constexpr OrderKey<T> sign = OrderKey<T>{1} << (8 * sizeof(T) - 1);
  const OrderKey<T> bits = (key & sign) != 0 ? key ^ sign : ~key;
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace tandem::tree

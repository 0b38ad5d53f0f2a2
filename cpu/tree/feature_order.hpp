// Sorting rows by a feature on the CPU.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "tandem/core/types.hpp"

namespace tandem::tree {

// Ranks number the distinct values of a feature in ascending order; that of missing values is the
// greatest number.
inline constexpr std::uint32_t missing_rank = std::numeric_limits<std::uint32_t>::max();

// Integers that order as the values do; every NaN comes last, −0 and +0 are one value.
inline std::uint32_t ordered_key(float value) {
  if (value != value) return std::numeric_limits<std::uint32_t>::max();
  const auto bits = std::bit_cast<std::uint32_t>(value + 0.0F);
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}
inline std::uint64_t ordered_key(double value) {
  if (value != value) return std::numeric_limits<std::uint64_t>::max();
  const auto bits = std::bit_cast<std::uint64_t>(value + 0.0);
  return (bits & 0x8000000000000000U) != 0 ? ~bits : bits | 0x8000000000000000U;
}

// The value that has this key.
inline float value_of_key(std::uint32_t key) {
  return std::bit_cast<float>((key & 0x80000000U) != 0 ? key & 0x7FFFFFFFU : ~key);
}

template <Real T>
struct KeyedRow {
  decltype(ordered_key(T{})) key;
  std::uint32_t row;
};

// Sorts by key, stably, by digits of 11 bits from the lowest; digits that all keys share cost
// nothing but the count. `from` and `other` have `size` elements; returns the one that is sorted.
template <Real T>
KeyedRow<T>* radix_sort(KeyedRow<T>* from, KeyedRow<T>* other, Index size,
                        std::vector<std::uint32_t>& counts) {
  constexpr int digit_bits = 11;
  constexpr std::size_t buckets = std::size_t{1} << digit_bits;
  constexpr int key_bits = static_cast<int>(sizeof(from->key)) * 8;
  constexpr int digits = (key_bits + digit_bits - 1) / digit_bits;
  counts.assign(buckets * digits, 0);
  for (Index i = 0; i < size; ++i) {
    for (int d = 0; d < digits; ++d) {
      ++counts[buckets * static_cast<std::size_t>(d) +
               ((from[i].key >> (d * digit_bits)) & (buckets - 1))];
    }
  }
  for (int d = 0; d < digits && size > 0; ++d) {
    std::uint32_t* start = counts.data() + buckets * static_cast<std::size_t>(d);
    const int shift = d * digit_bits;
    if (start[(from[0].key >> shift) & (buckets - 1)] == size) continue;
    std::uint32_t total = 0;
    for (std::size_t b = 0; b < buckets; ++b) total += std::exchange(start[b], total);
    for (Index i = 0; i < size; ++i) {
      other[start[(from[i].key >> shift) & (buckets - 1)]++] = from[i];
    }
    std::swap(from, other);
  }
  return from;
}

}  // namespace tandem::tree

// Comparisons for tests, with the tolerances that Tandem's contract names. There are no others: a
// test that needs a looser one derives it and says why where it is set.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "tandem/core/numerics.hpp"

namespace tandem::test {

template <class T>
auto bits_of(T value) {
  if constexpr (sizeof(T) == 4)
    return std::bit_cast<std::uint32_t>(value);
  else
    return std::bit_cast<std::uint64_t>(value);
}

// exact: the same bits, NaN payloads and signs of zero included.
template <class T>
::testing::AssertionResult same_bits(std::span<const T> a, std::span<const T> b) {
  if (a.size() != b.size()) {
    return ::testing::AssertionFailure() << a.size() << " elements against " << b.size();
  }
  std::size_t differing = 0;
  std::size_t first = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    if (bits_of(a[i]) != bits_of(b[i])) {
      ++differing;
      first = i;
    }
  }
  if (differing == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << differing << " of " << a.size() << " elements differ, first at " << first << ": "
         << +a[first] << " against " << +b[first];
}
template <class T>
::testing::AssertionResult same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return same_bits(std::span<const T>(a), std::span<const T>(b));
}

// |value − expected| <= bound(i), element by element; NaN is never within a bound.
template <class T, class U, class Bound>
::testing::AssertionResult within(const std::vector<T>& value, const std::vector<U>& expected,
                                  Bound&& bound) {
  if (value.size() != expected.size()) {
    return ::testing::AssertionFailure() << value.size() << " elements against " << expected.size();
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    const double error = std::abs(static_cast<double>(value[i]) - static_cast<double>(expected[i]));
    const double limit = bound(i);
    if (!(error <= limit)) {
      return ::testing::AssertionFailure()
             << "element " << i << ": " << value[i] << " against " << expected[i] << ", error "
             << error << ", bound " << limit;
    }
  }
  return ::testing::AssertionSuccess();
}

// elementwise: `ulps` roundings of type T around each expected value.
template <class T, class U>
::testing::AssertionResult elementwise(const std::vector<T>& value, const std::vector<U>& expected,
                                       double ulps) {
  return within(value, expected, [&](std::size_t i) {
    return ulps * 2 * unit_roundoff<T> *
           std::max(std::abs(static_cast<double>(expected[i])),
                    static_cast<double>(std::numeric_limits<T>::min()));
  });
}

// reduction: c · γ_length of type T against the sum of the magnitudes of the terms.
template <class T, class U>
::testing::AssertionResult reduction(const std::vector<T>& value, const std::vector<U>& expected,
                                     const std::vector<double>& magnitudes, Index length,
                                     double c = 1) {
  return within(value, expected,
                [&](std::size_t i) { return c * gamma_bound<T>(length) * magnitudes[i]; });
}

// Memory with guard bands and poison, so that a stray write and an element that was never written
// both show. T{} is never the poison.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::size_t size) : size_(size), memory_(size + 2 * band, poison()) {}
  [[nodiscard]] std::span<T> inner() { return {memory_.data() + band, size_}; }
  [[nodiscard]] ::testing::AssertionResult intact() const {
    for (std::size_t i = 0; i < band; ++i) {
      if (bits_of(memory_[i]) != bits_of(poison()) ||
          bits_of(memory_[band + size_ + i]) != bits_of(poison())) {
        return ::testing::AssertionFailure() << "a write outside the output, guard element " << i;
      }
    }
    for (std::size_t i = 0; i < size_; ++i) {
      if (bits_of(memory_[band + i]) == bits_of(poison())) {
        return ::testing::AssertionFailure() << "element " << i << " was never written";
      }
    }
    return ::testing::AssertionSuccess();
  }

 private:
  static constexpr std::size_t band = 64;
  static T poison() {
    if constexpr (sizeof(T) == 4)
      return std::bit_cast<T>(0x7fa5a5a5U);
    else
      return std::bit_cast<T>(std::uint64_t{0x7ff5a5a5a5a5a5a5U});
  }
  std::size_t size_;
  std::vector<T> memory_;
};

// Sizes at which blocked and vectorised code goes wrong.
inline const std::vector<Index>& awkward_sizes() {
  static const std::vector<Index> sizes{0,  1,  2,  3,   7,   15,  16,  17,   31,   32,  33,
                                        63, 64, 65, 127, 255, 256, 257, 1021, 1024, 1025};
  return sizes;
}

}  // namespace tandem::test

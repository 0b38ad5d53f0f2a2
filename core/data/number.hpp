// Decimal text to binary floating point, correctly rounded.
#pragma once

#include <bit>
#include <cfloat>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "tandem/core/types.hpp"

namespace tandem {

namespace number_detail {

inline constexpr double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                           1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                           1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

[[nodiscard]] inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// Eight ASCII digits at once, as bytes of one word (first byte lowest).
[[nodiscard]] inline bool are_digits(std::uint64_t word) {
  return ((word & 0xF0F0F0F0F0F0F0F0U) |
          (((word + 0x0606060606060606U) & 0xF0F0F0F0F0F0F0F0U) >> 4)) == 0x3333333333333333U;
}
[[nodiscard]] inline std::uint32_t value_of_digits(std::uint64_t word) {
  word -= 0x3030303030303030U;
  word = word * 10 + (word >> 8);  // pairs, in every other byte
  constexpr std::uint64_t mask = 0x000000FF000000FFU;
  return static_cast<std::uint32_t>((((word & mask) * (100 + (1000000ULL << 32))) +
                                     (((word >> 16) & mask) * (1 + (10000ULL << 32)))) >>
                                    32);
}

// By the general algorithm; magnitude_exponent tells overflow from underflow.
template <Real T, char Point>
[[nodiscard]] T general(const char* begin, const char* end, std::int64_t magnitude_exponent) {
  T value{};
  std::string with_point;
  if constexpr (Point != '.') {
    with_point.assign(begin, end);
    const auto at = with_point.find(Point);
    if (at != std::string::npos) with_point[at] = '.';
    begin = with_point.data();
    end = begin + with_point.size();
  }
  const auto result = std::from_chars(begin, end, value);
  if (result.ec == std::errc::result_out_of_range) {
    return magnitude_exponent > 0 ? std::numeric_limits<T>::infinity() : T{0};
  }
  return value;
}

}  // namespace number_detail

// Reads a number at `p`: sign, digits with at most one point, exponent. `Point` is the decimal
// mark. Returns the end of it, or nullptr where there is none; what follows is the caller's to
// check. The value is the nearest T (ties to even): ±infinity and ±0 past the range.
//
// Requires: some character that cannot belong to a number stands in the text's end, and at least 8
// bytes after that can be read.
//
// Clinger, "How to read floating point numbers accurately" (PLDI 1990): a decimal significand up
// to 2^53 and a power of ten up to 10^22 are both exact in double, so one division or product of
// them is correctly rounded. Everything else goes to std::from_chars.
template <Real T, char Point = '.'>
[[nodiscard]] inline const char* parse_number(const char* p, T& value) {
  using namespace number_detail;
  const bool negative = *p == '-';
  if (*p == '-' || *p == '+') ++p;
  const char* const begin = p;
  std::uint64_t significand = 0;
  while (is_digit(*p)) {
    significand = significand * 10 + static_cast<std::uint64_t>(*p - '0');
    ++p;
  }
  auto digits = p - begin;
  std::int64_t exponent = 0;
  if (*p == Point) {
    ++p;
    const char* const fraction = p;
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    if constexpr (std::endian::native == std::endian::little) {
      while (are_digits(word)) {
        significand = significand * 100000000U + value_of_digits(word);
        p += 8;
        std::memcpy(&word, p, sizeof word);
      }
    }
    while (is_digit(*p)) {
      significand = significand * 10 + static_cast<std::uint64_t>(*p - '0');
      ++p;
    }
    exponent = fraction - p;
    digits += p - fraction;
  }
  if (digits == 0) return nullptr;
  if (*p == 'e' || *p == 'E') {
    const char* q = p + 1;
    const bool below = *q == '-';
    if (*q == '-' || *q == '+') ++q;
    if (!is_digit(*q)) return nullptr;
    std::int64_t written = 0;
    while (is_digit(*q)) {
      if (written < 100000000) written = written * 10 + (*q - '0');
      ++q;
    }
    exponent += below ? -written : written;
    p = q;
  }
  constexpr std::int64_t largest_power = 22;
  const bool exact = digits <= 19 && significand <= (std::uint64_t{1} << 53) &&
                     exponent >= -largest_power && exponent <= largest_power;
  T magnitude;
  if (exact) {
    const double s = static_cast<double>(significand);
    const double rounded =
        exponent < 0 ? s / powers_of_ten[-exponent] : s * powers_of_ten[exponent];
    if constexpr (sizeof(T) == 8) {
      magnitude = rounded;
    } else {
      // Rounding twice is wrong only where the first rounding landed in the middle between two
      // floats; below the normal floats the middle is elsewhere.
      constexpr std::uint64_t below_float = (std::uint64_t{1} << 29) - 1;
      const bool middle =
          (std::bit_cast<std::uint64_t>(rounded) & below_float) == (std::uint64_t{1} << 28);
      if ((middle || rounded < static_cast<double>(FLT_MIN)) && significand != 0) {
        magnitude = general<T, Point>(begin, p, exponent + 1);
      } else {
        magnitude = static_cast<T>(rounded);
      }
    }
  } else {
    // The place of the first digit that is not 0 decides between overflow and underflow.
    const char* first = begin;
    std::int64_t place = exponent + digits;
    while (first < p && (*first == '0' || *first == Point)) {
      if (*first == '0') --place;
      ++first;
    }
    magnitude = general<T, Point>(begin, p, place);
  }
  value = negative ? -magnitude : magnitude;
  return p;
}

// The whole text, blanks around it allowed: also inf, infinity and nan in any case, with a sign.
// False where it is not a number.
template <Real T>
[[nodiscard]] bool parse_whole_number(std::string_view text, T& value);

}  // namespace tandem

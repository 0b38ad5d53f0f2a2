// Decimal text to binary floating point, correctly rounded.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cfloat>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "tandem/core/types.hpp"

namespace tandem {

namespace number_detail {

inline constexpr double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                           1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                           1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

inline constexpr auto inverse_powers_of_ten = [] {
  std::array<double, std::size(powers_of_ten)> inverse{};
  for (std::size_t k = 0; k < inverse.size(); ++k) inverse[k] = 1 / powers_of_ten[k];
  return inverse;
}();
inline constexpr std::int64_t integer_powers_of_ten[] = {1,      10,      100,      1000,     10000,
                                                         100000, 1000000, 10000000, 100000000};

[[nodiscard]] inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

// Eight ASCII digits at once, as bytes of one word (first byte lowest).
[[nodiscard]] inline bool are_digits(std::uint64_t word) {
  return ((word & 0xF0F0F0F0F0F0F0F0U) |
          (((word + 0x0606060606060606U) & 0xF0F0F0F0F0F0F0F0U) >> 4)) == 0x3333333333333333U;
}
// Of digits as numbers: 0 is 0.
[[nodiscard]] inline std::uint32_t value_of_places(std::uint64_t word) {
  word = word * 10 + (word >> 8);  // pairs, in every other byte
  constexpr std::uint64_t mask = 0x000000FF000000FFU;
  return static_cast<std::uint32_t>((((word & mask) * (100 + (1000000ULL << 32))) +
                                     (((word >> 16) & mask) * (1 + (10000ULL << 32)))) >>
                                    32);
}
[[nodiscard]] inline std::uint32_t value_of_digits(std::uint64_t word) {
  return value_of_places(word - 0x3030303030303030U);
}

// A double that lies in the middle between two normal floats, or within `margin` doubles of it,
// from where rounding a second time could go the wrong way.
[[nodiscard]] inline bool between_floats(double value, std::uint64_t margin = 0) {
  constexpr std::uint64_t below_float = (std::uint64_t{1} << 29) - 1;
  const std::uint64_t rest = std::bit_cast<std::uint64_t>(value) & below_float;
  return rest - ((std::uint64_t{1} << 28) - margin) <= 2 * margin;
}

inline constexpr int most_places = 27;  // 5^27 < 2^63
struct PowerOfFive {
  int up = 0;                    // 5^k·2^up has its highest bit set
  std::uint64_t divisor = 0;     // 5^k·2^up
  std::uint64_t reciprocal = 0;  // floor((2^128 - 1) / divisor) - 2^64
};
inline constexpr auto powers_of_five = [] {
  __extension__ using Wide = unsigned __int128;
  std::array<PowerOfFive, most_places + 1> powers{};
  std::uint64_t power = 1;
  for (PowerOfFive& five : powers) {
    five.up = std::countl_zero(power);
    five.divisor = power << five.up;
    five.reciprocal = static_cast<std::uint64_t>(~Wide{0} / five.divisor - (Wide{1} << 64));
    power *= 5;
  }
  return powers;
}();

// significand / 10^places, correctly rounded. The significand is not 0, and there are 1 to 27
// places. The quotient of integers has at least 63 bits, and rounding needs to know of the others
// only whether they are 0. The division is Möller and Granlund's ("Improved division by invariant
// integers", 2011, algorithm 4): two products in place of one quotient.
template <Real T>
[[nodiscard]] inline T decimal_fraction(std::uint64_t significand, std::int64_t places) {
  __extension__ using Wide = unsigned __int128;
  using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  constexpr int kept_bits = std::numeric_limits<T>::digits;
  const PowerOfFive& five = powers_of_five[static_cast<std::size_t>(places)];
  // The dividend is significand·2^(up + 63), the quotient between 2^62 and 2^64.
  const int up = std::countl_zero(significand);
  const std::uint64_t high = (significand << up) >> 1;
  const std::uint64_t low = significand << up << 63;
  const Wide estimate = static_cast<Wide>(five.reciprocal) * high + ((Wide{high} << 64) | low);
  auto quotient = static_cast<std::uint64_t>(estimate >> 64) + 1;
  std::uint64_t remainder = low - quotient * five.divisor;
  const bool above = remainder > static_cast<std::uint64_t>(estimate);
  quotient -= above ? 1 : 0;
  remainder += above ? five.divisor : 0;
  if (remainder >= five.divisor) [[unlikely]] {
    ++quotient;
    remainder -= five.divisor;
  }
  const int drop = 64 - std::countl_zero(quotient) - kept_bits;
  const std::uint64_t half = std::uint64_t{1} << (drop - 1);
  const std::uint64_t dropped = (quotient & (2 * half - 1)) | (remainder != 0 ? 1 : 0);
  std::uint64_t kept = quotient >> drop;
  // Up where more than the half was dropped, or the half and what is kept is odd. There are more
  // dropped bits than one, so that the remainder's cannot be taken for the half.
  kept += dropped + (kept & 1) > half ? 1 : 0;
  // significand/10^places = quotient·2^(five.up - up - 63 - places), a normal number.
  const int exponent = drop + five.up - up - 63 - static_cast<int>(places);
  const auto scale = static_cast<Bits>(exponent + std::numeric_limits<T>::max_exponent - 1)
                     << (kept_bits - 1);
  return static_cast<T>(static_cast<std::int64_t>(kept)) * std::bit_cast<T>(scale);
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
// them is correctly rounded. Fractions of up to 19 digits take a division of integers, everything
// else goes to std::from_chars.
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
      const bool again = between_floats(rounded) || rounded < static_cast<double>(FLT_MIN);
      if (again && significand != 0) {
        magnitude = general<T, Point>(begin, p, exponent + 1);
      } else {
        magnitude = static_cast<T>(rounded);
      }
    }
  } else if (digits <= 19 && exponent >= -most_places && exponent <= 0 && significand != 0) {
    // No power is needed, or one division of integers tells all.
    magnitude =
        exponent == 0 ? static_cast<T>(significand) : decimal_fraction<T>(significand, -exponent);
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

// How the numbers that most files are full of are read, digits with a point or without behind a
// minus sign or none, at most 19 of them and no exponent. Where what parse() returns points at
// anything but the field's end, or is nullptr, the number is parse_number's.
struct NumberByDigits {
  template <Real T>
  [[nodiscard]] static const char* parse(const char* p, T& value) {
    return parse_number(p, value);
  }
};

#if defined(__x86_64__)
// Sixteen characters at once, so that nothing depends on how many digits stand where, which no
// processor could predict: the digits are found by comparing, moved together over the point with
// one shuffle, and summed up in pairs.
//
// Requires: 32 bytes from p on can be read; AVX2 and BMI.
struct NumberByVector {
  template <Real T>
  [[nodiscard, gnu::target("avx2,bmi,bmi2")]] static inline const char* parse(const char* p,
                                                                              T& value) {
    using namespace number_detail;
    const std::uint32_t negative = *p == '-' ? 1 : 0;
    // What is no digit is 10 or more; the sign in front is taken for a zero.
    const __m128i text =
        _mm_sub_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)), _mm_set1_epi8('0'));
    const __m128i places =
        _mm_andnot_si128(_mm_cvtsi32_si128(static_cast<int>(0 - negative) & 0xFF), text);
    const std::uint32_t others = others_of(text) & ~negative;
    const auto whole = static_cast<std::uint32_t>(std::countr_zero(others | 0x10000U));
    const __m128i from =
        _mm_setr_epi8(-16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1);
    T magnitude;
    std::uint32_t end = whole;
    if (p[whole] != '.') {
      if (whole == negative || whole > 15) return nullptr;
      const __m128i source = _mm_add_epi8(from, _mm_set1_epi8(static_cast<char>(whole)));
      magnitude = static_cast<T>(sum(_mm_shuffle_epi8(places, source)));
    } else {
      end = static_cast<std::uint32_t>(std::countr_zero((others & (others - 1)) | 0x10000U));
      if (end - negative < 2 || whole > 15) return nullptr;
      // The digits before the point come one place later than those behind it.
      const __m128i behind = _mm_add_epi8(from, _mm_set1_epi8(static_cast<char>(end)));
      const __m128i point = _mm_set1_epi8(static_cast<char>(whole + 1));
      const __m128i source = _mm_add_epi8(behind, _mm_cmpgt_epi8(point, behind));
      std::int64_t significand = sum(_mm_shuffle_epi8(places, source));
      std::uint32_t digits = end - negative - 1;
      if (end == 16) {
        const std::uint32_t more_others = others_of(_mm_sub_epi8(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16)), _mm_set1_epi8('0')));
        const auto more = static_cast<std::uint32_t>(std::countr_zero(more_others | 0x10000U));
        digits += more;
        if (digits > 18 || more == 0) {
          if (more != 0) return nullptr;
        } else {
          std::uint64_t word;
          std::memcpy(&word, p + 16, sizeof word);
          word = (word ^ 0x3030303030303030U) << (64 - 8 * more);
          significand = significand * integer_powers_of_ten[more] + value_of_places(word);
          end += more;
        }
      }
      const std::uint32_t fraction = end - whole - 1;
      // In double, up to 15 digits are rounded once. A float takes the nearest of a double that is
      // not, unless that lies where two floats are as near.
      const auto exact = static_cast<double>(significand);
      const double about = sizeof(T) == 8 ? exact / powers_of_ten[fraction]
                                          : exact * inverse_powers_of_ten[fraction];
      magnitude = static_cast<T>(about);
      const bool certain = sizeof(T) == 4 ? !between_floats(about, 4) : digits <= 15;
      if (!certain) {
        if (significand == 0 || fraction == 0) return nullptr;
        magnitude = decimal_fraction<T>(static_cast<std::uint64_t>(significand), fraction);
      }
    }
    using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
    constexpr int sign_bit = 8 * sizeof(T) - 1;
    value = std::bit_cast<T>(std::bit_cast<Bits>(magnitude) ^ (Bits{negative} << sign_bit));
    return p + end;
  }

 private:
  [[nodiscard, gnu::target("avx2,bmi,bmi2")]] static inline std::uint32_t others_of(__m128i text) {
    const __m128i ten = _mm_set1_epi8(10);
    return static_cast<std::uint32_t>(
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_max_epu8(text, ten), text)));
  }
  [[nodiscard, gnu::target("avx2,bmi,bmi2")]] static inline std::int64_t sum(__m128i digits) {
    digits = _mm_maddubs_epi16(digits, _mm_set1_epi16(10 + (1 << 8)));
    digits = _mm_madd_epi16(digits, _mm_set1_epi32(100 + (1 << 16)));
    digits = _mm_packus_epi32(digits, digits);
    digits = _mm_madd_epi16(digits, _mm_set1_epi32(10000 + (1 << 16)));
    const std::int64_t both = _mm_cvtsi128_si64(digits);
    return (both & 0xFFFFFFFF) * 100000000 + (both >> 32);
  }
};
#endif

// The whole text, blanks around it allowed: also inf, infinity and nan in any case, with a sign.
// False where it is not a number.
template <Real T>
[[nodiscard]] bool parse_whole_number(std::string_view text, T& value);

}  // namespace tandem

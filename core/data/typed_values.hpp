// Values of declared types as numbers, seconds and texts: what the readers of Parquet and Arrow
// files share.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/data/typed_table.hpp"

namespace tandem {

// Whether the whole number `value` became another one when it became `number`.
template <Real T, class Whole>
[[nodiscard]] bool is_rounded(Whole value, T number) {
  static_assert(std::is_integral_v<Whole>);
  constexpr int bits = std::numeric_limits<T>::digits;
  if constexpr (std::numeric_limits<Whole>::digits <= bits) {
    return false;
  } else {
    constexpr Whole exact = Whole{1} << bits;
    bool small = value <= exact;
    if constexpr (std::is_signed_v<Whole>) small = small && value >= -exact;
    // A larger number is held where the bits below the T's are 0; 2^63 and above cannot be cast
    // back.
    return !small && !(number < std::ldexp(T{1}, std::numeric_limits<Whole>::digits) &&
                       static_cast<Whole>(number) == value);
  }
}

// A whole number as the number at `place` of a batch, which keeps its digits where they are lost.
template <Real T, class Whole>
void put_whole(Whole value, Index place, bool labels, ColumnBatch<T>& batch) {
  const T number = static_cast<T>(value);
  batch.numbers[static_cast<std::size_t>(place)] = number;
  if constexpr (std::numeric_limits<Whole>::digits > std::numeric_limits<T>::digits) {
    if (is_rounded(value, number) && (labels || batch.rounded.empty())) {
      batch.rounded.emplace_back(place, std::to_string(value));
    }
  }
}

// A number as it lies in a file, the lowest byte first.
template <class U>
[[nodiscard]] U load_little_endian(const void* p) {
  std::array<std::uint8_t, sizeof(U)> bytes;
  std::memcpy(bytes.data(), p, sizeof(U));
  if constexpr (std::endian::native == std::endian::big) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<U>(bytes);
}

// Puts `count` whole numbers, as they lie at `raw`, into a column's numbers. Whether one of them is
// so large that it may be rounded: then the caller puts each of them again, by put_whole().
template <class Whole, Real T>
[[nodiscard]] bool put_small_wholes(const void* raw, Index count, T* to) {
  const auto* const bytes = static_cast<const std::uint8_t*>(raw);
  const auto value = [bytes](Index i) {
    return load_little_endian<Whole>(bytes + i * static_cast<Index>(sizeof(Whole)));
  };
  constexpr int held = std::numeric_limits<T>::digits;
  if constexpr (std::numeric_limits<Whole>::digits > held) {
    // Signed numbers from −2^held up to 2^held become 0 to 2^(held + 1), others more.
    constexpr int shift = std::is_signed_v<Whole> ? held + 1 : held;
    constexpr std::uint64_t offset = std::is_signed_v<Whole> ? std::uint64_t{1} << held : 0;
    std::uint64_t high = 0;
    for (Index i = 0; i < count; ++i) high |= static_cast<std::uint64_t>(value(i)) + offset;
    if (high >> shift != 0) {
      for (Index i = 0; i < count; ++i) to[i] = static_cast<T>(value(i));
      return true;
    }
    if constexpr (sizeof(T) == 4) {
      // Small ones pass through 32 bits, which vector instructions convert.
      for (Index i = 0; i < count; ++i) to[i] = static_cast<T>(static_cast<std::int32_t>(value(i)));
      return false;
    }
  }
  for (Index i = 0; i < count; ++i) to[i] = static_cast<T>(value(i));
  return false;
}

// The same for floating-point numbers, which are rounded where T is the narrower type.
template <class Source, Real T>
void put_reals(const void* raw, Index count, T* to) {
  const auto* const bytes = static_cast<const std::uint8_t*>(raw);
  for (Index i = 0; i < count; ++i) {
    to[i] =
        static_cast<T>(load_little_endian<Source>(bytes + i * static_cast<Index>(sizeof(Source))));
  }
}

// Half precision (IEEE 754 binary16), exact.
[[nodiscard]] float half_value(std::uint16_t bits);

// The digits of a whole number of any size.
struct WholeDigits {
  bool negative = false;
  std::string digits;  // without leading zeros; "0" for zero
};
[[nodiscard]] WholeDigits whole_digits(std::int64_t value);
// Of two's complement, the highest byte first.
[[nodiscard]] WholeDigits whole_digits(std::string_view big_endian);

// The longest numbers and the largest powers of ten of decimal columns.
inline constexpr std::size_t most_decimal_bytes = 64;
inline constexpr int most_decimal_scale = 400;

// value / 10^scale, rounded to the nearest once. Requires: |scale| <= most_decimal_scale.
template <Real T>
[[nodiscard]] T decimal_value(std::int64_t value, int scale);
template <Real T>
[[nodiscard]] T decimal_value(const WholeDigits& value, int scale);
// "12.50"
[[nodiscard]] std::string decimal_text(const WholeDigits& value, int scale);

// A date, a time or a duration as a file stores it: whole seconds and `rest` parts of one, of which
// there are `per_second`. Both have one sign, so that nothing cancels.
struct Moment {
  std::int64_t whole = 0;
  std::int64_t rest = 0;
  std::int64_t per_second = 1;

  // Exact to the last bit of a double but for one rounding.
  [[nodiscard]] double seconds() const {
    return static_cast<double>(whole) + static_cast<double>(rest) / static_cast<double>(per_second);
  }
};
// `count` times 1/per_second seconds; of `per_second` 0, days.
[[nodiscard]] Moment moment_of(std::int64_t count, std::int64_t per_second);
// Whether date_text() and parts_of() know such a date: years 1 to 9999.
[[nodiscard]] bool is_known_date(double seconds);
// "2024-01-31", "2024-01-31 12:30:05" or "2024-01-31 12:30:05.25". Requires: is_known_date().
[[nodiscard]] std::string date_text(const Moment& moment);
// "12:30:05" or "-36:00:00.5"
[[nodiscard]] std::string time_text(const Moment& moment);

}  // namespace tandem

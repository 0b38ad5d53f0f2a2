#include "core/data/typed_values.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdlib>
#include <vector>

#include "core/data/field_values.hpp"

namespace tandem {

float half_value(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU;
  const std::uint32_t fraction = bits & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 0xFFU : exponent + 112U;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

WholeDigits whole_digits(std::int64_t value) {
  const bool negative = value < 0;
  const std::uint64_t magnitude =
      negative ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
  return {negative, std::to_string(magnitude)};
}

WholeDigits whole_digits(std::string_view big_endian) {
  WholeDigits result;
  result.negative = !big_endian.empty() && (static_cast<unsigned char>(big_endian.front()) & 0x80U);
  // The magnitude in words of 32 bits, the lowest first.
  std::vector<std::uint32_t> words((big_endian.size() + 3) / 4);
  for (std::size_t i = 0; i < big_endian.size(); ++i) {
    const auto byte = static_cast<unsigned char>(big_endian[big_endian.size() - 1 - i]);
    words[i / 4] |= static_cast<std::uint32_t>(result.negative ? byte ^ 0xFFU : byte)
                    << (8 * (i % 4));
  }
  if (result.negative) {
    for (std::uint32_t& word : words) {
      if (++word != 0) break;
    }
  }
  std::vector<std::uint32_t> groups;  // of nine digits, the lowest first
  while (std::any_of(words.begin(), words.end(), [](std::uint32_t word) { return word != 0; })) {
    std::uint64_t rest = 0;
    for (std::size_t i = words.size(); i-- > 0;) {
      rest = rest << 32 | words[i];
      words[i] = static_cast<std::uint32_t>(rest / 1000000000U);
      rest %= 1000000000U;
    }
    groups.push_back(static_cast<std::uint32_t>(rest));
  }
  if (groups.empty()) return {false, "0"};
  result.digits = std::to_string(groups.back());
  for (std::size_t i = groups.size() - 1; i-- > 0;) {
    const std::string group = std::to_string(groups[i]);
    result.digits.append(9 - group.size(), '0').append(group);
  }
  return result;
}

template <Real T>
T decimal_value(const WholeDigits& value, int scale) {
  const std::string text =
      (value.negative ? "-" : "") + value.digits + "e" + std::to_string(-static_cast<long>(scale));
  T number{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (result.ec == std::errc::result_out_of_range) {
    // More digits than the power of ten takes away: too large; else too small.
    const bool large = static_cast<long>(value.digits.size()) - scale > 0;
    number = large ? std::numeric_limits<T>::infinity() : T{0};
    if (value.negative) number = -number;
  }
  return number;
}

template <Real T>
T decimal_value(std::int64_t value, int scale) {
  // Quotients of exact numbers are rounded once.
  constexpr std::int64_t exact = std::int64_t{1} << std::numeric_limits<T>::digits;
  constexpr int most = sizeof(T) == 8 ? 22 : 10;
  if (value >= -exact && value <= exact && scale >= 0 && scale <= most) {
    constexpr std::array<T, 23> powers{T(1e0),  T(1e1),  T(1e2),  T(1e3),  T(1e4),  T(1e5),
                                       T(1e6),  T(1e7),  T(1e8),  T(1e9),  T(1e10), T(1e11),
                                       T(1e12), T(1e13), T(1e14), T(1e15), T(1e16), T(1e17),
                                       T(1e18), T(1e19), T(1e20), T(1e21), T(1e22)};
    return static_cast<T>(value) / powers[static_cast<std::size_t>(scale)];
  }
  return decimal_value<T>(whole_digits(value), scale);
}

std::string decimal_text(const WholeDigits& value, int scale) {
  std::string digits = value.digits;
  if (scale <= 0) {
    if (digits != "0") digits.append(static_cast<std::size_t>(-scale), '0');
  } else {
    const auto places = static_cast<std::size_t>(scale);
    if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
    digits.insert(digits.size() - places, ".");
  }
  return value.negative ? "-" + digits : digits;
}

Moment moment_of(std::int64_t count, std::int64_t per_second) {
  if (per_second != 0) return {count / per_second, count % per_second, per_second};
  constexpr std::int64_t day = 86400;
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / day;
  return {std::clamp(count, -most, most) * day, 0, 1};
}

bool is_known_date(double seconds) { return seconds >= -62135596800.0 && seconds < 253402300800.0; }

namespace {

// ".25", or nothing where there is no rest. Requires: 0 <= rest < per_second, a power of ten.
std::string fraction_text(std::int64_t rest, std::int64_t per_second) {
  if (rest == 0) return "";
  const std::string digits = std::to_string(per_second + rest);  // a 1 before them
  return "." + digits.substr(1, digits.find_last_not_of('0'));
}

}  // namespace

std::string date_text(const Moment& moment) {
  const bool before = moment.rest < 0;
  const std::int64_t whole = moment.whole - (before ? 1 : 0);
  const std::int64_t rest = moment.rest + (before ? moment.per_second : 0);
  std::string text = date_text(static_cast<double>(whole));
  if (rest > 0 && text.find(':') == std::string::npos) text += " 00:00:00";
  return text + fraction_text(rest, moment.per_second);
}

std::string time_text(const Moment& moment) {
  const bool negative = moment.whole < 0 || moment.rest < 0;
  const auto clock = negative ? ~static_cast<std::uint64_t>(moment.whole) + 1
                              : static_cast<std::uint64_t>(moment.whole);
  const auto two = [](std::uint64_t number) {
    return (number < 10 ? "0" : "") + std::to_string(number);
  };
  return (negative ? "-" : "") + two(clock / 3600) + ":" + two(clock / 60 % 60) + ":" +
         two(clock % 60) + fraction_text(std::abs(moment.rest), moment.per_second);
}

template float decimal_value(std::int64_t, int);
template double decimal_value(std::int64_t, int);
template float decimal_value(const WholeDigits&, int);
template double decimal_value(const WholeDigits&, int);

}  // namespace tandem

#include "systems/serving/experiments/hash.hpp"

#include <string>

namespace tandem::experiments {
namespace {

constexpr std::uint32_t offset_basis = 0x811C9DC5U;
constexpr std::uint32_t prime = 0x01000193U;

// The length of the UTF-8 sequence that begins with this byte; 1 for a byte that begins none.
std::size_t sequence_length(unsigned char first) {
  if (first >= 0xF0 && first < 0xF5) return 4;
  if (first >= 0xE0 && first < 0xF0) return 3;
  if (first >= 0xC2 && first < 0xE0) return 2;
  return 1;
}

class Fnv {
 public:
  void add(std::uint32_t unit) { state_ = (state_ ^ unit) * prime; }
  void add_code_point(std::uint32_t point) {
    if (point < 0x10000) return add(point);
    point -= 0x10000;
    add(0xD800U + (point >> 10));
    add(0xDC00U + (point & 0x3FFU));
  }
  [[nodiscard]] std::uint32_t value() const { return state_; }

 private:
  std::uint32_t state_ = offset_basis;
};

}  // namespace

std::uint32_t fnv1a_32(std::string_view text) {
  Fnv hash;
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    const std::size_t length = sequence_length(first);
    std::uint32_t point = length == 1 ? first : first & (0xFFU >> (length + 1));
    bool whole = i + length <= text.size();
    for (std::size_t k = 1; whole && k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      whole = (next & 0xC0U) == 0x80U;
      point = (point << 6) | (next & 0x3FU);
    }
    hash.add_code_point(whole ? point : first);
    i += whole ? length : 1;
  }
  return hash.value();
}

double hash_unit(std::string_view seed, std::string_view unit, HashVersion version) {
  std::string text;
  text.reserve(seed.size() + unit.size());
  if (version == HashVersion::v1) {
    text.append(unit).append(seed);
    return static_cast<double>(fnv1a_32(text) % 1000) / 1000.0;
  }
  text.append(seed).append(unit);
  return static_cast<double>(fnv1a_32(std::to_string(fnv1a_32(text))) % 10000) / 10000.0;
}

}  // namespace tandem::experiments

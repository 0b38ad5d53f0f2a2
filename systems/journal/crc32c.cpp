#include "systems/journal/crc32c.hpp"

#include <array>
#include <cstring>

namespace tandem::journal {
namespace {

// Eight bytes at a time (Kounavis and Berry, "A Systematic Approach to Building High Performance
// Software-based CRC Generators", ISCC 2005): table k holds what a byte does k bytes further on.
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr Tables tables = make_tables();

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before) {
  std::uint32_t crc = ~before;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::array<std::uint8_t, 8> eight;
    std::memcpy(eight.data(), at, 8);
    for (std::size_t k = 0; k < 4; ++k) {
      eight[k] = static_cast<std::uint8_t>(eight[k] ^ (crc >> (8 * k)));
    }
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= tables[7 - k][eight[k]];
  }
  for (; left > 0; --left, ++at) {
    crc = (crc >> 8) ^ tables[0][(crc ^ static_cast<std::uint32_t>(*at)) & 0xFF];
  }
  return ~crc;
}

}  // namespace tandem::journal

#include "tandem/core/visible.hpp"

#include <cstdint>
#include <cstdio>

namespace tandem {
namespace {

// The length of the character at the start, 1 to 4 bytes, and its code point; 0 where the bytes are
// not UTF-8.
struct Character {
  std::size_t bytes = 0;
  std::uint32_t code = 0;
};
Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {1, first};
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < bytes) return {};
  std::uint32_t code = first & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3FU);
  }
  const bool shorter = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code < 0xE000;
  return shorter || surrogate || code > 0x10FFFF ? Character{} : Character{bytes, code};
}

// C1 controls, line and paragraph separators, and what overrides or isolates a direction (Unicode
// Standard Annex 9).
bool is_obeyed(std::uint32_t code) {
  return (code >= 0x80 && code < 0xA0) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069) || code == 0x200E || code == 0x200F || code == 0x061C;
}

}  // namespace

std::string visible(std::string_view text, std::string_view kept) {
  std::string result;
  result.reserve(text.size());
  char escaped[16];
  while (!text.empty()) {
    const Character at = first_character(text);
    const std::size_t bytes = at.bytes == 0 ? 1 : at.bytes;
    const auto byte = static_cast<unsigned char>(text.front());
    if (at.bytes == 0 ||
        ((byte < 0x20 || byte == 0x7F) && kept.find(text.front()) == std::string_view::npos)) {
      std::snprintf(escaped, sizeof escaped, "\\x%02x", byte);
      result += escaped;
    } else if (is_obeyed(at.code)) {
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(at.code));
      result += escaped;
    } else {
      result += text.substr(0, bytes);
    }
    text.remove_prefix(bytes);
  }
  return result;
}

}  // namespace tandem

// Words, blanks and signs at the ends of a field's text, which its possible values share.
#pragma once

#include <algorithm>
#include <string_view>

#include "core/data/number.hpp"

namespace tandem::field_text {

using number_detail::is_digit;

inline bool starts(std::string_view text, std::string_view with) {
  return text.substr(0, with.size()) == with;
}
inline bool ends(std::string_view text, std::string_view with) {
  return text.size() >= with.size() && text.substr(text.size() - with.size()) == with;
}

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Whether the text is this word of small letters, capitals taken for small ones: those of ASCII and
// of Latin 1 (U+00C0 to U+00DE, but for the multiplication sign).
inline bool same_word(std::string_view text, std::string_view word) {
  if (text.size() != word.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = lower(text[i]);
    const auto byte = static_cast<unsigned char>(c);
    const bool accented = i > 0 && text[i - 1] == '\xC3';
    if (accented && byte >= 0x80 && byte <= 0x9E && byte != 0x97) c = static_cast<char>(byte + 32);
    if (c != word[i]) return false;
  }
  return true;
}

// The bytes of the blank at the beginning of the text, 0 where there is none.
inline std::size_t blank_at(std::string_view text) {
  if (text.empty()) return 0;
  if (text.front() == ' ' || text.front() == '\t') return 1;
  if (static_cast<unsigned char>(text.front()) < 0x80) return 0;
  if (starts(text, "\xC2\xA0")) return 2;  // no-break space
  // U+2000 .. U+200B (thin, figure, zero width and the like), U+202F (narrow no-break), U+3000.
  if (text.size() >= 3 && starts(text, "\xE2\x80")) {
    const auto last = static_cast<unsigned char>(text[2]);
    if ((last >= 0x80 && last <= 0x8B) || last == 0xAF) return 3;
  }
  return starts(text, "\xE3\x80\x80") || starts(text, "\xEF\xBB\xBF") ? 3 : 0;
}

// Minus signs and dashes that stand for one.
inline std::size_t minus_at(std::string_view text) {
  if (starts(text, "-")) return 1;
  for (const std::string_view sign : {"\xE2\x88\x92", "\xE2\x80\x93", "\xEF\xBC\x8D"}) {
    if (starts(text, sign)) return sign.size();
  }
  return 0;
}

}  // namespace tandem::field_text

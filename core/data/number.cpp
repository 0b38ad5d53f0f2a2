#include "core/data/number.hpp"

#include <array>
#include <string>

namespace tandem {
namespace {

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_word(std::string_view text, std::string_view word) {
  if (text.size() != word.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] | 0x20) != word[i]) return false;
  }
  return true;
}

}  // namespace

template <Real T>
bool parse_whole_number(std::string_view text, T& value) {
  text = without_blanks(text);
  if (text.empty()) return false;
  std::string_view word = text;
  if (word.front() == '-' || word.front() == '+') word.remove_prefix(1);
  if (is_word(word, "inf") || is_word(word, "infinity")) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    value = text.front() == '-' ? -infinity : infinity;
    return true;
  }
  if (is_word(word, "nan")) {
    value = std::numeric_limits<T>::quiet_NaN();
    return true;
  }
  // parse_number wants bytes after the end.
  constexpr std::size_t padding = 9;
  std::array<char, 128> few{};
  std::string many;
  const char* begin = few.data();
  if (text.size() + padding <= few.size()) {
    std::memcpy(few.data(), text.data(), text.size());
  } else {
    many.assign(text);
    many.append(padding, '\0');
    begin = many.data();
  }
  return parse_number(begin, value) == begin + text.size();
}

template bool parse_whole_number(std::string_view, float&);
template bool parse_whole_number(std::string_view, double&);

}  // namespace tandem

#include "tandem/core/names.hpp"

#include <algorithm>

#include "tandem/core/error.hpp"
#include "tandem/core/options.hpp"

namespace tandem {

bool same_name(std::string_view a, std::string_view b) noexcept {
  const auto plain = [](char c) { return c == '_' ? '-' : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return plain(x) == plain(y); });
}

std::size_t find_name(std::string_view what, std::string_view text,
                      std::span<const std::string_view> names) {
  std::string accepted;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (same_name(names[i], text)) return i;
    accepted += (accepted.empty() ? "" : ", ") + std::string(names[i]);
  }
  const std::string meant = nearest_name(text, {names.begin(), names.end()});
  throw InputError("unknown " + std::string(what) + " '" + std::string(text) +
                   "': expected one of " + accepted +
                   (meant.empty() ? "" : "; did you mean " + meant + "?"));
}

}  // namespace tandem

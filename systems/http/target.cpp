#include "systems/http/target.hpp"

#include <algorithm>
#include <string>

namespace tandem::http {

bool is_authority(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_hex = [&](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  const auto is_of_name = [&](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~!$&'()*+,;=").find(c) != std::string_view::npos;
  };
  std::size_t at = 0;
  if (text.starts_with('[')) {  // an address of IPv6, or of a later version
    const auto end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (const char c : text.substr(1, end - 1)) {
      if (!is_of_name(c) && c != ':') return false;
    }
    at = end + 1;
  } else {
    for (; at < text.size() && text[at] != ':'; ++at) {
      if (text[at] == '%') {
        if (at + 2 >= text.size() || !is_hex(text[at + 1]) || !is_hex(text[at + 2])) return false;
        at += 2;
      } else if (!is_of_name(text[at])) {
        return false;
      }
    }
    if (at == 0) return false;
  }
  if (at == text.size()) return true;
  return text[at] == ':' &&
         std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at) + 1, text.end(), is_digit);
}

bool split_request_target(std::string_view target, Request& request) {
  const auto colon = target.find("://");
  if (target.starts_with('/') || colon == std::string_view::npos) {
    return split_target(target, request);
  }
  std::string scheme(target.substr(0, colon));
  for (char& c : scheme) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (scheme != "http" && scheme != "https") return false;
  const std::string_view rest = target.substr(colon + 3);
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  if (!is_authority(rest.substr(0, end))) return false;
  // An empty path is "/".
  std::string path(rest.substr(end));
  if (!path.starts_with('/')) path.insert(0, 1, '/');
  return split_target(path, request);
}

}  // namespace tandem::http

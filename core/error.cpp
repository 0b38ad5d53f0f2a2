#include "tandem/core/error.hpp"

namespace tandem {
namespace {

// Two control characters that no message has otherwise.
constexpr char mark_begin = '\x0e';
constexpr char mark_end = '\x0f';

std::string replace_marks(const std::string& message,
                          const std::function<std::string(std::string_view)>& spell) {
  std::string text;
  std::size_t at = 0;
  for (;;) {
    const auto begin = message.find(mark_begin, at);
    const auto end = begin == std::string::npos ? begin : message.find(mark_end, begin);
    if (end == std::string::npos) return text += message.substr(at);
    text += message.substr(at, begin - at);
    text += spell(std::string_view(message).substr(begin + 1, end - begin - 1));
    at = end + 1;
  }
}

std::string plain(const std::string& message) {
  return replace_marks(message, [](std::string_view name) { return std::string(name); });
}

}  // namespace

std::string option(std::string_view name) { return mark_begin + std::string(name) + mark_end; }

Error::Error(const std::string& message)
    : std::runtime_error(plain(message)), marked_(std::make_shared<const std::string>(message)) {}

std::string Error::spelled(const std::function<std::string(std::string_view)>& spell) const {
  return replace_marks(*marked_, spell);
}

}  // namespace tandem

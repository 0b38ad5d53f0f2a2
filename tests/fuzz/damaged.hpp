// Shared by the fuzz targets of compressions whose streams carry a checksum: a damaged stream is an
// error, and never other text than what was compressed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "read_input.hpp"

namespace tandem::fuzz {

// What comes out, through a window of a fixed size; none where the stream is refused.
inline std::optional<std::string> decompressed(const std::vector<std::uint8_t>& bytes) {
  constexpr std::size_t most = std::size_t{1} << 24;
  std::string all;
  try {
    const auto source = Input::memory("input", bytes).open();
    std::string window(1 << 14, '\0');
    while (all.size() < most) {
      const std::size_t got = source->read(window.data(), window.size());
      if (got == 0) break;
      all.append(window, 0, got);
    }
  } catch (const InputError&) {
    return std::nullopt;
  }
  return all;
}

// The bytes as a stream that somebody made; then as text that `compress` makes a stream of, of
// which the first bytes change some.
template <class Compress>
void check_stream(const std::uint8_t* bytes, std::size_t size, const Compress& compress) {
  log::set_level(log::Level::off);
  (void)decompressed({bytes, bytes + size});
  read(bytes, size, options_for("auto"));
  if (size < 4) return;
  const std::vector<std::uint8_t> text(bytes + 4, bytes + size);
  std::vector<std::uint8_t> stream = compress(text);
  require(decompressed(stream) == std::string(text.begin(), text.end()));
  const std::vector<std::uint8_t> whole = stream;
  stream[(bytes[0] | std::size_t{bytes[1]} << 8) % stream.size()] ^= bytes[2];
  if ((bytes[3] & 1) != 0)
    stream.resize(stream.size() - std::min<std::size_t>(bytes[3], stream.size()));
  // The beginning makes it this compression: without it, it is other text.
  if (stream.size() < 6 || !std::equal(stream.begin(), stream.begin() + 6, whole.begin())) return;
  const std::optional<std::string> came = decompressed(stream);
  require(!came || *came == std::string(text.begin(), text.end()));
}

}  // namespace tandem::fuzz

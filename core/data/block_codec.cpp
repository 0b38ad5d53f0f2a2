#include "core/data/block_codec.hpp"

#include <lz4.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <new>

#include "core/memory.hpp"

namespace tandem {
namespace {

bool decompress_snappy(std::span<const std::uint8_t> from, std::span<std::uint8_t> to) {
  const auto* const bytes = reinterpret_cast<const char*>(from.data());
  std::size_t size = 0;
  if (snappy_uncompressed_length(bytes, from.size(), &size) != SNAPPY_OK || size != to.size()) {
    return false;
  }
  return snappy_uncompress(bytes, from.size(), reinterpret_cast<char*>(to.data()), &size) ==
             SNAPPY_OK &&
         size == to.size();
}

// All members of a gzip stream; zlib's own header is accepted too.
bool decompress_gzip(std::span<const std::uint8_t> from, std::span<std::uint8_t> to) {
  constexpr std::size_t most = std::numeric_limits<uInt>::max();
  if (from.size() > most || to.size() > most) return false;
  z_stream stream{};
  constexpr int either_header = 32;
  if (inflateInit2(&stream, MAX_WBITS + either_header) != Z_OK) throw std::bad_alloc();
  const std::unique_ptr<z_stream, int (*)(z_stream*)> ended(&stream, inflateEnd);
  stream.next_in = const_cast<Bytef*>(from.data());  // NOLINT: zlib takes no const
  stream.avail_in = static_cast<uInt>(from.size());
  stream.next_out = to.data();
  stream.avail_out = static_cast<uInt>(to.size());
  for (;;) {
    const int status = inflate(&stream, Z_FINISH);
    if (status != Z_STREAM_END) return false;
    if (stream.avail_in == 0) return stream.avail_out == 0;
    if (inflateReset(&stream) != Z_OK) return false;
  }
}

bool decompress_lz4_frame(std::span<const std::uint8_t> from, std::span<std::uint8_t> to) {
  LZ4F_dctx* made = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION)) != 0) {
    throw std::bad_alloc();
  }
  const std::unique_ptr<LZ4F_dctx, LZ4F_errorCode_t (*)(LZ4F_dctx*)> context(
      made, LZ4F_freeDecompressionContext);
  std::size_t read = 0;
  std::size_t written = 0;
  std::size_t status = 1;
  // What has been decompressed stays where it is, so that no copy of it is kept to refer to.
  LZ4F_decompressOptions_t options{};
  options.stableDst = 1;
  while (read < from.size()) {
    std::size_t in = from.size() - read;
    std::size_t out = to.size() - written;
    status = LZ4F_decompress(context.get(), to.data() + written, &out, from.data() + read, &in,
                             &options);
    if (LZ4F_isError(status) != 0 || (in == 0 && out == 0)) return false;
    read += in;
    written += out;
    if (status == 0) break;
  }
  return status == 0 && written == to.size();
}

}  // namespace

Index largest_block(BlockCodec codec, Index stored) noexcept {
  switch (codec) {
    case BlockCodec::none: return stored;
    case BlockCodec::snappy: return saturating_product(stored, 22);
    case BlockCodec::gzip: return saturating_product(stored, 1032);
    case BlockCodec::zstd: return saturating_product(stored, 32768);
    case BlockCodec::lz4_block:
    case BlockCodec::lz4_frame: return saturating_product(stored, 255);
  }
  return stored;
}

bool decompress_block(BlockCodec codec, std::span<const std::uint8_t> from,
                      std::span<std::uint8_t> to) {
  constexpr std::size_t most_lz4 = LZ4_MAX_INPUT_SIZE;
  switch (codec) {
    case BlockCodec::none:
      if (from.size() != to.size()) return false;
      if (!to.empty()) std::memcpy(to.data(), from.data(), to.size());
      return true;
    case BlockCodec::snappy: return decompress_snappy(from, to);
    case BlockCodec::gzip: return decompress_gzip(from, to);
    case BlockCodec::zstd:
      return ZSTD_decompress(to.data(), to.size(), from.data(), from.size()) == to.size();
    case BlockCodec::lz4_block:
      if (from.size() > most_lz4 || to.size() > most_lz4) return false;
      return LZ4_decompress_safe(reinterpret_cast<const char*>(from.data()),
                                 reinterpret_cast<char*>(to.data()), static_cast<int>(from.size()),
                                 static_cast<int>(to.size())) == static_cast<int>(to.size());
    case BlockCodec::lz4_frame: return decompress_lz4_frame(from, to);
  }
  return false;
}

}  // namespace tandem

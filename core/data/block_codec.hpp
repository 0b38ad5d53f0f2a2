// Compressed blocks whose decompressed size is written beside them: pages of Parquet files and
// buffers of Arrow files.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "tandem/core/types.hpp"

namespace tandem {

enum class BlockCodec { none, snappy, gzip, zstd, lz4_block, lz4_frame };

// No more bytes than this come out of `stored` bytes, whatever stands in them, so that a size which
// a file claims can be refused before memory is taken for it. Per stored byte: none 1; snappy 22 (a
// copy of 64 bytes takes 3); lz4 255 (a byte of length); gzip 1032 (deflate); zstd 32,768 (a block
// of 128 KiB takes 4).
[[nodiscard]] Index largest_block(BlockCodec codec, Index stored) noexcept;

// Fills `to` exactly. False where the bytes are damaged, or are a block of another size.
[[nodiscard]] bool decompress_block(BlockCodec codec, std::span<const std::uint8_t> from,
                                    std::span<std::uint8_t> to);

}  // namespace tandem

#include "core/data/parquet_pages.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "core/data/block_codec.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"

namespace tandem::parquet {
namespace {

constexpr std::size_t window_bytes = std::size_t{1} << 18;
constexpr std::size_t longest_header = std::size_t{16} << 20;

BlockCodec block_codec(Codec codec) {
  switch (codec) {
    case Codec::snappy: return BlockCodec::snappy;
    case Codec::gzip: return BlockCodec::gzip;
    case Codec::zstd: return BlockCodec::zstd;
    case Codec::lz4_raw: return BlockCodec::lz4_block;
    case Codec::none:
    case Codec::lzo:
    case Codec::brotli:
    case Codec::lz4: break;
  }
  return BlockCodec::none;
}

}  // namespace

PageReader::PageReader(const Input& input, const ColumnChunk& chunk, const std::string& where,
                       bool optional, const MemoryBudget& budget, BufferPool& pool)
    : input_(input),
      where_(where),
      optional_(optional),
      budget_(budget),
      codec_(chunk.codec),
      offset_(chunk.data_offset),
      left_(chunk.stored),
      window_(pool),
      page_(pool) {
  if (chunk.dictionary_offset > 0) offset_ = std::min(offset_, chunk.dictionary_offset);
  const Index size = input.whole_size();
  if (offset_ > size || left_ > size - offset_) {
    damaged("its pages lie behind the end of the file");
  }
}

void PageReader::damaged(const std::string& what) const {
  throw InputError(where_ + ": " + (pages_ > 0 ? "page " + std::to_string(pages_) + ": " : "") +
                   what + "; the file is damaged");
}

void PageReader::fill(std::size_t count) {
  const std::size_t have = end_ - begin_;
  if (have >= count || left_ == 0) return;
  if (have > 0) std::memmove(window_->data(), window_->data() + begin_, have);
  begin_ = 0;
  end_ = have;
  const auto left = static_cast<std::size_t>(left_);
  const std::size_t more = std::min(left, std::max(count, window_bytes) - have);
  if (window_->size() < have + more) window_->resize(have + more, have);
  input_.read_at(offset_, reinterpret_cast<char*>(window_->data()) + have, more);
  end_ += more;
  offset_ += static_cast<Index>(more);
  left_ -= static_cast<Index>(more);
}

bool PageReader::next(Page& page) {
  fill(1);
  if (begin_ == end_) return false;
  ++pages_;
  std::size_t size = 0;
  for (std::size_t tried = std::size_t{1} << 14;; tried *= 4) {
    fill(tried);
    const auto header = parse_page_header(window(), size, where_);
    if (header) {
      page.header = *header;
      break;
    }
    if (left_ == 0 || tried > longest_header) damaged("its header ends in the middle");
  }
  begin_ += size;
  const Index stored = page.header.stored;
  if (stored > static_cast<Index>(end_ - begin_) + left_) {
    damaged("it claims " + std::to_string(stored) + " bytes, which is more than its column has");
  }
  fill(static_cast<std::size_t>(stored));
  const Bytes bytes = window().first(static_cast<std::size_t>(stored));
  begin_ += static_cast<std::size_t>(stored);
  if (page.header.crc) {
    const auto crc = static_cast<std::uint32_t>(
        ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
    if (crc != *page.header.crc) damaged("its checksum is wrong");
  }
  page.levels = {};
  page.values = bytes;
  page.packed_levels = false;
  switch (page.header.kind) {
    case PageKind::data: cut(page); break;
    case PageKind::dictionary: page.values = decompressed(bytes, page.header.size); break;
    case PageKind::data_v2: {
      // The levels stand before the compressed values.
      const Index levels = page.header.repetition_bytes + page.header.level_bytes;
      if (page.header.repetition_bytes != 0) damaged("it has levels of repetition, for no lists");
      if (levels > stored || levels > page.header.size) {
        damaged("its levels are longer than the page");
      }
      page.levels = bytes.first(static_cast<std::size_t>(levels));
      page.values = bytes.subspan(static_cast<std::size_t>(levels));
      if (page.header.compressed) {
        page.values = decompressed(page.values, page.header.size - levels);
      }
      break;
    }
    case PageKind::index:
    case PageKind::unknown: break;
  }
  return true;
}

// Version 1: levels and values are compressed together.
void PageReader::cut(Page& page) {
  page.values = decompressed(page.values, page.header.size);
  if (!optional_) return;
  Bytes& values = page.values;
  const auto written = static_cast<Encoding>(page.header.level_encoding);
  if (written == Encoding::bit_packed) {
    const auto size = static_cast<std::size_t>((page.header.values + 7) / 8);
    if (size > values.size()) damaged("its levels are longer than the page");
    page.packed_levels = true;
    page.levels = values.first(size);
    values = values.subspan(size);
    return;
  }
  if (written != Encoding::rle) damaged("its levels have no known encoding");
  if (values.size() < 4) damaged("its levels are missing");
  std::size_t size = 0;
  for (std::size_t i = 4; i-- > 0;) size = size << 8 | values[i];
  values = values.subspan(4);
  if (size > values.size()) damaged("its levels are longer than the page");
  page.levels = values.first(size);
  values = values.subspan(size);
}

Bytes PageReader::decompressed(Bytes stored, Index size) {
  const BlockCodec codec = block_codec(codec_);
  if (codec == BlockCodec::none) {
    if (size != static_cast<Index>(stored.size())) damaged("it claims two sizes");
    return stored;
  }
  if (size == 0) return {};
  if (size > largest_block(codec, static_cast<Index>(stored.size()))) {
    damaged("it claims " + std::to_string(size) + " bytes made of " +
            std::to_string(stored.size()) + ", more than " + name_of(codec_) + " can");
  }
  budget_.require(size, "a page");
  const auto wanted = static_cast<std::size_t>(size);
  page_->resize(wanted);
  const std::span<std::uint8_t> to = page_->bytes();
  if (!decompress_block(codec, stored, to)) damaged("its " + name_of(codec_) + " data is damaged");
  return to;
}

}  // namespace tandem::parquet

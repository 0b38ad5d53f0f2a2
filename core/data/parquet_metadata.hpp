// What a Parquet file says of itself: its footer and the headers of its pages, which are structs in
// Thrift's compact protocol (github.com/apache/parquet-format, parquet.thrift;
// github.com/apache/thrift, doc/specs/thrift-compact-protocol.md).
//
// Only the fields that reading needs are kept; others are passed over. All bytes may be anything:
// what a reader claims is compared with the bytes that are left before anything is taken for it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tandem/core/types.hpp"

namespace tandem::parquet {

enum class Physical : std::uint8_t { boolean, int32, int64, int96, float32, float64, bytes, fixed };
enum class Repetition : std::uint8_t { required, optional, repeated };
enum class Codec : std::uint8_t { none, snappy, gzip, lzo, brotli, lz4, zstd, lz4_raw };
enum class Encoding : std::uint8_t {
  plain = 0,
  plain_dictionary = 2,
  rle = 3,
  bit_packed = 4,
  delta_binary = 5,
  delta_length = 6,
  delta_bytes = 7,
  rle_dictionary = 8,
  byte_stream_split = 9
};
[[nodiscard]] std::string name_of(Codec codec);
[[nodiscard]] std::string name_of(Encoding encoding);

// The meaning of a column's values beyond their physical type.
enum class Logical : std::uint8_t {
  none,
  text,  // STRING, ENUM, JSON
  decimal,
  date,
  time,
  timestamp,
  integer,
  null,
  uuid,
  half,
  other  // named in SchemaElement::other
};
enum class TimeUnit : std::uint8_t { milli, micro, nano };

struct SchemaElement {
  std::string name;
  std::optional<Physical> physical;  // none: a group
  std::int32_t type_length = 0;      // of Physical::fixed
  Repetition repetition = Repetition::required;
  std::int32_t children = 0;
  Logical logical = Logical::none;
  std::string other;  // Logical::other: what it is
  std::int32_t scale = 0;
  TimeUnit unit = TimeUnit::milli;
  bool is_signed = true;
};

struct ColumnChunk {
  bool other_file = false;
  bool encrypted = false;
  Physical physical = Physical::boolean;
  Codec codec = Codec::none;
  Index values = 0;
  Index stored = 0;  // bytes of all pages with their headers
  Index data_offset = 0;
  Index dictionary_offset = 0;  // 0: none
};

struct RowGroup {
  Index rows = 0;
  std::vector<ColumnChunk> columns;
};

struct FileMetadata {
  std::vector<SchemaElement> schema;  // the root, and the elements below it depth first
  std::vector<RowGroup> row_groups;
  bool encrypted = false;
  std::string pandas;        // its description of the table, JSON; empty: none
  std::string arrow_schema;  // a message of Arrow's in base64; empty: none
};

enum class PageKind : std::uint8_t { data, index, dictionary, data_v2, unknown };
struct PageHeader {
  PageKind kind = PageKind::unknown;
  Index stored = 0;  // bytes of the page behind its header
  Index size = 0;    // the same, decompressed
  std::optional<std::uint32_t> crc;
  Index values = 0;
  int encoding = 0;  // as written; an Encoding where it is one
  int level_encoding = 0;
  // data_v2
  Index nulls = 0;
  Index level_bytes = 0;
  Index repetition_bytes = 0;
  bool compressed = true;
};

// Throws InputError, "FILE: is damaged: ...".
[[nodiscard]] FileMetadata parse_file_metadata(std::span<const std::uint8_t> bytes,
                                               const std::string& file);
// The header at the beginning of the bytes, and in `size` its length; none where the bytes end
// inside it. Throws InputError that begins with `where`.
[[nodiscard]] std::optional<PageHeader> parse_page_header(std::span<const std::uint8_t> bytes,
                                                          std::size_t& size,
                                                          const std::string& where);

}  // namespace tandem::parquet

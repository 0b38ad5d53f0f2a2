#include "core/data/parquet_metadata.hpp"

#include <array>
#include <limits>
#include <string_view>

#include "tandem/core/error.hpp"

namespace tandem::parquet {
namespace {

// Reads past the end and damage, told apart by whoever asks for a header of unknown length.
struct Ended {};
struct Damaged {
  const char* what;
};

enum class Wire : std::uint8_t {
  stop = 0,
  yes = 1,
  no = 2,
  byte = 3,
  i16 = 4,
  i32 = 5,
  i64 = 6,
  real = 7,
  binary = 8,
  list = 9,
  set = 10,
  map = 11,
  structure = 12,
  uuid = 13
};

class CompactReader {
 public:
  explicit CompactReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t position() const noexcept { return at_; }

  std::uint8_t byte() {
    if (at_ >= bytes_.size()) throw Ended{};
    return bytes_[at_++];
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      value |= static_cast<std::uint64_t>(next & 0x7FU) << shift;
      if ((next & 0x80U) == 0) return value;
    }
    throw Damaged{"a number has too many bytes"};
  }
  std::int64_t integer() {
    const std::uint64_t raw = varint();
    return static_cast<std::int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
  }
  std::int32_t int32() {
    const std::int64_t value = integer();
    if (value < std::numeric_limits<std::int32_t>::min() ||
        value > std::numeric_limits<std::int32_t>::max()) {
      throw Damaged{"a number is out of range"};
    }
    return static_cast<std::int32_t>(value);
  }
  std::string text() {
    const std::uint64_t size = varint();
    if (size > bytes_.size() - at_) throw Ended{};
    std::string value(reinterpret_cast<const char*>(bytes_.data()) + at_, size);
    at_ += size;
    return value;
  }
  // The number of elements, each of which takes at least a byte.
  std::size_t list(Wire& element) {
    const std::uint8_t head = byte();
    element = static_cast<Wire>(head & 0x0FU);
    std::uint64_t size = head >> 4;
    if (size == 15) size = varint();
    if (size > bytes_.size() - at_) throw Ended{};
    return static_cast<std::size_t>(size);
  }

  // Calls field(number, wire) for each field of a struct; it reads the value, or returns false and
  // leaves it to be passed over.
  template <class Field>
  void structure(Field&& field) {
    if (++depth_ > most_depth) throw Damaged{"its structs are nested too deeply"};
    std::int32_t number = 0;
    for (;;) {
      const std::uint8_t head = byte();
      const auto wire = static_cast<Wire>(head & 0x0FU);
      if (wire == Wire::stop) break;
      const int distance = head >> 4;
      number = distance > 0 ? number + distance : int32();
      if (number < 0 || number > 32767) throw Damaged{"a field has no such number"};
      if (!field(number, wire)) skip(wire);
    }
    --depth_;
  }
  // A list of structs.
  template <class Element>
  void structures(Wire wire, Element&& element) {
    expect(wire, Wire::list);
    Wire of{};
    const std::size_t count = list(of);
    if (count > 0) expect(of, Wire::structure);
    for (std::size_t i = 0; i < count; ++i) element();
  }
  static void expect(Wire wire, Wire wanted) {
    if (wire != wanted) throw Damaged{"a field has another type than it should"};
  }
  static bool boolean(Wire wire) {
    if (wire != Wire::yes && wire != Wire::no) throw Damaged{"a truth value is none"};
    return wire == Wire::yes;
  }

  void skip(Wire wire) {
    switch (wire) {
      case Wire::yes:
      case Wire::no: return;
      case Wire::byte: (void)byte(); return;
      case Wire::i16:
      case Wire::i32:
      case Wire::i64: (void)varint(); return;
      case Wire::real: pass(8); return;
      case Wire::uuid: pass(16); return;
      case Wire::binary: {
        const std::uint64_t size = varint();
        pass(size);
        return;
      }
      case Wire::list:
      case Wire::set: {
        Wire element{};
        const std::size_t count = list(element);
        for (std::size_t i = 0; i < count; ++i) skip_element(element);
        return;
      }
      case Wire::map: {
        const std::uint64_t count = varint();
        if (count == 0) return;
        if (count > bytes_.size() - at_) throw Ended{};
        const std::uint8_t kinds = byte();
        for (std::uint64_t i = 0; i < count; ++i) {
          skip_element(static_cast<Wire>(kinds >> 4));
          skip_element(static_cast<Wire>(kinds & 0x0FU));
        }
        return;
      }
      case Wire::structure: structure([](std::int32_t, Wire) { return false; }); return;
      case Wire::stop: break;
    }
    throw Damaged{"a field has no such type"};
  }

 private:
  static constexpr int most_depth = 32;

  void pass(std::uint64_t count) {
    if (count > bytes_.size() - at_) throw Ended{};
    at_ += static_cast<std::size_t>(count);
  }
  // Truth values in lists take a byte.
  void skip_element(Wire wire) {
    if (wire == Wire::yes || wire == Wire::no) {
      (void)byte();
      return;
    }
    if (++depth_ > most_depth) throw Damaged{"its lists are nested too deeply"};
    skip(wire);
    --depth_;
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

template <class Enum>
Enum enumeration(std::int32_t value, Enum last, const char* mistake) {
  if (value < 0 || value > static_cast<std::int32_t>(last)) throw Damaged{mistake};
  return static_cast<Enum>(value);
}

Index size_of(std::int64_t value) {
  if (value < 0) throw Damaged{"a size is negative"};
  return value;
}

// LogicalType's TimeType and TimestampType.
void read_time(CompactReader& in, SchemaElement& element) {
  in.structure([&](std::int32_t number, Wire wire) {
    if (number != 2) return false;
    CompactReader::expect(wire, Wire::structure);
    in.structure([&](std::int32_t unit, Wire) {
      element.unit = enumeration(unit - 1, TimeUnit::nano, "a unit of time is none");
      return false;
    });
    return true;
  });
}

void read_logical(CompactReader& in, SchemaElement& element) {
  element.logical = Logical::other;
  element.other = "of a logical type that is newer than this program";
  const auto other = [&](const char* what) {
    element.logical = Logical::other;
    element.other = what;
  };
  in.structure([&](std::int32_t number, Wire wire) {
    CompactReader::expect(wire, Wire::structure);
    switch (number) {
      case 1:   // STRING
      case 4:   // ENUM
      case 12:  // JSON
        element.logical = Logical::text;
        break;
      case 2: other("a map"); break;
      case 3: other("a list"); break;
      case 5:
        element.logical = Logical::decimal;
        in.structure([&](std::int32_t field, Wire) {
          if (field != 1) return false;
          element.scale = in.int32();
          return true;
        });
        return true;
      case 6: element.logical = Logical::date; break;
      case 7:
      case 8:
        element.logical = number == 7 ? Logical::time : Logical::timestamp;
        read_time(in, element);
        return true;
      case 10:
        element.logical = Logical::integer;
        in.structure([&](std::int32_t field, Wire of) {
          if (field != 2) return false;
          element.is_signed = CompactReader::boolean(of);
          return true;
        });
        return true;
      case 11: element.logical = Logical::null; break;
      case 13: other("BSON"); break;
      case 14: element.logical = Logical::uuid; break;
      case 15: element.logical = Logical::half; break;
      case 16: other("a variant"); break;
      case 17:
      case 18: other("a shape on a map"); break;
      default: break;
    }
    return false;
  });
}

// The older notation of the same.
void take_converted(std::int32_t converted, SchemaElement& element) {
  const auto timed = [&](Logical logical, TimeUnit unit) {
    element.logical = logical;
    element.unit = unit;
  };
  switch (converted) {
    case 0:   // UTF8
    case 4:   // ENUM
    case 19:  // JSON
      element.logical = Logical::text;
      break;
    case 5: element.logical = Logical::decimal; break;
    case 6: element.logical = Logical::date; break;
    case 7: timed(Logical::time, TimeUnit::milli); break;
    case 8: timed(Logical::time, TimeUnit::micro); break;
    case 9: timed(Logical::timestamp, TimeUnit::milli); break;
    case 10: timed(Logical::timestamp, TimeUnit::micro); break;
    case 11:
    case 12:
    case 13:
    case 14:
      element.logical = Logical::integer;
      element.is_signed = false;
      break;
    case 15:
    case 16:
    case 17:
    case 18: element.logical = Logical::integer; break;
    case 20:
      element.logical = Logical::other;
      element.other = "BSON";
      break;
    case 21:
      element.logical = Logical::other;
      element.other = "an interval of months, days and milliseconds";
      break;
    default: break;  // lists and maps are groups
  }
}

SchemaElement read_schema_element(CompactReader& in) {
  SchemaElement element;
  std::int32_t converted = -1;
  std::optional<std::int32_t> scale;
  bool named = false;
  in.structure([&](std::int32_t number, Wire wire) {
    switch (number) {
      case 1:
        element.physical = enumeration(in.int32(), Physical::fixed, "a column has no known type");
        return true;
      case 2: element.type_length = in.int32(); return true;
      case 3:
        element.repetition = enumeration(in.int32(), Repetition::repeated,
                                         "a column is neither required, optional nor repeated");
        return true;
      case 4:
        CompactReader::expect(wire, Wire::binary);
        element.name = in.text();
        named = true;
        return true;
      case 5: element.children = in.int32(); return true;
      case 6: converted = in.int32(); return true;
      case 7: scale = in.int32(); return true;
      case 10:
        CompactReader::expect(wire, Wire::structure);
        read_logical(in, element);
        return true;
      default: return false;
    }
  });
  if (!named) throw Damaged{"a column has no name"};
  if (element.children < 0) throw Damaged{"a group has a negative number of columns"};
  // A column that has both notations means the newer one.
  if (element.logical == Logical::none && converted >= 0) take_converted(converted, element);
  if (scale && element.logical == Logical::decimal) element.scale = *scale;
  return element;
}

void read_column_metadata(CompactReader& in, ColumnChunk& chunk) {
  unsigned seen = 0;
  in.structure([&](std::int32_t number, Wire) {
    switch (number) {
      case 1:
        chunk.physical = enumeration(in.int32(), Physical::fixed, "a column has no known type");
        break;
      case 4:
        chunk.codec = enumeration(in.int32(), Codec::lz4_raw, "a column has no known compression");
        break;
      case 5: chunk.values = size_of(in.integer()); break;
      case 7: chunk.stored = size_of(in.integer()); break;
      case 9: chunk.data_offset = size_of(in.integer()); break;
      case 11: chunk.dictionary_offset = size_of(in.integer()); return true;
      default: return false;
    }
    seen |= 1U << number;
    return true;
  });
  constexpr unsigned needed = 1U << 1 | 1U << 4 | 1U << 5 | 1U << 7 | 1U << 9;
  if ((seen & needed) != needed) throw Damaged{"the description of a column is not complete"};
}

ColumnChunk read_column_chunk(CompactReader& in) {
  ColumnChunk chunk;
  bool described = false;
  in.structure([&](std::int32_t number, Wire wire) {
    switch (number) {
      case 1:
        CompactReader::expect(wire, Wire::binary);
        chunk.other_file = !in.text().empty();
        return true;
      case 3:
        CompactReader::expect(wire, Wire::structure);
        read_column_metadata(in, chunk);
        described = true;
        return true;
      case 8:
      case 9: chunk.encrypted = true; return false;
      default: return false;
    }
  });
  if (!described && !chunk.encrypted) throw Damaged{"a column is not described"};
  return chunk;
}

RowGroup read_row_group(CompactReader& in) {
  RowGroup group;
  bool counted = false;
  in.structure([&](std::int32_t number, Wire wire) {
    switch (number) {
      case 1:
        in.structures(wire, [&] { group.columns.push_back(read_column_chunk(in)); });
        return true;
      case 3:
        group.rows = size_of(in.integer());
        counted = true;
        return true;
      default: return false;
    }
  });
  if (!counted) throw Damaged{"a row group is not described"};
  return group;
}

// A key and a text, of which two tell of the columns what their types do not.
void read_remark(CompactReader& in, FileMetadata& metadata) {
  std::string key;
  std::string value;
  in.structure([&](std::int32_t number, Wire wire) {
    if (number != 1 && number != 2) return false;
    CompactReader::expect(wire, Wire::binary);
    (number == 1 ? key : value) = in.text();
    return true;
  });
  if (key == "pandas") metadata.pandas = std::move(value);
  if (key == "ARROW:schema") metadata.arrow_schema = std::move(value);
}

}  // namespace

std::string name_of(Codec codec) {
  constexpr std::array<const char*, 8> names{"none",   "snappy", "gzip", "lzo",
                                             "brotli", "lz4",    "zstd", "lz4_raw"};
  return names[static_cast<std::size_t>(codec)];
}

std::string name_of(Encoding encoding) {
  switch (encoding) {
    case Encoding::plain: return "PLAIN";
    case Encoding::plain_dictionary: return "PLAIN_DICTIONARY";
    case Encoding::rle: return "RLE";
    case Encoding::bit_packed: return "BIT_PACKED";
    case Encoding::delta_binary: return "DELTA_BINARY_PACKED";
    case Encoding::delta_length: return "DELTA_LENGTH_BYTE_ARRAY";
    case Encoding::delta_bytes: return "DELTA_BYTE_ARRAY";
    case Encoding::rle_dictionary: return "RLE_DICTIONARY";
    case Encoding::byte_stream_split: return "BYTE_STREAM_SPLIT";
  }
  return "number " + std::to_string(static_cast<int>(encoding));
}

FileMetadata parse_file_metadata(std::span<const std::uint8_t> bytes, const std::string& file) {
  CompactReader in(bytes);
  FileMetadata metadata;
  try {
    in.structure([&](std::int32_t number, Wire wire) {
      switch (number) {
        case 2:
          in.structures(wire, [&] { metadata.schema.push_back(read_schema_element(in)); });
          return true;
        case 4:
          in.structures(wire, [&] { metadata.row_groups.push_back(read_row_group(in)); });
          return true;
        case 5: in.structures(wire, [&] { read_remark(in, metadata); }); return true;
        case 8: metadata.encrypted = true; return false;
        default: return false;
      }
    });
  } catch (const Ended&) {
    throw InputError(file + ": is damaged: its footer ends in the middle");
  } catch (const Damaged& damage) {
    throw InputError(file + ": is damaged: in its footer, " + damage.what);
  }
  return metadata;
}

std::optional<PageHeader> parse_page_header(std::span<const std::uint8_t> bytes, std::size_t& size,
                                            const std::string& where) {
  CompactReader in(bytes);
  PageHeader header;
  bool described = false;
  const auto data_page = [&](std::int32_t number, Wire) {
    switch (number) {
      case 1: header.values = size_of(in.int32()); return true;
      case 2: header.encoding = in.int32(); return true;
      case 3: header.level_encoding = in.int32(); return true;
      default: return false;
    }
  };
  const auto dictionary_page = [&](std::int32_t number, Wire) {
    switch (number) {
      case 1: header.values = size_of(in.int32()); return true;
      case 2: header.encoding = in.int32(); return true;
      default: return false;
    }
  };
  const auto data_page_v2 = [&](std::int32_t number, Wire wire) {
    switch (number) {
      case 1: header.values = size_of(in.int32()); return true;
      case 2: header.nulls = size_of(in.int32()); return true;
      case 4: header.encoding = in.int32(); return true;
      case 5: header.level_bytes = size_of(in.int32()); return true;
      case 6: header.repetition_bytes = size_of(in.int32()); return true;
      case 7: header.compressed = CompactReader::boolean(wire); return true;
      default: return false;
    }
  };
  try {
    in.structure([&](std::int32_t number, Wire wire) {
      switch (number) {
        case 1: {
          const std::int32_t kind = in.int32();
          if (kind >= 0 && kind <= 3) header.kind = static_cast<PageKind>(kind);
          return true;
        }
        case 2: header.size = size_of(in.int32()); return true;
        case 3: header.stored = size_of(in.int32()); return true;
        case 4: header.crc = static_cast<std::uint32_t>(in.int32()); return true;
        case 5:
          CompactReader::expect(wire, Wire::structure);
          in.structure(data_page);
          described = described || header.kind == PageKind::data;
          return true;
        case 7:
          CompactReader::expect(wire, Wire::structure);
          in.structure(dictionary_page);
          described = described || header.kind == PageKind::dictionary;
          return true;
        case 8:
          CompactReader::expect(wire, Wire::structure);
          in.structure(data_page_v2);
          described = described || header.kind == PageKind::data_v2;
          return true;
        default: return false;
      }
    });
    const bool of_data = header.kind != PageKind::index && header.kind != PageKind::unknown;
    if (of_data && !described) throw Damaged{"its kind is not described"};
  } catch (const Ended&) {
    return std::nullopt;
  } catch (const Damaged& damage) {
    throw InputError(where + ": the header of a page is damaged: " + damage.what);
  }
  size = in.position();
  return header;
}

}  // namespace tandem::parquet

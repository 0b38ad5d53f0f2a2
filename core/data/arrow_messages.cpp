#include "core/data/arrow_messages.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "core/data/flatbuffer.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"

namespace tandem::arrow {
namespace {

using flatbuffer::Bytes;
using flatbuffer::Damaged;
using flatbuffer::Table;
using flatbuffer::Vector;

constexpr std::string_view file_mark = "ARROW1";
constexpr int most_depth = 64;
constexpr std::size_t most_fields = std::size_t{1} << 22;

// The numbers of Schema.fbs's union Type.
enum class Type : std::uint8_t {
  null = 1,
  integer,
  floating,
  binary,
  utf8,
  boolean,
  decimal,
  date,
  time,
  timestamp,
  interval,
  list,
  structure,
  unions,
  fixed_binary,
  fixed_list,
  map,
  duration,
  large_binary,
  large_utf8,
  large_list,
  run_ends,
  binary_view,
  utf8_view,
  list_view,
  large_list_view
};

char unit_of(std::int16_t unit) {
  constexpr std::string_view units = "smun";
  if (unit < 0 || unit > 3) throw Damaged{};
  return units[static_cast<std::size_t>(unit)];
}

std::string integer_format(const Table& type) {
  const auto bits = type.get<std::int32_t>(0, 0);
  const bool is_signed = type.get<std::uint8_t>(1, 0) != 0;
  switch (bits) {
    case 8: return is_signed ? "c" : "C";
    case 16: return is_signed ? "s" : "S";
    case 32: return is_signed ? "i" : "I";
    case 64: return is_signed ? "l" : "L";
    default: throw Damaged{};
  }
}

// As the C data interface writes it; "+" for nested types.
std::string format_of(Type type, const Table& details) {
  switch (type) {
    case Type::null: return "n";
    case Type::integer: return integer_format(details);
    case Type::floating: {
      const auto precision = details.get<std::int16_t>(0, 0);
      if (precision < 0 || precision > 2) throw Damaged{};
      return std::string(1, "efg"[precision]);
    }
    case Type::binary: return "z";
    case Type::utf8: return "u";
    case Type::boolean: return "b";
    case Type::decimal:
      return "d:" + std::to_string(details.get<std::int32_t>(0, 0)) + "," +
             std::to_string(details.get<std::int32_t>(1, 0)) + "," +
             std::to_string(details.get<std::int32_t>(2, 128));
    case Type::date: return details.get<std::int16_t>(0, 1) == 0 ? "tdD" : "tdm";
    case Type::time: {
      const char unit = unit_of(details.get<std::int16_t>(0, 1));
      const bool wide = details.get<std::int32_t>(1, 32) == 64;
      if (wide != (unit == 'u' || unit == 'n')) throw Damaged{};
      return std::string("tt") + unit;
    }
    case Type::timestamp: return std::string("ts") + unit_of(details.get<std::int16_t>(0, 0)) + ":";
    case Type::interval: return "tiM";
    case Type::fixed_binary: return "w:" + std::to_string(details.get<std::int32_t>(0, 0));
    case Type::duration: return std::string("tD") + unit_of(details.get<std::int16_t>(0, 1));
    case Type::large_binary: return "Z";
    case Type::large_utf8: return "U";
    case Type::binary_view: return "vz";
    case Type::utf8_view: return "vu";
    case Type::list:
    case Type::structure:
    case Type::unions:
    case Type::fixed_list:
    case Type::map:
    case Type::large_list:
    case Type::list_view:
    case Type::large_list_view: return "+";
    case Type::run_ends: return "+r";
  }
  throw Damaged{};
}

FieldLayout layout_of(Type type, const Table& details, bool old_unions) {
  switch (type) {
    case Type::null:
    case Type::run_ends: return {0, false};
    case Type::structure:
    case Type::fixed_list: return {1, false};
    case Type::unions: {
      // Types, offsets where it is dense, and in old versions a validity.
      const bool dense = details.get<std::int16_t>(0, 0) == 1;
      return {std::size_t{1} + (dense ? 1 : 0) + (old_unions ? 1 : 0), false};
    }
    case Type::binary:
    case Type::utf8:
    case Type::large_binary:
    case Type::large_utf8:
    case Type::list_view:
    case Type::large_list_view: return {3, false};
    case Type::binary_view:
    case Type::utf8_view: return {2, true};
    default: return {2, false};
  }
}

class SchemaReader {
 public:
  SchemaReader(Schema& schema, bool old_unions) : schema_(schema), old_unions_(old_unions) {}

  void read(const Table& table) {
    const Vector fields = table.vector(1, 4);
    for (std::size_t i = 0; i < fields.size(); ++i) {
      Field field;
      field.first = schema_.layouts.size();
      read_field(fields.table(i), field, 0);
      schema_.fields.push_back(std::move(field));
    }
    const Vector remarks = table.vector(2, 4);
    for (std::size_t i = 0; i < remarks.size(); ++i) {
      const Table remark = remarks.table(i);
      if (remark.text(0) == "pandas") schema_.pandas = remark.text(1);
    }
  }

 private:
  void read_field(const Table& table, Field& field, int depth) {
    if (depth > most_depth || schema_.layouts.size() >= most_fields) throw Damaged{};
    field.name = table.text(0);
    const auto type = static_cast<Type>(table.get<std::uint8_t>(2, 0));
    if (!table.has(3)) throw Damaged{};
    const Table details = table.table(3);
    field.format = format_of(type, details);
    if (table.has(4)) {
      const Table dictionary = table.table(4);
      field.dictionary = dictionary.get<std::int64_t>(0, 0);
      field.index_format = dictionary.has(1) ? integer_format(dictionary.table(1)) : "i";
      // The values, and all that they are made of, lie in the dictionary.
      schema_.layouts.push_back({2, false});
      return;
    }
    schema_.layouts.push_back(layout_of(type, details, old_unions_));
    const Vector children = table.vector(5, 4);
    for (std::size_t i = 0; i < children.size(); ++i) {
      Field below;
      read_field(children.table(i), below, depth + 1);
    }
  }

  Schema& schema_;
  bool old_unions_;
};

Index size_of(std::int64_t value) {
  if (value < 0) throw Damaged{};
  return value;
}

Batch read_batch(const Table& table, Index body, Index size) {
  Batch batch;
  batch.rows = size_of(table.get<std::int64_t>(0, 0));
  batch.body = body;
  batch.size = size;
  const Vector nodes = table.vector(1, 16);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    batch.nodes.push_back({size_of(nodes.get<std::int64_t>(i)), nodes.get<std::int64_t>(i, 8)});
  }
  const Vector buffers = table.vector(2, 16);
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const Buffer buffer{size_of(buffers.get<std::int64_t>(i)),
                        size_of(buffers.get<std::int64_t>(i, 8))};
    if (buffer.offset > size || buffer.size > size - buffer.offset) throw Damaged{};
    batch.buffers.push_back(buffer);
  }
  if (table.has(3)) {
    const Table compression = table.table(3);
    const auto codec = compression.get<std::int8_t>(0, 0);
    if (codec != 0 && codec != 1) throw Damaged{};
    batch.codec = codec == 0 ? BlockCodec::lz4_frame : BlockCodec::zstd;
  }
  const Vector variadic = table.vector(4, 8);
  for (std::size_t i = 0; i < variadic.size(); ++i) {
    batch.variadic.push_back(size_of(variadic.get<std::int64_t>(i)));
  }
  return batch;
}

class MessageReader {
 public:
  MessageReader(const Input& input, const MemoryBudget& budget) : input_(input), budget_(budget) {
    if (input.compression() != Compression::none || !input.stored()) {
      throw InputError(input.name() +
                       ": an Arrow file that is compressed once more is not read; decompress it "
                       "first");
    }
    end_ = input.whole_size();
    find_ends();
  }

  Messages read() {
    if (of_file_) {
      read_footer();
    } else {
      while (next()) {
      }
    }
    if (!has_schema_) damaged("it has no schema");
    for (RecordBatch& batch : messages_.batches) {
      // The dictionaries of a file may stand behind the batches that need them.
      if (of_file_) batch.dictionaries = in_force_;
      // What is added to a dictionary later does not change what its first codes mean, so that one
      // serves all batches up to its replacement.
      for (auto& [id, range] : batch.dictionaries) range.end = ends_.at({id, range.begin});
    }
    return std::move(messages_);
  }

 private:
  [[noreturn]] void damaged(const std::string& what) const {
    throw InputError(input_.name() + ": is damaged: " + what);
  }

  void find_ends() {
    std::array<char, 8> start{};
    if (end_ < 8) damaged("it is shorter than an Arrow file can be");
    input_.read_at(0, start.data(), start.size());
    of_file_ = std::string_view(start.data(), file_mark.size()) == file_mark;
    if (!of_file_) return;
    std::array<unsigned char, 10> tail{};
    if (end_ < 8 + 10) damaged("it is shorter than an Arrow file can be");
    input_.read_at(end_ - 10, reinterpret_cast<char*>(tail.data()), tail.size());
    if (std::memcmp(tail.data() + 4, file_mark.data(), file_mark.size()) != 0) {
      damaged("it does not end as an Arrow file does; is the file complete?");
    }
    for (int i = 4; i-- > 0;) footer_ = footer_ << 8 | tail[static_cast<std::size_t>(i)];
    if (footer_ > end_ - 18) damaged("its footer is longer than the file");
    end_ -= 10 + footer_;
  }

  // The footer repeats the schema and tells where the dictionaries and batches begin.
  void read_footer() {
    budget_.require(footer_, "its footer");
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(footer_));
    input_.read_at(end_, reinterpret_cast<char*>(bytes.data()), bytes.size());
    std::vector<Index> blocks;
    try {
      const Table footer = Table::root(Bytes(bytes));
      if (!footer.has(1)) throw Damaged{};
      take_schema(footer.table(1), footer.get<std::int16_t>(0, 0));
      for (const int field : {2, 3}) {
        const Vector list = footer.vector(field, 24);
        for (std::size_t i = 0; i < list.size(); ++i) blocks.push_back(list.get<std::int64_t>(i));
      }
    } catch (const Damaged&) {
      damaged("its footer");
    }
    for (const Index block : blocks) {
      if (block < 0 || block > end_) damaged("a batch lies behind its end");
      at_ = block;
      if (!next()) damaged("a batch is missing");
    }
  }

  std::uint32_t word() {
    std::array<unsigned char, 4> bytes{};
    input_.read_at(at_, reinterpret_cast<char*>(bytes.data()), bytes.size());
    at_ += 4;
    std::uint32_t value = 0;
    for (int i = 4; i-- > 0;) value = value << 8 | bytes[static_cast<std::size_t>(i)];
    return value;
  }

  // False at the end.
  bool next() {
    if (end_ - at_ < 4) return false;
    std::uint32_t length = word();
    // Streams before version 0.15 have no such mark.
    if (length == 0xFFFFFFFFU) {
      if (end_ - at_ < 4) cut();
      length = word();
    }
    if (length == 0) return false;
    if (static_cast<Index>(length) > end_ - at_) cut();
    // Batches do not share what describes them.
    described_ += static_cast<Index>(length);
    if (described_ > end_) damaged("its descriptions are longer than the file");
    budget_.require(length, "a description");
    metadata_.resize(length);
    input_.read_at(at_, reinterpret_cast<char*>(metadata_.data()), metadata_.size());
    at_ += static_cast<Index>(length);
    ++number_;
    try {
      take(Table::root(Bytes(metadata_)));
    } catch (const Damaged&) {
      damaged("the description of its message " + std::to_string(number_));
    }
    return true;
  }

  [[noreturn]] void cut() const {
    damaged("it ends in the middle of message " + std::to_string(number_ + 1) +
            "; is the file complete?");
  }

  void take_schema(const Table& schema, std::int16_t version) {
    if (has_schema_) damaged("it has two schemas");
    if (version < 3) damaged("it is of a version of Arrow before 0.8, which is not read");
    if (schema.get<std::int16_t>(0, 0) != 0) {
      throw InputError(input_.name() +
                       ": was written on a machine whose numbers have their highest byte first; "
                       "write it again on another");
    }
    SchemaReader(messages_.schema, version < 4).read(schema);
    has_schema_ = true;
  }

  void take(const Table& message) {
    const auto version = message.get<std::int16_t>(0, 0);
    const auto kind = message.get<std::uint8_t>(1, 0);
    const Index size = size_of(message.get<std::int64_t>(3, 0));
    if (size > end_ - at_) cut();
    const Index body = at_;
    at_ += size;
    if (!message.has(2)) throw Damaged{};
    const Table header = message.table(2);
    if (kind == 1) {
      take_schema(header, version);
    } else if (kind == 2) {
      if (!header.has(1)) throw Damaged{};
      const auto id = header.get<std::int64_t>(0, 0);
      if (!is_used(id)) return;
      auto& batches = messages_.dictionaries[id];
      const bool delta = header.get<std::uint8_t>(2, 0) != 0;
      DictionaryRange& range = in_force_[id];
      if (!delta) range.begin = batches.size();
      batches.push_back(read_batch(header.table(1), body, size));
      range.end = batches.size();
      ends_[{id, range.begin}] = range.end;
    } else if (kind == 3) {
      if (!has_schema_) damaged("rows stand before the schema");
      messages_.batches.push_back({read_batch(header, body, size), in_force_});
    } else {
      throw InputError(input_.name() +
                       ": holds tensors, which are not read; save an array as .npy, or a table");
    }
  }

  [[nodiscard]] bool is_used(std::int64_t dictionary) const {
    const auto& fields = messages_.schema.fields;
    return std::any_of(fields.begin(), fields.end(), [dictionary](const Field& field) {
      return !field.index_format.empty() && field.dictionary == dictionary;
    });
  }

  const Input& input_;
  const MemoryBudget& budget_;
  bool of_file_ = false;
  Index at_ = 0;
  Index end_ = 0;
  Index footer_ = 0;     // bytes
  Index described_ = 0;  // bytes of descriptions read
  std::vector<std::uint8_t> metadata_;
  Index number_ = 0;
  bool has_schema_ = false;
  Messages messages_;
  std::map<std::int64_t, DictionaryRange> in_force_;
  std::map<std::pair<std::int64_t, std::size_t>, std::size_t> ends_;  // by number and beginning
};

}  // namespace

Messages read_messages(const Input& input, const MemoryBudget& budget) {
  return MessageReader(input, budget).read();
}

std::optional<Schema> parse_schema_message(std::string_view bytes) {
  const std::span<const std::uint8_t> whole(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                            bytes.size());
  try {
    // The mark and the length that stand before each message of a stream, the mark since 0.15.
    const Bytes front(whole);
    std::size_t start = 4;
    if (front.at<std::uint32_t>(0) == 0xFFFFFFFFU) start = 8;
    if (start > whole.size()) return std::nullopt;
    const Bytes body(whole.subspan(start));
    const Table message = Table::root(body);
    if (message.get<std::uint8_t>(1, 0) != 1 || !message.has(2)) return std::nullopt;
    Schema schema;
    SchemaReader(schema, message.get<std::int16_t>(0, 0) < 4).read(message.table(2));
    return schema;
  } catch (const Damaged&) {
    return std::nullopt;
  }
}

}  // namespace tandem::arrow

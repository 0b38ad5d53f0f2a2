// The messages of Apache Arrow's IPC format (arrow.apache.org/docs/format/Columnar.html), file or
// stream: its schema, and where record batches and dictionaries lie. Their metadata are flatbuffers
// (Schema.fbs, Message.fbs).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/block_codec.hpp"
#include "core/data/input.hpp"
#include "core/data/readers.hpp"

namespace tandem::arrow {

struct Field {
  std::string name;
  std::string format;        // as the C data interface writes the type of the values
  std::string index_format;  // of a dictionary's codes; empty: no dictionary
  std::int64_t dictionary = 0;
  std::size_t first =
      0;  // of its fields, itself and those below it, in the order of Schema::layouts
};

// The buffers that a field has in a record batch.
struct FieldLayout {
  std::size_t buffers = 0;
  bool variadic = false;  // and so many more as the batch says
};

struct Schema {
  std::vector<Field> fields;  // the columns
  std::vector<FieldLayout> layouts;
  std::string pandas;  // its description of the table, JSON; empty: none
};

struct Buffer {
  Index offset = 0;  // in the body
  Index size = 0;
};
struct Node {
  Index length = 0;
  Index nulls = 0;
};
struct Batch {
  Index rows = 0;
  std::vector<Node> nodes;
  std::vector<Buffer> buffers;
  std::vector<Index> variadic;
  std::optional<BlockCodec> codec;
  Index body = 0;  // where it begins in the file
  Index size = 0;
};

// Some of the batches of a dictionary, which together are its values.
struct DictionaryRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};
struct RecordBatch {
  Batch batch;
  std::map<std::int64_t, DictionaryRange> dictionaries;  // in force, by their number
};

struct Messages {
  Schema schema;
  std::vector<RecordBatch> batches;
  std::map<std::int64_t, std::vector<Batch>> dictionaries;
};

// Throws InputError.
[[nodiscard]] Messages read_messages(const Input& input, const MemoryBudget& budget);
// A message that holds a schema, as Arrow's writers keep one in a Parquet file; none where the
// bytes are no such message.
[[nodiscard]] std::optional<Schema> parse_schema_message(std::string_view bytes);

}  // namespace tandem::arrow

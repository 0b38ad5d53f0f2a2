// Apache Arrow IPC files (Feather version 2 too) and streams: record batches are the parts of the
// table, and their columns are handed to the conversion of Arrow's C data interface.
#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include "core/data/arrow_column.hpp"
#include "core/data/arrow_messages.hpp"
#include "core/data/buffer_pool.hpp"
#include "core/data/pandas_metadata.hpp"
#include "core/data/typed_table.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using arrow::Batch;
using arrow::Field;
using Layout = ArrowType::Layout;

// A column of a record batch in memory.
struct Loaded {
  std::vector<BufferPool::Lease> memory;
  std::vector<const void*> pointers;
  std::vector<std::int64_t> sizes;  // of the buffers of texts of a column of views
  ArrowArray array{};
};

// Bytes that `count` values take at least in the buffer behind the validity.
Index least_bytes(const ArrowType& type, Index count) {
  switch (type.layout) {
    case Layout::nothing: return 0;
    case Layout::bits: return count / 8 + (count % 8 != 0 ? 1 : 0);
    case Layout::bytes: return count == 0 ? 0 : saturating_product(saturating_sum(count, 1), 4);
    case Layout::long_bytes:
      return count == 0 ? 0 : saturating_product(saturating_sum(count, 1), 8);
    default: return saturating_product(count, static_cast<Index>(type.width));
  }
}

template <Real T>
class ArrowTable final : public TypedTable<T> {
 public:
  ArrowTable(const Input& input, const ReadOptions& options)
      : input_(input),
        budget_(input.name(), options),
        messages_(arrow::read_messages(input, budget_)) {
    for (const Field& field : messages_.schema.fields) {
      ArrowSchema values{};
      values.format = field.format.c_str();
      ArrowSchema schema{};
      schema.name = field.name.c_str();
      schema.format = field.format.c_str();
      if (!field.index_format.empty()) {
        schema.format = field.index_format.c_str();
        schema.dictionary = &values;
      }
      declared_.push_back(arrow_declared(schema));
      types_.push_back(arrow_type(schema.format));
      where_.push_back(input.name() + ": column " + field.name);
    }
    if (declared_.empty())
      throw InputError(input.name() +
                       ": has no columns, so it is no table; is it the file that was meant?");
    mark_row_names(parse_pandas_metadata(messages_.schema.pandas), declared_);
    for (const arrow::RecordBatch& part : messages_.batches) {
      check(part.batch);
      parts_.push_back(part.batch.rows);
    }
  }

  [[nodiscard]] const std::vector<DeclaredColumn>& columns() const override { return declared_; }
  [[nodiscard]] const std::vector<Index>& parts() const override { return parts_; }

  [[nodiscard]] std::unique_ptr<ColumnStream<T>> open(Index part, Index column,
                                                      ValuesAs as) const override {
    const auto c = static_cast<std::size_t>(column);
    const Field& field = messages_.schema.fields[c];
    const arrow::RecordBatch& batch = messages_.batches[static_cast<std::size_t>(part)];
    std::shared_ptr<Loaded> loaded = load(
        batch.batch, field.first, first_buffer(batch.batch, field.first), types_[c], where_[c]);
    std::shared_ptr<const ArrowDictionary> dictionary;
    if (!field.index_format.empty()) dictionary = dictionary_of(batch, c);
    const ArrowArray& array = loaded->array;
    return open_arrow_column<T>(array, types_[c], where_[c], budget_, as, std::move(dictionary),
                                std::move(loaded));
  }

 private:
  [[noreturn]] void damaged(const std::string& what) const {
    throw InputError(input_.name() + ": is damaged: " + what);
  }

  // Where the buffers of a field begin among those of a batch.
  [[nodiscard]] std::size_t first_buffer(const Batch& batch, std::size_t field) const {
    std::size_t at = 0;
    std::size_t variadic = 0;
    for (std::size_t f = 0; f < field; ++f) {
      const arrow::FieldLayout& layout = messages_.schema.layouts[f];
      at += layout.buffers;
      if (layout.variadic) at += variadic_buffers(batch, variadic++);
    }
    return at;
  }

  [[nodiscard]] std::size_t variadic_buffers(const Batch& batch, std::size_t number) const {
    if (number >= batch.variadic.size()) damaged("a batch has too few numbers of buffers");
    const Index count = batch.variadic[number];
    if (count > static_cast<Index>(batch.buffers.size())) damaged("a batch has too few buffers");
    return static_cast<std::size_t>(count);
  }

  // A batch has as many rows as its buffers can hold, whatever it claims, so that nothing is taken
  // for rows that are not there.
  void check(const Batch& batch) const {
    std::size_t buffer = 0;
    std::size_t variadic = 0;
    std::size_t column = 0;
    const auto& schema = messages_.schema;
    for (std::size_t f = 0; f < schema.layouts.size(); ++f) {
      if (f >= batch.nodes.size()) damaged("a batch has too few columns");
      const arrow::FieldLayout& layout = schema.layouts[f];
      const bool starts = column < schema.fields.size() && schema.fields[column].first == f;
      if (starts) {
        const ArrowType& type = types_[column];
        const std::string& where = where_[column++];
        if (batch.nodes[f].length != batch.rows) {
          throw InputError(where + ": a batch has " + std::to_string(batch.nodes[f].length) +
                           " values for " + std::to_string(batch.rows) +
                           " rows; the file is damaged");
        }
        if (type.kind != DeclaredKind::unread && type.layout != Layout::nothing) {
          if (buffer + 1 >= batch.buffers.size()) damaged("a batch has too few buffers");
          const Index stored = batch.buffers[buffer + 1].size;
          const Index most = batch.codec ? largest_block(*batch.codec, stored) : stored;
          if (most < least_bytes(type, batch.rows)) {
            throw InputError(where + ": a batch of " + std::to_string(batch.rows) + " rows has " +
                             std::to_string(stored) + " bytes of values; the file is damaged");
          }
        }
      }
      buffer += layout.buffers;
      if (layout.variadic) buffer += variadic_buffers(batch, variadic++);
    }
    if (buffer > batch.buffers.size()) damaged("a batch has too few buffers");
  }

  [[nodiscard]] BufferPool::Lease read_buffer(const Batch& batch, std::size_t number,
                                              const std::string& where) const {
    if (number >= batch.buffers.size()) damaged("a batch has too few buffers");
    const arrow::Buffer& buffer = batch.buffers[number];
    BufferPool::Lease lease(pool_);
    ByteBuffer& stored = *lease;
    stored.resize(static_cast<std::size_t>(buffer.size));
    input_.read_at(batch.body + buffer.offset, reinterpret_cast<char*>(stored.data()),
                   stored.size());
    if (!batch.codec || stored.size() == 0) return lease;
    // The decompressed size, -1 where the buffer is not compressed after all.
    const auto broken = [&](const std::string& what) -> InputError {
      return InputError(where + ": " + what + "; the file is damaged");
    };
    if (stored.size() < 8) throw broken("a compressed buffer has no size");
    std::uint64_t written = 0;
    for (std::size_t i = 8; i-- > 0;) written = written << 8 | stored.data()[i];
    const auto size = static_cast<std::int64_t>(written);
    const std::span<const std::uint8_t> content = stored.bytes().subspan(8);
    if (size == -1) {
      std::memmove(stored.data(), content.data(), content.size());
      stored.resize(stored.size() - 8);
      return lease;
    }
    if (size < 0 || size > largest_block(*batch.codec, static_cast<Index>(content.size()))) {
      throw broken("a buffer claims " + std::to_string(size) + " bytes made of " +
                   std::to_string(content.size()));
    }
    budget_.require(size, "a buffer");
    BufferPool::Lease decompressed(pool_);
    decompressed->resize(static_cast<std::size_t>(size));
    if (size > 0 && !decompress_block(*batch.codec, content, decompressed->bytes())) {
      throw broken("a compressed buffer");
    }
    return decompressed;
  }

  // A field of a batch. Its buffers are as large as its values need.
  [[nodiscard]] std::shared_ptr<Loaded> load(const Batch& batch, std::size_t field,
                                             std::size_t buffer, const ArrowType& type,
                                             const std::string& where) const {
    const auto loaded = std::make_shared<Loaded>();
    if (field >= batch.nodes.size()) damaged("a batch has too few columns");
    const arrow::Node& node = batch.nodes[field];
    const auto broken = [&](const std::string& what) {
      throw InputError(where + ": " + what + "; the file is damaged");
    };
    ArrowArray& array = loaded->array;
    array.length = node.length;
    array.null_count = node.nulls;
    std::size_t count = 0;
    switch (type.layout) {
      case Layout::nothing: break;
      case Layout::bytes:
      case Layout::long_bytes: count = 3; break;
      case Layout::views: count = 2 + views_of(batch, field); break;
      default: count = 2;
    }
    for (std::size_t b = 0; b < count; ++b) {
      // Where nothing is missing, the validity is not needed.
      loaded->memory.push_back(b == 0 && node.nulls == 0 ? BufferPool::Lease()
                                                         : read_buffer(batch, buffer + b, where));
    }
    if (count > 0) {
      const auto bytes = [&](std::size_t b) {
        return static_cast<Index>(loaded->memory[b]->size());
      };
      if (node.nulls != 0 && bytes(0) == 0 && node.length > 0) {
        broken("values are missing, but it is not said which");
      }
      if (node.nulls != 0 && bytes(0) < node.length / 8 + (node.length % 8 != 0 ? 1 : 0)) {
        broken("its validity is shorter than its rows");
      }
      if (bytes(1) < least_bytes(type, node.length)) broken("it has fewer values than rows");
      if (type.layout == Layout::bytes) check_offsets<std::int32_t>(*loaded, node.length, where);
      if (type.layout == Layout::long_bytes)
        check_offsets<std::int64_t>(*loaded, node.length, where);
    }
    for (const auto& memory : loaded->memory) {
      loaded->pointers.push_back(memory->size() == 0 ? nullptr : memory->data());
    }
    if (type.layout == Layout::views) {
      for (std::size_t b = 2; b < count; ++b) {
        loaded->sizes.push_back(static_cast<std::int64_t>(loaded->memory[b]->size()));
      }
      loaded->pointers.push_back(loaded->sizes.data());
    }
    array.n_buffers = static_cast<std::int64_t>(loaded->pointers.size());
    array.buffers = loaded->pointers.data();
    return loaded;
  }

  // How many buffers of texts a column of views has.
  [[nodiscard]] std::size_t views_of(const Batch& batch, std::size_t field) const {
    std::size_t number = 0;
    // A dictionary's batch has one field.
    if (batch.nodes.size() > 1) {
      for (std::size_t f = 0; f < field; ++f) {
        number += messages_.schema.layouts[f].variadic ? 1 : 0;
      }
    }
    return variadic_buffers(batch, number);
  }

  template <class Offset>
  void check_offsets(const Loaded& loaded, Index length, const std::string& where) const {
    if (length == 0) return;
    const ByteBuffer& bytes = *loaded.memory[1];
    const auto most = static_cast<Index>(loaded.memory[2]->size());
    for (std::size_t i = 0; i <= static_cast<std::size_t>(length); ++i) {
      Offset offset = 0;
      std::memcpy(&offset, bytes.data() + i * sizeof(Offset), sizeof(Offset));
      if (offset < 0 || static_cast<Index>(offset) > most) {
        throw InputError(where + ": a text lies behind the end of its buffer; the file is damaged");
      }
    }
  }

  // The values of a dictionary that a batch refers to.
  [[nodiscard]] std::shared_ptr<const ArrowDictionary> dictionary_of(
      const arrow::RecordBatch& batch, std::size_t column) const {
    const Field& field = messages_.schema.fields[column];
    const auto range = batch.dictionaries.find(field.dictionary);
    // A dictionary that was never written has no values.
    if (range == batch.dictionaries.end()) return std::make_shared<ArrowDictionary>();
    const ArrowType type = arrow_type(field.format);
    const std::lock_guard<std::mutex> lock(reading_);
    auto& known = dictionaries_[{column, range->second.begin, range->second.end}];
    if (known) return known;
    auto values = std::make_shared<ArrowDictionary>();
    const std::vector<Batch>& batches = messages_.dictionaries.at(field.dictionary);
    for (std::size_t b = range->second.begin; b < range->second.end; ++b) {
      const auto loaded = load(batches[b], 0, 0, type, where_[column]);
      append_dictionary(loaded->array, type, where_[column], budget_, *values);
    }
    known = std::move(values);
    return known;
  }

  const Input& input_;
  MemoryBudget budget_;
  arrow::Messages messages_;
  std::vector<DeclaredColumn> declared_;
  std::vector<ArrowType> types_;  // of the values, or of a dictionary's codes
  std::vector<std::string> where_;
  std::vector<Index> parts_;
  mutable BufferPool pool_;
  struct Known {
    std::size_t column;
    std::size_t begin;
    std::size_t end;
    [[nodiscard]] auto operator<=>(const Known&) const = default;
  };
  mutable std::mutex reading_;
  mutable std::map<Known, std::shared_ptr<const ArrowDictionary>> dictionaries_;
};

}  // namespace

template <Real T>
std::unique_ptr<TypedTable<T>> open_arrow(const Input& input, const ReadOptions& options) {
  return std::make_unique<ArrowTable<T>>(input, options);
}

template std::unique_ptr<TypedTable<float>> open_arrow(const Input&, const ReadOptions&);
template std::unique_ptr<TypedTable<double>> open_arrow(const Input&, const ReadOptions&);

}  // namespace tandem

// Apache Parquet files (github.com/apache/parquet-format): the footer, which columns there are, and
// the row groups, which are the parts of the table.
#include <algorithm>
#include <array>
#include <cstring>

#include "core/data/arrow_messages.hpp"
#include "core/data/pandas_metadata.hpp"
#include "core/data/parquet_column.hpp"
#include "core/data/parquet_metadata.hpp"
#include "core/data/typed_table.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using namespace parquet;

constexpr std::string_view mark = "PAR1";
constexpr std::string_view encrypted_mark = "PARE";

FileMetadata read_footer(const Input& input, const MemoryBudget& budget) {
  const std::string& file = input.name();
  if (input.compression() != Compression::none || !input.stored()) {
    throw InputError(file +
                     ": a Parquet file that is compressed once more is not read; decompress it "
                     "first");
  }
  const Index size = input.whole_size();
  std::array<unsigned char, 8> tail{};
  if (size < 12) throw InputError(file + ": is damaged: it is shorter than a Parquet file can be");
  input.read_at(size - 8, reinterpret_cast<char*>(tail.data()), tail.size());
  const std::string_view end(reinterpret_cast<const char*>(tail.data()) + 4, 4);
  if (end == encrypted_mark)
    throw InputError(file + ": is encrypted, which is not read; write it again without encryption");
  if (end != mark) {
    throw InputError(file +
                     ": is damaged: it does not end as a Parquet file does; is the file complete?");
  }
  Index length = 0;
  for (int i = 4; i-- > 0;) length = length << 8 | tail[static_cast<std::size_t>(i)];
  if (length > size - 12) {
    throw InputError(file + ": is damaged: its footer claims " + std::to_string(length) +
                     " bytes of " + std::to_string(size));
  }
  budget.require(length, "its footer");
  std::vector<std::uint8_t> footer(static_cast<std::size_t>(length));
  input.read_at(size - 8 - length, reinterpret_cast<char*>(footer.data()), footer.size());
  FileMetadata metadata = parse_file_metadata(footer, file);
  if (metadata.encrypted)
    throw InputError(file + ": is encrypted, which is not read; write it again without encryption");
  return metadata;
}

std::string rewritten(const std::string& file) {
  return "write it again with another: in Python, import pyarrow.parquet as p; "
         "p.write_table(p.read_table(\"" +
         file + "\"), \"new.parquet\", compression=\"zstd\")";
}

template <Real T>
class ParquetTable final : public TypedTable<T> {
 public:
  ParquetTable(const Input& input, const ReadOptions& options)
      : input_(input), budget_(input.name(), options), metadata_(read_footer(input, budget_)) {
    find_columns();
    complete_types();
    for (std::size_t g = 0; g < metadata_.row_groups.size(); ++g) check(metadata_.row_groups[g], g);
  }

  [[nodiscard]] const std::vector<DeclaredColumn>& columns() const override { return declared_; }
  [[nodiscard]] const std::vector<Index>& parts() const override { return parts_; }

  [[nodiscard]] std::unique_ptr<ColumnStream<T>> open(Index part, Index column,
                                                      ValuesAs as) const override {
    const Leaf& leaf = leaves_[static_cast<std::size_t>(column)];
    const RowGroup& group = metadata_.row_groups[static_cast<std::size_t>(part)];
    const ColumnChunk& chunk = group.columns[leaf.place];
    const auto refuse = [&](const std::string& what) {
      throw InputError(leaf.where + ": " + what);
    };
    if (chunk.encrypted)
      refuse("is encrypted, which is not read; leave the column out with " + option("ignore"));
    if (chunk.other_file)
      refuse("lies in another file, which is not read; write the table as one file");
    if (chunk.codec == Codec::brotli || chunk.codec == Codec::lzo || chunk.codec == Codec::lz4) {
      const std::string older = chunk.codec == Codec::lz4 ? " in Hadoop's frames" : "";
      refuse("is compressed with " + name_of(chunk.codec) + older + ", which is not read; " +
             rewritten(input_.name()));
    }
    if (chunk.physical != leaf.type.physical) {
      refuse("row group " + std::to_string(part + 1) +
             " has another type than the schema; the file is damaged");
    }
    return open_column<T>(input_, chunk, leaf.where, budget_, pool_, leaf.type, as);
  }

 private:
  struct Leaf {
    parquet::ColumnType type;
    std::size_t place = 0;  // among the columns of a row group
    bool flat = false;      // no part of a list, map or struct
    std::string where;
  };

  [[noreturn]] void damaged(const std::string& what) const {
    throw InputError(input_.name() + ": is damaged: " + what);
  }

  void find_columns() {
    const auto& schema = metadata_.schema;
    if (schema.empty() || schema.front().physical) damaged("its schema has no root");
    std::size_t at = 1;
    for (std::int32_t c = 0; c < schema.front().children; ++c) {
      if (at >= schema.size()) damaged("its schema ends in the middle");
      const SchemaElement& element = schema[at];
      DeclaredColumn declared;
      declared.name = element.name;
      Leaf leaf;
      leaf.place = leaf_count_;
      leaf.where = input_.name() + ": column " + element.name;
      if (element.physical && element.children == 0) {
        leaf.type = column_type(element, declared);
        leaf.flat = element.repetition != Repetition::repeated;
        ++at;
        ++leaf_count_;
      } else {
        declared.type = "holds lists, maps or structs, whose values are no columns";
        pass_group(at);
      }
      declared_.push_back(std::move(declared));
      leaves_.push_back(std::move(leaf));
    }
    if (at != schema.size()) damaged("its schema has columns that belong to no group");
    if (declared_.empty()) {
      throw InputError(input_.name() +
                       ": has no columns, so it is no table; is it the file that was meant?");
    }
  }

  // What the file tells of its columns beyond Parquet's types: categories of numbers or texts,
  // durations, and the names of the rows.
  void complete_types() {
    const PandasMetadata pandas = parse_pandas_metadata(metadata_.pandas);
    mark_row_names(pandas, declared_);
    for (DeclaredColumn& column : declared_) {
      const auto& names = pandas.categorical;
      if (std::find(names.begin(), names.end(), column.name) != names.end()) make_coded(column);
    }
    const auto schema = arrow::parse_schema_message(from_base64(metadata_.arrow_schema));
    if (!schema || schema->fields.size() != declared_.size()) return;
    for (std::size_t c = 0; c < declared_.size(); ++c) {
      const arrow::Field& field = schema->fields[c];
      if (field.name != declared_[c].name) return;
      if (!field.index_format.empty()) {
        make_coded(declared_[c]);
      } else if (field.format.starts_with("tD")) {
        make_duration(declared_[c], leaves_[c], field.format.back());
      }
    }
  }

  static void make_coded(DeclaredColumn& column) {
    if (column.kind != DeclaredKind::number && column.kind != DeclaredKind::text) return;
    column.kind = DeclaredKind::coded;
    column.type = "dictionary of " + column.type;
  }

  static void make_duration(DeclaredColumn& column, Leaf& leaf, char unit) {
    if (leaf.type.type != ValueType::whole64) return;
    leaf.type.type = ValueType::time64;
    leaf.type.per_second = unit == 's'   ? 1
                           : unit == 'm' ? 1000
                           : unit == 'u' ? 1000000
                                         : 1000000000;
    column.kind = DeclaredKind::time;
    column.type = "duration";
  }

  // Moves behind an element and all that is below it.
  void pass_group(std::size_t& at) {
    const auto& schema = metadata_.schema;
    std::size_t open = 1;
    while (open > 0) {
      if (at >= schema.size()) damaged("its schema ends in the middle");
      const SchemaElement& element = schema[at++];
      --open;
      if (element.physical) {
        ++leaf_count_;
      } else {
        open += static_cast<std::size_t>(element.children);
      }
    }
  }

  void check(const RowGroup& group, std::size_t number) {
    if (group.columns.size() != leaf_count_) {
      damaged("row group " + std::to_string(number + 1) + " has " +
              std::to_string(group.columns.size()) + " columns, the schema has " +
              std::to_string(leaf_count_));
    }
    // Rows are taken for true, and memory for them, only where every column has as many values.
    for (const Leaf& leaf : leaves_) {
      const ColumnChunk& chunk = group.columns[leaf.place];
      if (!leaf.flat || chunk.encrypted || chunk.values == group.rows) continue;
      throw InputError(leaf.where + ": row group " + std::to_string(number + 1) + " has " +
                       std::to_string(chunk.values) + " values for " + std::to_string(group.rows) +
                       " rows; the file is damaged");
    }
    parts_.push_back(group.rows);
  }

  const Input& input_;
  MemoryBudget budget_;
  FileMetadata metadata_;
  std::vector<DeclaredColumn> declared_;
  std::vector<Leaf> leaves_;
  std::size_t leaf_count_ = 0;
  std::vector<Index> parts_;
  mutable BufferPool pool_;
};

}  // namespace

template <Real T>
std::unique_ptr<TypedTable<T>> open_parquet(const Input& input, const ReadOptions& options) {
  return std::make_unique<ParquetTable<T>>(input, options);
}

template std::unique_ptr<TypedTable<float>> open_parquet(const Input&, const ReadOptions&);
template std::unique_ptr<TypedTable<double>> open_parquet(const Input&, const ReadOptions&);

}  // namespace tandem

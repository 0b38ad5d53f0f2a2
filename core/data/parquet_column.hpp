// A column of a Parquet file: how its values are meant, and the values of one row group.
#pragma once

#include <memory>
#include <string>

#include "core/data/buffer_pool.hpp"
#include "core/data/input.hpp"
#include "core/data/parquet_metadata.hpp"
#include "core/data/typed_table.hpp"

namespace tandem::parquet {

// A value's meaning together with how it is stored.
enum class ValueType : std::uint8_t {
  whole32,
  natural32,
  whole64,
  natural64,
  half,
  float32,
  float64,
  boolean,
  decimal32,
  decimal64,
  decimal_bytes,
  date,
  time32,
  time64,
  timestamp,
  old_timestamp,  // INT96
  text,
  uuid,
  nothing
};

struct ColumnType {
  ValueType type = ValueType::nothing;
  Physical physical = Physical::int32;
  bool optional = false;
  std::size_t width = 0;  // bytes of a value; 0 for texts of any length
  int scale = 0;          // decimals
  std::int64_t per_second = 1;
};

// The meaning of a leaf of the schema; `declared.kind` is unread where it has none that is read,
// and declared.type then says why.
[[nodiscard]] ColumnType column_type(const SchemaElement& leaf, DeclaredColumn& declared);

// All arguments but the last two must outlive the stream. `where` begins messages. Throws
// InputError.
template <Real T>
[[nodiscard]] std::unique_ptr<ColumnStream<T>> open_column(
    const Input& input, const ColumnChunk& chunk, const std::string& where,
    const MemoryBudget& budget, BufferPool& pool, const ColumnType& type, ValuesAs as);

}  // namespace tandem::parquet

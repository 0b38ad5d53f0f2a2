// Tables through Arrow's C data interface (arrow.apache.org/docs/format/CDataInterface.html), which
// needs no library: pandas, polars, DuckDB, R and others hand over columns with it.
#pragma once

#include <cstdint>
#include <string>

#include "tandem/core/export.hpp"
#include "tandem/data/dataset.hpp"

// As the interface's page defines them, under its guard.
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

extern "C" {
struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  std::int64_t flags;
  std::int64_t n_children;
  struct ArrowSchema** children;
  struct ArrowSchema* dictionary;
  void (*release)(struct ArrowSchema*);
  void* private_data;
};

struct ArrowArray {
  std::int64_t length;
  std::int64_t null_count;
  std::int64_t offset;
  std::int64_t n_buffers;
  std::int64_t n_children;
  const void** buffers;
  struct ArrowArray** children;
  struct ArrowArray* dictionary;
  void (*release)(struct ArrowArray*);
  void* private_data;
};
}

#endif  // ARROW_C_DATA_INTERFACE

namespace tandem {

struct ArrowOptions {
  std::string target{};   // the column to predict; empty: none
  std::string weights{};  // the column of sample weights; empty: none
  std::string source = "arrow";
};

// A table from a record batch: a struct array ("+s") whose children are the columns. Integers,
// floats, decimals and booleans become numbers, dates and timestamps seconds since 1970-01-01
// 00:00:00 UTC, times and durations seconds; texts and dictionaries become categories (codes of the
// distinct texts in ascending byte order), nulls become missing values. The values are copied,
// since Arrow's columns and Tandem's rows lie differently; the caller keeps both structs and
// releases them. Throws InputError that names the column and its format for a type that is none of
// these, and where an integer is not a number of T exactly and T is double.
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> dataset_from_arrow(const ArrowArray& array,
                                                       const ArrowSchema& schema,
                                                       const ArrowOptions& options = {});

}  // namespace tandem

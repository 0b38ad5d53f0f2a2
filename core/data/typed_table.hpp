// Tables whose columns have declared types, as Parquet and Arrow files have them: what such a file
// offers to a reader, and the reader, which makes a data set of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/data/partitions.hpp"
#include "core/data/readers.hpp"
#include "core/data/text_dictionary.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// The kind of values that a file declares for a column.
//   nothing  a column that holds no value
//   coded    texts that are declared to be categories
//   unread   values that are no numbers and no texts, such as lists
enum class DeclaredKind : std::uint8_t {
  number,
  boolean,
  date,
  time,
  text,
  coded,
  nothing,
  unread
};

struct DeclaredColumn {
  std::string name;
  DeclaredKind kind = DeclaredKind::unread;
  // For messages: the type as the format calls it; of an unread column a clause that says what it
  // is and what to do.
  std::string type;
  bool row_names = false;  // the index of a table of pandas, which is none of its columns
};

struct PandasMetadata;
// Marks the columns that pandas says are the names of the rows.
void mark_row_names(const PandasMetadata& metadata, std::vector<DeclaredColumn>& columns);

// The form in which a reader asks for a column.
//   numbers  numbers, and 1 and 0 for truth values
//   labels   the same, with the digits of whole numbers that no T holds
//   seconds  dates as seconds since 1970-01-01 00:00:00 UTC, times as seconds
//   texts    codes of texts; values of other kinds as they are written
enum class ValuesAs : std::uint8_t { numbers, labels, seconds, texts };

// Values of consecutive rows of a column.
template <Real T>
struct ColumnBatch {
  std::vector<T> numbers;           // NaN where missing
  std::vector<double> seconds;      // NaN where missing
  std::vector<std::int32_t> codes;  // −1 where missing
  // Whole numbers that no T holds, by their place in the batch, ascending. Of ValuesAs::numbers at
  // most the first.
  std::vector<std::pair<Index, std::string>> rounded;

  void begin(ValuesAs as, Index count);
};

// The values of a column in one part of a table, in the order of the rows. One thread uses it.
template <Real T>
class ColumnStream {
 public:
  explicit ColumnStream(const MemoryBudget& budget) : budget_(budget) {}
  ColumnStream(const ColumnStream&) = delete;
  ColumnStream& operator=(const ColumnStream&) = delete;
  virtual ~ColumnStream() = default;
  // The next `count` rows. Throws InputError that names file and column.
  virtual void next(Index count, ColumnBatch<T>& batch) = 0;
  // Of ValuesAs::texts: what the codes mean. May grow with each call of next().
  [[nodiscard]] TextDictionary take_texts() { return std::move(texts_); }
  // The meaning of one of the codes until then.
  [[nodiscard]] const std::string& text(std::int32_t code) const {
    return texts_.text(static_cast<std::size_t>(code));
  }
  [[nodiscard]] Index text_bytes() const noexcept { return text_bytes_; }

 protected:
  [[nodiscard]] std::int32_t code_of(std::string_view text) {
    const std::size_t before = texts_.size();
    const std::int32_t code = texts_.code(text);
    if (texts_.size() > before) {
      text_bytes_ += static_cast<Index>(text.size()) + text_overhead;
      budget_.require(text_bytes_, "its texts, of which many differ,");
    }
    return code;
  }

 private:
  static constexpr Index text_overhead = 64;
  const MemoryBudget& budget_;
  TextDictionary texts_;
  Index text_bytes_ = 0;
};

// A table in parts that are read on several threads at once.
template <Real T>
class TypedTable {
 public:
  TypedTable() = default;
  TypedTable(const TypedTable&) = delete;
  TypedTable& operator=(const TypedTable&) = delete;
  virtual ~TypedTable() = default;
  [[nodiscard]] virtual const std::vector<DeclaredColumn>& columns() const = 0;
  // Rows of each part.
  [[nodiscard]] virtual const std::vector<Index>& parts() const = 0;
  // Requires: the column is not unread.
  [[nodiscard]] virtual std::unique_ptr<ColumnStream<T>> open(Index part, Index column,
                                                              ValuesAs as) const = 0;
};

template <Real T>
[[nodiscard]] std::unique_ptr<TypedTable<T>> open_parquet(const Input& input,
                                                          const ReadOptions& options);
template <Real T>
[[nodiscard]] std::unique_ptr<TypedTable<T>> open_arrow(const Input& input,
                                                        const ReadOptions& options);

// Files of one format, Parquet or Arrow, as one table: the same columns in the same order. What
// their folders say are columns of texts before the others. `name` stands for all of them in
// messages; `partitions` may be empty, or has one per file.
template <Real T>
[[nodiscard]] Dataset<T> read_typed_files(const std::vector<Input>& files,
                                          const std::vector<Partition>& partitions,
                                          const std::string& name, FileFormat format,
                                          const ReadOptions& options);

}  // namespace tandem

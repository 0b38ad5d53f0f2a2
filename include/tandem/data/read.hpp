// Reading data sets: CSV and TSV, NumPy .npy and .npz, libsvm, IDX, Parquet, Arrow; the text
// formats, .npy and IDX also compressed with gzip, bzip2, xz or zstd. docs/data-formats.md says
// what is read and how it is told apart.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/data/reading.hpp"

namespace tandem {

// The columns that a model was trained on.
struct Schema {
  std::vector<Column> columns;  // features, in the model's order
  Column target{};              // an empty name where there was none
  Reading reading{};            // how the file was read that they come from

  [[nodiscard]] bool operator==(const Schema&) const = default;
};

struct TANDEM_API ReadOptions {
  // The target column: its name, or its position counted from 0, or from the end where negative
  // (-1 is the last one), or "last". A name wins over a position. Empty: no target, except where a
  // format has one by its nature (libsvm, the labels of .npz and IDX files) or the schema names a
  // column that the file has. In an .npz file also the name of the array.
  std::string target{};
  // A file that holds the target alone: .npy or IDX, one value per row.
  std::string target_file{};
  // The column of sample weights, named like the target. Every weight must be finite and >= 0.
  std::string weights{};
  // Columns to leave out, named like the target.
  std::vector<std::string> ignore{};

  // How the file is written; what is automatic here is found out.
  Reading reading{};

  // Text tables: where no target is named and the schema has none, the last column is the target.
  bool last_column_is_target = false;
  // Leaves out the rows whose target is missing, with a notice that counts them.
  bool drop_missing_target = false;

  // Where set, the file is read as that model needs it: columns are found by name (by position
  // where the file has no names), the others are left out, categories are coded in the model's
  // order, and a category that the model does not know becomes missing, with a warning that counts.
  // What these options leave automatic is read as the model's training file was (Schema::reading);
  // a file that contradicts it is an InputError.
  const Schema* schema = nullptr;

  int threads = 0;  // 0: one per available core. The result never depends on it.
  // Bytes that the decoded data may take; 0: what the machine, or its container, has left.
  Index memory_limit = 0;
};

// The names of the formats, without "auto".
[[nodiscard]] TANDEM_API const std::vector<std::string_view>& format_names();

// Reads the file; "-" is standard input. Throws InputError that names the file, and the line or
// position in it, for anything that it cannot read as it stands; SystemError where the operating
// system refuses. A file that would not fit into memory is an InputError before the memory is
// taken.
//
// Text columns become categories: codes 0, 1, ... of the distinct texts in ascending byte order.
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> read_dataset(const std::string& path,
                                                 const ReadOptions& options = {});

// The same from a file's bytes in memory, which are read in place. `name` stands for the path: in
// messages, in Dataset::source, and where the format is told by a name's ending. Several threads
// may read the same bytes.
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> read_dataset(std::span<const std::byte> bytes,
                                                 const std::string& name,
                                                 const ReadOptions& options = {});

// The same from a stream of bytes (std::ios::binary), from where it stands to its end, which are
// held in memory meanwhile. Throws SystemError where the stream fails.
template <Real T>
[[nodiscard]] TANDEM_API Dataset<T> read_dataset(std::istream& in, const std::string& name,
                                                 const ReadOptions& options = {});

// The format that "auto" recognises: one of format_names(). Takes from a pipe what it looks at.
[[nodiscard]] TANDEM_API std::string detect_format(const std::string& path);

}  // namespace tandem

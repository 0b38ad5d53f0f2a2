// Shared by the readers of the single formats. Each takes an Input, so that tests and fuzzers can
// give it memory where users give it files.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/input.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"

namespace tandem {

enum class FileFormat { csv, tsv, npy, npz, libsvm, idx, parquet, arrow };

// Throws InputError that says what the file is, where it is of a known format that is not read.
[[nodiscard]] FileFormat format_of(const Input& input);
// The one file in a zip archive that holds no arrays; none where it holds some. Throws InputError
// for several files, and for documents of office programs.
[[nodiscard]] std::optional<Input> text_in_zip(const Input& input);
// Text files as one, with the header of the first. Throws InputError where another has another one.
[[nodiscard]] Input joined_files(const std::string& name, const std::vector<std::string>& paths,
                                 const ReadOptions& options);
// Throws InputError where the beginning of a file is that of a known format that is not read.
void refuse_foreign_format(const std::string& file, std::string_view head);
template <Real T>
[[nodiscard]] Dataset<T> read_input(const Input& input, const ReadOptions& options);

template <Real T>
[[nodiscard]] Dataset<T> read_csv(const Input& input, const ReadOptions& options, bool tabs);
template <Real T>
[[nodiscard]] Dataset<T> read_libsvm(const Input& input, const ReadOptions& options);
template <Real T>
[[nodiscard]] Dataset<T> read_npy(const Input& input, const ReadOptions& options);
template <Real T>
[[nodiscard]] Dataset<T> read_npz(const Input& input, const ReadOptions& options);
template <Real T>
[[nodiscard]] Dataset<T> read_idx(const Input& input, const ReadOptions& options);

// A tensor whose first axis counts rows; the other axes are flattened in C order.
template <Real T>
struct Table {
  Index rows = 0;
  Index cols = 0;  // 1 for a vector
  bool vector = false;
  std::vector<T> values;
  std::vector<std::string> categories;  // a vector of texts: values are codes
  // Whole numbers that no T holds: the place in `values`, and the number as it is written. As many
  // as there may be names of classes; `more_rounded` where there are more.
  std::vector<std::pair<std::size_t, std::string>> rounded;
  bool more_rounded = false;
};

// What is wrong with a weight; empty where nothing is.
template <Real T>
[[nodiscard]] std::string weight_mistake(T weight) {
  if (weight >= 0 && weight <= std::numeric_limits<T>::max()) return "";
  std::string mistake = "the weight is missing, negative or infinite; expected a number >= 0";
  if (weight > 0) {
    mistake = "the weight is infinite, or beyond what a number of " +
              std::to_string(8 * sizeof(T)) + " bits holds; scale all weights by the same number" +
              (sizeof(T) == 4 ? ", or take " + option("precision") + " float64" : std::string());
  }
  return mistake;
}

class MemoryBudget;
// An .npy file's or npz member's bytes. `size`: how many bytes come at most, −1 where unknown.
template <Real T>
[[nodiscard]] Table<T> read_npy_table(ByteSource& source, Index size, const std::string& name,
                                      const MemoryBudget& budget);
template <Real T>
[[nodiscard]] Table<T> read_idx_table(const Input& input, const MemoryBudget& budget);
// The file named by ReadOptions::target_file, .npy or IDX.
template <Real T>
[[nodiscard]] Table<T> read_target_table(const std::string& path, const ReadOptions& options);

// Refuses data that would not fit.
class MemoryBudget {
 public:
  MemoryBudget(std::string name, const ReadOptions& options);
  // Throws InputError where `bytes` more than at the beginning are not there. `what` begins the
  // message: "1000 rows of 5 columns".
  void require(Index bytes, const std::string& what) const;
  [[nodiscard]] Index bytes() const noexcept { return bytes_; }

 private:
  std::string name_;
  Index bytes_;
};

// The longest record that is read: 256 MiB, less where the budget is small, since a buffer holds
// it.
[[nodiscard]] std::size_t longest_record(const MemoryBudget& budget);

// The memory that rows × cols elements of `element` bytes and their column names take.
[[nodiscard]] Index table_bytes(Index rows, Index cols, Index element);

// The position that a column's name or number means among `names`; see ReadOptions::target. `what`
// names the option in messages: "--target".
[[nodiscard]] Index find_column(const std::string& wanted, const std::vector<std::string>& names,
                                const std::string& what, const std::string& file);

// A table of numbers as a data set: takes the target, weights and ignored columns out of it, adds
// `target` (may be null) and fits the result to options.schema.
template <Real T>
[[nodiscard]] Dataset<T> make_dataset(Table<T> table, Table<T>* target, const Input& input,
                                      const ReadOptions& options);

// Gives the columns of a data set without names the names and categories of the schema. Throws
// InputError where the number of columns differs; codes that are none become missing.
template <Real T>
void fit_to_schema(Dataset<T>& data, const Schema& schema);

// True where a file looks like LIBSVM's: its first line that is not empty or a comment is a
// label followed by at least one index:value pair and nothing else.
[[nodiscard]] bool looks_like_libsvm(std::string_view head);

// No more than there are chunks of text to read.
[[nodiscard]] int reading_threads(const ReadOptions& options, const Input& input);

}  // namespace tandem

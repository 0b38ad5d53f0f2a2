#include "tandem/data/read.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <new>
#include <numeric>

#include "core/data/column_remarks.hpp"
#include "core/data/label_texts.hpp"
#include "core/data/partitions.hpp"
#include "core/data/query_file.hpp"
#include "core/data/readers.hpp"
#include "core/data/reading_scope.hpp"
#include "core/data/records.hpp"
#include "core/data/typed_table.hpp"
#include "core/external_memory.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"

namespace tandem {
namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// The name in lower case without the ending of a compressed file.
std::string plain_name(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  for (const char* ending : {".gz", ".bz2", ".bgz", ".xz", ".zst", ".zip"}) {
    if (ends_with(name, ending)) return name.substr(0, name.rfind('.'));
  }
  return name;
}

FileFormat parse_format(const std::string& name, const Input& input) {
  if (name == "auto") return format_of(input);
  const auto& names = format_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    std::string accepted = "auto";
    for (const auto candidate : names) accepted += ", " + std::string(candidate);
    throw InputError("unknown format '" + name + "': expected one of " + accepted);
  }
  return static_cast<FileFormat>(found - names.begin());
}

// The position that a text such as "3" or "-1" means among `count`; −1 where it is none.
Index parse_position(std::string_view text, Index count) {
  Index position = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), position);
  if (text.empty() || result.ec != std::errc{} || result.ptr != text.data() + text.size())
    return -1;
  if (position < 0) position += count;
  return position >= 0 && position < count ? position : -1;
}

}  // namespace

const std::vector<std::string_view>& format_names() {
  // In the order of FileFormat.
  static const std::vector<std::string_view> names{"csv",    "tsv", "npy",     "npz",
                                                   "libsvm", "idx", "parquet", "arrow"};
  return names;
}

int reading_threads(const ReadOptions& options, const Input& input) {
  const int asked = options.threads > 0 ? options.threads : available_cores();
  const Index chunks = input.largest_size() / static_cast<Index>(RecordReader::chunk_size) + 1;
  return static_cast<int>(std::min<Index>(asked, chunks));
}

FileFormat format_of(const Input& input) {
  const std::string head = input.head(std::size_t{1} << 16);
  const auto starts = [&](std::string_view with) {
    return std::string_view(head).substr(0, with.size()) == with;
  };
  if (starts("\x93NUMPY")) return FileFormat::npy;
  if (starts(std::string_view("PK\x03\x04", 4)) || starts(std::string_view("PK\x05\x06", 4))) {
    return FileFormat::npz;
  }
  if (head.size() >= 4 && head[0] == 0 && head[1] == 0 && head[2] >= 8 && head[2] <= 14 &&
      head[3] >= 1 && head[3] <= 8) {
    return FileFormat::idx;
  }
  // Either may also be the name of a text file's first column.
  const auto names_column = [&](std::size_t size) {
    return head.size() > size &&
           std::string_view(",;|\t\r\n").find(head[size]) != std::string_view::npos;
  };
  if (starts("PAR1") && !names_column(4)) return FileFormat::parquet;
  if ((starts("ARROW1") && !names_column(6)) || starts(std::string_view("\xFF\xFF\xFF\xFF", 4)))
    return FileFormat::arrow;
  refuse_foreign_format(input.name(), head);
  const std::string name = plain_name(input.name());
  for (const char* ending : {".libsvm", ".svm", ".svmlight"}) {
    if (ends_with(name, ending)) return FileFormat::libsvm;
  }
  if (ends_with(name, ".tsv")) return FileFormat::tsv;
  if (ends_with(name, ".csv")) return FileFormat::csv;
  return looks_like_libsvm(head) ? FileFormat::libsvm : FileFormat::csv;
}

std::string detect_format(const std::string& path) {
  return std::string(format_names()[static_cast<std::size_t>(format_of(Input::file(path)))]);
}

MemoryBudget::MemoryBudget(std::string name, const ReadOptions& options)
    : name_(std::move(name)),
      bytes_(options.memory_limit > 0 ? options.memory_limit : available_memory()) {}

void MemoryBudget::require(Index bytes, const std::string& what) const {
  if (bytes <= bytes_) return;
  throw InputError(name_ + ": " + what + " needs " + readable_size(bytes) + " of memory, but " +
                   readable_size(bytes_) + " are left; take fewer rows or columns, or " +
                   option("precision") + " float32");
}

std::size_t longest_record(const MemoryBudget& budget) {
  constexpr Index longest = Index{256} << 20;
  const auto least = static_cast<Index>(RecordReader::chunk_size);
  return static_cast<std::size_t>(std::clamp(budget.bytes() / 8, least, longest));
}

Index table_bytes(Index rows, Index cols, Index element) {
  return saturating_sum(saturating_product(saturating_product(rows, cols), element),
                        saturating_product(cols, sizeof(Column)));
}

Index find_column(const std::string& wanted, const std::vector<std::string>& names,
                  const std::string& what, const std::string& file) {
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found != names.end()) return found - names.begin();
  const auto count = static_cast<Index>(names.size());
  if (wanted == "last" && count > 0) return count - 1;
  const Index position = parse_position(wanted, count);
  if (position >= 0) return position;
  std::string known;
  for (std::size_t i = 0; i < names.size() && i < 20; ++i) known += (i > 0 ? ", " : "") + names[i];
  if (names.size() > 20) known += ", ...";
  throw InputError(file + ": has no column '" + wanted + "', which " + what + " names; it has " +
                   std::to_string(count) + ": " + known);
}

template <Real T>
void fit_to_schema(Dataset<T>& data, const Schema& schema) {
  if (data.columns.size() != schema.columns.size()) {
    throw InputError(data.source + ": has " + std::to_string(data.columns.size()) +
                     " features, the model was trained on " +
                     std::to_string(schema.columns.size()) +
                     "; give the columns that it was trained on, in the same order");
  }
  for (std::size_t j = 0; j < schema.columns.size(); ++j) {
    data.columns[j] = schema.columns[j];
    if (!schema.columns[j].categorical()) continue;
    const auto count = static_cast<T>(schema.columns[j].categories.size());
    Index unknown = 0;
    for (Index i = 0; i < data.rows(); ++i) {
      T& code = data.features(i, static_cast<Index>(j));
      if (std::isnan(code) || (code >= 0 && code < count && code == std::trunc(code))) continue;
      code = std::numeric_limits<T>::quiet_NaN();
      ++unknown;
    }
    if (unknown > 0) {
      log::warning(data.source + ": " + std::to_string(unknown) + " values of " +
                   schema.columns[j].name +
                   " are codes of no category that the model knows; they are taken as missing");
    }
  }
}

namespace {

template <Real T>
[[noreturn]] void refuse_rounded_labels(const Table<T>& table, const Dataset<T>& data) {
  throw InputError(
      data.source + ": the target has more than " + std::to_string(most_column_categories) +
      " distinct whole numbers, such as " + table.rounded.front().second + ", that no number of " +
      std::to_string(8 * sizeof(T)) +
      " bits holds; write them as floating-point numbers if they are measured, or as "
      "texts if they are classes" +
      (sizeof(T) == 4 ? ", or read them with " + option("precision") + " float64" : std::string()));
}

// Labels that no T holds are classes by their texts, as those of a text file are.
template <Real T>
void keep_label_texts(const Table<T>& table, Index column, Dataset<T>& data) {
  LabelTexts texts(exact_digits_of<T>);
  auto next = table.rounded.begin();
  for (std::size_t i = 0; i < data.target.size(); ++i) {
    const std::size_t place =
        i * static_cast<std::size_t>(table.cols) + static_cast<std::size_t>(column);
    while (next != table.rounded.end() && next->first < place) ++next;
    if (next != table.rounded.end() && next->first == place) {
      texts.add(next->second);
    } else {
      // All that is not rounded is whole, and an exact number has an exact text.
      std::array<char, 32> text{};
      const auto end = std::to_chars(text.data(), text.data() + text.size(), data.target[i],
                                     std::chars_format::fixed);
      texts.add({text.data(), static_cast<std::size_t>(end.ptr - text.data())});
    }
  }
  data.target_texts = texts.take();
  if (texts.given_up()) refuse_rounded_labels(table, data);
}

// Not all numbers that were rounded are known: no label may be one of them.
template <Real T>
void require_exact_labels(const Table<T>& table, const Dataset<T>& data) {
  const T exact = std::ldexp(T{1}, std::numeric_limits<T>::digits);
  if (!table.more_rounded) return;
  if (std::any_of(data.target.begin(), data.target.end(),
                  [exact](T label) { return std::abs(label) > exact; })) {
    refuse_rounded_labels(table, data);
  }
}

// What is to be said of the whole numbers that the table's numbers do not hold; those of the target
// keep their texts.
template <Real T>
std::vector<std::string> say_rounded(const Table<T>& table, const std::vector<bool>& dropped,
                                     Index target_column, Dataset<T>& data) {
  std::vector<std::string> notices;
  Index said = -1;
  bool target = false;
  for (const auto& [place, text] : table.rounded) {
    const auto column = static_cast<Index>(place % static_cast<std::size_t>(table.cols));
    target = target || column == target_column;
    if (said >= 0 || dropped[static_cast<std::size_t>(column)]) continue;
    said = column;
    notices.push_back(
        data.source + ": has whole numbers, such as " + text + " in column " +
        std::to_string(column) + ", that no number of " + std::to_string(8 * sizeof(T)) +
        " bits holds; they are rounded" +
        (sizeof(T) == 4 ? ", and " + option("precision") + " float64 holds more" : std::string()));
  }
  require_exact_labels(table, data);
  if (target) keep_label_texts(table, target_column, data);
  return notices;
}

}  // namespace

template <Real T>
Dataset<T> make_dataset(Table<T> table, Table<T>* target, const Input& input,
                        const ReadOptions& options) {
  Dataset<T> data;
  data.source = input.name();
  if (table.rows == 0)
    throw InputError(data.source + ": has no rows; is it the file that was meant?");
  if (!table.categories.empty()) throw InputError(data.source + ": holds texts, expected numbers");

  Table<T> separate;
  if (target == nullptr && !options.target_file.empty()) {
    separate = read_target_table<T>(options.target_file, options);
    target = &separate;
  }
  // The columns that have a special use; −1 where none has.
  Index target_column = -1;
  Index weight_column = -1;
  std::vector<bool> dropped(static_cast<std::size_t>(table.cols), false);
  if ((target == nullptr && !options.target.empty()) || !options.weights.empty() ||
      !options.ignore.empty()) {
    std::vector<std::string> names;
    for (auto& column : numbered_columns(table.cols)) names.push_back(std::move(column.name));
    const auto drop = [&](const std::string& wanted, const std::string& what) {
      const Index at = find_column(wanted, names, what, data.source);
      if (dropped[static_cast<std::size_t>(at)]) {
        throw InputError(data.source + ": " + what +
                         " names a column that has another use: " + wanted + "; name another");
      }
      dropped[static_cast<std::size_t>(at)] = true;
      return at;
    };
    // Data to predict on may come without its target.
    const bool absent = options.schema != nullptr &&
                        table.cols == static_cast<Index>(options.schema->columns.size());
    if (target == nullptr && !options.target.empty() && !absent) {
      target_column = drop(options.target, option("target"));
    }
    if (!options.weights.empty()) weight_column = drop(options.weights, option("weights"));
    for (const auto& wanted : options.ignore) {
      if (!absent) (void)drop(wanted, option("ignore"));
    }
  }
  const auto kept = static_cast<Index>(std::count(dropped.begin(), dropped.end(), false));
  if (kept == 0)
    throw InputError(
        data.source +
        ": no column is left for the features; name fewer columns as target, weights or ignored");
  if (kept < table.cols) {
    if (target_column >= 0) data.target.reserve(static_cast<std::size_t>(table.rows));
    if (weight_column >= 0) data.weights.reserve(static_cast<std::size_t>(table.rows));
    T* to = table.values.data();
    const T* from = to;
    for (Index i = 0; i < table.rows; ++i, from += table.cols) {
      if (i % 1024 == 0) {
        const Index count = std::min<Index>(1024, table.rows - i);
        // Rows move towards the beginning: what is written lies before what is read.
        visit_elements(to, from + count * table.cols - to, external::Access::write);
      }
      if (target_column >= 0) data.target.push_back(from[target_column]);
      if (weight_column >= 0) data.weights.push_back(from[weight_column]);
      for (Index j = 0; j < table.cols; ++j) {
        if (!dropped[static_cast<std::size_t>(j)]) *to++ = from[j];
      }
    }
    table.values.resize(static_cast<std::size_t>(table.rows * kept));
  }
  for (std::size_t i = 0; i < data.weights.size(); ++i) {
    const std::string mistake = weight_mistake(data.weights[i]);
    if (!mistake.empty()) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) + ": " + mistake);
    }
  }
  const std::vector<std::string> notices = say_rounded(table, dropped, target_column, data);
  data.features = Matrix<T>(table.rows, kept, std::move(table.values));
  data.columns = numbered_columns(kept);
  if (target != nullptr) {
    if (target->cols != 1) {
      throw InputError(data.source + ": the target has " + std::to_string(target->cols) +
                       " columns, expected 1; of one-hot classes save the position of the 1, "
                       "numpy.argmax(y, axis=1)");
    }
    if (target->rows != data.rows()) {
      throw InputError(data.source + ": has " + std::to_string(data.rows()) +
                       " rows, its target has " + std::to_string(target->rows) +
                       "; both must be of the same rows");
    }
    data.target = std::move(target->values);
    require_exact_labels(*target, data);
    if (!target->rounded.empty()) keep_label_texts(*target, 0, data);
    data.target_column.categories = std::move(target->categories);
  }
  if (data.has_target()) {
    data.target_column.name = options.schema != nullptr && !options.schema->target.name.empty()
                                  ? options.schema->target.name
                                  : "target";
  }
  if (options.schema != nullptr) fit_to_schema(data, *options.schema);
  if (!notices.empty()) {
    for (const std::string& notice : notices) log::warning(notice);
    auto reading = std::make_shared<Reading>();
    reading->notices = notices;
    data.reading = std::move(reading);
  }
  return data;
}

template <Real T>
Table<T> read_target_table(const std::string& path, const ReadOptions& options) {
  const Input input = Input::file(path);
  const MemoryBudget budget(path, options);
  Table<T> table;
  switch (format_of(input)) {
    case FileFormat::npy: {
      const auto source = input.open();
      table = read_npy_table<T>(*source, input.largest_size(), path, budget);
      break;
    }
    case FileFormat::idx: table = read_idx_table<T>(input, budget); break;
    default:
      throw InputError(path +
                       ": a file of targets must be .npy or IDX; save it with numpy.save, or put "
                       "it into the table as a column");
  }
  if (table.cols != 1) {
    throw InputError(path + ": has " + std::to_string(table.cols) +
                     " values per row, expected one target");
  }
  return table;
}

namespace {

bool is_text(FileFormat format) {
  return format == FileFormat::csv || format == FileFormat::tsv || format == FileFormat::libsvm;
}

// The options with what the model's training file decides, and the format.
struct Resolved {
  ReadOptions options;
  FileFormat format;
};

Resolved resolve(const Input& input, const ReadOptions& options) {
  Resolved resolved{options, parse_format(options.reading.format.name, input)};
  if (options.schema == nullptr) {
    refuse_settings_without_use(options.reading, resolved.format, input.name());
    return resolved;
  }
  const Reading& trained = options.schema->reading;
  refuse_settings_against_model(options, input.name());
  resolved.options.reading.complete_from(trained);
  if (options.reading.format == "auto" && trained.format != FormatName() &&
      is_text(resolved.format)) {
    const FileFormat before = parse_format(trained.format.name, input);
    const bool pairs = before == FileFormat::libsvm;
    if (is_text(before) && pairs != (resolved.format == FileFormat::libsvm)) {
      resolved.format = before;
    }
  }
  refuse_settings_without_use(options.reading, resolved.format, input.name());
  // The name of a .tsv file says what separates its fields.
  if (resolved.format == FileFormat::tsv && options.reading.delimiter.automatic()) {
    resolved.options.reading.delimiter = '\t';
  }
  return resolved;
}

template <Real T>
void drop_missing_targets(Dataset<T>& data) {
  if (!data.has_target()) return;
  std::vector<Index> kept;
  for (std::size_t i = 0; i < data.target.size(); ++i) {
    if (!std::isnan(data.target[i])) kept.push_back(static_cast<Index>(i));
  }
  const auto dropped = data.rows() - static_cast<Index>(kept.size());
  if (dropped == 0) return;
  if (kept.empty())
    throw InputError(data.source +
                     ": the target is missing in every row; name another column with " +
                     option("target"));
  log::warning(data.source + ": " + std::to_string(dropped) + " of " + std::to_string(data.rows()) +
               " rows are left out, because their target " + data.target_column.name +
               " is missing");
  data = select_rows(data, kept);
}

bool has_declared_types(FileFormat format) {
  return format == FileFormat::parquet || format == FileFormat::arrow;
}

template <Real T>
Dataset<T> read_format(const Input& input, const Resolved& resolved) {
  switch (resolved.format) {
    case FileFormat::csv: return read_csv<T>(input, resolved.options, false);
    case FileFormat::tsv: return read_csv<T>(input, resolved.options, true);
    case FileFormat::npy: return read_npy<T>(input, resolved.options);
    case FileFormat::npz: return read_npz<T>(input, resolved.options);
    case FileFormat::libsvm: return read_libsvm<T>(input, resolved.options);
    case FileFormat::idx: return read_idx<T>(input, resolved.options);
    case FileFormat::parquet:
    case FileFormat::arrow: break;
  }
  return read_typed_files<T>({input}, {}, input.name(), resolved.format, resolved.options);
}

// Records the format where the reader has not, and leaves out rows that are not wanted.
template <Real T>
Dataset<T> finished(Dataset<T> data, FileFormat format, const ReadOptions& options) {
  if (!data.reading || data.reading->format == FormatName()) {
    auto reading =
        data.reading ? std::make_shared<Reading>(*data.reading) : std::make_shared<Reading>();
    reading->format = std::string(format_names()[static_cast<std::size_t>(format)]);
    data.reading = std::move(reading);
  }
  if (options.drop_missing_target) drop_missing_targets(data);
  return data;
}

// What the folders of each file say, and of what the folders around all of them say the columns
// that the model was trained on, which a part of the table that is read alone does not have
// otherwise.
std::vector<Partition> partitions_of(const TableFiles& named, const ReadOptions& options) {
  std::vector<Partition> partitions;
  for (const TableFile& file : named.files) {
    Partition partition;
    for (const PartitionValue& value : named.around) {
      if (is_asked_for(options.schema, value.column)) partition.push_back(value);
    }
    partition.insert(partition.end(), file.partition.begin(), file.partition.end());
    partitions.push_back(std::move(partition));
  }
  return partitions;
}

// Files of columns with declared types, as one table.
template <Real T>
Dataset<T> read_declared(const TableFiles& named, const std::vector<Input>& files,
                         const std::string& name, const Resolved& resolved,
                         const ReadOptions& options) {
  for (const Input& file : files) {
    if (options.reading.format != "auto" || format_of(file) == resolved.format) continue;
    throw InputError(file.name() + ": is no " +
                     std::string(format_names()[static_cast<std::size_t>(resolved.format)]) +
                     " file, as " + files.front().name() +
                     " is; files that are read as one are of one format, so move it out of the "
                     "folder");
  }
  return finished(read_typed_files<T>(files, partitions_of(named, options), name, resolved.format,
                                      resolved.options),
                  resolved.format, options);
}

// Folders around what is read say the values of columns that a whole table would have, and its part
// has not.
template <Real T>
void remark_on_folders(const TableFiles& named, Dataset<T>& data) {
  for (const PartitionValue& value : named.around) {
    const auto has = [&](const Column& column) {
      return column.name == value.column || column.name.starts_with(value.column + ".");
    };
    if (data.target_column.name == value.column ||
        std::any_of(data.columns.begin(), data.columns.end(), has)) {
      continue;
    }
    std::string notice = data.source + ": lies in the folder " + value.column + "=" + value.value +
                         ", which says the value of a column that is not read here; name the "
                         "folder above it to have the column " +
                         value.column;
    log::warning(notice);
    auto reading =
        data.reading ? std::make_shared<Reading>(*data.reading) : std::make_shared<Reading>();
    reading->notices.push_back(std::move(notice));
    data.reading = std::move(reading);
  }
}

}  // namespace

template <Real T>
Dataset<T> read_input(const Input& archive, const ReadOptions& options) {
  try {
    const std::string mark = archive.head(4);
    const bool zip =
        mark == std::string_view("PK\x03\x04", 4) && options.reading.format != FormatName("npz");
    const std::optional<Input> member = zip ? text_in_zip(archive) : std::nullopt;
    const Input& input = member ? *member : archive;
    const Resolved resolved = resolve(input, options);
    return finished(read_format<T>(input, resolved), resolved.format, options);
  } catch (const std::bad_alloc&) {
    throw InputError(archive.name() + ": does not fit into memory; take fewer rows or columns");
  }
}

namespace {

template <Real T>
Dataset<T> read_files(const std::string& path, const TableFiles& named,
                      const ReadOptions& options) {
  const std::vector<std::string> paths = named.paths();
  const Input first = Input::file(paths.front());
  if (paths.size() == 1 && !named.partitioned() && named.around.empty()) {
    Dataset<T> data = read_input<T>(first, options);
    read_query_file(data, paths.front());
    return data;
  }
  const Resolved resolved = resolve(first, options);
  if (!has_declared_types(resolved.format)) {
    if (named.partitioned()) {
      throw InputError(path + ": its folders say values of columns, such as " +
                       named.files.front().partition.front().column +
                       ", which is read of Parquet and Arrow files alone, and " + paths.front() +
                       " is none; write the table as Parquet, or write the column into the files "
                       "and put them into one folder");
    }
    Dataset<T> data =
        read_input<T>(paths.size() == 1 ? first : joined_files(path, paths, options), options);
    if (paths.size() == 1) read_query_file(data, paths.front());
    return data;
  }
  std::vector<Input> files{first};
  for (std::size_t i = 1; i < paths.size(); ++i) files.push_back(Input::file(paths[i]));
  try {
    Dataset<T> data =
        read_declared<T>(named, files, paths.size() == 1 ? paths.front() : path, resolved, options);
    if (paths.size() == 1) read_query_file(data, paths.front());
    return data;
  } catch (const std::bad_alloc&) {
    throw InputError(path + ": does not fit into memory; take fewer rows or columns");
  }
}

}  // namespace

template <Real T>
Dataset<T> read_dataset(const std::string& path, const ReadOptions& options) {
  const TableFiles named = files_named_by(path);
  Dataset<T> data = read_files<T>(path, named, options);
  if (options.schema == nullptr) remark_on_folders(named, data);
  return data;
}

template Dataset<float> read_dataset(const std::string&, const ReadOptions&);
template Dataset<double> read_dataset(const std::string&, const ReadOptions&);
template Dataset<float> read_input(const Input&, const ReadOptions&);
template Dataset<double> read_input(const Input&, const ReadOptions&);
template Dataset<float> make_dataset(Table<float>, Table<float>*, const Input&, const ReadOptions&);
template Dataset<double> make_dataset(Table<double>, Table<double>*, const Input&,
                                      const ReadOptions&);
template Table<float> read_target_table(const std::string&, const ReadOptions&);
template Table<double> read_target_table(const std::string&, const ReadOptions&);
template void fit_to_schema(Dataset<float>&, const Schema&);
template void fit_to_schema(Dataset<double>&, const Schema&);

}  // namespace tandem

// Text files of a folder, or those that a pattern means, as one table: one after the other, in the
// order of their names.
#include <algorithm>

#include "core/data/csv_columns.hpp"
#include "core/data/csv_dialect.hpp"
#include "core/data/readers.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

// The bytes of each file, ended by a line feed; of all but the first without its first line where
// that names the columns.
class JoinedSource final : public ByteSource {
 public:
  JoinedSource(std::vector<Input> files, bool header) : files_(std::move(files)), header_(header) {}

  std::size_t read(char* to, std::size_t count) override {
    if (count == 0) return 0;
    for (;;) {
      if (!source_) {
        if (next_ == files_.size()) return 0;
        source_ = next_ > 0 && header_ ? without_first_lines(files_[next_], 1).open()
                                       : files_[next_].open();
        ++next_;
        ended_by_feed_ = true;
      }
      const std::size_t got = source_->read(to, count);
      if (got > 0) {
        ended_by_feed_ = to[got - 1] == '\n';
        return got;
      }
      source_.reset();
      if (ended_by_feed_) continue;
      *to = '\n';
      return 1;
    }
  }

 private:
  std::vector<Input> files_;
  bool header_;
  std::size_t next_ = 0;
  std::unique_ptr<ByteSource> source_;
  bool ended_by_feed_ = true;
};

std::string first_line_of(const Input& file) {
  std::string head = file.head(std::size_t{1} << 16);
  if (head.compare(0, 3, "\xEF\xBB\xBF") == 0) head.erase(0, 3);
  head.resize(std::min(head.find('\n'), head.size()));
  if (!head.empty() && head.back() == '\r') head.pop_back();
  return head;
}

bool names_columns(const Input& file, const ReadOptions& options) {
  if (options.reading.header != HeaderChoice::automatic)
    return options.reading.header == HeaderChoice::yes;
  if (options.schema != nullptr && options.schema->reading.header != HeaderChoice::automatic) {
    return options.schema->reading.header == HeaderChoice::yes;
  }
  const TextHead head = read_text_head(file, std::size_t{64} << 20);
  const FoundDialect found = find_dialect(head, options.reading, false, file.name());
  if (found.skip_lines > 0) {
    throw InputError(file.name() +
                     ": begins with lines that are no part of the table; several "
                     "files are read as one only where they begin with it");
  }
  const auto records = first_records(head, found.dialect, 1000);
  std::string why;
  return !records.empty() && find_csv_header(records, options.reading.missing.texts, why);
}

}  // namespace

Input joined_files(const std::string& name, const std::vector<std::string>& paths,
                   const ReadOptions& options) {
  std::vector<Input> files;
  Index largest = 0;
  for (const std::string& path : paths) {
    files.push_back(Input::file(path));
    largest = saturating_sum(largest, saturating_sum(files.back().largest_size(), 1));
    const FileFormat format = format_of(files.back());
    if (options.reading.format == "auto" && format != FileFormat::csv &&
        format != FileFormat::tsv && format != FileFormat::libsvm) {
      throw InputError(path +
                       ": several files are read as one only where they are text, or all of them "
                       "Parquet or Arrow; name this one alone");
    }
  }
  const bool pairs =
      options.reading.format == "libsvm" || format_of(files.front()) == FileFormat::libsvm;
  const bool header = !pairs && names_columns(files.front(), options);
  if (header) {
    const std::string names = first_line_of(files.front());
    for (std::size_t i = 1; i < files.size(); ++i) {
      if (first_line_of(files[i]) == names) continue;
      throw InputError(
          paths[i] + ": its first line is not that of " + paths.front() +
          ", which names the columns; files that are read as one have the same columns "
          "in the same order");
    }
  }
  return Input::derived(
      name, [files, header] { return std::make_unique<JoinedSource>(files, header); }, largest);
}

}  // namespace tandem

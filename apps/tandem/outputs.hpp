// The files that a command writes, checked before any work: none of them may be one that it reads,
// or another of them, and nothing of the user's is replaced unasked.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::program {

inline constexpr const char* written_kind = "what Tandem wrote there, unchanged since";
inline constexpr std::string_view replace_help =
    "replace an existing file that is not known to be one of these results";

// Whether the file of this name is one that may be replaced by a new one of its kind.
using MayReplace = std::function<bool(const std::string& path)>;

// A file that write_archive() wrote: "model", "checkpoint".
[[nodiscard]] MayReplace an_archive(std::string kind);
// A page of Tandem's, which says so in its head.
[[nodiscard]] MayReplace a_page();
// The JSON that `tandem gpu run --report` writes: its first member is "model", then come "kernels".
[[nodiscard]] MayReplace a_gpu_report();
[[nodiscard]] MayReplace a_finding_list();  // of tandem gpu check, as JSON or SARIF
// A table or array that mark_output() marked, and nobody has changed since. Neither says by its
// content who wrote it: the labels of somebody's data look as predictions do.
[[nodiscard]] MayReplace a_marked_output();
[[nodiscard]] MayReplace nothing();

// Marks a file that was just written as this program's, by an extended attribute that holds its
// size and time of change. Where the file system has none, the file is replaced only by --force.
void mark_output(const std::string& path);

enum class TableFormats { csv, csv_or_npy };

// Throws InputError where the ending of a table's name, in any case, promises a format that is not
// written: whoever opens the file would be misled.
void check_table_name(const std::string& name, const std::string& path, TableFormats written);

class OutputFiles {
 public:
  // `name` is as messages call it: option("data"), "the model". Empty paths are left out.
  void reads(std::string name, const std::string& path);
  // `kind` is what is written: "a model". "-" is standard output.
  void writes(std::string name, const std::string& path, std::string kind, MayReplace may_replace);
  // The folder, and report.html in it.
  void writes_report(const std::string& folder);
  // The two may be the same file: a checkpoint is resumed from and written again.
  void may_be_equal(const std::string& name, const std::string& other);

  // Throws InputError where a file that is written is one that is read (by whatever name or link)
  // or is written twice, where it exists and is of another kind (`force` allows that), or where it
  // is a folder or a link that leads nowhere, and where two read standard input; SystemError where
  // it cannot be written.
  void check(bool force) const;

 private:
  struct File {
    std::string name;
    std::string path;
    std::string kind;  // empty: is read
    MayReplace may_replace;
    bool folder = false;
  };
  static void check_place(const File& file);
  [[nodiscard]] bool excused(const File& a, const File& b) const;

  std::vector<File> read_;
  std::vector<std::string> standard_input_;  // what reads it
  std::vector<File> written_;
  std::vector<std::pair<std::string, std::string>> equal_;
};

}  // namespace tandem::program

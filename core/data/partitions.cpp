#include "core/data/partitions.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// What Hive, Spark and Arrow write where the value is missing.
constexpr std::string_view no_value = "__HIVE_DEFAULT_PARTITION__";
constexpr std::size_t most_depth = 32;

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? digit_of(text[i + 1]) : -1;
    const int low = high >= 0 ? digit_of(text[i + 2]) : -1;
    if (low < 0) {
      plain += text[i];
    } else {
      plain += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return plain;
}

// What lies in a folder, but hidden files and folders, and those such as _SUCCESS and _delta_log,
// which Spark writes beside the parts of a table.
struct Entries {
  std::vector<std::string> files;
  std::vector<std::string> markers;  // files whose names begin with _
  std::vector<std::string> folders;
};

Entries entries_of(const fs::path& folder, const std::string& pattern) {
  Entries entries;
  std::error_code failure;
  fs::directory_iterator entry(folder.empty() ? "." : folder, failure);
  if (failure) {
    throw SystemError(folder.string() + ": the folder cannot be read: " + failure.message());
  }
  for (const fs::directory_iterator end; entry != end; entry.increment(failure)) {
    const std::string name = entry->path().filename().string();
    if (name.front() == '.') continue;
    if (entry->is_directory(failure)) {
      if (name.front() != '_') entries.folders.push_back(name);
    } else if (entry->is_regular_file(failure) &&
               ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) {
      (name.front() == '_' ? entries.markers : entries.files).push_back(name);
    }
  }
  for (auto* names : {&entries.files, &entries.markers, &entries.folders}) {
    std::sort(names->begin(), names->end());
  }
  return entries;
}

std::string listed(const std::vector<std::string>& names) {
  return names.front() + (names.size() > 1 ? ", ..." : "");
}

// Gathers the files of the folders below one, each of which says the value of one column.
class PartitionedFolder {
 public:
  explicit PartitionedFolder(std::string path) : path_(std::move(path)) {}

  std::vector<TableFile> read(const Entries& entries) {
    descend(path_, entries, {});
    if (files_.empty()) {
      throw InputError(path_ + ": its folders, such as " + entries.folders.front() +
                       ", hold no files");
    }
    return std::move(files_);
  }

 private:
  void descend(const fs::path& folder, const Entries& entries, const Partition& partition) {
    std::optional<std::string> column;
    for (const std::string& name : entries.folders) {
      PartitionValue value;
      if (!parse_partition(name, value) || (column && *column != value.column)) {
        throw InputError(folder.string() + ": holds the folders " + entries.folders.front() +
                         " and " + (column ? name : entries.folders.back()) +
                         "; the folders of a partitioned table all say the value of the same "
                         "column, as year=2023 and year=2024 do; move others out of it");
      }
      column = value.column;
    }
    if (!entries.files.empty()) {
      throw InputError((folder / entries.files.front()).string() + ": stands beside the folder " +
                       entries.folders.front() +
                       ", whose name is the value of a column that this "
                       "file does not have; move it out, or name a folder or file alone");
    }
    for (const std::string& name : entries.folders) {
      Partition inside = partition;
      inside.emplace_back();
      (void)parse_partition(name, inside.back());
      for (std::size_t i = 0; i + 1 < inside.size(); ++i) {
        if (inside[i].column != inside.back().column) continue;
        throw InputError((folder / name).string() + ": says the value of " + inside[i].column +
                         ", which a folder around it says already; rename one of them");
      }
      const Entries below = entries_of(folder / name, "*");
      if (!below.folders.empty()) {
        if (inside.size() >= most_depth) {
          throw InputError((folder / name).string() +
                           ": folders are nested too deeply; does a link lead back to one around "
                           "it?");
        }
        descend(folder / name, below, inside);
        continue;
      }
      for (const std::string& file : below.files) add(folder / name / file, inside);
    }
  }

  void add(const fs::path& file, const Partition& partition) {
    const auto same = [](const PartitionValue& a, const PartitionValue& b) {
      return a.column == b.column;
    };
    if (!files_.empty()) {
      const Partition& first = files_.front().partition;
      if (!std::equal(first.begin(), first.end(), partition.begin(), partition.end(), same)) {
        throw InputError(file.string() +
                         ": its folders say values of other columns than those of " +
                         files_.front().path +
                         "; all files of a partitioned table lie equally deep, under the same "
                         "columns in the same order");
      }
    }
    files_.push_back({file.string(), partition});
  }

  std::string path_;
  std::vector<TableFile> files_;
};

// What the folders around a file or folder say, from the innermost outwards as long as each says
// something.
Partition partition_around(const std::string& path) {
  std::error_code failure;
  fs::path at = fs::path(path).lexically_normal();
  if (fs::is_directory(path, failure)) {
    if (!at.has_filename()) at = at.parent_path();
  } else {
    at = at.parent_path();
  }
  Partition around;
  PartitionValue value;
  while (at.has_filename() && parse_partition(at.filename().string(), value)) {
    around.insert(around.begin(), value);
    at = at.parent_path();
  }
  return around;
}

bool is_pattern(const std::string& path) { return path.find_first_of("*?[") != std::string::npos; }

}  // namespace

std::vector<std::string> TableFiles::paths() const {
  std::vector<std::string> paths;
  for (const TableFile& file : files) paths.push_back(file.path);
  return paths;
}

bool parse_partition(std::string_view folder, PartitionValue& value) {
  const std::size_t equals = folder.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  value.column = unescaped(folder.substr(0, equals));
  value.value = unescaped(folder.substr(equals + 1));
  value.missing = value.value.empty() || value.value == no_value;
  return true;
}

bool is_asked_for(const Schema* schema, const std::string& column) {
  if (schema == nullptr) return false;
  if (schema->target.name == column) return true;
  const auto has = [&](const Column& known) {
    // The parts of a date are features of their own.
    return known.name == column ||
           (known.name.starts_with(column + ".") && schema->reading.find(column) != nullptr);
  };
  return std::any_of(schema->columns.begin(), schema->columns.end(), has);
}

TableFiles files_named_by(const std::string& path) {
  TableFiles table;
  std::error_code failure;
  fs::path folder;
  std::string pattern = "*";
  const bool whole = fs::is_directory(path, failure);
  if (whole) {
    folder = path;
  } else if (is_pattern(path) && !fs::exists(path, failure)) {
    folder = fs::path(path).parent_path();
    pattern = fs::path(path).filename().string();
    if (is_pattern(folder.string()) && !fs::exists(folder, failure)) {
      throw InputError(path +
                       ": a pattern stands for names of files, not of folders; name the folder "
                       "above, which reads all that is in folders such as year=2024");
    }
    if (!folder.empty() && !fs::is_directory(folder, failure)) {
      throw InputError(path + ": there is no folder " + folder.string());
    }
  } else {
    table.files.push_back({path, {}});
    table.around = partition_around(path);
    return table;
  }
  table.around = partition_around(path);
  Entries entries = entries_of(folder, pattern);
  if (entries.files.empty() || pattern.front() == '_') {
    entries.files.insert(entries.files.end(), entries.markers.begin(), entries.markers.end());
    std::sort(entries.files.begin(), entries.files.end());
  }
  PartitionValue value;
  const auto says = [&value](const std::string& name) { return parse_partition(name, value); };
  if (whole && std::any_of(entries.folders.begin(), entries.folders.end(), says)) {
    if (entries.files == entries.markers) entries.files.clear();
    table.files = PartitionedFolder(path).read(entries);
    return table;
  }
  if (entries.files.empty() && whole && !entries.folders.empty()) {
    throw InputError(path + ": holds no files, and the folders inside it (" +
                     listed(entries.folders) +
                     ") say no value of a column, as year=2024 does; name one of them, or put the "
                     "files into one folder");
  }
  if (entries.files.empty()) {
    throw InputError(path + (whole ? ": is a folder without files; put the table's files into it"
                                   : ": no file has such a name; check the pattern and the "
                                     "current folder"));
  }
  if (whole && !entries.folders.empty()) {
    log::warning(path + ": the folders inside it (" + listed(entries.folders) +
                 ") are not looked into; the files beside them are the table");
  }
  for (const std::string& name : entries.files) {
    table.files.push_back({(folder / name).string(), {}});
  }
  return table;
}

}  // namespace tandem

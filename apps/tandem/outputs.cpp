#include "tandem/outputs.hpp"

#include <fnmatch.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "tandem/core/archive_kind.hpp"
#include "tandem/core/error.hpp"

namespace tandem::program {
namespace {

// Where a path that names no file yet would be.
std::filesystem::path place_of(const std::string& path) {
  std::error_code ignored;
  const std::filesystem::path absolute = std::filesystem::absolute(path, ignored);
  const std::filesystem::path place = std::filesystem::weakly_canonical(absolute, ignored);
  return ignored ? absolute.lexically_normal() : place;
}

bool is_device(const struct stat& status) { return S_ISCHR(status.st_mode); }

// One file, by whatever names; /dev/null and terminals are everybody's.
bool same_file(const std::string& a, const std::string& b) {
  struct stat one {};
  struct stat other {};
  const bool exists = ::stat(a.c_str(), &one) == 0;
  if (exists != (::stat(b.c_str(), &other) == 0)) return false;
  if (!exists) return place_of(a) == place_of(b);
  return !is_device(one) && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

bool is_pattern(const std::string& path) {
  struct stat status {};
  return path.find_first_of("*?[") != std::string::npos && ::stat(path.c_str(), &status) != 0;
}

// Whether a file is, or would be, one of those that are read as one table: in the folder that
// `read` names, by whatever links, or of a name that fits its pattern.
bool is_part_of(const std::string& file, const std::string& read) {
  namespace fs = std::filesystem;
  std::error_code failure;
  const bool pattern = is_pattern(read);
  if (!pattern && !fs::is_directory(read, failure)) return false;
  const fs::path asked(read);
  const fs::path named = pattern ? asked.parent_path() : asked;
  const fs::path folder = named.empty() ? fs::path(".") : named;
  const fs::path inside = place_of(file).lexically_relative(place_of(folder.string()));
  const std::string name = inside.string();
  if (!name.empty() && name != "." && *inside.begin() != "..") {
    if (!pattern) return true;
    if (inside == inside.filename() && ::fnmatch(asked.filename().c_str(), name.c_str(), 0) == 0) {
      return true;
    }
  }
  // A hard link from elsewhere.
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0 || status.st_nlink < 2 || !S_ISREG(status.st_mode)) {
    return false;
  }
  fs::recursive_directory_iterator entry(folder, failure);
  for (const fs::recursive_directory_iterator end; !failure && entry != end;
       entry.increment(failure)) {
    if (same_file(entry->path().string(), file)) return true;
  }
  return false;
}

// Throws InputError where the path is a symbolic link that leads to no file.
void require_no_lost_link(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return;
  if (errno == ELOOP) {
    throw InputError(path + ": is a symbolic link that leads back to itself; remove it first");
  }
  if (::lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return;
  std::error_code ignored;
  throw InputError(path + ": is a symbolic link to " +
                   std::filesystem::read_symlink(path, ignored).string() +
                   ", which does not exist; remove the link or make the file first");
}

constexpr const char* mark_name = "user.tandem.output";

// "SIZE SECONDS.NANOSECONDS"
std::string mark_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return "";
  return std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec);
}

std::string first_bytes(const std::string& path, std::size_t most) {
  std::string text(most, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(most));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

}  // namespace

MayReplace an_archive(std::string kind) {
  return [kind = std::move(kind)](const std::string& path) { return archive_kind(path) == kind; };
}

MayReplace a_page() {
  return [](const std::string& path) {
    return first_bytes(path, 2048).find("<meta name=\"generator\" content=\"Tandem\">") !=
           std::string::npos;
  };
}

MayReplace a_gpu_report() {
  return [](const std::string& path) {
    const std::string text = first_bytes(path, 1024);
    return text.starts_with("{\n  \"model\": \"") && text.find("\n  \"kernels\": [") < text.size();
  };
}

MayReplace a_finding_list() {
  return [](const std::string& path) {
    const std::string text = first_bytes(path, 1024);
    return text.starts_with("{\n  \"errors\": ") || text.find("sarif-2.1.0") < text.size();
  };
}

MayReplace a_marked_output() {
  return [](const std::string& path) {
    std::array<char, 128> mark{};
    const ssize_t size = ::getxattr(path.c_str(), mark_name, mark.data(), mark.size());
    return size > 0 &&
           std::string_view(mark.data(), static_cast<std::size_t>(size)) == mark_of(path);
  };
}

void mark_output(const std::string& path) {
  if (path.empty() || path == "-") return;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  const std::string mark = mark_of(path);
  (void)::setxattr(path.c_str(), mark_name, mark.data(), mark.size(), 0);
}

MayReplace nothing() {
  return [](const std::string&) { return false; };
}

void OutputFiles::reads(std::string name, const std::string& path) {
  if (path == "-" || path == "/dev/stdin") standard_input_.push_back(name);
  if (!path.empty() && path != "-") read_.push_back({std::move(name), path, "", nothing()});
}

void check_table_name(const std::string& name, const std::string& path, TableFormats written) {
  constexpr std::array<std::string_view, 28> others{
      ".tsv", ".tab",  ".npz",   ".parquet", ".pq",   ".feather", ".arrow",
      ".ipc", ".json", ".jsonl", ".ndjson",  ".xlsx", ".xls",     ".ods",
      ".h5",  ".hdf5", ".pkl",   ".pickle",  ".gz",   ".zst",     ".xz",
      ".bz2", ".zip",  ".avro",  ".orc",     ".svm",  ".libsvm",  ".svmlight"};
  std::string lower = path;
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const bool arrays = written == TableFormats::csv_or_npy;
  const auto ends = [&](std::string_view ending) { return lower.ends_with(ending); };
  const auto* found = std::find_if(others.begin(), others.end(), ends);
  std::string_view promised = found == others.end() ? "" : *found;
  // Arrays are written where the name ends so in small letters.
  if (lower.ends_with(".npy") && !(arrays && path.ends_with(".npy"))) promised = ".npy";
  if (promised.empty()) return;
  throw InputError(name + " " + path + ": " + (arrays ? "CSV and .npy are" : "CSV is") +
                   " written, and the name promises another format; end it with .csv" +
                   (arrays ? " or .npy" : "") +
                   (promised.starts_with(".json") ? ", or print JSON with " + option("json") : ""));
}

void OutputFiles::writes(std::string name, const std::string& path, std::string kind,
                         MayReplace may_replace) {
  if (path.empty() || path == "-") return;
  written_.push_back({std::move(name), path, std::move(kind), std::move(may_replace)});
}

void OutputFiles::writes_report(const std::string& folder) {
  if (folder.empty()) return;
  written_.push_back({option("report"), folder, "a folder", nothing(), true});
  written_.push_back({option("report"), (std::filesystem::path(folder) / "report.html").string(),
                      "a report of Tandem", a_page()});
}

void OutputFiles::may_be_equal(const std::string& name, const std::string& other) {
  equal_.emplace_back(name, other);
}

bool OutputFiles::excused(const File& a, const File& b) const {
  for (const auto& [name, other] : equal_) {
    if (a.name == name && b.name == other) return true;
  }
  return false;
}

void OutputFiles::check_place(const File& file) {
  struct stat status {};
  if (::stat(file.path.c_str(), &status) == 0) {
    if (file.folder == S_ISDIR(status.st_mode)) return;
    throw InputError(file.path + (file.folder ? ": is a file, expected the name of a folder"
                                              : ": is a folder, expected the name of a file"));
  }
  require_no_lost_link(file.path);
  if (file.folder) return;
  const auto folder = std::filesystem::path(file.path).parent_path();
  const std::string place = folder.empty() ? "." : folder.string();
  std::error_code ignored;
  if (!std::filesystem::is_directory(place, ignored)) {
    throw InputError(file.path + ": the folder " + place +
                     " does not exist; make it first or choose another");
  }
  if (::access(place.c_str(), W_OK) != 0) {
    throw SystemError(file.path + ": cannot be written: " + std::generic_category().message(errno));
  }
}

void OutputFiles::check(bool force) const {
  if (standard_input_.size() > 1) {
    throw InputError(standard_input_[0] + " and " + standard_input_[1] +
                     " both name standard input, which is read once; save what comes to a file");
  }
  for (std::size_t i = 0; i < written_.size(); ++i) {
    const File& file = written_[i];
    for (const File& input : read_) {
      if (is_part_of(file.path, input.path)) {
        throw InputError(file.name + " " + file.path + " would be one of the files that " +
                         input.name + " " + input.path +
                         " reads as one table; choose a place outside of it");
      }
      if (excused(file, input) || !same_file(file.path, input.path)) continue;
      throw InputError(file.name + " " + file.path + " is the file that " + input.name + " " +
                       (input.path == file.path ? "" : input.path + " ") +
                       "reads; it would be lost: choose another name");
    }
    for (std::size_t k = 0; k < i; ++k) {
      const File& other = written_[k];
      if (other.folder && file.name == other.name) continue;
      if (excused(file, other) || !same_file(file.path, other.path)) continue;
      throw InputError(other.name + " " + other.path + " and " + file.name + " " + file.path +
                       " are one file; give each a name of its own");
    }
  }
  for (const File& file : read_) require_no_lost_link(file.path);
  for (const File& file : written_) {
    // A report's folder is made later.
    struct stat status {};
    if (file.name == option("report") && !file.folder && ::lstat(file.path.c_str(), &status) != 0) {
      continue;
    }
    check_place(file);
  }
  for (const File& file : written_) {
    struct stat status {};
    if (file.folder || force || ::stat(file.path.c_str(), &status) != 0) continue;
    if (!S_ISREG(status.st_mode) || status.st_size == 0 || file.may_replace(file.path)) continue;
    throw InputError(file.path + ": exists, and is not known to be " + file.kind +
                     "; choose another name, or add " + option("force") + " to replace it");
  }
  // `>> data.csv`: what is printed would be read.
  struct stat standard {};
  if (::fstat(STDOUT_FILENO, &standard) != 0 || !S_ISREG(standard.st_mode)) return;
  std::error_code ignored;
  const std::string printed = std::filesystem::read_symlink("/proc/self/fd/1", ignored).string();
  for (const File& input : read_) {
    struct stat status {};
    if (!ignored && is_part_of(printed, input.path)) {
      throw InputError("standard output goes to " + printed + ", one of the files that " +
                       input.name + " " + input.path +
                       " reads as one table; send it to a place outside of it");
    }
    if (::stat(input.path.c_str(), &status) == 0 && status.st_dev == standard.st_dev &&
        status.st_ino == standard.st_ino) {
      throw InputError("standard output goes to " + input.path + ", which " + input.name +
                       " reads; send it to another file");
    }
  }
}

}  // namespace tandem::program

// The file of a data set: an archive of all but the numbers of its rows, zeros up to the next
// multiple of page_size, and the numbers as they lie in memory, whose checksums by pieces are in
// the archive.
#include "tandem/data/table_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <ostream>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/archive_front.hpp"
#include "core/data/partitions.hpp"
#include "core/external_memory.hpp"
#include "core/file.hpp"
#include "core/parallel.hpp"
#include "tandem/config.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/shared_bytes.hpp"

namespace tandem {
namespace {

constexpr std::string_view file_kind = "table";
constexpr std::size_t page_size = 4096;
// Bytes that have a checksum of their own.
constexpr std::size_t piece_bytes = std::size_t{1} << 20;

constexpr std::size_t next_page(std::size_t offset) {
  return (offset + page_size - 1) / page_size * page_size;
}

std::int64_t checksum(const void* bytes, std::size_t count) {
  return static_cast<std::int64_t>(
      crc32_z(crc32_z(0, nullptr, 0), static_cast<const Bytef*>(bytes), count));
}

// Calls f(name, values) for every array of numbers that a data set has, in the order of the file.
template <class Data, class F>
void for_each_array(Data& data, F&& f) {
  f("features", data.features.values());
  f("target", data.target);
  f("weights", data.weights);
  f("groups", data.groups);
  f("base_margin", data.base_margin);
  f("target_text_of_row", data.target_texts.labels);
}

template <class V>
std::vector<std::int64_t> checksums_of(const std::vector<V>& values) {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(values.data());
  const std::size_t size = values.size() * sizeof(V);
  std::vector<std::int64_t> sums((size + piece_bytes - 1) / piece_bytes);
  parallel_for(available_cores(), static_cast<Index>(sums.size()), [&](Index piece) {
    const std::size_t begin = static_cast<std::size_t>(piece) * piece_bytes;
    const std::size_t count = std::min(piece_bytes, size - begin);
    visit_elements(bytes + begin, static_cast<Index>(count));
    sums[static_cast<std::size_t>(piece)] = checksum(bytes + begin, count);
  });
  return sums;
}

// A file that is read from its beginning, and whose pages are left out of the system's cache.
class Source {
 public:
  Source(const std::string& path, std::size_t at)
      : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), at_(at) {
    if (descriptor_ < 0) throw SystemError(path + ": cannot be opened: " + std::strerror(errno));
    (void)::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source() { ::close(descriptor_); }

  void read(std::uint8_t* to, std::size_t count) {
    const std::size_t begin = at_;
    while (count > 0) {
      const ssize_t got = ::pread(descriptor_, to, count, static_cast<off_t>(at_));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw SystemError(path_ + ": cannot be read: " + std::strerror(errno));
      if (got == 0) throw InputError(path_ + ": is truncated; remove it, it will be made anew");
      to += got;
      at_ += static_cast<std::size_t>(got);
      count -= static_cast<std::size_t>(got);
    }
    (void)::posix_fadvise(descriptor_, static_cast<off_t>(begin), static_cast<off_t>(at_ - begin),
                          POSIX_FADV_DONTNEED);
  }

 private:
  const std::string& path_;
  int descriptor_;
  std::size_t at_;
};

// What tells a version of a file from another.
bool add_file(const std::string& path, std::vector<std::string>& facts) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return false;
  std::error_code unresolved;
  const auto full = std::filesystem::canonical(path, unresolved);
  facts.push_back((unresolved ? std::filesystem::path(path) : full).string());
  facts.push_back(std::to_string(found.st_size) + " bytes, changed at " +
                  std::to_string(found.st_mtim.tv_sec) + "." +
                  std::to_string(found.st_mtim.tv_nsec));
  return true;
}

void save_column(Archive& archive, const std::string& name, const Column& column) {
  archive.set(name + "/name", column.name);
  archive.set(name + "/categories", column.categories);
}
Column load_column(const Archive& archive, const std::string& name) {
  return {archive.get_string(name + "/name"), archive.get_strings(name + "/categories")};
}

}  // namespace

std::optional<Archive> origin_of_table(const std::string& path, const ReadOptions& options,
                                       Precision precision) {
  if (path == "-" || options.schema != nullptr) return std::nullopt;
  std::vector<std::string> facts;
  for (const std::string& file : files_named_by(path).paths()) {
    if (!add_file(file, facts)) return std::nullopt;
  }
  if (!options.target_file.empty() && !add_file(options.target_file, facts)) return std::nullopt;
  Archive origin;
  origin.set("version", TANDEM_VERSION);
  origin.set("path", path);
  origin.set("files", std::move(facts));
  origin.set("precision", to_string(precision));
  origin.set("target", options.target);
  origin.set("weights", options.weights);
  origin.set("ignore", options.ignore);
  origin.set("last_column_is_target", options.last_column_is_target);
  origin.set("drop_missing_target", options.drop_missing_target);
  Reading reading = options.reading;
  origin.set_part("reading",
                  record_options([&](OptionVisitor& visitor) { reading.visit(visitor); }));
  return origin;
}

std::string table_file_name(const Archive& origin) {
  // FNV-1a (Fowler, Noll and Vo) of the archive's bytes.
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const std::uint8_t byte : encode_archive(origin, file_kind)) {
    hash = (hash ^ byte) * 0x100000001B3U;
  }
  static constexpr const char* digits = "0123456789abcdef";
  std::string name = std::filesystem::path(origin.get_string("path")).filename().string() + "-";
  for (int shift = 60; shift >= 0; shift -= 4) name += digits[hash >> shift & 15];
  return name + ".table";
}

template <Real T>
void save_table(const std::string& path, const Dataset<T>& data, const Archive& origin) {
  Archive archive;
  archive.set_part("origin", origin);
  archive.set("source", data.source);
  archive.set("rows", data.rows());
  std::vector<std::string> names;
  for (std::size_t j = 0; j < data.columns.size(); ++j) {
    names.push_back(data.columns[j].name);
    if (data.columns[j].categorical()) {
      archive.set("categories/" + std::to_string(j), data.columns[j].categories);
    }
  }
  archive.set("columns", std::move(names));
  save_column(archive, "target_column", data.target_column);
  archive.set("target_texts", data.target_texts.names);
  archive.set("has_reading", data.reading != nullptr);
  if (data.reading) {
    Reading reading = *data.reading;
    archive.set_part("reading",
                     record_options([&](OptionVisitor& visitor) { reading.visit(visitor); }));
    archive.set("notices", reading.notices);
  }
  for_each_array(data, [&](const std::string& name, const auto& values) {
    archive.set("count/" + name, static_cast<std::int64_t>(values.size()));
    archive.set_tensor("checksums/" + name, checksums_of(values));
  });
  const std::vector<std::uint8_t> front = encode_archive(archive, file_kind);
  const std::vector<char> padding(next_page(front.size()) - front.size(), 0);
  write_file(path, [&](std::ostream& out) {
    out.write(reinterpret_cast<const char*>(front.data()),
              static_cast<std::streamsize>(front.size()));
    out.write(padding.data(), static_cast<std::streamsize>(padding.size()));
    for_each_array(data, [&](const std::string&, const auto& values) {
      const auto* const bytes = reinterpret_cast<const char*>(values.data());
      const std::size_t size = values.size() * sizeof(values[0]);
      for (std::size_t begin = 0; begin < size; begin += piece_bytes) {
        const std::size_t count = std::min(piece_bytes, size - begin);
        visit_elements(bytes + begin, static_cast<Index>(count));
        out.write(bytes + begin, static_cast<std::streamsize>(count));
      }
    });
  });
}

template <Real T>
std::optional<Dataset<T>> load_table(const std::string& path, const Archive& origin) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  const SharedBytes bytes = map_file(path);
  std::size_t front = 0;
  Archive archive = decode_archive_at_front(bytes.view(), file_kind, path, front);
  archive.set_origin(path);
  if (archive.part("origin") != origin) return std::nullopt;

  Dataset<T> data;
  data.source = archive.get_string("source");
  const auto& names = archive.get_strings("columns");
  const auto cols = static_cast<Index>(names.size());
  for (std::size_t j = 0; j < names.size(); ++j) {
    const std::string categories = "categories/" + std::to_string(j);
    data.columns.push_back({names[j], archive.has(categories) ? archive.get_strings(categories)
                                                              : std::vector<std::string>()});
  }
  data.target_column = load_column(archive, "target_column");
  data.target_texts.names = archive.get_strings("target_texts");
  if (archive.get_bool("has_reading")) {
    Reading reading;
    restore_options([&](OptionVisitor& visitor) { reading.visit(visitor); },
                    archive.part("reading"));
    reading.notices = archive.get_strings("notices");
    data.reading = std::make_shared<const Reading>(std::move(reading));
  }

  const Index rows = archive.get_int("rows", 1, Index{1} << 48);
  // Every array is there for each row or not at all.
  std::size_t expected = next_page(front);
  std::vector<T> features;
  const auto for_each = [&](auto&& f) {
    f("features", features);
    f("target", data.target);
    f("weights", data.weights);
    f("groups", data.groups);
    f("base_margin", data.base_margin);
    f("target_text_of_row", data.target_texts.labels);
  };
  for_each([&](const std::string& name, auto& values) {
    const Index count = archive.get_int("count/" + name, 0, Index{1} << 50);
    const Index width = name == "features" ? cols : 1;
    const bool fits = name == "base_margin"
                          ? count % rows == 0
                          : count == rows * width || (count == 0 && name != "features");
    if (!fits) archive.fail("count/" + name, "does not fit the rows");
    expected += static_cast<std::size_t>(count) * sizeof(values[0]);
  });
  if (bytes.size() != expected) {
    throw InputError(path + ": is damaged: it has " + std::to_string(bytes.size()) +
                     " bytes, expected " + std::to_string(expected) +
                     "; remove it, it will be made anew");
  }
  Source source(path, next_page(front));
  std::vector<std::uint8_t> piece(piece_bytes);
  for_each([&]<class V>(const std::string& name, std::vector<V>& values) {
    const auto count = static_cast<std::size_t>(archive.get_int("count/" + name));
    const auto& sums = archive.get_tensor<std::int64_t>(
        "checksums/" + name,
        static_cast<Index>((count * sizeof(V) + piece_bytes - 1) / piece_bytes));
    values.reserve(count);
    constexpr std::size_t at_once = piece_bytes / sizeof(V);
    for (std::size_t begin = 0; begin < count; begin += at_once) {
      const std::size_t here = std::min(at_once, count - begin);
      source.read(piece.data(), here * sizeof(V));
      if (checksum(piece.data(), here * sizeof(V)) != sums[begin / at_once]) {
        throw InputError(path + ": is damaged: a checksum of its " + name +
                         " does not fit; remove it, it will be made anew");
      }
      const auto* const from = reinterpret_cast<const V*>(piece.data());
      visit_elements(values.data() + begin, static_cast<Index>(here), external::Access::write);
      values.insert(values.end(), from, from + here);
    }
  });
  data.features = Matrix<T>(rows, cols, std::move(features));
  return data;
}

#define TANDEM_INSTANTIATE(T)                                                      \
  template void save_table(const std::string&, const Dataset<T>&, const Archive&); \
  template std::optional<Dataset<T>> load_table(const std::string&, const Archive&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem

// NumPy's archive of arrays: a zip file whose members are .npy files, stored or deflated. The zip
// structure is that of PKWARE's APPNOTE 6.3, with the 64-bit extensions, without encryption and
// without parts on several disks.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "core/data/readers.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"

namespace tandem {
namespace {

constexpr Index largest_expansion = 1032;  // of deflate

std::uint64_t little(const unsigned char* p, int bytes) {
  std::uint64_t value = 0;
  for (int i = bytes; i-- > 0;) value = value << 8 | p[i];
  return value;
}

struct Member {
  std::string name;  // of an array without .npy
  bool encrypted = false;
  int method = 0;
  std::uint32_t crc = 0;
  Index stored = 0;
  Index size = 0;
  Index header = 0;  // offset of the local header
};

[[noreturn]] void damaged(const Input& input, const std::string& what) {
  throw InputError(input.name() + ": is damaged: " + what);
}

Index checked(const Input& input, std::uint64_t value, const char* what) {
  if (value > static_cast<std::uint64_t>(input.whole_size())) {
    damaged(input, std::string(what) + " lies behind the end of the file");
  }
  return static_cast<Index>(value);
}

// The central directory.
std::vector<Member> read_directory(const Input& input) {
  const Index size = input.whole_size();
  constexpr Index end_record = 22;
  if (size < end_record) damaged(input, "it is shorter than a zip file can be");
  // The end record is followed by a comment of up to 65535 bytes.
  const Index tail_size = std::min<Index>(size, end_record + 65535);
  std::vector<unsigned char> tail(static_cast<std::size_t>(tail_size));
  input.read_at(size - tail_size, reinterpret_cast<char*>(tail.data()), tail.size());
  Index at = -1;
  for (Index i = tail_size - end_record; i >= 0; --i) {
    if (std::memcmp(tail.data() + i, "PK\x05\x06", 4) == 0) {
      at = i;
      break;
    }
  }
  if (at < 0) damaged(input, "the directory at its end is missing; is the file complete?");
  const unsigned char* const end = tail.data() + at;
  std::uint64_t count = little(end + 10, 2);
  std::uint64_t directory_size = little(end + 12, 4);
  std::uint64_t offset = little(end + 16, 4);
  if (count == 0xFFFF || directory_size == 0xFFFFFFFF || offset == 0xFFFFFFFF) {
    const Index locator = size - tail_size + at - 20;
    std::array<unsigned char, 56> bytes{};
    if (locator >= 0) {
      input.read_at(locator, reinterpret_cast<char*>(bytes.data()), 20);
      if (std::memcmp(bytes.data(), "PK\x06\x07", 4) == 0) {
        const Index wide = checked(input, little(bytes.data() + 8, 8), "the directory");
        input.read_at(wide, reinterpret_cast<char*>(bytes.data()), bytes.size());
        if (std::memcmp(bytes.data(), "PK\x06\x06", 4) != 0) {
          damaged(input, "its 64-bit directory is missing");
        }
        count = little(bytes.data() + 32, 8);
        directory_size = little(bytes.data() + 40, 8);
        offset = little(bytes.data() + 48, 8);
      }
    }
  }
  const Index begin = checked(input, offset, "the directory");
  const Index length = checked(input, directory_size, "the directory");
  if (length > (Index{256} << 20)) damaged(input, "its directory is too long");
  std::vector<unsigned char> directory(static_cast<std::size_t>(length));
  input.read_at(begin, reinterpret_cast<char*>(directory.data()), directory.size());

  std::vector<Member> members;
  std::size_t p = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (directory.size() - p < 46 || std::memcmp(directory.data() + p, "PK\x01\x02", 4) != 0) {
      damaged(input, "entry " + std::to_string(i + 1) + " of its directory");
    }
    const unsigned char* const entry = directory.data() + p;
    const auto name_size = static_cast<std::size_t>(little(entry + 28, 2));
    const auto extra_size = static_cast<std::size_t>(little(entry + 30, 2));
    const auto comment_size = static_cast<std::size_t>(little(entry + 32, 2));
    if (directory.size() - p < 46 + name_size + extra_size + comment_size) {
      damaged(input, "entry " + std::to_string(i + 1) + " of its directory");
    }
    Member member;
    member.name.assign(reinterpret_cast<const char*>(entry + 46), name_size);
    member.method = static_cast<int>(little(entry + 10, 2));
    member.crc = static_cast<std::uint32_t>(little(entry + 16, 4));
    std::uint64_t stored = little(entry + 20, 4);
    std::uint64_t full = little(entry + 24, 4);
    std::uint64_t header = little(entry + 42, 4);
    // Extra fields: kind, length, data. Kind 1 has the 64-bit values of those that are all ones.
    const unsigned char* extra = entry + 46 + name_size;
    const unsigned char* const extra_end = extra + extra_size;
    while (extra_end - extra >= 4) {
      const auto kind = little(extra, 2);
      const auto field = static_cast<std::ptrdiff_t>(little(extra + 2, 2));
      extra += 4;
      if (extra_end - extra < field) break;
      if (kind == 1) {
        const unsigned char* value = extra;
        for (std::uint64_t* wide : {&full, &stored, &header}) {
          if (*wide != 0xFFFFFFFF) continue;
          if (extra + field - value < 8) break;
          *wide = little(value, 8);
          value += 8;
        }
      }
      extra += field;
    }
    member.encrypted = (little(entry + 8, 2) & 1) != 0;
    p += 46 + name_size + extra_size + comment_size;
    member.stored = checked(input, stored, "a member");
    member.header = checked(input, header, "a member");
    const Index most =
        member.method == 8 ? saturating_product(member.stored, largest_expansion) : member.stored;
    if (member.method != 0 && member.method != 8) {
      // No array of this size could be used.
    } else if (full > static_cast<std::uint64_t>(most)) {
      damaged(input, member.name + " claims " + std::to_string(full) + " bytes made of " +
                         std::to_string(member.stored));
    }
    member.size = static_cast<Index>(full);
    members.push_back(std::move(member));
  }
  return members;
}

void require_readable(const Input& input, const Member& member) {
  if (member.encrypted) throw InputError(input.name() + ": " + member.name + " is encrypted");
  if (member.method != 0 && member.method != 8) {
    throw InputError(input.name() + ": " + member.name + " is compressed by method " +
                     std::to_string(member.method) + ", expected stored or deflate");
  }
}

bool ends_with(std::string_view text, std::string_view ending) {
  return text.size() > ending.size() && text.substr(text.size() - ending.size()) == ending;
}

std::vector<Member> arrays_of(const Input& input, const std::vector<Member>& members) {
  std::vector<Member> arrays;
  for (const Member& member : members) {
    constexpr std::string_view ending = ".npy";
    if (!ends_with(member.name, ending)) continue;
    arrays.push_back(member);
    arrays.back().name.resize(member.name.size() - ending.size());
    require_readable(input, arrays.back());
  }
  return arrays;
}

// A member's bytes; checks their number and checksum when the end is reached.
class MemberSource final : public ByteSource {
 public:
  MemberSource(std::unique_ptr<ByteSource> source, Member member, std::string name)
      : source_(std::move(source)), member_(std::move(member)), name_(std::move(name)) {}
  std::size_t read(char* to, std::size_t count) override {
    const std::size_t got = source_->read(to, std::min(count, std::size_t{1} << 30));
    crc_ = static_cast<std::uint32_t>(
        ::crc32(crc_, reinterpret_cast<const Bytef*>(to), static_cast<uInt>(got)));
    total_ += static_cast<Index>(got);
    if (total_ > member_.size) {
      throw InputError(name_ + ": is longer than the archive's directory says");
    }
    if (got == 0 && count > 0 && (total_ != member_.size || crc_ != member_.crc)) {
      throw InputError(name_ + ": its checksum is wrong; the file is damaged");
    }
    return got;
  }

 private:
  std::unique_ptr<ByteSource> source_;
  Member member_;
  std::string name_;
  std::uint32_t crc_ = 0;
  Index total_ = 0;
};

std::unique_ptr<ByteSource> open_member(const Input& input, const Member& member) {
  std::array<unsigned char, 30> local{};
  input.read_at(member.header, reinterpret_cast<char*>(local.data()), local.size());
  if (std::memcmp(local.data(), "PK\x03\x04", 4) != 0) {
    damaged(input, "the header of " + member.name);
  }
  const Index begin = member.header + 30 + static_cast<Index>(little(local.data() + 26, 2)) +
                      static_cast<Index>(little(local.data() + 28, 2));
  if (begin > input.whole_size() || member.stored > input.whole_size() - begin) {
    damaged(input, member.name + " lies behind the end of the file");
  }
  const std::string name = input.name() + ": " + member.name;
  auto bytes = part_of(input, begin, member.stored);
  if (member.method == 8) bytes = inflate_raw(std::move(bytes), name);
  return std::make_unique<MemberSource>(std::move(bytes), member, name);
}

template <Real T>
Table<T> read_member(const Input& input, const Member& member, const MemoryBudget& budget) {
  const std::unique_ptr<ByteSource> source = open_member(input, member);
  Table<T> table =
      read_npy_table<T>(*source, member.size, input.name() + ": " + member.name, budget);
  // Bytes after the array, of which there are usually none, count for the checksum.
  std::array<char, 4096> rest;
  while (source->read(rest.data(), rest.size()) > 0) {
  }
  return table;
}

const Member* find_member(const std::vector<Member>& members, const std::string& name) {
  for (const auto& member : members) {
    if (member.name == name) return &member;
  }
  return nullptr;
}

const Member* first_of(const std::vector<Member>& members,
                       std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const Member* member = find_member(members, name)) return member;
  }
  return nullptr;
}

}  // namespace

std::optional<Input> text_in_zip(const Input& input) {
  if (input.compression() != Compression::none || !input.stored()) return std::nullopt;
  const std::vector<Member> members = read_directory(input);
  std::vector<Member> files;
  for (const Member& member : members) {
    if (ends_with(member.name, ".npy")) return std::nullopt;
    const auto kind = [&](const char* name, const char* what) {
      if (member.name != name) return;
      throw InputError(input.name() + ": is " + what +
                       ", which is not read; save the table as CSV and read that");
    };
    kind("xl/workbook.xml", "an Excel workbook (.xlsx)");
    kind("xl/workbook.bin", "an Excel workbook (.xlsb)");
    kind("word/document.xml", "a Word document");
    kind("content.xml", "an OpenDocument file (.ods)");
    const bool folder = member.name.empty() || member.name.back() == '/';
    const bool of_system =
        member.name.rfind("__MACOSX/", 0) == 0 || ends_with("/" + member.name, "/.DS_Store");
    if (!folder && !of_system) files.push_back(member);
  }
  if (files.empty()) return std::nullopt;
  if (files.size() > 1) {
    std::string names;
    for (std::size_t i = 0; i < files.size() && i < 5; ++i) {
      names += (i > 0 ? ", " : "") + files[i].name;
    }
    throw InputError(input.name() + ": holds " + std::to_string(files.size()) + " files (" + names +
                     (files.size() > 5 ? ", ..." : "") +
                     "), and one is read; unpack it and name the file");
  }
  const Member member = files.front();
  require_readable(input, member);
  return Input::derived(
      input.name() + ": " + member.name, [input, member] { return open_member(input, member); },
      member.size);
}

template <Real T>
Dataset<T> read_npz(const Input& input, const ReadOptions& options) {
  if (input.compression() != Compression::none || !input.stored()) {
    throw InputError(
        input.name() +
        ": an .npz file that is compressed once more is not read; decompress it first");
  }
  const MemoryBudget budget(input.name(), options);
  const auto members = arrays_of(input, read_directory(input));
  std::string listed;
  for (std::size_t i = 0; i < members.size() && i < 20; ++i) {
    listed += (i > 0 ? ", " : "") + members[i].name;
  }
  if (find_member(members, "format") != nullptr && find_member(members, "shape") != nullptr &&
      find_member(members, "data") != nullptr) {
    throw InputError(
        input.name() +
        ": is a sparse matrix of SciPy, which is not read; write it as libsvm: in "
        "Python, sklearn.datasets.dump_svmlight_file(scipy.sparse.load_npz(FILE), y, "
        "\"data.svm\"), or as a dense array: numpy.save(\"data.npy\", matrix.toarray())");
  }
  const Member* features =
      first_of(members, {"x", "X", "data", "features", "x_train", "X_train", "train_x", "arr_0"});
  if (features == nullptr && members.size() == 1) features = &members.front();
  if (features == nullptr) {
    throw InputError(
        input.name() + ": has no array named x, X, data, features or x_train; it has " +
        (listed.empty() ? "none" : listed) +
        "; save the features under one of those names: numpy.savez(FILE, x=..., y=...)");
  }
  const Member* target = nullptr;
  if (!options.target.empty()) {
    target = find_member(members, options.target);
  } else if (options.target_file.empty()) {
    target =
        first_of(members, {"y", "Y", "target", "labels", "label", "y_train", "Y_train", "train_y"});
  }
  if (target == features) target = nullptr;
  Table<T> table = read_member<T>(input, *features, budget);
  if (target == nullptr) {
    return make_dataset(std::move(table), static_cast<Table<T>*>(nullptr), input, options);
  }
  Table<T> labels = read_member<T>(input, *target, budget);
  return make_dataset(std::move(table), &labels, input, options);
}

template Dataset<float> read_npz(const Input&, const ReadOptions&);
template Dataset<double> read_npz(const Input&, const ReadOptions&);

}  // namespace tandem

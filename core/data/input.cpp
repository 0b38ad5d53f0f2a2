#include "core/data/input.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <system_error>

#include "core/memory.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

constexpr Index unlimited = std::numeric_limits<Index>::max();

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  std::size_t read(char* to, std::size_t count) override {
    count = std::min(count, bytes_.size());
    if (count > 0) std::memcpy(to, bytes_.data(), count);
    bytes_ = bytes_.subspan(count);
    return count;
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

Compression compression_of(const unsigned char* head, std::size_t size) {
  if (size >= 2 && head[0] == 0x1f && head[1] == 0x8b) return Compression::gzip;
  if (size >= 4 && std::memcmp(head, "BZh", 3) == 0 && head[3] >= '1' && head[3] <= '9') {
    return Compression::bzip2;
  }
  if (size >= 6 && std::memcmp(head, "\xFD\x37\x7A\x58\x5A\x00", 6) == 0) return Compression::xz;
  if (size >= 4 && std::memcmp(head, "\x28\xB5\x2F\xFD", 4) == 0) return Compression::zstd;
  // A frame that decoders skip may come first: 0x184D2A50 to 0x184D2A5F.
  const bool skipped = size >= 4 && (static_cast<unsigned char>(head[0]) & 0xF0U) == 0x50;
  if (skipped && std::memcmp(head + 1, "\x2A\x4D\x18", 3) == 0) return Compression::zstd;
  return Compression::none;
}

}  // namespace

namespace {

constexpr std::string_view closed_for_reading =
    ": is closed, or cannot be read from; name a file, or give it the data with < FILE or by a "
    "pipe";

// Reads at the position of the descriptor where offset < 0.
std::size_t read_some(int descriptor, const std::string& name, char* to, std::size_t count,
                      Index offset) {
  count = std::min(count, std::size_t{1} << 30);
  for (;;) {
    const ssize_t got =
        offset < 0 ? ::read(descriptor, to, count) : ::pread(descriptor, to, count, offset);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EINTR) continue;
    if (errno == EISDIR) throw InputError(name + ": is a folder, expected a file");
    if (errno == EBADF) throw InputError(name + std::string(closed_for_reading));
    throw SystemError(name + ": cannot be read: " + std::generic_category().message(errno));
  }
}

// A file without a name, which goes when it is closed.
int open_temporary(const std::string& name) {
  const char* const chosen = std::getenv("TMPDIR");
  std::string pattern = chosen != nullptr && *chosen != 0 ? chosen : "/tmp";
  pattern += "/tandem-pipe-XXXXXX";
  const int made = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (made < 0) {
    throw SystemError(name + ": is a pipe, and what comes out of it cannot be kept in " + pattern +
                      ": " + std::generic_category().message(errno) +
                      "; choose another folder with TMPDIR");
  }
  ::unlink(pattern.c_str());
  return made;
}

}  // namespace

struct Input::Descriptor {
  explicit Descriptor(int opened) : number(opened) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    ::close(number);
    if (kept >= 0) ::close(kept);
  }

  // Up to `count` bytes at the offset; 0 at the end.
  [[nodiscard]] std::size_t read(const std::string& name, char* to, std::size_t count,
                                 Index offset) {
    if (kept < 0) return read_some(number, name, to, count, offset);
    const std::lock_guard<std::mutex> lock(pulling);
    while (offset >= size && !ended) pull(name);
    if (offset >= size) return 0;
    count = static_cast<std::size_t>(
        std::min<std::uint64_t>(count, static_cast<std::uint64_t>(size - offset)));
    return read_some(kept, name, to, count, offset);
  }

  // Reads on from the pipe. The lock is held.
  void pull(const std::string& name) {
    buffer.resize(std::size_t{1} << 18);
    const std::size_t got = read_some(number, name, buffer.data(), buffer.size(), -1);
    ended = got == 0;
    std::size_t written = 0;
    while (written < got) {
      const ssize_t put = ::pwrite(kept, buffer.data() + written, got - written, size);
      if (put < 0) {
        if (errno == EINTR) continue;
        throw SystemError(name + ": is a pipe, and what comes out of it cannot be kept: " +
                          std::generic_category().message(errno) +
                          "; choose a folder with more room with TMPDIR");
      }
      written += static_cast<std::size_t>(put);
      size += static_cast<Index>(put);
    }
  }

  int number;
  int kept = -1;  // pipes: the temporary file
  std::mutex pulling;
  std::vector<char> buffer;
  Index size = 0;  // of the temporary file
  bool ended = false;
};

std::size_t read_fully(ByteSource& source, char* to, std::size_t count) {
  std::size_t total = 0;
  while (total < count) {
    const std::size_t got = source.read(to + total, count - total);
    if (got == 0) break;
    total += got;
  }
  return total;
}

Input Input::file(const std::string& path) {
  Input input;
  const bool standard = path == "-";
  input.name_ = standard ? "standard input" : path;
  const int number = standard ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                              : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (number < 0) {
    if (standard && errno == EBADF) throw InputError(input.name_ + std::string(closed_for_reading));
    if (errno == ENOENT) {
      throw InputError(path + ": no such file; check the name and the current folder");
    }
    throw SystemError(input.name_ +
                      ": cannot be opened: " + std::generic_category().message(errno));
  }
  input.descriptor_ = std::make_shared<Descriptor>(number);
  Descriptor& descriptor = *input.descriptor_;
  struct stat status {};
  if (::fstat(number, &status) != 0) {
    throw SystemError(input.name_ + ": cannot be read: " + std::generic_category().message(errno));
  }
  if (S_ISDIR(status.st_mode)) throw InputError(path + ": is a folder, expected a file");
  if (S_ISREG(status.st_mode)) {
    input.stored_size_ = static_cast<Index>(status.st_size);
  } else {
    input.stored_size_ = -1;
    descriptor.kept = open_temporary(input.name_);
  }
  unsigned char head[6];
  std::size_t size = 0;
  while (size < sizeof head) {
    const std::size_t got = descriptor.read(input.name_, reinterpret_cast<char*>(head) + size,
                                            sizeof head - size, static_cast<Index>(size));
    if (got == 0) break;
    size += got;
  }
  input.compression_ = compression_of(head, size);
  return input;
}

Input Input::memory(std::string name, std::span<const std::uint8_t> bytes) {
  Input input;
  input.name_ = std::move(name);
  input.bytes_ = bytes;
  input.stored_size_ = static_cast<Index>(bytes.size());
  input.compression_ = compression_of(bytes.data(), bytes.size());
  return input;
}

Input Input::derived(std::string name, Opener open, Index largest) {
  Input input;
  input.name_ = std::move(name);
  input.open_ = std::move(open);
  input.stored_size_ = -1;
  input.largest_ = largest;
  return input;
}

Index Input::stored_size() const {
  if (stored_size_ >= 0 || !descriptor_) return stored_size_;
  const std::lock_guard<std::mutex> lock(descriptor_->pulling);
  return descriptor_->ended ? descriptor_->size : -1;
}

Index Input::whole_size() const {
  if (stored_size_ >= 0 || !descriptor_) return stored_size_;
  const std::lock_guard<std::mutex> lock(descriptor_->pulling);
  while (!descriptor_->ended) descriptor_->pull(name_);
  return descriptor_->size;
}

Index Input::largest_size() const {
  if (open_) return largest_;
  const Index size = stored_size();
  if (size < 0) return unlimited;
  switch (compression_) {
    case Compression::none: return size;
    case Compression::gzip: return saturating_product(size, 1032);
    case Compression::bzip2:
    case Compression::xz:
    case Compression::zstd: return unlimited;
  }
  return unlimited;
}

std::unique_ptr<ByteSource> Input::open_stored() const {
  class DescriptorSource final : public ByteSource {
   public:
    DescriptorSource(std::shared_ptr<Descriptor> descriptor, std::string name)
        : descriptor_(std::move(descriptor)), name_(std::move(name)) {}
    std::size_t read(char* to, std::size_t count) override {
      const std::size_t got = descriptor_->read(name_, to, count, offset_);
      offset_ += static_cast<Index>(got);
      return got;
    }

   private:
    std::shared_ptr<Descriptor> descriptor_;
    std::string name_;
    Index offset_ = 0;
  };
  if (!descriptor_) return std::make_unique<MemorySource>(bytes_);
  return std::make_unique<DescriptorSource>(descriptor_, name_);
}

std::unique_ptr<ByteSource> Input::open() const {
  return open_ ? open_() : decompress(open_stored(), compression_, name_);
}

std::string Input::head(std::size_t count) const {
  const std::unique_ptr<ByteSource> source = open();
  // One byte more than there can be shows that there are no more.
  const auto most = static_cast<std::uint64_t>(saturating_sum(largest_size(), 1));
  count = static_cast<std::size_t>(std::min<std::uint64_t>(count, most));
  std::string head(count, '\0');
  std::size_t size = 0;
  try {
    while (size < count) {
      const std::size_t got = source->read(head.data() + size, count - size);
      if (got == 0) break;
      size += got;
    }
  } catch (const InputError&) {
    // Damage further on is reported by the reader, with its place; one that leaves nothing would be
    // taken for an empty file.
    if (size == 0) throw;
  }
  head.resize(size);
  return head;
}

void Input::read_at(Index offset, char* to, std::size_t count) const {
  const Index size = whole_size();
  if (offset < 0 || offset > size || count > static_cast<std::uint64_t>(size - offset)) {
    throw InputError(name_ + ": is truncated: " + std::to_string(count) +
                     " bytes expected at byte " + std::to_string(offset) + " of " +
                     std::to_string(size));
  }
  if (!descriptor_) {
    if (count > 0) std::memcpy(to, bytes_.data() + offset, count);
    return;
  }
  while (count > 0) {
    const std::size_t got = descriptor_->read(name_, to, count, offset);
    if (got == 0)
      throw InputError(name_ + ": became shorter while it was read; read it when nobody writes it");
    to += got;
    offset += static_cast<Index>(got);
    count -= got;
  }
}

std::unique_ptr<ByteSource> part_of(const Input& input, Index offset, Index count) {
  class PartSource final : public ByteSource {
   public:
    PartSource(const Input& input, Index offset, Index count)
        : input_(input), offset_(offset), left_(count) {}
    std::size_t read(char* to, std::size_t count) override {
      count = std::min(count, static_cast<std::size_t>(left_));
      if (count == 0) return 0;
      input_.read_at(offset_, to, count);
      offset_ += static_cast<Index>(count);
      left_ -= static_cast<Index>(count);
      return count;
    }

   private:
    const Input& input_;
    Index offset_;
    Index left_;
  };
  return std::make_unique<PartSource>(input, offset, count);
}

}  // namespace tandem

#include "core/data/input.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
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
  return Compression::none;
}

}  // namespace

struct Input::Descriptor {
  explicit Descriptor(int opened) : number(opened) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(number); }

  [[nodiscard]] std::size_t read(const std::string& name, char* to, std::size_t count,
                                 Index offset) const {
    count = std::min(count, std::size_t{1} << 30);
    for (;;) {
      const ssize_t got =
          offset < 0 ? ::read(number, to, count) : ::pread(number, to, count, offset);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno == EINTR) continue;
      if (errno == EISDIR) throw InputError(name + ": is a folder, expected a file");
      throw SystemError(name + ": cannot be read: " + std::generic_category().message(errno));
    }
  }

  int number;
  // Pipes: what was read to look at, and whether the pipe was given away.
  std::vector<char> prefix;
  bool taken = false;
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
  input.name_ = path;
  const int number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (number < 0) {
    if (errno == ENOENT) {
      throw InputError(path + ": no such file; check the name and the current folder");
    }
    throw SystemError(path + ": cannot be opened: " + std::generic_category().message(errno));
  }
  input.descriptor_ = std::make_shared<Descriptor>(number);
  struct stat status {};
  if (::fstat(number, &status) != 0) {
    throw SystemError(path + ": cannot be read: " + std::generic_category().message(errno));
  }
  if (S_ISDIR(status.st_mode)) throw InputError(path + ": is a folder, expected a file");
  if (S_ISREG(status.st_mode)) {
    input.stored_size_ = static_cast<Index>(status.st_size);
    unsigned char head[4];
    std::size_t size = 0;
    while (size < sizeof head) {
      const std::size_t got = input.descriptor_->read(path, reinterpret_cast<char*>(head) + size,
                                                      sizeof head - size, static_cast<Index>(size));
      if (got == 0) break;
      size += got;
    }
    input.compression_ = compression_of(head, size);
    return input;
  }
  input.repeatable_ = false;
  input.stored_size_ = -1;
  auto& prefix = input.descriptor_->prefix;
  prefix.resize(std::size_t{1} << 20);
  std::size_t size = 0;
  while (size < prefix.size()) {
    const std::size_t got =
        input.descriptor_->read(path, prefix.data() + size, prefix.size() - size, -1);
    if (got == 0) break;
    size += got;
  }
  prefix.resize(size);
  input.compression_ =
      compression_of(reinterpret_cast<const unsigned char*>(prefix.data()), prefix.size());
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

Index Input::largest_size() const noexcept {
  if (stored_size_ < 0) return unlimited;
  switch (compression_) {
    case Compression::none: return stored_size_;
    case Compression::gzip: return saturating_product(stored_size_, 1032);
    case Compression::bzip2: return unlimited;
  }
  return unlimited;
}

std::unique_ptr<ByteSource> Input::open_stored() const {
  class FileSource final : public ByteSource {
   public:
    FileSource(std::shared_ptr<Descriptor> descriptor, std::string name)
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
  class PipeSource final : public ByteSource {
   public:
    PipeSource(std::shared_ptr<Descriptor> descriptor, std::string name)
        : descriptor_(std::move(descriptor)), name_(std::move(name)) {}
    std::size_t read(char* to, std::size_t count) override {
      const auto& prefix = descriptor_->prefix;
      if (position_ == prefix.size()) return descriptor_->read(name_, to, count, -1);
      count = std::min(count, prefix.size() - position_);
      std::memcpy(to, prefix.data() + position_, count);
      position_ += count;
      return count;
    }

   private:
    std::shared_ptr<Descriptor> descriptor_;
    std::string name_;
    std::size_t position_ = 0;
  };
  if (!descriptor_) return std::make_unique<MemorySource>(bytes_);
  if (repeatable_) return std::make_unique<FileSource>(descriptor_, name_);
  if (descriptor_->taken) {
    throw InputError(name_ + ": has to be read twice and is a pipe; store it in a file first");
  }
  descriptor_->taken = true;
  return std::make_unique<PipeSource>(descriptor_, name_);
}

std::unique_ptr<ByteSource> Input::open() const {
  return decompress(open_stored(), compression_, name_);
}

std::string Input::head(std::size_t count) const {
  std::unique_ptr<ByteSource> source;
  if (repeatable_) {
    source = open();
  } else {
    const auto& prefix = descriptor_->prefix;
    source = decompress(std::make_unique<MemorySource>(std::span<const std::uint8_t>(
                            reinterpret_cast<const std::uint8_t*>(prefix.data()), prefix.size())),
                        compression_, name_);
  }
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
    // Damage is reported by the reader, with its place; the prefix of a pipe ends anywhere.
  }
  head.resize(size);
  return head;
}

void Input::read_at(Index offset, char* to, std::size_t count) const {
  if (offset < 0 || offset > stored_size_ ||
      count > static_cast<std::uint64_t>(stored_size_ - offset)) {
    throw InputError(name_ + ": is truncated: " + std::to_string(count) +
                     " bytes expected at byte " + std::to_string(offset) + " of " +
                     std::to_string(stored_size_));
  }
  if (!descriptor_) {
    if (count > 0) std::memcpy(to, bytes_.data() + offset, count);
    return;
  }
  while (count > 0) {
    const std::size_t got = descriptor_->read(name_, to, count, offset);
    if (got == 0) throw InputError(name_ + ": became shorter while it was read");
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

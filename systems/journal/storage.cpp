#include "systems/journal/storage.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "tandem/core/error.hpp"

namespace tandem::journal {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& what, int error = errno) {
  throw SystemError(path + ": " + what + ": " + std::generic_category().message(error));
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

class RealFile final : public AppendFile {
 public:
  explicit RealFile(std::string path)
      : path_(std::move(path)),
        file_(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) {
    if (file_.number() < 0) fail(path_, "cannot be opened for writing");
  }
  void write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t wrote = ::write(file_.number(), bytes.data(), bytes.size());
      if (wrote < 0) {
        if (errno == EINTR) continue;
        fail(path_, "cannot be written");
      }
      bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    }
  }
  void sync() override {
    if (::fdatasync(file_.number()) != 0) fail(path_, "cannot be made safe on the disk");
  }

 private:
  std::string path_;
  Descriptor file_;
};

class RealStorage final : public Storage {
 public:
  void make_folder(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) fail(path, "cannot be made", error.value());
  }

  std::vector<std::string> list(const std::string& folder) override {
    std::vector<std::string> names;
    DIR* const open = ::opendir(folder.c_str());
    if (open == nullptr) fail(folder, "cannot be listed");
    errno = 0;
    while (const dirent* const entry = ::readdir(open)) names.emplace_back(entry->d_name);
    const int error = errno;
    ::closedir(open);
    if (error != 0) fail(folder, "cannot be listed", error);
    std::sort(names.begin(), names.end());
    return names;
  }

  std::uint64_t size(const std::string& path) override {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) fail(path, "cannot be looked at");
    return static_cast<std::uint64_t>(found.st_size);
  }

  std::vector<std::byte> read(const std::string& path, std::uint64_t offset,
                              std::size_t bytes) override {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.number() < 0) fail(path, "cannot be opened");
    std::vector<std::byte> content(bytes);
    std::size_t got = 0;
    while (got < bytes) {
      const ssize_t count = ::pread(file.number(), content.data() + got, bytes - got,
                                    static_cast<off_t>(offset + got));
      if (count < 0) {
        if (errno == EINTR) continue;
        fail(path, "cannot be read");
      }
      if (count == 0) break;
      got += static_cast<std::size_t>(count);
    }
    content.resize(got);
    return content;
  }

  std::unique_ptr<AppendFile> append_to(const std::string& path) override {
    return std::make_unique<RealFile>(path);
  }

  void truncate(const std::string& path, std::uint64_t bytes) override {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file.number() < 0) fail(path, "cannot be opened for writing");
    if (::ftruncate(file.number(), static_cast<off_t>(bytes)) != 0 || ::fsync(file.number()) != 0) {
      fail(path, "cannot be cut to its whole records");
    }
  }

  void rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) fail(from, "cannot be renamed to " + to);
  }

  void remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail(path, "cannot be removed");
  }

  void sync_folder(const std::string& folder) override {
    const Descriptor open(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (open.number() < 0) fail(folder, "cannot be opened");
    if (::fsync(open.number()) != 0) fail(folder, "cannot be made safe on the disk");
  }

  std::shared_ptr<void> lock(const std::string& path) override {
    auto file =
        std::make_shared<Descriptor>(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (file->number() < 0) fail(path, "cannot be opened for writing");
    if (::flock(file->number(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return nullptr;
      fail(path, "cannot be locked");
    }
    return file;
  }
};

}  // namespace

std::shared_ptr<Storage> real_storage() {
  static const std::shared_ptr<Storage> storage = std::make_shared<RealStorage>();
  return storage;
}

}  // namespace tandem::journal

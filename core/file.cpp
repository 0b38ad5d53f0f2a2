#include "core/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <streambuf>
#include <string_view>
#include <system_error>
#include <utility>

#include "tandem/core/error.hpp"
#include "tandem/core/text_file.hpp"

namespace tandem {
namespace {

std::string system_reason(int code) { return std::generic_category().message(code); }

// Throws InputError where the path is a symbolic link that leads to no file.
void require_no_lost_link(const std::string& path, int code) {
  if (code == ELOOP) {
    throw InputError(path + ": is a symbolic link that leads back to itself; remove it first");
  }
  struct stat status {};
  if (code != ENOENT || ::lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return;
  std::error_code unread;
  throw InputError(path + ": is a symbolic link to " +
                   std::filesystem::read_symlink(path, unread).string() +
                   ", which does not exist; remove the link or make the file first");
}

[[noreturn]] void fail_open(const std::string& path, int code) {
  require_no_lost_link(path, code);
  if (code == ENOENT) {
    throw InputError(path + ": no such file; check the name and the current folder");
  }
  if (code == EISDIR) throw InputError(path + ": is a folder, expected a file");
  throw SystemError(path + ": cannot be opened: " + system_reason(code));
}

// Paths of temporary files in use, where a signal's handler can read them. A writer that finds no
// free place, or whose path is too long, does without: the next writer of that name cleans up.
class TemporaryPaths {
 public:
  // The place of the path, -1 where there is none.
  int add(const std::string& path) noexcept {
    if (path.size() >= longest) return -1;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      int free = 0;
      if (!places_[i].state.compare_exchange_strong(free, 1)) continue;
      std::memcpy(places_[i].path.data(), path.c_str(), path.size() + 1);
      places_[i].state.store(2);
      return static_cast<int>(i);
    }
    return -1;
  }
  void remove(int place) noexcept {
    if (place >= 0) places_[static_cast<std::size_t>(place)].state.store(0);
  }
  void unlink_all() noexcept {
    for (const Place& place : places_) {
      if (place.state.load() == 2) ::unlink(place.path.data());
    }
  }

 private:
  static constexpr std::size_t longest = 1024;
  struct Place {
    std::atomic<int> state{0};  // 0: free, 1: being written, 2: in use
    std::array<char, longest> path{};
  };
  std::array<Place, 16> places_;
};
TemporaryPaths& temporary_paths() {
  static TemporaryPaths paths;
  return paths;
}

// Removes "NAME.tmp-PID-N" beside the target where no process holds it: writers lock theirs, so
// that a number which another process has by now, or which a process on another machine or in
// another container has, is no reason to keep a file or to remove one.
void remove_abandoned(const std::string& target) {
  const std::filesystem::path path(target);
  const std::string prefix = path.filename().string() + ".tmp-";
  std::error_code unlisted;
  const auto folder = path.parent_path().empty() ? std::filesystem::path(".") : path.parent_path();
  for (std::filesystem::directory_iterator at(folder, unlisted), end; !unlisted && at != end;
       at.increment(unlisted)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    const std::string rest = name.substr(prefix.size());
    const auto dash = rest.find('-');
    const auto digits = [](std::string_view text) {
      return !text.empty() && text.size() < 10 &&
             text.find_first_not_of("0123456789") == std::string_view::npos;
    };
    if (dash == std::string::npos || !digits(rest.substr(0, dash)) ||
        !digits(rest.substr(dash + 1))) {
      continue;
    }
    const auto process = static_cast<pid_t>(std::stol(rest.substr(0, dash)));
    if (process == ::getpid()) continue;
    const int descriptor =
        ::open(at->path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) continue;
    struct stat status {};
    const bool gone = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
                      ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && ::kill(process, 0) != 0 &&
                      errno == ESRCH;
    if (gone) ::unlink(at->path().c_str());
    ::close(descriptor);
  }
}

// A file that removes itself unless it was renamed into place. What is not an ordinary file (a
// pipe, a device such as /dev/stdout) is written directly: renaming would replace the device.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& target) : target_(target) {
    struct stat status {};
    const bool exists = ::stat(target.c_str(), &status) == 0;
    if (!exists) require_no_lost_link(target, errno);
    if (exists && S_ISDIR(status.st_mode)) {
      throw InputError(target + ": is a folder, expected the name of a file");
    }
    if (exists && !S_ISREG(status.st_mode)) {
      descriptor_ = ::open(target.c_str(), O_WRONLY | O_CLOEXEC);
      if (descriptor_ < 0) fail(errno);
      return;
    }
    if (exists) {
      if (::access(target.c_str(), W_OK) != 0) fail(errno);
      // A symbolic link stays one: the file that it leads to is replaced.
      std::error_code unresolved;
      const auto canonical = std::filesystem::canonical(target, unresolved);
      if (!unresolved) target_ = canonical.string();
    }
    remove_abandoned(target_);
    static std::atomic<unsigned> serial{0};
    path_ = target_ + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(serial++);
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) {
      place_ = temporary_paths().add(path_);
      (void)::flock(descriptor_, LOCK_EX | LOCK_NB);
      if (exists) keep_owner_and_mode(status);
      return;
    }
    const int code = errno;
    path_.clear();
    const auto folder = std::filesystem::path(target).parent_path();
    std::error_code ignored;
    if (code == ENOENT && !folder.empty() && !std::filesystem::exists(folder, ignored)) {
      throw InputError(target + ": the folder " + folder.string() +
                       " does not exist; make it first or choose another");
    }
    throw SystemError(target + ": cannot be written: " + system_reason(code));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!path_.empty()) ::unlink(path_.c_str());
    temporary_paths().remove(place_);
  }

  void write(const char* data, std::size_t bytes) {
    while (bytes > 0) {
      const ssize_t written = ::write(descriptor_, data, bytes);
      if (written < 0) {
        if (errno == EINTR) continue;
        fail(errno);
      }
      data += written;
      bytes -= static_cast<std::size_t>(written);
    }
  }

  void commit() {
    if (!path_.empty() && ::fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) {
      fail(errno);
    }
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    if (closed != 0) fail(errno);
    if (path_.empty()) return;
    if (std::rename(path_.c_str(), target_.c_str()) != 0) fail(errno);
    path_.clear();
    temporary_paths().remove(std::exchange(place_, -1));
  }

 private:
  // Where the owner or the group cannot be kept, nobody may do more than others could.
  void keep_owner_and_mode(const struct stat& old) const {
    mode_t mode = old.st_mode & 07777U;
    struct stat made {};
    if (::fstat(descriptor_, &made) != 0) return;
    if (old.st_uid != made.st_uid && ::fchown(descriptor_, old.st_uid, old.st_gid) != 0) {
      mode &= ~static_cast<mode_t>(S_ISUID);
    }
    if (old.st_gid != made.st_gid &&
        ::fchown(descriptor_, static_cast<uid_t>(-1), old.st_gid) != 0) {
      mode &= ~static_cast<mode_t>(S_ISGID | S_IRWXG);
      mode |= (old.st_mode & S_IRWXO & (old.st_mode >> 3)) << 3;
    }
    (void)::fchmod(descriptor_, mode);
  }

  [[noreturn]] void fail(int code) const {
    throw SystemError(target_ + ": cannot be written: " + system_reason(code) +
                      (path_.empty() ? "" : "; nothing was left behind"));
  }

  std::string target_;
  std::string path_;
  int descriptor_ = -1;
  int place_ = -1;  // in temporary_paths()
};

class DescriptorBuffer final : public std::streambuf {
 public:
  explicit DescriptorBuffer(TemporaryFile& file) : file_(file), block_(std::size_t{1} << 18) {
    setp(block_.data(), block_.data() + block_.size());
  }

 protected:
  int_type overflow(int_type c) override {
    sync();
    if (!traits_type::eq_int_type(c, traits_type::eof())) sputc(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
  }
  int sync() override {
    file_.write(pbase(), static_cast<std::size_t>(pptr() - pbase()));
    setp(block_.data(), block_.data() + block_.size());
    return 0;
  }

 private:
  TemporaryFile& file_;
  std::vector<char> block_;
};

}  // namespace

void remove_temporary_files() noexcept { temporary_paths().unlink_all(); }

std::vector<std::uint8_t> read_file(const std::string& path) {
  return read_file(path, 0, [](std::span<const std::uint8_t>) { return SIZE_MAX; });
}

std::vector<std::uint8_t> read_file(
    const std::string& path, std::size_t prefix,
    const std::function<std::size_t(std::span<const std::uint8_t>)>& limit) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail_open(path, errno);
  struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
  } const closer{descriptor};
  struct stat status {};
  const bool sized = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  if (S_ISDIR(status.st_mode)) fail_open(path, EISDIR);
  std::vector<std::uint8_t> bytes;
  // Pipes have no size: read until the end whatever fstat said.
  constexpr std::size_t block = std::size_t{1} << 18;
  std::size_t most = SIZE_MAX;
  for (bool asked = false;;) {
    if (!asked && bytes.size() >= prefix) {
      asked = true;
      most = limit(bytes);
      if (sized) bytes.reserve(std::min(most, static_cast<std::size_t>(status.st_size) + 1));
    }
    if (bytes.size() >= most) break;
    const std::size_t wanted = std::min(block, (asked ? most : prefix) - bytes.size());
    const std::size_t had = bytes.size();
    bytes.resize(had + wanted);
    const ssize_t got = ::read(descriptor, bytes.data() + had, wanted);
    bytes.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno != EINTR) {
      throw SystemError(path + ": cannot be read: " + system_reason(errno));
    }
    if (got == 0) break;
  }
  return bytes;
}

void write_file(const std::string& path, std::span<const std::uint8_t> bytes) {
  TemporaryFile file(path);
  file.write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  file.commit();
}

void write_file(const std::string& path, std::string_view text) {
  write_file(path, std::span<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(text.data()),
                                                 text.size()));
}

void write_file(const std::string& path, const std::function<void(std::ostream&)>& fill) {
  TemporaryFile file(path);
  DescriptorBuffer buffer(file);
  std::ostream stream(&buffer);
  // Errors of the file travel as exceptions through the stream, not as a silent bad bit.
  stream.exceptions(std::ios::badbit | std::ios::failbit);
  fill(stream);
  stream.flush();
  file.commit();
}

void write_text_file(const std::string& path, std::string_view text) { write_file(path, text); }

}  // namespace tandem

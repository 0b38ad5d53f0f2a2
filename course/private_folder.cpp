#include "course/private_folder.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <system_error>

#include "tandem/core/error.hpp"

namespace tandem::course {

namespace fs = std::filesystem;

PrivateFolder::PrivateFolder() {
  std::string pattern = (fs::temp_directory_path() / "tandem-course-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw SystemError("cannot make a folder in " + fs::temp_directory_path().string() + ": " +
                      std::strerror(errno));
  }
  path_ = fs::canonical(pattern);
}

PrivateFolder::~PrivateFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string PrivateFolder::text_of(const std::string& name, std::uintmax_t most) const {
  const std::string path = (path_ / name).string();
  const int file = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return {};
  struct stat about {};
  std::string text;
  if (::fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_nlink == 1 &&
      static_cast<std::uintmax_t>(about.st_size) <= most) {
    text.resize(static_cast<std::size_t>(about.st_size));
    std::size_t at = 0;
    while (at < text.size()) {
      const ssize_t got = ::read(file, text.data() + at, text.size() - at);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      at += static_cast<std::size_t>(got);
    }
    text.resize(at);
  }
  ::close(file);
  return text;
}

std::vector<fs::path> system_folders() {
  return {"/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache"};
}

}  // namespace tandem::course

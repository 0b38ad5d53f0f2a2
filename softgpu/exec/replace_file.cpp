#include "softgpu/exec/replace_file.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace softgpu {
namespace {

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

bool replace_file(const std::string& path, std::string_view text) {
  struct stat status {};
  const bool exists = ::stat(path.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode)) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    const bool whole = write_all(descriptor, text);
    return ::close(descriptor) == 0 && whole;
  }
  // A symbolic link stays one: the file that it leads to is replaced.
  const std::unique_ptr<char, decltype(&std::free)> resolved(
      exists ? ::realpath(path.c_str(), nullptr) : nullptr, &std::free);
  const std::string target = resolved ? resolved.get() : path;
  // Named as libtandem names its own, which takes away what a killed process has left.
  constexpr int most_names = 100;
  for (int n = 0; n < most_names; ++n) {
    const std::string temporary =
        target + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(n);
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0 && errno == EEXIST) continue;
    if (descriptor < 0) return false;
    bool whole = write_all(descriptor, text);
    if (exists) (void)::fchmod(descriptor, status.st_mode & 07777);
    whole = ::close(descriptor) == 0 && whole;
    if (whole && std::rename(temporary.c_str(), target.c_str()) == 0) return true;
    (void)::unlink(temporary.c_str());
    return false;
  }
  return false;
}

}  // namespace softgpu

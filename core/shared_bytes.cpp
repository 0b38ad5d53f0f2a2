#include "tandem/core/shared_bytes.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

// A file that is open.
class Descriptor {
 public:
  explicit Descriptor(const std::string& path)
      : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (number_ < 0) throw InputError(path + ": " + std::strerror(errno));
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(number_); }
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

}  // namespace

SharedBytes map_file(const std::string& path) {
  const Descriptor file(path);
  struct stat facts {};
  if (::fstat(file.number(), &facts) != 0) {
    throw SystemError(path + ": " + std::strerror(errno));
  }
  if (!S_ISREG(facts.st_mode)) {
    throw InputError(path + ": expected a regular file, which can be mapped into memory");
  }
  const auto size = static_cast<std::size_t>(facts.st_size);
  if (size == 0) return {};
  void* const at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.number(), 0);
  if (at == MAP_FAILED) {
    throw SystemError(path + ": cannot be mapped into memory: " + std::strerror(errno));
  }
  std::shared_ptr<const void> owner(
      at, [size](const void* mapped) { ::munmap(const_cast<void*>(mapped), size); });
  return {std::move(owner), {static_cast<const std::uint8_t*>(at), size}};
}

}  // namespace tandem

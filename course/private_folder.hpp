// A folder for one process, removed at the end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tandem::course {

class PrivateFolder {
 public:
  PrivateFolder();  // throws SystemError
  ~PrivateFolder();
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  // The file's text; empty where it is none, a link, or longer than `most` bytes: whoever had the
  // folder may have left anything there. Throws SystemError.
  [[nodiscard]] std::string text_of(const std::string& name, std::uintmax_t most) const;

 private:
  std::filesystem::path path_;
};

// What a program needs of the system to start: its libraries and tools.
[[nodiscard]] std::vector<std::filesystem::path> system_folders();

}  // namespace tandem::course

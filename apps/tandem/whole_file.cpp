#include "tandem/whole_file.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tandem/core/error.hpp"

namespace tandem::program {

namespace fs = std::filesystem;

void write_whole(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp-" + std::to_string(::getpid()) + "-0";
  std::ofstream file(temporary, std::ios::binary);
  file << text;
  file.close();
  std::error_code error;
  if (file) fs::rename(temporary, path, error);
  if (!file || error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw SystemError(path + ": cannot be written");
  }
}

}  // namespace tandem::program

// The calls to the file system that a journal makes, so that tests can lose power and fail syncs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tandem::journal {

// A file opened for appending. Every member throws SystemError that names path and reason.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  virtual void write(std::span<const std::byte> bytes) = 0;  // all of them
  virtual void sync() = 0;                                   // fdatasync
};

class Storage {
 public:
  virtual ~Storage() = default;
  virtual void make_folder(const std::string& path) = 0;
  [[nodiscard]] virtual std::vector<std::string> list(const std::string& folder) = 0;  // names
  [[nodiscard]] virtual std::uint64_t size(const std::string& path) = 0;
  // Fewer bytes at the end of the file.
  [[nodiscard]] virtual std::vector<std::byte> read(const std::string& path, std::uint64_t offset,
                                                    std::size_t bytes) = 0;
  // At the end of a file that is there, or of a new one.
  [[nodiscard]] virtual std::unique_ptr<AppendFile> append_to(const std::string& path) = 0;
  virtual void truncate(const std::string& path, std::uint64_t bytes) = 0;  // and syncs
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;
  // Makes names that appeared, changed or went in the folder survive a loss of power.
  virtual void sync_folder(const std::string& folder) = 0;
  // An exclusive lock that lasts as long as the object; empty where another process has it.
  [[nodiscard]] virtual std::shared_ptr<void> lock(const std::string& path) = 0;
};

// POSIX.
[[nodiscard]] std::shared_ptr<Storage> real_storage();

}  // namespace tandem::journal

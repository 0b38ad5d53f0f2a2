// A disk in memory for tests: it loses what was not synced when power is cut, and fails on demand.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "systems/journal/storage.hpp"

namespace tandem::journal {

class MemoryStorage final : public Storage, public std::enable_shared_from_this<MemoryStorage> {
 public:
  // What a cut leaves of bytes that were written and not synced: a number of them from the first
  // on, or pages of 512 bytes, each there or lost (zeros), as the bits of `seed` say.
  enum class Torn { prefix, pages };
  // A disk as it is found after power was lost now. Names that were not synced by their folder may
  // be there or not, by the seed. The old one goes on for whoever holds it.
  [[nodiscard]] std::shared_ptr<MemoryStorage> after_power_loss(std::uint64_t seed,
                                                                Torn torn) const;
  // As it is found after the process alone was killed: all that was written.
  [[nodiscard]] std::shared_ptr<MemoryStorage> after_kill() const;

  // From the n-th such call from now on (0: the next) they fail: writes after half of their bytes.
  void fail_sync_after(std::int64_t calls);
  void fail_write_after(std::int64_t calls);
  // Called at the beginning of every sync of a file, when what it is for is not safe yet.
  void before_sync(std::function<void()> call);
  // For damage: the bytes of a file, to change.
  [[nodiscard]] std::vector<std::byte> content(const std::string& path) const;
  void set_content(const std::string& path, std::vector<std::byte> bytes);
  [[nodiscard]] std::int64_t syncs() const;

  void make_folder(const std::string& path) override;
  std::vector<std::string> list(const std::string& folder) override;
  std::uint64_t size(const std::string& path) override;
  std::vector<std::byte> read(const std::string& path, std::uint64_t offset,
                              std::size_t bytes) override;
  std::unique_ptr<AppendFile> append_to(const std::string& path) override;
  void truncate(const std::string& path, std::uint64_t bytes) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void sync_folder(const std::string& folder) override;
  std::shared_ptr<void> lock(const std::string& path) override;

 private:
  struct Content {
    std::vector<std::byte> bytes;
    std::size_t synced = 0;  // bytes from the first on
  };
  class File;
  using Names = std::map<std::string, std::shared_ptr<Content>>;

  [[nodiscard]] std::shared_ptr<Content> find(const std::string& path) const;

  mutable std::mutex mutex_;
  Names names_;         // as the running system sees them
  Names synced_names_;  // as they are on the disk
  std::map<std::string, std::weak_ptr<void>> locks_;
  std::function<void()> before_sync_;
  std::int64_t sync_calls_ = 0;
  std::int64_t write_calls_ = 0;
  std::int64_t sync_fails_at_ = -1;
  std::int64_t write_fails_at_ = -1;
};

}  // namespace tandem::journal

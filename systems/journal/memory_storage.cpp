#include "systems/journal/memory_storage.hpp"

#include <algorithm>

#include "core/random.hpp"
#include "tandem/core/error.hpp"

namespace tandem::journal {

class MemoryStorage::File final : public AppendFile {
 public:
  File(std::shared_ptr<MemoryStorage> disk, std::shared_ptr<Content> content, std::string path)
      : disk_(std::move(disk)), content_(std::move(content)), path_(std::move(path)) {}

  void write(std::span<const std::byte> bytes) override {
    const std::lock_guard held(disk_->mutex_);
    const bool fails = disk_->write_fails_at_ >= 0 && disk_->write_calls_ >= disk_->write_fails_at_;
    ++disk_->write_calls_;
    if (fails) bytes = bytes.first(bytes.size() / 2);
    content_->bytes.insert(content_->bytes.end(), bytes.begin(), bytes.end());
    if (fails) throw SystemError(path_ + ": cannot be written: No space left on device");
  }
  void sync() override {
    if (disk_->before_sync_) disk_->before_sync_();
    const std::lock_guard held(disk_->mutex_);
    const bool fails = disk_->sync_fails_at_ >= 0 && disk_->sync_calls_ >= disk_->sync_fails_at_;
    ++disk_->sync_calls_;
    if (fails) throw SystemError(path_ + ": cannot be made safe on the disk: Input/output error");
    content_->synced = content_->bytes.size();
  }

 private:
  std::shared_ptr<MemoryStorage> disk_;
  std::shared_ptr<Content> content_;
  std::string path_;
};

std::shared_ptr<MemoryStorage> MemoryStorage::after_power_loss(std::uint64_t seed,
                                                               Torn torn) const {
  const std::lock_guard held(mutex_);
  const Random random(seed, Purpose::test);
  std::uint64_t drawn = 0;
  auto disk = std::make_shared<MemoryStorage>();
  // A name that was not synced is there or is not.
  Names left = synced_names_;
  for (const auto& [name, content] : names_) {
    const auto synced = synced_names_.find(name);
    if (synced != synced_names_.end() && synced->second == content) continue;
    if (random.below(2, drawn++) == 1) left[name] = content;
  }
  for (const auto& [name, content] : synced_names_) {
    if (!names_.contains(name) && random.below(2, drawn++) == 1) left.erase(name);
  }
  for (const auto& [name, content] : left) {
    auto copy = std::make_shared<Content>();
    const std::size_t safe = std::min(content->synced, content->bytes.size());
    const auto begin = content->bytes.begin();
    const auto kept = random.below(static_cast<Index>(content->bytes.size() - safe) + 1, drawn++);
    copy->bytes.assign(begin, begin + static_cast<std::ptrdiff_t>(safe) + kept);
    if (torn == Torn::pages) {
      for (std::size_t page = safe; page < copy->bytes.size(); page += 512) {
        if (random.below(2, drawn++) == 0) continue;
        const auto from = copy->bytes.begin() + static_cast<std::ptrdiff_t>(page);
        std::fill(from, from + std::min<std::ptrdiff_t>(512, copy->bytes.end() - from),
                  std::byte{0});
      }
    }
    copy->synced = copy->bytes.size();
    disk->names_[name] = copy;
  }
  disk->synced_names_ = disk->names_;
  return disk;
}

std::shared_ptr<MemoryStorage> MemoryStorage::after_kill() const {
  const std::lock_guard held(mutex_);
  auto disk = std::make_shared<MemoryStorage>();
  for (const auto& [name, content] : names_) {
    disk->names_[name] = std::make_shared<Content>(*content);
  }
  disk->synced_names_ = synced_names_;
  for (auto& [name, content] : disk->synced_names_) {
    const auto now = disk->names_.find(name);
    content = now != disk->names_.end() ? now->second : std::make_shared<Content>(*content);
  }
  return disk;
}

void MemoryStorage::fail_sync_after(std::int64_t calls) {
  const std::lock_guard held(mutex_);
  sync_fails_at_ = sync_calls_ + calls;
}

void MemoryStorage::fail_write_after(std::int64_t calls) {
  const std::lock_guard held(mutex_);
  write_fails_at_ = write_calls_ + calls;
}

void MemoryStorage::before_sync(std::function<void()> call) { before_sync_ = std::move(call); }

std::shared_ptr<MemoryStorage::Content> MemoryStorage::find(const std::string& path) const {
  const auto found = names_.find(path);
  if (found == names_.end()) throw SystemError(path + ": No such file or directory");
  return found->second;
}

std::vector<std::byte> MemoryStorage::content(const std::string& path) const {
  const std::lock_guard held(mutex_);
  return find(path)->bytes;
}

void MemoryStorage::set_content(const std::string& path, std::vector<std::byte> bytes) {
  const std::lock_guard held(mutex_);
  auto content = std::make_shared<Content>();
  content->synced = bytes.size();
  content->bytes = std::move(bytes);
  names_[path] = content;
  synced_names_[path] = content;
}

std::int64_t MemoryStorage::syncs() const {
  const std::lock_guard held(mutex_);
  return sync_calls_;
}

void MemoryStorage::make_folder(const std::string& /*path*/) {}

std::vector<std::string> MemoryStorage::list(const std::string& folder) {
  const std::lock_guard held(mutex_);
  std::vector<std::string> names;
  const std::string prefix = folder + "/";
  for (const auto& [name, content] : names_) {
    if (name.starts_with(prefix)) names.push_back(name.substr(prefix.size()));
  }
  return names;
}

std::uint64_t MemoryStorage::size(const std::string& path) {
  const std::lock_guard held(mutex_);
  return find(path)->bytes.size();
}

std::vector<std::byte> MemoryStorage::read(const std::string& path, std::uint64_t offset,
                                           std::size_t bytes) {
  const std::lock_guard held(mutex_);
  const std::vector<std::byte>& all = find(path)->bytes;
  const std::size_t from = std::min<std::size_t>(offset, all.size());
  const std::size_t count = std::min(bytes, all.size() - from);
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(from);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

std::unique_ptr<AppendFile> MemoryStorage::append_to(const std::string& path) {
  const std::lock_guard held(mutex_);
  auto& content = names_[path];
  if (!content) content = std::make_shared<Content>();
  return std::make_unique<File>(shared_from_this(), content, path);
}

void MemoryStorage::truncate(const std::string& path, std::uint64_t bytes) {
  const std::lock_guard held(mutex_);
  const auto content = find(path);
  content->bytes.resize(bytes);
  content->synced = content->bytes.size();
}

void MemoryStorage::rename(const std::string& from, const std::string& to) {
  const std::lock_guard held(mutex_);
  names_[to] = find(from);
  names_.erase(from);
}

void MemoryStorage::remove(const std::string& path) {
  const std::lock_guard held(mutex_);
  names_.erase(path);
}

void MemoryStorage::sync_folder(const std::string& /*folder*/) {
  const std::lock_guard held(mutex_);
  synced_names_ = names_;
}

std::shared_ptr<void> MemoryStorage::lock(const std::string& path) {
  const std::lock_guard held(mutex_);
  std::weak_ptr<void>& lock = locks_[path];
  if (!lock.expired()) return nullptr;
  auto taken = std::make_shared<int>(0);
  lock = taken;
  return taken;
}

}  // namespace tandem::journal

// Bytes that do not change and that copies share: in memory of their own, or of a file that is
// mapped.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tandem/core/export.hpp"

namespace tandem {

// Several threads may read one object, and copies of it.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(std::vector<std::uint8_t> bytes) {
    auto kept = std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes));
    bytes_ = *kept;
    owner_ = std::move(kept);
  }
  // `owner` keeps the bytes.
  SharedBytes(std::shared_ptr<const void> owner, std::span<const std::uint8_t> bytes)
      : owner_(std::move(owner)), bytes_(bytes) {}

  [[nodiscard]] std::span<const std::uint8_t> view() const noexcept { return bytes_; }
  [[nodiscard]] const std::uint8_t* data() const noexcept { return bytes_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] std::uint8_t operator[](std::size_t i) const { return bytes_[i]; }
  // Shares them too.
  [[nodiscard]] SharedBytes part(std::size_t begin, std::size_t count) const {
    return {owner_, bytes_.subspan(begin, count)};
  }
  [[nodiscard]] bool operator==(const SharedBytes& other) const {
    return std::ranges::equal(bytes_, other.bytes_);
  }

 private:
  std::shared_ptr<const void> owner_;
  std::span<const std::uint8_t> bytes_;
};

// The bytes of a file, mapped into memory: they are read when they are looked at, and the system
// may drop them again. The file must stay as it is meanwhile; one that is written anew by a rename,
// as Tandem writes, does. Throws InputError where the file is missing or no regular file,
// SystemError where it cannot be mapped.
[[nodiscard]] TANDEM_API SharedBytes map_file(const std::string& path);

}  // namespace tandem

// Tables of flatbuffers (flatbuffers.dev/internals), read where they lie. Every offset comes from
// the file and is compared with the bytes that there are.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace tandem::flatbuffer {

// An offset leads out of the bytes.
struct Damaged {};

class Bytes {
 public:
  explicit Bytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  template <class U>
  [[nodiscard]] U at(std::size_t place) const {
    if (place > bytes_.size() || bytes_.size() - place < sizeof(U)) throw Damaged{};
    std::array<std::uint8_t, sizeof(U)> raw;
    std::memcpy(raw.data(), bytes_.data() + place, sizeof(U));
    if constexpr (std::endian::native == std::endian::big) std::reverse(raw.begin(), raw.end());
    return std::bit_cast<U>(raw);
  }
  // The place that the offset at `place` leads to.
  [[nodiscard]] std::size_t follow(std::size_t place) const {
    const auto distance = at<std::uint32_t>(place);
    if (distance > bytes_.size() - place) throw Damaged{};
    return place + distance;
  }
  [[nodiscard]] std::string_view text(std::size_t place, std::size_t size) const {
    if (place > bytes_.size() || bytes_.size() - place < size) throw Damaged{};
    return {reinterpret_cast<const char*>(bytes_.data()) + place, size};
  }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }

 private:
  std::span<const std::uint8_t> bytes_;
};

class Vector;

// A table: fields by their number in the schema, each of which may be absent.
class Table {
 public:
  Table(const Bytes& bytes, std::size_t place) : bytes_(bytes), place_(place) {
    const auto distance = bytes.at<std::int32_t>(place);
    const auto fields = static_cast<std::int64_t>(place) - distance;
    if (fields < 0) throw Damaged{};
    fields_ = static_cast<std::size_t>(fields);
    size_ = bytes.at<std::uint16_t>(fields_);
  }
  [[nodiscard]] static Table root(const Bytes& bytes) { return {bytes, bytes.follow(0)}; }

  [[nodiscard]] bool has(int field) const { return place_of(field) != 0; }
  template <class U>
  [[nodiscard]] U get(int field, U absent) const {
    const std::size_t place = place_of(field);
    return place == 0 ? absent : bytes_.at<U>(place);
  }
  // Requires: has(field).
  [[nodiscard]] Table table(int field) const { return {bytes_, bytes_.follow(place_of(field))}; }
  [[nodiscard]] std::string_view text(int field) const {
    if (!has(field)) return {};
    const std::size_t place = bytes_.follow(place_of(field));
    return bytes_.text(place + 4, bytes_.at<std::uint32_t>(place));
  }
  // Empty where the field is absent. `element`: bytes of one.
  [[nodiscard]] Vector vector(int field, std::size_t element) const;

 private:
  [[nodiscard]] std::size_t place_of(int field) const {
    const std::size_t entry = 4 + 2 * static_cast<std::size_t>(field);
    if (entry + 2 > size_) return 0;
    const auto distance = bytes_.at<std::uint16_t>(fields_ + entry);
    return distance == 0 ? 0 : place_ + distance;
  }

  Bytes bytes_;
  std::size_t place_;
  std::size_t fields_ = 0;
  std::size_t size_ = 0;
};

class Vector {
 public:
  Vector(const Bytes& bytes, std::size_t place, std::size_t element)
      : bytes_(bytes), begin_(place + 4), size_(bytes.at<std::uint32_t>(place)), element_(element) {
    if (size_ > (bytes.size() - begin_) / element) throw Damaged{};
  }
  explicit Vector(const Bytes& bytes) : bytes_(bytes) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // The number at `offset` bytes of element i. Requires: i < size().
  template <class U>
  [[nodiscard]] U get(std::size_t i, std::size_t offset = 0) const {
    return bytes_.at<U>(begin_ + i * element_ + offset);
  }
  // Of a vector of tables, whose elements are offsets.
  [[nodiscard]] Table table(std::size_t i) const {
    return {bytes_, bytes_.follow(begin_ + i * element_)};
  }

 private:
  Bytes bytes_;
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
  std::size_t element_ = 1;
};

inline Vector Table::vector(int field, std::size_t element) const {
  if (!has(field)) return Vector(bytes_);
  return {bytes_, bytes_.follow(place_of(field)), element};
}

}  // namespace tandem::flatbuffer

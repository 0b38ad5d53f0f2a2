// Writes and reads the parts of a state: numbers as they stand in memory (little-endian), with a
// checksum over all.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <istream>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "systems/fraud/pack.hpp"
#include "systems/journal/crc32c.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {

static_assert(std::endian::native == std::endian::little);

// Of what is written; older ones are read too. Format 1 kept the last hour of a busy entity by the
// second, and knew no limit of its own for merchants.
inline constexpr std::uint32_t state_format = 2;

class StateWriter {
 public:
  static constexpr bool reads = false;
  [[nodiscard]] static constexpr std::uint32_t format() noexcept { return state_format; }
  explicit StateWriter(std::ostream& out) : out_(out) {}

  template <class... T>
  void operator()(T&... values) {
    (one(values), ...);
  }
  void bytes(const void* from, std::size_t count) {
    const auto* begin = static_cast<const std::byte*>(from);
    while (count > 0) {
      if (used_ == buffer_.size()) put_out();
      const std::size_t part = std::min(count, buffer_.size() - used_);
      std::memcpy(buffer_.data() + used_, begin, part);
      used_ += part;
      begin += part;
      count -= part;
    }
  }
  // The checksum, at the end.
  void finish() {
    put_out();
    const std::uint32_t crc = crc_;
    out_.write(reinterpret_cast<const char*>(&crc), sizeof(crc));
  }

 private:
  template <class T>
  void one(T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      bytes(&value, sizeof(value));
    } else {
      value.visit(*this);
    }
  }
  template <class T>
  void one(Pack<T>& pack) {
    const std::uint32_t size = pack.size();
    bytes(&size, sizeof(size));
    bytes(pack.begin(), size * sizeof(T));
  }
  template <class T, std::size_t n>
  void one(std::array<T, n>& values) {
    for (T& value : values) one(value);
  }
  template <class T>
  void one(std::vector<T>& values) {
    const std::uint64_t size = values.size();
    bytes(&size, sizeof(size));
    bytes(values.data(), size * sizeof(T));
  }
  void put_out() {
    const std::span<const std::byte> bytes(buffer_.data(), used_);
    crc_ = journal::crc32c(bytes, crc_);
    out_.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    used_ = 0;
  }

  std::ostream& out_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(1 << 16);
  std::size_t used_ = 0;
  std::uint32_t crc_ = 0;
};

// Throws InputError where the bytes end early. What a damaged length asks for is taken piece by
// piece, so that it costs no more memory than there are bytes.
class StateReader {
 public:
  static constexpr bool reads = true;
  [[nodiscard]] std::uint32_t format() const noexcept { return format_; }
  void set_format(std::uint32_t format) noexcept { format_ = format; }
  explicit StateReader(std::istream& in) : in_(in) {}

  template <class... T>
  void operator()(T&... values) {
    (one(values), ...);
  }
  void bytes(void* to, std::size_t count) {
    in_.read(static_cast<char*>(to), static_cast<std::streamsize>(count));
    if (static_cast<std::size_t>(in_.gcount()) != count) fail("ends early");
    crc_ = journal::crc32c({static_cast<const std::byte*>(to), count}, crc_);
  }
  void finish() {
    const std::uint32_t expected = crc_;
    std::uint32_t crc = 0;
    bytes(&crc, sizeof(crc));
    if (crc != expected) fail("is damaged: its checksum is wrong");
  }
  [[noreturn]] static void fail(const std::string& what) {
    throw InputError("the snapshot of the state " + what);
  }

 private:
  template <class T>
  void one(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t byte = 0;
      bytes(&byte, 1);
      if (byte > 1) fail("is damaged");
      value = byte == 1;
    } else if constexpr (std::is_arithmetic_v<T>) {
      bytes(&value, sizeof(value));
    } else {
      value.visit(*this);
    }
  }
  template <class T>
  void one(Pack<T>& pack) {
    std::uint32_t size = 0;
    bytes(&size, sizeof(size));
    std::vector<T> values;
    pieces(values, size);
    pack.assign(values);
  }
  template <class T, std::size_t n>
  void one(std::array<T, n>& values) {
    for (T& value : values) one(value);
  }
  template <class T>
  void one(std::vector<T>& values) {
    std::uint64_t size = 0;
    bytes(&size, sizeof(size));
    pieces(values, size);
  }
  template <class T>
  void pieces(std::vector<T>& values, std::uint64_t size) {
    values.clear();
    while (values.size() < size) {
      const std::size_t before = values.size();
      values.resize(before + static_cast<std::size_t>(std::min<std::uint64_t>(
                                 size - before, (1 << 20) / sizeof(T) + 1)));
      bytes(values.data() + before, (values.size() - before) * sizeof(T));
    }
  }

  std::istream& in_;
  std::uint32_t crc_ = 0;
  std::uint32_t format_ = state_format;
};

}  // namespace tandem::fraud

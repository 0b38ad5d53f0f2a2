// Where readers get their bytes from: a file, a pipe, or memory; as stored, or decompressed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tandem/core/types.hpp"

namespace tandem {

// Bytes in order, once.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Reads up to `count` bytes, at least one unless the end is reached or count is 0.
  virtual std::size_t read(char* to, std::size_t count) = 0;
};

// Reads until `count` bytes are there or the source ends.
[[nodiscard]] std::size_t read_fully(ByteSource& source, char* to, std::size_t count);

enum class Compression { none, gzip, bzip2 };

class Input {
 public:
  // Throws InputError for a missing file or a folder, SystemError where it cannot be opened.
  [[nodiscard]] static Input file(const std::string& path);
  // The bytes must outlive the input.
  [[nodiscard]] static Input memory(std::string name, std::span<const std::uint8_t> bytes);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // By its first bytes, not by its name.
  [[nodiscard]] Compression compression() const noexcept { return compression_; }
  // False for a pipe, which open() can give once only.
  [[nodiscard]] bool repeatable() const noexcept { return repeatable_; }
  // Bytes as stored; −1 for a pipe.
  [[nodiscard]] Index stored_size() const noexcept { return stored_size_; }
  // No more bytes than this come out of open(); the largest Index where nothing is known. Deflate
  // cannot expand more than 1032 times.
  [[nodiscard]] Index largest_size() const noexcept;

  // From the beginning, decompressed. Throws InputError the second time for a pipe. The source
  // throws InputError for damaged or truncated compressed data.
  [[nodiscard]] std::unique_ptr<ByteSource> open() const;
  // From the beginning, as stored.
  [[nodiscard]] std::unique_ptr<ByteSource> open_stored() const;
  // The first bytes, decompressed; fewer where the source ends or is damaged there.
  [[nodiscard]] std::string head(std::size_t count) const;
  // Stored bytes at an offset: exactly `count`, else InputError. Requires: repeatable().
  void read_at(Index offset, char* to, std::size_t count) const;

 private:
  struct Descriptor;

  std::string name_;
  Compression compression_ = Compression::none;
  bool repeatable_ = true;
  Index stored_size_ = 0;
  std::span<const std::uint8_t> bytes_;     // memory
  std::shared_ptr<Descriptor> descriptor_;  // file or pipe
};

// Decompression of a whole stream: all members of a gzip file, all streams of a bzip2 file.
[[nodiscard]] std::unique_ptr<ByteSource> decompress(std::unique_ptr<ByteSource> source,
                                                     Compression compression, std::string name);
// The raw deflate data of a zip member.
[[nodiscard]] std::unique_ptr<ByteSource> inflate_raw(std::unique_ptr<ByteSource> source,
                                                      std::string name);
// `count` stored bytes of a repeatable input from `offset` on. The input must outlive it.
[[nodiscard]] std::unique_ptr<ByteSource> part_of(const Input& input, Index offset, Index count);

}  // namespace tandem

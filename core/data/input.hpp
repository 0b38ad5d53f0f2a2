// Where readers get their bytes from: a file, a pipe, or memory; as stored, or decompressed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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

enum class Compression { none, gzip, bzip2, xz, zstd };

class Input {
 public:
  using Opener = std::function<std::unique_ptr<ByteSource>()>;

  // Throws InputError for a missing file or a folder, SystemError where it cannot be opened. "-" is
  // standard input. A pipe is read as it is needed, once; what was read is kept in a temporary file
  // without a name, so that it can be read again.
  [[nodiscard]] static Input file(const std::string& path);
  // The bytes must outlive the input.
  [[nodiscard]] static Input memory(std::string name, std::span<const std::uint8_t> bytes);
  // An input whose bytes come from `open`, which gives a source of at most `largest` bytes, which
  // starts from the beginning each time.
  [[nodiscard]] static Input derived(std::string name, Opener open, Index largest);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // By its first bytes, not by its name.
  [[nodiscard]] Compression compression() const noexcept { return compression_; }
  // False for a derived input, which has no bytes as stored.
  [[nodiscard]] bool stored() const noexcept { return !open_; }
  // Bytes as stored; −1 for a pipe that has not ended yet and for a derived input.
  [[nodiscard]] Index stored_size() const;
  // The same; reads a pipe to its end.
  [[nodiscard]] Index whole_size() const;
  // No more bytes than this come out of open(); the largest Index where nothing is known. Deflate
  // cannot expand more than 1032 times.
  [[nodiscard]] Index largest_size() const;

  // From the beginning, decompressed. The source throws InputError for damaged or truncated
  // compressed data.
  [[nodiscard]] std::unique_ptr<ByteSource> open() const;
  // From the beginning, as stored. Requires: stored().
  [[nodiscard]] std::unique_ptr<ByteSource> open_stored() const;
  // The first bytes, decompressed; fewer where the source ends or is damaged there.
  [[nodiscard]] std::string head(std::size_t count) const;
  // Stored bytes at an offset: exactly `count`, else InputError. Requires: stored().
  void read_at(Index offset, char* to, std::size_t count) const;

 private:
  struct Descriptor;

  std::string name_;
  Compression compression_ = Compression::none;
  Index stored_size_ = 0;
  Index largest_ = 0;
  std::span<const std::uint8_t> bytes_;     // memory
  std::shared_ptr<Descriptor> descriptor_;  // file or pipe
  Opener open_;                             // derived
};

// Decompression of a whole stream: all members of a gzip file, all streams of a bzip2 or xz file,
// all frames of a zstd file. Anything else behind them but zeros is an InputError: it is damaged
// data, or the file is no such file.
[[nodiscard]] std::unique_ptr<ByteSource> decompress(std::unique_ptr<ByteSource> source,
                                                     Compression compression, std::string name);
// The raw deflate data of a zip member.
[[nodiscard]] std::unique_ptr<ByteSource> inflate_raw(std::unique_ptr<ByteSource> source,
                                                      std::string name);
// `count` stored bytes of an input from `offset` on. The input must outlive it.
[[nodiscard]] std::unique_ptr<ByteSource> part_of(const Input& input, Index offset, Index count);

}  // namespace tandem

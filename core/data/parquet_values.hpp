// The encodings of Parquet's values, decoded a batch at a time, so that memory depends on the batch
// and not on what a page claims (github.com/apache/parquet-format, Encodings.md).
//
// Each decoder answers false where its bytes end before the values do, or are none.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/types.hpp"

namespace tandem::parquet {

using Bytes = std::span<const std::uint8_t>;

// Numbers of a fixed width of 0 to 32 bits: runs of one value and bit-packed groups of eight.
class HybridDecoder {
 public:
  HybridDecoder() = default;
  HybridDecoder(Bytes bytes, int width) : bytes_(bytes), width_(width) {}
  [[nodiscard]] bool next(std::uint32_t* to, std::size_t count);
  // The value that at least the next `count` numbers have; false where that is not known without
  // decoding them. They still come out of next().
  [[nodiscard]] bool next_run(std::size_t count, std::uint32_t& value);
  void pass_run(std::size_t count) { run_ -= count; }

 private:
  bool begin_run();

  Bytes bytes_;
  int width_ = 0;
  std::uint64_t run_ = 0;     // values left of a run of one value
  std::uint64_t packed_ = 0;  // values left of a bit-packed run
  std::uint32_t value_ = 0;
  std::size_t bit_ = 0;  // of the packed run's bytes
};

// The levels of version 1 of the format: bits of one value each, from the highest of a byte on.
class BitLevels {
 public:
  BitLevels() = default;
  explicit BitLevels(Bytes bytes) : bytes_(bytes) {}
  [[nodiscard]] bool next(std::uint32_t* to, std::size_t count);

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
};

// DELTA_BINARY_PACKED: whole numbers of 32 or 64 bits, which wrap around.
class DeltaDecoder {
 public:
  DeltaDecoder() = default;
  // False where the header is damaged.
  [[nodiscard]] bool begin(Bytes bytes);
  [[nodiscard]] bool next(std::int64_t* to, std::size_t count);
  // How many numbers there are in all.
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  // What stands behind the last number. Requires: all of them were read.
  [[nodiscard]] Bytes rest() const noexcept { return bytes_.subspan(at_); }

 private:
  bool begin_block();
  bool begin_miniblock();
  bool varint(std::uint64_t& value);

  Bytes bytes_;
  std::size_t at_ = 0;
  std::uint64_t total_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t block_ = 0;      // values in a block
  std::uint64_t minis_ = 0;      // miniblocks in a block
  std::uint64_t mini_size_ = 0;  // values in a miniblock
  std::uint64_t value_ = 0;
  std::uint64_t least_ = 0;  // of the block's differences
  std::vector<std::uint8_t> widths_;
  std::uint64_t mini_ = 0;       // the next miniblock of the block
  std::uint64_t mini_left_ = 0;  // values left in the miniblock
  std::size_t bit_ = 0;
  Bytes mini_bytes_;
  int width_ = 0;
  bool first_ = false;
};

// Texts: PLAIN, DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY.
class TextDecoder {
 public:
  enum class Kind : std::uint8_t { plain, delta_length, delta_bytes };

  TextDecoder() = default;
  [[nodiscard]] bool begin(Kind kind, Bytes bytes);
  // Calls take(text) for each of `count` texts; a text lives until the next one. `repeats` is true
  // where the text is that before it, and that is known without comparing them.
  template <class Take>
  [[nodiscard]] bool next(std::size_t count, Take&& take) {
    for (std::size_t i = 0; i < count; ++i) {
      std::string_view text;
      bool repeats = false;
      if (!one(text, repeats)) return false;
      take(text, repeats);
    }
    return true;
  }

 private:
  bool one(std::string_view& text, bool& repeats);
  bool length(DeltaDecoder& lengths, std::uint64_t& value);

  Kind kind_ = Kind::plain;
  Bytes bytes_;  // what is left of the texts
  DeltaDecoder lengths_;
  DeltaDecoder prefixes_;
  std::string last_;
  bool begun_ = false;
  std::uint64_t allowed_ = 0;  // bytes that may still be built of prefixes
};

// Values of `width` bytes, of which a page has all first bytes, then all second bytes and so on.
class SplitDecoder {
 public:
  SplitDecoder() = default;
  [[nodiscard]] bool begin(Bytes bytes, std::size_t width);
  // count · width bytes.
  [[nodiscard]] bool next(std::uint8_t* to, std::size_t count);

 private:
  Bytes bytes_;
  std::size_t width_ = 1;
  std::size_t total_ = 0;
  std::size_t at_ = 0;
};

}  // namespace tandem::parquet

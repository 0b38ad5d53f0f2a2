// The containers that nvcc puts device code into.
//
// A program hands the runtime a wrapper (magic 0x466243b1) that points to a fat binary: a header
// (magic 0xba55ed50, its own size, the size of all entries) followed by entries. An entry has a
// header of its own with the kind of code (1 PTX, 2 machine code), the architecture, flags
// (0x2000: LZ4, 0x8000: Zstandard) and sizes. Layout as observable in any nvcc output; all
// integers are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace softgpu {

class FatbinError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct FatbinEntry {
  enum class Kind { ptx, machine_code, other };
  enum class Compression { none, lz4, zstd };
  Kind kind = Kind::other;
  Compression compression = Compression::none;
  int architecture = 0;                // 90 for sm_90
  std::span<const std::byte> payload;  // as stored
  std::uint64_t plain_size = 0;        // after decompression
};

// Bytes that the container claims to have, from its first 16 bytes; throws FatbinError where they
// are no fat binary header.
[[nodiscard]] std::size_t fatbin_size(std::span<const std::byte> start);

// The entries in order. Throws FatbinError for sizes that do not fit into `container`.
[[nodiscard]] std::vector<FatbinEntry> list_entries(std::span<const std::byte> container);

// The text of a PTX entry, without its terminating zero bytes.
[[nodiscard]] std::string ptx_text(const FatbinEntry& entry);

// The PTX entry with the highest architecture up to `architecture`, or nullptr.
[[nodiscard]] const FatbinEntry* best_ptx(const std::vector<FatbinEntry>& entries,
                                          int architecture);

}  // namespace softgpu

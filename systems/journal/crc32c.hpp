// CRC-32C (Castagnoli), the checksum of records and snapshots. RFC 3720, appendix B.4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tandem::journal {

// Of `bytes` after what `before` is the checksum of.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0);

}  // namespace tandem::journal

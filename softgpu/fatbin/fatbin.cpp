#include "softgpu/fatbin/fatbin.hpp"

#include <lz4.h>
#include <zstd.h>

#include <cstring>

namespace softgpu {
namespace {

constexpr std::uint32_t container_magic = 0xba55ed50;
constexpr std::uint64_t flag_lz4 = 0x2000;
constexpr std::uint64_t flag_zstd = 0x8000;
// Text compresses well, but not beyond this; a claim above it is not believed.
constexpr std::uint64_t largest_ratio = 4096;

template <class T>
T read(std::span<const std::byte> bytes, std::size_t at) {
  if (at + sizeof(T) > bytes.size()) throw FatbinError("fat binary: header runs past the end");
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

struct ContainerHeader {
  std::size_t header_size;
  std::size_t total_size;
};

ContainerHeader read_container(std::span<const std::byte> bytes) {
  if (read<std::uint32_t>(bytes, 0) != container_magic) {
    throw FatbinError("fat binary: wrong magic number");
  }
  const auto header_size = read<std::uint16_t>(bytes, 6);
  const auto size = read<std::uint64_t>(bytes, 8);
  if (header_size < 16 || size > (std::uint64_t{1} << 40)) {
    throw FatbinError("fat binary: impossible size in the header");
  }
  return {header_size, header_size + static_cast<std::size_t>(size)};
}

}  // namespace

std::size_t fatbin_size(std::span<const std::byte> start) {
  return read_container(start).total_size;
}

std::vector<FatbinEntry> list_entries(std::span<const std::byte> container) {
  const ContainerHeader header = read_container(container);
  if (header.total_size > container.size()) throw FatbinError("fat binary: truncated");
  std::vector<FatbinEntry> entries;
  std::size_t at = header.header_size;
  while (at + 64 <= header.total_size) {
    const auto entry = container.subspan(at, header.total_size - at);
    const auto kind = read<std::uint16_t>(entry, 0);
    const auto header_size = read<std::uint32_t>(entry, 4);
    const auto padded_size = read<std::uint64_t>(entry, 8);
    const auto compressed_size = read<std::uint32_t>(entry, 16);
    const auto flags = read<std::uint64_t>(entry, 40);
    const auto plain_size = read<std::uint64_t>(entry, 56);
    if (header_size < 64 || header_size > entry.size() ||
        padded_size > entry.size() - header_size) {
      throw FatbinError("fat binary: an entry runs past the end");
    }
    FatbinEntry result;
    result.kind = kind == 1   ? FatbinEntry::Kind::ptx
                  : kind == 2 ? FatbinEntry::Kind::machine_code
                              : FatbinEntry::Kind::other;
    result.architecture = static_cast<int>(read<std::uint32_t>(entry, 28));
    std::size_t stored = static_cast<std::size_t>(padded_size);
    result.plain_size = padded_size;
    if ((flags & (flag_lz4 | flag_zstd)) != 0) {
      result.compression =
          (flags & flag_zstd) != 0 ? FatbinEntry::Compression::zstd : FatbinEntry::Compression::lz4;
      if (compressed_size > padded_size) {
        throw FatbinError("fat binary: compressed size exceeds the entry");
      }
      stored = compressed_size;
      result.plain_size = plain_size;
    }
    result.payload = entry.subspan(header_size, stored);
    entries.push_back(result);
    at += header_size + static_cast<std::size_t>(padded_size);
  }
  return entries;
}

std::string ptx_text(const FatbinEntry& entry) {
  const auto* from = reinterpret_cast<const char*>(entry.payload.data());
  std::string text;
  if (entry.compression == FatbinEntry::Compression::none) {
    text.assign(from, entry.payload.size());
  } else {
    if (entry.plain_size > entry.payload.size() * largest_ratio) {
      throw FatbinError("fat binary: impossible uncompressed size");
    }
    text.resize(static_cast<std::size_t>(entry.plain_size));
    std::size_t got = 0;
    if (entry.compression == FatbinEntry::Compression::zstd) {
      got = ZSTD_decompress(text.data(), text.size(), from, entry.payload.size());
      if (ZSTD_isError(got) != 0) {
        throw FatbinError(std::string("fat binary: Zstandard: ") + ZSTD_getErrorName(got));
      }
    } else {
      const int result = LZ4_decompress_safe(
          from, text.data(), static_cast<int>(entry.payload.size()), static_cast<int>(text.size()));
      if (result < 0) throw FatbinError("fat binary: LZ4: damaged data");
      got = static_cast<std::size_t>(result);
    }
    text.resize(got);
  }
  if (const auto end = text.find('\0'); end != std::string::npos) text.resize(end);
  return text;
}

const FatbinEntry* best_ptx(const std::vector<FatbinEntry>& entries, int architecture) {
  const FatbinEntry* best = nullptr;
  for (const auto& entry : entries) {
    if (entry.kind != FatbinEntry::Kind::ptx || entry.architecture > architecture) continue;
    if (best == nullptr || entry.architecture > best->architecture) best = &entry;
  }
  return best;
}

}  // namespace softgpu

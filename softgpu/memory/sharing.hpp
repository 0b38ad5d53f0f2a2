// Device memory that several processes use: its bytes move to a file in memory that another process
// can map.
#pragma once

#include <cstdint>

namespace softgpu {

// Where bytes lie in a file that this process has open.
struct SharedPlace {
  int file = -1;
  std::uint64_t file_bytes = 0;
  std::uint64_t offset = 0;
};

// Moves the allocation that contains `address`, and what lies beside it, to a file; its address and
// its bytes stay. Nothing may write there meanwhile. False where it is no memory of cudaMalloc, or
// the system refuses.
[[nodiscard]] bool share_memory(std::uint64_t address, SharedPlace& place);
// Maps a shared file of another process, by its descriptor there; `inode` is that file's number.
// nullptr where there is no such file, any more or for this user.
[[nodiscard]] void* map_shared(int process, int file, std::uint64_t inode, std::uint64_t bytes);
void unmap_shared(void* address, std::uint64_t bytes);
// The number of a file that this process has open; 0 for none.
[[nodiscard]] std::uint64_t inode_of(int file);

}  // namespace softgpu

// Memory that stands on disk: what a run needs beyond the memory that it is given.
#pragma once

#include <cstddef>
#include <string>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

struct ExternalMemoryOptions {
  // Where its files go. They have no names: nothing of them is left when the process ends, however
  // it ends.
  std::string folder;
  // Bytes of memory that the process may take, all of it: code, ordinary memory, and the pages of
  // the files that are in memory at a time.
  Index memory = 0;
  // Allocations of fewer bytes stay in ordinary memory, and so do those of less than an eighth of
  // `memory` as long as all of that is no more than half; 0: a 64th.
  Index least = 0;
};

// Bytes that this process can still take of the machine's memory, and of what control groups and
// RLIMIT_AS leave it.
[[nodiscard]] TANDEM_API Index memory_to_use();

// From now on, whoever allocates large memory by allocate_external(), as engines do for buffers and
// the program tandem for everything, gets pages of files. What is in memory of them at a time is
// chosen by the loops that go over rows: a thread says which rows it comes to (core/
// external_memory.hpp), the rows behind those are read ahead meanwhile, and rows that nobody needs
// any more are dropped, from the system's page cache too. As many as there is room for stay from
// one pass to the next. No result depends on any of it.
//
// Throws InputError where the folder does not exist or `memory` is less than
// least_external_memory, SystemError where files cannot be made there. To be called before other
// threads work; a second call changes the options.
TANDEM_API void use_external_memory(const ExternalMemoryOptions& options);
// Ends that for later allocations.
TANDEM_API void stop_external_memory() noexcept;

inline constexpr Index least_external_memory = Index{64} << 20;

// Since the process began.
struct ExternalMemoryUse {
  Index bytes = 0;                // of the files now
  Index most_bytes = 0;           // at one time
  Index loaded_bytes = 0;         // brought into memory, from the disk but for those never written
  Index waiting_nanoseconds = 0;  // of all threads together, for rows that were not there yet
};
[[nodiscard]] TANDEM_API ExternalMemoryUse external_memory_use() noexcept;

// Bytes of a file, aligned to 2 MiB and zero; nullptr where external memory is not in use, and
// where ordinary memory will do. Throws SystemError where the disk has no room.
[[nodiscard]] TANDEM_API void* allocate_external(std::size_t bytes);
// Gives back what allocate_external() gave; false, and nothing is done, for any other pointer.
TANDEM_API bool deallocate_external(void* memory) noexcept;

}  // namespace tandem

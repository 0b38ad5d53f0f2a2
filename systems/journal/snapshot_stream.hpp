// The file of a snapshot: what the caller writes, then its length u64, sequence u64, CRC-32C of all
// before it u32, "Snp1". Written and checked piece by piece.
#pragma once

#include <functional>
#include <iosfwd>

#include "systems/journal/journal.hpp"

namespace tandem::journal {

void write_snapshot_file(AppendFile& file, Sequence sequence,
                         const std::function<void(std::ostream&)>& fill);
[[nodiscard]] bool snapshot_is_whole(Storage& storage, const SnapshotInfo& snapshot);
// Throws InputError where the checksum is wrong, after `take` has read.
void read_snapshot_file(Storage& storage, const SnapshotInfo& snapshot,
                        const std::function<void(std::istream&)>& take);

}  // namespace tandem::journal

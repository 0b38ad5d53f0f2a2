// The newest records of a log in memory, as they stand in its files, for those that follow it.
#pragma once

#include <deque>
#include <mutex>
#include <optional>

#include "systems/journal/journal.hpp"

namespace tandem::journal {

// Several threads may use it at once.
class Tail {
 public:
  explicit Tail(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  // Of the record after the last that was added.
  void add(const Record& record);
  // Records were changed in the files: those in memory are not true any more.
  void clear();

  // Appends the records from `from` to `until` − 1 to `out`, in the bytes of segment.hpp, until
  // there are `most_bytes`, and at least one; returns the sequence after the last. None where
  // `from` is not in memory.
  [[nodiscard]] std::optional<Sequence> copy(Sequence from, Sequence until, std::size_t most_bytes,
                                             std::vector<std::byte>& out) const;

 private:
  const std::size_t most_bytes_;
  mutable std::mutex mutex_;
  std::deque<std::vector<std::byte>> records_;
  Sequence first_ = 0;  // of records_.front()
  std::size_t bytes_ = 0;
};

// The same from the folder's files, whose records from `from` on have to be there.
[[nodiscard]] Sequence copy_from_files(const std::string& folder, Sequence from, Sequence until,
                                       std::size_t most_bytes, std::vector<std::byte>& out);

// Calls `take` with the records in bytes of that kind, whose sequences must follow each other from
// `from` on. Throws InputError where they do not, or where a checksum is wrong.
void each_record(std::span<const std::byte> bytes, Sequence from,
                 const std::function<void(const Record&)>& take);

}  // namespace tandem::journal

// A write-ahead log: records appended one after the other, acknowledged once they are safe, read
// back in their order after whatever happened to the process or the machine.
//
// A folder holds segments, log-SEQUENCE.journal, and snapshots, snapshot-SEQUENCE.state, each named
// by the sequence number that it begins with (a snapshot: that it stands for, all records below it
// being in it). Every record has a sequence number, 0, 1, 2, ..., a kind of the caller's, and a
// CRC-32C over them and its bytes. Each write of a group also says which records were known to be
// on the disk before it, so that after a loss of power a torn end, where nothing was acknowledged,
// is told from damage among acknowledged records: the first is cut off, the second refused.
//
// Mohan et al., "ARIES", ACM TODS 17 (1992) for the discipline; DeWitt et al., "Implementation
// Techniques for Main Memory Database Systems", SIGMOD 1984, for group commit. After a failed
// fdatasync nothing is known of what was written before (Rebello et al., "Can Applications Recover
// from fsync Failures?", USENIX ATC 2020): the journal acknowledges nothing from then on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "systems/journal/storage.hpp"
#include "tandem/core/names.hpp"

namespace tandem::journal {

// sync: acknowledged once fdatasync has returned: survives a loss of power.
// os:   acknowledged once written: survives the end of the process, not that of the machine.
enum class Durability { sync, os };

}  // namespace tandem::journal

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 2> enum_names<journal::Durability>{"sync", "os"};
}  // namespace tandem

namespace tandem::journal {

using Sequence = std::uint64_t;

struct Record {
  Sequence sequence = 0;
  std::uint8_t kind = 0;
  std::span<const std::byte> bytes;  // valid during the call
  bool gone = false;                 // erased: kind and bytes are empty, the sequence is kept
};

struct JournalOptions {
  Durability durability = Durability::sync;
  std::size_t segment_bytes = 64 << 20;  // a new segment is begun after it; 4096 at least
  // How long a group may wait for company before it is written; 0: not at all, a group is what
  // came while the last one was on its way.
  std::int64_t group_microseconds = 0;
  // Bytes that may wait to be written; append() waits beyond.
  std::size_t buffer_bytes = 16 << 20;
  // Called by the journal's thread after each group: all records below `sequence` are safe. Must
  // not throw, and not call append() where that could wait.
  std::function<void(Sequence sequence)> on_durable;
  // Called by append(), in the order of the log, with each record that is going to be written. Must
  // not throw, and not call the journal.
  std::function<void(const Record& record)> on_append;
  // Called once by the journal's thread where it failed: nothing more will be acknowledged.
  std::function<void(const std::string& why)> on_failure;
};

inline constexpr std::size_t longest_record = 16 << 20;

struct SnapshotInfo {
  Sequence sequence = 0;  // records below it are in the snapshot
  std::string path;
  std::uint64_t bytes = 0;
};

// What opening found.
struct Recovery {
  Sequence first = 0;           // of the records that there are
  Sequence next = 0;            // of the next record
  std::uint64_t cut_bytes = 0;  // of a torn end
  std::int64_t segments = 0;
};

// append(), wait(), flush(), durable(), next() and failed() may be called by several threads at
// once, also while another is in rewrite(), write_snapshot() or remove_snapshots_below(); the
// others by one thread, while no other appends.
class Journal {
 public:
  // Opens the folder, makes it where it is missing, locks it against other processes, cuts off a
  // torn end. Throws InputError where it is in use, where a segment is missing in between, of a
  // later format or damaged among acknowledged records (the message names file and offset);
  // SystemError where the system refuses.
  Journal(const std::string& folder, JournalOptions options,
          std::shared_ptr<Storage> storage = real_storage());
  // Writes (and syncs) what was appended.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  [[nodiscard]] const Recovery& recovery() const noexcept;

  // Puts a record into the next group and returns its sequence number; order of return values is
  // order in the log. Throws InputError for a record of more than longest_record bytes, SystemError
  // once the journal has failed.
  Sequence append(std::uint8_t kind, std::span<const std::byte> bytes);
  // Puts in the place of a record that was erased elsewhere, for a log that is a copy of another.
  Sequence append_gone();
  // Returns when the record is safe. Throws SystemError where it cannot become so.
  void wait(Sequence sequence);
  // Everything appended so far is safe.
  void flush();
  // All records below it are safe.
  [[nodiscard]] Sequence durable() const noexcept;
  [[nodiscard]] Sequence next() const noexcept;
  [[nodiscard]] bool failed() const noexcept;
  [[nodiscard]] std::string failure() const;  // why; empty where it has not

  // Calls `take` with every record from `from` on, in order; flushes first.
  void read(Sequence from, const std::function<void(const Record&)>& take);

  // Writes a snapshot that stands for all records below `sequence` (which must be safe already):
  // temporary file, fsync, rename, fsync of the folder. The newest two are kept.
  void write_snapshot(Sequence sequence, const std::function<void(std::ostream&)>& fill);
  // The newest whose checksum is right, or none; damaged ones are left where they are and passed
  // over. Those of a sequence beyond next() are passed over too.
  [[nodiscard]] std::optional<SnapshotInfo> newest_snapshot() const;
  // Gives its content. Throws what `take` throws, InputError where the file is damaged.
  void read_snapshot(const SnapshotInfo& snapshot,
                     const std::function<void(std::istream&)>& take) const;
  // Removes segments all of whose records are below `sequence`.
  void remove_below(Sequence sequence);

  // Snapshots that stand for fewer records go.
  void remove_snapshots_below(Sequence sequence);

  // Erasure. Asks of every record that was appended before the call what becomes of it: nothing
  // keeps it, an empty vector erases it (the record stays as `gone`), other bytes take its place.
  // What is appended meanwhile goes to a segment of its own, and does not wait. Segments are
  // replaced one by one, each whole; after a crash in between the call is to be made again. Returns
  // how many records changed.
  std::int64_t rewrite(
      const std::function<std::optional<std::vector<std::byte>>(const Record&)>& decide);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The sequence number of the first record that a folder keeps; 0 where there is none.
[[nodiscard]] Sequence first_in_journal(const std::string& folder);

// Reads a folder without locking or changing it, also while a process writes to it (a standby, a
// replay): `take` gets what is whole from `from` on. Returns the next sequence number to ask for.
// Throws InputError as Journal's constructor does for damage.
Sequence read_journal(const std::string& folder, Sequence from,
                      const std::function<void(const Record&)>& take);

}  // namespace tandem::journal

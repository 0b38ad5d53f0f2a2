#include "systems/journal/journal.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <istream>
#include <mutex>
#include <ostream>
#include <streambuf>
#include <thread>

#include "systems/journal/bytes.hpp"
#include "systems/journal/crc32c.hpp"
#include "systems/journal/segment.hpp"
#include "systems/journal/snapshot_stream.hpp"
#include "tandem/core/error.hpp"

namespace tandem::journal {
namespace {

struct Segment {
  Sequence first = 0;
  std::string path;
};

std::vector<Segment> segments_in(Storage& storage, const std::string& folder) {
  std::vector<Segment> segments;
  for (const std::string& name : storage.list(folder)) {
    if (const auto first = segment_of(name)) segments.push_back({*first, folder + "/" + name});
  }
  std::sort(segments.begin(), segments.end(),
            [](const Segment& a, const Segment& b) { return a.first < b.first; });
  return segments;
}

[[noreturn]] void not_whole(const SegmentReader& reader, const Segment& segment) {
  throw InputError(segment.path + ": is damaged at byte " + std::to_string(reader.offset()) +
                   ": record " + std::to_string(reader.expected()) +
                   " is not whole, and later files follow; restore the file from a copy");
}

void check_follows(const Segment& segment, Sequence expected) {
  if (segment.first == expected) return;
  throw InputError(segment.path + ": begins with record " + std::to_string(segment.first) +
                   " where the files before it end with " + std::to_string(expected) +
                   " still to come; a file is missing or was renamed: restore it");
}

// Reads segments in order; `take` gets what is at `from` and after. Returns the next sequence.
// A torn end of the last one ends the reading.
Sequence read_segments(Storage& storage, const std::vector<Segment>& segments, Sequence from,
                       const std::function<void(const Record&)>& take) {
  Sequence next = segments.empty() ? from : segments.front().first;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool last = i + 1 == segments.size();
    // All of its records are below.
    if (!last && segments[i + 1].first <= from) {
      next = segments[i + 1].first;
      continue;
    }
    check_follows(segments[i], next);
    SegmentReader reader(storage, segments[i].path, segments[i].first);
    Record record;
    while (reader.next(record)) {
      if (record.sequence >= from) take(record);
    }
    if (reader.end() == SegmentReader::End::cut && !last) not_whole(reader, segments[i]);
    next = reader.expected();
  }
  return next;
}

}  // namespace

struct Journal::Impl {
  std::string folder;
  JournalOptions options;
  std::shared_ptr<Storage> storage;
  std::shared_ptr<void> lock;
  Recovery recovery;

  // Of the journal's thread.
  std::vector<Segment> segments;  // the last is written to
  std::unique_ptr<AppendFile> file;
  std::uint64_t file_bytes = 0;
  std::vector<std::byte> writing;

  std::mutex mutex;
  std::condition_variable came;    // something to write, or the end
  std::condition_variable passed;  // durable or failed changed, or there is room
  std::vector<std::byte> pending;
  bool busy = false;  // a group is being written
  bool ending = false;
  std::string why_failed;
  std::atomic<Sequence> next_sequence{0};
  std::atomic<Sequence> durable_sequence{0};
  // Records below it are on the disk, whatever the durability asked for. Of the journal's thread.
  Sequence synced = 0;
  std::atomic<bool> has_failed{false};
  std::thread thread;

  void open();
  void begin_segment(Sequence first);
  void run();
  void write_group(Sequence until);
  void wait_idle(std::unique_lock<std::mutex>& held);
  void set_failed(const std::string& why);  // with the mutex held
  Sequence append(std::uint8_t kind, bool gone, std::span<const std::byte> bytes);
  [[noreturn]] void refuse() const { throw SystemError(why_failed); }
};

void Journal::Impl::open() {
  storage->make_folder(folder);
  lock = storage->lock(folder + "/lock");
  if (!lock) {
    throw InputError(folder + ": is in use by another process; stop it, or name another folder");
  }
  Sequence of_snapshot = 0;
  for (const std::string& name : storage->list(folder)) {
    if (name.ends_with(".tmp")) storage->remove(folder + "/" + name);
    if (const auto sequence = snapshot_of(name)) of_snapshot = std::max(of_snapshot, *sequence);
  }
  segments = segments_in(*storage, folder);
  // A last file without a whole head was begun when power was lost: nothing was written to it.
  if (!segments.empty()) {
    SegmentReader reader(*storage, segments.back().path, segments.back().first);
    if (!reader.head_whole()) {
      Record none;
      (void)reader.next(none);  // refuses a file with records that were acknowledged
      recovery.cut_bytes += storage->size(segments.back().path);
      storage->remove(segments.back().path);
      storage->sync_folder(folder);
      segments.pop_back();
    }
  }
  Sequence next = segments.empty() ? of_snapshot : segments.front().first;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    check_follows(segments[i], next);
    SegmentReader reader(*storage, segments[i].path, segments[i].first);
    Record record;
    while (reader.next(record)) {
    }
    if (reader.end() == SegmentReader::End::cut) {
      if (i + 1 != segments.size()) not_whole(reader, segments[i]);
      recovery.cut_bytes += storage->size(segments[i].path) - reader.offset();
      storage->truncate(segments[i].path, reader.offset());
    }
    next = reader.expected();
    file_bytes = reader.offset();
  }
  recovery.first = segments.empty() ? next : segments.front().first;
  recovery.next = next;
  recovery.segments = static_cast<std::int64_t>(segments.size());
  next_sequence = next;
  if (segments.empty()) {
    begin_segment(next);
  } else {
    file = storage->append_to(segments.back().path);
    // What was read may be in the system's memory only, where the process before ended before its
    // sync: from here on it counts as acknowledged.
    file->sync();
    storage->sync_folder(folder);
  }
  durable_sequence = next;
  synced = next;
}

void Journal::Impl::begin_segment(Sequence first) {
  const std::string path = folder + "/" + segment_name(first);
  std::unique_ptr<AppendFile> begun = storage->append_to(path);
  begun->write(segment_head(first));
  begun->sync();
  storage->sync_folder(folder);
  file = std::move(begun);
  segments.push_back({first, path});
  file_bytes = segment_head_bytes;
}

// Writes `writing`, whose last record is until − 1.
void Journal::Impl::write_group(Sequence until) {
  if (file_bytes >= options.segment_bytes) {
    file->sync();
    const Sequence first = durable_sequence.load();
    synced = first;
    begin_segment(first);
  }
  seal_records(writing, synced);
  file->write(writing);
  file_bytes += writing.size();
  if (options.durability == Durability::sync) {
    file->sync();
    synced = until;
  }
}

void Journal::Impl::set_failed(const std::string& why) {
  why_failed =
      why + "; nothing is acknowledged any more: make room or replace the disk, and restart";
  has_failed = true;
  pending.clear();
}

void Journal::Impl::run() {
  std::unique_lock held(mutex);
  for (;;) {
    came.wait(held, [&] { return ending || !pending.empty(); });
    if (pending.empty()) return;
    if (options.group_microseconds > 0 && !ending) {
      came.wait_for(held, std::chrono::microseconds(options.group_microseconds),
                    [&] { return ending || pending.size() >= options.buffer_bytes / 2; });
    }
    writing.swap(pending);
    pending.clear();
    const Sequence until = next_sequence.load();
    busy = true;
    held.unlock();
    passed.notify_all();  // there is room
    std::string failure;
    try {
      write_group(until);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    held.lock();
    busy = false;
    if (failure.empty()) {
      durable_sequence = until;
    } else {
      set_failed(failure);
    }
    held.unlock();
    passed.notify_all();
    if (failure.empty()) {
      if (options.on_durable) options.on_durable(until);
    } else if (options.on_failure) {
      options.on_failure(why_failed);
    }
    held.lock();
    if (has_failed) return;
  }
}

Journal::Journal(const std::string& folder, JournalOptions options,
                 std::shared_ptr<Storage> storage)
    : impl_(std::make_unique<Impl>()) {
  if (options.segment_bytes < 4096) throw InputError("segments are of 4096 bytes or more");
  if (options.buffer_bytes < 2 * longest_record) options.buffer_bytes = 2 * longest_record;
  impl_->folder = folder;
  impl_->options = std::move(options);
  impl_->storage = std::move(storage);
  impl_->open();
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Journal::~Journal() {
  {
    const std::lock_guard held(impl_->mutex);
    impl_->ending = true;
  }
  impl_->came.notify_all();
  impl_->thread.join();
  if (!impl_->has_failed && impl_->synced < impl_->durable_sequence) {
    try {
      impl_->file->sync();
    } catch (const std::exception&) {
      // Acknowledged as `os` promises: it was written. Nobody is left to tell.
    }
  }
}

const Recovery& Journal::recovery() const noexcept { return impl_->recovery; }

Sequence Journal::append(std::uint8_t kind, std::span<const std::byte> bytes) {
  return impl_->append(kind, false, bytes);
}

Sequence Journal::append_gone() { return impl_->append(0, true, {}); }

Sequence Journal::Impl::append(std::uint8_t kind, bool gone, std::span<const std::byte> bytes) {
  if (bytes.size() > longest_record) {
    throw InputError("a record of " + std::to_string(bytes.size()) +
                     " bytes is longer than a journal takes, " + std::to_string(longest_record));
  }
  std::unique_lock held(mutex);
  passed.wait(held, [&] {
    return has_failed || pending.size() + bytes.size() + record_head_bytes <= options.buffer_bytes;
  });
  if (has_failed) refuse();
  const Sequence sequence = next_sequence.load();
  append_record(pending, sequence, kind, gone, bytes);
  next_sequence = sequence + 1;
  if (options.on_append) options.on_append({sequence, kind, bytes, gone});
  const bool first = pending.size() == record_head_bytes + bytes.size();
  held.unlock();
  if (first) came.notify_one();
  return sequence;
}

void Journal::wait(Sequence sequence) {
  if (durable() > sequence) return;
  std::unique_lock held(impl_->mutex);
  impl_->passed.wait(held, [&] { return impl_->has_failed || durable() > sequence; });
  if (durable() <= sequence) impl_->refuse();
}

void Journal::flush() {
  const Sequence next = impl_->next_sequence.load();
  if (next > 0) wait(next - 1);
}

Sequence Journal::durable() const noexcept { return impl_->durable_sequence.load(); }
Sequence Journal::next() const noexcept { return impl_->next_sequence.load(); }
bool Journal::failed() const noexcept { return impl_->has_failed.load(); }
std::string Journal::failure() const {
  const std::lock_guard held(impl_->mutex);
  return impl_->why_failed;
}

// Holds the journal's thread from beginning a group.
void Journal::Impl::wait_idle(std::unique_lock<std::mutex>& held) {
  passed.wait(held, [&] { return has_failed || (!busy && pending.empty()); });
  if (has_failed) refuse();
}

void Journal::read(Sequence from, const std::function<void(const Record&)>& take) {
  flush();
  std::vector<Segment> segments;
  {
    std::unique_lock held(impl_->mutex);
    impl_->wait_idle(held);
    segments = impl_->segments;
  }
  if (from < segments.front().first) {
    throw InputError(impl_->folder + ": record " + std::to_string(from) +
                     " is not kept any more; the first is " +
                     std::to_string(segments.front().first));
  }
  (void)read_segments(*impl_->storage, segments, from, take);
}

void Journal::write_snapshot(Sequence sequence, const std::function<void(std::ostream&)>& fill) {
  if (sequence > durable()) {
    throw InputError("a snapshot cannot stand for records that are not safe yet");
  }
  Storage& storage = *impl_->storage;
  const std::string path = impl_->folder + "/" + snapshot_name(sequence);
  const std::string temporary = path + ".tmp";
  storage.remove(temporary);
  try {
    const std::unique_ptr<AppendFile> file = storage.append_to(temporary);
    write_snapshot_file(*file, sequence, fill);
    file->sync();
  } catch (...) {
    try {
      storage.remove(temporary);
    } catch (const std::exception&) {
      // What went wrong first is told.
    }
    throw;
  }
  storage.rename(temporary, path);
  storage.sync_folder(impl_->folder);
  std::vector<Sequence> there;
  for (const std::string& name : storage.list(impl_->folder)) {
    if (const auto found = snapshot_of(name)) there.push_back(*found);
  }
  std::sort(there.rbegin(), there.rend());
  for (std::size_t i = 2; i < there.size(); ++i) {
    storage.remove(impl_->folder + "/" + snapshot_name(there[i]));
  }
}

std::optional<SnapshotInfo> Journal::newest_snapshot() const {
  Storage& storage = *impl_->storage;
  std::vector<Sequence> there;
  for (const std::string& name : storage.list(impl_->folder)) {
    if (const auto found = snapshot_of(name)) there.push_back(*found);
  }
  std::sort(there.rbegin(), there.rend());
  for (const Sequence sequence : there) {
    if (sequence > next()) continue;
    SnapshotInfo info{sequence, impl_->folder + "/" + snapshot_name(sequence), 0};
    info.bytes = storage.size(info.path);
    if (snapshot_is_whole(storage, info)) return info;
  }
  return std::nullopt;
}

void Journal::read_snapshot(const SnapshotInfo& snapshot,
                            const std::function<void(std::istream&)>& take) const {
  read_snapshot_file(*impl_->storage, snapshot, take);
}

void Journal::remove_below(Sequence sequence) {
  std::unique_lock held(impl_->mutex);
  impl_->wait_idle(held);
  auto& segments = impl_->segments;
  while (segments.size() > 1 && segments[1].first <= sequence) {
    impl_->storage->remove(segments.front().path);
    segments.erase(segments.begin());
  }
}

void Journal::remove_snapshots_below(Sequence sequence) {
  Storage& storage = *impl_->storage;
  for (const std::string& name : storage.list(impl_->folder)) {
    const auto found = snapshot_of(name);
    if (found && *found < sequence) storage.remove(impl_->folder + "/" + name);
  }
  storage.sync_folder(impl_->folder);
}

std::int64_t Journal::rewrite(
    const std::function<std::optional<std::vector<std::byte>>(const Record&)>& decide) {
  std::vector<Segment> segments;
  Sequence end = 0;
  {
    std::unique_lock held(impl_->mutex);
    impl_->wait_idle(held);
    // What is there is closed: nobody writes to it any more.
    end = impl_->next_sequence.load();
    if (impl_->file_bytes > segment_head_bytes) {
      try {
        impl_->file->sync();
        impl_->synced = end;
        impl_->begin_segment(end);
      } catch (const std::exception& error) {
        // As where it happens to a group: what the disk has is not known any more.
        impl_->set_failed(error.what());
        held.unlock();
        impl_->passed.notify_all();
        if (impl_->options.on_failure) impl_->options.on_failure(failure());
        throw;
      }
    }
    segments.assign(impl_->segments.begin(), impl_->segments.end() - 1);
  }
  Storage& storage = *impl_->storage;
  std::int64_t changed = 0;
  for (const Segment& segment : segments) {
    const std::string temporary = segment.path + ".tmp";
    storage.remove(temporary);
    std::int64_t changed_here = 0;
    {
      const std::unique_ptr<AppendFile> file = storage.append_to(temporary);
      file->write(segment_head(segment.first));
      SegmentReader reader(storage, segment.path, segment.first);
      Record record;
      std::vector<std::byte> out;
      const auto put_out = [&] {
        // What is replaced was on the disk before, as a whole.
        seal_records(out, end);
        file->write(out);
        out.clear();
      };
      while (reader.next(record)) {
        const auto instead = record.gone ? std::nullopt : decide(record);
        if (instead) {
          ++changed_here;
          append_record(out, record.sequence, instead->empty() ? std::uint8_t{0} : record.kind,
                        instead->empty(), *instead);
        } else {
          append_record(out, record.sequence, record.kind, record.gone, record.bytes);
        }
        if (out.size() >= (1 << 20)) put_out();
      }
      put_out();
      file->sync();
    }
    if (changed_here == 0) {
      storage.remove(temporary);
      continue;
    }
    changed += changed_here;
    storage.rename(temporary, segment.path);
    storage.sync_folder(impl_->folder);
  }
  return changed;
}

Sequence first_in_journal(const std::string& folder) {
  const std::vector<Segment> segments = segments_in(*real_storage(), folder);
  return segments.empty() ? 0 : segments.front().first;
}

Sequence read_journal(const std::string& folder, Sequence from,
                      const std::function<void(const Record&)>& take) {
  Storage& storage = *real_storage();
  std::vector<Segment> segments = segments_in(storage, folder);
  // The head of a file that is just being begun.
  while (!segments.empty() &&
         !SegmentReader(storage, segments.back().path, segments.back().first).head_whole()) {
    segments.pop_back();
  }
  if (segments.empty()) return from;
  if (from < segments.front().first) {
    throw InputError(folder + ": record " + std::to_string(from) +
                     " is not kept any more; the first is " +
                     std::to_string(segments.front().first));
  }
  return read_segments(storage, segments, from, take);
}

}  // namespace tandem::journal

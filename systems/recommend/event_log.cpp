#include "systems/recommend/event_log.hpp"

#include <algorithm>
#include <unordered_map>

#include "systems/recommend/record.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

enum RecordKind : std::uint8_t { event_record = 1, mark = 4 };

std::span<const std::byte> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr std::chrono::milliseconds tend_every{500};
constexpr std::uint64_t worth_a_snapshot = 10'000;  // events to replay at the next start

}  // namespace

EventLog::EventLog(EventLogOptions options, State& state,
                   std::function<std::shared_ptr<const Catalogue>()> catalogue,
                   std::function<void(const Event&)> applied, http::Log& log)
    : options_(std::move(options)),
      state_(state),
      catalogue_(std::move(catalogue)),
      applied_(std::move(applied)),
      log_(log) {
  journal::JournalOptions events;
  events.durability = options_.durability;
  events.on_durable = [this](journal::Sequence sequence) { settle(sequence); };
  events.on_failure = [this](const std::string& why) {
    log_.write(http::LogLevel::error, "the log of events has failed",
               {{"why", std::string_view(why)}});
    fail();
  };
  journal_ =
      std::make_unique<journal::Journal>(options_.folder, std::move(events), options_.storage);
  replay();
  tender_ = std::thread([this] { tend(); });
}

EventLog::~EventLog() {
  {
    const std::scoped_lock lock(wake_mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  tender_.join();
  try {
    if (!journal_->failed()) {
      erase_removed();
      if (since_snapshot_ >= worth_a_snapshot) write_snapshot();
    }
  } catch (const std::exception& error) {
    log_.write(http::LogLevel::error, "no snapshot was written",
               {{"why", std::string_view(error.what())}});
  }
}

void EventLog::replay() {
  const auto catalogue = catalogue_();
  journal::Sequence from = journal_->recovery().first;
  const auto snapshot = journal_->newest_snapshot();
  SnapshotParts parts;
  if (snapshot) {
    journal_->read_snapshot(*snapshot, [&](std::istream& in) {
      replayed_.skipped += read_snapshot(in, state_, *catalogue, parts);
    });
    from = last_snapshot_ = snapshot->sequence;
  } else if (from > 0) {
    throw InputError(options_.folder + ": the log begins at record " + std::to_string(from) +
                     " and no snapshot can be read that stands for those before it");
  }
  replayed_.fresh = !snapshot && journal_->next() == 0;
  replayed_.cut_bytes = journal_->recovery().cut_bytes;
  // From the first record on: those before the snapshot are in it, but a removal among them may not
  // have been carried out on the disk.
  journal_->read(journal_->recovery().first, [&](const journal::Record& record) {
    if (record.gone || record.kind == mark) return;
    if (record.kind != event_record) {
      throw InputError(options_.folder + ": record " + std::to_string(record.sequence) +
                       " is of a later format");
    }
    const Event event = decode_event(text_of(record.bytes));
    if (event.kind == EventKind::forget) removed_.emplace_back(event.user, record.sequence);
    if (record.sequence < from) return;
    ++replayed_.events;
    const bool viewer = record.sequence >= parts.shards[Viewers::shard_of(event.user)];
    if (!state_.apply(event, *catalogue, viewer)) ++replayed_.skipped;
  });
  since_snapshot_ = static_cast<std::uint64_t>(replayed_.events);
  state_.trending.update_popular();
}

void EventLog::add(std::vector<Event> events, Done done) {
  Pending pending;
  {
    const std::shared_lock lock(gate_);
    try {
      for (const Event& event : events) {
        pending.last = journal_->append(event_record, bytes_of(encode(event)));
      }
    } catch (const SystemError&) {
      // The log has failed, which it has said.
      done(-1);
      return;
    }
    since_snapshot_ += events.size();
    pending.events = std::move(events);
    pending.done = std::move(done);
    const std::scoped_lock queue(pending_mutex_);
    pending_.push_back(std::move(pending));
  }
  // The journal may have told of the group before the request stood in the queue.
  settle(journal_->durable());
  if (journal_->failed()) fail();
}

void EventLog::settle(journal::Sequence durable) {
  const std::scoped_lock applying(apply_mutex_);
  std::vector<Pending> safe;
  {
    const std::scoped_lock lock(pending_mutex_);
    for (auto at = pending_.begin(); at != pending_.end();) {
      if (at->last < durable) {
        safe.push_back(std::move(*at));
        at = pending_.erase(at);
      } else {
        ++at;
      }
    }
  }
  if (safe.empty()) return;
  const auto catalogue = catalogue_();
  for (Pending& one : safe) {
    std::int64_t applied = 0;
    for (const Event& event : one.events) {
      if (!state_.apply(event, *catalogue)) continue;
      ++applied;
      if (event.kind == EventKind::forget) {
        const std::scoped_lock lock(removed_mutex_);
        removed_.emplace_back(event.user, one.last);
      }
      applied_(event);
    }
    one.done(applied);
  }
}

void EventLog::fail() {
  std::deque<Pending> lost;
  {
    const std::scoped_lock lock(pending_mutex_);
    lost.swap(pending_);
  }
  for (Pending& one : lost) one.done(-1);
}

bool EventLog::failed() const { return journal_->failed(); }
std::string EventLog::failure() const { return journal_->failure(); }

void EventLog::write_snapshot() {
  const std::scoped_lock alone(snapshot_mutex_);
  const std::uint64_t before = since_snapshot_;
  // Where nobody appends, what is safe is all there is, and it is applied.
  SnapshotWriter writer(state_, catalogue_, [this](const std::function<void()>& copy) {
    const std::unique_lock lock(gate_);
    journal_->flush();
    const journal::Sequence sequence = journal_->next();
    settle(sequence);
    copy();
    return sequence;
  });
  journal_->write_snapshot(writer.sequence(), [&](std::ostream& out) { writer.write(out); });
  // Where this one is found damaged, the one before it and the log from there on have everything.
  journal_->remove_below(last_snapshot_);
  last_snapshot_ = writer.sequence();
  since_snapshot_ -= before;
}

// Of the two snapshots that the journal keeps none may hold the viewer: two are written, with a
// mark between them; the log below them goes with its segments, and what is left is rewritten.
void EventLog::erase_removed() {
  std::vector<std::pair<std::string, journal::Sequence>> removed;
  {
    const std::scoped_lock lock(removed_mutex_);
    removed.swap(removed_);
  }
  if (removed.empty()) return;
  // Who has come back since keeps what was done since.
  std::unordered_map<std::string, journal::Sequence> until;
  for (const auto& [user, sequence] : removed) {
    until[user] = std::max(until[user], sequence);
  }
  try {
    write_snapshot();
    {
      const std::unique_lock lock(gate_);
      journal_->append(mark, {});
    }
    write_snapshot();
    journal_->rewrite([&](const journal::Record& record) -> std::optional<std::vector<std::byte>> {
      if (record.gone || record.kind != event_record) return std::nullopt;
      const auto found = until.find(decode_event(text_of(record.bytes)).user);
      if (found == until.end() || record.sequence > found->second) return std::nullopt;
      return std::vector<std::byte>{};
    });
  } catch (...) {
    const std::scoped_lock again(removed_mutex_);
    removed_.insert(removed_.end(), removed.begin(), removed.end());
    throw;
  }
  log_.write(http::LogLevel::info, "erased from the disk",
             {{"viewers", static_cast<std::int64_t>(until.size())}});
}

void EventLog::tend() {
  auto next_erasure = std::chrono::steady_clock::now();
  std::unique_lock lock(wake_mutex_);
  while (!wake_.wait_for(lock, tend_every, [&] { return stopping_; })) {
    lock.unlock();
    try {
      const auto now = std::chrono::steady_clock::now();
      bool waits = false;
      {
        const std::scoped_lock removed(removed_mutex_);
        waits = !removed_.empty();
      }
      if (!waits) {
        next_erasure = now + options_.erase_within - 2 * tend_every;
      } else if (now >= next_erasure) {
        erase_removed();
      }
      if (since_snapshot_ >= options_.snapshot_every) write_snapshot();
    } catch (const std::exception& error) {
      log_.write(http::LogLevel::error, "the log of events could not be tended",
                 {{"why", std::string_view(error.what())}});
    }
    lock.lock();
  }
}

}  // namespace tandem::recommend

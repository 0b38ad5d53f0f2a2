#include "systems/recommend/event_log.hpp"

#include <unordered_map>
#include <unordered_set>

#include "systems/recommend/record.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

enum RecordKind : std::uint8_t { event_record = 1, choice_record = 2, reward_record = 3, mark = 4 };

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
  journal_ = std::make_unique<journal::Journal>(options_.folder + "/events", std::move(events));
  journal::JournalOptions choices;
  choices.durability = journal::Durability::os;
  choices_ = std::make_unique<journal::Journal>(options_.folder + "/choices", std::move(choices));
  replay();
  replay_choices();
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
    erase_removed();
    if (since_snapshot_ + added_ >= worth_a_snapshot) write_snapshot();
  } catch (const std::exception& error) {
    log_.write(http::LogLevel::error, "no snapshot was written",
               {{"why", std::string_view(error.what())}});
  }
}

void EventLog::replay() {
  const auto catalogue = catalogue_();
  journal::Sequence from = journal_->recovery().first;
  const auto snapshot = journal_->newest_snapshot();
  if (snapshot) {
    journal_->read_snapshot(*snapshot, [&](std::istream& in) {
      replayed_.skipped += read_snapshot(in, state_, *catalogue);
    });
    from = snapshot->sequence;
  } else if (from > 0) {
    throw InputError(options_.folder + "/events: the log begins at record " + std::to_string(from) +
                     " and no snapshot can be read that stands for those before it");
  }
  replayed_.fresh = !snapshot && journal_->next() == 0;
  replayed_.cut_bytes = journal_->recovery().cut_bytes;
  journal_->read(from, [&](const journal::Record& record) {
    if (record.gone || record.kind == mark) return;
    if (record.kind != event_record) {
      throw InputError(options_.folder + "/events: record " + std::to_string(record.sequence) +
                       " is of a later format");
    }
    const Event event = decode_event(text_of(record.bytes));
    if (event.kind == EventKind::forget) removed_.push_back(event.user);
    ++replayed_.events;
    if (!state_.apply(event, *catalogue)) ++replayed_.skipped;
  });
  since_snapshot_ = static_cast<std::uint64_t>(replayed_.events);
  state_.trending.update_popular();
}

void EventLog::replay_choices() {
  const auto catalogue = catalogue_();
  std::unordered_map<std::string, ItemNumber> of_answer;
  choices_->read(choices_->recovery().first, [&](const journal::Record& record) {
    if (record.gone) return;
    if (record.kind == choice_record) {
      const Choice choice = decode_choice(text_of(record.bytes));
      const ItemNumber item = catalogue->find(choice.pool[choice.chosen]);
      if (item == no_item) return;
      state_.tallies.add_shown(item);
      of_answer[choice.answer] = item;
    } else if (record.kind == reward_record) {
      const auto found = of_answer.find(std::string(text_of(record.bytes)));
      if (found == of_answer.end()) return;
      state_.tallies.add_click(found->second);
      of_answer.erase(found);
    }
  });
}

void EventLog::add(std::vector<Event> events, Done done) {
  Pending pending;
  {
    const std::shared_lock lock(gate_);
    for (const Event& event : events) {
      pending.last = journal_->append(event_record, bytes_of(encode(event)));
    }
    added_ += events.size();
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
        removed_.push_back(event.user);
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

void EventLog::add_choice(const Choice& choice) {
  if (choices_->failed()) return;
  choices_->append(choice_record, bytes_of(encode(choice)));
}

void EventLog::add_reward(const std::string& answer) {
  if (choices_->failed()) return;
  choices_->append(reward_record, bytes_of(answer));
}

bool EventLog::failed() const { return journal_->failed(); }

void EventLog::write_snapshot() {
  const std::unique_lock lock(gate_);
  snapshot_locked();
}

// Nobody appends meanwhile, so that what is safe is all there is, and it is applied.
void EventLog::snapshot_locked() {
  journal_->flush();
  const journal::Sequence sequence = journal_->next();
  settle(sequence);
  const auto catalogue = catalogue_();
  journal_->write_snapshot(
      sequence, [&](std::ostream& out) { recommend::write_snapshot(out, state_, *catalogue); });
  journal_->remove_below(sequence);
  since_snapshot_ = 0;
  added_ = 0;
}

// Of the two snapshots that the journal keeps none may hold the viewer: two are written, with a
// mark between them; the log below them goes with its segments, and what is left is rewritten.
void EventLog::erase_removed() {
  std::unordered_set<std::string> users;
  {
    const std::scoped_lock lock(removed_mutex_);
    users.insert(removed_.begin(), removed_.end());
    removed_.clear();
  }
  if (users.empty()) return;
  const std::unique_lock lock(gate_);
  try {
    snapshot_locked();
    journal_->append(mark, {});
    snapshot_locked();
    journal_->rewrite([&](const journal::Record& record) -> std::optional<std::vector<std::byte>> {
      if (record.gone || record.kind != event_record) return std::nullopt;
      if (!users.contains(decode_event(text_of(record.bytes)).user)) return std::nullopt;
      return std::vector<std::byte>{};
    });
  } catch (...) {
    const std::scoped_lock again(removed_mutex_);
    removed_.insert(removed_.end(), users.begin(), users.end());
    throw;
  }
  log_.write(http::LogLevel::info, "erased from the disk",
             {{"viewers", static_cast<std::int64_t>(users.size())}});
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
      if (since_snapshot_ + added_ >= options_.snapshot_every) write_snapshot();
    } catch (const std::exception& error) {
      log_.write(http::LogLevel::error, "the log of events could not be tended",
                 {{"why", std::string_view(error.what())}});
    }
    lock.lock();
  }
}

ChoiceLog read_choices(const std::string& state_folder) {
  ChoiceLog log;
  std::unordered_map<std::string, std::size_t> of_answer;
  std::unordered_set<std::string> items;
  journal::read_journal(state_folder + "/choices", 0, [&](const journal::Record& record) {
    if (record.gone) return;
    if (record.kind == choice_record) {
      Choice choice = decode_choice(text_of(record.bytes));
      for (const std::string& item : choice.pool) {
        if (items.insert(item).second) log.items.push_back(item);
      }
      of_answer[choice.answer] = log.choices.size();
      log.choices.push_back(std::move(choice));
      log.rewards.push_back(0);
    } else if (record.kind == reward_record) {
      const auto found = of_answer.find(std::string(text_of(record.bytes)));
      if (found != of_answer.end()) log.rewards[found->second] = 1;
    }
  });
  return log;
}

}  // namespace tandem::recommend

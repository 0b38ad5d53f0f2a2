#include "systems/recommend/choice_journal.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <istream>
#include <ostream>
#include <unordered_map>
#include <unordered_set>

#include "systems/recommend/record.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

enum RecordKind : std::uint8_t { choice_record = 2, reward_record = 3 };

constexpr std::string_view magic = "tandem recommend choices 1\n";
constexpr std::size_t largest_segment = std::size_t{64} << 20;
constexpr std::uint64_t marks_per_segment = 16;
constexpr double day = 86'400'000;  // milliseconds

std::span<const std::byte> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// An eighth of what is kept goes at a time, at most.
std::size_t segment_bytes(std::uint64_t keep_bytes) {
  if (keep_bytes == 0) return largest_segment;
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(keep_bytes / 8, 4096, largest_segment));
}

}  // namespace

ChoiceJournal::ChoiceJournal(ChoiceJournalOptions options, Tallies& tallies,
                             std::function<std::shared_ptr<const Catalogue>()> catalogue,
                             http::Log& log)
    : options_(std::move(options)), tallies_(tallies), catalogue_(std::move(catalogue)), log_(log) {
  journal::JournalOptions journal;
  journal.durability = journal::Durability::os;
  journal.segment_bytes = segment_bytes(options_.keep_bytes);
  journal.on_failure = [this](const std::string& why) {
    log_.write(http::LogLevel::error,
               "the log of choices has failed; nothing is explored until it works again",
               {{"why", std::string_view(why)}});
  };
  journal_ =
      std::make_unique<journal::Journal>(options_.folder, std::move(journal), options_.storage);
  replay();
}

ChoiceJournal::~ChoiceJournal() {
  try {
    std::unique_lock lock(mutex_);
    if (since_snapshot_ >= options_.snapshot_every / 100 && !journal_->failed()) {
      write_snapshot(lock);
    }
  } catch (const std::exception& error) {
    log_.write(http::LogLevel::error, "no snapshot of choices was written",
               {{"why", std::string_view(error.what())}});
  }
}

void ChoiceJournal::replay() {
  const journal::Sequence first = journal_->recovery().first;
  journal::Sequence from = first;  // whose tallies are to be counted
  if (const auto snapshot = journal_->newest_snapshot()) {
    std::int64_t left_out = 0;
    journal_->read_snapshot(*snapshot, [&](std::istream& in) { left_out = read_snapshot(in); });
    from = std::max(first, snapshot->sequence);
    if (first > snapshot->sequence) {
      log_.write(http::LogLevel::warning,
                 "the newest snapshot of choices cannot be read; tallies lack some choices",
                 {{"records", static_cast<std::int64_t>(first - snapshot->sequence)}});
    }
    if (left_out > 0) {
      log_.write(http::LogLevel::info, "tallies of items that the catalogue does not have are gone",
                 {{"items", left_out}});
    }
  } else if (first > 0) {
    log_.write(http::LogLevel::warning,
               "no snapshot of choices can be read; tallies begin with the first that is kept",
               {{"record", static_cast<std::int64_t>(first)}});
  }
  // Choices before the snapshot may be clicked behind it.
  const journal::Sequence open_from =
      from - std::min<journal::Sequence>(from - first, 2 * most_open_choices);
  const auto catalogue = catalogue_();
  std::unordered_map<std::string, std::size_t> places;
  journal_->read(open_from, [&](const journal::Record& record) {
    if (record.gone) return;
    const bool counts = record.sequence >= from;
    Time time = marks_.empty() ? 0 : marks_.back().time;
    if (record.kind == choice_record) {
      const Choice choice = decode_choice(text_of(record.bytes));
      time = choice.time;
      const ItemNumber item = catalogue->find(choice.pool[choice.chosen]);
      if (item != no_item) {
        if (counts) tallies_.add_shown(item);
        places[choice.answer] = found_.size();
        found_.push_back({choice.answer, item, false});
      }
    } else if (record.kind == reward_record) {
      const auto place = places.find(std::string(text_of(record.bytes)));
      if (place != places.end() && !found_[place->second].rewarded) {
        found_[place->second].rewarded = true;
        if (counts) tallies_.add_click(found_[place->second].item);
      }
    } else {
      throw InputError(options_.folder + ": record " + std::to_string(record.sequence) +
                       " is of a later format");
    }
    if (counts) note(record.sequence, time, record.bytes.size());
  });
  if (found_.size() > most_open_choices) {
    found_.erase(found_.begin(), found_.end() - static_cast<std::ptrdiff_t>(most_open_choices));
  }
  while (!marks_.empty() && marks_.front().sequence < first) marks_.pop_front();
}

void ChoiceJournal::note(journal::Sequence sequence, Time time, std::size_t bytes) {
  const std::uint64_t step = segment_bytes(options_.keep_bytes) / marks_per_segment;
  if (marks_.empty() || bytes_ - marks_.back().bytes >= step) {
    marks_.push_back({sequence, time, bytes_});
  }
  bytes_ += bytes;
  ++since_snapshot_;
}

bool ChoiceJournal::add(const Choice& choice, ItemNumber chosen) {
  const std::string bytes = encode(choice);
  const std::scoped_lock lock(mutex_);
  if (journal_->failed()) return false;
  try {
    note(journal_->append(choice_record, bytes_of(bytes)), choice.time, bytes.size());
  } catch (const SystemError&) {
    return false;
  }
  tallies_.add_shown(chosen);
  return true;
}

bool ChoiceJournal::add_reward(const std::string& answer, ItemNumber item) {
  const std::scoped_lock lock(mutex_);
  if (journal_->failed()) return false;
  try {
    const Time time = marks_.empty() ? 0 : marks_.back().time;
    note(journal_->append(reward_record, bytes_of(answer)), time, answer.size());
  } catch (const SystemError&) {
    return false;
  }
  tallies_.add_click(item);
  return true;
}

void ChoiceJournal::shorten(Time now) {
  const std::scoped_lock alone(shorten_mutex_);
  std::unique_lock lock(mutex_);
  if (journal_->failed()) return;
  // The last mark before which everything is to go.
  std::optional<Mark> cut;
  for (const Mark& mark : marks_) {
    const bool old =
        options_.keep_days > 0 && static_cast<double>(now - mark.time) > options_.keep_days * day;
    const bool beyond = options_.keep_bytes > 0 && bytes_ - mark.bytes > options_.keep_bytes;
    if (!old && !beyond) break;
    cut = mark;
  }
  const bool shorter = cut && cut->sequence > marks_.front().sequence;
  if (!shorter && since_snapshot_ < options_.snapshot_every) return;
  write_snapshot(lock);
  if (!shorter) return;
  journal_->remove_below(cut->sequence);
  lock.lock();
  while (marks_.front().sequence < cut->sequence) marks_.pop_front();
}

// Called with the mutex, which it gives back before anything is written.
void ChoiceJournal::write_snapshot(std::unique_lock<std::mutex>& lock) {
  journal_->flush();
  const journal::Sequence sequence = journal_->next();
  const auto tallies = tallies_.list();
  const auto catalogue = catalogue_();
  std::string bytes(magic);
  append_number(bytes, tallies.size(), 8);
  for (const auto& [item, tally] : tallies) {
    append_text(bytes, catalogue->item(item).id);
    append_number(bytes, std::bit_cast<std::uint64_t>(tally.shown), 8);
    append_number(bytes, std::bit_cast<std::uint64_t>(tally.clicks), 8);
  }
  append_number(bytes, bytes_, 8);
  append_number(bytes, marks_.size(), 8);
  for (const Mark& mark : marks_) {
    append_number(bytes, mark.sequence, 8);
    append_number(bytes, static_cast<std::uint64_t>(mark.time), 8);
    append_number(bytes, mark.bytes, 8);
  }
  since_snapshot_ = 0;
  lock.unlock();
  journal_->write_snapshot(sequence, [&](std::ostream& out) {
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  });
}

// Returns how many items the catalogue does not have.
std::int64_t ChoiceJournal::read_snapshot(std::istream& stream) {
  SnapshotReader in(stream, "a snapshot of choices");
  in.expect(magic);
  const auto catalogue = catalogue_();
  std::int64_t left_out = 0;
  const std::uint64_t tallies = in.count(no_item);
  for (std::uint64_t i = 0; i < tallies; ++i) {
    const ItemNumber item = catalogue->find(in.text());
    Tally tally;
    tally.shown = std::bit_cast<double>(in.number(8));
    tally.clicks = std::bit_cast<double>(in.number(8));
    if (!(tally.shown >= 0 && tally.clicks >= 0) || std::isinf(tally.shown + tally.clicks)) {
      throw InputError("a snapshot of choices has a tally that is none");
    }
    if (item == no_item) {
      ++left_out;
    } else {
      tallies_.put(item, tally);
    }
  }
  bytes_ = in.number(8);
  const std::uint64_t marks = in.count(std::uint64_t{1} << 32);
  for (std::uint64_t i = 0; i < marks; ++i) {
    Mark mark;
    mark.sequence = in.number(8);
    mark.time = static_cast<Time>(in.number(8));
    mark.bytes = in.number(8);
    if (mark.bytes > bytes_ || (!marks_.empty() && mark.sequence <= marks_.back().sequence)) {
      throw InputError("a snapshot of choices has a mark out of order");
    }
    marks_.push_back(mark);
  }
  in.end();
  return left_out;
}

std::uint64_t ChoiceJournal::bytes() const {
  const std::scoped_lock lock(mutex_);
  return marks_.empty() ? 0 : bytes_ - marks_.front().bytes;
}

LoggedChoices read_choices(const std::string& state_folder) {
  LoggedChoices log;
  std::unordered_map<std::string, std::size_t> of_answer;
  std::unordered_set<std::string> items;
  const std::string folder = state_folder + "/choices";
  journal::read_journal(folder, journal::first_in_journal(folder),
                        [&](const journal::Record& record) {
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

// Choices of exploration and what was clicked of them, kept for as long as policies are to be
// judged by them, and the tallies that they add up to, which are kept for good.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "systems/http/log.hpp"
#include "systems/journal/journal.hpp"
#include "systems/recommend/state.hpp"

namespace tandem::recommend {

struct ChoiceJournalOptions {
  std::string folder;
  // Choices older than this go, by whole segments of the journal; 0: none for its age.
  double keep_days = 30;
  // Bytes of choices that are kept, about; the oldest go first; 0: any number.
  std::uint64_t keep_bytes = std::uint64_t{4} << 30;
  std::uint64_t snapshot_every = 1'000'000;  // records, which the next start reads again
  std::shared_ptr<journal::Storage> storage = journal::real_storage();
};

// A choice whose answer may still be clicked.
struct OpenChoice {
  std::string answer;
  ItemNumber item = 0;
  bool rewarded = false;
};

inline constexpr std::size_t most_open_choices = 200'000;

// Nobody waits for a choice to be on the disk: what the system has not written when the machine
// stops is lost to the estimates, and a kill of the process loses nothing that was added. Several
// threads may use one at once.
class ChoiceJournal {
 public:
  // Brings the tallies to where the journal is. Throws what the journal throws, and InputError for
  // a record that is none.
  ChoiceJournal(ChoiceJournalOptions options, Tallies& tallies,
                std::function<std::shared_ptr<const Catalogue>()> catalogue, http::Log& log);
  ~ChoiceJournal();
  ChoiceJournal(const ChoiceJournal&) = delete;
  ChoiceJournal& operator=(const ChoiceJournal&) = delete;

  // The latest choices that were found, the oldest first.
  [[nodiscard]] const std::vector<OpenChoice>& found() const noexcept { return found_; }
  // Counts the item as shown and keeps the choice. False where the journal has failed: then nothing
  // is counted, and nothing should be explored.
  bool add(const Choice& choice, ItemNumber chosen);
  // The choice of this answer was clicked.
  bool add_reward(const std::string& answer, ItemNumber item);
  // Removes what is older than is to be kept. To be called now and then.
  void shorten(Time now);
  [[nodiscard]] bool failed() const { return journal_->failed(); }
  // Of what is kept.
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  // The journal at one of its records.
  struct Mark {
    journal::Sequence sequence = 0;
    Time time = 0;
    std::uint64_t bytes = 0;  // of all records before it
  };
  void replay();
  void note(journal::Sequence sequence, Time time, std::size_t bytes);
  void write_snapshot(std::unique_lock<std::mutex>& lock);
  std::int64_t read_snapshot(std::istream& in);

  ChoiceJournalOptions options_;
  Tallies& tallies_;
  std::function<std::shared_ptr<const Catalogue>()> catalogue_;
  http::Log& log_;
  std::unique_ptr<journal::Journal> journal_;
  std::vector<OpenChoice> found_;

  mutable std::mutex
      mutex_;                // held from a tally to its record, so that a snapshot has both or none
  std::deque<Mark> marks_;   // one for every so many bytes
  std::uint64_t bytes_ = 0;  // of all records since the journal's first
  std::uint64_t since_snapshot_ = 0;
  std::mutex shorten_mutex_;
};

// The choices and rewards of STATE/choices, as they can be judged; of items numbered by their
// coming, whose ids are put into `items`. A choice whose answer was clicked has the reward 1.
struct LoggedChoices {
  std::vector<std::string> items;
  std::vector<Choice> choices;
  std::vector<double> rewards;
};
[[nodiscard]] LoggedChoices read_choices(const std::string& state_folder);

}  // namespace tandem::recommend

// Text files by chunks of whole records, parsed on several threads, with the results in order.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/data/input.hpp"
#include "core/parallel.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// Whole records. The byte at end() and 31 more can be read; the last byte of a chunk that is not
// empty is a line feed, added where the file's last record has none.
class Chunk {
 public:
  [[nodiscard]] const char* begin() const { return bytes_.data(); }
  [[nodiscard]] const char* end() const { return bytes_.data() + size_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] Index number() const noexcept { return number_; }  // 0 for the file's first

 private:
  friend class RecordReader;
  std::vector<char> bytes_;
  std::size_t size_ = 0;
  Index number_ = 0;
};

class RecordReader {
 public:
  // A record ends at a line feed; with a quote character other than 0, not at one inside a field
  // that the character encloses. A byte order mark at the beginning is left out.
  RecordReader(const Input& input, char delimiter, char quote, std::size_t longest);
  // False at the end. Throws InputError for a record of more than about `longest` bytes.
  bool next(Chunk& chunk);
  // Decompressed bytes given out so far.
  [[nodiscard]] Index bytes() const noexcept { return given_; }

  static constexpr std::size_t chunk_size = std::size_t{1} << 20;

 private:
  std::string name_;
  std::unique_ptr<ByteSource> source_;
  char delimiter_;
  char quote_;
  std::size_t longest_;
  std::size_t most_;        // bytes read for a chunk at first
  std::vector<char> rest_;  // the beginning of the next chunk
  bool started_ = false;
  bool ended_ = false;
  Index given_ = 0;
  Index chunks_ = 0;
};

// The end of the last whole record in begin .. end, nullptr where there is none.
[[nodiscard]] const char* last_record_end(const char* begin, const char* end, char delimiter,
                                          char quote);

// Reads chunks and calls parse(chunk, result) on `threads` threads and append(result) for every
// chunk in the order of the file, one at a time. Results are reused: parse must overwrite all of
// one. Where reading, parse or append throws, the error of the earliest chunk is rethrown.
template <class Result, class Parse, class Append>
void parse_in_order(RecordReader& reader, int threads, Parse&& parse, Append&& append) {
  struct Slot {
    Chunk chunk;
    Result result;
    std::exception_ptr failure;
  };
  std::mutex reading;
  std::mutex ordering;
  std::condition_variable slot_free;
  std::vector<std::unique_ptr<Slot>> free_slots;
  std::map<Index, std::unique_ptr<Slot>> finished;
  std::exception_ptr failure;
  bool stopped = false;    // guarded by ordering
  Index begun = 0;         // guarded by reading
  Index appended = 0;      // guarded by ordering
  bool exhausted = false;  // guarded by reading
  for (int i = 0; i < 2 * threads; ++i) free_slots.push_back(std::make_unique<Slot>());

  const auto work = [&](Index) {
    for (;;) {
      std::unique_ptr<Slot> slot;
      Index number = 0;
      {
        // A slot before the turn to read: who reads next can always parse. Slots in `finished`
        // wait for a chunk that some thread holds and is parsing, so one becomes free.
        std::unique_lock<std::mutex> lock(ordering);
        slot_free.wait(lock, [&] { return stopped || !free_slots.empty(); });
        if (stopped) return;
        slot = std::move(free_slots.back());
        free_slots.pop_back();
      }
      slot->failure = nullptr;
      {
        const std::lock_guard<std::mutex> lock(reading);
        bool more = false;
        if (!exhausted) {
          try {
            more = reader.next(slot->chunk);
          } catch (...) {
            slot->failure = std::current_exception();
            more = true;
          }
          exhausted = !more || slot->failure != nullptr;
        }
        if (more)
          number = begun++;
        else
          number = -1;
      }
      if (number < 0) {
        const std::lock_guard<std::mutex> lock(ordering);
        free_slots.push_back(std::move(slot));
        slot_free.notify_all();
        return;
      }
      if (!slot->failure) {
        try {
          parse(slot->chunk, slot->result);
        } catch (...) {
          slot->failure = std::current_exception();
        }
      }
      const std::lock_guard<std::mutex> lock(ordering);
      finished.emplace(number, std::move(slot));
      for (auto at = finished.find(appended); at != finished.end() && !stopped;
           at = finished.find(appended)) {
        std::unique_ptr<Slot> done = std::move(at->second);
        finished.erase(at);
        ++appended;
        try {
          if (done->failure) std::rethrow_exception(done->failure);
          append(done->result);
        } catch (...) {
          failure = std::current_exception();
          stopped = true;
        }
        free_slots.push_back(std::move(done));
      }
      slot_free.notify_all();
      if (stopped) return;
    }
  };
  parallel_for(threads, threads, work);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace tandem

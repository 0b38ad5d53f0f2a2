#include "systems/fraud/service/followers.hpp"

#include <filesystem>

#include "core/file.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

using http::Clock;
using http::ExchangePtr;
using http::Response;
using journal::Sequence;

constexpr std::size_t tail_bytes = 64 << 20;
constexpr std::size_t answer_bytes = 1 << 20;
// Files are read from the beginning of a segment each time.
constexpr std::size_t file_answer_bytes = 16 << 20;
// A standby this near has come up: what is under way is no lag.
constexpr Sequence near = 4096;

}  // namespace

Followers::Followers(const std::string& state, std::chrono::milliseconds confirm,
                     http::Metrics& metrics, http::Log& log)
    : folder_(state + "/log"),
      mark_(state + "/alone"),
      confirm_(confirm),
      log_(log),
      confirmed_gauge_(metrics.gauge("tandem_fraud_standby_records",
                                     "Records of the log that a standby has said to have")),
      holds_gauge_(metrics.gauge("tandem_fraud_standby_confirms",
                                 "1 while answers wait for a standby to have their records")),
      tail_(tail_bytes) {}

void Followers::begin() {
  const std::lock_guard<std::mutex> lock(mutex_);
  mark_alone();
}

void Followers::give(const ExchangePtr& exchange, Sequence from, Sequence until) {
  const auto response = [durable = durable_.load(),
                         over = over_.load()](const std::vector<std::byte>& bytes) {
    Response answer;
    answer.content_type = "application/octet-stream";
    answer.headers.emplace_back("Tandem-Log-Next", std::to_string(durable));
    if (over) answer.headers.emplace_back("Tandem-Log-Over", "1");
    answer.body.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return answer;
  };
  std::vector<std::byte> bytes;
  if (from >= until || tail_.copy(from, until, answer_bytes, bytes)) {
    exchange->send(response(bytes));
    return;
  }
  try {
    background_.answer(exchange, [this, from, until, response] {
      std::vector<std::byte> read;
      try {
        (void)journal::copy_from_files(folder_, from, until, file_answer_bytes, read);
      } catch (const InputError& error) {
        // A file may be replaced while it is read; it is asked for again.
        throw http::HttpError(503, error.what(), 1);
      }
      return response(read);
    });
  } catch (...) {
    exchange->send(http::response_of_exception());
  }
}

void Followers::ask(const ExchangePtr& exchange, Sequence from, Sequence until,
                    std::chrono::milliseconds wait, bool confirms) {
  const Sequence durable = durable_;
  if (from > durable) {
    throw http::HttpError(409, "the log that asks has " + std::to_string(from) +
                                   " records, this one " + std::to_string(durable) +
                                   ": it is no copy of this one");
  }
  if (confirms) confirm(from);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    // Looked at again under the lock, which durable() takes after it has counted.
    if (from >= durable_ && wait.count() > 0 && !ended_) {
      waiting_.push_back({exchange, from, Clock::now() + wait});
      return;
    }
  }
  give(exchange, from, std::min<Sequence>(durable_, until));
}

Sequence Followers::copy(Sequence from, std::size_t most_bytes, std::vector<std::byte>& out) {
  const Sequence until = answerable(durable_);
  if (from >= until) return from;
  if (const auto next = tail_.copy(from, until, most_bytes, out)) return *next;
  return journal::copy_from_files(folder_, from, until, most_bytes, out);
}

void Followers::durable(Sequence sequence) {
  // Not back: the journal tells it, and whoever has waited for the journal.
  Sequence before = durable_;
  while (before < sequence && !durable_.compare_exchange_weak(before, sequence)) {
  }
  std::list<Waiting> ready;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (sequence > confirmed_ && unconfirmed_since_ == Clock::time_point{}) {
      unconfirmed_since_ = Clock::now();
    }
    for (auto one = waiting_.begin(); one != waiting_.end();) {
      const auto next = std::next(one);
      if (one->from < sequence) ready.splice(ready.end(), waiting_, one);
      one = next;
    }
  }
  for (const Waiting& one : ready) give(one.exchange, one.from, sequence);
}

Sequence Followers::answerable(Sequence durable) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (holds()) return std::min<Sequence>(durable, confirmed_);
  given_alone_ = std::max(given_alone_, durable);
  return durable;
}

bool Followers::has_all() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return holds() && !lacks_answers();
}

bool Followers::lacks_answers() const {
  return alone_ || there_ < std::max<Sequence>(given_alone_, confirmed_);
}

void Followers::mark_alone() {
  if (confirm_.count() == 0 || marked_) return;
  write_file(mark_, std::string_view("answers were given that no standby has\n"));
  marked_ = true;
}

void Followers::unmark_if_whole() {
  if (!marked_ || lacks_answers()) return;
  // A mark that comes back after a crash of the machine is only too careful.
  std::error_code ignored;
  marked_ = !std::filesystem::remove(mark_, ignored) && bool(ignored);
}

void Followers::confirm(Sequence sequence) {
  bool came_up = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    there_ = sequence;
    // Another standby than the one that was followed before, which has less.
    if (sequence < confirmed_) mark_alone();
    if (sequence > confirmed_) {
      confirmed_ = sequence;
      confirmed_gauge_.set(static_cast<double>(sequence));
      // What it lacks now came since.
      unconfirmed_since_ = sequence >= durable_ ? Clock::time_point{} : Clock::now();
    }
    if (alone_ && sequence + near >= durable_) {
      alone_ = false;
      came_up = true;
      unconfirmed_since_ = Clock::time_point{};
    }
    unmark_if_whole();
  }
  if (came_up) {
    holds_gauge_.set(holds() ? 1 : 0);
    log_.write(
        http::LogLevel::info, "a standby has come up",
        {{"records", static_cast<std::int64_t>(sequence)}, {"answers wait for it", holds()}});
  }
  if (confirm_.count() > 0 && on_more) on_more();
}

void Followers::alone_if_late() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (alone_ || confirm_.count() == 0 || unconfirmed_since_ == Clock::time_point{} ||
        Clock::now() - unconfirmed_since_ < confirm_) {
      return;
    }
    mark_alone();
    alone_ = true;
  }
  holds_gauge_.set(0);
  log_.write(http::LogLevel::error,
             "the standby does not confirm: answers go on without it, and what it does not have is "
             "on this machine alone",
             {{"records here", static_cast<std::int64_t>(durable_)},
              {"records there", static_cast<std::int64_t>(confirmed_)}});
  if (on_more) on_more();
}

void Followers::look_after() {
  alone_if_late();
  std::list<Waiting> over;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto now = Clock::now();
    for (auto one = waiting_.begin(); one != waiting_.end();) {
      const auto next = std::next(one);
      if (one->until <= now) over.splice(over.end(), waiting_, one);
      one = next;
    }
  }
  for (const Waiting& one : over) give(one.exchange, one.from, one.from);
}

void Followers::end() {
  std::list<Waiting> over;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    over.swap(waiting_);
  }
  for (const Waiting& one : over) give(one.exchange, one.from, one.from);
}

}  // namespace tandem::fraud

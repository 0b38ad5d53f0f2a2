#include "systems/fraud/service/elsewhere.hpp"

#include <pthread.h>

#include <charconv>

#include "core/text.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

using broker::Answer;
using broker::Command;
using broker::Outcome;
using broker::Reply;
using journal::Sequence;
using std::chrono::milliseconds;

constexpr std::size_t told_bytes = 128 << 10;  // of the log, in one pipeline
constexpr milliseconds block{50};              // that Redis waits for what comes
constexpr milliseconds answer{250};
constexpr milliseconds idle{5};
constexpr milliseconds until_again{100};
constexpr std::size_t page = 1'000;

broker::RedisOptions redis_options(const FleetOptions& fleet, const char* label) {
  broker::RedisOptions options;
  options.place = *fleet.redis;
  options.answer = answer;
  options.late_in_a_row = 2;
  options.longest_wait = milliseconds(1'000);
  options.label = label;
  return options;
}

std::string id_of(const SharedPosition& position) {
  return std::to_string(position.epoch) + "-" + std::to_string(position.sequence);
}

SharedPosition position_of(std::string_view id) {
  SharedPosition position;
  const auto dash = id.find('-');
  if (dash == std::string_view::npos || !read_number(id.substr(0, dash), position.epoch) ||
      !read_number(id.substr(dash + 1), position.sequence)) {
    throw InputError("Redis has an entry '" + std::string(id) +
                     "' that no partition has written: another program uses this prefix");
  }
  return position;
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> bytes_of_text(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace

Elsewhere::Elsewhere(DecisionService& service, http::Metrics& metrics, http::Log& log)
    : service_(service),
      fleet_(service.options().fleet),
      log_(log),
      told_count_(metrics.counter("tandem_fraud_elsewhere_told_total",
                                  "Records of this partition that others can read in Redis")),
      read_count_(metrics.counter("tandem_fraud_elsewhere_read_total",
                                  "Records of other partitions that were written down here")),
      missed_count_(metrics.counter(
          "tandem_fraud_elsewhere_gaps_total",
          "Times that records of another partition had left Redis before they were read")),
      positions_(service.shared_state().positions),
      writer_(redis_options(fleet_, "tells"), metrics, log),
      reader_(redis_options(fleet_, "listens"), metrics, log) {
  teller_ = std::thread([this] { tell(); });
  listener_ = std::thread([this] { listen(); });
}

Elsewhere::~Elsewhere() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  teller_.join();
  listener_.join();
}

std::string Elsewhere::stream(std::uint32_t partition) const {
  return fleet_.redis_prefix + ":" + std::to_string(partition);
}

// False where it is to end.
bool Elsewhere::pause(milliseconds time) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !wake_.wait_for(lock, time, [this] { return ending_; });
}

// --- telling
// ------------------------------------------------------------------------------------

void Elsewhere::tell() {
  (void)::pthread_setname_np(::pthread_self(), "tells");
  while (pause(idle)) {
    try {
      if (!writer_.up()) continue;
      if ((!agreed_ && !agree()) || (!found_ && !find_told())) {
        if (!pause(until_again)) return;
        continue;
      }
      Step step = Step::done;
      while (step == Step::done) step = tell_some();
      if (step == Step::away && !pause(until_again)) return;
    } catch (const std::exception& error) {
      log_.write(http::LogLevel::error, "other partitions are not told",
                 {{"error", std::string_view(error.what())}});
      if (!pause(std::chrono::seconds(5))) return;
    }
  }
}

// Partitions that hash identifiers by other secrets, or part users otherwise, do not understand
// each other.
bool Elsewhere::agree() {
  const std::string key = fleet_.redis_prefix + ":agreement";
  const std::string ours =
      service_.identity() + " " + std::to_string(fleet_.partition.count) + " partitions";
  const Answer said = writer_.ask({{{"SET", key, ours, "NX"}}, {{"GET", key}}});
  if (!said.good()) return false;
  if (said.replies[1].text == ours) {
    agreed_ = true;
    return true;
  }
  throw InputError("Redis' key " + key +
                   " is of servers with another secret or number of partitions: give all the same "
                   "file `secret`, or another --redis-prefix");
}

// Where the stream ends that this partition has written, and so where the log is to be read from.
bool Elsewhere::find_told() {
  const Answer said = writer_.ask({{{"XINFO", "STREAM", stream(fleet_.partition.index)}}});
  if (said.outcome != Outcome::answered) return false;
  const Reply& info = said.replies[0];
  if (info.kind == Reply::Kind::error && info.text.find("no such key") == std::string::npos) {
    throw SystemError("Redis: " + info.text);
  }
  last_ = {};
  for (std::size_t i = 0; i + 1 < info.list.size(); i += 2) {
    if (info.list[i].text == "last-generated-id") last_ = position_of(info.list[i + 1].text);
  }
  const DecisionService::SharedState shared = service_.shared_state();
  if (last_.epoch == 0) {
    // What a stream keeps, of the end.
    const auto kept = static_cast<Sequence>(fleet_.redis_events);
    told_ = shared.records > kept ? shared.records - kept : 0;
  } else {
    told_ = last_.sequence + 1;
  }
  // The server that decided before may have told what this one never followed.
  for (const SharedPosition& takeover : shared.takeovers) {
    if (last_.epoch != 0 && takeover.epoch > last_.epoch)
      told_ = std::min(told_, takeover.sequence);
  }
  epoch_ = 1;
  for (const SharedPosition& takeover : shared.takeovers) {
    if (takeover.sequence < told_) epoch_ = takeover.epoch;
  }
  found_ = true;
  return true;
}

Elsewhere::Step Elsewhere::tell_some() {
  std::vector<std::byte> bytes;
  const Sequence next = service_.followers().copy(told_, told_bytes, bytes);
  if (next == told_) return Step::nothing;
  std::vector<Command> entries;
  std::vector<EraseRecord> erased;
  std::uint32_t epoch = epoch_;
  SharedPosition last = last_;
  journal::each_record(bytes, told_, [&](const journal::Record& record) {
    if (record.gone) return;
    ElsewhereRecord told;
    told.partition = static_cast<std::uint16_t>(fleet_.partition.index);
    told.kind = static_cast<RecordKind>(record.kind);
    switch (told.kind) {
      case RecordKind::takeover: epoch = takeover_record(record.bytes).epoch; return;
      case RecordKind::transaction:
        told.event = transaction_record(record.bytes).event;
        // Nobody else asks about the card.
        told.event.card = 0;
        break;
      case RecordKind::label: told.label = label_record(record.bytes).label; break;
      case RecordKind::erase:
        erased.push_back(erase_record(record.bytes));
        told.user = erased.back().user;
        break;
      default: return;
    }
    told.position = {epoch, record.sequence};
    entries.push_back({{"XADD", stream(fleet_.partition.index), "MAXLEN", "~",
                        std::to_string(fleet_.redis_events), id_of(told.position), "r",
                        text_of(bytes_of(told)), "p", id_of(last)}});
    last = told.position;
  });
  if (!entries.empty()) {
    const std::size_t count = entries.size();
    const Answer said = writer_.ask(std::move(entries));
    if (said.outcome != Outcome::answered) return Step::away;
    for (const Reply& reply : said.replies) {
      // It was written before, and the answer was lost.
      if (reply.kind != Reply::Kind::error ||
          reply.text.find("equal or smaller") != std::string::npos) {
        continue;
      }
      throw SystemError("Redis: " + reply.text);
    }
    told_count_.add(count);
  }
  for (const EraseRecord& one : erased) {
    if (!take_back(one.user, last)) return Step::away;
  }
  told_ = next;
  epoch_ = epoch;
  last_ = last;
  return Step::done;
}

// What was told of an erased user goes from the stream.
bool Elsewhere::take_back(Key user, SharedPosition before) {
  const std::string key = stream(fleet_.partition.index);
  std::string from = "-";
  for (;;) {
    const Answer read = writer_.ask(
        {{{"XRANGE", key, from, id_of(before), "COUNT", std::to_string(page)}}}, 4 * answer);
    if (!read.good()) return false;
    const auto& entries = read.replies[0].list;
    if (entries.empty()) return true;
    Command gone{{"XDEL", key}};
    for (const Reply& entry : entries) {
      if (entry.list.empty()) continue;
      const std::string bytes = entry.field("r");
      if (bytes.empty()) continue;
      const ElsewhereRecord record = elsewhere_record(bytes_of_text(bytes));
      if (record.event.user == user || record.label.user == user) {
        gone.words.push_back(entry.list[0].text);
      }
    }
    if (gone.words.size() > 2 && !writer_.ask({std::move(gone)}).good()) return false;
    if (entries.size() < page) return true;
    SharedPosition next = position_of(entries.back().list[0].text);
    ++next.sequence;
    from = id_of(next);
  }
}

// --- listening
// ----------------------------------------------------------------------------------

void Elsewhere::listen() {
  (void)::pthread_setname_np(::pthread_self(), "listens");
  for (;;) {
    Step step = Step::away;
    try {
      if (reader_.up() && agreed_) step = listen_some();
      set_away(step == Step::away || !writer_.up());
    } catch (const std::exception& error) {
      step = Step::away;
      // Also while the service stops, or cannot write anything down.
      log_.write(http::LogLevel::warning, "other partitions are not heard",
                 {{"error", std::string_view(error.what())}});
    }
    if (!pause(step == Step::away ? until_again : milliseconds(0))) return;
  }
}

void Elsewhere::set_away(bool away) {
  if (away == away_) return;
  service_.set_away(Outside::redis, away);
  away_ = away;
}

Elsewhere::Step Elsewhere::listen_some() {
  Command read{
      {"XREAD", "COUNT", std::to_string(page), "BLOCK", std::to_string(block.count()), "STREAMS"}};
  std::vector<std::string> ids;
  for (std::uint32_t i = 0; i < fleet_.partition.count; ++i) {
    if (i == fleet_.partition.index) continue;
    read.words.push_back(stream(i));
    ids.push_back(id_of(positions_[i]));
  }
  read.words.insert(read.words.end(), ids.begin(), ids.end());
  const Answer said = reader_.ask({std::move(read)}, block + answer);
  if (said.outcome != Outcome::answered) return Step::away;
  if (!said.good()) throw SystemError(said.what());
  std::vector<ElsewhereRecord> records;
  std::vector<SharedPosition> positions = positions_;
  for (const Reply& one : said.replies[0].list) {
    if (one.list.size() != 2) continue;
    for (const Reply& entry : one.list[1].list) {
      const ElsewhereRecord record = elsewhere_record(bytes_of_text(entry.field("r")));
      if (record.partition >= positions.size() || record.partition == fleet_.partition.index ||
          one.list[0].text != stream(record.partition)) {
        throw InputError("the stream " + one.list[0].text + " has a record of another partition");
      }
      SharedPosition& position = positions[record.partition];
      if (position.epoch != 0 && position_of(entry.field("p")) > position) {
        missed_count_.add();
        log_.write(http::LogLevel::warning,
                   "records of another partition had left Redis before they were read",
                   {{"partition", static_cast<std::int64_t>(record.partition)}});
      }
      position = record.position;
      records.push_back(record);
    }
  }
  if (records.empty()) return Step::nothing;
  service_.take_elsewhere(records);
  positions_ = std::move(positions);
  read_count_.add(records.size());
  return Step::done;
}

}  // namespace tandem::fraud

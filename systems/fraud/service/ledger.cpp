#include "systems/fraud/service/ledger.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <istream>
#include <ostream>
#include <sstream>

#include "systems/fraud/service/versions.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

// The digit is the format: 1 said neither when a fraud was known nor what is left to erase, 2
// nothing of other servers.
constexpr std::string_view snapshot_mark = "tandem fraud ledger 3\n";
constexpr std::uint64_t longest_text = 64 << 20;

void put_number(std::ostream& out, std::uint64_t value) {
  std::array<char, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(value >> (8 * i) & 0xFF);
  }
  out.write(bytes.data(), bytes.size());
}

void put_text(std::ostream& out, std::string_view text) {
  put_number(out, text.size());
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
}

void put_position(std::ostream& out, const SharedPosition& position) {
  put_number(out, position.epoch);
  put_number(out, position.sequence);
}

void need(std::istream& in) {
  if (!in) throw InputError("the snapshot of the decisions ends too early");
}

std::uint64_t get_number(std::istream& in) {
  std::array<char, 8> bytes{};
  in.read(bytes.data(), bytes.size());
  need(in);
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

SharedPosition get_position(std::istream& in) {
  SharedPosition position;
  position.epoch = static_cast<std::uint32_t>(get_number(in));
  position.sequence = get_number(in);
  return position;
}

std::string get_text(std::istream& in) {
  const std::uint64_t length = get_number(in);
  if (length > longest_text) throw InputError("the snapshot of the decisions is damaged");
  std::string text(length, '\0');
  in.read(text.data(), static_cast<std::streamsize>(length));
  need(in);
  return text;
}

template <class Enum>
Enum get_choice(std::istream& in, std::uint64_t count) {
  const std::uint64_t value = get_number(in);
  if (value >= count) throw InputError("the snapshot of the decisions is damaged");
  return static_cast<Enum>(value);
}

}  // namespace

Ledger::Ledger(const LedgerOptions& options) : options_(options), state_(options.state) {
  // A table that grows while it serves moves a million entries at once, for which decisions would
  // wait some tenths of a second.
  places_.reserve(options_.keep_most + 1);
}

void Ledger::set_versions(std::shared_ptr<const Versions> versions) {
  decider_ = std::make_unique<Decider>(std::move(versions));
  // What others have decided is not repeated.
  similar_.clear();
  similar_order_.clear();
}

const Versions* Ledger::versions() const noexcept {
  return decider_ ? &decider_->versions() : nullptr;
}

Kept* Ledger::find_kept(Key transaction) {
  const auto found = places_.find(transaction);
  return found == places_.end() ? nullptr : &answers_[found->second - first_place_];
}

const Kept* Ledger::find(Key transaction) const {
  const auto found = places_.find(transaction);
  return found == places_.end() ? nullptr : &answers_[found->second - first_place_];
}

std::uint64_t Ledger::likeness(const Event& event) {
  std::uint64_t mixed = event.user;
  for (const std::uint64_t part :
       {event.merchant, event.device, static_cast<std::uint64_t>(event.cents),
        static_cast<std::uint64_t>(event.type)}) {
    mixed = (mixed ^ part) * 0x9e3779b97f4a7c15;
    mixed ^= mixed >> 29;
  }
  return mixed;
}

Decided Ledger::decide(const Event& event) {
  Decided decided;
  const std::int64_t similar_ms = decider_->versions().configuration->similar_seconds * 1000;
  if (similar_ms > 0) {
    const auto found = similar_.find(likeness(event));
    if (found != similar_.end() && event.time >= found->second.time &&
        event.time - found->second.time <= similar_ms) {
      hits_.clear();
      decided.risk_score = found->second.risk_score;
      decided.level = found->second.level;
      decided.action = found->second.action;
      decided.from_similar = true;
      decided.tail = found->second.tail + ",\"from_similar\":true";
      return decided;
    }
  }
  const Decision decision = decider_->decide(event, compute(event, state_));
  hits_ = decider_->hits();
  decided.risk_score = decision.risk_score;
  decided.level = decision.level;
  decided.action = decision.action;
  decided.explored = decision.explored;
  decided.tail = answer_tail(decision) + without_text(without_);
  return decided;
}

void Ledger::apply(const TransactionRecord& record, Decided decided) {
  now_ = std::max(now_, record.received);
  state_.apply(record.event);
  const std::int64_t similar_ms = decider_->versions().configuration->similar_seconds * 1000;
  if (similar_ms > 0 && !decided.from_similar && !decided.explored) {
    const std::uint64_t like = likeness(record.event);
    similar_[like] = {record.event.time, decided.level, decided.action, decided.risk_score,
                      decided.tail};
    similar_order_.emplace_back(record.received, like);
  }
  while (!similar_order_.empty() && (similar_order_.front().first < now_ - 2 * similar_ms ||
                                     similar_order_.size() > 1'000'000)) {
    similar_.erase(similar_order_.front().second);
    similar_order_.pop_front();
  }
  if (!options_.keep_answers) return;
  Kept kept;
  kept.transaction = record.event.transaction;
  kept.digest = record.digest;
  kept.received = now_;
  kept.microseconds = record.microseconds;
  kept.level = decided.level;
  kept.action = decided.action;
  kept.event = record.event;
  kept.tail = std::move(decided.tail);
  put(std::move(kept));
  forget_old();
}

void Ledger::put(Kept kept) {
  const std::uint64_t place = first_place_ + answers_.size();
  places_[kept.transaction] = place;
  if (kept.action == Action::manual_review && kept.finding == Finding::none) {
    reviews_.push_back(place);
    ++waiting_;
    // The oldest of too many goes unreviewed.
    if (waiting_ > options_.reviews_most) {
      while (!reviews_.empty()) {
        const std::uint64_t oldest = reviews_.front();
        reviews_.pop_front();
        if (oldest < first_place_) continue;
        const Kept& one = oldest == place ? kept : answers_[oldest - first_place_];
        if (one.transaction != 0 && one.finding == Finding::none) {
          --waiting_;
          break;
        }
      }
    }
  }
  answers_.push_back(std::move(kept));
}

void Ledger::drop_front() {
  const Kept& front = answers_.front();
  const std::uint64_t place = first_place_;
  while (!reviews_.empty() && reviews_.front() <= place) {
    if (reviews_.front() == place && front.transaction != 0 && front.finding == Finding::none) {
      --waiting_;
    }
    reviews_.pop_front();
  }
  const auto found = places_.find(front.transaction);
  if (found != places_.end() && found->second == place) places_.erase(found);
  answers_.pop_front();
  ++first_place_;
}

void Ledger::forget_old() {
  while (!answers_.empty() && (answers_.size() > options_.keep_most ||
                               answers_.front().received < now_ - options_.keep_milliseconds)) {
    drop_front();
  }
}

void Ledger::settle(Kept& kept, Finding finding, Time found_at) {
  const std::uint64_t place = places_.at(kept.transaction);
  if (kept.action == Action::manual_review && kept.finding == Finding::none &&
      std::binary_search(reviews_.begin(), reviews_.end(), place)) {
    --waiting_;
  }
  kept.finding = finding;
  kept.found_at = found_at;
}

void Ledger::apply(const LabelRecord& record) {
  now_ = std::max(now_, record.received);
  if (record.taken_back != 0) {
    Label before = record.label;
    before.fraud = true;
    before.known_at = record.taken_back;
    state_.take_back(before);
  }
  state_.apply(record.label);
  if (Kept* kept = find_kept(record.label.transaction)) {
    const bool fraud = record.label.fraud;
    settle(*kept, fraud ? Finding::fraud : Finding::honest, fraud ? record.label.known_at : 0);
  }
}

std::size_t Ledger::apply(const EraseRecord& record) {
  now_ = std::max(now_, record.received);
  (void)state_.erase_user(record.user);
  std::size_t gone = 0;
  for (Kept& kept : answers_) {
    if (kept.transaction == 0 || kept.event.user != record.user) continue;
    settle(kept, Finding::honest, 0);
    places_.erase(kept.transaction);
    const Time received = kept.received;
    kept = {};
    kept.received = received;
    ++gone;
  }
  similar_.clear();
  similar_order_.clear();
  return gone;
}

void Ledger::end_erasures(journal::Sequence below) {
  std::erase_if(unfinished_, [&](const Unfinished& one) { return one.sequence < below; });
}

std::vector<const Kept*> Ledger::reviews(std::size_t most) const {
  std::vector<const Kept*> found;
  for (auto place = reviews_.rbegin(); place != reviews_.rend() && found.size() < most; ++place) {
    if (*place < first_place_) break;
    const Kept& kept = answers_[*place - first_place_];
    if (kept.transaction != 0 && kept.finding == Finding::none) found.push_back(&kept);
  }
  return found;
}

std::vector<const Kept*> Ledger::newest(std::size_t most) const {
  std::vector<const Kept*> found;
  for (auto kept = answers_.rbegin(); kept != answers_.rend() && found.size() < most; ++kept) {
    if (kept->transaction != 0) found.push_back(&*kept);
  }
  return found;
}

void Ledger::snapshot(std::ostream& out) const {
  out << snapshot_mark;
  put_text(out, decider_ ? versions_text(decider_->versions()) : "");
  put_number(out, static_cast<std::uint64_t>(now_));
  put_number(out, unfinished_.size());
  for (const Unfinished& one : unfinished_) {
    put_number(out, one.sequence);
    put_number(out, one.user);
  }
  put_number(out, without_);
  put_number(out, positions_.size());
  for (const auto& [partition, position] : positions_) {
    put_number(out, partition);
    put_position(out, position);
  }
  put_number(out, takeovers_.size());
  for (const SharedPosition& takeover : takeovers_) put_position(out, takeover);
  put_number(out, answers_.size());
  std::vector<std::byte> bytes;
  for (const Kept& kept : answers_) {
    if (kept.transaction == 0) {
      // Of an erased user: its place counts among those that are kept.
      put_text(out, "");
      put_number(out, static_cast<std::uint64_t>(kept.received));
      continue;
    }
    bytes = bytes_of(TransactionRecord{kept.event, kept.digest, kept.received, kept.microseconds});
    put_text(out, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    put_number(out, static_cast<std::uint64_t>(kept.level));
    put_number(out, static_cast<std::uint64_t>(kept.action));
    put_number(out, static_cast<std::uint64_t>(kept.finding));
    put_number(out, static_cast<std::uint64_t>(kept.found_at));
    put_text(out, kept.tail);
  }
  put_number(out, similar_order_.size());
  for (const auto& [received, like] : similar_order_) {
    const auto found = similar_.find(like);
    put_number(out, static_cast<std::uint64_t>(received));
    put_number(out, like);
    const Similar one = found == similar_.end() ? Similar{} : found->second;
    put_number(out, static_cast<std::uint64_t>(one.time));
    put_number(out, static_cast<std::uint64_t>(one.level));
    put_number(out, static_cast<std::uint64_t>(one.action));
    put_number(out, std::bit_cast<std::uint64_t>(one.risk_score));
    put_text(out, one.tail);
  }
  state_.snapshot(out);
}

std::string Ledger::versions_of_snapshot(const std::string& bytes) {
  std::istringstream in(bytes.substr(0, std::min<std::size_t>(bytes.size(), longest_text)));
  in.ignore(static_cast<std::streamsize>(snapshot_mark.size()));
  return in ? get_text(in) : std::string();
}

void Ledger::restore(std::istream& in, const LoadVersions& load) {
  std::string mark(snapshot_mark.size(), '\0');
  in.read(mark.data(), static_cast<std::streamsize>(mark.size()));
  const std::size_t digit = snapshot_mark.size() - 2;
  const char format = mark[digit];
  mark[digit] = snapshot_mark[digit];
  if (!in || mark != snapshot_mark) throw InputError("this is no snapshot of decisions");
  if (format < '1' || format > snapshot_mark[digit]) {
    throw InputError(std::string("the snapshot of decisions is of format ") + format +
                     "; this program reads formats 1 to " + snapshot_mark[digit] +
                     ": use the version of Tandem that wrote it");
  }
  const std::string versions = get_text(in);
  if (versions.empty()) {
    decider_.reset();
  } else {
    set_versions(load(versions));
  }
  now_ = static_cast<Time>(get_number(in));
  unfinished_.clear();
  if (format >= '2') {
    for (std::uint64_t count = get_number(in); count > 0; --count) {
      const journal::Sequence sequence = get_number(in);
      unfinished_.push_back({sequence, get_number(in)});
    }
  }
  without_ = 0;
  positions_.clear();
  takeovers_.clear();
  if (format >= '3') {
    without_ = static_cast<std::uint8_t>(get_number(in));
    for (std::uint64_t count = get_number(in); count > 0; --count) {
      const auto partition = static_cast<std::uint16_t>(get_number(in));
      positions_[partition] = get_position(in);
    }
    for (std::uint64_t count = get_number(in); count > 0; --count) {
      takeovers_.push_back(get_position(in));
    }
  }
  answers_.clear();
  places_.clear();
  reviews_.clear();
  waiting_ = 0;
  first_place_ = 0;
  for (std::uint64_t count = get_number(in); count > 0; --count) {
    const std::string bytes = get_text(in);
    if (bytes.empty()) {
      answers_.emplace_back().received = static_cast<Time>(get_number(in));
      continue;
    }
    const TransactionRecord record =
        transaction_record({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
    Kept kept;
    kept.transaction = record.event.transaction;
    kept.digest = record.digest;
    kept.received = record.received;
    kept.microseconds = record.microseconds;
    kept.event = record.event;
    kept.level = get_choice<Level>(in, 4);
    kept.action = get_choice<Action>(in, 3);
    kept.finding = get_choice<Finding>(in, 3);
    if (format >= '2') kept.found_at = static_cast<Time>(get_number(in));
    kept.tail = get_text(in);
    put(std::move(kept));
  }
  similar_.clear();
  similar_order_.clear();
  for (std::uint64_t count = get_number(in); count > 0; --count) {
    const auto received = static_cast<Time>(get_number(in));
    const std::uint64_t like = get_number(in);
    Similar one;
    one.time = static_cast<Time>(get_number(in));
    one.level = get_choice<Level>(in, 4);
    one.action = get_choice<Action>(in, 3);
    one.risk_score = std::bit_cast<double>(get_number(in));
    one.tail = get_text(in);
    similar_order_.emplace_back(received, like);
    if (!one.tail.empty()) similar_[like] = std::move(one);
  }
  state_ = State::restore(in);
}

}  // namespace tandem::fraud

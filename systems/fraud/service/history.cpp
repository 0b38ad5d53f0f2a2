// What a new state begins with: past transactions, which nobody asks a decision for.
#include <fstream>
#include <queue>

#include "systems/fraud/service/service.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

// The label that becomes known first is on top.
struct Later {
  bool operator()(const LabelRecord& a, const LabelRecord& b) const {
    return a.label.known_at > b.label.known_at;
  }
};

}  // namespace

// The order is that of feature_rows(), which models are trained on: a label is applied before the
// first transaction that comes when it is known.
void DecisionService::read_history() {
  if (options_.history.empty()) return;
  if (!is_new_) {
    log_.write(http::LogLevel::info, "the state is not new: its history is not read again");
    return;
  }
  const auto begin = http::Clock::now();
  std::ifstream in(options_.history, std::ios::binary);
  if (!in) throw InputError(options_.history + ": cannot be read");
  TransactionReader reader(in, options_.history);
  const std::shared_ptr<const Versions> decides = versions();
  const Time present = now();
  std::priority_queue<LabelRecord, std::vector<LabelRecord>, Later> labels;
  const auto take_labels = [&](Time until) {
    for (; !labels.empty() && labels.top().label.known_at <= until; labels.pop()) {
      (void)journal_->append(static_cast<std::uint8_t>(RecordKind::label), bytes_of(labels.top()));
      ledger_.apply(labels.top());
    }
  };
  std::int64_t count = 0;
  TransactionRow row;
  while (reader.next(row)) {
    ++count;
    PastRecord record;
    try {
      if (row.transaction.time > present) throw InputError("timestamp: is not past yet");
      record.event = make_event(row.transaction, identities_, decides->configuration->currencies);
    } catch (const InputError& error) {
      throw InputError(options_.history + ": row " + std::to_string(count + 1) + ", column " +
                       error.what());
    }
    take_labels(record.event.time);
    (void)journal_->append(static_cast<std::uint8_t>(RecordKind::past), bytes_of(record));
    ledger_.apply(record);
    if (row.truth.fraud.value_or(false)) {
      // A fraud without a time of its label has come to be known by now.
      const Time known = row.truth.known_at.value_or(present);
      LabelRecord label;
      label.label = make_label(record.event, true, known);
      label.received = known;
      if (known <= present) labels.push(label);
    }
  }
  take_labels(present);
  (void)journal_->append(static_cast<std::uint8_t>(RecordKind::past_done), {});
  write_snapshot();
  log_.write(http::LogLevel::info, "history",
             {{"transactions", count},
              {"seconds", std::chrono::duration<double>(http::Clock::now() - begin).count()}});
}

}  // namespace tandem::fraud

// What the ledger of a server that is one of several has besides.
#include <algorithm>

#include "systems/fraud/service/ledger.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {

void Ledger::apply(const ElsewhereRecord& record) {
  SharedPosition& position = positions_[record.partition];
  // What is told again was applied.
  if (record.position <= position) return;
  position = record.position;
  switch (record.kind) {
    case RecordKind::transaction: state_.apply_elsewhere(record.event); break;
    case RecordKind::label: {
      // The card is known where its user is.
      Label label = record.label;
      label.card = 0;
      state_.apply(label);
      break;
    }
    default: (void)state_.erase_user(record.user); break;
  }
}

void Ledger::apply(const WithoutRecord& record) {
  now_ = std::max(now_, record.received);
  without_ = record.parts;
  // Decisions that are repeated would say what was away then.
  similar_.clear();
  similar_order_.clear();
}

void Ledger::apply(const TakeoverRecord& record, journal::Sequence sequence) {
  now_ = std::max(now_, record.received);
  if (record.epoch <= epoch()) {
    throw InputError("the log has a takeover that is older than the one before it");
  }
  takeovers_.push_back({record.epoch, sequence});
}

bool Ledger::apply_of_fleet(const journal::Record& record) {
  switch (static_cast<RecordKind>(record.kind)) {
    case RecordKind::elsewhere: apply(elsewhere_record(record.bytes)); return true;
    case RecordKind::without: apply(without_record(record.bytes)); return true;
    case RecordKind::takeover: apply(takeover_record(record.bytes), record.sequence); return true;
    default: return false;
  }
}

SharedPosition Ledger::position_of(std::uint16_t partition) const {
  const auto found = positions_.find(partition);
  return found == positions_.end() ? SharedPosition{} : found->second;
}

}  // namespace tandem::fraud

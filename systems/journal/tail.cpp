#include "systems/journal/tail.hpp"

#include "systems/journal/segment.hpp"
#include "tandem/core/error.hpp"

namespace tandem::journal {

void Tail::add(const Record& record) {
  std::vector<std::byte> bytes;
  bytes.reserve(record_head_bytes + record.bytes.size());
  append_record(bytes, record.sequence, record.kind, record.gone, record.bytes);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (records_.empty()) first_ = record.sequence;
  bytes_ += bytes.size();
  records_.push_back(std::move(bytes));
  while (bytes_ > most_bytes_ && records_.size() > 1) {
    bytes_ -= records_.front().size();
    records_.pop_front();
    ++first_;
  }
}

void Tail::clear() {
  const std::lock_guard<std::mutex> lock(mutex_);
  records_.clear();
  bytes_ = 0;
}

std::optional<Sequence> Tail::copy(Sequence from, Sequence until, std::size_t most_bytes,
                                   std::vector<std::byte>& out) const {
  const std::size_t begin = out.size();
  Sequence next = from;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (records_.empty() || from < first_ || from >= first_ + records_.size()) return std::nullopt;
    while (next < until && next - first_ < records_.size() &&
           (next == from || out.size() - begin < most_bytes)) {
      const auto& record = records_[next - first_];
      out.insert(out.end(), record.begin(), record.end());
      ++next;
    }
  }
  seal_records(std::span(out).subspan(begin), from);
  return next;
}

Sequence copy_from_files(const std::string& folder, Sequence from, Sequence until,
                         std::size_t most_bytes, std::vector<std::byte>& out) {
  struct Enough {};
  const std::size_t begin = out.size();
  Sequence next = from;
  try {
    (void)read_journal(folder, from, [&](const Record& record) {
      if (record.sequence >= until || (next > from && out.size() - begin >= most_bytes)) {
        throw Enough{};
      }
      if (record.sequence != next) {
        throw InputError(folder + ": record " + std::to_string(next) + " is missing");
      }
      append_record(out, record.sequence, record.kind, record.gone, record.bytes);
      ++next;
    });
  } catch (const Enough&) {
    // The files have more than was asked for.
  }
  seal_records(std::span(out).subspan(begin), from);
  return next;
}

void each_record(std::span<const std::byte> bytes, Sequence from,
                 const std::function<void(const Record&)>& take) {
  while (!bytes.empty()) {
    const auto parsed = parse_record(bytes);
    if (!parsed || parsed->record.sequence != from) {
      throw InputError("expected record " + std::to_string(from) +
                       " of the log that is followed, and its bytes are damaged");
    }
    take(parsed->record);
    bytes = bytes.subspan(parsed->bytes);
    ++from;
  }
}

}  // namespace tandem::journal

// Records of the fraud service's log, as a standby takes them from a primary and a partition reads
// them in Redis. The first byte says which. Whatever is taken is written again, and is read back to
// the same bytes; all else is an InputError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "systems/fraud/service/fleet_records.hpp"
#include "systems/fraud/service/records.hpp"
#include "systems/fraud/service/versions.hpp"
#include "systems/journal/tail.hpp"
#include "tandem/core/error.hpp"

namespace {

using namespace tandem::fraud;

template <class Read>
void check(std::span<const std::byte> bytes, Read read) {
  const auto written = bytes_of(read(bytes));
  if (bytes_of(read(written)) != written) std::abort();
}

// What a standby does with a record.
void take(const tandem::journal::Record& record) {
  switch (static_cast<RecordKind>(record.kind)) {
    case RecordKind::versions: (void)model_file_of(text_record(record.bytes)); break;
    case RecordKind::transaction: check(record.bytes, transaction_record); break;
    case RecordKind::label: check(record.bytes, label_record); break;
    case RecordKind::erase: check(record.bytes, erase_record); break;
    case RecordKind::past: check(record.bytes, past_record); break;
    case RecordKind::elsewhere: check(record.bytes, elsewhere_record); break;
    case RecordKind::without: check(record.bytes, without_record); break;
    case RecordKind::takeover: check(record.bytes, takeover_record); break;
    default: break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  try {
    if (data[0] == 'l') {
      // An answer of /v1/log: whole records with their checksums.
      tandem::journal::each_record(bytes, 0, take);
    } else {
      tandem::journal::Record record;
      record.kind = data[0];
      record.bytes = bytes;
      take(record);
    }
  } catch (const tandem::InputError&) {
    // Most inputs are no record.
  }
  return 0;
}

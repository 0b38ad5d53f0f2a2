// Segments of a journal. Any bytes as its file: records that were written, or an InputError; and
// what is opened once is opened again with the same records.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "systems/journal/journal.hpp"
#include "systems/journal/memory_storage.hpp"
#include "systems/journal/segment.hpp"
#include "tandem/core/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem::journal;
  // The bytes as they are, and as the records of a file whose head and checksums are right: the
  // first byte says how many records of the following bytes' lengths to make, and one to damage.
  for (const bool as_records : {false, true}) {
    std::vector<std::byte> file;
    if (as_records) {
      if (size < 4) return 0;
      file = segment_head(0);
      const std::size_t begin = file.size();
      std::size_t at = 4;
      for (Sequence sequence = 0; at < size && sequence < 64; ++sequence) {
        const std::size_t length = std::min<std::size_t>(data[at], size - at);
        append_record(file, sequence, data[at], false, std::as_bytes(std::span(data + at, length)));
        at += length + 1;
      }
      seal_records(std::span(file).subspan(begin), data[0]);
      file[(data[1] | std::size_t{data[2]} << 8) % file.size()] ^= std::byte{data[3]};
    } else {
      file.resize(size);
      if (size > 0) std::memcpy(file.data(), data, size);
    }
    const auto disk = std::make_shared<MemoryStorage>();
    disk->set_content("j/" + segment_name(0), file);
    try {
      Sequence first_count = 0;
      {
        Journal journal("j", {}, disk);
        journal.read(0, [&](const Record& record) {
          if (record.sequence != first_count) std::abort();
          ++first_count;
        });
        if (journal.next() != first_count) std::abort();
      }
      Journal again("j", {}, disk);
      if (again.next() != first_count || again.recovery().cut_bytes != 0) std::abort();
    } catch (const tandem::InputError&) {
      // Damage is refused.
    }
  }
  return 0;
}

// The file of a recommender: whatever is read without an InputError can be shown and can answer.
// Length and checksum are put right first, since no mutation would get past them otherwise.
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "tandem/core/error.hpp"
#include "tandem/recommend/recommender.hpp"

namespace {

using Bytes = std::vector<std::uint8_t>;

// CRC-32 of zlib, bit by bit.
std::uint32_t crc32_of(std::span<const std::uint8_t> bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

void repair(Bytes& bytes) {
  if (bytes.size() < 52) return;
  const std::uint64_t size = bytes.size();
  std::memcpy(bytes.data() + 40, &size, sizeof size);
  const std::uint32_t crc = crc32_of(std::span(bytes).first(bytes.size() - 4));
  std::memcpy(bytes.data() + bytes.size() - 4, &crc, sizeof crc);
}

void use(const tandem::Recommender& model) {
  (void)model.to_text();
  (void)model.to_json();
  const auto last = static_cast<std::int32_t>(model.item_count() - 1);
  const std::vector<tandem::HistoryItem> history{{0, 1}, {last, 2}};
  for (const tandem::ScoredItem& one : model.top_items(history, 5)) {
    if (one.item < 0 || one.item > last) __builtin_trap();
    (void)model.because(history, one.item);
  }
  (void)model.top_items({}, 5);
  (void)model.similar_items(last, 5);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, data + size);
  repair(bytes);
  try {
    use(*tandem::load_recommender(bytes, "input").model);
  } catch (const tandem::Error&) {
    // An input that cannot be read, or numbers that leave the range.
  }
  return 0;
}

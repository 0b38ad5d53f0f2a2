#include "core/data/records.hpp"

#include <algorithm>
#include <cstring>

#include "core/memory.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

constexpr std::size_t padding = 32;

const char* find_last(const char* begin, const char* end, char c) {
  return static_cast<const char*>(::memrchr(begin, c, static_cast<std::size_t>(end - begin)));
}
const char* find_first(const char* begin, const char* end, char c) {
  return static_cast<const char*>(std::memchr(begin, c, static_cast<std::size_t>(end - begin)));
}

}  // namespace

const char* last_record_end(const char* begin, const char* end, char delimiter, char quote) {
  const char* last = nullptr;
  const char* p = begin;
  for (;;) {
    const char* opening = quote == 0 ? nullptr : find_first(p, end, quote);
    const char* const plain_end = opening == nullptr ? end : opening;
    if (const char* feed = find_last(p, plain_end, '\n')) last = feed + 1;
    if (opening == nullptr) return last;
    // A quote opens a field only as its first character (RFC 4180).
    if (opening != begin && opening[-1] != delimiter && opening[-1] != '\n') {
      p = opening + 1;
      continue;
    }
    const char* inside = opening + 1;
    for (;;) {
      const char* closing = find_first(inside, end, quote);
      // At the very end it is not known whether the quote is doubled.
      if (closing == nullptr || closing + 1 == end) return last;
      if (closing[1] != quote) {
        p = closing + 1;
        break;
      }
      inside = closing + 2;
    }
  }
}

RecordReader::RecordReader(const Input& input, char delimiter, char quote, std::size_t longest)
    : name_(input.name()),
      source_(input.open()),
      delimiter_(delimiter),
      quote_(quote),
      longest_(longest),
      most_(static_cast<std::size_t>(
          std::min(input.largest_size(), static_cast<Index>(chunk_size - 64)) + 64)) {}

bool RecordReader::next(Chunk& chunk) {
  auto& bytes = chunk.bytes_;
  std::size_t size = rest_.size();
  if (bytes.size() < size + most_ + padding) bytes.resize(size + most_ + padding);
  if (size > 0) std::memcpy(bytes.data(), rest_.data(), size);
  rest_.clear();
  for (;;) {
    const std::size_t room = bytes.size() - padding - size;
    // The last byte of the room is kept for the line feed that a last record may lack.
    if (!ended_) {
      const std::size_t got = read_fully(*source_, bytes.data() + size, room - 1);
      ended_ = got < room - 1;
      size += got;
    }
    if (!started_) {
      started_ = true;
      if (size >= 3 && std::memcmp(bytes.data(), "\xEF\xBB\xBF", 3) == 0) {
        std::memmove(bytes.data(), bytes.data() + 3, size - 3);
        size -= 3;
      }
    }
    if (ended_) {
      if (size > 0 && bytes[size - 1] != '\n') bytes[size++] = '\n';
      chunk.size_ = size;
      break;
    }
    const char* const cut = last_record_end(bytes.data(), bytes.data() + size, delimiter_, quote_);
    if (cut != nullptr) {
      chunk.size_ = static_cast<std::size_t>(cut - bytes.data());
      rest_.assign(cut, static_cast<const char*>(bytes.data()) + size);
      break;
    }
    if (size > longest_) {
      throw InputError(name_ + ": the record that starts at byte " + std::to_string(given_) +
                       " is longer than " + readable_size(static_cast<Index>(longest_)) +
                       "; is a quote left open, or is this not a text file?");
    }
    bytes.resize(std::min(2 * bytes.size(), longest_ + chunk_size + 2 * padding));
  }
  std::memset(bytes.data() + chunk.size_, 0, padding);
  given_ += static_cast<Index>(chunk.size_);
  chunk.number_ = chunks_++;
  return chunk.size_ > 0;
}

}  // namespace tandem

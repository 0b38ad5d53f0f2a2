// Numbers and texts in the records of the log and in snapshots: little endian, texts with their
// length in two bytes.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

namespace tandem::recommend {

inline constexpr std::size_t longest_name = 256;  // bytes of a user, an item or an id

inline void append_number(std::string& bytes, std::uint64_t value, int count) {
  for (int shift = 0; shift < 8 * count; shift += 8) {
    bytes += static_cast<char>((value >> shift) & 0xFF);
  }
}
// Requires: at most 65,535 bytes.
inline void append_text(std::string& bytes, std::string_view text) {
  append_number(bytes, text.size(), 2);
  bytes += text;
}

// Takes a record apart. Throws InputError that begins with `what` where it ends too early or holds
// what append_... has not written.
class RecordReader {
 public:
  RecordReader(std::string_view bytes, const char* what) : bytes_(bytes), what_(what) {}
  [[nodiscard]] std::uint64_t number(int count);
  [[nodiscard]] std::string text();  // of at most longest_name bytes
  void finish() const;               // nothing may be left

 private:
  std::string_view take(std::size_t count);
  std::string_view bytes_;
  const char* what_;
};

// The same from a stream, as a snapshot is.
class SnapshotReader {
 public:
  SnapshotReader(std::istream& in, const char* what) : in_(in), what_(what) {}
  [[nodiscard]] std::uint64_t number(int count);
  [[nodiscard]] std::string text();  // of at most longest_name bytes
  // What is first in it; another text is another format.
  void expect(std::string_view text);
  // At most `most`. Whether the rest of the file holds so many is not known: what is allocated is
  // to grow with what is read.
  [[nodiscard]] std::uint64_t count(std::uint64_t most);
  void end();

 private:
  void read(char* to, std::size_t bytes);
  std::istream& in_;
  const char* what_;
};

}  // namespace tandem::recommend

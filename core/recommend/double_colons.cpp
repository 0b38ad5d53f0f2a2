#include "core/recommend/double_colons.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

namespace tandem {
namespace {

Index colons_in(std::string_view line) {
  Index count = 0;
  for (auto at = line.find("::"); at != std::string_view::npos; at = line.find("::", at + 2)) {
    ++count;
  }
  return count;
}

class Translated final : public ByteSource {
 public:
  explicit Translated(std::unique_ptr<ByteSource> from) : from_(std::move(from)) {}

  std::size_t read(char* to, std::size_t count) override {
    while (made_.size() - given_ == 0) {
      made_.clear();
      given_ = 0;
      char bytes[std::size_t{1} << 16];
      const std::size_t got = from_->read(bytes, sizeof bytes);
      for (std::size_t i = 0; i < got; ++i) take(bytes[i]);
      if (got > 0) continue;
      if (ended_) return 0;
      ended_ = true;
      if (colon_) put(':');
      colon_ = false;
      end_field();
      if (made_.empty()) return 0;
    }
    const std::size_t here = std::min(count, made_.size() - given_);
    std::memcpy(to, made_.data() + given_, here);
    given_ += here;
    return here;
  }

 private:
  void take(char c) {
    if (c == ':') {
      if (colon_) {
        end_field();
        made_ += unit_separator;
      }
      colon_ = !colon_;
      return;
    }
    if (colon_) put(':');
    colon_ = false;
    if (c == '\n' || c == '\r') {
      end_field();
      made_ += c;
    } else {
      put(c);
    }
  }
  void put(char c) {
    if (start_ && c == '"') {
      quoted_ = true;
      made_ += '"';
    }
    start_ = false;
    if (quoted_ && c == '"') made_ += '"';
    made_ += c;
  }
  void end_field() {
    if (quoted_) made_ += '"';
    quoted_ = false;
    start_ = true;
  }

  std::unique_ptr<ByteSource> from_;
  std::string made_;
  std::size_t given_ = 0;
  bool colon_ = false;   // one that may be the first of two
  bool start_ = true;    // of a field
  bool quoted_ = false;  // the field was given a quote
  bool ended_ = false;
};

}  // namespace

bool has_double_colons(std::string_view head) {
  const auto last = head.rfind('\n');
  if (last != std::string_view::npos) head = head.substr(0, last + 1);
  Index expected = 0;
  int lines = 0;
  while (!head.empty() && lines < 100) {
    const std::string_view line = head.substr(0, head.find('\n'));
    head.remove_prefix(std::min(head.size(), line.size() + 1));
    if (line.empty() || line == "\r") continue;
    const Index count = colons_in(line);
    if (lines++ == 0) expected = count;
    if (count == 0 || count != expected) return false;
  }
  return expected > 0;
}

Input without_double_colons(const Input& input) {
  // A quote may become three characters.
  const Index largest = input.largest_size();
  const Index most = largest > std::numeric_limits<Index>::max() / 4 ? largest : 3 * largest + 2;
  return Input::derived(
      input.name(), [input] { return std::make_unique<Translated>(input.open()); }, most);
}

}  // namespace tandem

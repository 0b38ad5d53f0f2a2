// Distinct texts, coded in order of appearance.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// A table with open addressing: every text of a column goes through it.
class TextDictionary {
 public:
  std::int32_t code(std::string_view text) {
    if (2 * texts_.size() >= slots_.size()) grow();
    const std::uint64_t hash = hash_of(text);
    Slot& slot = slots_[place_of(text, hash)];
    if (slot.code < 0) {
      slot = {static_cast<std::uint32_t>(hash), static_cast<std::int32_t>(texts_.size())};
      texts_.emplace_back(text);
    }
    return slot.code;
  }
  // −1 where it is not there.
  [[nodiscard]] std::int32_t find(std::string_view text) const {
    return slots_.empty() ? -1 : slots_[place_of(text, hash_of(text))].code;
  }
  [[nodiscard]] std::size_t size() const noexcept { return texts_.size(); }
  [[nodiscard]] const std::string& text(std::size_t code) const { return texts_[code]; }
  void clear() {
    if (texts_.empty()) return;
    texts_.clear();
    std::fill(slots_.begin(), slots_.end(), Slot{});
  }
  // Forgets all texts from this code on.
  void truncate(std::size_t count) {
    if (count >= texts_.size()) return;
    texts_.resize(count);
    std::fill(slots_.begin(), slots_.end(), Slot{});
    place_all();
  }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t code = -1;
  };

  template <class Word>
  static std::uint64_t word_at(const char* p) {
    Word word;
    std::memcpy(&word, p, sizeof word);
    return word;
  }
  static std::uint64_t hash_of(std::string_view text) {
    constexpr std::uint64_t odd = 0x9E3779B97F4A7C15U;
    const char* p = text.data();
    const std::size_t size = text.size();
    std::uint64_t hash = size;
    const auto mix = [&hash](std::uint64_t word) {
      hash = (hash ^ word) * odd;
      hash ^= hash >> 29;
    };
    // The last word overlaps the one before where the size is no multiple.
    if (size >= 8) {
      for (std::size_t at = 0; at + 8 < size; at += 8) mix(word_at<std::uint64_t>(p + at));
      mix(word_at<std::uint64_t>(p + size - 8));
    } else if (size >= 4) {
      mix(word_at<std::uint32_t>(p) << 32 | word_at<std::uint32_t>(p + size - 4));
    } else if (size > 0) {
      mix(word_at<std::uint8_t>(p) << 16 | word_at<std::uint8_t>(p + size / 2) << 8 |
          word_at<std::uint8_t>(p + size - 1));
    }
    return hash * odd >> 20;
  }
  // Where the text is, or would be.
  [[nodiscard]] std::size_t place_of(std::string_view text, std::uint64_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = static_cast<std::size_t>(hash >> 8) & mask;
    for (;; at = (at + 1) & mask) {
      const Slot& slot = slots_[at];
      if (slot.code < 0) return at;
      if (slot.hash == static_cast<std::uint32_t>(hash) &&
          texts_[static_cast<std::size_t>(slot.code)] == text) {
        return at;
      }
    }
  }
  void grow() {
    slots_.assign(std::max<std::size_t>(64, 2 * slots_.size()), Slot{});
    place_all();
  }
  void place_all() {
    for (std::size_t c = 0; c < texts_.size(); ++c) {
      const std::uint64_t hash = hash_of(texts_[c]);
      slots_[place_of(texts_[c], hash)] = {static_cast<std::uint32_t>(hash),
                                           static_cast<std::int32_t>(c)};
    }
  }

  std::deque<std::string> texts_;
  std::vector<Slot> slots_;  // a power of two of them, at most half of them taken
};

}  // namespace tandem

// Distinct texts, coded in order of appearance.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tandem {

class TextDictionary {
 public:
  TextDictionary() = default;
  // Moves keep the addresses of the texts; copies would not.
  TextDictionary(const TextDictionary&) = delete;
  TextDictionary& operator=(const TextDictionary&) = delete;
  TextDictionary(TextDictionary&&) noexcept = default;
  TextDictionary& operator=(TextDictionary&&) noexcept = default;

  std::int32_t code(std::string_view text) {
    const auto found = codes_.find(text);
    if (found != codes_.end()) return found->second;
    const auto next = static_cast<std::int32_t>(codes_.size());
    const auto inserted = codes_.emplace(std::string(text), next).first;
    texts_.push_back(&inserted->first);
    return next;
  }
  // −1 where it is not there.
  [[nodiscard]] std::int32_t find(std::string_view text) const {
    const auto found = codes_.find(text);
    return found == codes_.end() ? -1 : found->second;
  }
  [[nodiscard]] std::size_t size() const noexcept { return texts_.size(); }
  [[nodiscard]] const std::string& text(std::size_t code) const { return *texts_[code]; }
  void clear() {
    codes_.clear();
    texts_.clear();
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> codes_;
  std::vector<const std::string*> texts_;
};

}  // namespace tandem

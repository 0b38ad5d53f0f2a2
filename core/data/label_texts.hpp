// The texts of a numeric target, for as long as they may be the names of classes. They are kept
// with the data only where they say more than the numbers do: "02139", "1.10", 9007199254740993.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/data/text_dictionary.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// Of some rows that follow each other. `exact_digits`: how many decimal digits the target's numbers
// hold whatever they are, 15 for double and 7 for float.
class LabelTexts {
 public:
  explicit LabelTexts(int exact_digits = 15) : exact_digits_(exact_digits) { small_.fill(-1); }

  void clear() {
    dictionary_.clear();
    codes_.clear();
    small_.fill(-1);
    fractions_ = false;
    odd_ = false;
    given_up_ = false;
  }
  // The next row's target; see missing().
  void add(std::string_view text) {
    if (given_up_) return;
    // Most classes are numbers of few digits.
    if (text.size() <= 2 && !text.empty()) {
      unsigned value = 0;
      bool digits = text.size() == 1 || text.front() != '0';
      for (const char c : text) {
        digits = digits && c >= '0' && c <= '9';
        value = value * 10 + static_cast<unsigned>(c - '0');
      }
      if (digits) {
        std::int32_t& code = small_[value];
        if (code < 0) code = dictionary_.code(text);
        codes_.push_back(code);
        return;
      }
    }
    add_other(text);
  }
  void missing() {
    if (!given_up_) codes_.push_back(-1);
  }
  // Rows behind the others.
  void append(const LabelTexts& next);
  void resize(std::size_t rows) {
    if (!given_up_) codes_.resize(rows);
  }
  [[nodiscard]] bool given_up() const noexcept { return given_up_; }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return codes_.capacity() * sizeof(std::int32_t) + dictionary_.size() * 64;
  }
  // Empty where the numbers say as much.
  [[nodiscard]] Classes take();

 private:
  void add_other(std::string_view text);
  void give_up();

  TextDictionary dictionary_;
  std::vector<std::int32_t> codes_;
  std::array<std::int32_t, 100> small_{};  // codes of 0 .. 99
  int exact_digits_;
  bool fractions_ = false;
  bool odd_ = false;       // some text is not what class_name() makes of its number
  bool given_up_ = false;  // these are no classes
};

template <Real T>
inline constexpr int exact_digits_of = sizeof(T) == 8 ? 15 : 7;

}  // namespace tandem

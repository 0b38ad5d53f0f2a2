// The texts of a numeric target, for as long as they may be the names of classes. They are kept
// with the data only where they say more than the numbers do: "02139", "1.10", 9007199254740993.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "core/data/text_dictionary.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// The texts of the labels of some rows that follow each other. `exact_digits`: how many decimal
// digits any number of the target's type holds, 15 for double and 7 for float.
class LabelTexts {
 public:
  explicit LabelTexts(int exact_digits = 15) : exact_digits_(exact_digits) {}

  void clear() {
    dictionary_.clear();
    rows_.clear();
    fractions_ = false;
    given_up_ = false;
  }
  // The next row's target; see missing().
  void add(std::string_view text);
  void missing() {
    if (!given_up_) rows_.push_back(no_text);
  }
  // These are no classes.
  void give_up();
  // Rows behind the others.
  void append(const LabelTexts& next);
  // Forgets what stands behind so many rows.
  void truncate(std::size_t rows) {
    if (rows_.size() > rows) rows_.resize(rows);
  }
  [[nodiscard]] bool given_up() const noexcept { return given_up_; }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return rows_.capacity() * sizeof(std::int64_t) + dictionary_.size() * 64;
  }
  // Empty where the numbers say as much.
  [[nodiscard]] Classes take();

 private:
  static constexpr std::int64_t no_text = std::numeric_limits<std::int64_t>::min();
  static constexpr std::int64_t first_code = std::int64_t{1} << 60;

  void add_other(std::string_view text);
  void check_count();

  TextDictionary dictionary_;  // of the texts that are not what class_name() makes of their number
  // A whole number that is written as class_name() writes it; or first_code and a text's code; or
  // no_text.
  std::vector<std::int64_t> rows_;
  int exact_digits_;
  bool fractions_ = false;
  bool given_up_ = false;  // these are no classes
};

template <Real T>
inline constexpr int exact_digits_of = sizeof(T) == 8 ? 15 : 7;

}  // namespace tandem

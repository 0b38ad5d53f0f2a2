#include "core/data/label_texts.hpp"

#include <algorithm>

namespace tandem {
namespace {

// encode_classes() takes no more than 100 classes of numbers with fractions.
constexpr std::size_t most_fractions = 1000;
constexpr std::size_t most_texts = std::size_t{1} << 20;

}  // namespace

void LabelTexts::add_other(std::string_view text) {
  std::string_view digits = text;
  if (!digits.empty() && digits.front() == '-') digits.remove_prefix(1);
  const bool whole =
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  const bool plain = whole && !digits.empty() &&
                     digits.size() <= static_cast<std::size_t>(exact_digits_) &&
                     (digits.front() != '0' || text == "0");
  odd_ = odd_ || !plain;
  fractions_ = fractions_ || !whole;
  codes_.push_back(dictionary_.code(text));
  if (dictionary_.size() > (fractions_ ? most_fractions : most_texts)) give_up();
}

void LabelTexts::give_up() {
  clear();
  codes_.shrink_to_fit();
  given_up_ = true;
}

void LabelTexts::append(const LabelTexts& next) {
  if (given_up_) return;
  if (next.given_up_) return give_up();
  std::vector<std::int32_t> translated;
  translated.reserve(next.dictionary_.size());
  for (std::size_t c = 0; c < next.dictionary_.size(); ++c) {
    translated.push_back(dictionary_.code(next.dictionary_.text(c)));
  }
  fractions_ = fractions_ || next.fractions_;
  odd_ = odd_ || next.odd_;
  if (dictionary_.size() > (fractions_ ? most_fractions : most_texts)) return give_up();
  for (const std::int32_t code : next.codes_) {
    codes_.push_back(code < 0 ? -1 : translated[static_cast<std::size_t>(code)]);
  }
}

Classes LabelTexts::take() {
  Classes classes;
  if (given_up_ || !odd_) return classes;
  for (std::size_t c = 0; c < dictionary_.size(); ++c) classes.names.push_back(dictionary_.text(c));
  classes.labels = std::move(codes_);
  return classes;
}

}  // namespace tandem

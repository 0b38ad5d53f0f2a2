#include "core/data/label_texts.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace tandem {
namespace {

// encode_classes() takes no more than 100 classes of numbers with fractions.
constexpr std::size_t most_fractions = 1000;
constexpr std::size_t most_texts = std::size_t{1} << 20;

}  // namespace

void LabelTexts::add(std::string_view text) {
  if (given_up_) return;
  const bool negative = !text.empty() && text.front() == '-';
  const std::size_t first = negative ? 1 : 0;
  const std::size_t digits = text.size() - first;
  if (digits - 1 >= static_cast<std::size_t>(exact_digits_)) return add_other(text);
  // "-0" and "01" are no plain numbers.
  if (text[first] == '0' && text.size() > 1) return add_other(text);
  std::int64_t value = 0;
  for (const char c : text.substr(first)) {
    const auto digit = static_cast<unsigned char>(c - '0');
    if (digit > 9) return add_other(text);
    value = value * 10 + digit;
  }
  rows_.push_back(negative ? -value : value);
}

void LabelTexts::add_other(std::string_view text) {
  const std::string_view digits = text.substr(!text.empty() && text.front() == '-' ? 1 : 0);
  fractions_ = fractions_ || !std::all_of(digits.begin(), digits.end(),
                                          [](char c) { return c >= '0' && c <= '9'; });
  rows_.push_back(first_code + dictionary_.code(text));
  check_count();
}

void LabelTexts::check_count() {
  if (dictionary_.size() > (fractions_ ? most_fractions : most_texts)) give_up();
}

void LabelTexts::give_up() {
  clear();
  rows_.shrink_to_fit();
  given_up_ = true;
}

void LabelTexts::append(const LabelTexts& next) {
  if (given_up_) return;
  if (next.given_up_) return give_up();
  std::vector<std::int64_t> translated;
  translated.reserve(next.dictionary_.size());
  for (std::size_t c = 0; c < next.dictionary_.size(); ++c) {
    translated.push_back(first_code + dictionary_.code(next.dictionary_.text(c)));
  }
  fractions_ = fractions_ || next.fractions_;
  check_count();
  if (given_up_) return;
  const std::size_t before = rows_.size();
  rows_.insert(rows_.end(), next.rows_.begin(), next.rows_.end());
  if (translated.empty()) return;
  for (std::size_t i = before; i < rows_.size(); ++i) {
    if (rows_[i] >= first_code)
      rows_[i] = translated[static_cast<std::size_t>(rows_[i] - first_code)];
  }
}

Classes LabelTexts::take() {
  Classes classes;
  if (given_up_ || dictionary_.size() == 0) return classes;
  std::unordered_map<std::int64_t, std::int32_t> codes;
  codes.emplace(no_text, -1);
  const std::size_t most = fractions_ ? most_fractions : most_texts;
  classes.labels.reserve(rows_.size());
  for (const std::int64_t row : rows_) {
    const auto [at, fresh] = codes.emplace(row, static_cast<std::int32_t>(classes.names.size()));
    if (fresh) {
      classes.names.push_back(row >= first_code
                                  ? dictionary_.text(static_cast<std::size_t>(row - first_code))
                                  : std::to_string(row));
    }
    classes.labels.push_back(at->second);
    if (classes.names.size() > most) {
      give_up();
      return {};
    }
  }
  return classes;
}

}  // namespace tandem

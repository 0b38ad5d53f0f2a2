#include "core/data/class_names.hpp"

#include <algorithm>
#include <tuple>

namespace tandem {
namespace {

// 0.DIGITS · 10^exponent, without zeros at either end of the digits; no digits: zero.
struct Decimal {
  bool negative = false;
  std::string digits;
  std::int64_t exponent = 0;
};

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal decimal;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    decimal.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  bool point = false;
  bool any = false;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') break;
    any = true;
    if (c == '0' && decimal.digits.empty()) {
      if (point) --decimal.exponent;
      continue;
    }
    decimal.digits += c;
    if (!point) ++decimal.exponent;
  }
  if (!any) return std::nullopt;
  if (i < text.size()) {
    if (text[i] != 'e' && text[i] != 'E') return std::nullopt;
    ++i;
    bool below = false;
    if (i < text.size() && (text[i] == '-' || text[i] == '+')) below = text[i++] == '-';
    if (i == text.size()) return std::nullopt;
    std::int64_t written = 0;
    for (; i < text.size(); ++i) {
      if (text[i] < '0' || text[i] > '9') return std::nullopt;
      if (written < 1000000000) written = written * 10 + (text[i] - '0');
    }
    decimal.exponent += below ? -written : written;
  }
  while (!decimal.digits.empty() && decimal.digits.back() == '0') decimal.digits.pop_back();
  if (decimal.digits.empty()) return Decimal{};
  return decimal;
}

// Negative, zero or positive, as a is before, equal to or behind b.
int compare(const Decimal& a, const Decimal& b) {
  const auto sign = [](const Decimal& d) { return d.digits.empty() ? 0 : d.negative ? -1 : 1; };
  if (sign(a) != sign(b)) return sign(a) - sign(b);
  int magnitudes = 0;
  if (a.exponent != b.exponent) {
    magnitudes = a.exponent < b.exponent ? -1 : 1;
  } else {
    magnitudes = a.digits.compare(b.digits);
  }
  return sign(a) < 0 ? -magnitudes : magnitudes;
}

// The words of truth values, which one program writes True, another TRUE and a third true.
std::optional<std::string> truth_form(std::string_view text) {
  std::string word(text);
  for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (word != "true" && word != "false") return std::nullopt;
  return word;
}

// What two texts of one class have in common.
std::optional<std::string> value_form(std::string_view text) {
  std::optional<std::string> form = decimal_form(text);
  return form ? form : truth_form(text);
}

}  // namespace

std::optional<std::string> decimal_form(std::string_view text) {
  const std::optional<Decimal> decimal = parse_decimal(text);
  if (!decimal) return std::nullopt;
  if (decimal->digits.empty()) return "0";
  return (decimal->negative ? "-" : "") + decimal->digits + "e" + std::to_string(decimal->exponent);
}

bool class_before(std::string_view a, std::string_view b) {
  const std::optional<Decimal> x = parse_decimal(a);
  const std::optional<Decimal> y = parse_decimal(b);
  if (x.has_value() != y.has_value()) return x.has_value();
  if (x && y) {
    const int order = compare(*x, *y);
    if (order != 0) return order < 0;
  }
  return a < b;
}

ClassMatcher::ClassMatcher(std::span<const std::string> names) : names_(names) {
  for (std::size_t c = 0; c < names.size(); ++c) {
    by_text_.emplace(names[c], static_cast<std::int32_t>(c));
  }
}

ClassMatcher::Match ClassMatcher::find(std::string_view text) const {
  const auto same = by_text_.find(text);
  if (same != by_text_.end()) return {same->second, false};
  const std::optional<std::string> form = value_form(text);
  if (!form) return {};
  if (!by_value_) {
    by_value_.emplace();
    for (std::size_t c = 0; c < names_.size(); ++c) {
      const std::optional<std::string> own = value_form(names_[c]);
      if (!own) continue;
      const auto [at, added] = by_value_->emplace(*own, static_cast<std::int32_t>(c));
      if (!added) at->second = -1;
    }
  }
  const auto equal = by_value_->find(*form);
  return equal == by_value_->end() ? Match{} : Match{equal->second, equal->second >= 0};
}

}  // namespace tandem

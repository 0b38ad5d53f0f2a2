#include "core/data/field_values.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "core/data/field_text.hpp"
#include "core/data/number.hpp"

namespace tandem {
namespace {

using namespace field_text;

std::size_t blank_before_end(std::string_view text) {
  for (const std::size_t bytes : {1U, 2U, 3U}) {
    if (text.size() >= bytes && blank_at(text.substr(text.size() - bytes)) == bytes) return bytes;
  }
  return 0;
}

constexpr std::array<std::string_view, 40> currencies{
    "US$", "R$",  "A$",  "C$",  "HK$", "NZ$",       "S$",  "$",   "\xC2\xA3", "\xC2\xA5",
    "USD", "EUR", "GBP", "JPY", "CHF", "CNY",       "INR", "SEK", "NOK",      "DKK",
    "PLN", "CZK", "AUD", "CAD", "NZD", "HUF",       "RON", "TRY", "BRL",      "MXN",
    "ZAR", "KRW", "SGD", "HKD", "RUB", "K\xC4\x8D", "Ft",  "lei", "kr",       "z\xC5\x82"};

// The bytes of a currency's sign or name at the beginning or the end of a text, 0 where there is
// none.
std::size_t currency_at(std::string_view text, bool end) {
  for (const std::string_view name : currencies) {
    if (end ? ends(text, name) : starts(text, name)) return name.size();
  }
  // U+20A0 to U+20CF are signs of currency, the euro's among them; U+FFE1 and U+FFE5 wide ones.
  constexpr std::size_t bytes = 3;
  if (text.size() < bytes) return 0;
  const std::string_view sign = end ? text.substr(text.size() - bytes) : text.substr(0, bytes);
  const auto second = static_cast<unsigned char>(sign[1]);
  const auto third = static_cast<unsigned char>(sign[2]);
  const bool one = sign[0] == '\xE2' && ((second == 0x82 && third >= 0xA0 && third <= 0xBF) ||
                                         (second == 0x83 && third >= 0x80 && third <= 0x8F));
  return one || sign == "\xEF\xBF\xA1" || sign == "\xEF\xBF\xA5" ? bytes : 0;
}

// A number's digits without the signs and blanks around them.
struct Core {
  std::string_view digits;
  bool negative = false;
  Decoration decoration;
};

// None where a decoration occurs twice or nothing is left.
std::optional<Core> core_of(std::string_view text) {
  Core core;
  std::string_view left = without_blanks(text);
  core.decoration.other = left.size() != text.size();
  bool sign = false;
  if (left.size() > 2 && left.front() == '(' && left.back() == ')') {
    core.negative = true;
    core.decoration.other = true;
    sign = true;
    left = without_blanks(left.substr(1, left.size() - 2));
  }
  for (bool changed = true; changed && !left.empty();) {
    changed = false;
    if (const std::size_t bytes = minus_at(left); bytes > 0 && !sign) {
      core.negative = true;
      core.decoration.other = core.decoration.other || bytes > 1;
      sign = changed = true;
      left = without_blanks(left.substr(bytes));
    } else if (left.front() == '+' && !sign) {
      sign = changed = true;
      left = without_blanks(left.substr(1));
    }
    if (!core.decoration.currency) {
      if (const std::size_t before = currency_at(left, false)) {
        core.decoration.sign = left.substr(0, before);
        left = without_blanks(left.substr(before));
        core.decoration.currency = changed = true;
      } else if (const std::size_t behind = currency_at(left, true)) {
        core.decoration.sign = left.substr(left.size() - behind);
        left = without_blanks(left.substr(0, left.size() - behind));
        core.decoration.currency = changed = true;
      }
    }
    if (!core.decoration.percent && !left.empty() && left.back() == '%') {
      core.decoration.percent = changed = true;
      left = without_blanks(left.substr(0, left.size() - 1));
    }
  }
  // 1.200,50- as SAP writes it; 2- alone may be a mark at school.
  if (!sign && left.size() > 1 && left.back() == '-' && is_digit(left[left.size() - 2]) &&
      left.find_first_of(".,") != std::string_view::npos) {
    core.negative = true;
    core.decoration.other = true;
    left.remove_suffix(1);
  }
  if (left.empty() || (!is_digit(left.front()) && left.front() != '.' && left.front() != ','))
    return std::nullopt;
  core.digits = left;
  return core;
}

// Digits that are as wide as ideographs and the marks beside them, U+FF01 to U+FF3F, with those of
// ASCII in their place; none where there are no such digits.
std::optional<std::string> narrow(std::string_view text) {
  constexpr std::string_view wide = "\xEF\xBC";
  if (text.find(wide) == std::string_view::npos) return std::nullopt;
  std::string result;
  bool any = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto last = i + 2 < text.size() ? static_cast<unsigned char>(text[i + 2]) : 0U;
    if (starts(text.substr(i), wide) && last >= 0x81 && last <= 0xBF) {
      result += static_cast<char>(last - 0x60);
      any = any || is_digit(result.back());
      i += 2;
    } else {
      result += text[i];
    }
  }
  return any ? std::optional(result) : std::nullopt;
}

// The letter in front of an exponent: e, or as Fortran writes numbers of double precision d, which
// only a mark or a sign tells from an identifier such as 12D5: 1.5D+02, 0.1d3, 1D-5.
bool begins_exponent(std::string_view digits, std::size_t at) {
  const char letter = lower(digits[at]);
  if (letter == 'e') return true;
  if (letter != 'd' || at + 1 == digits.size()) return false;
  const bool marked = digits.substr(0, at).find_first_of(".,") != std::string_view::npos;
  return marked || digits[at + 1] == '+' || digits[at + 1] == '-';
}

// The digits of a marked number as parse_number() reads them; false where they are none.
bool unmark(std::string_view digits, NumberForm form, std::string& plain) {
  plain.clear();
  std::size_t i = 0;
  std::size_t group = 0;
  int groups = 0;  // that are closed by a mark
  while (i < digits.size()) {
    const std::string_view rest = digits.substr(i);
    if (is_digit(rest.front())) {
      plain += rest.front();
      ++group;
      ++i;
      continue;
    }
    // In Switzerland the apostrophe is also written as the closing quotation mark.
    constexpr std::string_view curly = "\xE2\x80\x99";
    std::size_t bytes = 0;
    if (form.thousands == ' ') {
      bytes = blank_at(rest);
    } else if (form.thousands == '\'' && starts(rest, curly)) {
      bytes = curly.size();
    } else if (form.thousands != 0 && rest.front() == form.thousands) {
      bytes = 1;
    }
    if (bytes == 0) break;
    // 1,234,567 and 12,34,567 as in India.
    const bool first = groups == 0;
    if (group < 1 || group > 3 || (!first && group == 1) || rest.size() <= bytes ||
        !is_digit(rest[bytes])) {
      return false;
    }
    if (first && plain.front() == '0') return false;
    ++groups;
    group = 0;
    i += bytes;
  }
  if (groups > 0 && group != 3) return false;
  if (i < digits.size() && digits[i] == form.decimal) {
    plain += '.';
    ++i;
    while (i < digits.size() && is_digit(digits[i])) plain += digits[i++];
  }
  if (i < digits.size() && !plain.empty() && begins_exponent(digits, i)) {
    plain += 'e';
    ++i;
    if (i < digits.size() && (digits[i] == '-' || digits[i] == '+')) plain += digits[i++];
    if (i == digits.size()) return false;
    while (i < digits.size() && is_digit(digits[i])) plain += digits[i++];
  }
  return i == digits.size() && plain != "." && !plain.empty();
}

constexpr std::array<NumberForm, number_forms> forms{
    {{'.', 0}, {',', 0}, {'.', ','}, {',', '.'}, {'.', ' '}, {',', ' '}, {'.', '\''}, {',', '\''}}};

// The forms with a decimal point.
constexpr NumberForms point_forms = [] {
  NumberForms all = 0;
  for (std::size_t i = 0; i < forms.size(); ++i) {
    if (forms[i].decimal == '.') all |= NumberForms{1} << i;
  }
  return all;
}();

}  // namespace

NumberForm number_form(int index) { return forms[static_cast<std::size_t>(index)]; }

int index_of(NumberForm form) {
  return static_cast<int>(std::find(forms.begin(), forms.end(), form) - forms.begin());
}

std::string_view without_blanks(std::string_view text) {
  while (const std::size_t bytes = blank_at(text)) text.remove_prefix(bytes);
  while (const std::size_t bytes = blank_before_end(text)) text.remove_suffix(bytes);
  return text;
}

template <Real T>
bool parse_marked_number(std::string_view text, NumberForm form, T& value, Decoration* decoration) {
  if (const auto plain = narrow(text)) return parse_marked_number(*plain, form, value, decoration);
  const std::optional<Core> core = core_of(text);
  if (!core) return false;
  std::string plain;
  if (!unmark(core->digits, form, plain) || !parse_whole_number(plain, value)) return false;
  if (core->negative) value = -value;
  if (decoration != nullptr) *decoration = core->decoration;
  return true;
}

template bool parse_marked_number(std::string_view, NumberForm, float&, Decoration*);
template bool parse_marked_number(std::string_view, NumberForm, double&, Decoration*);

NumberForms possible_numbers(std::string_view text, Decoration* decoration) {
  // The most usual first: digits with one point.
  std::size_t whole = 0;
  std::size_t i = !text.empty() && text.front() == '-' ? 1 : 0;
  const std::size_t first = i;
  while (i < text.size() && is_digit(text[i])) ++i, ++whole;
  if (whole > 0 && i == text.size()) return all_number_forms;
  if (whole > 0 && text[i] == '.') {
    const std::size_t point = i++;
    while (i < text.size() && is_digit(text[i])) ++i;
    if (i == text.size()) {
      const bool group = i - point == 4 && whole <= 3 && text[first] != '0';
      return point_forms | (group ? NumberForms{1} << index_of({',', '.'}) : 0);
    }
  }
  if (const auto plain = narrow(text)) return possible_numbers(*plain, decoration);
  const std::optional<Core> core = core_of(text);
  if (!core) {
    double value = 0;  // inf, nan
    return parse_whole_number(text, value) ? all_number_forms : 0;
  }
  if (decoration != nullptr) *decoration = core->decoration;
  const std::string_view digits = core->digits;
  if (std::all_of(digits.begin(), digits.end(), is_digit)) return all_number_forms;
  NumberForms possible = 0;
  std::string plain;
  for (int form = 0; form < number_forms; ++form) {
    if (unmark(digits, forms[static_cast<std::size_t>(form)], plain)) {
      possible |= NumberForms{1} << form;
    }
  }
  return possible;
}

bool has_leading_zero(std::string_view text) {
  return text.size() > 1 && text[0] == '0' && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_long_number(std::string_view text) {
  if (!text.empty() && text.front() == '-') text.remove_prefix(1);
  return text.size() > 15 && std::all_of(text.begin(), text.end(), is_digit);
}

int parse_true_false(std::string_view text) {
  text = without_blanks(text);
  return same_word(text, "true") ? 1 : same_word(text, "false") ? 0 : -1;
}

int parse_yes_no(std::string_view text) {
  text = without_blanks(text);
  return same_word(text, "yes") ? 1 : same_word(text, "no") ? 0 : -1;
}

bool is_placeholder(std::string_view text) {
  text = without_blanks(text);
  // Also what databases write (\N), Excel in German, Dutch, French and Spanish, and Windows'
  // printf.
  constexpr std::array<std::string_view, 25> words{
      "",    "-",    "--",   "---",     ".",       "..",        "*",       "na", "n.a.",
      "nan", "none", "null", "missing", "unknown", "#n/a",      "n/a",     "._", "not available",
      "\\n", "#nv",  "#n/b", "#n/d",    "k.a.",    "-nan(ind)", "nan(ind)"};
  // The missing values of SAS and Stata, .A to .Z; what a spreadsheet says of a formula that it
  // cannot compute, #BEZUG! or #NAME?; a date of MySQL that is none.
  const bool special =
      text.size() == 2 && text[0] == '.' && (lower(text[1]) >= 'a') && (lower(text[1]) <= 'z');
  const bool formula = text.size() > 3 && text.size() < 16 && text.front() == '#' &&
                       (text.back() == '!' || text.back() == '?') &&
                       text.find(' ') == std::string_view::npos;
  return special || formula || starts(text, "0000-00-00") || text == "\xE2\x80\x93" ||
         text == "\xE2\x80\x94" ||
         std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return same_word(text, word); });
}

bool is_placeholder_word(std::string_view text) {
  text = without_blanks(text);
  constexpr std::array<std::string_view, 4> words{"none", "missing", "unknown", "not available"};
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return same_word(text, word); });
}

}  // namespace tandem

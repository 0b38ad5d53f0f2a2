#include "core/data/field_values.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>

#include "core/data/number.hpp"

namespace tandem {
namespace {

using number_detail::is_digit;

bool starts(std::string_view text, std::string_view with) {
  return text.substr(0, with.size()) == with;
}
bool ends(std::string_view text, std::string_view with) {
  return text.size() >= with.size() && text.substr(text.size() - with.size()) == with;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool same_word(std::string_view text, std::string_view word) {
  return std::equal(text.begin(), text.end(), word.begin(), word.end(),
                    [](char a, char b) { return lower(a) == b; });
}

// The bytes of the blank at the beginning of the text, 0 where there is none.
std::size_t blank_at(std::string_view text) {
  if (text.empty()) return 0;
  if (text.front() == ' ' || text.front() == '\t') return 1;
  if (static_cast<unsigned char>(text.front()) < 0x80) return 0;
  if (starts(text, "\xC2\xA0")) return 2;  // no-break space
  // U+2000 .. U+200B (thin, figure, zero width and the like), U+202F (narrow no-break), U+3000.
  if (text.size() >= 3 && starts(text, "\xE2\x80")) {
    const auto last = static_cast<unsigned char>(text[2]);
    if ((last >= 0x80 && last <= 0x8B) || last == 0xAF) return 3;
  }
  return starts(text, "\xE3\x80\x80") || starts(text, "\xEF\xBB\xBF") ? 3 : 0;
}

std::size_t blank_before_end(std::string_view text) {
  for (const std::size_t bytes : {1U, 2U, 3U}) {
    if (text.size() >= bytes && blank_at(text.substr(text.size() - bytes)) == bytes) return bytes;
  }
  return 0;
}

// Minus signs and dashes that stand for one.
std::size_t minus_at(std::string_view text) {
  if (starts(text, "-")) return 1;
  for (const std::string_view sign : {"\xE2\x88\x92", "\xE2\x80\x93", "\xEF\xBC\x8D"}) {
    if (starts(text, sign)) return sign.size();
  }
  return 0;
}

constexpr std::array<std::string_view, 26> currencies{
    "US$",      "R$",       "A$",           "C$",           "HK$",          "$",   "\xE2\x82\xAC",
    "\xC2\xA3", "\xC2\xA5", "\xE2\x82\xB9", "\xE2\x82\xA9", "\xE2\x82\xBD", "USD", "EUR",
    "GBP",      "JPY",      "CHF",          "CNY",          "INR",          "SEK", "NOK",
    "DKK",      "PLN",      "CZK",          "kr",           "z\xC5\x82"};

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
      for (const std::string_view currency : currencies) {
        if (starts(left, currency)) {
          left = without_blanks(left.substr(currency.size()));
        } else if (ends(left, currency)) {
          left = without_blanks(left.substr(0, left.size() - currency.size()));
        } else {
          continue;
        }
        core.decoration.currency = changed = true;
        break;
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

// --- dates and times ----------------------------------------------------------------------------

namespace {

constexpr std::array<std::string_view, 12> months{"january",   "february", "march",    "april",
                                                  "may",       "june",     "july",     "august",
                                                  "september", "october",  "november", "december"};

// Days since 1970-01-01 of the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level
// date algorithms").
std::int64_t days_from(std::int64_t y, int m, int d) {
  y -= m <= 2 ? 1 : 0;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t yoe = y - era * 400;
  const std::int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const std::int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + doe - 719468;
}

int days_in(int year, int month) {
  constexpr std::array<int, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

bool valid_day(int year, int month, int day) {
  return year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 &&
         day <= days_in(year, month);
}

// Reads a text from its beginning on.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}
  [[nodiscard]] bool done() const { return text_.empty(); }
  [[nodiscard]] char peek() const { return text_.empty() ? '\0' : text_.front(); }
  bool take(char c) {
    if (peek() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool take_word(std::string_view word) {
    if (text_.size() < word.size() || !same_word(text_.substr(0, word.size()), word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  void blanks() {
    while (take(' ')) {
    }
  }
  // A whole number of at least `least` and at most `most` digits; -1 where there is none.
  std::int64_t number(int least, int most, int* digits = nullptr) {
    int count = 0;
    std::int64_t value = 0;
    while (count < most && is_digit(peek())) {
      value = value * 10 + (peek() - '0');
      text_.remove_prefix(1);
      ++count;
    }
    if (digits != nullptr) *digits = count;
    return count >= least && !is_digit(peek()) ? value : -1;
  }
  // ".25" as 0.25; 0 where there is none.
  double fraction() {
    if (text_.size() < 2 || (peek() != '.' && peek() != ',') || !is_digit(text_[1])) return 0;
    text_.remove_prefix(1);
    std::int64_t value = 0;
    std::int64_t scale = 1;
    while (is_digit(peek())) {
      if (scale < 1000000000) {
        value = value * 10 + (peek() - '0');
        scale *= 10;
      }
      text_.remove_prefix(1);
    }
    return static_cast<double>(value) / static_cast<double>(scale);
  }
  // 1 to 12 for the English name of a month or its first three letters; 0 for none.
  int month() {
    for (std::size_t m = 0; m < months.size(); ++m) {
      for (const std::string_view name : {months[m], months[m].substr(0, 3)}) {
        const Scanner before = *this;
        if (!take_word(name)) continue;
        const char next = lower(peek());
        if (next < 'a' || next > 'z') return static_cast<int>(m) + 1;
        *this = before;
        if (name.size() == 3 && take_word("sept")) return 9;
      }
    }
    return 0;
  }
  // Behind the day of a month: st, nd, rd, th.
  void ordinal() {
    const Scanner before = *this;
    for (const std::string_view ending : {"st", "nd", "rd", "th"}) {
      if (!take_word(ending)) continue;
      if (lower(peek()) < 'a' || lower(peek()) > 'z') return;
      *this = before;
    }
  }

 private:
  std::string_view text_;
};

// "12:30:05.5 pm" at the scanner; at most `most_hours`. False where there is none.
bool take_clock(Scanner& scan, std::int64_t most_hours, int hour_digits, double& seconds) {
  const std::int64_t hours = scan.number(1, hour_digits);
  if (hours < 0 || !scan.take(':')) return false;
  const std::int64_t minutes = scan.number(2, 2);
  if (minutes < 0 || minutes > 59) return false;
  double second = 0;
  if (scan.take(':')) {
    const std::int64_t whole = scan.number(2, 2);
    if (whole < 0 || whole > 60) return false;
    second = static_cast<double>(whole) + scan.fraction();
  }
  std::int64_t hour = hours;
  Scanner ahead = scan;
  ahead.blanks();
  const bool am = ahead.take_word("am") || ahead.take_word("a.m.");
  const bool pm = !am && (ahead.take_word("pm") || ahead.take_word("p.m."));
  if (am || pm) {
    if (hours < 1 || hours > 12) return false;
    hour = hours % 12 + (pm ? 12 : 0);
    scan = ahead;
  }
  if (hour > most_hours) return false;
  seconds = static_cast<double>(hour * 3600 + minutes * 60) + second;
  return true;
}

struct FoundDate {
  int year = 0;
  int month = 0;
  int day = 0;
  // The first two numbers of a date of three that does not begin with the year.
  int first = 0;
  int second = 0;
  bool of_numbers = false;
  bool slashes = false;
  double clock = 0;         // seconds of the day, less those of its time zone
  bool lacks_year = false;  // which stands behind the clock
};

int full_year(std::int64_t written, int digits) {
  if (digits > 2) return static_cast<int>(written);
  return static_cast<int>(written + (written < 69 ? 2000 : 1900));  // as POSIX strptime %y
}

// The calendar part.
bool take_day(Scanner& scan, FoundDate& date) {
  int digits = 0;
  if (const int month = scan.month(); month > 0) {  // Jan 31, 2024; January 2024
    scan.take('.');
    if (!scan.take('-') && !scan.take(',')) scan.blanks();
    scan.blanks();
    const std::int64_t number = scan.number(1, 4, &digits);
    if (number < 0 || digits == 3) return false;
    date.month = month;
    if (digits == 4) {
      date.year = static_cast<int>(number);
      date.day = 1;
      return true;
    }
    date.day = static_cast<int>(number);
    scan.ordinal();
    if (!scan.take(',') && !scan.take('-') && scan.peek() != ' ') return false;
    scan.blanks();
    Scanner clock = scan;
    if (clock.number(1, 2) >= 0 && clock.take(':')) {  // Jan 10 10:00:00 2024
      date.lacks_year = true;
      return true;
    }
    const std::int64_t year = scan.number(2, 4, &digits);
    if (year < 0 || digits == 3) return false;
    date.year = full_year(year, digits);
    return true;
  }
  const std::int64_t first = scan.number(1, 8, &digits);
  if (first < 0) return false;
  if (digits == 8) {  // 20240131T123005; 20240131 alone where the column is said to hold dates
    if (scan.peek() != 'T' && scan.peek() != ' ' && !scan.done()) return false;
    date.year = static_cast<int>(first / 10000);
    date.month = static_cast<int>(first / 100 % 100);
    date.day = static_cast<int>(first % 100);
    return true;
  }
  if (digits == 3 || digits > 4) return false;
  const char mark = scan.peek();
  if (digits <= 2) {  // 31-Jan-2024, 31 January 2024
    Scanner ahead = scan;
    ahead.ordinal();
    if (!ahead.take('-') && !ahead.take('/')) {
      ahead.take('.');
      ahead.blanks();
      if (ahead.take_word("of")) ahead.blanks();
    }
    if (const int month = ahead.month(); month > 0) {
      ahead.take('.');
      if (!ahead.take('-') && !ahead.take('/')) {
        ahead.take(',');
        ahead.blanks();
      }
      int year_digits = 0;
      const std::int64_t year = ahead.number(2, 4, &year_digits);
      if (year < 0 || year_digits == 3) return false;
      date.year = full_year(year, year_digits);
      date.month = month;
      date.day = static_cast<int>(first);
      scan = ahead;
      return true;
    }
  }
  if (mark != '-' && mark != '/' && mark != '.') return false;
  scan.take(mark);
  if (digits == 4 && mark == '-') {  // 2024-Jan-31
    Scanner ahead = scan;
    if (const int month = ahead.month(); month > 0 && ahead.take(mark)) {
      const std::int64_t day = ahead.number(1, 2);
      if (day < 0) return false;
      date.year = static_cast<int>(first);
      date.month = month;
      date.day = static_cast<int>(day);
      scan = ahead;
      return true;
    }
  }
  int second_digits = 0;
  const std::int64_t second = scan.number(1, 2, &second_digits);
  if (second < 0) return false;
  if (!scan.take(mark)) {  // 2024-01
    if (digits != 4 || second_digits != 2 || mark != '-' || !scan.done()) return false;
    date.year = static_cast<int>(first);
    date.month = static_cast<int>(second);
    date.day = 1;
    return true;
  }
  int third_digits = 0;
  const std::int64_t third = scan.number(1, 4, &third_digits);
  if (third < 0 || third_digits == 3) return false;
  date.slashes = mark == '/';
  if (digits == 4) {
    if (third_digits > 2) return false;
    date.year = static_cast<int>(first);
    date.month = static_cast<int>(second);
    date.day = static_cast<int>(third);
    return true;
  }
  if (third_digits == 1) return false;
  date.of_numbers = true;
  date.first = static_cast<int>(first);
  date.second = static_cast<int>(second);
  date.year = full_year(third, third_digits);
  return true;
}

// Behind a clock: Z, +01:00, -0530, UTC. Seconds to take off.
bool take_zone(Scanner& scan, double& offset) {
  offset = 0;
  Scanner ahead = scan;
  ahead.blanks();
  if (ahead.done()) return true;
  // The names of RFC 5322 and of Central European Time, hours east of Greenwich.
  struct Zone {
    std::string_view name;
    int hours;
  };
  constexpr std::array<Zone, 13> zones{{{"utc", 0},
                                        {"gmt", 0},
                                        {"est", -5},
                                        {"edt", -4},
                                        {"cst", -6},
                                        {"cdt", -5},
                                        {"mst", -7},
                                        {"mdt", -6},
                                        {"pst", -8},
                                        {"pdt", -7},
                                        {"cest", 2},
                                        {"cet", 1},
                                        {"z", 0}}};
  for (const Zone& zone : zones) {
    if (!ahead.take_word(zone.name)) continue;
    offset = 3600.0 * zone.hours;
    scan = ahead;
    return true;
  }
  const bool west = ahead.peek() == '-';
  if (!ahead.take('+') && !ahead.take('-')) return false;
  int digits = 0;
  std::int64_t hours = ahead.number(2, 4, &digits);
  std::int64_t minutes = 0;
  if (hours < 0 || digits == 3) return false;
  if (digits == 4) {
    minutes = hours % 100;
    hours /= 100;
  } else if (ahead.take(':')) {
    minutes = ahead.number(2, 2);
  }
  if (hours > 15 || minutes < 0 || minutes > 59) return false;
  offset = static_cast<double>(hours * 3600 + minutes * 60) * (west ? -1 : 1);
  scan = ahead;
  return true;
}

bool find_date(std::string_view text, FoundDate& date) {
  text = without_blanks(text);
  // As in the logs of web servers: [10/Oct/2000:13:55:36 -0700].
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
  }
  if (text.size() < 6 || text.size() > 48) return false;
  Scanner scan(text);
  for (const std::string_view day :
       {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}) {  // Mon, ...
    Scanner ahead = scan;
    if (!ahead.take_word(day)) continue;
    while (lower(ahead.peek()) >= 'a' && lower(ahead.peek()) <= 'z') ahead.take(ahead.peek());
    ahead.take(',');
    if (ahead.peek() != ' ') return false;
    ahead.blanks();
    scan = ahead;
    break;
  }
  if (!take_day(scan, date)) return false;
  if (scan.done()) return true;
  const bool of_log = text.find('/') == 2 && scan.take(':');
  if (!of_log && !date.lacks_year && !scan.take('T') && !scan.take('t') && !scan.take('_')) {
    scan.take(',');
    if (scan.peek() != ' ') return false;
    scan.blanks();
    if (scan.take_word("at")) scan.blanks();
  }
  double clock = 0;
  Scanner compact = scan;
  int digits = 0;
  const std::int64_t whole = compact.number(4, 6, &digits);
  if (whole >= 0 && (digits == 4 || digits == 6)) {  // 20240131T123005
    const std::int64_t all = digits == 4 ? whole * 100 : whole;
    const std::int64_t hour = all / 10000;
    const std::int64_t minute = all / 100 % 100;
    const std::int64_t second = all % 100;
    if (hour > 24 || minute > 59 || second > 60) return false;
    clock = static_cast<double>(hour * 3600 + minute * 60 + second) + compact.fraction();
    scan = compact;
  } else if (!take_clock(scan, 24, 2, clock)) {
    return false;
  }
  double offset = 0;
  if (date.lacks_year) {  // 10:00:00 2024, 10:00:00 UTC 2024, 10:00:00 +0100 2024
    scan.blanks();
    if (!is_digit(scan.peek()) && !take_zone(scan, offset)) return false;
    scan.blanks();
    const std::int64_t year = scan.number(4, 4);
    if (year < 0) return false;
    date.year = static_cast<int>(year);
  } else if (!take_zone(scan, offset)) {
    return false;
  }
  date.clock = clock - offset;
  return scan.done();
}

}  // namespace

PossibleDates possible_dates(std::string_view text) {
  FoundDate date;
  PossibleDates possible;
  if (!find_date(text, date)) return possible;
  possible.slashes = date.slashes;
  if (!date.of_numbers) {
    possible.orders = valid_day(date.year, date.month, date.day) ? any_order : 0;
    return possible;
  }
  if (valid_day(date.year, date.second, date.first)) possible.orders |= day_first;
  if (valid_day(date.year, date.first, date.second)) possible.orders |= month_first;
  possible.ambiguous = possible.orders == any_order && date.first != date.second;
  return possible;
}

bool parse_date(std::string_view text, DateOrders order, double& seconds) {
  FoundDate date;
  if (!find_date(text, date)) return false;
  if (date.of_numbers) {
    date.day = order == month_first ? date.second : date.first;
    date.month = order == month_first ? date.first : date.second;
  }
  if (!valid_day(date.year, date.month, date.day)) return false;
  seconds = static_cast<double>(days_from(date.year, date.month, date.day)) * 86400.0 + date.clock;
  return true;
}

namespace {

struct Civil {
  std::int64_t year;
  int month;
  int day;
};

Civil civil_from(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const std::int64_t doe = days - era * 146097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  const auto day = static_cast<int>(doy - (153 * mp + 2) / 5 + 1);
  const auto month = static_cast<int>(mp < 10 ? mp + 3 : mp - 9);
  return {yoe + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

}  // namespace

DateParts parts_of(double seconds) {
  const double day = std::floor(seconds / 86400.0);
  const auto days = static_cast<std::int64_t>(day);
  const Civil civil = civil_from(days);
  DateParts parts;
  parts.year = static_cast<int>(civil.year);
  parts.month = civil.month;
  parts.weekday = static_cast<int>(((days + 3) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
  parts.hour = static_cast<int>((seconds - day * 86400.0) / 3600.0);
  return parts;
}

std::string date_text(double seconds) {
  if (!(std::abs(seconds) < 1e12)) return "?";
  const double day = std::floor(seconds / 86400.0);
  const Civil civil = civil_from(static_cast<std::int64_t>(day));
  const auto clock = static_cast<int>(seconds - day * 86400.0);
  std::array<char, 64> text{};
  int size = std::snprintf(text.data(), text.size(), "%04d-%02d-%02d", static_cast<int>(civil.year),
                           civil.month, civil.day);
  if (clock != 0) {
    size += std::snprintf(text.data() + size, text.size() - static_cast<std::size_t>(size),
                          " %02d:%02d:%02d", clock / 3600, clock / 60 % 60, clock % 60);
  }
  return {text.data(), static_cast<std::size_t>(size)};
}

namespace {

// "1h30m", "2 hours 5 min", "1h 2m 3.5s": units from the largest to the smallest. A letter for
// minutes, seconds or days alone is none, since metres and much else are written so.
bool take_units(Scanner& scan, double& seconds) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  constexpr std::array<Unit, 16> units{{{"hours", 3600},
                                        {"hour", 3600},
                                        {"hrs", 3600},
                                        {"hr", 3600},
                                        {"h", 3600},
                                        {"minutes", 60},
                                        {"minute", 60},
                                        {"mins", 60},
                                        {"min", 60},
                                        {"m", 60},
                                        {"seconds", 1},
                                        {"second", 1},
                                        {"secs", 1},
                                        {"sec", 1},
                                        {"s", 1},
                                        {"d", 86400}}};
  seconds = 0;
  double before = std::numeric_limits<double>::infinity();
  int count = 0;
  bool plain = false;
  while (!scan.done()) {
    const std::int64_t whole = scan.number(1, 9);
    if (whole < 0) return false;
    const double number = static_cast<double>(whole) + scan.fraction();
    scan.blanks();
    const auto* const unit = std::find_if(
        units.begin(), units.end(), [&](const Unit& each) { return scan.take_word(each.name); });
    if (unit == units.end() || unit->seconds >= before) return false;
    before = unit->seconds;
    plain = plain || unit->name.size() > 1 || unit->name == "h";
    seconds += number * unit->seconds;
    ++count;
    scan.blanks();
  }
  return count > 1 || plain;
}

}  // namespace

bool parse_time(std::string_view text, double& seconds) {
  text = without_blanks(text);
  if (text.size() < 2 || text.size() > 48) return false;
  bool negative = false;
  if (const std::size_t bytes = minus_at(text); bytes > 0) {
    negative = true;
    text = without_blanks(text.substr(bytes));
  }
  Scanner scan(text);
  double total = 0;
  if (scan.peek() == 'P' || scan.peek() == 'p') {  // ISO 8601
    scan.take(scan.peek());
    bool time = false;
    bool any = false;
    while (!scan.done()) {
      if (!time && scan.take_word("t")) {
        time = true;
        continue;
      }
      const std::int64_t whole = scan.number(1, 9);
      if (whole < 0) return false;
      const double number = static_cast<double>(whole) + scan.fraction();
      if (!time && scan.take_word("d")) {
        total += number * 86400;
      } else if (!time && scan.take_word("w")) {
        total += number * 604800;
      } else if (time && scan.take_word("h")) {
        total += number * 3600;
      } else if (time && scan.take_word("m")) {
        total += number * 60;
      } else if (time && scan.take_word("s")) {
        total += number;
      } else {
        return false;
      }
      any = true;
    }
    seconds = negative ? -total : total;
    return any;
  }
  Scanner days = scan;
  const std::int64_t count = days.number(1, 9);
  days.blanks();
  if (count >= 0 && (days.take_word("days") || days.take_word("day"))) {
    total = static_cast<double>(count) * 86400;
    scan = days;
    scan.take(',');
    scan.blanks();
    if (scan.done()) {
      seconds = negative ? -total : total;
      return true;
    }
    if (scan.take('+')) scan.blanks();
  }
  double clock = 0;
  Scanner spelled = scan;
  if (!take_units(spelled, clock) &&
      (text.size() < 3 || !take_clock(scan, 9999999, 7, clock) || !scan.done())) {
    return false;
  }
  total += clock;
  seconds = negative ? -total : total;
  return true;
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
  constexpr std::array<std::string_view, 29> words{
      "",        "-",       "--",   "---",           ".",       "..",
      "*",       "na",      "n.a.", "nan",           "none",    "null",
      "missing", "unknown", "#n/a", "#div/0!",       "#value!", "#ref!",
      "#num!",   "#name?",  "n/a",  "not available", "\\n",     "#nv",
      "#n/b",    "#n/d",    "k.a.", "-nan(ind)",     "nan(ind)"};
  return text == "\xE2\x80\x93" || text == "\xE2\x80\x94" ||
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

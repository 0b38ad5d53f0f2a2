// Dates, times of day and durations in the forms that people and programs write.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/data/field_text.hpp"
#include "core/data/field_values.hpp"

namespace tandem {
namespace {

using namespace field_text;

// The names of each month in small letters, and what they are cut to: English, German, French,
// Spanish, Portuguese, Italian, Dutch, Scandinavian and Russian (in the case that follows a day).
// No name is that of two months.
constexpr std::array<std::string_view, 12> month_names{
    "january jan januar jänner janvier janv enero ene janeiro gennaio gen januari января",
    "february feb februar feber février fevrier févr febrero fevereiro fev febbraio februari "
    "февраля",
    "march mar märz mär mrz mars marzo março marco maart mrt marts марта",
    "april apr avril avr abril abr aprile апреля",
    "may mai mayo maio maggio mag mei maj мая",
    "june jun juni juin junio junho giugno giu июня",
    "july jul juli juillet juil julio julho luglio lug июля",
    "august aug août aout agosto ago augustus augusti августа",
    "september sep sept septembre septiembre setiembre setembro set settembre сентября",
    "october oct oktober okt octobre octubre outubro out ottobre ott октября",
    "november nov novembre noviembre novembro ноября",
    "december dec dezember dez décembre decembre déc diciembre dic dezembro dicembre desember "
    "des декабря"};

struct MonthName {
  std::string_view name;
  int month;
};
constexpr std::size_t all_month_names = [] {
  std::size_t count = 0;
  for (const std::string_view words : month_names) {
    count += static_cast<std::size_t>(std::count(words.begin(), words.end(), ' ')) + 1;
  }
  return count;
}();
// The first names of all months, then their second ones, and so on: the English ones are found
// first.
constexpr std::array<MonthName, all_month_names> named_months = [] {
  std::array<MonthName, all_month_names> all{};
  std::array<std::string_view, month_names.size()> left = month_names;
  for (std::size_t next = 0; next < all.size();) {
    for (std::size_t m = 0; m < left.size(); ++m) {
      if (left[m].empty()) continue;
      const std::string_view name = left[m].substr(0, left[m].find(' '));
      left[m].remove_prefix(std::min(name.size() + 1, left[m].size()));
      all[next++] = {name, static_cast<int>(m) + 1};
    }
  }
  return all;
}();

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

struct Civil {
  std::int64_t year;
  int month;
  int day;

  bool operator==(const Civil&) const = default;
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

int days_in(int year, int month) {
  constexpr std::array<int, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return days[static_cast<std::size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

bool valid_day(int year, int month, int day) {
  return year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 &&
         day <= days_in(year, month);
}

bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }

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
  bool take_exactly(std::string_view word) {
    if (!starts(text_, word)) return false;
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
  // 1 to 12 for a word that is the name of a month; 0 for none.
  int month() {
    std::size_t size = 0;
    while (size < text_.size() &&
           (is_letter(text_[size]) || static_cast<unsigned char>(text_[size]) >= 0x80)) {
      ++size;
    }
    const std::string_view word = text_.substr(0, size);
    if (size == 0) return 0;
    for (const MonthName& known : named_months) {
      if (!same_word(word, known.name)) continue;
      text_.remove_prefix(size);
      return known.month;
    }
    return 0;
  }
  // Behind the day of a month: 1st, 2nd, 3rd, 4th; 1er in French, 1º in Spanish and Portuguese.
  void ordinal() {
    const Scanner before = *this;
    for (const std::string_view ending : {"st", "nd", "rd", "th", "er", "º"}) {
      if (!take_word(ending)) continue;
      if (!is_letter(peek())) return;
      *this = before;
    }
  }
  // Between day, month and year: 1st of May, 1 de mayo de 2024, 1 de mayo del 2024.
  void preposition() {
    const Scanner before = *this;
    for (const std::string_view word : {"of", "del", "de"}) {
      if (!take_word(word)) continue;
      if (peek() == ' ') return blanks();
      *this = before;
    }
  }

 private:
  std::string_view text_;
};

// "pm", "p.m." and "p. m." behind a clock, and the like before noon: 12 or 0 hours; -1 for neither.
int take_half_day(Scanner& scan) {
  Scanner ahead = scan;
  ahead.blanks();
  for (const std::string_view word : {"am", "a.m.", "a. m.", "pm", "p.m.", "p. m."}) {
    if (!ahead.take_word(word)) continue;
    scan = ahead;
    return word.front() == 'p' ? 12 : 0;
  }
  return -1;
}

// "12:30:05.5 pm" at the scanner, with at most `most_hours`; `mark` stands between its numbers.
// False where there is none.
bool take_clock(Scanner& scan, std::int64_t most_hours, int hour_digits, double& seconds,
                char mark = ':') {
  const std::int64_t hours = scan.number(1, hour_digits);
  if (hours < 0 || !scan.take(mark)) return false;
  const std::int64_t minutes = scan.number(2, 2);
  if (minutes < 0 || minutes > 59) return false;
  double second = 0;
  if (scan.take(mark)) {
    const std::int64_t whole = scan.number(2, 2);
    if (whole < 0 || whole > 60) return false;
    second = static_cast<double>(whole) + scan.fraction();
  }
  std::int64_t hour = hours;
  if (const int half = take_half_day(scan); half >= 0) {
    if (hours < 1 || hours > 12) return false;
    hour = hours % 12 + half;
  }
  if (hour > most_hours) return false;
  seconds = static_cast<double>(hour * 3600 + minutes * 60) + second;
  return true;
}

struct FoundDate {
  int year = 0;
  int month = 0;
  int day = 0;
  // A date of three numbers that does not begin with the year of four digits.
  bool of_numbers = false;
  int first = 0;
  int second = 0;
  int third = 0;
  bool short_numbers = false;  // none has more than two digits, so that the first may be the year
  bool slashes = false;
  double clock = 0;         // seconds of the day, less those of its time zone
  bool lacks_year = false;  // which stands behind the clock
};

int full_year(std::int64_t written, int digits) {
  if (digits > 2) return static_cast<int>(written);
  return static_cast<int>(written + (written < 69 ? 2000 : 1900));  // as POSIX strptime %y
}

bool set_day(FoundDate& date, std::int64_t year, std::int64_t month, std::int64_t day) {
  date.year = static_cast<int>(year);
  date.month = static_cast<int>(month);
  date.day = static_cast<int>(day);
  return true;
}

// Between the parts of a date that begins with a number.
bool take_mark(Scanner& scan, char mark) {
  if (!scan.take(mark)) return false;
  if (mark == '.') scan.blanks();  // 2024. 1. 31.
  return true;
}

// Jan 31, 2024; January 2024; and without the year, Jan 10 10:00:00 2024.
bool take_day_behind_month(Scanner& scan, FoundDate& date, int month) {
  scan.take('.');
  if (!scan.take('-') && !scan.take(',')) scan.blanks();
  scan.blanks();
  scan.preposition();
  int digits = 0;
  const std::int64_t number = scan.number(1, 4, &digits);
  if (number < 0 || digits == 3) return false;
  if (digits == 4) return set_day(date, number, month, 1);
  date.month = month;
  date.day = static_cast<int>(number);
  scan.ordinal();
  if (!scan.take(',') && !scan.take('-') && scan.peek() != ' ') return false;
  scan.blanks();
  Scanner clock = scan;
  if (clock.number(1, 2) >= 0 && clock.take(':')) {
    date.lacks_year = true;
    return true;
  }
  const std::int64_t year = scan.number(2, 4, &digits);
  if (year < 0 || digits == 3) return false;
  date.year = full_year(year, digits);
  return true;
}

// Behind a day of one or two digits: 31-Jan-2024, 31JAN2024, 31 January 2024, 31 de enero de 2024.
bool take_month_behind_day(Scanner& scan, FoundDate& date, std::int64_t day) {
  Scanner ahead = scan;
  ahead.ordinal();
  if (!ahead.take('-') && !ahead.take('/')) {
    ahead.take('.');
    ahead.blanks();
    ahead.preposition();
  }
  const int month = ahead.month();
  if (month == 0) return false;
  ahead.take('.');
  if (!ahead.take('-') && !ahead.take('/')) {
    ahead.take(',');
    ahead.blanks();
    ahead.preposition();
  }
  int digits = 0;
  const std::int64_t year = ahead.number(2, 4, &digits);
  if (year < 0 || digits == 3) return false;
  scan = ahead;
  return set_day(date, full_year(year, digits), month, day);
}

// Quarters, weeks and months of a year of four digits, which the scanner stands behind: 2024Q1,
// 2024-Q1, 2024-W05, 2024-W05-3 (ISO 8601: Monday is 1), 2024m1 as Stata writes it. They are their
// first day.
bool take_part_of_year(Scanner& scan, FoundDate& date, std::int64_t year) {
  Scanner ahead = scan;
  if (!ahead.take('-')) ahead.blanks();
  const char letter = lower(ahead.peek());
  if (letter != 'q' && letter != 'm' && letter != 'w') return false;
  ahead.take(ahead.peek());
  int digits = 0;
  const std::int64_t number = ahead.number(1, 3, &digits);
  if (number < 0 || year < 1) return false;
  if (letter == 'q' && digits == 1 && number >= 1 && number <= 4 && ahead.done()) {
    scan = ahead;
    return set_day(date, year, 3 * number - 2, 1);
  }
  if (letter == 'm' && digits <= 2 && number >= 1 && number <= 12 && ahead.done()) {
    scan = ahead;
    return set_day(date, year, number, 1);
  }
  if (letter != 'w' || digits < 2) return false;
  std::int64_t week = number;
  std::int64_t weekday = 1;
  if (digits == 3) {
    week = number / 10;
    weekday = number % 10;
  } else if (ahead.take('-')) {
    weekday = ahead.number(1, 1);
  }
  if (week < 1 || week > 53 || weekday < 1 || weekday > 7 || !ahead.done()) return false;
  // The first week is that of the fourth of January; 1970-01-01 was a Thursday.
  const std::int64_t fourth = days_from(year, 1, 4);
  const std::int64_t monday = fourth - ((fourth + 3) % 7 + 7) % 7 + 7 * (week - 1);
  const std::int64_t next = days_from(year + 1, 1, 4);
  if (week == 53 && monday >= next - ((next + 3) % 7 + 7) % 7) return false;  // a year of 52 weeks
  const Civil day = civil_from(monday + weekday - 1);
  scan = ahead;
  return set_day(date, day.year, day.month, day.day);
}

// 2024年1月31日, 2024년 1월 31일
bool take_ideographs(Scanner& scan, FoundDate& date, std::int64_t year) {
  Scanner ahead = scan;
  const auto take = [&ahead](std::string_view chinese, std::string_view korean) {
    const bool taken = ahead.take_word(chinese) || ahead.take_word(korean);
    ahead.blanks();
    return taken;
  };
  if (!take("年", "년")) return false;
  const std::int64_t month = ahead.number(1, 2);
  if (month < 0 || !take("月", "월")) return false;
  std::int64_t day = 1;
  if (is_digit(ahead.peek())) {
    day = ahead.number(1, 2);
    if (day < 0 || !(ahead.take_word("日") || ahead.take_word("일"))) return false;
  }
  scan = ahead;
  return set_day(date, year, month, day);
}

// The calendar part.
bool take_day(Scanner& scan, FoundDate& date) {
  int digits = 0;
  Scanner quarter = scan;  // Q1 2024, Q1/2024
  if (quarter.take('Q') || quarter.take('q')) {
    const std::int64_t number = quarter.number(1, 1);
    if (!quarter.take('/') && !quarter.take('-')) quarter.blanks();
    const std::int64_t year = quarter.number(4, 4);
    if (number < 1 || number > 4 || year < 0 || !quarter.done()) return false;
    scan = quarter;
    return set_day(date, year, 3 * number - 2, 1);
  }
  if (const int month = scan.month(); month > 0) return take_day_behind_month(scan, date, month);
  const std::int64_t first = scan.number(1, 8, &digits);
  if (first < 0) return false;
  if (digits == 8) {  // 20240131T123005; 20240131 alone where the column is said to hold dates
    if (scan.peek() != 'T' && scan.peek() != ' ' && !scan.done()) return false;
    return set_day(date, first / 10000, first / 100 % 100, first % 100);
  }
  if (digits == 3 || digits > 4) return false;
  if (digits <= 2 && take_month_behind_day(scan, date, first)) return true;
  const char mark = scan.peek();
  const bool wide = static_cast<unsigned char>(mark) >= 0x80;
  if (digits == 4 &&
      (take_part_of_year(scan, date, first) || (wide && take_ideographs(scan, date, first)))) {
    return true;
  }
  if (mark != '-' && mark != '/' && mark != '.') return false;
  take_mark(scan, mark);
  if (digits == 4 && mark == '-') {  // 2024-Jan-31
    Scanner ahead = scan;
    if (const int month = ahead.month(); month > 0 && ahead.take(mark)) {
      const std::int64_t day = ahead.number(1, 2);
      if (day < 0) return false;
      scan = ahead;
      return set_day(date, first, month, day);
    }
  }
  // Years that a month of them is written with, and no other numbers.
  const auto usual_year = [](std::int64_t year) { return year >= 1800 && year < 2200; };
  if (digits <= 2 && mark != '.') {  // 01/2024
    Scanner ahead = scan;
    const std::int64_t year = ahead.number(4, 4);
    if (ahead.done() && usual_year(year)) {
      scan = ahead;
      return set_day(date, year, first, 1);
    }
  }
  int second_digits = 0;
  const std::int64_t second = scan.number(1, 2, &second_digits);
  if (second < 0) return false;
  if (!take_mark(scan, mark)) {  // 2024-01, 2024/01
    const bool month = mark == '-' || (mark == '/' && usual_year(first));
    if (digits != 4 || second_digits != 2 || !month || !scan.done()) return false;
    return set_day(date, first, second, 1);
  }
  int third_digits = 0;
  const std::int64_t third = scan.number(1, 4, &third_digits);
  if (third < 0 || third_digits == 3) return false;
  date.slashes = mark == '/';
  if (digits == 4) {
    if (third_digits > 2) return false;
    if (mark == '.') scan.take('.');
    return set_day(date, first, second, third);
  }
  if (third_digits == 1) return false;
  date.of_numbers = true;
  date.first = static_cast<int>(first);
  date.second = static_cast<int>(second);
  date.third = static_cast<int>(third);
  date.short_numbers = digits == 2 && third_digits == 2;
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
  bool named = false;  // GMT+0100, UTC+1
  for (const Zone& zone : zones) {
    if (!ahead.take_word(zone.name)) continue;
    offset = 3600.0 * zone.hours;
    scan = ahead;
    named = zone.hours == 0 && (ahead.peek() == '+' || ahead.peek() == '-');
    if (!named) return true;
    break;
  }
  const bool west = ahead.peek() == '-';
  if (!ahead.take('+') && !ahead.take('-')) return false;
  int digits = 0;
  std::int64_t hours = ahead.number(named ? 1 : 2, 4, &digits);
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
  // Java writes the name of the zone behind its offset, [Europe/Berlin], and JavaScript in
  // parentheses.
  if (text.size() > 20 && (text.back() == ']' || text.back() == ')')) {
    const std::size_t at = text.rfind(text.back() == ']' ? '[' : '(');
    const std::string_view before =
        without_blanks(text.substr(0, at == std::string_view::npos ? 0 : at));
    const bool offset = !before.empty() && (is_digit(before.back()) || before.back() == 'Z');
    if (offset && before.find(':') != std::string_view::npos) text = before;
  }
  if (text.size() < 6 || text.size() > 48) return false;
  Scanner scan(text);
  for (const std::string_view day :
       {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}) {  // Mon, ...
    Scanner ahead = scan;
    if (is_digit(text.front())) break;
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
  // 31/Jan/2024:12:30:05 of web servers, 31JAN2024:12:30:05 of SAS.
  const bool of_log = !date.of_numbers && is_digit(text.front()) && scan.take(':');
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
  } else {
    Scanner usual = scan;
    if (take_clock(usual, 24, 2, clock)) {
      scan = usual;
    } else if (!take_clock(scan, 24, 2, clock, '.')) {  // 31-JAN-24 12.30.05 PM of Oracle
      return false;
    }
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

namespace {

// The day of a date of three numbers, by one of the orders; one of month 0 where there is none.
Civil day_in_order(const FoundDate& date, DateOrders order) {
  Civil day{date.year, 0, 0};
  if (order == day_first) day = {date.year, date.second, date.first};
  if (order == month_first) day = {date.year, date.first, date.second};
  if (order == year_first && date.short_numbers) {
    day = {full_year(date.first, 2), date.second, date.third};
  }
  return valid_day(static_cast<int>(day.year), day.month, day.day) ? day : Civil{0, 0, 0};
}

// What a date is by those of the orders that make one of it.
struct Readings {
  DateOrders orders = 0;
  Civil day{0, 0, 0};  // by the first of them
  bool differ = false;
};
Readings readings_of(const FoundDate& date, DateOrders orders) {
  Readings found;
  if (!date.of_numbers) {
    if (valid_day(date.year, date.month, date.day)) {
      found = {orders, {date.year, date.month, date.day}, false};
    }
    return found;
  }
  for (const DateOrders order : {day_first, month_first, year_first}) {
    const Civil day = (orders & order) != 0 ? day_in_order(date, order) : Civil{0, 0, 0};
    if (day.month == 0) continue;
    if (found.orders == 0) found.day = day;
    found.differ = found.differ || day != found.day;
    found.orders |= order;
  }
  return found;
}

}  // namespace

PossibleDates possible_dates(std::string_view text) {
  FoundDate date;
  PossibleDates possible;
  if (!find_date(text, date)) return possible;
  const Readings readings = readings_of(date, any_order);
  possible.orders = readings.orders;
  possible.ambiguous = readings.differ;
  possible.slashes = date.slashes;
  if (date.of_numbers && date.short_numbers) {
    possible.first = date.first;
    possible.third = date.third;
  }
  return possible;
}

bool parse_date(std::string_view text, DateOrders orders, double& seconds) {
  FoundDate date;
  if (!find_date(text, date)) return false;
  const Readings readings = readings_of(date, orders);
  if (readings.orders == 0 || readings.differ) return false;
  const Civil& day = readings.day;
  seconds = static_cast<double>(days_from(day.year, day.month, day.day)) * 86400.0 + date.clock;
  return true;
}

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

// "1h30m", "2 hours 5 min", "1h 2m 3.5s", "350ms": units from the largest to the smallest. A letter
// for minutes, seconds or days alone is none, since metres and much else are written so.
bool take_units(Scanner& scan, double& seconds) {
  struct Unit {
    std::string_view name;
    double seconds;
    double parts = 1;  // of such seconds
    [[nodiscard]] double of(double number) const { return number * seconds / parts; }
  };
  constexpr std::array<Unit, 18> units{{{"weeks", 604800},
                                        {"week", 604800},
                                        {"hours", 3600},
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
  // Of small letters alone: MS and US are much else.
  constexpr std::array<Unit, 5> small_units{
      {{"ms", 1, 1e3}, {"us", 1, 1e6}, {"µs", 1, 1e6}, {"μs", 1, 1e6}, {"ns", 1, 1e9}}};
  seconds = 0;
  double before = std::numeric_limits<double>::infinity();
  int count = 0;
  bool plain = false;
  while (!scan.done()) {
    const std::int64_t whole = scan.number(1, 9);
    if (whole < 0) return false;
    const double number = static_cast<double>(whole) + scan.fraction();
    scan.blanks();
    const auto* unit = std::find_if(small_units.begin(), small_units.end(),
                                    [&](const Unit& each) { return scan.take_exactly(each.name); });
    if (unit == small_units.end()) {
      unit = std::find_if(units.begin(), units.end(),
                          [&](const Unit& each) { return scan.take_word(each.name); });
      if (unit == units.end()) return false;
    }
    if (unit->of(1) >= before) return false;
    before = unit->of(1);
    plain = plain || unit->name.size() > 1 || unit->name == "h";
    seconds += unit->of(number);
    ++count;
    scan.blanks();
  }
  return count > 1 || plain;
}

// "12h30" as in French; "1:23.5", a lap: minutes and seconds.
bool take_other_clock(Scanner& scan, double& seconds) {
  const std::int64_t first = scan.number(1, 3);
  if (first < 0) return false;
  if (scan.take('h') || scan.take('H')) {
    const std::int64_t minutes = scan.number(2, 2);
    seconds = static_cast<double>(first * 3600 + minutes * 60);
    return minutes >= 0 && minutes < 60 && scan.done();
  }
  if (!scan.take(':')) return false;
  const std::int64_t whole = scan.number(2, 2);
  if (whole < 0 || whole > 59 || scan.done()) return false;
  seconds = static_cast<double>(first * 60 + whole) + scan.fraction();
  return scan.done();
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
  if (ends(text, " Uhr") || ends(text, " uhr")) {
    scan = Scanner(text.substr(0, text.size() - std::string_view(" Uhr").size()));
  }
  double clock = 0;
  Scanner spelled = scan;
  Scanner other = scan;
  if (!take_units(spelled, clock) && !take_other_clock(other, clock) &&
      (text.size() < 3 || !take_clock(scan, 9999999, 7, clock) || !scan.done())) {
    return false;
  }
  total += clock;
  seconds = negative ? -total : total;
  return true;
}

}  // namespace tandem

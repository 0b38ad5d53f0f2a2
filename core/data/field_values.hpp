// The values that the text of a field can stand for: a number in one of several spellings, a date,
// a time, a truth value. Each function answers with the set of possible readings; a column is read
// in a way that all of its fields allow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/core/types.hpp"
#include "tandem/data/reading.hpp"

namespace tandem {

// How the numbers of a column are marked.
struct NumberForm {
  char decimal = '.';  // or ','
  char thousands = 0;  // , . ' or a blank, which stands for all kinds of blanks; 0: none

  [[nodiscard]] bool plain() const noexcept { return decimal == '.' && thousands == 0; }
  [[nodiscard]] bool operator==(const NumberForm&) const = default;
};

// The forms that there are, those that a column takes first where several are possible first.
inline constexpr int number_forms = 8;
[[nodiscard]] NumberForm number_form(int index);
[[nodiscard]] int index_of(NumberForm form);
using NumberForms = std::uint32_t;  // bit i: number_form(i)
inline constexpr NumberForms all_number_forms = (NumberForms{1} << number_forms) - 1;

// Signs around a number that are left out when it is read.
struct Decoration {
  bool percent = false;
  bool currency = false;
  bool other = false;  // parentheses for a minus, a minus or blanks that are not ASCII
  std::string sign;    // of currency
};

// The text without blanks of any kind at its ends.
[[nodiscard]] std::string_view without_blanks(std::string_view text);

// The number that a text is in this form: with thousands marks between groups of three digits,
// signs of currency and percent, which do not change the value, a minus of Unicode, parentheses for
// a minus. False where it is none. `decoration` may be null.
template <Real T>
[[nodiscard]] bool parse_marked_number(std::string_view text, NumberForm form, T& value,
                                       Decoration* decoration = nullptr);
// The forms in which the text is a number.
[[nodiscard]] NumberForms possible_numbers(std::string_view text, Decoration* decoration = nullptr);

// A whole number that begins with a zero and another digit: an identifier, mostly.
[[nodiscard]] bool has_leading_zero(std::string_view text);
// A whole number of more digits than a double holds exactly.
[[nodiscard]] bool is_long_number(std::string_view text);

// The orders in which a text is a date, as bits: of 31.01.24 day, month and year, of 01/31/24
// month, day and year, of 24-01-31 year, month and day. All of them where the year has four digits
// and stands first or the month is a word, and those that are possible where it cannot be told.
using DateOrders = std::uint32_t;
inline constexpr DateOrders day_first = 1;
inline constexpr DateOrders month_first = 2;
inline constexpr DateOrders year_first = 4;
inline constexpr DateOrders any_order = 7;
struct PossibleDates {
  DateOrders orders = 0;   // 0: no date
  bool ambiguous = false;  // two orders give two dates
  bool slashes = false;    // between its parts
  // Of three numbers of two digits at most; else -1.
  int first = -1;
  int third = -1;
};
[[nodiscard]] PossibleDates possible_dates(std::string_view text);

// Seconds since 1970-01-01 00:00:00 UTC, a date without a time zone taken as UTC. False where the
// text is no date in any of these orders, or is two dates by two of them. Years 1 to 9999 of the
// Gregorian calendar.
[[nodiscard]] bool parse_date(std::string_view text, DateOrders orders, double& seconds);
struct DateParts {
  int year = 0;
  int month = 0;    // 1 to 12
  int weekday = 0;  // 0: Monday
  int hour = 0;
};
[[nodiscard]] DateParts parts_of(double seconds);
// "2024-01-31" or "2024-01-31 12:30:05"
[[nodiscard]] std::string date_text(double seconds);

// A time of day, "12:30", "1:05:30.5 pm", or a duration, "36:15:00", "2 days 03:00:00", "PT1H30M":
// seconds.
[[nodiscard]] bool parse_time(std::string_view text, double& seconds);

// 1 for true, 0 for false, in any case; -1 for anything else.
[[nodiscard]] int parse_true_false(std::string_view text);
// The same for yes and no.
[[nodiscard]] int parse_yes_no(std::string_view text);

// Texts that stand for a missing number in files that say nothing of it: "-", ".", "#DIV/0!".
[[nodiscard]] bool is_placeholder(std::string_view text);
// Those of them that may be the name of a class: "unknown".
[[nodiscard]] bool is_placeholder_word(std::string_view text);

}  // namespace tandem

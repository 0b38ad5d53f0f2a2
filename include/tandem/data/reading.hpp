// How a file of data is read: what a person says about it beforehand, and what was decided.
//
// One struct serves both. In ReadOptions it is what is asked for; "auto" is found out from the
// content. A data set and a model carry it with nothing left automatic, so that a model's later
// files are read as its first one was.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/options.hpp"

namespace tandem {

// Whether the first record of a text file names its columns.
enum class HeaderChoice { automatic, yes, no };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<HeaderChoice>{"auto", "yes", "no"};

// The mark between the whole part of a number and its fraction.
enum class DecimalMark { automatic, point, comma };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<DecimalMark>{"auto", ".", ","};

// The mark between groups of three digits. A space stands for every kind of blank, the narrow ones
// and those that do not break included.
enum class ThousandsMark { automatic, none, comma, point, space, apostrophe };
template <>
inline constexpr std::array<std::string_view, 6> enum_names<ThousandsMark>{"auto", "none",  ",",
                                                                           ".",    "space", "'"};

// The numbers that a date becomes: seconds since 1970-01-01 00:00:00 UTC, or four features: year,
// month (1 to 12), weekday (0 is Monday) and hour. A date without a time zone counts as UTC.
enum class DateUse { automatic, seconds, parts };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<DateUse>{"auto", "seconds", "parts"};

// The index of the first feature of a libsvm file. Automatic: 0 where that index occurs, else 1.
enum class IndexBase { zero, one, automatic };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<IndexBase>{"0", "1", "auto"};

// The type of a column of a text file.
//   number    numbers, marked as `decimal` and `thousands` say, with or without signs of currency
//             and percent, which are left out
//   category  texts, even where all of them look like numbers
//   date      a date, or a date and a time
//   time      a time of day or a duration: seconds
//   boolean   true and false, yes and no in any case: 1 and 0
enum class ColumnKind { automatic, number, category, date, time, boolean };
template <>
inline constexpr std::array<std::string_view, 6> enum_names<ColumnKind>{
    "auto", "number", "category", "date", "time", "boolean"};

// The order of a date's parts where it does not begin with the year.
enum class DateOrder { automatic, day_first, month_first };
template <>
inline constexpr std::array<std::string_view, 3> enum_names<DateOrder>{"auto", "dmy", "mdy"};

// "auto", or one of format_names().
struct TANDEM_API FormatName {
  std::string name = "auto";

  FormatName() = default;
  FormatName(std::string format)
      : name(std::move(format)) {}                  // NOLINT(google-explicit-constructor)
  FormatName(const char* format) : name(format) {}  // NOLINT(google-explicit-constructor)
  [[nodiscard]] static FormatName parse(std::string_view text);
  [[nodiscard]] const std::string& to_string() const noexcept { return name; }
  [[nodiscard]] bool operator==(const FormatName&) const = default;
  [[nodiscard]] bool operator==(std::string_view other) const noexcept { return name == other; }
  [[nodiscard]] bool operator==(const char* other) const { return name == other; }
};

// The separator of a text file's fields: a character, or any run of blanks and tabs.
struct TANDEM_API Delimiter {
  char character = 0;  // 0: found out
  bool whitespace = false;

  Delimiter() = default;
  Delimiter(char one) : character(one) {}  // NOLINT(google-explicit-constructor)
  // "auto" or nothing, one character, "tab", "space", "comma", "semicolon", "pipe" or "whitespace".
  [[nodiscard]] static Delimiter parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool automatic() const noexcept { return character == 0 && !whitespace; }
  [[nodiscard]] bool operator==(const Delimiter&) const = default;
};

// The mark that begins a comment, which goes to the end of its line.
struct TANDEM_API CommentMark {
  char character = 0;  // 0: none
  bool automatic = true;

  CommentMark() = default;
  CommentMark(char one)
      : character(one), automatic(false) {}  // NOLINT(google-explicit-constructor)
  // "auto", "none" or nothing, or one character.
  [[nodiscard]] static CommentMark parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool operator==(const CommentMark&) const = default;
};

// The texts that stand for a missing value unless Reading::missing says otherwise.
[[nodiscard]] TANDEM_API const std::vector<std::string>& default_missing_texts();

struct TANDEM_API MissingTexts {
  std::vector<std::string> texts = default_missing_texts();
  bool standard = true;  // nobody has chosen them

  MissingTexts() = default;
  MissingTexts(std::initializer_list<std::string> list) : texts(list), standard(false) {}
  MissingTexts(std::vector<std::string> list)  // NOLINT(google-explicit-constructor)
      : texts(std::move(list)), standard(false) {}
  // Texts separated by commas; one that holds a comma or a quote is quoted.
  [[nodiscard]] static MissingTexts parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool operator==(const MissingTexts&) const = default;
};

// How one column is read: its name and its type.
struct ColumnReading {
  std::string name;  // or its position, as ReadOptions::target takes it
  ColumnKind kind = ColumnKind::automatic;
  // Numbers; automatic: as Reading::decimal and thousands say.
  DecimalMark decimal = DecimalMark::automatic;
  ThousandsMark thousands = ThousandsMark::automatic;
  DateOrder order = DateOrder::automatic;  // dates

  [[nodiscard]] bool operator==(const ColumnReading&) const = default;
};

// "age:number,zip:category,when:date/dmy,price:number/,." A name with a comma, colon, slash or
// quote is quoted. Behind a slash stand, of numbers, the decimal mark and then, if there is one,
// the thousands mark (a blank is written "_"), and of dates dmy or mdy.
struct TANDEM_API ColumnReadings {
  std::vector<ColumnReading> list;

  [[nodiscard]] static ColumnReadings parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool operator==(const ColumnReadings&) const = default;
};

struct TANDEM_API Reading {
  FormatName format;
  HeaderChoice header = HeaderChoice::automatic;
  Delimiter delimiter;
  DecimalMark decimal = DecimalMark::automatic;
  ThousandsMark thousands = ThousandsMark::automatic;
  CommentMark comment;
  std::int64_t skip_lines = -1;  // before the header or the first record; -1: found out
  std::string encoding{};        // as iconv calls it; empty: found out
  MissingTexts missing;          // compared with the whole field, blanks around it left out
  ColumnReadings columns;
  DateUse dates = DateUse::automatic;
  std::int64_t features = 0;  // libsvm; 0: as many as the largest index asks for
  IndexBase index_base = IndexBase::automatic;

  void visit(OptionVisitor& visitor);
  // Takes every setting that is automatic here from `other`.
  void complete_from(const Reading& other);
  [[nodiscard]] const ColumnReading* find(std::string_view column) const;
  [[nodiscard]] bool operator==(const Reading& other) const;

  // The guesses that could be wrong, one sentence each, for people; no part of the record.
  std::vector<std::string> notices{};
};

}  // namespace tandem

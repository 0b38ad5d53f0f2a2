// The names, types and uses of the columns of a delimited text file.
#pragma once

#include <array>
#include <bitset>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/data/csv_fields.hpp"
#include "core/data/field_values.hpp"
#include "tandem/data/read.hpp"

namespace tandem {

// The use that is made of the fields of a column.
//   label  the numbers of a target, whose texts are kept as long as they may name classes
//   parts  a date as four numbers
//   empty  the column that a delimiter at the end of each line makes
enum class FieldUse : std::uint8_t { skip, empty, number, label, text, date, parts, time, boolean };

// How a column's fields are read.
struct ColumnType {
  ColumnKind kind = ColumnKind::number;
  NumberForm form;
  DateOrders order = any_order;
  bool zeros = false;      // numbers may begin with zeros
  bool decorated = false;  // signs of percent and currency were seen, and said
  bool fixed = false;      // by the user or the model: another content is an error
};

// The types that all fields of a column allow, gathered field by field.
class ColumnEvidence {
 public:
  void add(std::string_view text);
  // Requires: add() was told of a text that is neither missing nor a placeholder.
  [[nodiscard]] NumberForms numbers() const noexcept { return numbers_; }

  NumberForms numbers_ = all_number_forms;
  DateOrders orders_ = any_order;
  bool times_ = true;
  bool truth_ = true;  // true and false
  bool yes_no_ = true;
  bool ambiguous_dates_ = false;
  bool slashes_ = false;
  // The first and the last numbers of dates of three short ones.
  std::bitset<100> first_numbers_;
  std::bitset<100> last_numbers_;
  std::size_t values_ = 0;             // that are neither missing nor placeholders
  std::size_t placeholder_words_ = 0;  // placeholders that may be the name of a class
  std::size_t zeros_ = 0;              // whole numbers that begin with zero
  std::size_t others_ = 0;             // numbers of other characters than digits
  std::size_t fractions_ = 0;          // numbers with marks, which depend on the form
  std::size_t percents_ = 0;
  std::size_t currencies_ = 0;
  std::string currency_;  // the first sign of one
  bool several_currencies_ = false;
  std::size_t long_numbers_ = 0;
  std::size_t compact_dates_ = 0;  // whole numbers such as 20240131
  std::size_t digits_ = 0;         // whole numbers without a mark or a sign
  std::size_t exponents_ = 0;      // such as 12E5, as numbers or as identifiers
  std::string example_;            // a marked number
  std::string zero_example_;
  std::unordered_set<std::string> words_;  // spellings of yes and no
};

// The value of a text in a column of this type, which is not that of categories: a number, the
// seconds of a date or time, 1 or 0 for a truth value. `seconds` receives those of dates and times
// in double precision. False where the text is none.
template <Real T>
[[nodiscard]] bool parse_typed(std::string_view text, const ColumnType& type, T& value,
                               double& seconds);

// The decimal mark that the columns of a file agree on.
struct FileMarks {
  char decimal = '.';
  bool mixed = false;  // some columns have one mark, some the other
  bool voted = false;
};
[[nodiscard]] FileMarks file_marks(const std::vector<ColumnEvidence>& columns,
                                   const Reading& asked);

// The type of a column by its evidence. `target`: texts of truth values stay texts, because they
// are the names of classes. `delimiter` tells what "1,200" is where nothing else does. `ambiguous`
// receives whether the marks of the numbers could be meant otherwise.
[[nodiscard]] ColumnType column_type(const ColumnEvidence& evidence, const Reading& asked,
                                     const FileMarks& marks, char delimiter, bool target,
                                     bool& ambiguous);
// The type that the model or the user gives a column.
[[nodiscard]] ColumnType column_type(const ColumnReading& said, const Reading& asked);
[[nodiscard]] ColumnReading reading_of(const std::string& name, const ColumnType& type);

// Whether the first record names the columns. `why` receives a clause where that could be doubted.
[[nodiscard]] bool find_csv_header(const std::vector<CsvRecordFields>& records,
                                   const std::vector<std::string>& missing, std::string& why);

// Names that are empty or taken already are made distinct.
[[nodiscard]] std::vector<std::string> distinct_names(const std::vector<std::string>& fields,
                                                      const std::string& file);

// One feature of a model: a column of the file, or a part of one that holds dates.
struct FeatureSource {
  Index column = 0;
  int part = -1;  // 0 year, 1 month, 2 weekday, 3 hour; -1: the column itself
};
inline constexpr std::array<std::string_view, 4> date_part_names{"year", "month", "weekday",
                                                                 "hour"};

struct CsvRoles {
  std::vector<Index> features;         // columns of the file, in its order; without a schema
  std::vector<FeatureSource> sources;  // one per column of the schema, where there is one
  Index target = -1;
  Index weights = -1;
};

// `left_out`: columns that are no features unless they have another use (row names). `skipped`:
// lines before the table, for messages.
[[nodiscard]] CsvRoles find_csv_roles(const std::vector<std::string>& names, bool header,
                                      const std::vector<bool>& left_out, Index skipped,
                                      const ReadOptions& options, const std::string& file);

}  // namespace tandem

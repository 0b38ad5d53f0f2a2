#include "core/data/csv_columns.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "core/data/number.hpp"
#include "core/data/readers.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

NumberForms bit(NumberForm form) { return NumberForms{1} << index_of(form); }

NumberForms forms_with_decimal(char decimal) {
  NumberForms forms = 0;
  for (int i = 0; i < number_forms; ++i) {
    if (number_form(i).decimal == decimal) forms |= NumberForms{1} << i;
  }
  return forms;
}

char mark_of(ThousandsMark mark) {
  switch (mark) {
    case ThousandsMark::comma: return ',';
    case ThousandsMark::point: return '.';
    case ThousandsMark::apostrophe: return '\'';
    case ThousandsMark::space: return ' ';
    case ThousandsMark::automatic:
    case ThousandsMark::none: break;
  }
  return 0;
}

ThousandsMark thousands_of(char mark) {
  switch (mark) {
    case ',': return ThousandsMark::comma;
    case '.': return ThousandsMark::point;
    case '\'': return ThousandsMark::apostrophe;
    case ' ': return ThousandsMark::space;
    default: break;
  }
  return ThousandsMark::none;
}

// The forms that the options leave.
NumberForms allowed_forms(const Reading& asked) {
  NumberForms allowed = 0;
  for (int i = 0; i < number_forms; ++i) {
    const NumberForm form = number_form(i);
    const bool decimal = asked.decimal == DecimalMark::automatic ||
                         form.decimal == (asked.decimal == DecimalMark::comma ? ',' : '.');
    const bool thousands = asked.thousands == ThousandsMark::automatic || form.thousands == 0 ||
                           form.thousands == mark_of(asked.thousands);
    if (decimal && thousands) allowed |= NumberForms{1} << i;
  }
  return allowed;
}

// Of several that are possible. A year changes less than a day of the month does.
DateOrders likely_order(const ColumnEvidence& evidence) {
  const DateOrders possible = evidence.orders_;
  if ((possible & year_first) != 0 &&
      evidence.first_numbers_.count() < evidence.last_numbers_.count()) {
    return year_first;
  }
  const DateOrders usual = evidence.slashes_ ? month_first : day_first;
  if ((possible & usual) != 0) return usual;
  return possible & (~possible + 1);
}

bool is_plain_digits(std::string_view text) {
  return !text.empty() && text.size() <= 15 &&
         std::all_of(text.begin(), text.end(), number_detail::is_digit);
}

// "12E5": programs write a point, or a sign in the exponent, so that this may be a code.
bool is_whole_exponent(std::string_view text) {
  const auto at = text.find_first_of("eE");
  return at != std::string_view::npos && is_plain_digits(text.substr(0, at)) &&
         is_plain_digits(text.substr(at + 1));
}

}  // namespace

void ColumnEvidence::add(std::string_view text) {
  if (is_placeholder(text)) {
    placeholder_words_ += is_placeholder_word(text) ? 1 : 0;
    return;
  }
  ++values_;
  if (is_plain_digits(text)) {  // the most usual
    ++digits_;
    orders_ = 0;
    times_ = truth_ = yes_no_ = false;
    if (has_leading_zero(text)) {
      ++zeros_;
      if (zero_example_.empty()) zero_example_ = text;
    }
    const bool year = text.size() == 8 && (text.starts_with("19") || text.starts_with("20"));
    if (year && possible_dates(text).orders != 0) ++compact_dates_;
    return;
  }
  Decoration decoration;
  const NumberForms forms = possible_numbers(text, &decoration);
  numbers_ &= forms;
  if (forms != 0) {
    orders_ = 0;
    times_ = truth_ = yes_no_ = false;
    percents_ += decoration.percent ? 1 : 0;
    exponents_ += is_whole_exponent(text) ? 1 : 0;
    currencies_ += decoration.currency ? 1 : 0;
    if (decoration.currency) {
      if (currency_.empty()) currency_ = decoration.sign;
      several_currencies_ = several_currencies_ || currency_ != decoration.sign;
    }
    const bool digits = std::all_of(text.begin(), text.end(), number_detail::is_digit);
    if (digits && has_leading_zero(text)) ++zeros_;
    if (is_long_number(text)) ++long_numbers_;
    if (!digits) ++others_;
    if (forms != all_number_forms) {
      ++fractions_;
      if (example_.empty() || (forms & bit({'.', 0})) == 0) example_ = text;
    }
    return;
  }
  if (orders_ != 0) {
    const PossibleDates dates = possible_dates(text);
    orders_ &= dates.orders;
    ambiguous_dates_ = ambiguous_dates_ || dates.ambiguous;
    slashes_ = slashes_ || dates.slashes;
    if (dates.first >= 0) {
      first_numbers_.set(static_cast<std::size_t>(dates.first));
      last_numbers_.set(static_cast<std::size_t>(dates.third));
    }
  }
  double seconds = 0;
  times_ = times_ && parse_time(text, seconds);
  truth_ = truth_ && parse_true_false(text) >= 0;
  yes_no_ = yes_no_ && parse_yes_no(text) >= 0;
  if (yes_no_ && words_.size() < 8) words_.emplace(text);
}

template <Real T>
bool parse_typed(std::string_view text, const ColumnType& type, T& value, double& seconds) {
  switch (type.kind) {
    case ColumnKind::automatic:
    case ColumnKind::number: {
      if (!type.zeros && has_leading_zero(text)) return false;
      if (type.form.decimal == '.' && parse_whole_number(text, value)) return true;
      Decoration decoration;
      if (!parse_marked_number(text, type.form, value, &decoration)) {
        const bool word = text.find_first_of(".,") == std::string_view::npos;  // inf, nan
        return type.form.decimal != '.' && word && parse_whole_number(text, value);
      }
      return type.decorated || !(decoration.percent || decoration.currency);
    }
    case ColumnKind::date:
      if (!parse_date(text, type.order, seconds)) return false;
      value = static_cast<T>(seconds);
      return true;
    case ColumnKind::time:
      if (!parse_time(text, seconds)) return false;
      value = static_cast<T>(seconds);
      return true;
    case ColumnKind::boolean: {
      const int truth = std::max(parse_true_false(text), parse_yes_no(text));
      if (truth < 0) return false;
      value = static_cast<T>(truth);
      return true;
    }
    case ColumnKind::category: break;
  }
  return false;
}

template bool parse_typed(std::string_view, const ColumnType&, float&, double&);
template bool parse_typed(std::string_view, const ColumnType&, double&, double&);

FileMarks file_marks(const std::vector<ColumnEvidence>& columns, const Reading& asked) {
  FileMarks marks;
  if (asked.decimal != DecimalMark::automatic) {
    marks.decimal = asked.decimal == DecimalMark::comma ? ',' : '.';
    marks.voted = true;
    return marks;
  }
  std::size_t points = 0;
  std::size_t commas = 0;
  const NumberForms allowed = allowed_forms(asked);
  for (const ColumnEvidence& column : columns) {
    const NumberForms forms = column.numbers_ & allowed;
    if (column.values_ == 0 || forms == 0) continue;
    const bool point = (forms & forms_with_decimal('.')) != 0;
    const bool comma = (forms & forms_with_decimal(',')) != 0;
    if (point && !comma) ++points;
    if (comma && !point) ++commas;
  }
  if (commas > 0 && points == 0) marks.decimal = ',';
  marks.mixed = commas > 0 && points > 0;
  marks.voted = commas > 0 || points > 0;
  return marks;
}

ColumnType column_type(const ColumnEvidence& evidence, const Reading& asked, const FileMarks& marks,
                       char delimiter, bool target, bool& ambiguous) {
  ColumnType type;
  ambiguous = false;
  type.form.decimal = marks.decimal;
  type.decorated = evidence.percents_ > 0 || evidence.currencies_ > 0;
  if (target && evidence.placeholder_words_ > 0) {
    type.kind = ColumnKind::category;
    return type;
  }
  if (evidence.values_ == 0) return type;
  NumberForms forms = evidence.numbers_ & allowed_forms(asked);
  if (forms != 0) {
    if (evidence.zeros_ > 0 && evidence.others_ == 0) {
      type.kind = ColumnKind::category;
      return type;
    }
    type.zeros = evidence.zeros_ > 0;
    const NumberForms points = forms & forms_with_decimal('.');
    const NumberForms commas = forms & forms_with_decimal(',');
    const bool open = points != 0 && commas != 0 && evidence.fractions_ > 0;
    char decimal = marks.decimal;
    if (points == 0) decimal = ',';
    if (commas == 0) decimal = '.';
    // "1,200" with nothing that tells: a file cut at semicolons has decimal commas.
    if (open && !marks.voted && (forms & bit({'.', 0})) == 0) {
      decimal = delimiter == ';' ? ',' : '.';
    }
    forms &= forms_with_decimal(decimal);
    for (int i = 0; i < number_forms; ++i) {
      if ((forms & (NumberForms{1} << i)) == 0) continue;
      type.form = number_form(i);
      break;
    }
    ambiguous = open && !type.form.plain();
    return type;
  }
  if (evidence.orders_ != 0) {
    type.kind = ColumnKind::date;
    type.order = evidence.orders_;
    const DateOrders first = type.order & (~type.order + 1);
    if (type.order != first && evidence.ambiguous_dates_) {
      ambiguous = true;
      type.order = likely_order(evidence);
      // Years of two digits in front, which no option calls: texts, and said.
      if (type.order == year_first) type.kind = ColumnKind::category;
    }
    return type;
  }
  if (evidence.times_) {
    type.kind = ColumnKind::time;
  } else if (!target && (evidence.truth_ || (evidence.yes_no_ && evidence.words_.size() > 2))) {
    type.kind = ColumnKind::boolean;
  } else {
    type.kind = ColumnKind::category;
  }
  return type;
}

ColumnType column_type(const ColumnReading& said, const Reading& asked) {
  ColumnType type;
  type.kind = said.kind == ColumnKind::automatic ? ColumnKind::number : said.kind;
  const DecimalMark decimal = said.decimal != DecimalMark::automatic ? said.decimal : asked.decimal;
  const ThousandsMark thousands =
      said.decimal != DecimalMark::automatic ? said.thousands : asked.thousands;
  type.form = {decimal == DecimalMark::comma ? ',' : '.', mark_of(thousands)};
  if (type.form.decimal == type.form.thousands) type.form.thousands = 0;
  type.order = said.order == DateOrder::month_first ? month_first
               : said.order == DateOrder::day_first ? day_first
                                                    : any_order;
  type.zeros = true;
  type.decorated = true;
  type.fixed = true;
  return type;
}

ColumnReading reading_of(const std::string& name, const ColumnType& type) {
  ColumnReading reading{.name = name, .kind = type.kind};
  if (type.kind == ColumnKind::number) {
    reading.decimal = type.form.decimal == ',' ? DecimalMark::comma : DecimalMark::point;
    reading.thousands = thousands_of(type.form.thousands);
  }
  if (type.kind == ColumnKind::date) {
    reading.order = type.order == month_first ? DateOrder::month_first
                    : type.order == day_first ? DateOrder::day_first
                                              : DateOrder::automatic;
  }
  return reading;
}

// --- the header ---------------------------------------------------------------------------------

namespace {

// Evidence of whether the first record names the columns.
struct FirstRecord {
  std::vector<double> numbers;  // whole numbers among its fields, in order
  std::size_t values = 0;       // fields that are numbers, dates and so on
  std::size_t words = 0;        // other fields that are not missing
};

FirstRecord look_at(const CsvRecordFields& record, const auto& is_missing) {
  FirstRecord found;
  for (std::size_t c = 0; c < record.size(); ++c) {
    const std::string& field = record[c];
    if (is_missing(field)) continue;
    double value = 0;
    if (is_plain_digits(field) && parse_whole_number(field, value)) {
      found.numbers.push_back(value);
      ++found.values;
      continue;
    }
    const bool typed = possible_numbers(field) != 0 || possible_dates(field).orders != 0 ||
                       parse_time(field, value) || parse_true_false(field) >= 0;
    typed ? ++found.values : ++found.words;
  }
  return found;
}

bool counts_up(const std::vector<double>& numbers, double from) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != from + static_cast<double>(i)) return false;
  }
  return true;
}

// Four numbers or more at equal distances, such as the wavelengths of a spectrum.
bool are_steps(const CsvRecordFields& record) {
  constexpr std::size_t least = 4;
  if (record.size() < least) return false;
  std::vector<double> values;
  for (const std::string& field : record.fields) {
    double value = 0;
    if (!parse_whole_number(field, value)) return false;
    values.push_back(value);
  }
  const double step = values[1] - values[0];
  constexpr double rounding = 1e-6;
  for (std::size_t i = 2; i < values.size(); ++i) {
    if (!(std::abs(values[i] - values[i - 1] - step) <= rounding * std::abs(step))) return false;
  }
  return step != 0;
}

// Years at equal distances.
bool are_years(const std::vector<double>& numbers) {
  if (numbers.size() < 2) return false;
  const double step = numbers[1] - numbers[0];
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] < 1800 || numbers[i] > 2100 ||
        numbers[i] != numbers[0] + step * static_cast<double>(i)) {
      return false;
    }
  }
  return step != 0;
}

}  // namespace

bool find_csv_header(const std::vector<CsvRecordFields>& records,
                     const std::vector<std::string>& missing, std::string& why) {
  const auto is_missing = [&](const std::string& text) {
    return text.empty() || std::find(missing.begin(), missing.end(), text) != missing.end();
  };
  const auto is_value = [](const std::string& text) {
    double value = 0;
    return possible_numbers(text) != 0 || possible_dates(text).orders != 0 ||
           parse_time(text, value) || parse_true_false(text) >= 0;
  };
  const CsvRecordFields& first = records.front();
  const FirstRecord found = look_at(first, is_missing);
  if (found.values + found.words == 0) return false;

  // How many of the other records have a value below a word, and something below a whole number
  // that is no such number.
  bool values_below_words = false;
  bool other_below_numbers = false;
  const std::size_t judged = std::min<std::size_t>(records.size(), 200);
  for (std::size_t r = 1; r < judged; ++r) {
    for (std::size_t c = 0; c < std::min(first.size(), records[r].size()); ++c) {
      const std::string& below = records[r][c];
      if (is_missing(first[c]) || is_missing(below)) continue;
      if (is_plain_digits(first[c])) {
        other_below_numbers = other_below_numbers || !is_plain_digits(below);
      } else if (!values_below_words) {
        values_below_words = !is_value(first[c]) && is_value(below);
      }
    }
  }
  // Columns of values, but for a word in the first record.
  std::size_t words_over_values = 0;
  for (std::size_t c = 0; c < first.size(); ++c) {
    if (is_missing(first[c]) || is_value(first[c]) || is_placeholder(first[c])) continue;
    bool any = false;
    bool all = true;
    for (std::size_t r = 1; r < judged && all; ++r) {
      if (c >= records[r].size() || is_missing(records[r][c])) continue;
      any = true;
      all = is_value(records[r][c]);
    }
    words_over_values += any && all ? 1 : 0;
  }
  // Dates over columns of numbers: "country, 2024-01-31, 2024-02-29".
  std::size_t dates_over_numbers = 0;
  for (std::size_t c = 0; c < first.size(); ++c) {
    if (possible_dates(first[c]).orders == 0 || possible_numbers(first[c]) != 0) continue;
    bool any = false;
    bool all = true;
    for (std::size_t r = 1; r < judged && all; ++r) {
      if (c >= records[r].size() || is_missing(records[r][c])) continue;
      any = true;
      all = possible_numbers(records[r][c]) != 0;
    }
    dates_over_numbers += any && all ? 1 : 0;
  }
  if (dates_over_numbers > 0 && dates_over_numbers == found.values) {
    why = "it holds values: dates stand over columns of numbers";
    return true;
  }
  const std::size_t numbers = found.numbers.size();
  if (found.values > 0 && words_over_values >= 2) {
    why = "it holds values: words stand over columns of values";
    return true;
  }
  if (found.values > 0) {
    if (records.size() < 2) return false;
    if (found.words == 0 && are_steps(first) && !are_steps(records[1])) {
      why = "its numbers have equal distances, as names may";
    }
    if (found.values != numbers) return false;
    const bool counter = counts_up(found.numbers, 0) || counts_up(found.numbers, 1);
    const bool years = are_years(found.numbers);
    if (!counter && !years) return false;
    // np.arange(12).reshape(3, 4), or years that go on below.
    const FirstRecord second = look_at(records[1], is_missing);
    if (second.numbers.size() == numbers && found.words == 0) {
      const double distance = second.numbers[0] - found.numbers[0];
      bool same = distance != 0;
      for (std::size_t i = 0; i < numbers; ++i) {
        same = same && second.numbers[i] - found.numbers[i] == distance;
      }
      if (same || are_years(second.numbers)) return false;
    }
    const bool header = found.words > 0 ? values_below_words || (years && numbers >= 2)
                        : counter       ? (counts_up(found.numbers, 0) && numbers >= 4) ||
                                        (numbers >= 2 && other_below_numbers)
                                  : numbers >= 3;
    if (header) {
      why = years ? "it holds values: its numbers are years"
                  : "it holds values: its numbers count up";
    } else if (numbers >= 3) {
      why = "its numbers count up, as names may";
    }
    return header;
  }
  // Only words. A header stands over a column of values or differs from all that is below.
  if (values_below_words) return true;
  std::unordered_set<std::string_view> distinct(first.fields.begin(), first.fields.end());
  if (distinct.size() != first.size()) return false;
  std::size_t recurring = 0;
  std::string example;
  for (std::size_t r = 1; r < records.size(); ++r) {
    for (std::size_t c = 0; c < std::min(first.size(), records[r].size()); ++c) {
      if (is_missing(first[c]) || records[r][c] != first[c]) continue;
      ++recurring;
      example = first[c] + " also stands in its column";
    }
  }
  if (recurring == 0) return true;
  // One field of many that is called as its column is: ID, of Indonesia among the codes of
  // countries.
  constexpr std::size_t least_columns = 3;
  constexpr std::size_t least_records = 50;
  if (recurring > 1) return false;
  why = example;
  return first.size() >= least_columns && records.size() >= least_records;
}

// --- names and roles ----------------------------------------------------------------------------

std::vector<std::string> distinct_names(const std::vector<std::string>& fields,
                                        const std::string& file) {
  std::vector<std::string> names;
  std::unordered_set<std::string> taken(fields.begin(), fields.end());
  std::unordered_set<std::string> used;
  for (std::size_t c = 0; c < fields.size(); ++c) {
    std::string name = fields[c];
    require_utf8(file, name);
    if (name.empty()) name = "column" + std::to_string(c);
    if (name != fields[c] ? taken.count(name) > 0 || used.count(name) > 0 : used.count(name) > 0) {
      const std::string stem = name + ".";
      for (std::size_t n = 1; taken.count(name) > 0 || used.count(name) > 0; ++n) {
        name = stem + std::to_string(n);
      }
    }
    used.insert(name);
    names.push_back(std::move(name));
  }
  return names;
}

namespace {

bool is_position(const std::string& text) {
  double value = 0;
  return parse_whole_number(text, value);
}

// The column of the file that a column of the model is made of; -1 where there is none.
FeatureSource source_of(const std::string& wanted, const Reading& reading,
                        const std::unordered_map<std::string_view, Index>& position) {
  const auto found = position.find(wanted);
  if (found != position.end()) return {found->second, -1};
  for (std::size_t k = 0; k < date_part_names.size(); ++k) {
    const std::string ending = "." + std::string(date_part_names[k]);
    if (!wanted.ends_with(ending)) continue;
    const std::string stem = wanted.substr(0, wanted.size() - ending.size());
    const ColumnReading* const said = reading.find(stem);
    const auto at = position.find(stem);
    if (said != nullptr && said->kind == ColumnKind::date && at != position.end()) {
      return {at->second, static_cast<int>(k)};
    }
  }
  return {-1, -1};
}

// A name that differs in capital letters alone; null where there is none.
const std::string* in_other_case(const std::string& wanted, const std::vector<std::string>& names) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const auto found = std::find_if(names.begin(), names.end(), [&](const std::string& name) {
    return std::equal(name.begin(), name.end(), wanted.begin(), wanted.end(),
                      [&](char a, char b) { return lower(a) == lower(b); });
  });
  return found == names.end() ? nullptr : &*found;
}

}  // namespace

CsvRoles find_csv_roles(const std::vector<std::string>& names, bool header,
                        const std::vector<bool>& left_out, Index skipped,
                        const ReadOptions& options, const std::string& file) {
  const auto count = static_cast<Index>(names.size());
  CsvRoles roles;
  std::vector<bool> taken(static_cast<std::size_t>(count), false);
  if (!options.weights.empty()) {
    roles.weights = find_column(options.weights, names, option("weights"), file);
    taken[static_cast<std::size_t>(roles.weights)] = true;
  }
  for (const auto& name : options.ignore) {
    // A model takes the columns that it needs; the others may be there or not.
    if (options.schema != nullptr) break;
    taken[static_cast<std::size_t>(find_column(name, names, option("ignore"), file))] = true;
  }
  std::unordered_map<std::string_view, Index> position;
  for (Index c = 0; c < count; ++c) position.emplace(names[static_cast<std::size_t>(c)], c);

  const Schema* const schema = options.schema;
  const bool schema_target = schema != nullptr && !schema->target.name.empty();
  std::string target = options.target;
  if (target.empty() && options.last_column_is_target && !schema_target) {
    Index last = count - 1;
    while (last > 0 && left_out[static_cast<std::size_t>(last)]) --last;
    target = names[static_cast<std::size_t>(last)];
  }
  if (!target.empty()) {
    // With a model, the target's name in training wins over a position: the columns may stand in
    // another order, and data to predict on may lack the target.
    const bool by_name = position.count(target) > 0;
    const bool by_place = !by_name && (target == "last" || is_position(target));
    const auto found =
        schema_target && header && !by_name ? position.find(schema->target.name) : position.end();
    const auto has = [&](const Column& column) {
      return source_of(column.name, options.reading, position).column >= 0;
    };
    const bool all_named = schema != nullptr && header &&
                           std::all_of(schema->columns.begin(), schema->columns.end(), has);
    if (by_place && found != position.end()) {
      roles.target = found->second;
    } else if (!(schema_target && target == schema->target.name && !by_name) &&
               !(by_place && all_named)) {
      if (target == "last" && !by_name) {
        Index last = count - 1;
        while (last > 0 && left_out[static_cast<std::size_t>(last)]) --last;
        roles.target = last;
      } else {
        roles.target = find_column(target, names, option("target"), file);
      }
    }
  } else if (schema_target && header) {
    const auto found = position.find(schema->target.name);
    if (found != position.end()) roles.target = found->second;
  }
  if (roles.target >= 0) {
    if (taken[static_cast<std::size_t>(roles.target)]) {
      throw InputError(
          file + ": the column " + names[static_cast<std::size_t>(roles.target)] +
          " cannot be the target and also weights or ignored; name another for one of them");
    }
    taken[static_cast<std::size_t>(roles.target)] = true;
  }
  const auto add_free_columns = [&] {
    for (Index c = 0; c < count; ++c) {
      const auto at = static_cast<std::size_t>(c);
      if (!taken[at] && !left_out[at]) roles.features.push_back(c);
    }
  };
  if (schema == nullptr) {
    add_free_columns();
    if (roles.features.empty()) {
      throw InputError(
          file + ": no column is left for the features; columns: " + listed_names(names) +
          (names.size() == 1
               ? "; " + option("delimiter") + " says what separates the fields of a line"
               : ""));
    }
    return roles;
  }

  std::vector<std::string> lacking;
  if (header) {
    for (const auto& column : schema->columns) {
      const FeatureSource source = source_of(column.name, options.reading, position);
      if (source.column < 0 || taken[static_cast<std::size_t>(source.column)]) {
        lacking.push_back(column.name);
      } else {
        roles.sources.push_back(source);
      }
    }
    if (lacking.empty()) return roles;
  }
  // Without names on one side, columns are told by their place.
  const auto numbered = numbered_columns(static_cast<Index>(schema->columns.size()));
  const bool nameless =
      std::equal(numbered.begin(), numbered.end(), schema->columns.begin(), schema->columns.end(),
                 [](const Column& a, const Column& b) { return a.name == b.name; });
  if (header && !nameless) {
    std::string advice;
    if (skipped > 0) {
      advice = "; the first " + std::to_string(skipped) +
               " lines are left out as in the data that it was trained on, " +
               option("skip_lines") + " 0 reads them";
    } else if (const std::string* const other = in_other_case(lacking.front(), names)) {
      advice = "; " + *other + " is " + lacking.front() +
               " in other letters: name it in the file as it was in training";
    } else if (names.size() == 1) {
      advice = "; its lines are not cut into columns, " + option("delimiter") +
               " says what separates them here";
    }
    throw InputError(file + ": lacks the column" + (lacking.size() == 1 ? " " : "s ") +
                     listed_names(lacking) + " that the model was trained on; it has " +
                     listed_names(names) + advice);
  }
  roles.sources.clear();
  add_free_columns();
  // A model whose dates are parts takes several features from one column.
  std::vector<Index> columns = std::move(roles.features);
  roles.features.clear();
  std::size_t next = 0;
  for (std::size_t j = 0; j < schema->columns.size(); ++j) {
    const std::string& name = schema->columns[j].name;
    int part = -1;
    for (std::size_t k = 0; k < date_part_names.size(); ++k) {
      const std::string ending = "." + std::string(date_part_names[k]);
      if (name.ends_with(ending) &&
          options.reading.find(name.substr(0, name.size() - ending.size())) != nullptr) {
        part = static_cast<int>(k);
      }
    }
    if (part > 0 && next > 0) {
      roles.sources.push_back({columns[next - 1], part});
    } else if (next < columns.size()) {
      roles.sources.push_back({columns[next++], part});
    }
  }
  if (next != columns.size() || roles.sources.size() != schema->columns.size()) {
    throw InputError(file + ": has " + std::to_string(columns.size()) +
                     " columns of features, the model was trained on " +
                     std::to_string(schema->columns.size()) +
                     (roles.target < 0 && columns.size() == schema->columns.size() + 1
                          ? "; name the target's position with " + option("target")
                          : "") +
                     (columns.size() == 1 && schema->columns.size() > 1
                          ? "; " + option("delimiter") + " says what separates the fields here"
                          : ""));
  }
  return roles;
}

}  // namespace tandem

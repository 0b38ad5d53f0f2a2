// Chunks of a delimited text file to rows of numbers and codes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/data/csv_columns.hpp"
#include "core/data/csv_fields.hpp"
#include "core/data/label_texts.hpp"
#include "core/data/number.hpp"
#include "core/data/records.hpp"
#include "core/data/text_dictionary.hpp"

namespace tandem {

// The use of each column of the file.
struct FieldPlan {
  FieldUse use = FieldUse::skip;
  bool plain = false;     // a number, or label, without thousands marks and with a decimal point
  Index slot = 0;         // place in a row of the result: features, then target, then weight
  Index dictionary = -1;  // texts
  ColumnType type;
};

struct CsvLayout {
  std::string file;
  CsvDialect dialect;
  bool header_record = false;  // the first record is no row
  bool names_in_header = false;
  std::vector<std::string> missing;
  bool missing_first = false;    // some text for missing values reads as a number
  bool placeholders = false;     // "-" and the like are missing numbers
  bool blank_rows = false;       // an empty line is a row, of one missing value
  bool footer = false;           // records of another kind may stand at the end
  std::vector<FieldPlan> plans;  // one per column of the file
  Index features = 0;
  bool has_target = false;
  bool has_weights = false;

  [[nodiscard]] Index columns() const { return static_cast<Index>(plans.size()); }
  [[nodiscard]] Index width() const {
    return features + (has_target ? 1 : 0) + (has_weights ? 1 : 0);
  }
  // Most texts are told by their first character.
  std::array<bool, 256> begins_missing{};
  void set_missing(std::vector<std::string> texts) {
    missing = std::move(texts);
    for (const std::string& text : missing) {
      if (!text.empty()) begins_missing[static_cast<unsigned char>(text.front())] = true;
    }
  }
  // An empty text is, whatever else stands for a missing value.
  [[nodiscard]] bool is_missing(std::string_view text) const {
    text = csv_trimmed(text);
    if (text.empty()) return true;
    if (!begins_missing[static_cast<unsigned char>(text.front())]) return false;
    return std::find(missing.begin(), missing.end(), text) != missing.end();
  }
};

// Where a field is none of its column's type first, and some of the texts that are none.
struct Surprise {
  Index column = 0;
  Index line = 0;
  std::vector<std::string> texts;
};

// One chunk, parsed.
template <Real T>
struct CsvBlock {
  std::vector<T> values;  // rows × width; texts as codes of the block's own dictionaries
  Index rows = 0;
  Index lines = 0;
  std::vector<TextDictionary> dictionaries;
  LabelTexts labels{exact_digits_of<T>};
  std::vector<Surprise> surprises;
  std::vector<std::int32_t> surprise_of;  // per column, where there are any; -1: none
  std::vector<Index> placeholders;        // per column, where there are any
  Index trailing_blanks = 0;              // rows at the end that come of empty lines
  std::string mistake;                    // ends the block
  Index mistake_line = 0;
  Index footer =
      0;  // records from the mistake to the block's end, where all of them may be a footer
};

template <Real T>
class CsvParser {
 public:
  explicit CsvParser(const CsvLayout& layout) : layout_(layout) {}

  void parse(const Chunk& chunk, Index dictionaries, CsvBlock<T>& block) const {
    block.rows = 0;
    block.lines = 0;
    block.mistake.clear();
    block.footer = 0;
    block.surprises.clear();
    block.placeholders.clear();
    block.labels.clear();
    block.trailing_blanks = 0;
    block.dictionaries.resize(static_cast<std::size_t>(dictionaries));
    for (auto& dictionary : block.dictionaries) dictionary.clear();

    const char* p = chunk.begin();
    const char* const end = chunk.end();
    std::string scratch;
    if (chunk.number() == 0 && layout_.header_record &&
        skip_empty_lines(p, end, block.lines, layout_.dialect)) {
      CsvRecordFields header;
      (void)split_csv_record(p, end, layout_.dialect, header, block.lines);
    }
    const auto width = static_cast<std::size_t>(layout_.width());
    std::size_t used = 0;
    bool after_blank = false;
    for (;;) {
      if (layout_.blank_rows) {
        if (p == end) break;
        const bool blank = *p == '\n' || (*p == '\r' && p[1] == '\n');
        block.trailing_blanks = blank ? block.trailing_blanks + 1 : 0;
        if (!blank && !skip_empty_lines(p, end, block.lines, layout_.dialect)) break;
      } else {
        const Index line = block.lines;
        if (!skip_empty_lines(p, end, block.lines, layout_.dialect)) break;
        after_blank = block.lines > line;
      }
      if (block.values.size() < used + width) {
        block.values.resize(std::max(2 * block.values.size(), used + width));
      }
      T* const row = block.values.data() + used;
      const char* const record = p;
      const Index line = block.lines;
      const bool whole = layout_.dialect.whitespace ? parse_spaced(p, end, row, scratch, block)
                                                    : parse_record(p, end, row, scratch, block);
      if (!whole) {
        if (block.mistake.empty()) wrong_count(record, end, line, after_blank, block);
        return;
      }
      if (layout_.has_weights) {
        const T weight = row[layout_.width() - 1];
        if (!(weight >= 0) || std::isinf(weight)) {
          block.mistake = "the weight is missing, negative or infinite; expected a number >= 0";
          block.mistake_line = line;
          return;
        }
      }
      used += width;
      ++block.rows;
    }
  }

 private:
  // False where the record has a mistake, or not as many fields as there are columns.
  bool parse_record(const char*& p, const char* end, T* row, std::string& scratch,
                    CsvBlock<T>& block) const {
    const Index line = block.lines;
    const FieldPlan* plan = layout_.plans.data();
    const FieldPlan* const plans_end = plan + layout_.plans.size();
    const char delimiter = layout_.dialect.delimiter;
    const char blank = delimiter == ' ' ? '\n' : ' ';  // left out around numbers
    const auto ends_here = [delimiter](const char* at) {
      return *at == delimiter || *at == '\n' || (*at == '\r' && at[1] == '\n');
    };
    for (;; ++plan) {
      if (plan == plans_end) return false;
      if (plan->plain) {
        const char* q = p;
        while (*q == blank && blank == ' ') ++q;
        const char* const number = q;
        T value;
        q = parse_number(q, value);
        if (q != nullptr) {
          const char* const number_end = q;
          while (*q == blank && blank == ' ') ++q;
          // Identifiers begin with zeros.
          if (ends_here(q) &&
              (*number != '0' || !number_detail::is_digit(number[1]) || plan->type.zeros)) {
            row[plan->slot] = value;
            if (plan->use == FieldUse::label) {
              block.labels.add({number, static_cast<std::size_t>(number_end - number)});
            }
            p = *q == '\r' ? q + 1 : q;
            if (*p++ == '\n') break;
            continue;
          }
        }
      } else if (plan->use == FieldUse::number && plan->type.form.decimal == ',' &&
                 delimiter != ',' && !layout_.missing_first) {
        T value;
        const char* const q = parse_number<T, ','>(p, value);
        if (q != nullptr && ends_here(q) && *p != '0') {
          row[plan->slot] = value;
          p = *q == '\r' ? q + 1 : q;
          if (*p++ == '\n') break;
          continue;
        }
      }
      const CsvField field = read_csv_field(p, end, layout_.dialect, scratch);
      block.lines += field.line_feeds;
      if (field.mistake != nullptr) {
        block.mistake = field.mistake;
        block.mistake_line = line;
        return false;
      }
      if (!take(field.text, *plan, plan - layout_.plans.data(), line, row, block)) return false;
      p = field.next + 1;
      if (*field.next == '\n') break;
    }
    ++block.lines;
    return plan + 1 == plans_end;
  }

  // The same where blanks separate.
  bool parse_spaced(const char*& p, const char* end, T* row, std::string& scratch,
                    CsvBlock<T>& block) const {
    const Index line = block.lines;
    const FieldPlan* plan = layout_.plans.data();
    const FieldPlan* const plans_end = plan + layout_.plans.size();
    for (;; ++plan) {
      if (plan == plans_end) return false;
      if (plan->plain) {
        T value;
        const char* q = parse_number(p, value);
        const bool zeros = *p == '0' && number_detail::is_digit(p[1]) && !plan->type.zeros;
        if (q != nullptr && (is_csv_blank(*q) || *q == '\n' || *q == '\r') && !zeros) {
          const char* const number_end = q;
          while (is_csv_blank(*q)) ++q;
          if (*q == '\r' && q[1] == '\n') ++q;
          if (*q != '\r' && (layout_.dialect.comment == 0 || *q != layout_.dialect.comment)) {
            row[plan->slot] = value;
            if (plan->use == FieldUse::label) {
              block.labels.add({p, static_cast<std::size_t>(number_end - p)});
            }
            p = q;
            if (*q != '\n') continue;
            ++p;
            break;
          }
        }
      }
      const CsvField field = read_csv_field(p, end, layout_.dialect, scratch);
      block.lines += field.line_feeds;
      if (field.mistake != nullptr) {
        block.mistake = field.mistake;
        block.mistake_line = line;
        return false;
      }
      if (!take(field.text, *plan, plan - layout_.plans.data(), line, row, block)) return false;
      p = field.next;
      if (*field.next != '\n') continue;
      ++p;
      break;
    }
    ++block.lines;
    return plan + 1 == plans_end;
  }

  // False where block.mistake was set.
  bool take(std::string_view text, const FieldPlan& plan, Index column, Index line, T* row,
            CsvBlock<T>& block) const {
    constexpr T nan = std::numeric_limits<T>::quiet_NaN();
    T& to = row[plan.slot];
    switch (plan.use) {
      case FieldUse::skip: return true;
      case FieldUse::empty:
        if (layout_.is_missing(text)) return true;
        block.mistake = "has " + quoted_field(text) + " behind the last column that has a name";
        block.mistake_line = line;
        return false;
      case FieldUse::text:
        to = layout_.is_missing(text)
                 ? nan
                 : static_cast<T>(
                       block.dictionaries[static_cast<std::size_t>(plan.dictionary)].code(text));
        return true;
      case FieldUse::parts:
        for (int k = 0; k < 4; ++k) row[plan.slot + k] = nan;
        break;
      default: to = nan;
    }
    if (layout_.is_missing(text)) {
      if (plan.use == FieldUse::label) block.labels.missing();
      return true;
    }
    if (!take_value(text, plan, row)) {
      const bool name = plan.use == FieldUse::label && is_placeholder_word(text);
      if (layout_.placeholders && is_placeholder(text) && !name) {
        if (block.placeholders.empty()) block.placeholders.assign(layout_.plans.size(), 0);
        ++block.placeholders[static_cast<std::size_t>(column)];
      } else {
        surprise(text, column, line, block);
      }
    }
    if (plan.use == FieldUse::label) {
      if (std::isnan(to)) {
        block.labels.missing();
      } else {
        block.labels.add(text);
      }
    }
    return true;
  }

  [[nodiscard]] bool take_value(std::string_view text, const FieldPlan& plan, T* row) const {
    T& to = row[plan.slot];
    double seconds = 0;
    switch (plan.use) {
      case FieldUse::number:
      case FieldUse::label: {
        if (!plan.type.zeros && has_leading_zero(text)) return false;
        T value{};
        if (plan.type.form.decimal == '.' && parse_whole_number(text, value)) {
          to = value;
          return true;
        }
        Decoration decoration;
        if (!parse_marked_number(text, plan.type.form, value, &decoration)) {
          if (plan.type.form.decimal == '.' || !is_word(text)) return false;
          return parse_whole_number(text, to);  // inf, nan
        }
        if ((decoration.percent || decoration.currency) && !plan.type.decorated) return false;
        to = value;
        return true;
      }
      case FieldUse::date:
        if (!parse_date(text, plan.type.order, seconds)) return false;
        to = static_cast<T>(seconds);
        return true;
      case FieldUse::parts: {
        if (!parse_date(text, plan.type.order, seconds)) return false;
        const DateParts parts = parts_of(seconds);
        const std::array<int, 4> values{parts.year, parts.month, parts.weekday, parts.hour};
        for (std::size_t k = 0; k < 4; ++k) {
          row[plan.slot + static_cast<Index>(k)] = static_cast<T>(values[k]);
        }
        return true;
      }
      case FieldUse::time:
        if (!parse_time(text, seconds)) return false;
        to = static_cast<T>(seconds);
        return true;
      case FieldUse::boolean: {
        const int truth = std::max(parse_true_false(text), parse_yes_no(text));
        if (truth < 0) return false;
        to = static_cast<T>(truth);
        return true;
      }
      case FieldUse::skip:
      case FieldUse::empty:
      case FieldUse::text: break;
    }
    return true;
  }

  static bool is_word(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) { return c == '.' || c == ','; });
  }

  void surprise(std::string_view text, Index column, Index line, CsvBlock<T>& block) const {
    constexpr std::size_t most_texts = 16;
    if (block.surprises.empty()) block.surprise_of.assign(layout_.plans.size(), -1);
    std::int32_t& at = block.surprise_of[static_cast<std::size_t>(column)];
    if (at < 0) {
      at = static_cast<std::int32_t>(block.surprises.size());
      block.surprises.push_back({column, line, {}});
    }
    auto& texts = block.surprises[static_cast<std::size_t>(at)].texts;
    if (texts.size() < most_texts && std::find(texts.begin(), texts.end(), text) == texts.end()) {
      texts.emplace_back(text);
    }
  }

  // A record of another number of fields is a mistake, unless it and the few behind it are what
  // people write below a table: a source, a count of rows, a total.
  void wrong_count(const char* record, const char* end, Index line, bool after_blank,
                   CsvBlock<T>& block) const {
    constexpr Index most_footer = 5;
    CsvRecordFields fields;
    const char* p = record;
    Index lines = line;
    const char* const mistake = split_csv_record(p, end, layout_.dialect, fields, lines);
    block.mistake_line = line;
    block.mistake =
        mistake != nullptr
            ? mistake
            : "has " + std::to_string(fields.size()) + (fields.size() == 1 ? " field" : " fields") +
                  ", expected " + std::to_string(layout_.columns()) +
                  (layout_.names_in_header ? " as in the header" : " as in the first record");
    if (mistake != nullptr || !layout_.footer) return;
    const FieldUse first_use = layout_.plans.front().use;
    const bool typed = first_use != FieldUse::text && first_use != FieldUse::skip;
    double value = 0;
    const bool word = !parse_whole_number(fields[0], value) && !fields[0].empty();
    const bool apart = typed || (after_blank && layout_.columns() > 2);
    if (!word || !apart || static_cast<Index>(fields.size()) >= layout_.columns()) return;
    Index footer = 1;
    while (skip_empty_lines(p, end, lines, layout_.dialect)) {
      if (split_csv_record(p, end, layout_.dialect, fields, lines) != nullptr) return;
      if (static_cast<Index>(fields.size()) == layout_.columns() || ++footer > most_footer) return;
    }
    block.footer = footer;
    block.lines = lines;
  }

  const CsvLayout& layout_;
};

}  // namespace tandem

// Chunks of a delimited text file to rows of numbers and codes.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/data/csv_columns.hpp"
#include "core/data/csv_fields.hpp"
#include "core/data/label_texts.hpp"
#include "core/data/number.hpp"
#include "core/data/readers.hpp"
#include "core/data/records.hpp"
#include "core/data/text_dictionary.hpp"
#include "cpu/simd.hpp"

namespace tandem {

// The use of each column of the file.
struct FieldPlan {
  FieldUse use = FieldUse::skip;
  bool plain = false;     // a number, or label, without thousands marks and with a decimal point
  bool labels = false;    // its texts are kept: those of a target are the names of classes
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
  bool missing_first = false;           // some text for missing values reads as a number
  std::vector<double> missing_numbers;  // which, since pandas writes -999 as -999.0
  bool placeholders = false;            // "-" and the like are missing numbers
  bool blank_rows = false;              // an empty line is a row, of one missing value
  bool footer = false;                  // records of another kind may stand at the end
  std::vector<FieldPlan> plans;         // one per column of the file
  Index features = 0;
  bool has_target = false;
  bool has_weights = false;

  [[nodiscard]] Index columns() const { return static_cast<Index>(plans.size()); }
  [[nodiscard]] Index width() const {
    return features + (has_target ? 1 : 0) + (has_weights ? 1 : 0);
  }
  // Most texts are told by their first character and length: bit n of a character's word is set
  // where a text that begins with it has n characters, the last bit for all longer ones.
  std::array<std::uint32_t, 256> missing_lengths{};
  static std::uint32_t length_bit(std::string_view text) {
    return std::uint32_t{1} << std::min<std::size_t>(text.size(), 31);
  }
  void set_missing(std::vector<std::string> texts) {
    missing = std::move(texts);
    for (const std::string& text : missing) {
      if (!text.empty()) {
        missing_lengths[static_cast<unsigned char>(text.front())] |= length_bit(text);
      }
    }
  }
  template <Real T>
  [[nodiscard]] bool is_missing_number(T value) const {
    return std::any_of(missing_numbers.begin(), missing_numbers.end(),
                       [value](double number) { return value == static_cast<T>(number); });
  }

  // An empty text is, whatever else stands for a missing value.
  [[nodiscard]] bool is_missing(std::string_view text) const {
    text = csv_trimmed(text);
    if (text.empty()) return true;
    const std::uint32_t lengths = missing_lengths[static_cast<unsigned char>(text.front())];
    if ((lengths & length_bit(text)) == 0) return false;
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
  std::vector<Index> missing_words;       // of columns of texts: "NA" and the like
  std::string missing_word;               // one of them
  Index trailing_blanks = 0;              // rows at the end that come of empty lines
  std::string mistake;                    // ends the block
  Index mistake_line = 0;
  Index footer =
      0;  // records from the mistake to the block's end, where all of them may be a footer
};

template <Real T>
class CsvParser {
 public:
  explicit CsvParser(const CsvLayout& layout) : layout_(layout), parse_record_(record_parser()) {}

  // The target's texts are no classes: those of later blocks need not be collected.
  void want_no_labels() { labels_wanted_.store(false, std::memory_order_relaxed); }

  void parse(const Chunk& chunk, Index dictionaries, CsvBlock<T>& block) const {
    block.rows = 0;
    block.lines = 0;
    block.mistake.clear();
    block.footer = 0;
    block.surprises.clear();
    block.placeholders.clear();
    block.missing_words.clear();
    block.labels.clear();
    if (!labels_wanted_.load(std::memory_order_relaxed)) block.labels.give_up();
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
        const bool blank = is_blank_line(p);
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
      const char* const record_end = (this->*parse_record_)(record, end, row, scratch, block);
      if (record_end == nullptr) {
        if (block.mistake.empty()) wrong_count(record, end, line, after_blank, block);
        if (block.footer > 0) forget_unfinished_row(line, block);
        return;
      }
      p = record_end;
      if (layout_.has_weights) {
        block.mistake = weight_mistake(row[layout_.width() - 1]);
        if (!block.mistake.empty()) {
          block.mistake_line = line;
          return;
        }
      }
      used += width;
      ++block.rows;
    }
  }

 private:
  // Returns the end of the record; nullptr where it has a mistake, or not as many fields as there
  // are columns. What most fields are, short plain numbers, is read here and all else by
  // other_field(), so that nothing of this loop has to live in memory.
  template <class Numbers>
  [[gnu::always_inline]] inline const char* parse_record(const char* p, const char* end, T* row,
                                                         std::string& scratch,
                                                         CsvBlock<T>& block) const {
    const Index line = block.lines;
    const FieldPlan* const plans = layout_.plans.data();
    const FieldPlan* const plans_end = plans + layout_.plans.size();
    const char delimiter = layout_.dialect.delimiter;
    for (const FieldPlan* plan = plans; plan != plans_end; ++plan) {
      const char* next = nullptr;
      if (plan->plain) {
        T value;
        next = Numbers::parse(p, value);
        if (next != nullptr &&
            (*next == delimiter || *next == '\n' || (*next == '\r' && next[1] == '\n')) &&
            !(begins_with_zero(p) & !plan->type.zeros)) {
          row[plan->slot] = value;
          if (plan->use == FieldUse::label) {
            block.labels.add({p, static_cast<std::size_t>(next - p)});
          }
          next += *next == '\r' ? 1 : 0;
        } else {
          next = nullptr;
        }
      }
      if (next == nullptr) {
        next = other_field(p, end, *plan, line, row, scratch, block);
        if (next == nullptr) return nullptr;
      }
      p = next + 1;
      if (*next == '\n') {
        ++block.lines;
        return plan + 1 == plans_end ? p : nullptr;
      }
    }
    return nullptr;
  }

  using RecordParser = const char* (CsvParser::*)(const char*, const char*, T*, std::string&,
                                                  CsvBlock<T>&) const;
  const char* parse_record_by_digits(const char* p, const char* end, T* row, std::string& scratch,
                                     CsvBlock<T>& block) const {
    return parse_record<NumberByDigits>(p, end, row, scratch, block);
  }
#if defined(__x86_64__)
  [[gnu::target("avx2,bmi,bmi2")]] const char* parse_record_by_vector(const char* p,
                                                                      const char* end, T* row,
                                                                      std::string& scratch,
                                                                      CsvBlock<T>& block) const {
    return parse_record<NumberByVector>(p, end, row, scratch, block);
  }
#endif
  // By the instruction set, and the dialect.
  [[nodiscard]] RecordParser record_parser() const {
    if (layout_.dialect.whitespace) return &CsvParser::parse_spaced;
#if defined(__x86_64__)
    if (cpu::simd_name() != "baseline") return &CsvParser::parse_record_by_vector;
#endif
    return &CsvParser::parse_record_by_digits;
  }

  // Identifiers begin with zeros.
  static bool begins_with_zero(const char* p) {
    return (*p == '0') & number_detail::is_digit(p[1]);
  }

  // The field at p, whatever it holds. Returns the delimiter or line feed behind it, or nullptr
  // where block.mistake was set.
  [[gnu::noinline]] const char* other_field(const char* p, const char* end, const FieldPlan& plan,
                                            Index line, T* row, std::string& scratch,
                                            CsvBlock<T>& block) const {
    const char delimiter = layout_.dialect.delimiter;
    const auto ends_here = [delimiter](const char* at) {
      return *at == delimiter || *at == '\n' || (*at == '\r' && at[1] == '\n');
    };
    if (plan.plain) {
      if (ends_here(p)) {  // empty, thus missing
        row[plan.slot] = std::numeric_limits<T>::quiet_NaN();
        if (plan.use == FieldUse::label) block.labels.missing();
        return *p == '\r' ? p + 1 : p;
      }
      const char blank = delimiter == ' ' ? '\n' : ' ';  // left out around numbers
      const char* number = p;
      while (*number == blank && blank == ' ') ++number;
      T value;
      const char* const number_end = parse_number(number, value);
      const char* q = number_end;
      while (q != nullptr && *q == blank && blank == ' ') ++q;
      if (q != nullptr && ends_here(q) && (!begins_with_zero(number) || plan.type.zeros)) {
        row[plan.slot] = value;
        if (plan.use == FieldUse::label) {
          block.labels.add({number, static_cast<std::size_t>(number_end - number)});
        }
        return *q == '\r' ? q + 1 : q;
      }
    } else if (plan.use == FieldUse::number && plan.type.form.decimal == ',' && delimiter != ',' &&
               !layout_.missing_first) {
      T value;
      const char* const q = parse_number<T, ','>(p, value);
      if (q != nullptr && ends_here(q) && *p != '0') {
        row[plan.slot] = value;
        return *q == '\r' ? q + 1 : q;
      }
    }
    CsvField field = simple_field(p);
    if (field.next == nullptr) field = read_csv_field(p, end, layout_.dialect, scratch);
    block.lines += field.line_feeds;
    if (field.mistake != nullptr) {
      block.mistake = field.mistake;
      block.mistake_line = line;
      return nullptr;
    }
    if (!take(field.text, plan, &plan - layout_.plans.data(), line, row, block)) return nullptr;
    return field.next;
  }

  // What read_csv_field() returns for most fields, without copying their text; next is nullptr
  // where it has to be asked: quotes and line feeds inside of quotes, comments, blanks behind
  // quotes.
  [[nodiscard]] CsvField simple_field(const char* p) const {
    CsvField field;
    if (layout_.dialect.comment != 0) return field;
    const char delimiter = layout_.dialect.delimiter;
    if (*p != '"') {
      const char* const q = find_either(p, delimiter, '\n');
      const bool carriage = *q == '\n' && q > p && q[-1] == '\r';
      field.next = q;
      field.text = csv_trimmed({p, static_cast<std::size_t>(q - p) - (carriage ? 1 : 0)});
      return field;
    }
    const char* const text = p + 1;
    const char* q = find_either(text, '"', '\n');
    if (*q != '"') return field;
    const std::string_view inside(text, static_cast<std::size_t>(q - text));
    ++q;
    if (*q == '\r' && q[1] == '\n') ++q;
    if (*q != delimiter && *q != '\n') return field;
    field.quoted = true;
    field.text = inside;
    field.next = q;
    return field;
  }

  // The first of two characters from p on, one of which comes; 15 bytes behind it can be read.
  static const char* find_either(const char* p, char a, char b) {
#if defined(__x86_64__)
    for (;; p += 16) {
      const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
      const int found = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8(a)),
                                                       _mm_cmpeq_epi8(text, _mm_set1_epi8(b))));
      if (found != 0) return p + std::countr_zero(static_cast<unsigned>(found));
    }
#else
    while (*p != a && *p != b) ++p;
    return p;
#endif
  }

  // As parse_record(), where blanks separate.
  const char* parse_spaced(const char* p, const char* end, T* row, std::string& scratch,
                           CsvBlock<T>& block) const {
    const Index line = block.lines;
    const FieldPlan* plan = layout_.plans.data();
    const FieldPlan* const plans_end = plan + layout_.plans.size();
    for (;; ++plan) {
      if (plan == plans_end) return nullptr;
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
        return nullptr;
      }
      if (!take(field.text, *plan, plan - layout_.plans.data(), line, row, block)) return nullptr;
      p = field.next;
      if (*field.next != '\n') continue;
      ++p;
      break;
    }
    ++block.lines;
    return plan + 1 == plans_end ? p : nullptr;
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
        if (layout_.is_missing(text)) {
          to = nan;
          if (!text.empty() && is_letter(text.front())) {
            if (block.missing_words.empty()) block.missing_words.assign(layout_.plans.size(), 0);
            ++block.missing_words[static_cast<std::size_t>(column)];
            block.missing_word = text;
          }
        } else {
          to = static_cast<T>(
              block.dictionaries[static_cast<std::size_t>(plan.dictionary)].code(text));
        }
        return true;
      case FieldUse::parts:
        for (int k = 0; k < 4; ++k) row[plan.slot + k] = nan;
        break;
      default: to = nan;
    }
    if (layout_.is_missing(text)) {
      if (plan.labels) block.labels.missing();
      return true;
    }
    const bool has_value = take_value(text, plan, row);
    if (has_value && plan.use != FieldUse::parts && layout_.is_missing_number(to)) to = nan;
    if (!has_value) {
      const bool name = plan.labels && is_placeholder_word(text);
      if (layout_.placeholders && is_placeholder(text) && !name) {
        if (block.placeholders.empty()) block.placeholders.assign(layout_.plans.size(), 0);
        ++block.placeholders[static_cast<std::size_t>(column)];
      } else {
        surprise(text, column, line, block);
      }
    }
    if (plan.labels) {
      if (std::isnan(to)) {
        block.labels.missing();
      } else {
        block.labels.add(text);
      }
    }
    return true;
  }

  [[nodiscard]] bool take_value(std::string_view text, const FieldPlan& plan, T* row) const {
    T value{};
    double seconds = 0;
    if (!parse_typed(text, plan.type, value, seconds)) return false;
    if (plan.use != FieldUse::parts) {
      row[plan.slot] = value;
      return true;
    }
    const DateParts parts = parts_of(seconds);
    const std::array<int, 4> values{parts.year, parts.month, parts.weekday, parts.hour};
    for (std::size_t k = 0; k < values.size(); ++k) {
      row[plan.slot + static_cast<Index>(k)] = static_cast<T>(values[k]);
    }
    return true;
  }

  static bool is_letter(char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

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

  // Of one column: what is a missing value.
  [[nodiscard]] bool is_blank_line(const char* p) const {
    if (!layout_.dialect.whitespace) {
      while (is_csv_blank(*p)) ++p;
    }
    return *p == '\n' || (*p == '\r' && p[1] == '\n');
  }

  // What the fields of a record below the table have left in the block, whose rows end before it.
  void forget_unfinished_row(Index line, CsvBlock<T>& block) const {
    block.labels.truncate(static_cast<std::size_t>(block.rows));
    std::erase_if(block.surprises, [&](const Surprise& surprise) { return surprise.line >= line; });
    for (const FieldPlan& plan : layout_.plans) {
      if (plan.use != FieldUse::text) continue;
      std::size_t used = 0;
      for (Index i = 0; i < block.rows; ++i) {
        const T code = block.values[static_cast<std::size_t>(i * layout_.width() + plan.slot)];
        if (!std::isnan(code)) used = std::max(used, static_cast<std::size_t>(code) + 1);
      }
      block.dictionaries[static_cast<std::size_t>(plan.dictionary)].truncate(used);
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
  RecordParser parse_record_;
  std::atomic<bool> labels_wanted_{true};
};

}  // namespace tandem

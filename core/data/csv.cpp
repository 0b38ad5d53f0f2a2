// Comma-separated values (RFC 4180) and relatives, read by chunks of whole records in parallel.
//
// The head of the file tells how it is cut, whether there is a header, and what the columns hold.
// Where a field further down is none of what its column holds, the rest of the file is only looked
// through for more of them, the columns are judged again by what was found, and the file is read
// once more; after a few times a column that still surprises is text.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>
#include <unordered_set>

#include "core/data/column_remarks.hpp"
#include "core/data/csv_columns.hpp"
#include "core/data/csv_dialect.hpp"
#include "core/data/csv_parser.hpp"
#include "core/data/readers.hpp"
#include "core/data/records.hpp"
#include "core/external_memory.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

constexpr Index most_warnings = 5;
constexpr int most_readings = 4;
// 1.234,5
const NumberForms point_thousands = NumberForms{1} << index_of({',', '.'});

bool is_number(const std::string& text) { return possible_numbers(text) != 0; }

template <Real T>
class CsvReader {
 public:
  CsvReader(const Input& input, const ReadOptions& options, bool tabs)
      : input_(input), options_(options), budget_(input.name(), options), tabs_(tabs) {
    layout_.file = input.name();
    layout_.set_missing(options.reading.missing.texts);
    layout_.placeholders = options.reading.missing.standard;
    // A missing value is NaN anyway, however it is spelled; other numbers must be compared first.
    for (const auto& text : options.reading.missing.texts) {
      double value = 0;
      if (!parse_whole_number(text, value) || std::isnan(value)) continue;
      layout_.missing_first = true;
      layout_.missing_numbers.push_back(value);
    }
    look_at_head();
  }

  Dataset<T> read() {
    for (int reading = 1; !read_once(); ++reading) {
      for (const auto& surprise : surprises_) {
        const auto at = static_cast<std::size_t>(surprise.column);
        if (first_surprises_[at].texts.empty()) first_surprises_[at] = surprise;
        for (const auto& text : surprise.texts) evidence_[at].add(text);
        ColumnType& type = types_[at];
        const ColumnType before = type;
        decide(at);
        const bool same = before.kind == type.kind && before.form == type.form &&
                          before.order == type.order && before.zeros == type.zeros &&
                          before.decorated == type.decorated;
        if (same || reading >= most_readings) type.kind = ColumnKind::category;
      }
      make_plans();
    }
    return finish();
  }

 private:
  // The global dictionary of a text column.
  struct Text {
    Index column = 0;  // of the file
    TextDictionary dictionary;
    bool fixed = false;    // categories of the schema
    bool extends = false;  // the target: unknown ones are appended
    Index unknown = 0;     // values, not distinct texts
    std::vector<std::string> unknown_texts;
  };
  struct Span {
    Index first_row;
    Index rows;
    std::vector<std::vector<std::int32_t>> codes;  // per text column: block's code → global code
  };

  // --- the head of the file ---------------------------------------------------------------------

  void look_at_head() {
    const bool of_model = options_.schema != nullptr;
    input_ = as_text(input_, options_.reading, of_model, encoding_);
    TextHead head = read_text_head(input_, longest_record(budget_));
    FoundDialect found = find_dialect(head, options_.reading, tabs_, layout_.file);
    for (auto& notice : found.notices) note(std::move(notice));
    layout_.dialect = found.dialect;
    skipped_ = found.skip_lines;
    separator_line_ = found.separator_line;
    if (skipped_ > 0) {
      input_ = without_first_lines(input_, skipped_);
      head = read_text_head(input_, longest_record(budget_));
    }
    auto records = first_records(head, layout_.dialect, 1000);
    if (records.empty()) {
      const char* p = head.begin();
      Index lines = 0;
      if (!skip_empty_lines(p, head.end(), lines, layout_.dialect)) {
        throw InputError(layout_.file + ": is empty, expected at least one record");
      }
      CsvRecordFields fields;
      const Index line = lines;
      const char* const mistake = split_csv_record(p, head.end(), layout_.dialect, fields, lines);
      fail_at(skipped_ + line, mistake != nullptr ? mistake : "cannot be read");
    }
    if (static_cast<Index>(records.front().size()) > most_csv_columns) {
      throw InputError(layout_.file + ": has " + std::to_string(records.front().size()) +
                       " columns; at most " + std::to_string(most_csv_columns) + " are read");
    }
    name_columns(std::move(found.names_in_comment), records);
    const std::size_t first_row = layout_.header_record ? 1 : 0;
    find_left_out(records, first_row);
    find_types(records, first_row);
    roles_ = find_csv_roles(names_, header_, left_out_, skipped_, options_, layout_.file);
    layout_.has_target = roles_.target >= 0;
    layout_.has_weights = roles_.weights >= 0;
    layout_.blank_rows = names_.size() == 1;
    layout_.footer = names_.size() >= 2;
    for (std::size_t c = 0; c < names_.size(); ++c) decide(c);
    if (options_.schema == nullptr) remark_on_row_numbers(records, first_row);
    make_plans();
  }

  // Names, and whether the first record has them. A header of one field fewer than the rows leaves
  // the names of the rows without one, as R writes tables; a delimiter at the end of each line
  // makes a column without name or content.
  void name_columns(std::optional<std::vector<std::string>> in_comment,
                    std::vector<CsvRecordFields>& records) {
    const CsvRecordFields first = visible(records.front());
    std::size_t columns = first.size();
    std::size_t others = 0;  // rows of one field more
    bool last_empty = records.size() > 1;
    for (std::size_t r = 1; r < records.size(); ++r) {
      others += records[r].size() == first.size() + 1 ? 1 : 0;
      last_empty =
          last_empty && !records[r].fields.empty() && layout_.is_missing(records[r].fields.back());
    }
    if (in_comment) {
      header_ = true;
      names_ = distinct_names(*in_comment, layout_.file);
      names_.resize(std::max(names_.size(), columns));
    } else if (records.size() > 1 && others == records.size() - 1 &&
               options_.reading.header != HeaderChoice::no &&
               (last_empty ||
                are_row_names(records, options_.reading.header == HeaderChoice::yes))) {
      header_ = layout_.header_record = true;
      std::vector<std::string> fields = first.fields;
      if (last_empty) {
        fields.emplace_back();
      } else {
        fields.insert(fields.begin(), "");
      }
      names_ = distinct_names(fields, layout_.file);
      columns = fields.size();
    } else {
      std::string why;
      header_ = options_.reading.header == HeaderChoice::automatic
                    ? find_csv_header(records, layout_.missing, why)
                    : options_.reading.header == HeaderChoice::yes;
      layout_.header_record = header_;
      if (options_.reading.header == HeaderChoice::automatic && !why.empty()) {
        note(layout_.file + ": the first line (" + some(first.fields) + ") is taken " +
             (header_ ? "for the names of the columns" : "as data") + ", though " + why + "; " +
             option("header") + (header_ ? " no" : " yes") + " says otherwise");
      }
      if (header_) {
        names_ = distinct_names(first.fields, layout_.file);
      } else {
        for (std::size_t c = 0; c < first.size(); ++c) {
          names_.push_back("column" + std::to_string(c));
        }
      }
    }
    layout_.names_in_header = header_;
    if (header_) remark_on_equal_names(in_comment ? *in_comment : first.fields);
    unnamed_in_header_ = header_ && columns > first.size() && !last_empty && !in_comment;
    unnamed_first_ =
        header_ && (columns > first.size() ? !last_empty : is_index_name(first.fields.front()));
    left_out_.assign(columns, false);
    empty_last_ = columns >= 2 && last_empty &&
                  (header_ ? (columns > first.size() || layout_.is_missing(first.fields.back()))
                           : layout_.is_missing(first.fields.back()));
  }

  void remark_on_equal_names(const std::vector<std::string>& written) {
    std::unordered_set<std::string_view> seen;
    for (const std::string& name : written) {
      if (name.empty() || seen.insert(name).second) continue;
      const auto at = std::find(written.begin(), written.end(), name) - written.begin();
      const auto second = std::find(written.begin() + at + 1, written.end(), name);
      const std::string& called = names_[static_cast<std::size_t>(second - written.begin()) +
                                         names_.size() - written.size()];
      note(layout_.file + ": several columns are called " + name + "; the first keeps its name, " +
           "and the next is called " + called);
      return;
    }
  }

  // Without the marks of byte order and blanks of no width at their ends, which nobody sees.
  static CsvRecordFields visible(CsvRecordFields names) {
    for (std::size_t c = 0; c < names.size(); ++c) {
      const std::string_view seen = without_blanks(names[c]);
      if (!names.quoted[c] && seen.size() != names[c].size()) names.fields[c] = std::string(seen);
    }
    return names;
  }

  static bool is_index_name(const std::string& name) {
    return name.empty() || name.starts_with("Unnamed: ") || name == "rownames" ||
           name == "row.names";
  }

  // The first fields of rows that have one field more than the first record: texts, or numbers that
  // count, all different.
  static bool are_row_names(const std::vector<CsvRecordFields>& records, bool asked) {
    std::unordered_set<std::string_view> seen;
    for (std::size_t r = 1; r < records.size(); ++r) {
      if (!seen.insert(records[r].fields.front()).second) return false;
    }
    const auto words = std::count_if(records.front().fields.begin(), records.front().fields.end(),
                                     [](const auto& field) { return !is_number(field); });
    if (words == 0) return false;
    return asked || counts(records, 1, 0) || records[1].quoted.front() ||
           !is_number(records[1].fields.front());
  }

  // The column holds k, k + 1, k + 2, ... with k 0 or 1.
  static bool counts(const std::vector<CsvRecordFields>& records, std::size_t first_row,
                     std::size_t column) {
    double start = 0;
    for (std::size_t r = first_row; r < records.size(); ++r) {
      double value = 0;
      if (column >= records[r].size() || !parse_whole_number(records[r][column], value))
        return false;
      if (r == first_row) start = value;
      if (value != start + static_cast<double>(r - first_row)) return false;
    }
    return records.size() > first_row + 1 && (start == 0 || start == 1);
  }

  // Columns that are no data: the numbers or names of the rows, and what a delimiter at the end of
  // each line makes.
  void find_left_out(const std::vector<CsvRecordFields>& records, std::size_t first_row) {
    if (empty_last_) {
      left_out_.back() = true;
      if (options_.schema == nullptr) {
        note(layout_.file +
             ": every line ends with a delimiter; the empty column that it makes is "
             "left out");
      }
    }
    if (options_.schema != nullptr || !unnamed_first_) return;
    // pandas reads what it has written and writes that again: several may stand in front.
    for (std::size_t c = 0; c + 1 < names_.size() && (c == 0 || is_index_name(names_[c])); ++c) {
      if (options_.reading.find(names_[c]) != nullptr || options_.target == names_[c]) return;
      leave_out_row_names(records, first_row, c);
    }
  }

  // A column without a name of its own: one that counts the rows or has another text in each is
  // left out, and so is any with another value in each that the header has no field for.
  void leave_out_row_names(const std::vector<CsvRecordFields>& records, std::size_t first_row,
                           std::size_t c) {
    std::unordered_set<std::string_view> seen;
    bool different = true;
    bool words = true;
    for (std::size_t r = first_row; r < records.size() && different; ++r) {
      different = records[r].size() > c && seen.insert(records[r].fields[c]).second;
      words = words && different && !is_number(records[r].fields[c]);
    }
    if (records.size() < first_row + 2) return;
    const bool counter = counts(records, first_row, c);
    const std::string which = c == 0 ? "the first column" : "the column " + names_[c];
    const std::string quoted_name = "'\"" + names_[c] + "\"";
    if (counter || (different && (words || unnamed_in_header_))) {
      left_out_[c] = true;
      note(layout_.file + ": " + which + ", which has no name of its own, holds " +
           (counter ? "the numbers of the rows"
            : words ? "a different text in each row"
                    : "a different number in each row") +
           " and is left out; " + option("columns") + " " + quoted_name + ":" +
           (counter || !words ? "number" : "category") + "' keeps it");
    } else if (different) {
      note(layout_.file + ": " + which +
           ", which has no name of its own, has another number in each row and is a feature "
           "nevertheless; if it is the index of a table, leave it out with " +
           option("ignore") + " '" + names_[c] + "'");
    }
  }

  void find_types(const std::vector<CsvRecordFields>& records, std::size_t first_row) {
    evidence_.assign(names_.size(), {});
    types_.assign(names_.size(), {});
    ambiguous_.assign(names_.size(), false);
    first_surprises_.assign(names_.size(), {});
    said_.assign(names_.size(), nullptr);
    for (std::size_t r = first_row; r < records.size(); ++r) {
      // A record of another size is a mistake, or stands below the table.
      if (records[r].size() != names_.size()) continue;
      for (std::size_t c = 0; c < names_.size(); ++c) {
        const auto& field = records[r][c];
        if (!layout_.is_missing(field)) {
          if (!layout_.placeholders && is_placeholder(field)) {
            evidence_[c].add("x");  // a text like any other
          } else {
            evidence_[c].add(field);
          }
        }
      }
    }
    marks_ = file_marks(evidence_, options_.reading);
    for (const ColumnReading& said : options_.reading.columns.list) {
      if (options_.schema == nullptr) {
        const Index at = find_column(said.name, names_, option("columns"), layout_.file);
        said_[static_cast<std::size_t>(at)] = &said;
      }
    }
  }

  // The type of a column of the file by what is known of it.
  void decide(std::size_t c) {
    if (said_[c] != nullptr && said_[c]->kind != ColumnKind::automatic) {
      types_[c] = column_type(*said_[c], options_.reading);
      if (types_[c].kind == ColumnKind::date && said_[c]->order == DateOrder::automatic &&
          evidence_[c].orders_ != 0) {
        bool ambiguous = false;
        const ColumnType found = column_type(evidence_[c], options_.reading, marks_,
                                             layout_.dialect.delimiter, false, ambiguous);
        if (found.kind == ColumnKind::date) types_[c].order = found.order;
      }
      return;
    }
    bool ambiguous = false;
    types_[c] = column_type(evidence_[c], options_.reading, marks_, layout_.dialect.delimiter,
                            static_cast<Index>(c) == roles_.target, ambiguous);
    ambiguous_[c] = ambiguous;
  }

  // --- the plan of the columns ------------------------------------------------------------------

  // The schema's column for a place in a row of the result; nullptr where there is none.
  [[nodiscard]] const Column* fixed_column(Index slot) const {
    if (options_.schema == nullptr) return nullptr;
    if (slot < layout_.features) return &options_.schema->columns[static_cast<std::size_t>(slot)];
    const bool target = layout_.has_target && slot == layout_.features;
    return target ? &options_.schema->target : nullptr;
  }

  // The type that the model's record gives the column of this name.
  [[nodiscard]] ColumnType model_type(const std::string& name, bool categorical) const {
    ColumnReading plain;
    const ColumnReading* const said = options_.reading.find(name);
    ColumnType type = column_type(said != nullptr ? *said : plain, options_.reading);
    if (categorical) type.kind = ColumnKind::category;
    return type;
  }

  void plan_column(Index column, Index slot, bool parts) {
    auto& plan = layout_.plans[static_cast<std::size_t>(column)];
    plan.slot = slot;
    const bool weight = column == roles_.weights;
    const bool target = column == roles_.target;
    const Column* const known = weight ? nullptr : fixed_column(slot);
    plan.type = types_[static_cast<std::size_t>(column)];
    if (weight) {
      plan.type.kind = ColumnKind::number;
    } else if (known != nullptr && target) {
      // The labels of a new file may be written otherwise than those of the training data.
      if (known->categorical()) {
        plan.type.kind = ColumnKind::category;
      } else if (options_.reading.find(known->name) != nullptr) {
        plan.type = model_type(known->name, false);
        plan.type.fixed = false;
      }
    } else if (known != nullptr) {
      std::string name = known->name;
      if (parts) name = name.substr(0, name.rfind('.'));
      plan.type = model_type(name, known->categorical());
    }
    switch (plan.type.kind) {
      case ColumnKind::automatic:
      case ColumnKind::number: plan.use = target ? FieldUse::label : FieldUse::number; break;
      case ColumnKind::category: plan.use = FieldUse::text; break;
      case ColumnKind::date: plan.use = parts ? FieldUse::parts : FieldUse::date; break;
      case ColumnKind::time: plan.use = FieldUse::time; break;
      case ColumnKind::boolean: plan.use = FieldUse::boolean; break;
    }
    plan.labels = target && plan.use != FieldUse::text && plan.use != FieldUse::boolean;
    plan.plain = (plan.use == FieldUse::number || plan.use == FieldUse::label) &&
                 plan.type.form.decimal == '.' && !layout_.missing_first;
    if (plan.use != FieldUse::text) return;
    plan.dictionary = static_cast<Index>(texts_.size());
    Text dictionary;
    dictionary.column = column;
    if (known != nullptr && known->categorical()) {
      for (const auto& category : known->categories) (void)dictionary.dictionary.code(category);
      dictionary.fixed = true;
      dictionary.extends = target;
    }
    texts_.push_back(std::move(dictionary));
  }

  void make_plans() {
    layout_.plans.assign(names_.size(), FieldPlan{});
    texts_.clear();
    if (empty_last_) layout_.plans.back().use = FieldUse::empty;
    const bool parts = options_.reading.dates == DateUse::parts;
    if (options_.schema != nullptr) {
      layout_.features = static_cast<Index>(roles_.sources.size());
      for (Index j = 0; j < layout_.features; ++j) {
        const FeatureSource source = roles_.sources[static_cast<std::size_t>(j)];
        if (source.part <= 0) plan_column(source.column, j, source.part == 0);
      }
    } else {
      // Dates as parts take four places.
      layout_.features = 0;
      for (const Index column : roles_.features) {
        const bool date = types_[static_cast<std::size_t>(column)].kind == ColumnKind::date;
        plan_column(column, layout_.features, parts && date);
        layout_.features += parts && date ? 4 : 1;
      }
    }
    Index slot = layout_.features;
    if (layout_.has_target) plan_column(roles_.target, slot++, false);
    if (layout_.has_weights) plan_column(roles_.weights, slot++, false);
  }

  // --- the rows ---------------------------------------------------------------------------------

  [[noreturn]] void fail_at(Index line, const std::string& mistake) const {
    throw InputError(layout_.file + ": line " + std::to_string(line + 1) + ": " + mistake);
  }

  // False where fields are none of what their columns hold.
  bool read_once() {
    features_.clear();
    target_.clear();
    weights_.clear();
    spans_.clear();
    surprises_.clear();
    surprised_.clear();
    labels_.clear();
    placeholders_.assign(names_.size(), 0);
    missing_words_.assign(names_.size(), 0);
    footer_mistake_.clear();
    footer_ = 0;
    trailing_blanks_ = 0;
    rows_ = 0;
    lines_ = skipped_;
    text_bytes_ = 0;
    RecordReader reader(input_, layout_.dialect.delimiter, '"', longest_record(budget_));
    CsvParser<T> parser(layout_);
    const auto dictionaries = static_cast<Index>(texts_.size());
    parse_in_order<CsvBlock<T>>(
        reader, reading_threads(options_, input_),
        [&](const Chunk& chunk, CsvBlock<T>& block) { parser.parse(chunk, dictionaries, block); },
        [&](CsvBlock<T>& block) {
          append(block);
          if (labels_.given_up()) parser.want_no_labels();
        });
    return surprises_.empty();
  }

  [[noreturn]] void wrong_type(const Surprise& surprise, const FieldPlan& plan) const {
    constexpr std::array<std::string_view, 6> wanted{
        "a number", "a number", "a text", "a date", "a time or duration", "true or false"};
    const bool weight = surprise.column == roles_.weights;
    const bool of_model = options_.schema != nullptr && !weight;
    const auto at = static_cast<std::size_t>(surprise.column);
    std::string advice;
    if (of_model) {
      advice = " as in the data that the model was trained on";
      if (surprise.line == skipped_ && !layout_.header_record) {
        advice += ", which had no header; " + option("header") + " yes says that this file has one";
      }
    } else if (!weight) {
      advice = " as " + option("columns") + " says";
    }
    fail_at(surprise.line, "the column " + names_[at] + " has " +
                               quoted_field(surprise.texts.front()) + ", expected " +
                               std::string(wanted[static_cast<std::size_t>(plan.type.kind)]) +
                               advice);
  }

  void append(CsvBlock<T>& block) {
    // Lines that looked like a footer are one only at the end of the file.
    if (!footer_mistake_.empty() && (block.rows > 0 || !block.mistake.empty())) {
      fail_at(footer_line_, footer_mistake_);
    }
    for (auto& surprise : block.surprises) {
      surprise.line += lines_;
      const FieldPlan& plan = layout_.plans[static_cast<std::size_t>(surprise.column)];
      if (plan.type.fixed || surprise.column == roles_.weights) wrong_type(surprise, plan);
      if (surprised_.insert(surprise.column).second) {
        surprises_.push_back(std::move(surprise));
      } else {
        const auto known =
            std::find_if(surprises_.begin(), surprises_.end(),
                         [&](const Surprise& s) { return s.column == surprise.column; });
        if (known->texts.size() < 64) {
          known->texts.insert(known->texts.end(), surprise.texts.begin(), surprise.texts.end());
        }
      }
    }
    if (!block.mistake.empty() && block.footer == 0) {
      fail_at(lines_ + block.mistake_line, block.mistake);
    }
    if (block.footer > 0) {
      footer_mistake_ = block.mistake;
      footer_line_ = lines_ + block.mistake_line;
      footer_ = block.footer;
    }
    lines_ += block.lines;
    if (!surprises_.empty() || block.rows == 0) return;
    for (std::size_t c = 0; c < block.placeholders.size(); ++c) {
      placeholders_[c] += block.placeholders[c];
    }
    for (std::size_t c = 0; c < block.missing_words.size(); ++c) {
      missing_words_[c] += block.missing_words[c];
      if (missing_word_.empty()) missing_word_ = block.missing_word;
    }

    if (rows_ == 0) expect_rows(block);
    const auto rows = static_cast<std::size_t>(block.rows);
    const auto features = static_cast<std::size_t>(layout_.features);
    const auto width = static_cast<std::size_t>(layout_.width());
    grow(features_, rows * features);
    if (layout_.has_target) grow(target_, rows);
    if (layout_.has_weights) grow(weights_, rows);
    const T* const values = block.values.data();
    visit_elements(features_.data() + features_.size(), block.rows * layout_.features,
                   external::Access::write);
    if (width == features) {
      features_.insert(features_.end(), values, values + rows * width);
    } else {
      for (std::size_t i = 0; i < rows; ++i) {
        const T* const row = values + i * width;
        features_.insert(features_.end(), row, row + features);
        if (layout_.has_target) target_.push_back(row[features]);
        if (layout_.has_weights) weights_.push_back(row[width - 1]);
      }
    }
    if (!texts_.empty()) {
      Span span{rows_, block.rows, {}};
      for (std::size_t d = 0; d < texts_.size(); ++d) {
        span.codes.push_back(merge(d, block));
        text_bytes_ +=
            static_cast<Index>(sizeof(span.codes[d]) + span.codes[d].size() * sizeof(std::int32_t));
      }
      budget_.require(saturating_sum(text_bytes_, held()), "its texts");
      spans_.push_back(std::move(span));
    }
    if (has_labels()) labels_.append(block.labels);
    trailing_blanks_ =
        block.trailing_blanks == block.rows ? trailing_blanks_ + block.rows : block.trailing_blanks;
    rows_ += block.rows;
  }

  [[nodiscard]] bool has_labels() const {
    return layout_.has_target && layout_.plans[static_cast<std::size_t>(roles_.target)].labels;
  }

  // Codes of a block's dictionary in the global one.
  std::vector<std::int32_t> merge(std::size_t d, const CsvBlock<T>& block) {
    auto& text = texts_[d];
    const auto& own = block.dictionaries[d];
    std::vector<std::int32_t> codes(own.size());
    for (std::size_t c = 0; c < own.size(); ++c) {
      const std::string& category = own.text(c);
      std::int32_t code = text.dictionary.find(category);
      if (code < 0 && text.fixed && !text.extends) {
        if (text.unknown_texts.size() < 5 &&
            std::find(text.unknown_texts.begin(), text.unknown_texts.end(), category) ==
                text.unknown_texts.end()) {
          text.unknown_texts.push_back(category);
        }
      } else if (code < 0) {
        if (static_cast<Index>(text.dictionary.size()) >= most_column_categories) {
          refuse_many_categories(layout_.file, names_[static_cast<std::size_t>(text.column)]);
        }
        require_utf8(layout_.file, category);
        text_bytes_ += static_cast<Index>(category.size()) + 128;
        budget_.require(saturating_sum(text_bytes_, held()), "its texts");
        code = text.dictionary.code(category);
      }
      codes[c] = code;
    }
    return codes;
  }

  [[nodiscard]] Index held() const {
    const auto bytes = [](const std::vector<T>& values) {
      return static_cast<Index>(values.capacity() * sizeof(T));
    };
    return bytes(features_) + bytes(target_) + bytes(weights_);
  }

  // Reserves what the first block lets expect of the whole file, and refuses at once what cannot
  // fit by a wide margin: the estimate may be off.
  void expect_rows(const CsvBlock<T>& block) {
    if (input_.compression() != Compression::none || input_.stored_size() < 0) return;
    const double bytes_per_row =
        static_cast<double>(std::min<Index>(input_.stored_size(), RecordReader::chunk_size)) /
        static_cast<double>(block.rows);
    expected_rows_ =
        static_cast<Index>(1.02 * static_cast<double>(input_.stored_size()) / bytes_per_row) + 64;
    const Index bytes =
        saturating_product(saturating_product(expected_rows_, layout_.width()), sizeof(T));
    budget_.require(bytes / 4 * 3, describe(expected_rows_, "about "));
    if (bytes > budget_.bytes()) return;
    features_.reserve(static_cast<std::size_t>(expected_rows_ * layout_.features));
    if (layout_.has_target) target_.reserve(static_cast<std::size_t>(expected_rows_));
    if (layout_.has_weights) weights_.reserve(static_cast<std::size_t>(expected_rows_));
  }

  [[nodiscard]] std::string describe(Index rows, const std::string& about) const {
    return about + std::to_string(rows) + " rows of " + std::to_string(layout_.width()) +
           " columns in " + std::string(to_string(precision_of<T>));
  }

  // Room for `more` elements; while it moves, a vector is there twice.
  void grow(std::vector<T>& values, std::size_t more) {
    const std::size_t needed = values.size() + more;
    if (needed <= values.capacity()) return;
    std::size_t wanted = std::max(needed, 2 * values.capacity());
    const auto fits = [&](std::size_t count) {
      return saturating_sum(saturating_product(static_cast<Index>(count), sizeof(T)),
                            held() + text_bytes_) <= budget_.bytes();
    };
    if (!fits(wanted)) wanted = needed;
    if (!fits(wanted)) {
      budget_.require(saturating_sum(saturating_product(static_cast<Index>(wanted), sizeof(T)),
                                     held() + text_bytes_),
                      describe(rows_, "reading on after "));
    }
    values.reserve(wanted);
  }

  // --- the result -------------------------------------------------------------------------------

  // Empty lines at the end of a file of one column are no rows.
  void drop_trailing_blanks() {
    if (trailing_blanks_ == 0) return;
    rows_ -= trailing_blanks_;
    const auto rows = static_cast<std::size_t>(rows_);
    features_.resize(rows * static_cast<std::size_t>(layout_.features));
    if (layout_.has_target) target_.resize(rows);
    for (Span& span : spans_) {
      span.rows = std::clamp<Index>(rows_ - span.first_row, 0, span.rows);
    }
    labels_.truncate(rows);
  }

  Dataset<T> finish() {
    drop_trailing_blanks();
    if (rows_ == 0)
      throw InputError(layout_.file + ": has no rows below the header; if its one line is data, " +
                       option("header") + " no says so");
    if (footer_ > 0) {
      note(layout_.file + ": from line " + std::to_string(footer_line_ + 1) + " on, the last " +
           (footer_ == 1 ? std::string("line is") : std::to_string(footer_) + " lines are") +
           " left out as no part of the table, because the line " + footer_mistake_);
    }
    Dataset<T> data;
    data.source = layout_.file;
    name_features(data);
    if (layout_.has_target) {
      data.target_column.name =
          header_ ? names_[static_cast<std::size_t>(roles_.target)] : std::string("target");
    }
    code_texts(data);
    data.features = Matrix<T>(rows_, layout_.features, std::move(features_));
    data.target = std::move(target_);
    data.weights = std::move(weights_);
    data.target_texts = labels_.take();
    remark_on_placeholders();
    if (options_.schema == nullptr) {
      remark_on_types(data.features);
      remark_on_totals(data);
      remark_on_empty_rows(data);
    }
    record(data);
    return data;
  }

  // Spreadsheets write the rows below a table that were used once: fields without values.
  void remark_on_empty_rows(const Dataset<T>& data) {
    Index rows = 0;
    while (rows < rows_) {
      const auto row = data.features.row(rows_ - 1 - rows);
      const bool target = layout_.has_target &&
                          !std::isnan(data.target[static_cast<std::size_t>(rows_ - 1 - rows)]);
      if (target || !std::all_of(row.begin(), row.end(), [](T x) { return std::isnan(x); })) break;
      ++rows;
    }
    if (rows == 0 || rows == rows_ || layout_.features < 2) return;
    note(layout_.file + ": the last " +
         (rows == 1 ? std::string("row holds") : std::to_string(rows) + " rows hold") +
         " no value at all and " + (rows == 1 ? "is a row" : "are rows") +
         " as the others are; take " + (rows == 1 ? "it" : "them") + " out of the file");
  }

  // By the first column of texts.
  void remark_on_totals(const Dataset<T>& data) {
    for (const Index column : roles_.features) {
      const FieldPlan& plan = layout_.plans[static_cast<std::size_t>(column)];
      if (plan.use != FieldUse::text) continue;
      const T code = data.features(rows_ - 1, plan.slot);
      if (rows_ < 3 || std::isnan(code)) return;
      const Column& texts = data.columns[static_cast<std::size_t>(plan.slot)];
      return note_any(
          total_remark(layout_.file, texts.name, texts.categories[static_cast<std::size_t>(code)]));
    }
  }

  void name_features(Dataset<T>& data) {
    if (options_.schema != nullptr) {
      for (const Column& column : options_.schema->columns)
        data.columns.push_back({column.name, {}});
      return;
    }
    feature_names_.assign(names_.size(), "");
    Index number = 0;
    for (const Index column : roles_.features) {
      const auto at = static_cast<std::size_t>(column);
      feature_names_[at] = header_ ? names_[at] : "x" + std::to_string(number);
      if (layout_.plans[at].use != FieldUse::parts) {
        data.columns.push_back({feature_names_[at], {}});
        ++number;
        continue;
      }
      for (const std::string_view part : date_part_names) {
        data.columns.push_back({feature_names_[at] + "." + std::string(part), {}});
        ++number;
      }
    }
  }

  // Writes down what was decided, so that later files are read in the same way.
  void record(Dataset<T>& data) {
    auto reading = std::make_shared<Reading>(options_.reading);
    reading->format = tabs_ ? "tsv" : "csv";
    reading->header = header_ ? HeaderChoice::yes : HeaderChoice::no;
    reading->delimiter = layout_.dialect.delimiter;
    if (layout_.dialect.whitespace) reading->delimiter = Delimiter::parse("whitespace");
    reading->comment = layout_.dialect.comment;
    if (options_.reading.skip_lines < 0) reading->skip_lines = skipped_ - (separator_line_ ? 1 : 0);
    if (options_.reading.dates == DateUse::automatic) reading->dates = DateUse::seconds;
    if (options_.schema == nullptr) {
      reading->decimal = marks_.decimal == ',' ? DecimalMark::comma : DecimalMark::point;
      if (options_.reading.thousands == ThousandsMark::automatic)
        reading->thousands = ThousandsMark::none;
      reading->columns.list.clear();
      const auto add = [&](Index column, const std::string& name) {
        const FieldPlan& plan = layout_.plans[static_cast<std::size_t>(column)];
        const ColumnReading said = reading_of(name, plan.type);
        // Texts are known by the categories of their column, and most numbers are plain.
        const bool usual = plan.use == FieldUse::text ||
                           (said.kind == ColumnKind::number && said.decimal == reading->decimal &&
                            said.thousands == reading->thousands);
        if (!usual) reading->columns.list.push_back(said);
      };
      for (const Index column : roles_.features) {
        add(column, feature_names_[static_cast<std::size_t>(column)]);
      }
      if (layout_.has_target) add(roles_.target, data.target_column.name);
    }
    reading->notices = std::move(notices_);
    data.reading = std::move(reading);
  }

  // Final codes: the ascending order of the texts, or the schema's.
  void code_texts(Dataset<T>& data) {
    const Index features = layout_.features;
    for (std::size_t d = 0; d < texts_.size(); ++d) {
      auto& text = texts_[d];
      const Index slot = layout_.plans[static_cast<std::size_t>(text.column)].slot;
      const bool target = slot == features;
      auto& column = target ? data.target_column : data.columns[static_cast<std::size_t>(slot)];
      const std::size_t count = text.dictionary.size();
      const std::size_t kept = text.fixed ? fixed_column(slot)->categories.size() : 0;
      std::vector<std::size_t> order(count);
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::sort(order.begin() + static_cast<std::ptrdiff_t>(std::min(kept, count)), order.end(),
                [&](std::size_t a, std::size_t b) {
                  return text.dictionary.text(a) < text.dictionary.text(b);
                });
      std::vector<T> final_code(count);
      for (std::size_t k = 0; k < count; ++k) {
        final_code[order[k]] = static_cast<T>(k);
        column.categories.push_back(text.dictionary.text(order[k]));
      }
      std::vector<Index> unknown(spans_.size(), 0);
      parallel_for(reading_threads(options_, input_), static_cast<Index>(spans_.size()),
                   [&](Index s) {
                     const auto& span = spans_[static_cast<std::size_t>(s)];
                     const auto& codes = span.codes[d];
                     T* p = target ? target_.data() + span.first_row
                                   : features_.data() + span.first_row * features + slot;
                     const Index stride = target ? 1 : features;
                     for (Index i = 0; i < span.rows; ++i, p += stride) {
                       if (std::isnan(*p)) continue;
                       const std::int32_t code = codes[static_cast<std::size_t>(*p)];
                       unknown[static_cast<std::size_t>(s)] += code < 0 ? 1 : 0;
                       *p = code < 0 ? std::numeric_limits<T>::quiet_NaN()
                                     : final_code[static_cast<std::size_t>(code)];
                     }
                   });
      text.unknown = std::accumulate(unknown.begin(), unknown.end(), Index{0});
      warn_about(text, column);
    }
    if (warnings_ > most_warnings) {
      note(layout_.file + ": " + std::to_string(warnings_ - most_warnings) +
           " more columns of texts are like these");
    }
  }

  // --- what could be meant otherwise ------------------------------------------------------------

  void note(std::string message) {
    log::warning(message);
    notices_.push_back(std::move(message));
  }

  void warn(const std::string& message) {
    if (++warnings_ <= most_warnings) note(message);
  }

  void warn_about(const Text& text, const Column& column) {
    if (text.unknown > 0) {
      warn(unknown_categories(layout_.file, column.name, text.unknown, text.unknown_texts));
    }
    if (text.fixed) return;
    const auto at = static_cast<std::size_t>(text.column);
    const auto count = static_cast<Index>(column.categories.size());
    const bool said = said_[at] != nullptr;
    const auto numbers =
        std::count_if(column.categories.begin(), column.categories.end(), is_number);
    if (numbers > 0 && numbers < count && !said && warnings_ >= most_warnings) {
      ++warnings_;
    } else if (numbers > 0 && numbers < count && !said) {
      // What stands for a missing value would not have made texts of numbers.
      const auto usual = [&](const std::string& value) {
        return is_number(value) || (layout_.placeholders && is_placeholder(value));
      };
      auto word = std::find_if_not(column.categories.begin(), column.categories.end(), usual);
      if (word == column.categories.end()) {
        word = std::find_if_not(column.categories.begin(), column.categories.end(), is_number);
      }
      const Surprise& first = first_surprises_[at];
      const auto odd = std::find_if_not(first.texts.begin(), first.texts.end(), usual);
      warn(layout_.file + ": the column " + column.name +
           " mixes numbers and text and is read as text, because of " +
           (odd != first.texts.end()
                ? quoted_field(*odd) + " in line " + std::to_string(first.line + 1)
                : quoted_field(*word)) +
           mixture_advice(column.name, odd != first.texts.end() ? *odd : *word, count - numbers));
    } else if (count > 0 && numbers == count && !said && evidence_[at].zeros_ > 0) {
      warn(layout_.file + ": the column " + column.name + " holds numbers that begin with zeros (" +
           quoted_field(evidence_[at].zero_example_) +
           ") and is read as identifiers, which are categories; " + option("columns") + " " +
           column.name + ":number says otherwise");
    }
    if (names_.size() == 1 && !said) {
      const std::string remark =
          uncut_remark(layout_.file, header_ ? names_[0] : "", column.categories);
      if (!remark.empty()) return warn(remark);
    }
    if (text.column != roles_.target && !said) {
      const std::string remark = identifier_remark(layout_.file, column.name, count, rows_);
      if (!remark.empty()) warn(remark);
      const std::string by_case = case_remark(layout_.file, column.name, column.categories);
      if (!by_case.empty()) warn(by_case);
      if (begin_with_numbers(column.categories)) {
        if (quantities_.empty()) quantity_ = column.categories.front();
        quantities_.push_back(column.name);
      }
    }
  }

  // Requires the whole of the file to have been read.
  [[nodiscard]] bool holds_nothing(std::size_t c, const Matrix<T>& features) const {
    if (evidence_[c].values_ > 0) return false;
    const Index slot = layout_.plans[c].slot;
    for (Index i = 0; i < rows_; ++i) {
      if (!std::isnan(features.data()[i * layout_.features + slot])) return false;
    }
    return true;
  }

  // Names of the columns of which `holds` is true.
  template <class Holds>
  [[nodiscard]] std::vector<std::string> columns_where(const Holds& holds) const {
    std::vector<std::string> found;
    for (std::size_t c = 0; c < names_.size(); ++c) {
      const FieldUse use = layout_.plans[c].use;
      if (use == FieldUse::skip || use == FieldUse::empty) continue;
      if (said_[c] == nullptr && holds(c)) found.push_back(names_[c]);
    }
    return found;
  }

  // A remark on some columns, where there are any.
  void note_any(std::string remark) {
    if (!remark.empty()) note(std::move(remark));
  }

  template <class Holds>
  void note_columns(const Holds& holds, const std::string& one, const std::string& many,
                    const std::string& rest) {
    note_any(columns_remark(layout_.file, columns_where(holds), one, many, rest));
  }

  void remark_on_types(const Matrix<T>& features) {
    const auto use = [&](std::size_t c) { return layout_.plans[c].use; };
    const auto number = [&](std::size_t c) {
      return use(c) == FieldUse::number || use(c) == FieldUse::label;
    };
    note_columns(
        [&](std::size_t c) { return use(c) == FieldUse::number && holds_nothing(c, features); },
        "holds no values", "hold no values", "; leave out such a column with " + option("ignore"));
    if (options_.reading.missing.standard) {
      note_columns([&](std::size_t c) { return use(c) == FieldUse::text && missing_words_[c] > 0; },
                   "has words such as", "have words such as",
                   " " + quoted_field(missing_word_) +
                       " that are taken for missing values; where they are categories, say " +
                       option("missing") + " ''");
    }
    note_columns(
        [&](std::size_t c) {
          return number(c) && evidence_[c].values_ >= 5 &&
                 evidence_[c].compact_dates_ == evidence_[c].values_;
        },
        "holds", "hold",
        " whole numbers that could be dates, such as 20240131; " + option("columns") +
            " NAME:date reads them as such");
    note_columns(
        [&](std::size_t c) {
          const ColumnEvidence& found = evidence_[c];
          return number(c) && found.values_ >= 5 && found.exponents_ > 0 &&
                 found.exponents_ + found.digits_ == found.values_;
        },
        "holds", "hold",
        " whole numbers, some with an exponent, such as 12E5, which is read as 1200000; where they "
        "are codes, " +
            option("columns") + " NAME:category keeps them");
    note_any(quantity_remark(layout_.file, quantities_, quantity_));
    const bool parts = options_.reading.dates == DateUse::parts;
    const auto date = [&](std::size_t c) {
      return use(c) == FieldUse::date || use(c) == FieldUse::parts;
    };
    note_any(dates_remark(layout_.file, columns_where(date), parts));
    if (sizeof(T) == 4 && !parts) note_any(rounded_dates_remark(layout_.file, columns_where(date)));
    for (std::size_t c = 0; c < names_.size(); ++c) {
      if (said_[c] != nullptr || !ambiguous_[c]) continue;
      if (use(c) == FieldUse::text && types_[c].order == year_first) {
        note(short_year_remark(layout_.file, names_[c]));
      }
      if (use(c) == FieldUse::date || use(c) == FieldUse::parts) {
        note(order_remark(layout_.file, names_[c], evidence_[c].orders_, types_[c].order));
      } else if (number(c)) {
        double value = 0;
        (void)parse_marked_number(evidence_[c].example_, types_[c].form, value);
        const bool comma = types_[c].form.decimal == ',';
        note(layout_.file + ": " + quoted_field(evidence_[c].example_) + " in the column " +
             names_[c] + " is read as " + shortest(value) + "; " + option("decimal") +
             (comma ? " ." : " ,") + " or " + option("columns") + " says otherwise");
      }
    }
    for (std::size_t c = 0; c < names_.size(); ++c) {
      // 1.234 in a file cut at semicolons, where programs write decimal commas and these thousands.
      const bool open = number(c) && said_[c] == nullptr && types_[c].form.plain() &&
                        evidence_[c].fractions_ > 1 && layout_.dialect.delimiter == ';' &&
                        (evidence_[c].numbers_ & point_thousands) != 0;
      if (!open || options_.reading.decimal != DecimalMark::automatic) continue;
      double value = 0;
      (void)parse_marked_number(evidence_[c].example_, types_[c].form, value);
      note(layout_.file + ": " + quoted_field(evidence_[c].example_) + " in the column " +
           names_[c] + " is read as " + shortest(value) + ", though its point may separate " +
           "thousands; " + option("decimal") + " , or " + option("columns") + " says otherwise");
    }
    note_columns(
        [&](std::size_t c) {
          return number(c) && !types_[c].form.plain() && !ambiguous_[c] &&
                 evidence_[c].fractions_ > 0;
        },
        "holds", "hold",
        std::string(" numbers with ") +
            (marks_.decimal == ',' || marks_.mixed ? "decimal commas or thousands marks"
                                                   : "thousands marks or decimal commas") +
            "; " + option("decimal") + " and " + option("thousands") + " say otherwise");
    note_columns([&](std::size_t c) { return number(c) && evidence_[c].currencies_ > 0; },
                 "has signs of currency, which are", "have signs of currency, which are",
                 " left out; " + option("columns") + " NAME:category says otherwise");
    note_columns([&](std::size_t c) { return number(c) && evidence_[c].several_currencies_; },
                 "has amounts in", "have amounts in",
                 " several currencies, which are read as if they were one; " + option("columns") +
                     " NAME:category says otherwise");
    note_columns(
        [&](std::size_t c) { return number(c) && evidence_[c].percents_ > 0; },
        "has percent signs, which are", "have percent signs, which are",
        " left out, so that 12% is 12; " + option("columns") + " NAME:category says otherwise");
    note_columns(
        [&](std::size_t c) {
          return number(c) && evidence_[c].percents_ > 0 &&
                 evidence_[c].percents_ < evidence_[c].values_;
        },
        "mixes", "mix", " numbers with and without a percent sign: are they on one scale?");
    note_any(times_remark(layout_.file,
                          columns_where([&](std::size_t c) { return use(c) == FieldUse::time; })));
    note_columns([&](std::size_t c) { return use(c) == FieldUse::boolean; },
                 "holds truth values, which become", "hold truth values, which become",
                 " 1 and 0; " + option("columns") + " NAME:category says otherwise");
    note_columns(
        [&](std::size_t c) { return use(c) == FieldUse::number && evidence_[c].long_numbers_ > 0; },
        "has", "have",
        " whole numbers of more digits than a number of 64 bits holds exactly; if they are "
        "identifiers, leave them out with " +
            option("ignore") + " or say " + option("columns") + " NAME:category");
  }

  void remark_on_placeholders() {
    for (std::size_t c = 0; c < names_.size(); ++c) {
      if (placeholders_[c] == 0) continue;
      const bool one = placeholders_[c] == 1;
      warn(layout_.file + ": " + std::to_string(placeholders_[c]) +
           (one ? " field of the column " : " fields of the column ") + names_[c] +
           (one ? " that is" : " that are") + " no value ('-', '.', 'unknown' and the like) " +
           (one ? "is" : "are") + " taken as missing; " + option("columns") + " " + names_[c] +
           ":category or " + option("missing") + " says otherwise");
    }
  }

  // A column with a name that counts the rows is kept, and said.
  void remark_on_row_numbers(const std::vector<CsvRecordFields>& records, std::size_t first_row) {
    if (records.size() < first_row + 5) return;
    for (const Index column : roles_.features) {
      const auto at = static_cast<std::size_t>(column);
      if (!counts(records, first_row, at)) continue;
      note(layout_.file + ": the column " + names_[at] +
           " counts the rows and is a feature nevertheless; leave it out with " + option("ignore") +
           " " + (header_ ? names_[at] : std::to_string(column)));
      return;
    }
  }

  static std::string some(const std::vector<std::string>& fields) {
    std::string text;
    for (std::size_t i = 0; i < fields.size() && i < 4; ++i) {
      text += (i > 0 ? ", " : "") + fields[i].substr(0, 20);
    }
    return fields.size() > 4 ? text + ", ..." : text;
  }

  Input input_;  // as text, from the table's first line on
  const ReadOptions& options_;
  MemoryBudget budget_;
  bool tabs_;
  CsvLayout layout_;
  CsvRoles roles_;
  std::string encoding_;
  Index skipped_ = 0;  // lines before the table
  bool separator_line_ = false;
  bool header_ = false;  // the columns have names
  bool unnamed_first_ = false;
  bool unnamed_in_header_ = false;  // the header has one field fewer than the rows
  bool empty_last_ = false;
  FileMarks marks_;
  // Per column of the file:
  std::vector<std::string> names_;
  std::vector<std::string> feature_names_;
  std::vector<bool> left_out_;
  std::vector<ColumnEvidence> evidence_;
  std::vector<ColumnType> types_;
  std::vector<bool> ambiguous_;
  std::vector<Surprise> first_surprises_;
  std::vector<const ColumnReading*> said_;  // by the user
  std::vector<Index> placeholders_;
  std::vector<Index> missing_words_;
  std::string missing_word_;
  std::vector<std::string> quantities_;  // columns of texts that begin with numbers
  std::string quantity_;
  std::vector<std::string> notices_;
  std::vector<Text> texts_;
  std::vector<Span> spans_;
  std::vector<Surprise> surprises_;
  std::unordered_set<Index> surprised_;
  std::vector<T> features_;
  std::vector<T> target_;
  std::vector<T> weights_;
  LabelTexts labels_{exact_digits_of<T>};
  std::string footer_mistake_;
  Index footer_line_ = 0;
  Index footer_ = 0;
  Index trailing_blanks_ = 0;
  Index rows_ = 0;
  Index lines_ = 0;
  Index text_bytes_ = 0;
  Index expected_rows_ = 0;
  Index warnings_ = 0;
};

}  // namespace

template <Real T>
Dataset<T> read_csv(const Input& input, const ReadOptions& options, bool tabs) {
  return CsvReader<T>(input, options, tabs).read();
}

template Dataset<float> read_csv(const Input&, const ReadOptions&, bool);
template Dataset<double> read_csv(const Input&, const ReadOptions&, bool);

}  // namespace tandem

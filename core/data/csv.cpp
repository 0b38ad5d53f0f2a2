// Comma-separated values (RFC 4180) and relatives, read by chunks of whole records in parallel.
//
// The head of the file tells the delimiter, whether there is a header, and which columns are text.
// Where a column that looked numeric turns out to hold text later, the rest of the file is only
// looked through for more such columns and then read once more; a second surprise is impossible.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "core/data/number.hpp"
#include "core/data/readers.hpp"
#include "core/data/records.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"

namespace tandem {
namespace {

constexpr Index most_columns = Index{1} << 22;
constexpr Index most_warnings = 5;
constexpr Index most_categories = Index{1} << 20;
constexpr std::array<char, 4> delimiters{',', '\t', ';', '|'};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Shows a field in a message: shortened, and printable.
std::string quoted(std::string_view text) {
  std::string shown = "'";
  for (const char c : text.substr(0, 40)) shown += static_cast<unsigned char>(c) < 32 ? ' ' : c;
  if (text.size() > 40) shown += "...";
  return shown + "'";
}

bool valid_utf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = p + text.size();
  while (p < end) {
    if (*p < 0x80) {
      ++p;
      continue;
    }
    std::uint32_t point = 0;
    int more = 0;
    std::uint32_t lowest = 0;
    if ((*p & 0xE0) == 0xC0)
      point = *p & 0x1F, more = 1, lowest = 0x80;
    else if ((*p & 0xF0) == 0xE0)
      point = *p & 0x0F, more = 2, lowest = 0x800;
    else if ((*p & 0xF8) == 0xF0)
      point = *p & 0x07, more = 3, lowest = 0x10000;
    else
      return false;
    if (end - p <= more) return false;
    for (int i = 1; i <= more; ++i) {
      if ((p[i] & 0xC0) != 0x80) return false;
      point = (point << 6) | (p[i] & 0x3FU);
    }
    if (point < lowest || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
    p += more + 1;
  }
  return true;
}

void require_utf8(const std::string& file, std::string_view text) {
  if (valid_utf8(text)) return;
  throw InputError(file + ": the text " + quoted(text) +
                   " is not UTF-8; convert the file, for example with iconv -f latin1 -t utf-8");
}

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};

// Distinct texts, coded in order of appearance.
class Dictionary {
 public:
  Dictionary() = default;
  // Moves keep the addresses of the texts; copies would not.
  Dictionary(const Dictionary&) = delete;
  Dictionary& operator=(const Dictionary&) = delete;
  Dictionary(Dictionary&&) noexcept = default;
  Dictionary& operator=(Dictionary&&) noexcept = default;

  std::int32_t code(std::string_view text) {
    const auto found = codes_.find(text);
    if (found != codes_.end()) return found->second;
    const auto next = static_cast<std::int32_t>(codes_.size());
    const auto inserted = codes_.emplace(std::string(text), next).first;
    texts_.push_back(&inserted->first);
    return next;
  }
  // −1 where it is not there.
  [[nodiscard]] std::int32_t find(std::string_view text) const {
    const auto found = codes_.find(text);
    return found == codes_.end() ? -1 : found->second;
  }
  [[nodiscard]] std::size_t size() const noexcept { return texts_.size(); }
  [[nodiscard]] const std::string& text(std::size_t code) const { return *texts_[code]; }
  void clear() {
    codes_.clear();
    texts_.clear();
  }

 private:
  std::unordered_map<std::string, std::int32_t, TextHash, std::equal_to<>> codes_;
  std::vector<const std::string*> texts_;
};

// One field, from the first character of it. What follows it: the delimiter, or the record's end.
struct Field {
  std::string_view text;       // without quotes; blanks around it are left out unless it was quoted
  const char* next = nullptr;  // the delimiter, or the line feed that ends the record
  Index line_feeds = 0;        // inside the quotes
  const char* mistake = nullptr;
};

// `scratch` holds the text of quoted fields with doubled quotes. The last byte before `end` is a
// line feed.
Field read_field(const char* p, const char* end, char delimiter, std::string& scratch) {
  Field field;
  if (*p != '"') {
    const char* q = p;
    while (*q != delimiter && *q != '\n') ++q;
    field.next = q;
    if (*q == '\n' && q > p && q[-1] == '\r') --q;
    field.text = trimmed({p, static_cast<std::size_t>(q - p)});
    return field;
  }
  scratch.clear();
  const char* from = p + 1;
  for (;;) {
    const auto* const quote =
        static_cast<const char*>(std::memchr(from, '"', static_cast<std::size_t>(end - from)));
    if (quote == nullptr) {
      field.mistake = "a quoted field is never closed";
      return field;
    }
    scratch.append(from, quote);
    if (quote[1] == '"') {
      scratch += '"';
      from = quote + 2;
      continue;
    }
    from = quote + 1;
    break;
  }
  field.line_feeds = static_cast<Index>(std::count(p, from, '\n'));
  field.text = scratch;
  while (*from == ' ' && delimiter != ' ') ++from;
  if (*from == '\r' && from[1] == '\n') ++from;
  if (from < end && (*from == delimiter || *from == '\n')) {
    field.next = from;
  } else {
    field.mistake = "text follows a closing quote; a quote inside a quoted field is written twice";
  }
  return field;
}

// Skips empty lines; false at the end.
bool skip_empty_lines(const char*& p, const char* end, Index& lines) {
  while (p < end) {
    if (*p == '\n') {
      ++p;
    } else if (*p == '\r' && p[1] == '\n') {
      p += 2;
    } else {
      return true;
    }
    ++lines;
  }
  return false;
}

// The fields of the record at p, which moves behind it. A mistake ends the record.
const char* split_record(const char*& p, const char* end, char delimiter,
                         std::vector<std::string>& fields, Index& lines) {
  fields.clear();
  std::string scratch;
  for (;;) {
    const Field field = read_field(p, end, delimiter, scratch);
    lines += field.line_feeds;
    if (field.mistake != nullptr) return field.mistake;
    if (static_cast<Index>(fields.size()) == most_columns) return "has more than 4194304 fields";
    fields.emplace_back(field.text);
    p = field.next + 1;
    if (*field.next == '\n') {
      ++lines;
      return nullptr;
    }
  }
}

enum class Kind : std::uint8_t { skip, number, text };

// The use of each column of the file.
struct Plan {
  Kind kind = Kind::skip;
  Index slot = 0;         // place in a row of the result: features, then target, then weight
  Index dictionary = -1;  // text columns
};

// Where a column that was taken for numeric held text first.
struct Surprise {
  Index column;
  Index line;
  std::string text;
};

struct Layout {
  std::string file;
  char delimiter = ',';
  bool header = false;
  std::vector<std::string> names;  // of the file's columns
  std::vector<std::string> missing;
  bool missing_first = false;  // some text for missing values reads as a number
  std::vector<Plan> plans;     // one per column of the file
  Index features = 0;
  bool has_target = false;
  bool has_weights = false;

  [[nodiscard]] Index columns() const { return static_cast<Index>(plans.size()); }
  [[nodiscard]] Index width() const {
    return features + (has_target ? 1 : 0) + (has_weights ? 1 : 0);
  }
  [[nodiscard]] bool is_missing(std::string_view text) const {
    text = trimmed(text);
    return std::find(missing.begin(), missing.end(), text) != missing.end();
  }
};

// One chunk, parsed.
template <Real T>
struct Block {
  std::vector<T> values;  // rows × width; texts as codes of the block's own dictionaries
  Index rows = 0;
  Index lines = 0;
  std::vector<Dictionary> dictionaries;
  std::vector<Surprise> surprises;
  std::vector<bool> surprised;  // per column, where there are any
  std::string mistake;          // ends the block
  Index mistake_line = 0;
};

template <Real T>
class BlockParser {
 public:
  explicit BlockParser(const Layout& layout) : layout_(layout) {}

  void parse(const Chunk& chunk, Index dictionaries, Block<T>& block) const {
    block.rows = 0;
    block.lines = 0;
    block.mistake.clear();
    block.surprises.clear();
    block.dictionaries.resize(static_cast<std::size_t>(dictionaries));
    for (auto& dictionary : block.dictionaries) dictionary.clear();

    const char* p = chunk.begin();
    const char* const end = chunk.end();
    std::string scratch;
    if (chunk.number() == 0 && layout_.header && skip_empty_lines(p, end, block.lines)) {
      std::vector<std::string> header;
      (void)split_record(p, end, layout_.delimiter, header, block.lines);
    }
    const auto width = static_cast<std::size_t>(layout_.width());
    std::size_t used = 0;
    while (skip_empty_lines(p, end, block.lines)) {
      if (block.values.size() < used + width) {
        block.values.resize(std::max(2 * block.values.size(), used + width));
      }
      if (!parse_record(p, end, block.values.data() + used, scratch, block)) return;
      used += width;
      ++block.rows;
    }
  }

 private:
  [[nodiscard]] bool ends_field(const char* p) const {
    return *p == layout_.delimiter || *p == '\n' || (*p == '\r' && p[1] == '\n');
  }

  // False where block.mistake was set.
  bool parse_record(const char*& p, const char* end, T* row, std::string& scratch,
                    Block<T>& block) const {
    const char* const record = p;
    const Index line = block.lines;
    const Plan* plan = layout_.plans.data();
    const Plan* const plans_end = plan + layout_.plans.size();
    for (;; ++plan) {
      if (plan == plans_end) return wrong_count(record, end, line, block);
      if (plan->kind == Kind::number && !layout_.missing_first) {
        while (*p == ' ' && layout_.delimiter != ' ') ++p;
        T value;
        const char* q = parse_number(p, value);
        if (q != nullptr) {
          while (*q == ' ' && layout_.delimiter != ' ') ++q;
          if (ends_field(q)) {
            row[plan->slot] = value;
            p = *q == '\r' ? q + 1 : q;
            if (*p++ == '\n') break;
            continue;
          }
        }
      }
      const Field field = read_field(p, end, layout_.delimiter, scratch);
      block.lines += field.line_feeds;
      if (field.mistake != nullptr) {
        block.mistake = field.mistake;
        block.mistake_line = line;
        return false;
      }
      take(field.text, *plan, plan - layout_.plans.data(), line, row, block);
      p = field.next + 1;
      if (*field.next == '\n') break;
    }
    ++block.lines;
    if (plan + 1 != plans_end) return wrong_count(record, end, line, block);
    if (layout_.has_weights) {
      const T weight = row[layout_.width() - 1];
      if (!(weight >= 0) || std::isinf(weight)) {
        block.mistake = "the weight is missing, negative or infinite; expected a number >= 0";
        block.mistake_line = line;
        return false;
      }
    }
    return true;
  }

  void take(std::string_view text, const Plan& plan, Index column, Index line, T* row,
            Block<T>& block) const {
    if (plan.kind == Kind::skip) return;
    T value = std::numeric_limits<T>::quiet_NaN();
    if (!layout_.is_missing(text)) {
      if (plan.kind == Kind::text) {
        value = static_cast<T>(
            block.dictionaries[static_cast<std::size_t>(plan.dictionary)].code(text));
      } else if (!parse_whole_number(text, value)) {
        if (block.surprises.empty()) block.surprised.assign(layout_.plans.size(), false);
        const auto at = static_cast<std::size_t>(column);
        if (!block.surprised[at]) block.surprises.push_back({column, line, std::string(text)});
        block.surprised[at] = true;
      }
    }
    row[plan.slot] = value;
  }

  bool wrong_count(const char* record, const char* end, Index line, Block<T>& block) const {
    std::vector<std::string> fields;
    Index ignored = 0;
    const char* const mistake = split_record(record, end, layout_.delimiter, fields, ignored);
    block.mistake_line = line;
    block.mistake = mistake != nullptr
                        ? mistake
                        : "has " + std::to_string(fields.size()) +
                              (fields.size() == 1 ? " field" : " fields") + ", expected " +
                              std::to_string(layout_.columns()) +
                              (layout_.header ? " as in the header" : " as in the first record");
    return false;
  }

  const Layout& layout_;
};

// --- the head of the file -----------------------------------------------------------------------

constexpr std::size_t most_head_fields = std::size_t{1} << 20;

struct Head {
  std::string text;      // whole records, with the padding that parse_number wants behind them
  std::size_t size = 0;  // without the padding
  [[nodiscard]] const char* begin() const { return text.data(); }
  [[nodiscard]] const char* end() const { return text.data() + size; }
};

// At least one record and enough to judge by. `longest`: of a record that is read.
Head read_head(const Input& input, std::size_t longest) {
  for (std::size_t size = std::size_t{1} << 18;; size *= 8) {
    Head head;
    head.text = input.head(size);
    const bool whole = head.text.size() < size;
    if (head.text.compare(0, 3, "\xEF\xBB\xBF") == 0) head.text.erase(0, 3);
    if (head.text.size() >= 2 &&
        (head.text.compare(0, 2, "\xFF\xFE") == 0 || head.text.compare(0, 2, "\xFE\xFF") == 0)) {
      throw InputError(
          input.name() +
          ": is UTF-16 text, expected UTF-8; convert it with iconv -f utf-16 -t utf-8");
    }
    if (head.text.find('\0') != std::string::npos) {
      throw InputError(input.name() +
                       ": contains zero bytes, so it is not a text file; name its format with " +
                       option("format") + " if it is one of npy, npz or idx");
    }
    if (whole) {
      if (!head.text.empty() && head.text.back() != '\n') head.text += '\n';
    } else {
      // Quotes that are data in an unusual place are judged again when records are read.
      const char* const cut = last_record_end(head.text.data(), head.text.data() + head.text.size(),
                                              delimiters[0], '"');
      if (cut == nullptr && size <= longest / 8 && input.repeatable()) continue;
      if (cut == nullptr) {
        throw InputError(input.name() + ": the first record is longer than " +
                         readable_size(static_cast<Index>(head.text.size())) +
                         "; is a quote left open, or is this not a text file?");
      }
      head.text.resize(static_cast<std::size_t>(cut - head.text.data()));
    }
    head.size = head.text.size();
    head.text.append(16, '\0');
    return head;
  }
}

std::vector<std::vector<std::string>> first_records(const Head& head, char delimiter,
                                                    std::size_t most) {
  std::vector<std::vector<std::string>> records;
  const char* p = head.begin();
  Index lines = 0;
  std::size_t total = 0;
  while (records.size() < most && total < most_head_fields &&
         skip_empty_lines(p, head.end(), lines)) {
    std::vector<std::string> fields;
    if (split_record(p, head.end(), delimiter, fields, lines) != nullptr) break;
    total += fields.size();
    records.push_back(std::move(fields));
  }
  return records;
}

// The candidate that cuts the first records into equally many fields; of several the one that
// gives the most, and of equals the first listed.
char find_delimiter(const Head& head, bool tabs) {
  if (tabs) return '\t';
  char best = delimiters[0];
  std::size_t best_count = 1;
  bool best_even = false;
  for (const char candidate : delimiters) {
    const auto records = first_records(head, candidate, 20);
    if (records.empty()) continue;
    const std::size_t count = records.front().size();
    if (count < 2) continue;
    const bool even = std::all_of(records.begin(), records.end(),
                                  [&](const auto& fields) { return fields.size() == count; });
    if ((even && !best_even) || (even == best_even && count > best_count)) {
      best = candidate;
      best_count = count;
      best_even = even;
    }
  }
  return best;
}

bool is_number(const std::string& text) {
  double value = 0;
  return parse_whole_number(text, value);
}

// A header has no numbers, and stands over a column of numbers or differs from all that is below.
bool find_header(const std::vector<std::vector<std::string>>& records, const Layout& layout) {
  const auto& first = records.front();
  for (const auto& field : first) {
    if (!layout.is_missing(field) && is_number(field)) return false;
  }
  std::unordered_set<std::string_view> distinct(first.begin(), first.end());
  const bool all_missing =
      std::all_of(first.begin(), first.end(), [&](const auto& f) { return layout.is_missing(f); });
  if (all_missing) return false;
  for (std::size_t r = 1; r < records.size(); ++r) {
    for (std::size_t c = 0; c < std::min(first.size(), records[r].size()); ++c) {
      if (!layout.is_missing(records[r][c]) && is_number(records[r][c])) return true;
    }
  }
  if (distinct.size() != first.size()) return false;
  for (std::size_t r = 1; r < records.size(); ++r) {
    for (std::size_t c = 0; c < std::min(first.size(), records[r].size()); ++c) {
      if (records[r][c] == first[c]) return false;
    }
  }
  return true;
}

// Names that are empty or taken already are made distinct.
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

// --- what the columns are for -------------------------------------------------------------------

struct Roles {
  std::vector<Index> features;  // positions in the file, in the data set's order
  Index target = -1;
  Index weights = -1;
};

std::string listed(const std::vector<std::string>& names) {
  std::string list;
  for (std::size_t i = 0; i < names.size() && i < 10; ++i) list += (i > 0 ? ", " : "") + names[i];
  if (names.size() > 10) list += ", ... (" + std::to_string(names.size()) + " in all)";
  return list;
}

Roles find_roles(const Layout& layout, const ReadOptions& options) {
  const auto count = static_cast<Index>(layout.names.size());
  Roles roles;
  std::vector<bool> taken(static_cast<std::size_t>(count), false);
  if (!options.weights.empty()) {
    roles.weights = find_column(options.weights, layout.names, option("weights"), layout.file);
    taken[static_cast<std::size_t>(roles.weights)] = true;
  }
  for (const auto& name : options.ignore) {
    // A model takes the columns that it needs; the others may be there or not.
    if (options.schema != nullptr) break;
    taken[static_cast<std::size_t>(
        find_column(name, layout.names, option("ignore"), layout.file))] = true;
  }
  std::unordered_map<std::string_view, Index> position;
  for (Index c = 0; c < count; ++c) position.emplace(layout.names[static_cast<std::size_t>(c)], c);

  const Schema* const schema = options.schema;
  const bool schema_target = schema != nullptr && !schema->target.name.empty();
  if (!options.target.empty()) {
    // With a model, the target's name in training wins over a position: the columns may stand in
    // another order, and data to predict on may lack the target.
    const bool by_name = position.count(options.target) > 0;
    const bool by_place = !by_name && (options.target == "last" || is_number(options.target));
    const auto found = schema_target && layout.header && !by_name
                           ? position.find(schema->target.name)
                           : position.end();
    const auto has = [&](const Column& column) { return position.count(column.name) > 0; };
    const bool all_named = schema != nullptr && layout.header &&
                           std::all_of(schema->columns.begin(), schema->columns.end(), has);
    if (by_place && found != position.end()) {
      roles.target = found->second;
    } else if (!(schema_target && options.target == schema->target.name && !by_name) &&
               !(by_place && all_named)) {
      roles.target = find_column(options.target, layout.names, option("target"), layout.file);
    }
  } else if (schema_target && layout.header) {
    const auto found = position.find(schema->target.name);
    if (found != position.end()) roles.target = found->second;
  }
  if (roles.target >= 0) {
    if (taken[static_cast<std::size_t>(roles.target)]) {
      throw InputError(layout.file + ": the column " +
                       layout.names[static_cast<std::size_t>(roles.target)] +
                       " cannot be the target and also weights or ignored");
    }
    taken[static_cast<std::size_t>(roles.target)] = true;
  }
  if (schema == nullptr) {
    for (Index c = 0; c < count; ++c) {
      if (!taken[static_cast<std::size_t>(c)]) roles.features.push_back(c);
    }
    if (roles.features.empty()) {
      throw InputError(layout.file +
                       ": no column is left for the features; columns: " + listed(layout.names));
    }
    return roles;
  }

  std::vector<std::string> lacking;
  if (layout.header) {
    for (const auto& column : schema->columns) {
      const auto found = position.find(column.name);
      if (found == position.end() || taken[static_cast<std::size_t>(found->second)]) {
        lacking.push_back(column.name);
      } else {
        roles.features.push_back(found->second);
      }
    }
    if (lacking.empty()) return roles;
  }
  // Without names on one side, columns are told by their place.
  const auto numbered = numbered_columns(static_cast<Index>(schema->columns.size()));
  const bool nameless =
      std::equal(numbered.begin(), numbered.end(), schema->columns.begin(), schema->columns.end(),
                 [](const Column& a, const Column& b) { return a.name == b.name; });
  if (layout.header && !nameless) {
    throw InputError(layout.file + ": lacks the column" + (lacking.size() == 1 ? " " : "s ") +
                     listed(lacking) + " that the model was trained on; it has " +
                     listed(layout.names));
  }
  roles.features.clear();
  for (Index c = 0; c < count; ++c) {
    if (!taken[static_cast<std::size_t>(c)]) roles.features.push_back(c);
  }
  if (roles.features.size() != schema->columns.size()) {
    throw InputError(layout.file + ": has " + std::to_string(roles.features.size()) +
                     " columns of features, the model was trained on " +
                     std::to_string(schema->columns.size()) +
                     (roles.target < 0 && roles.features.size() == schema->columns.size() + 1
                          ? "; name the target's position with " + option("target")
                          : ""));
  }
  return roles;
}

// --- the whole file -----------------------------------------------------------------------------

template <Real T>
class CsvReader {
 public:
  CsvReader(const Input& input, const ReadOptions& options, bool tabs)
      : input_(input), options_(options), budget_(input.name(), options) {
    layout_.file = input.name();
    layout_.missing = options.missing;
    // A missing value is NaN anyway, however it is spelled; other numbers must be compared first.
    for (const auto& text : options.missing) {
      double value = 0;
      if (parse_whole_number(text, value) && !std::isnan(value)) layout_.missing_first = true;
    }
    look_at_head(tabs);
  }

  Dataset<T> read() {
    if (!read_once()) {
      if (!input_.repeatable()) {
        throw InputError(layout_.file + ": the column " +
                         layout_.names[static_cast<std::size_t>(surprises_.front().column)] +
                         " has text first in line " + std::to_string(surprises_.front().line + 1) +
                         ", so the data has to be read twice, which a pipe does not allow; store "
                         "it in a file first");
      }
      for (const auto& surprise : surprises_)
        text_[static_cast<std::size_t>(surprise.column)] = true;
      surprises_before_ = surprises_;
      make_plans();
      (void)read_once();
    }
    return finish();
  }

 private:
  // The global dictionary of a text column.
  struct Text {
    Index column = 0;  // of the file
    Dictionary dictionary;
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

  void look_at_head(bool tabs) {
    const Head head = read_head(input_, longest_record(budget_));
    layout_.delimiter = options_.delimiter != 0 ? options_.delimiter : find_delimiter(head, tabs);
    if (layout_.delimiter == '"' || layout_.delimiter == '\n' || layout_.delimiter == '\r') {
      throw InputError(option("delimiter") + " cannot be a quote or the end of a line");
    }
    const auto records = first_records(head, layout_.delimiter, 1000);
    if (records.empty()) {
      const char* p = head.begin();
      Index lines = 0;
      if (!skip_empty_lines(p, head.end(), lines)) {
        throw InputError(layout_.file + ": is empty, expected at least one record");
      }
      std::vector<std::string> fields;
      const Index line = lines;
      const char* const mistake = split_record(p, head.end(), layout_.delimiter, fields, lines);
      fail_at(line, mistake != nullptr ? mistake : "cannot be read");
    }
    const auto& first = records.front();
    if (static_cast<Index>(first.size()) > most_columns) {
      throw InputError(layout_.file + ": has " + std::to_string(first.size()) +
                       " columns; at most " + std::to_string(most_columns) + " are read");
    }
    const std::string_view bytes(head.text.data(), head.size);
    const auto line = bytes.substr(0, bytes.find('\n'));
    const auto stray = line.find('\r');
    if (stray != std::string_view::npos && stray + 1 < line.size() &&
        line.find('"') == std::string_view::npos) {
      throw InputError(layout_.file +
                       ": lines end with a carriage return alone; expected line feeds, convert it "
                       "with tr '\\r' '\\n'");
    }
    layout_.header = options_.header.value_or(find_header(records, layout_));
    if (layout_.header) {
      layout_.names = distinct_names(first, layout_.file);
    } else {
      for (std::size_t c = 0; c < first.size(); ++c) {
        layout_.names.push_back("column" + std::to_string(c));
      }
    }
    roles_ = find_roles(layout_, options_);
    text_.assign(first.size(), false);
    for (std::size_t r = layout_.header ? 1 : 0; r < records.size(); ++r) {
      for (std::size_t c = 0; c < std::min(first.size(), records[r].size()); ++c) {
        const auto& field = records[r][c];
        text_[c] = text_[c] || (!layout_.is_missing(field) && !is_number(field));
      }
    }
    layout_.features = static_cast<Index>(roles_.features.size());
    layout_.has_target = roles_.target >= 0;
    layout_.has_weights = roles_.weights >= 0;
    make_plans();
  }

  // The schema's column for a column of the file; nullptr where there is none.
  [[nodiscard]] const Column* fixed_column(Index slot) const {
    if (options_.schema == nullptr) return nullptr;
    if (slot < layout_.features) return &options_.schema->columns[static_cast<std::size_t>(slot)];
    const bool target = layout_.has_target && slot == layout_.features;
    return target && options_.schema->target.categorical() ? &options_.schema->target : nullptr;
  }

  void plan_column(Index column, Index slot) {
    auto& plan = layout_.plans[static_cast<std::size_t>(column)];
    plan.slot = slot;
    const bool weight = column == roles_.weights;
    const Column* const fixed = weight ? nullptr : fixed_column(slot);
    const bool text = fixed != nullptr ? fixed->categorical()
                                       : !weight && text_[static_cast<std::size_t>(column)];
    plan.kind = text ? Kind::text : Kind::number;
    if (!text) return;
    plan.dictionary = static_cast<Index>(texts_.size());
    Text dictionary;
    dictionary.column = column;
    if (fixed != nullptr) {
      for (const auto& category : fixed->categories) (void)dictionary.dictionary.code(category);
      dictionary.fixed = true;
      dictionary.extends = column == roles_.target;
    }
    texts_.push_back(std::move(dictionary));
  }

  void make_plans() {
    layout_.plans.assign(layout_.names.size(), Plan{});
    texts_.clear();
    for (Index j = 0; j < layout_.features; ++j) {
      plan_column(roles_.features[static_cast<std::size_t>(j)], j);
    }
    Index slot = layout_.features;
    if (layout_.has_target) plan_column(roles_.target, slot++);
    if (layout_.has_weights) plan_column(roles_.weights, slot++);
  }

  [[noreturn]] void fail_at(Index line, const std::string& mistake) const {
    throw InputError(layout_.file + ": line " + std::to_string(line + 1) + ": " + mistake);
  }

  // False where columns that were taken for numbers have text.
  bool read_once() {
    features_.clear();
    target_.clear();
    weights_.clear();
    spans_.clear();
    surprises_.clear();
    surprised_.clear();
    rows_ = 0;
    lines_ = 0;
    text_bytes_ = 0;
    RecordReader reader(input_, layout_.delimiter, '"', longest_record(budget_));
    const BlockParser<T> parser(layout_);
    const auto dictionaries = static_cast<Index>(texts_.size());
    parse_in_order<Block<T>>(
        reader, reading_threads(options_, input_),
        [&](const Chunk& chunk, Block<T>& block) { parser.parse(chunk, dictionaries, block); },
        [&](Block<T>& block) { append(block); });
    return surprises_.empty();
  }

  void append(Block<T>& block) {
    for (auto& surprise : block.surprises) {
      surprise.line += lines_;
      const Index slot = layout_.plans[static_cast<std::size_t>(surprise.column)].slot;
      const bool weight = surprise.column == roles_.weights;
      if (weight || (fixed_column(slot) != nullptr && slot < layout_.features)) {
        fail_at(surprise.line, "the column " +
                                   layout_.names[static_cast<std::size_t>(surprise.column)] +
                                   " has " + quoted(surprise.text) + ", expected a number" +
                                   (weight ? "" : " as in the data that the model was trained on"));
      }
      if (surprised_.insert(surprise.column).second) surprises_.push_back(std::move(surprise));
    }
    if (!block.mistake.empty()) fail_at(lines_ + block.mistake_line, block.mistake);
    lines_ += block.lines;
    if (!surprises_.empty() || block.rows == 0) return;

    if (rows_ == 0) expect_rows(block);
    const auto rows = static_cast<std::size_t>(block.rows);
    const auto features = static_cast<std::size_t>(layout_.features);
    const auto width = static_cast<std::size_t>(layout_.width());
    grow(features_, rows * features);
    if (layout_.has_target) grow(target_, rows);
    if (layout_.has_weights) grow(weights_, rows);
    const T* const values = block.values.data();
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
    rows_ += block.rows;
  }

  // Codes of a block's dictionary in the global one.
  std::vector<std::int32_t> merge(std::size_t d, const Block<T>& block) {
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
        if (static_cast<Index>(text.dictionary.size()) >= most_categories)
          too_many_categories(text);
        require_utf8(layout_.file, category);
        text_bytes_ += static_cast<Index>(category.size()) + 128;
        budget_.require(saturating_sum(text_bytes_, held()), "its texts");
        code = text.dictionary.code(category);
      }
      codes[c] = code;
    }
    return codes;
  }

  [[noreturn]] void too_many_categories(const Text& text) const {
    const auto& name = layout_.names[static_cast<std::size_t>(text.column)];
    throw InputError(
        layout_.file + ": the column " + name + " has more than " +
        std::to_string(most_categories) +
        " distinct texts, so it is an identifier or not a category; leave it out with " +
        option("ignore") + " " + name);
  }

  [[nodiscard]] Index held() const {
    const auto bytes = [](const std::vector<T>& values) {
      return static_cast<Index>(values.capacity() * sizeof(T));
    };
    return bytes(features_) + bytes(target_) + bytes(weights_);
  }

  // Reserves what the first block lets expect of the whole file, and refuses at once what cannot
  // fit by a wide margin: the estimate may be off.
  void expect_rows(const Block<T>& block) {
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

  Dataset<T> finish() {
    if (rows_ == 0) throw InputError(layout_.file + ": has no rows below the header");
    Dataset<T> data;
    data.source = layout_.file;
    const auto numbered = numbered_columns(layout_.features);
    for (Index j = 0; j < layout_.features; ++j) {
      const auto at = static_cast<std::size_t>(j);
      const auto column = static_cast<std::size_t>(roles_.features[at]);
      Column made;
      made.name = options_.schema != nullptr ? options_.schema->columns[at].name
                  : layout_.header           ? layout_.names[column]
                                             : numbered[at].name;
      data.columns.push_back(std::move(made));
    }
    if (layout_.has_target) {
      data.target_column.name = layout_.header
                                    ? layout_.names[static_cast<std::size_t>(roles_.target)]
                                    : std::string("target");
    }
    code_texts(data);
    data.features = Matrix<T>(rows_, layout_.features, std::move(features_));
    data.target = std::move(target_);
    data.weights = std::move(weights_);
    return data;
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
      log::warning(layout_.file + ": " + std::to_string(warnings_ - most_warnings) +
                   " more columns of texts are like these");
    }
  }

  void warn(const std::string& message) {
    if (++warnings_ <= most_warnings) log::warning(message);
  }

  void warn_about(const Text& text, const Column& column) {
    if (text.unknown > 0) {
      const bool one = text.unknown == 1;
      warn(layout_.file + ": " + std::to_string(text.unknown) +
           (one ? " value of " : " values of ") + column.name +
           (one ? " is a category" : " are categories") +
           " that the model does not know, such as " + listed(text.unknown_texts) +
           "; taken as missing");
    }
    if (text.fixed) return;
    const auto count = static_cast<Index>(column.categories.size());
    const auto numbers =
        std::count_if(column.categories.begin(), column.categories.end(), is_number);
    if (numbers > 0 && numbers < count && warnings_ >= most_warnings) {
      ++warnings_;
    } else if (numbers > 0 && numbers < count) {
      const auto word =
          std::find_if_not(column.categories.begin(), column.categories.end(), is_number);
      const auto first = std::find_if(surprises_before_.begin(), surprises_before_.end(),
                                      [&](const Surprise& s) { return s.column == text.column; });
      warn(layout_.file + ": the column " + column.name +
           " mixes numbers and text and is read as text, because of " +
           (first != surprises_before_.end()
                ? quoted(first->text) + " in line " + std::to_string(first->line + 1)
                : quoted(*word)) +
           "; if that stands for a missing value, say so with " + option("missing"));
    }
    if (count > 1000 && count > rows_ / 2 && text.column != roles_.target) {
      warn(layout_.file + ": nearly every value of the column " + column.name + " is different (" +
           std::to_string(count) + " texts); if it is an identifier, leave it out with " +
           option("ignore") + " " + column.name);
    }
  }

  const Input& input_;
  const ReadOptions& options_;
  MemoryBudget budget_;
  Layout layout_;
  Roles roles_;
  std::vector<bool> text_;  // per column of the file
  std::vector<Text> texts_;
  std::vector<Span> spans_;
  std::vector<Surprise> surprises_;
  std::vector<Surprise> surprises_before_;
  std::unordered_set<Index> surprised_;
  std::vector<T> features_;
  std::vector<T> target_;
  std::vector<T> weights_;
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

// The sparse text format of LIBSVM and SVMlight: "label index:value index:value ... # comment",
// indices ascending. Absent values are 0; the result is dense.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/data/label_texts.hpp"
#include "core/data/number.hpp"
#include "core/data/readers.hpp"
#include "core/data/records.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"

namespace tandem {
namespace {

constexpr Index largest_index = (Index{1} << 31) - 2;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Rows of a part of the file: row i has the pairs row_ends[i − 1] .. row_ends[i] − 1.
template <Real T>
struct Rows {
  std::vector<T> labels;
  LabelTexts texts{exact_digits_of<T>};  // of the labels, without a plus sign
  std::vector<Index> row_ends;
  std::vector<std::int32_t> indices;  // as written
  std::vector<T> values;
  Index lowest = largest_index + 1;
  Index highest = -1;
  std::vector<Index> queries;  // of the rows, where they say so by qid:N; else shorter than labels
  Index lines = 0;
  std::string mistake;  // ends the part
  void clear() {
    labels.clear();
    texts.clear();
    row_ends.clear();
    indices.clear();
    values.clear();
    lowest = largest_index + 1;
    highest = -1;
    queries.clear();
    lines = 0;
    mistake.clear();
  }
};

std::string shown(const char* p) {
  const char* end = p;
  while (!is_blank(*end) && *end != '\n' && end - p < 30) ++end;
  return "'" + std::string(p, end) + "'";
}

// A number with blanks, a comment or the line's end behind it; nullptr where there is none. Words
// such as inf and nan are numbers too.
template <Real T>
const char* parse_value(const char* p, T& value) {
  const auto ends = [](char c) { return is_blank(c) || c == '\n' || c == '#'; };
  if (const char* q = parse_number(p, value); q != nullptr && ends(*q)) return q;
  const char* q = p;
  while (!ends(*q)) ++q;
  return parse_whole_number({p, static_cast<std::size_t>(q - p)}, value) ? q : nullptr;
}

// The digits that stand at p.
Index digits_at(const char* p) {
  const char* q = p;
  while (number_detail::is_digit(*q)) ++q;
  return q - p;
}

// Parses the line at p up to its line feed. The mistake, or an empty text.
template <Real T>
std::string parse_line(const char*& p, Rows<T>& rows) {
  const auto skip_blanks = [&] {
    while (is_blank(*p)) ++p;
  };
  const auto at_end = [&] { return *p == '\n' || *p == '#'; };
  skip_blanks();
  if (at_end()) return {};
  T label{};
  const char* next = parse_value(p, label);
  if (next == nullptr) return "the label " + shown(p) + " is not a number";
  if (std::isnan(label)) {
    rows.texts.missing();
  } else {
    const char* const text = *p == '+' ? p + 1 : p;
    rows.texts.add({text, static_cast<std::size_t>(next - text)});
  }
  p = next;
  Index previous = -1;
  for (skip_blanks(); !at_end(); skip_blanks()) {
    if (p[0] == 'q' && p[1] == 'i' && p[2] == 'd' && p[3] == ':') {
      if (previous >= 0 || rows.queries.size() > rows.labels.size()) {
        return shown(p) + " must stand once, before the features";
      }
      Index query = 0;
      const auto [end, status] = std::from_chars(p + 4, p + 4 + digits_at(p + 4), query);
      if (status != std::errc() || end == p + 4 ||
          !(is_blank(*end) || *end == '\n' || *end == '#')) {
        return shown(p) + " is not qid: and a whole number";
      }
      rows.queries.push_back(query);
      p = end;
      continue;
    }
    const char* const pair = p;
    Index index = 0;
    const char* q = p;
    while (number_detail::is_digit(*q) && index <= largest_index) index = index * 10 + (*q++ - '0');
    if (index > largest_index) return "the index of " + shown(pair) + " is too large";
    if (q == p || *q != ':') return shown(pair) + " is not index:value";
    if (index <= previous) {
      return "the index of " + shown(pair) + " is not above the one before it";
    }
    T value{};
    next = parse_value(q + 1, value);
    if (next == nullptr) return "the value of " + shown(pair) + " is not a number";
    p = next;
    previous = index;
    rows.indices.push_back(static_cast<std::int32_t>(index));
    rows.values.push_back(value);
    rows.lowest = std::min(rows.lowest, index);
    rows.highest = std::max(rows.highest, index);
  }
  rows.labels.push_back(label);
  if (!rows.queries.empty() && rows.queries.size() != rows.labels.size()) {
    return "some rows have a qid: and some have none; give one to each";
  }
  rows.row_ends.push_back(static_cast<Index>(rows.indices.size()));
  return {};
}

template <Real T>
void parse_chunk(const Chunk& chunk, Rows<T>& rows) {
  rows.clear();
  const char* p = chunk.begin();
  const char* const end = chunk.end();
  while (p < end) {
    rows.mistake = parse_line(p, rows);
    if (!rows.mistake.empty()) return;
    while (*p != '\n') ++p;
    ++p;
    ++rows.lines;
  }
}

template <class V>
Index capacity_bytes(const std::vector<V>& values) {
  return static_cast<Index>(values.capacity() * sizeof(V));
}

// Appends with the vector's own doubling, refusing beforehand what the budget does not hold.
template <class V>
void append(std::vector<V>& all, const std::vector<V>& part, const MemoryBudget& budget,
            Index held) {
  const std::size_t needed = all.size() + part.size();
  if (needed > all.capacity()) {
    const std::size_t wanted = std::max(needed, 2 * all.capacity());
    budget.require(saturating_sum(held, static_cast<Index>(wanted * sizeof(V))),
                   "the part of it that was read so far");
    all.reserve(wanted);
  }
  all.insert(all.end(), part.begin(), part.end());
}

}  // namespace

bool looks_like_libsvm(std::string_view head) {
  // parse_line wants bytes behind the line feed.
  std::string text(head);
  text += '\n';
  text.append(16, '\0');
  const char* p = text.data();
  const char* const end = p + text.size() - 16;
  Rows<double> rows;
  while (p < end) {
    if (!parse_line(p, rows).empty()) return false;
    if (!rows.labels.empty()) return !rows.indices.empty();
    while (*p != '\n') ++p;
    ++p;
  }
  return false;
}

template <Real T>
Dataset<T> read_libsvm(const Input& input, const ReadOptions& options) {
  if (!options.target.empty() || !options.weights.empty() || !options.ignore.empty()) {
    // The target of this format is its label.
    if (!options.weights.empty() || !options.ignore.empty()) {
      throw InputError(input.name() + ": " + option("weights") + " and " + option("ignore") +
                       " mean nothing for a libsvm file");
    }
  }
  const MemoryBudget budget(input.name(), options);
  RecordReader reader(input, ' ', 0, longest_record(budget));
  Rows<T> all;
  parse_in_order<Rows<T>>(
      reader, reading_threads(options, input),
      [](const Chunk& chunk, Rows<T>& part) { parse_chunk(chunk, part); },
      [&](Rows<T>& part) {
        if (!part.mistake.empty()) {
          throw InputError(input.name() + ": line " + std::to_string(all.lines + part.lines + 1) +
                           ": " + part.mistake);
        }
        all.lines += part.lines;
        const auto before = static_cast<Index>(all.indices.size());
        for (auto& row_end : part.row_ends) row_end += before;
        const Index held = capacity_bytes(all.labels) + capacity_bytes(all.row_ends) +
                           capacity_bytes(all.indices) + capacity_bytes(all.values);
        append(all.labels, part.labels, budget, held);
        all.texts.append(part.texts);
        append(all.row_ends, part.row_ends, budget, held);
        append(all.indices, part.indices, budget, held);
        append(all.values, part.values, budget, held);
        all.lowest = std::min(all.lowest, part.lowest);
        all.highest = std::max(all.highest, part.highest);
        append(all.queries, part.queries, budget, held);
      });
  const auto rows = static_cast<Index>(all.labels.size());
  if (rows == 0) throw InputError(input.name() + ": has no rows; is the file complete?");
  if (!all.queries.empty() && all.queries.size() != all.labels.size()) {
    throw InputError(input.name() + ": " + std::to_string(all.queries.size()) + " of " +
                     std::to_string(rows) + " rows have a qid:, expected one in each or in none");
  }

  Index width = options.reading.features;
  if (options.schema != nullptr) width = static_cast<Index>(options.schema->columns.size());
  const Index base = options.reading.index_base == IndexBase::automatic ? (all.lowest == 0 ? 0 : 1)
                     : options.reading.index_base == IndexBase::one     ? 1
                                                                        : 0;
  if (all.highest >= 0 && all.lowest < base) {
    throw InputError(
        input.name() + ": has the index " + std::to_string(all.lowest) +
        ", expected indices from " + std::to_string(base) +
        (options.schema != nullptr ? " as in the data that the model was trained on" : "") + "; " +
        option("index_base") + " says where they begin");
  }
  const Index needed = all.highest - base + 1;
  if (width == 0) width = needed;
  if (width <= 0) {
    throw InputError(input.name() +
                     ": has no index:value pairs, so no features; is it a file of labels alone?");
  }
  if (needed > width) {
    throw InputError(input.name() + ": has the index " + std::to_string(all.highest) +
                     ", expected " + std::to_string(base + width - 1) + " at most (" +
                     std::to_string(width) + " features)");
  }
  const Index held = capacity_bytes(all.labels) + capacity_bytes(all.row_ends) +
                     capacity_bytes(all.indices) + capacity_bytes(all.values);
  budget.require(
      saturating_sum(table_bytes(rows, width, sizeof(T)), held),
      std::to_string(rows) + " rows of " + std::to_string(width) + " features as a dense matrix");

  Dataset<T> data;
  data.source = input.name();
  data.features = Matrix<T>(rows, width);
  data.columns = numbered_columns(width);
  parallel_pieces(reading_threads(options, input), rows, 4096, [&](Piece piece) {
    for (Index i = piece.begin; i < piece.end; ++i) {
      const Index begin = i == 0 ? 0 : all.row_ends[static_cast<std::size_t>(i - 1)];
      T* const row = data.features.data() + i * width;
      for (Index k = begin; k < all.row_ends[static_cast<std::size_t>(i)]; ++k) {
        row[all.indices[static_cast<std::size_t>(k)] - base] =
            all.values[static_cast<std::size_t>(k)];
      }
    }
  });
  data.target = std::move(all.labels);
  data.target_texts = all.texts.take();
  data.groups = std::move(all.queries);
  auto reading = std::make_shared<Reading>(options.reading);
  reading->format = "libsvm";
  reading->features = width;
  reading->index_base = base == 0 ? IndexBase::zero : IndexBase::one;
  data.reading = std::move(reading);
  data.target_column.name = options.schema != nullptr && !options.schema->target.name.empty()
                                ? options.schema->target.name
                                : "target";
  if (options.schema != nullptr) fit_to_schema(data, *options.schema);
  return data;
}

template Dataset<float> read_libsvm(const Input&, const ReadOptions&);
template Dataset<double> read_libsvm(const Input&, const ReadOptions&);

}  // namespace tandem

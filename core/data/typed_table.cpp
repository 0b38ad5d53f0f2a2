// Tables of declared types to data sets. Numbers, dates and truth values are what the file
// declares; texts are judged as those of a text file are, but on all of their distinct values at
// once, so that no column is read twice.
#include "core/data/typed_table.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <limits>
#include <mutex>
#include <numeric>
#include <span>
#include <unordered_map>

#include "core/data/column_remarks.hpp"
#include "core/data/csv_columns.hpp"
#include "core/data/csv_fields.hpp"
#include "core/data/label_texts.hpp"
#include "core/data/number.hpp"
#include "core/data/pandas_metadata.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"

namespace tandem {

template <Real T>
void ColumnBatch<T>::begin(ValuesAs as, Index count) {
  const auto size = static_cast<std::size_t>(count);
  rounded.clear();
  switch (as) {
    case ValuesAs::numbers:
    case ValuesAs::labels: numbers.resize(size); break;
    case ValuesAs::seconds: seconds.resize(size); break;
    case ValuesAs::texts: codes.resize(size); break;
  }
}

template void ColumnBatch<float>::begin(ValuesAs, Index);
template void ColumnBatch<double>::begin(ValuesAs, Index);

void mark_row_names(const PandasMetadata& metadata, std::vector<DeclaredColumn>& columns) {
  for (DeclaredColumn& column : columns) {
    column.row_names = std::find(metadata.index.begin(), metadata.index.end(), column.name) !=
                       metadata.index.end();
  }
}

namespace {

constexpr Index batch_rows = 512;
// Whose pages are in memory at the same time: few, so that the pages stay in cache, but the rows,
// which are passed over once for each group of columns, not too often.
constexpr Index most_columns_at_once = 8;

ColumnKind natural_kind(DeclaredKind declared) {
  switch (declared) {
    case DeclaredKind::number: return ColumnKind::number;
    case DeclaredKind::boolean: return ColumnKind::boolean;
    case DeclaredKind::date: return ColumnKind::date;
    case DeclaredKind::time: return ColumnKind::time;
    case DeclaredKind::coded: return ColumnKind::category;
    case DeclaredKind::text:
    case DeclaredKind::nothing:
    case DeclaredKind::unread: break;
  }
  return ColumnKind::automatic;
}

// The names of rows that have no name, as pandas writes them as a column.
bool is_index_name(std::string_view name) {
  return name.starts_with("__index_level_") && name.ends_with("__");
}

template <Real T>
class TypedReader {
 public:
  TypedReader(const TypedTable<T>& table, const std::string& file, const std::string& format,
              const std::vector<std::string>& notices, const ReadOptions& options)
      : table_(table),
        file_(file),
        format_(format),
        options_(options),
        budget_(file, options),
        rows_(
            std::accumulate(table.parts().begin(), table.parts().end(), Index{0}, saturating_sum)) {
    Index first = 0;
    for (const Index rows : table.parts()) {
      first_row_.push_back(first);
      first = saturating_sum(first, rows);
    }
    for (const std::string& notice : notices) note(notice);
  }

  Dataset<T> read() {
    if (rows_ == 0) throw InputError(file_ + ": has no rows; is it the file that was meant?");
    find_columns();
    for (const std::string& text : options_.reading.missing.texts) {
      T value{};
      if (!options_.reading.missing.standard && parse_whole_number(text, value) &&
          !std::isnan(value)) {
        missing_numbers_.push_back(value);
      }
    }
    make_uses();
    read_texts();
    decide_texts();
    lay_out();
    read_numbers();
    place_texts();
    return finish();
  }

 private:
  // What is made of a column of the file.
  struct Use {
    Index column = 0;
    bool target = false;
    bool weight = false;
    const Column* known = nullptr;  // of the schema
    Index source = -1;              // its first place among the schema's features
    bool parts_asked = false;       // by the schema: date parts
    ValuesAs as = ValuesAs::numbers;
    ColumnType type;
    bool said = false;       // by the user
    bool ambiguous = false;  // texts
    DateOrders possible_orders = 0;
    Index slot = -1;  // of features
    bool parts = false;
    // as == texts:
    std::vector<std::int32_t> codes;                  // of the part's dictionary; -1: missing
    std::vector<TextDictionary> of_part{};            // per part
    std::vector<std::vector<std::int32_t>> to_whole;  // per part: code → place in `texts`
    TextDictionary texts;
    Index empty_texts = 0;  // values
    Index placeholders = 0;
    // as != texts: a number that is rounded, with its row
    std::string rounded_example;
  };

  // --- columns -----------------------------------------------------------------------------------

  [[nodiscard]] const DeclaredColumn& declared(const Use& use) const {
    return table_.columns()[static_cast<std::size_t>(use.column)];
  }
  [[nodiscard]] const std::string& name(const Use& use) const {
    return names_[static_cast<std::size_t>(use.column)];
  }

  void find_columns() {
    std::vector<std::string> written;
    for (const DeclaredColumn& column : table_.columns()) written.push_back(column.name);
    if (static_cast<Index>(written.size()) > most_csv_columns) {
      throw InputError(file_ + ": has " + std::to_string(written.size()) + " columns; at most " +
                       std::to_string(most_csv_columns) + " are read");
    }
    names_ = distinct_names(written, file_);
    said_.assign(names_.size(), nullptr);
    if (options_.schema == nullptr) {
      for (const ColumnReading& said : options_.reading.columns.list) {
        const Index at = find_column(said.name, names_, option("columns"), file_);
        said_[static_cast<std::size_t>(at)] = &said;
      }
    }
    std::vector<bool> left_out(names_.size(), false);
    for (std::size_t c = 0; c < names_.size(); ++c) {
      const bool row_names = table_.columns()[c].row_names || is_index_name(names_[c]);
      if (options_.schema != nullptr || !row_names) continue;
      if (said_[c] != nullptr || options_.target == names_[c] || names_.size() < 2) continue;
      left_out[c] = true;
      note(file_ + ": the column " + names_[c] +
           " holds the names of the rows, as pandas writes them, and is left out; " +
           option("columns") + " " + names_[c] +
           (table_.columns()[c].kind == DeclaredKind::number ? ":number" : ":category") +
           " keeps it");
    }
    roles_ = find_csv_roles(names_, true, left_out, 0, options_, file_);
  }

  void make_uses() {
    if (options_.schema != nullptr) {
      for (std::size_t j = 0; j < roles_.sources.size(); ++j) {
        const FeatureSource source = roles_.sources[j];
        if (source.part > 0) continue;
        Use use;
        use.column = source.column;
        use.source = static_cast<Index>(j);
        use.known = &options_.schema->columns[j];
        use.parts_asked = source.part == 0;
        uses_.push_back(std::move(use));
      }
    } else {
      for (const Index column : roles_.features) {
        Use use;
        use.column = column;
        uses_.push_back(std::move(use));
      }
    }
    if (roles_.target >= 0) {
      Use use;
      use.column = roles_.target;
      use.target = true;
      if (options_.schema != nullptr && !options_.schema->target.name.empty()) {
        use.known = &options_.schema->target;
      }
      uses_.push_back(std::move(use));
    }
    if (roles_.weights >= 0) {
      Use use;
      use.column = roles_.weights;
      use.weight = true;
      uses_.push_back(std::move(use));
    }
    for (Use& use : uses_) choose(use);
  }

  // The kind that is asked of a column, and the form in which it is read.
  void choose(Use& use) {
    const DeclaredColumn& column = declared(use);
    if (column.kind == DeclaredKind::unread) {
      const bool needed = use.known != nullptr || use.target || use.weight;
      throw InputError(
          file_ + ": the column " + name(use) + " " + column.type + ", which is not read" +
          (needed ? std::string() : "; leave it out with " + option("ignore") + " " + name(use)));
    }
    const ColumnReading* const said = said_[static_cast<std::size_t>(use.column)];
    use.said = said != nullptr && said->kind != ColumnKind::automatic;
    const ColumnKind natural = natural_kind(column.kind);
    use.type.kind = natural;
    use.type.order = any_order;
    if (use.weight) {
      use.type.kind = ColumnKind::number;
      use.type.fixed = true;
    } else if (use.known != nullptr) {
      choose_as_known(use);
    } else if (use.said) {
      use.type = tandem::column_type(*said, options_.reading);
    }
    const bool truth_as_number =
        natural == ColumnKind::boolean && use.type.kind == ColumnKind::number;
    if (natural == ColumnKind::automatic && column.kind == DeclaredKind::nothing) {
      if (use.type.kind == ColumnKind::automatic) use.type.kind = ColumnKind::number;
      use.as = use.type.kind == ColumnKind::category ? ValuesAs::texts : ValuesAs::numbers;
    } else if (use.type.kind != natural && !truth_as_number) {
      use.as = ValuesAs::texts;
    } else {
      switch (natural) {
        case ColumnKind::number: use.as = use.target ? ValuesAs::labels : ValuesAs::numbers; break;
        case ColumnKind::boolean:
          // The truth values of a target are classes, and a class is a name.
          use.as = use.target && !truth_as_number ? ValuesAs::texts : ValuesAs::numbers;
          if (use.as == ValuesAs::texts) use.type.kind = ColumnKind::category;
          break;
        case ColumnKind::date:
        case ColumnKind::time: use.as = ValuesAs::seconds; break;
        case ColumnKind::automatic:
        case ColumnKind::category: use.as = ValuesAs::texts; break;
      }
    }
  }

  // The kind that the model's record gives the column.
  void choose_as_known(Use& use) {
    const ColumnKind natural = use.type.kind;
    if (use.target) {
      // The labels of a new file may be written otherwise than those of the training data.
      if (use.known->categorical()) {
        use.type.kind = ColumnKind::category;
        use.type.fixed = true;
      } else if (const ColumnReading* said = options_.reading.find(use.known->name)) {
        use.type = tandem::column_type(*said, options_.reading);
        use.type.fixed = false;
      } else if (natural != ColumnKind::automatic) {
        use.type.kind = ColumnKind::number;
      }
      return;
    }
    std::string known = use.known->name;
    if (use.parts_asked) known = known.substr(0, known.rfind('.'));
    const ColumnReading plain;
    const ColumnReading* const said = options_.reading.find(known);
    use.type = tandem::column_type(said != nullptr ? *said : plain, options_.reading);
    if (use.known->categorical()) use.type.kind = ColumnKind::category;
    use.type.fixed = true;
  }

  // --- reading -----------------------------------------------------------------------------------

  // Calls each(part, uses) for groups of the uses that `chosen` names, in parallel.
  template <class Each>
  void in_groups(const std::vector<Use*>& chosen, Each&& each) {
    if (chosen.empty()) return;
    const int threads = options_.threads > 0 ? options_.threads : available_cores();
    const auto columns = static_cast<Index>(chosen.size());
    const auto parts = static_cast<Index>(table_.parts().size());
    // Enough pieces that no thread waits long for the last one.
    const Index wanted = threads > 1 ? pieces(Index{4} * threads, parts) : 1;
    const Index size =
        std::clamp(pieces(columns, std::min(wanted, columns)), Index{1}, most_columns_at_once);
    const Index groups = pieces(columns, size);
    parallel_for(threads, parts * groups, [&](Index i) {
      const Index part = i / groups;
      const Piece piece = piece_of(columns, size, i % groups);
      each(part, first_row_[static_cast<std::size_t>(part)],
           std::span<Use* const>(chosen).subspan(static_cast<std::size_t>(piece.begin),
                                                 static_cast<std::size_t>(piece.size())));
    });
  }

  // Consecutive rows of the columns that are read together.
  struct Rows {
    std::span<Use* const> uses;
    std::span<const std::unique_ptr<ColumnStream<T>>> streams;
    Index first;
    Index count;
    std::span<ColumnBatch<T>> batches;
  };

  // Calls put(Rows) until all rows of a part have been read.
  template <class Put>
  void read_part(Index part, Index first, std::span<Use* const> uses, Put&& put) {
    const Index rows = table_.parts()[static_cast<std::size_t>(part)];
    if (rows == 0) return;
    std::vector<std::unique_ptr<ColumnStream<T>>> streams;
    for (const Use* use : uses) streams.push_back(table_.open(part, use->column, use->as));
    std::array<ColumnBatch<T>, most_columns_at_once> batches;
    for (Index at = 0; at < rows; at += batch_rows) {
      const Index count = std::min(batch_rows, rows - at);
      for (std::size_t k = 0; k < uses.size(); ++k) streams[k]->next(count, batches[k]);
      put(Rows{uses, streams, first + at, count, std::span(batches).first(uses.size())});
    }
    for (std::size_t k = 0; k < uses.size(); ++k) {
      if (uses[k]->as == ValuesAs::texts) {
        uses[k]->of_part[static_cast<std::size_t>(part)] = streams[k]->take_texts();
      }
    }
  }

  void read_texts() {
    std::vector<Use*> chosen;
    for (Use& use : uses_) {
      if (use.as == ValuesAs::texts) chosen.push_back(&use);
    }
    held_ = saturating_product(saturating_product(rows_, static_cast<Index>(chosen.size())),
                               sizeof(std::int32_t));
    budget_.require(held_, std::to_string(rows_) + " rows of " + std::to_string(chosen.size()) +
                               " columns of texts");
    for (Use* use : chosen) {
      use->codes.resize(static_cast<std::size_t>(rows_));
      use->of_part.resize(table_.parts().size());
    }
    std::atomic<Index> bytes{0};
    in_groups(chosen, [&](Index part, Index first, std::span<Use* const> uses) {
      std::vector<Index> before(uses.size(), 0);
      read_part(part, first, uses, [&](const Rows& rows) {
        for (std::size_t k = 0; k < rows.uses.size(); ++k) {
          std::copy_n(rows.batches[k].codes.begin(), rows.count,
                      rows.uses[k]->codes.begin() + rows.first);
          const Index now = rows.streams[k]->text_bytes();
          if (now == before[k]) continue;
          const Index more = now - before[k];
          before[k] = now;
          budget_.require(saturating_sum(bytes.fetch_add(more) + more, held_), "its texts");
        }
      });
    });
    text_bytes_ = bytes.load();
  }

  // --- what the texts are ------------------------------------------------------------------------

  [[nodiscard]] bool listed_missing(std::string_view text) const {
    const auto& list = options_.reading.missing.texts;
    return std::find(list.begin(), list.end(), text) != list.end();
  }

  // Of any column of texts: null is what these files have for a missing value, and a text is a text
  // unless somebody says otherwise; the empty one is missing everywhere.
  [[nodiscard]] bool missing_text(std::string_view text) const {
    return text.empty() || (!options_.reading.missing.standard && listed_missing(text));
  }
  // Of a column that holds numbers, dates or times otherwise.
  [[nodiscard]] bool missing_value(std::string_view text) const {
    return listed_missing(text) || (options_.reading.missing.standard && is_placeholder(text));
  }

  void merge(Use& use) {
    if (use.type.kind == ColumnKind::category && use.known != nullptr) {
      for (const std::string& category : use.known->categories) (void)use.texts.code(category);
    }
    for (TextDictionary& own : use.of_part) {
      std::vector<std::int32_t> codes(own.size());
      for (std::size_t c = 0; c < own.size(); ++c) {
        const std::string& text = own.text(c);
        codes[c] = missing_text(text) ? -1 : use.texts.code(text);
      }
      use.to_whole.push_back(std::move(codes));
      own.clear();
    }
    budget_.require(saturating_sum(saturating_product(text_bytes_, 2), held_), "its texts");
  }

  void decide_texts() {
    std::vector<ColumnEvidence> evidence;
    std::vector<Use*> open;
    for (Use& use : uses_) {
      if (use.as != ValuesAs::texts) continue;
      merge(use);
      if (use.type.kind != ColumnKind::automatic) continue;
      ColumnEvidence found;
      for (std::size_t c = 0; c < use.texts.size(); ++c) {
        const std::string_view text = csv_trimmed(use.texts.text(c));
        if (options_.reading.missing.standard && listed_missing(text)) continue;
        found.add(!options_.reading.missing.standard && is_placeholder(text) ? "x" : text);
      }
      evidence.push_back(std::move(found));
      open.push_back(&use);
    }
    const FileMarks marks = file_marks(evidence, options_.reading);
    for (std::size_t i = 0; i < open.size(); ++i) {
      Use& use = *open[i];
      use.type =
          tandem::column_type(evidence[i], options_.reading, marks, ',', use.target, use.ambiguous);
      use.possible_orders = evidence[i].orders_;
      // All of them missing.
      if (evidence[i].values_ == 0) use.type.kind = ColumnKind::category;
    }
    decimal_ = marks.decimal;
  }

  // --- placing -----------------------------------------------------------------------------------

  void lay_out() {
    const bool parts = options_.reading.dates == DateUse::parts;
    features_ = 0;
    for (Use& use : uses_) {
      if (use.target || use.weight) continue;
      if (use.known != nullptr) {
        use.slot = use.source;
        use.parts = use.parts_asked;
      } else {
        use.slot = features_;
        use.parts = parts && use.type.kind == ColumnKind::date;
        features_ += use.parts ? 4 : 1;
      }
    }
    if (options_.schema != nullptr) features_ = static_cast<Index>(roles_.sources.size());
    const Index others = (roles_.target >= 0 ? 1 : 0) + (roles_.weights >= 0 ? 1 : 0);
    budget_.require(saturating_sum(table_bytes(rows_, features_ + others, sizeof(T)),
                                   saturating_sum(held_, text_bytes_)),
                    std::to_string(rows_) + " rows of " + std::to_string(features_ + others) +
                        " columns in " + std::string(to_string(precision_of<T>)));
    const auto rows = static_cast<std::size_t>(rows_);
    const std::size_t size = rows * static_cast<std::size_t>(features_);
    values_.reserve(size);
    advise_huge_pages(values_.data(), size * sizeof(T));
    values_.resize(size);
    if (roles_.target >= 0) target_.resize(rows);
    if (roles_.weights >= 0) weights_.resize(rows);
  }

  // Where the values of a use go, and how far they lie apart.
  struct Place {
    T* at;
    Index stride;
  };
  [[nodiscard]] Place place_of(const Use& use, Index row) {
    if (use.target) return {target_.data() + row, 1};
    if (use.weight) return {weights_.data() + row, 1};
    return {values_.data() + row * features_ + use.slot, features_};
  }

  static void put_parts(double seconds, T* to) {
    std::array<T, 4> values;
    values.fill(std::numeric_limits<T>::quiet_NaN());
    if (!std::isnan(seconds)) {
      const DateParts parts = parts_of(seconds);
      values = {static_cast<T>(parts.year), static_cast<T>(parts.month),
                static_cast<T>(parts.weekday), static_cast<T>(parts.hour)};
    }
    std::copy(values.begin(), values.end(), to);
  }

  [[nodiscard]] T or_missing(T value) const {
    for (const T missing : missing_numbers_) {
      if (value == missing) return std::numeric_limits<T>::quiet_NaN();
    }
    return value;
  }

  void read_numbers() {
    std::vector<Use*> chosen;
    for (Use& use : uses_) {
      if (use.as != ValuesAs::texts) chosen.push_back(&use);
    }
    std::mutex rounding;
    in_groups(chosen, [&](Index part, Index first, std::span<Use* const> uses) {
      const bool neighbours = are_neighbours(uses);
      read_part(part, first, uses, [&](const Rows& rows) {
        if (neighbours) {
          put_neighbours(rows);
        } else {
          for (std::size_t k = 0; k < rows.uses.size(); ++k) {
            put(*rows.uses[k], rows.first, rows.count, rows.batches[k]);
          }
        }
        for (std::size_t k = 0; k < rows.uses.size(); ++k) {
          if (rows.batches[k].rounded.empty()) continue;
          const std::lock_guard<std::mutex> lock(rounding);
          keep_rounded(*rows.uses[k], rows.first, rows.batches[k]);
        }
      });
    });
  }

  // Whether the columns are numbers as they stand in the file, and features side by side.
  [[nodiscard]] bool are_neighbours(std::span<Use* const> uses) const {
    if (!missing_numbers_.empty()) return false;
    for (std::size_t k = 0; k < uses.size(); ++k) {
      const Use& use = *uses[k];
      if (use.target || use.weight || use.as != ValuesAs::numbers) return false;
      if (use.slot != uses.front()->slot + static_cast<Index>(k)) return false;
    }
    return true;
  }

  // Row by row, so that what lies together is written together.
  void put_neighbours(const Rows& rows) {
    T* const to = place_of(*rows.uses.front(), rows.first).at;
    std::size_t k = 0;
    for (; k + 4 <= rows.uses.size(); k += 4) interleave<4>(rows, k, to + k);
    if (k + 2 <= rows.uses.size()) {
      interleave<2>(rows, k, to + k);
      k += 2;
    }
    if (k < rows.uses.size()) interleave<1>(rows, k, to + k);
  }
  template <std::size_t columns>
  void interleave(const Rows& rows, std::size_t first, T* to) const {
    std::array<const T*, columns> from;
    for (std::size_t k = 0; k < columns; ++k) from[k] = rows.batches[first + k].numbers.data();
    const Index stride = features_;
    for (Index i = 0; i < rows.count; ++i, to += stride) {
      for (std::size_t k = 0; k < columns; ++k) to[k] = from[k][i];
    }
  }

  void put(const Use& use, Index row, Index count, const ColumnBatch<T>& batch) {
    const Place to = place_of(use, row);
    if (use.as == ValuesAs::seconds) {
      const double* const from = batch.seconds.data();
      for (Index i = 0; i < count; ++i) {
        if (use.parts) {
          put_parts(from[i], to.at + i * to.stride);
        } else {
          to.at[i * to.stride] = static_cast<T>(from[i]);
        }
      }
      return;
    }
    const T* const from = batch.numbers.data();
    if (missing_numbers_.empty()) {
      for (Index i = 0; i < count; ++i) to.at[i * to.stride] = from[i];
    } else {
      for (Index i = 0; i < count; ++i) to.at[i * to.stride] = or_missing(from[i]);
    }
  }

  void keep_rounded(Use& use, Index row, ColumnBatch<T>& batch) {
    if (!use.target) {
      // The first of the table, whatever thread comes first.
      const Index at = row + batch.rounded.front().first;
      const auto [known, fresh] = first_rounded_.emplace(&use, at);
      if (fresh || at < known->second) {
        known->second = at;
        use.rounded_example = batch.rounded.front().second;
      }
      return;
    }
    for (auto& [place, text] : batch.rounded) rounded_labels_.emplace_back(row + place, text);
    const auto bytes = static_cast<Index>(rounded_labels_.size() * (sizeof(std::string) + 16));
    budget_.require(saturating_sum(bytes, table_bytes(rows_, features_, sizeof(T))),
                    "the digits of its target");
  }

  void place_texts() {
    for (Use& use : uses_) {
      if (use.as != ValuesAs::texts) continue;
      if (use.type.kind == ColumnKind::category) {
        place_categories(use);
      } else {
        place_values(use);
      }
      use.codes = {};
    }
  }

  // Calls put(row, code in use.texts or −1) for all rows, in parallel by parts.
  template <class Put>
  void each_code(const Use& use, Put&& put) {
    const int threads = options_.threads > 0 ? options_.threads : available_cores();
    const auto parts = static_cast<Index>(table_.parts().size());
    parallel_for(threads, parts, [&](Index part) {
      const auto& whole = use.to_whole[static_cast<std::size_t>(part)];
      const Index begin = first_row_[static_cast<std::size_t>(part)];
      const Index end = begin + table_.parts()[static_cast<std::size_t>(part)];
      for (Index i = begin; i < end; ++i) {
        const std::int32_t code = use.codes[static_cast<std::size_t>(i)];
        put(i, code < 0 ? -1 : whole[static_cast<std::size_t>(code)], code >= 0);
      }
    });
  }

  void place_categories(Use& use) {
    const std::size_t count = use.texts.size();
    const bool fixed = use.known != nullptr && use.known->categorical();
    const std::size_t kept = fixed ? use.known->categories.size() : 0;
    const bool extends = !fixed || use.target;
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
              [&](std::size_t a, std::size_t b) { return use.texts.text(a) < use.texts.text(b); });
    if (!extends) order.resize(kept);
    if (static_cast<Index>(order.size()) > most_column_categories) {
      refuse_many_categories(file_, name(use));
    }
    std::vector<T> final_code(count, std::numeric_limits<T>::quiet_NaN());
    Column& column = column_[&use];
    for (std::size_t k = 0; k < order.size(); ++k) {
      const std::string& text = use.texts.text(order[k]);
      if (k >= kept && !is_valid_utf8(text)) {
        throw InputError(file_ + ": the column " + name(use) + " holds bytes that are no text (" +
                         quoted_field(text) + "); leave it out with " + option("ignore") + " " +
                         name(use));
      }
      final_code[order[k]] = static_cast<T>(k);
      column.categories.push_back(text);
    }
    std::atomic<Index> unknown{0};
    std::atomic<Index> empty{0};
    each_code(use, [&](Index row, std::int32_t code, bool present) {
      T& to = *place_of(use, row).at;
      to = code < 0 ? std::numeric_limits<T>::quiet_NaN()
                    : final_code[static_cast<std::size_t>(code)];
      if (code >= 0 && std::isnan(to)) unknown.fetch_add(1, std::memory_order_relaxed);
      if (code < 0 && present) empty.fetch_add(1, std::memory_order_relaxed);
    });
    use.empty_texts = empty.load();
    if (unknown.load() > 0) {
      std::vector<std::string> examples;
      for (std::size_t c = kept; c < count && examples.size() < 5; ++c) {
        examples.push_back(use.texts.text(c));
      }
      warn(unknown_categories(file_, name(use), unknown.load(), examples));
    }
  }

  // Texts of numbers, dates, times or truth values.
  void place_values(Use& use) {
    const std::size_t count = use.texts.size();
    std::vector<T> value(count, std::numeric_limits<T>::quiet_NaN());
    std::vector<double> seconds(use.parts ? count : 0, std::numeric_limits<double>::quiet_NaN());
    std::vector<bool> placeholder(count);
    const bool truth =
        declared(use).kind == DeclaredKind::number && use.type.kind == ColumnKind::boolean;
    for (std::size_t c = 0; c < count; ++c) {
      const std::string_view text = csv_trimmed(use.texts.text(c));
      double moment = 0;
      if (truth && (text == "0" || text == "1")) {
        value[c] = text == "1" ? T{1} : T{0};
      } else if (listed_missing(text)) {
        continue;
      } else if (parse_typed(text, use.type, value[c], moment)) {
        if (use.parts) seconds[c] = moment;
      } else if (missing_value(text)) {
        placeholder[c] = true;
      } else {
        wrong_text(use, c);
      }
    }
    const bool label = use.target && use.type.kind != ColumnKind::boolean;
    std::atomic<Index> placeholders{0};
    std::atomic<Index> empty{0};
    each_code(use, [&](Index row, std::int32_t code, bool present) {
      T* const to = place_of(use, row).at;
      if (code < 0) {
        if (present) empty.fetch_add(1, std::memory_order_relaxed);
        if (use.parts) {
          put_parts(std::numeric_limits<double>::quiet_NaN(), to);
        } else {
          *to = std::numeric_limits<T>::quiet_NaN();
        }
        return;
      }
      const auto at = static_cast<std::size_t>(code);
      if (placeholder[at]) placeholders.fetch_add(1, std::memory_order_relaxed);
      if (use.parts) {
        put_parts(seconds[at], to);
      } else {
        *to = value[at];
      }
    });
    use.empty_texts = empty.load();
    use.placeholders = placeholders.load();
    if (label) keep_labels(use, value);
  }

  // The texts of a target that are numbers: they are also the names of classes.
  void keep_labels(const Use& use, const std::vector<T>& value) {
    for (Index part = 0, row = 0; part < static_cast<Index>(table_.parts().size()); ++part) {
      const auto& whole = use.to_whole[static_cast<std::size_t>(part)];
      const Index end = row + table_.parts()[static_cast<std::size_t>(part)];
      for (; row < end && !labels_.given_up(); ++row) {
        const std::int32_t own = use.codes[static_cast<std::size_t>(row)];
        const std::int32_t code = own < 0 ? -1 : whole[static_cast<std::size_t>(own)];
        if (code < 0 || std::isnan(value[static_cast<std::size_t>(code)])) {
          labels_.missing();
        } else {
          labels_.add(use.texts.text(static_cast<std::size_t>(code)));
        }
      }
      row = end;
    }
  }

  [[noreturn]] void wrong_text(const Use& use, std::size_t text) const {
    constexpr std::array<std::string_view, 6> wanted{
        "a number", "a number", "a text", "a date", "a time or duration", "true or false"};
    Index row = 0;
    for (Index part = 0; part < static_cast<Index>(table_.parts().size()); ++part) {
      const auto& whole = use.to_whole[static_cast<std::size_t>(part)];
      const Index end = row + table_.parts()[static_cast<std::size_t>(part)];
      bool found = false;
      for (; row < end && !found; ++row) {
        const std::int32_t code = use.codes[static_cast<std::size_t>(row)];
        found =
            code >= 0 && whole[static_cast<std::size_t>(code)] == static_cast<std::int32_t>(text);
      }
      if (found) break;
      row = end;
    }
    throw InputError(file_ + ": row " + std::to_string(row) + ": the column " + name(use) +
                     " has " + quoted_field(use.texts.text(text)) + ", expected " +
                     std::string(wanted[static_cast<std::size_t>(use.type.kind)]) +
                     (use.known != nullptr ? " as in the data that the model was trained on"
                      : use.said           ? " as " + option("columns") + " says"
                                           : ""));
  }

  // --- the result --------------------------------------------------------------------------------

  Dataset<T> finish() {
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const std::string mistake = weight_mistake(weights_[i]);
      if (!mistake.empty()) {
        throw InputError(file_ + ": row " + std::to_string(i + 1) + ": " + mistake);
      }
    }
    Dataset<T> data;
    data.source = file_;
    const Use* target = nullptr;
    if (options_.schema != nullptr) data.columns.resize(static_cast<std::size_t>(features_));
    for (const Use& use : uses_) {
      Column column = std::move(column_[&use]);
      column.name = name(use);
      if (use.weight) continue;
      if (use.target) {
        target = &use;
        data.target_column = std::move(column);
      } else if (options_.schema != nullptr) {
        data.columns[static_cast<std::size_t>(use.slot)] = std::move(column);
      } else if (use.parts) {
        for (const std::string_view part : date_part_names) {
          data.columns.push_back({column.name + "." + std::string(part), {}});
        }
      } else {
        data.columns.push_back(std::move(column));
      }
    }
    if (options_.schema != nullptr) {
      for (std::size_t j = 0; j < data.columns.size(); ++j) {
        data.columns[j].name = options_.schema->columns[j].name;
      }
    }
    if (target != nullptr) {
      keep_rounded_labels(*target);
      if (target->as == ValuesAs::seconds) keep_moment_labels(*target);
    }
    data.target_texts = labels_.take();
    data.features = Matrix<T>(rows_, features_, std::move(values_));
    data.target = std::move(target_);
    data.weights = std::move(weights_);
    remark(data);
    record(data);
    return data;
  }

  // Whole numbers that no T holds are classes by their digits.
  void keep_rounded_labels(const Use& use) {
    if (rounded_labels_.empty()) return;
    std::sort(rounded_labels_.begin(), rounded_labels_.end());
    auto next = rounded_labels_.begin();
    for (std::size_t i = 0; i < target_.size() && !labels_.given_up(); ++i) {
      const bool rounded = next != rounded_labels_.end() && next->first == static_cast<Index>(i);
      if (rounded && !std::isnan(target_[i])) {
        labels_.add(next->second);
      } else if (std::isnan(target_[i])) {
        labels_.missing();
      } else {
        // What is not rounded is whole, and an exact number has an exact text.
        std::array<char, 400> text{};
        const auto end = std::to_chars(text.data(), text.data() + text.size(), target_[i],
                                       std::chars_format::fixed);
        labels_.add({text.data(), static_cast<std::size_t>(end.ptr - text.data())});
      }
      if (rounded) ++next;
    }
    if (labels_.given_up()) {
      note(file_ + ": the target " + name(use) + " has more than " +
           std::to_string(most_column_categories) + " whole numbers, such as " +
           rounded_labels_.front().second + ", that no number of " + std::to_string(8 * sizeof(T)) +
           " bits holds; they are rounded, as a regression may have them");
    }
  }

  // Dates and times are classes by what they are called, for as long as they are few.
  void keep_moment_labels(const Use& use) {
    for (Index part = 0; part < static_cast<Index>(table_.parts().size()); ++part) {
      const Index rows = table_.parts()[static_cast<std::size_t>(part)];
      const auto stream = table_.open(part, use.column, ValuesAs::texts);
      ColumnBatch<T> batch;
      for (Index at = 0; at < rows; at += batch_rows) {
        if (labels_.given_up()) return;
        stream->next(std::min(batch_rows, rows - at), batch);
        for (const std::int32_t code : batch.codes) {
          code < 0 ? labels_.missing() : labels_.add(stream->text(code));
        }
      }
    }
  }

  // Writes down what was decided, so that later files are read in the same way.
  void record(Dataset<T>& data) {
    auto reading = std::make_shared<Reading>(options_.reading);
    reading->format = format_;
    reading->header = HeaderChoice::yes;
    if (options_.reading.dates == DateUse::automatic) reading->dates = DateUse::seconds;
    if (options_.schema == nullptr) {
      reading->decimal = decimal_ == ',' ? DecimalMark::comma : DecimalMark::point;
      if (options_.reading.thousands == ThousandsMark::automatic) {
        reading->thousands = ThousandsMark::none;
      }
      reading->columns.list.clear();
      for (const Use& use : uses_) {
        if (use.weight || use.type.kind == ColumnKind::category) continue;
        const ColumnReading said = reading_of(name(use), use.type);
        const bool usual = said.kind == ColumnKind::number &&
                           (use.as != ValuesAs::texts || (said.decimal == reading->decimal &&
                                                          said.thousands == reading->thousands));
        if (!usual) reading->columns.list.push_back(said);
      }
    }
    reading->notices = std::move(notices_);
    data.reading = std::move(reading);
  }

  // --- what could be meant otherwise -------------------------------------------------------------

  void note(std::string message) {
    log::warning(message);
    notices_.push_back(std::move(message));
  }
  void note_any(std::string message) {
    if (!message.empty()) note(std::move(message));
  }
  void warn(std::string message) {
    constexpr Index most_warnings = 5;
    if (++warnings_ <= most_warnings) note(std::move(message));
  }

  template <class Holds>
  [[nodiscard]] std::vector<std::string> columns_where(const Holds& holds) const {
    std::vector<std::string> found;
    for (const Use& use : uses_) {
      if (!use.said && !use.weight && holds(use)) found.push_back(name(use));
    }
    return found;
  }

  void remark(const Dataset<T>& data) {
    for (const Use& use : uses_) {
      if (use.empty_texts > 0) {
        warn(file_ + ": " + std::to_string(use.empty_texts) +
             (use.empty_texts == 1 ? " text" : " texts") + " of the column " + name(use) +
             (options_.reading.missing.standard
                  ? (use.empty_texts == 1 ? " is empty and is taken as missing"
                                          : " are empty and are taken as missing")
                  : (use.empty_texts == 1 ? " is taken as missing" : " are taken as missing")));
      }
      if (use.placeholders > 0) {
        warn(file_ + ": " + std::to_string(use.placeholders) +
             (use.placeholders == 1 ? " text" : " texts") + " of the column " + name(use) +
             (use.placeholders == 1 ? " that is no value" : " that are no value") +
             " ('-', '.', 'unknown' and the like) " + (use.placeholders == 1 ? "is" : "are") +
             " taken as missing; " + option("columns") + " " + name(use) + ":category or " +
             option("missing") + " says otherwise");
      }
    }
    remark_on_rounded();
    if (options_.schema != nullptr) return;
    std::vector<std::string> quantities;
    std::string quantity;
    for (const Use& use : uses_) {
      if (use.target || use.weight || use.said || use.type.kind != ColumnKind::category) continue;
      if (use.slot < 0 || use.parts) continue;
      const Column& column = column_of(data, use);
      const std::string remark =
          identifier_remark(file_, name(use), static_cast<Index>(column.categories.size()), rows_);
      if (!remark.empty()) warn(remark);
      const std::string by_case = case_remark(file_, name(use), column.categories);
      if (!by_case.empty()) warn(by_case);
      if (declared(use).kind == DeclaredKind::text && begin_with_numbers(column.categories)) {
        if (quantities.empty()) quantity = column.categories.front();
        quantities.push_back(name(use));
      }
    }
    note_any(quantity_remark(file_, quantities, quantity));
    const auto texts_as = [&](ColumnKind kind) {
      return columns_where([kind](const Use& use) {
        return use.as == ValuesAs::texts && use.type.kind == kind && !use.type.fixed;
      });
    };
    note_any(columns_remark(
        file_, texts_as(ColumnKind::number), "is declared as text and holds",
        "are declared as text and hold",
        " numbers, as which it is read; " + option("columns") + " NAME:category keeps its texts"));
    note_any(columns_remark(file_, texts_as(ColumnKind::boolean), "is declared as text and holds",
                            "are declared as text and hold",
                            " truth values, which become 1 and 0; " + option("columns") +
                                " NAME:category keeps its texts"));
    const bool parts = options_.reading.dates == DateUse::parts;
    const auto dates =
        columns_where([](const Use& use) { return use.type.kind == ColumnKind::date; });
    note_any(dates_remark(file_, dates, parts));
    if (sizeof(T) == 4 && !parts) note_any(rounded_dates_remark(file_, dates));
    note_any(times_remark(
        file_, columns_where([](const Use& use) { return use.type.kind == ColumnKind::time; })));
    for (const Use& use : uses_) {
      if (!use.said && use.ambiguous && use.type.order == year_first) {
        note(short_year_remark(file_, name(use)));
      } else if (!use.said && use.ambiguous && use.type.kind == ColumnKind::date) {
        note(order_remark(file_, name(use), use.possible_orders, use.type.order));
      }
    }
    note_any(columns_remark(file_, empty_columns(data), "holds no values", "hold no values",
                            "; leave out such a column with " + option("ignore")));
    remark_on_row_numbers(data);
  }

  void remark_on_rounded() {
    const auto found = std::find_if(uses_.begin(), uses_.end(),
                                    [](const Use& use) { return !use.rounded_example.empty(); });
    if (found == uses_.end()) return;
    note(file_ + ": the column " + name(*found) + " has whole numbers, such as " +
         found->rounded_example + ", that no number of " + std::to_string(8 * sizeof(T)) +
         " bits holds; they are rounded" +
         (sizeof(T) == 4 ? "; " + option("precision") + " float64 holds more" : std::string()) +
         "; if they are identifiers, leave them out with " + option("ignore") + " " + name(*found));
  }

  [[nodiscard]] static const Column& column_of(const Dataset<T>& data, const Use& use) {
    return data.columns[static_cast<std::size_t>(use.slot)];
  }

  [[nodiscard]] std::vector<std::string> empty_columns(const Dataset<T>& data) const {
    return columns_where([&](const Use& use) {
      if (use.target || use.slot < 0) return false;
      for (Index i = 0; i < rows_; ++i) {
        if (!std::isnan(data.features(i, use.slot))) return false;
      }
      return true;
    });
  }

  // A column with a name that counts the rows is kept, and said.
  void remark_on_row_numbers(const Dataset<T>& data) {
    if (rows_ < 5) return;
    for (const Use& use : uses_) {
      if (use.target || use.weight || use.said || use.as == ValuesAs::texts || use.parts) continue;
      const T start = data.features(0, use.slot);
      if (start != T{0} && start != T{1}) continue;
      Index i = 1;
      const Index judged = std::min<Index>(rows_, 1000);
      while (i < judged && data.features(i, use.slot) == start + static_cast<T>(i)) ++i;
      if (i < judged) continue;
      note(file_ + ": the column " + name(use) +
           " counts the rows and is a feature nevertheless; leave it out with " + option("ignore") +
           " " + name(use));
      return;
    }
  }

  const TypedTable<T>& table_;
  const std::string& file_;
  const std::string& format_;
  const ReadOptions& options_;
  MemoryBudget budget_;
  Index rows_;
  std::vector<Index> first_row_;  // per part
  std::vector<std::string> names_;
  std::vector<const ColumnReading*> said_;
  CsvRoles roles_;
  std::vector<Use> uses_;
  std::vector<T> missing_numbers_;
  Index held_ = 0;        // bytes of codes
  Index text_bytes_ = 0;  // of dictionaries
  Index features_ = 0;
  std::vector<T> values_;
  std::vector<T> target_;
  std::vector<T> weights_;
  LabelTexts labels_{exact_digits_of<T>};
  std::vector<std::pair<Index, std::string>> rounded_labels_;  // by row
  std::unordered_map<const Use*, Index> first_rounded_;
  std::unordered_map<const Use*, Column> column_;
  std::vector<std::string> notices_;
  Index warnings_ = 0;
  char decimal_ = '.';
};

// One value in every row: what the name of a folder says.
template <Real T>
class SameValue final : public ColumnStream<T> {
 public:
  SameValue(const PartitionValue& value, const MemoryBudget& budget)
      : ColumnStream<T>(budget), value_(value) {}
  void next(Index count, ColumnBatch<T>& batch) override {
    batch.begin(ValuesAs::texts, count);
    const std::int32_t code = value_.missing ? -1 : this->code_of(value_.value);
    std::fill(batch.codes.begin(), batch.codes.end(), code);
  }

 private:
  const PartitionValue& value_;
};

// Files of the same columns, one after the other, with what their folders say as the first columns.
template <Real T>
class JoinedTables final : public TypedTable<T> {
 public:
  JoinedTables(std::vector<std::unique_ptr<TypedTable<T>>> tables, const std::vector<Input>& files,
               std::vector<Partition> partitions, const ReadOptions& options)
      : tables_(std::move(tables)),
        partitions_(std::move(partitions)),
        budget_(files.front().name(), options),
        columns_(tables_.front()->columns()) {
    for (std::size_t t = 0; t < tables_.size(); ++t) {
      check(t, files);
      const auto& parts = tables_[t]->parts();
      for (std::size_t p = 0; p < parts.size(); ++p) {
        parts_.push_back(parts[p]);
        place_.emplace_back(t, static_cast<Index>(p));
      }
    }
    if (!partitions_.empty()) said_ = static_cast<Index>(partitions_.front().size());
    std::vector<DeclaredColumn> said;
    for (Index c = 0; c < said_; ++c) {
      said.push_back({partitions_.front()[static_cast<std::size_t>(c)].column, DeclaredKind::text,
                      "the names of folders"});
    }
    columns_.insert(columns_.begin(), said.begin(), said.end());
  }

  [[nodiscard]] const std::vector<DeclaredColumn>& columns() const override { return columns_; }
  [[nodiscard]] const std::vector<Index>& parts() const override { return parts_; }
  [[nodiscard]] std::unique_ptr<ColumnStream<T>> open(Index part, Index column,
                                                      ValuesAs as) const override {
    const auto& [table, own] = place_[static_cast<std::size_t>(part)];
    if (column < said_) {
      return std::make_unique<SameValue<T>>(partitions_[table][static_cast<std::size_t>(column)],
                                            budget_);
    }
    return tables_[table]->open(own, column - said_, as);
  }

 private:
  static bool is_text(DeclaredKind kind) {
    return kind == DeclaredKind::text || kind == DeclaredKind::coded;
  }

  void check(std::size_t t, const std::vector<Input>& files) {
    const auto& own = tables_[t]->columns();
    const std::string& file = files[t].name();
    const std::string& first = files.front().name();
    if (own.size() != columns_.size()) {
      throw InputError(file + ": has " + std::to_string(own.size()) + " columns, " + first +
                       " has " + std::to_string(columns_.size()) +
                       "; files that are read as one have the same columns in the same order");
    }
    for (std::size_t c = 0; c < own.size(); ++c) {
      DeclaredColumn& column = columns_[c];
      if (own[c].name != column.name) {
        throw InputError(file + ": its column " + std::to_string(c + 1) + " is " + own[c].name +
                         ", that of " + first + " is " + column.name +
                         "; files that are read as one have the same columns in the same order");
      }
      // A column without a value in one file has a type in another.
      if (column.kind == DeclaredKind::nothing) {
        column = own[c];
      } else if (is_text(own[c].kind) && is_text(column.kind)) {
        if (own[c].kind != column.kind) column.kind = DeclaredKind::text;
      } else if (own[c].kind != column.kind && own[c].kind != DeclaredKind::nothing) {
        throw InputError(file + ": its column " + column.name + " holds " + own[c].type +
                         ", that of " + first + " " + column.type +
                         "; files that are read as one have the same types");
      }
    }
  }

  std::vector<std::unique_ptr<TypedTable<T>>> tables_;
  std::vector<Partition> partitions_;  // per table, or empty
  MemoryBudget budget_;
  Index said_ = 0;  // columns that folders say
  std::vector<DeclaredColumn> columns_;
  std::vector<Index> parts_;
  std::vector<std::pair<std::size_t, Index>> place_;
};

template <Real T>
std::unique_ptr<TypedTable<T>> open_table(const Input& file, FileFormat format,
                                          const ReadOptions& options) {
  return format == FileFormat::parquet ? open_parquet<T>(file, options)
                                       : open_arrow<T>(file, options);
}

// What folders say and the files do not have themselves.
template <Real T>
std::vector<Partition> columns_to_add(const TypedTable<T>& table,
                                      const std::vector<Partition>& partitions,
                                      const std::string& file, std::vector<std::string>& notices) {
  std::vector<Partition> added = partitions;
  for (const DeclaredColumn& column : table.columns()) {
    const auto same = [&column](const PartitionValue& value) {
      return value.column == column.name;
    };
    bool both = false;
    for (Partition& partition : added) both = std::erase_if(partition, same) > 0 || both;
    if (!both) continue;
    notices.push_back(file + ": the files have the column " + column.name +
                      " that their folders say too; what the files have is taken");
  }
  return added;
}

}  // namespace

template <Real T>
Dataset<T> read_typed_files(const std::vector<Input>& files,
                            const std::vector<Partition>& partitions, const std::string& name,
                            FileFormat format, const ReadOptions& options) {
  const std::string called(format_names()[static_cast<std::size_t>(format)]);
  std::vector<std::unique_ptr<TypedTable<T>>> tables;
  for (const Input& file : files) tables.push_back(open_table<T>(file, format, options));
  std::vector<std::string> notices;
  std::vector<Partition> added = columns_to_add(*tables.front(), partitions, name, notices);
  if (files.size() == 1 && (added.empty() || added.front().empty())) {
    return TypedReader<T>(*tables.front(), name, called, notices, options).read();
  }
  const JoinedTables<T> joined(std::move(tables), files, std::move(added), options);
  return TypedReader<T>(joined, name, called, notices, options).read();
}

template Dataset<float> read_typed_files(const std::vector<Input>&, const std::vector<Partition>&,
                                         const std::string&, FileFormat, const ReadOptions&);
template Dataset<double> read_typed_files(const std::vector<Input>&, const std::vector<Partition>&,
                                          const std::string&, FileFormat, const ReadOptions&);

}  // namespace tandem

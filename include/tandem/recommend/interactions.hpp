// Who did what with which item, when: what recommenders are trained on, and how it is parted into
// what was known and what came afterwards.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/data/reading.hpp"

namespace tandem {

// Rows of users, columns of items, in compressed sparse row form: see CsrView. Without `values`
// every element that is there is 1.
template <Real T>
using SparseView = CsrView<T>;

// Owns what a SparseView shows.
template <Real T>
struct SparseMatrix {
  Index rows = 0;
  Index cols = 0;
  std::vector<Index> offsets{0};      // rows + 1
  std::vector<std::int32_t> columns;  // ascending within a row
  std::vector<T> values;              // one per column number

  [[nodiscard]] SparseView<T> view() const { return {rows, cols, offsets, columns, values}; }
  [[nodiscard]] Index size() const noexcept { return static_cast<Index>(columns.size()); }
  [[nodiscard]] std::span<const std::int32_t> columns_of(Index row) const {
    const auto at = static_cast<std::size_t>(row);
    return std::span(columns).subspan(static_cast<std::size_t>(offsets[at]),
                                      static_cast<std::size_t>(offsets[at + 1] - offsets[at]));
  }
  [[nodiscard]] std::span<const T> values_of(Index row) const {
    const auto at = static_cast<std::size_t>(row);
    return std::span(values).subspan(static_cast<std::size_t>(offsets[at]),
                                     static_cast<std::size_t>(offsets[at + 1] - offsets[at]));
  }
  [[nodiscard]] bool operator==(const SparseMatrix&) const = default;
};

// Rows become columns. Elements of a row of the result are in the order of the rows they come from.
template <Real T>
[[nodiscard]] TANDEM_API SparseMatrix<T> transposed(const SparseView<T>& matrix);

// Events, one per row of a file, in its order. Users and items are numbered by their names in
// ascending byte order; names that no event has may stand among them.
struct TANDEM_API Interactions {
  std::string source = "interactions";  // the file or generator, for messages
  std::vector<std::string> users;       // names, by number
  std::vector<std::string> items;
  std::vector<std::int32_t> user;  // of each event
  std::vector<std::int32_t> item;
  std::vector<double> weight;  // of each event, finite and >= 0; or empty: 1 each
  std::vector<double> time;    // seconds since 1970-01-01 00:00:00 UTC; or empty: unknown

  [[nodiscard]] Index size() const noexcept { return static_cast<Index>(user.size()); }
  [[nodiscard]] bool has_weights() const noexcept { return !weight.empty(); }
  [[nodiscard]] bool has_times() const noexcept { return !time.empty(); }
  [[nodiscard]] double weight_of(Index event) const {
    return weight.empty() ? 1.0 : weight[static_cast<std::size_t>(event)];
  }
  // −1 for a name that there is not.
  [[nodiscard]] std::int32_t user_number(std::string_view name) const;
  [[nodiscard]] std::int32_t item_number(std::string_view name) const;
};

// Which columns of a file are what. A column is named, or numbered from 0. An empty name takes the
// first column called as below, in any case and whatever stands between its letters ("User-ID"),
// where there is one; "none" takes no weight or time. Of a file without names, where nobody says
// which its columns are, the first two are user and item, and further ones weight and time.
struct TANDEM_API InteractionColumns {
  std::string user = "";    // user, user_id, uid, customer, visitor, reviewer, username, member
  std::string item = "";    // item, item_id, movie, product, asin, isbn, book, artist, track, ...
  std::string weight = "";  // weight, rating, stars, overall, score, count, plays, value
  std::string time = "";    // time, timestamp, date, datetime, ts, unixReviewTime, event_time
  // Events whose weight is below this are left out, with a count in the log: of ratings those that
  // say "I did not like it".
  double min_weight = 0;

  void visit(OptionVisitor& visitor);
};

// Fields separated by two colons are cut there, as MovieLens 1M is written. Times that would be
// seconds beyond the year 5100 are milliseconds, microseconds or nanoseconds, and are said to be.
//
// Reads CSV, TSV, Parquet, Arrow and what else read_dataset() reads by rows of named columns. Names
// of users and items are texts even where they look like numbers ("007" is not "7"). Throws
// InputError that names file, line and column for a missing user or item, a weight or time that is
// missing, negative (weight) or not finite, and a column that there is not.
[[nodiscard]] TANDEM_API Interactions read_interactions(const std::string& path,
                                                        const InteractionColumns& columns = {},
                                                        const Reading& reading = {},
                                                        int threads = 0);

// What is known of items: one row each, every other column an attribute. Texts as they are written,
// empty where missing.
struct TANDEM_API ItemAttributes {
  std::string source = "items";
  std::vector<std::string> items;       // ids, in the order of the file
  std::vector<std::string> attributes;  // "title", "genre", "description", ...
  // values[a][i]: attribute a of item i
  std::vector<std::vector<std::string>> values;

  [[nodiscard]] Index size() const noexcept { return static_cast<Index>(items.size()); }
  // −1 where there is none.
  [[nodiscard]] Index attribute(std::string_view name) const;
  [[nodiscard]] Index find(std::string_view item) const;
};

// The column of the ids is called as InteractionColumns::item says, or is the first one. Throws
// InputError for an id that is missing or stands twice.
[[nodiscard]] TANDEM_API ItemAttributes read_item_attributes(const std::string& path,
                                                             const std::string& id_column = "",
                                                             const Reading& reading = {});

// The events of a user and an item as one element, users × items: their weights added up in the
// order of time, then of the file.
template <Real T>
[[nodiscard]] TANDEM_API SparseMatrix<T> interaction_matrix(const Interactions& events);

// The same events where the items of these names are numbered too, whether events have them or not.
[[nodiscard]] TANDEM_API Interactions with_items(Interactions events,
                                                 const std::vector<std::string>& names);

// Training and test part with the same users and items, numbers and names.
struct InteractionSplit {
  Interactions train;
  Interactions test;
  double boundary = 0;  // split_by_time: events at this time or later are in the test part
};

// The latest round(test_fraction · n) events, and with them every event as late as the first of
// them. Nothing that the training part holds happened at or after `boundary`. Throws InputError
// where there are no times, unless 0 < test_fraction < 1, and where one of the parts would be
// empty.
[[nodiscard]] TANDEM_API InteractionSplit split_by_time(const Interactions& events,
                                                        double test_fraction);
// The same at a given time.
[[nodiscard]] TANDEM_API InteractionSplit split_at(const Interactions& events, double boundary);

// The last `count` events of each user that has more than `count` (of equally late ones those last
// in the file; without times the last in the file). The training part holds events of other users
// that came later: see docs/recommend.md.
[[nodiscard]] TANDEM_API InteractionSplit leave_last_out(const Interactions& events,
                                                         Index count = 1);

}  // namespace tandem

// Interactions and attributes of items from files, and the matrix of users and items.
#include "tandem/recommend/interactions.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "core/data/input.hpp"
#include "core/data/partitions.hpp"
#include "core/data/readers.hpp"
#include "core/data/typed_table.hpp"
#include "core/external_memory.hpp"
#include "core/recommend/double_colons.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/core/options.hpp"
#include "tandem/core/quiet_log.hpp"

namespace tandem {
namespace {

using UsualNames = std::span<const std::string_view>;
// In lower case, without what is no letter or digit.
constexpr std::string_view user_names[] = {"user",       "userid",   "uid",       "customer",
                                           "customerid", "visitor",  "visitorid", "reviewer",
                                           "reviewerid", "username", "member",    "memberid"};
constexpr std::string_view item_names[] = {
    "item",     "itemid",    "iid",     "content", "contentid", "movie",     "movieid",
    "product",  "productid", "asin",    "isbn",    "book",      "bookid",    "artist",
    "artistid", "track",     "trackid", "song",    "songid",    "article",   "articleid",
    "video",    "videoid",   "game",    "gameid",  "business",  "businessid"};
constexpr std::string_view weight_names[] = {"weight", "rating",    "ratings", "bookrating",
                                             "stars",  "overall",   "score",   "count",
                                             "plays",  "playcount", "value"};
constexpr std::string_view id_names[] = {"id"};
constexpr std::string_view time_names[] = {"time",     "timestamp", "timestampms",    "date",
                                           "datetime", "ts",        "unixreviewtime", "eventtime"};

// "Book-Rating", "userId" and "user_id:token", as RecBole's files have it, by their letters.
std::string letters_of(std::string_view text) {
  std::string made;
  for (const char c : text.substr(0, text.find(':'))) {
    if (c >= 'A' && c <= 'Z') {
      made += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c & 0x80) != 0) {
      made += c;
    }
  }
  return made;
}

// Events are read by the columns that they need; the last line feed outside quotes ends what is
// looked at to find their names.
constexpr std::size_t head_bytes = std::size_t{1} << 16;

// The file, or what takes its place where its fields are separated by two colons.
Input input_of(const std::string& path, Reading& reading) {
  Input input = Input::file(path);
  if (!reading.delimiter.automatic() || !(reading.format == "auto" || reading.format == "csv") ||
      !has_double_colons(input.head(head_bytes))) {
    return input;
  }
  reading.format = "csv";
  reading.delimiter = unit_separator;
  return without_double_colons(input);
}

// What a look at the beginning of a file says.
struct Head {
  std::vector<std::string> names;  // of the columns
  bool header = true;              // the file names them
  bool third_is_time = false;      // all values of the third column are as large as times are
  Reading reading;                 // how the rest is to be read
};

Head head_of(const Input& input, const Reading& reading) {
  ReadOptions options;
  options.reading = reading;
  options.threads = 1;
  const std::string format =
      options.reading.format == "auto"
          ? std::string(format_names()[static_cast<std::size_t>(format_of(input))])
          : options.reading.format.to_string();
  Head found;
  found.reading = reading;
  if (format == "parquet" || format == "arrow") {
    const auto table = format == "parquet" ? open_parquet<double>(input, options)
                                           : open_arrow<double>(input, options);
    for (const DeclaredColumn& column : table->columns()) found.names.push_back(column.name);
    return found;
  }
  if (format != "csv" && format != "tsv") {
    throw InputError(input.name() + ": is of the format " + format +
                     ", which has no named columns of users and items; expected csv, tsv, parquet "
                     "or arrow");
  }
  std::string head = input.head(head_bytes);
  if (head.size() == head_bytes) {
    std::size_t end = head.size();
    std::size_t quotes = static_cast<std::size_t>(std::count(head.begin(), head.end(), '"'));
    while (end > 0) {
      const char c = head[end - 1];
      if (c == '\n' && quotes % 2 == 0) break;
      if (c == '"') --quotes;
      --end;
    }
    if (end > 0) head.resize(end);
  }
  options.reading.format = format;
  // What it has to say about values will be said when the file is read.
  const log::QuietThread quiet;
  const auto bytes = std::as_bytes(std::span<const char>(head));
  const Dataset<double> sample = read_dataset<double>(bytes, input.name(), options);
  found.header = sample.reading == nullptr || sample.reading->header != HeaderChoice::no;
  if (sample.reading != nullptr) {
    // A look at more of the file could find another answer.
    found.reading.header = sample.reading->header;
    found.reading.delimiter = sample.reading->delimiter;
  }
  if (sample.features.cols() >= 3 && !sample.columns[2].categorical() && sample.rows() > 0) {
    found.third_is_time = true;
    for (Index i = 0; i < sample.rows(); ++i) {
      if (!(sample.features(i, 2) >= 1e8)) found.third_is_time = false;
    }
  }
  auto& names = found.names;
  for (const Column& column : sample.columns) {
    // A date is four features: "time.year".
    const auto dot = column.name.rfind('.');
    const std::string end = dot == std::string::npos ? "" : column.name.substr(dot + 1);
    if (end == "year" && !column.categorical()) {
      names.push_back(column.name.substr(0, dot));
    } else if (end != "month" && end != "weekday" && end != "hour") {
      names.push_back(column.name);
    } else if (names.empty() || names.back() != column.name.substr(0, dot)) {
      names.push_back(column.name);
    }
  }
  return found;
}

// The column asked for, or the first that is called as usual; −1 where none is to be had.
Index choose_column(const std::string& wanted, UsualNames usual,
                    const std::vector<std::string>& names, const std::string& what,
                    const std::string& file) {
  if (!wanted.empty()) return find_column(wanted, names, what, file);
  for (const std::string_view name : usual) {
    for (std::size_t c = 0; c < names.size(); ++c) {
      if (letters_of(names[c]) == name) return static_cast<Index>(c);
    }
  }
  return -1;
}

std::string listed(UsualNames names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Of rows that stand on disk the next ones are brought.
void come_to(const Dataset<double>& data, Index row) {
  constexpr Index at_once = 16384;
  if (row % at_once == 0) {
    visit_rows(data.features.view(), row, std::min(row + at_once, data.rows()));
  }
}

// A column of texts as numbers of its sorted names.
void take_names(const Dataset<double>& data, Index column, const std::string& what,
                std::vector<std::string>& names, std::vector<std::int32_t>& numbers) {
  names = data.columns[static_cast<std::size_t>(column)].categories;
  const Index rows = data.rows();
  numbers.resize(static_cast<std::size_t>(rows));
  for (Index i = 0; i < rows; ++i) {
    come_to(data, i);
    const double code = data.features(i, column);
    if (std::isnan(code)) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) + ", column " +
                       data.columns[static_cast<std::size_t>(column)].name + ": the " + what +
                       " is missing");
    }
    numbers[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(code);
  }
}

std::vector<double> take_numbers(const Dataset<double>& data, Index column, const std::string& what,
                                 bool negative) {
  std::vector<double> values(static_cast<std::size_t>(data.rows()));
  const Column& described = data.columns[static_cast<std::size_t>(column)];
  if (described.categorical()) {
    throw InputError(data.source + ": the column " + described.name + " holds texts; the " + what +
                     " of an event is a number" + (negative ? " of seconds, or a date" : ""));
  }
  for (Index i = 0; i < data.rows(); ++i) {
    come_to(data, i);
    const double value = data.features(i, column);
    if (!std::isfinite(value) || (!negative && value < 0)) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) + ", column " +
                       described.name + ": the " + what + " is " +
                       (std::isnan(value)       ? "missing"
                        : !std::isfinite(value) ? "infinite"
                                                : "negative") +
                       "; expected a finite number" + (negative ? "" : ", 0 or more"));
    }
    values[static_cast<std::size_t>(i)] = value;
  }
  return values;
}

std::int32_t number_of(const std::vector<std::string>& names, std::string_view name) {
  const auto at = std::lower_bound(names.begin(), names.end(), name);
  return at != names.end() && *at == name ? static_cast<std::int32_t>(at - names.begin()) : -1;
}

// Where a file names no columns and nobody says which they are: user, item, and of what follows a
// rating and a time, in this order, as public data sets have them. One further column is a time
// where all its values are as large as seconds since 1973 are.
InteractionColumns places_without_names(InteractionColumns columns, const Head& head,
                                        const Input& input) {
  if (head.header || !columns.user.empty() || !columns.item.empty()) return columns;
  const auto count = head.names.size();
  if (count < 2 || count > 4) return columns;
  const bool free = columns.weight.empty() && columns.time.empty();
  columns.user = "0";
  columns.item = "1";
  std::string text = "user, item";
  if (count == 3 && free) {
    (head.third_is_time ? columns.time : columns.weight) = "2";
    (head.third_is_time ? columns.weight : columns.time) = "none";
    text += head.third_is_time ? ", time" : ", weight";
  } else if (count == 4) {
    if (columns.weight.empty()) columns.weight = "2";
    if (columns.time.empty()) columns.time = "3";
    text += ", weight, time";
  }
  log::info(input.name() + ": names no columns, which are taken as " + text + "; " +
            option("user") + ", " + option("item") + ", " + option("weight") + " and " +
            option("time") + " with numbers from 0 say otherwise");
  return columns;
}

// Times that are milliseconds, microseconds or nanoseconds since 1970 where as many seconds would
// be after the year 5100 become seconds.
void to_seconds(std::vector<double>& times, const std::string& source, const std::string& column) {
  if (times.empty()) return;
  const double least = *std::min_element(times.begin(), times.end());
  if (!(least >= 1e11)) return;
  const double unit = least >= 1e17 ? 1e9 : least >= 1e14 ? 1e6 : 1e3;
  for (double& time : times) time /= unit;
  log::info(source + ": the times of the column " + column + " are taken as " +
            (unit == 1e3   ? "milliseconds"
             : unit == 1e6 ? "microseconds"
                           : "nanoseconds") +
            " since 1970");
}

}  // namespace

std::int32_t Interactions::user_number(std::string_view name) const {
  return number_of(users, name);
}
std::int32_t Interactions::item_number(std::string_view name) const {
  return number_of(items, name);
}

void InteractionColumns::visit(OptionVisitor& visitor) {
  visitor.text("user", user,
               "the column of users, by name or number from 0; if left out the one "
               "called user, user_id or the like");
  visitor.text("item", item, "the column of items");
  visitor.text("weight", weight, "the column of weights or ratings; none: every event counts 1");
  visitor.text("time", time, "the column of times: seconds since 1970, or dates; none: unknown");
  visitor.real("min_weight", min_weight, "leave out events of a smaller weight than this", 0,
               std::numeric_limits<double>::max());
}

Interactions read_interactions(const std::string& path, const InteractionColumns& columns,
                               const Reading& reading, int threads) {
  const TableFiles named = files_named_by(path);
  if (named.partitioned()) {
    throw InputError(path +
                     ": its folders name values, which events are not read with; name a folder "
                     "whose files have all columns");
  }
  const std::vector<std::string> files = named.paths();
  Reading how = reading;
  const Input first = input_of(files.front(), how);
  if (!first.stored() && files.size() > 1) {
    throw InputError(files.front() +
                     ": its fields are separated by two colons, of which one file is read at a "
                     "time; put the files together");
  }
  const Head head = head_of(first, how);
  const std::vector<std::string>& names = head.names;
  const InteractionColumns places = places_without_names(columns, head, first);
  const auto need = [&](const std::string& wanted, UsualNames usual, const std::string& what) {
    const Index at = choose_column(wanted, usual, names, option(what), first.name());
    if (at < 0) {
      throw InputError(first.name() + ": has no column of the " + what + "s: expected one called " +
                       listed(usual) + ", or " + option(what) + " COLUMN; it has " + listed(names));
    }
    return at;
  };
  const auto may = [&](const std::string& wanted, UsualNames usual, const std::string& what) {
    return wanted == "none" ? Index{-1}
                            : choose_column(wanted, usual, names, option(what), first.name());
  };
  const Index user = need(places.user, user_names, "user");
  const Index item = need(places.item, item_names, "item");
  const Index weight = may(places.weight, weight_names, "weight");
  const Index time = may(places.time, time_names, "time");
  const std::vector<Index> used{user, item, weight, time};
  for (std::size_t a = 0; a < used.size(); ++a) {
    for (std::size_t b = a + 1; b < used.size(); ++b) {
      if (used[a] >= 0 && used[a] == used[b]) {
        throw InputError(first.name() + ": the column " + names[static_cast<std::size_t>(used[a])] +
                         " cannot be two of user, item, weight and time");
      }
    }
  }

  ReadOptions options;
  options.reading = head.reading;
  options.reading.dates = DateUse::seconds;
  options.threads = threads;
  const auto name = [&](Index c) { return names[static_cast<std::size_t>(c)]; };
  // Columns without names have their positions.
  const auto called = [&](Index c) { return head.header ? name(c) : std::to_string(c); };
  for (const Index c : {user, item}) {
    auto& said = options.reading.columns.list;
    const auto found = std::find_if(
        said.begin(), said.end(), [&](const ColumnReading& one) { return one.name == called(c); });
    if (found != said.end()) {
      found->kind = ColumnKind::category;
    } else {
      said.push_back({called(c), ColumnKind::category});
    }
  }
  for (Index c = 0; c < static_cast<Index>(names.size()); ++c) {
    if (std::find(used.begin(), used.end(), c) == used.end()) options.ignore.push_back(called(c));
  }
  const Dataset<double> data =
      files.size() == 1 ? read_input<double>(first, options) : read_dataset<double>(path, options);
  const auto place = [&](Index c) {
    if (!head.header) {
      // What is not ignored, numbered anew.
      return static_cast<Index>(std::count_if(
          used.begin(), used.end(), [c](Index other) { return other >= 0 && other < c; }));
    }
    for (std::size_t j = 0; j < data.columns.size(); ++j) {
      if (data.columns[j].name == name(c)) return static_cast<Index>(j);
    }
    throw InputError(first.name() + ": the column " + name(c) + " holds no values");
  };

  Interactions events;
  events.source = data.source;
  take_names(data, place(user), "user", events.users, events.user);
  take_names(data, place(item), "item", events.items, events.item);
  if (weight >= 0) events.weight = take_numbers(data, place(weight), "weight", false);
  if (time >= 0) {
    events.time = take_numbers(data, place(time), "time", true);
    to_seconds(events.time, data.source, name(time));
  }
  if (columns.min_weight > 0) {
    if (weight < 0) {
      throw InputError(option("min_weight") + ": " + first.name() + " has no weights; name their " +
                       "column by " + option("weight"));
    }
    Index kept = 0;
    for (Index i = 0; i < events.size(); ++i) {
      const auto from = static_cast<std::size_t>(i);
      if (events.weight[from] < columns.min_weight) continue;
      const auto to = static_cast<std::size_t>(kept++);
      events.user[to] = events.user[from];
      events.item[to] = events.item[from];
      events.weight[to] = events.weight[from];
      if (events.has_times()) events.time[to] = events.time[from];
    }
    const Index left_out = events.size() - kept;
    const auto size = static_cast<std::size_t>(kept);
    events.user.resize(size);
    events.item.resize(size);
    events.weight.resize(size);
    if (events.has_times()) events.time.resize(size);
    if (kept == 0) {
      throw InputError(first.name() + ": no event has a weight of " + option("min_weight") +
                       " or more");
    }
    if (left_out > 0) {
      log::info(first.name() + ": " + std::to_string(left_out) +
                " events of a smaller weight than " + option("min_weight") + " are left out");
    }
  }
  if (events.size() == 0) throw InputError(first.name() + ": has no events");
  return events;
}

Index ItemAttributes::attribute(std::string_view name) const {
  const auto at = std::find(attributes.begin(), attributes.end(), name);
  return at == attributes.end() ? -1 : at - attributes.begin();
}

Index ItemAttributes::find(std::string_view item) const {
  const auto at = std::find(items.begin(), items.end(), item);
  return at == items.end() ? -1 : at - items.begin();
}

ItemAttributes read_item_attributes(const std::string& path, const std::string& id_column,
                                    const Reading& reading) {
  Reading how = reading;
  const Input input = input_of(path, how);
  const Head head = head_of(input, how);
  const std::vector<std::string>& names = head.names;
  Index id = choose_column(id_column, item_names, names, option("item"), input.name());
  if (id < 0) id = choose_column("", id_names, names, "", input.name());
  if (id < 0) id = 0;
  ReadOptions options;
  options.reading = head.reading;
  options.reading.columns.list.clear();
  for (std::size_t c = 0; c < names.size(); ++c) {
    options.reading.columns.list.push_back(
        {head.header ? names[c] : std::to_string(c), ColumnKind::category});
  }
  const Dataset<double> data = read_input<double>(input, options);
  ItemAttributes made;
  made.source = data.source;
  std::unordered_map<std::string_view, Index> first_row;
  for (std::size_t j = 0; j < data.columns.size(); ++j) {
    const Column& column = data.columns[j];
    const bool is_id = column.name == names[static_cast<std::size_t>(id)];
    std::vector<std::string> texts(static_cast<std::size_t>(data.rows()));
    for (Index i = 0; i < data.rows(); ++i) {
      const double code = data.features(i, static_cast<Index>(j));
      if (!std::isnan(code)) {
        texts[static_cast<std::size_t>(i)] = column.categorical()
                                                 ? column.categories[static_cast<std::size_t>(code)]
                                                 : class_name(code);
      } else if (is_id) {
        throw InputError(data.source + ": row " + std::to_string(i + 1) + ", column " +
                         column.name + ": the item is missing");
      }
    }
    if (is_id) {
      made.items = std::move(texts);
    } else {
      made.attributes.push_back(column.name);
      made.values.push_back(std::move(texts));
    }
  }
  for (Index i = 0; i < made.size(); ++i) {
    const auto [at, fresh] = first_row.emplace(made.items[static_cast<std::size_t>(i)], i);
    if (!fresh) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) + ": the item " +
                       made.items[static_cast<std::size_t>(i)] + " stands in row " +
                       std::to_string(at->second + 1) + " too; expected one row for each item");
    }
  }
  return made;
}

Interactions with_items(Interactions events, const std::vector<std::string>& names) {
  std::vector<std::string> all = events.items;
  all.insert(all.end(), names.begin(), names.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::vector<std::int32_t> place;
  for (const std::string& name : events.items) {
    place.push_back(
        static_cast<std::int32_t>(std::lower_bound(all.begin(), all.end(), name) - all.begin()));
  }
  for (std::int32_t& item : events.item) item = place[static_cast<std::size_t>(item)];
  events.items = std::move(all);
  return events;
}

}  // namespace tandem

#include "core/data/reading_scope.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace tandem {
namespace {

enum class Contents { text_table, declared_types, numbered_pairs, arrays };

Contents contents_of(FileFormat format) {
  switch (format) {
    case FileFormat::csv:
    case FileFormat::tsv: return Contents::text_table;
    case FileFormat::parquet:
    case FileFormat::arrow: return Contents::declared_types;
    case FileFormat::libsvm: return Contents::numbered_pairs;
    case FileFormat::npy:
    case FileFormat::npz:
    case FileFormat::idx: break;
  }
  return Contents::arrays;
}

}  // namespace

void refuse_settings_without_use(const Reading& asked, FileFormat format, const std::string& file) {
  const Reading unset;
  struct Setting {
    const char* name;
    bool set;
    std::initializer_list<Contents> of_use;
  };
  constexpr auto text = Contents::text_table;
  constexpr auto declared = Contents::declared_types;
  constexpr auto pairs = Contents::numbered_pairs;
  const Setting settings[] = {
      {"header", asked.header != unset.header, {text}},
      {"delimiter", asked.delimiter != unset.delimiter, {text}},
      {"decimal", asked.decimal != unset.decimal, {text, declared}},
      {"thousands", asked.thousands != unset.thousands, {text, declared}},
      {"comment", asked.comment != unset.comment, {text}},
      {"skip_lines", asked.skip_lines != unset.skip_lines, {text}},
      {"encoding", asked.encoding != unset.encoding, {text}},
      {"missing", asked.missing != unset.missing, {text, declared}},
      {"columns", asked.columns != unset.columns, {text, declared}},
      {"dates", asked.dates != unset.dates, {text, declared}},
      {"features", asked.features != unset.features, {pairs}},
      {"index_base", asked.index_base != unset.index_base, {pairs}},
  };
  const Contents contents = contents_of(format);
  for (const Setting& setting : settings) {
    bool used = !setting.set;
    for (const Contents one : setting.of_use) used = used || one == contents;
    if (used) continue;
    const std::string name(format_names()[static_cast<std::size_t>(format)]);
    const bool of_tables = *setting.of_use.begin() == Contents::text_table;
    std::string message = file + ": is read as " + name + ", where " + option(setting.name) +
                          " changes nothing; leave it out";
    if (contents == Contents::arrays && of_tables) {
      message += ", or write the rows as a text table, where columns have names and types";
    } else {
      message += ", or say what the file is with " + option("format");
    }
    throw InputError(message);
  }
}

void refuse_settings_against_model(const ReadOptions& options, const std::string& file) {
  const Schema& schema = *options.schema;
  const Reading& asked = options.reading;
  const Reading& trained = schema.reading;
  if (asked.dates != DateUse::automatic && trained.dates != DateUse::automatic &&
      asked.dates != trained.dates) {
    throw InputError(file + ": the model takes dates as " + std::string(to_string(trained.dates)) +
                     ", as it was trained on them; leave " + option("dates") + " " +
                     std::string(to_string(asked.dates)) + " out, or train with it");
  }
  for (const std::string& ignored : options.ignore) {
    const auto needed = [&](const Column& column) { return column.name == ignored; };
    if (std::none_of(schema.columns.begin(), schema.columns.end(), needed)) continue;
    throw InputError(file + ": " + option("ignore") + " names " + ignored +
                     ", which the model was trained on; leave it out, or train without the column");
  }
  for (const ColumnReading& said : asked.columns.list) {
    const auto made_of_it = [&](const Column& column) {
      if (column.name == said.name) return true;
      const ColumnReading* const stem = trained.find(said.name);
      return stem != nullptr && stem->kind == ColumnKind::date &&
             column.name.starts_with(said.name + ".");
    };
    const auto feature = std::find_if(schema.columns.begin(), schema.columns.end(), made_of_it);
    if (feature == schema.columns.end()) {
      const bool known = said.name == schema.target.name || said.name == options.target ||
                         said.name == options.weights ||
                         std::find(options.ignore.begin(), options.ignore.end(), said.name) !=
                             options.ignore.end();
      if (known) continue;
      throw InputError(file + ": " + option("columns") + " names " + said.name +
                       ", which is no column that the model takes; leave it out");
    }
    const bool category = said.kind == ColumnKind::category;
    if (said.kind == ColumnKind::automatic || category == feature->categorical()) continue;
    throw InputError(file + ": " + option("columns") + " says that " + said.name + " holds " +
                     (category ? "categories" : "values") + ", and the model takes it as " +
                     (category ? "values" : "categories") + "; leave it out, or train with it");
  }
}

}  // namespace tandem

#include "core/data/reading_scope.hpp"

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

}  // namespace tandem

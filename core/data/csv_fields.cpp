#include "core/data/csv_fields.hpp"

#include "tandem/core/error.hpp"

namespace tandem {

CsvField read_csv_field(const char* p, const char* end, const CsvDialect& dialect,
                        std::string& scratch) {
  CsvField field;
  const char delimiter = dialect.delimiter;
  const auto ends = [&](char c) {
    return c == delimiter || c == '\n' || (dialect.whitespace && c == '\t') ||
           (dialect.comment != 0 && c == dialect.comment);
  };
  // Sets what separates this field from the next one; q is the separator's first character.
  const auto finish = [&](const char* q) {
    if (dialect.whitespace) {
      while (is_csv_blank(*q)) ++q;
    }
    if (dialect.comment != 0 && *q == dialect.comment) {
      q = static_cast<const char*>(std::memchr(q, '\n', static_cast<std::size_t>(end - q)));
    }
    if (*q == '\r' && q[1] == '\n') ++q;
    field.next = q;
  };
  if (*p != '"') {
    const char* q = p;
    while (!ends(*q)) ++q;
    finish(q);
    if (*q == '\n' && q > p && q[-1] == '\r') --q;
    field.text = csv_trimmed({p, static_cast<std::size_t>(q - p)});
    return field;
  }
  field.quoted = true;
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
  if (!dialect.whitespace) {
    while (*from == ' ' && delimiter != ' ') ++from;
  }
  if (*from == '\r' && from[1] == '\n') ++from;
  if (from < end && ends(*from)) {
    finish(from);
  } else {
    field.mistake = "text follows a closing quote; a quote inside a quoted field is written twice";
  }
  return field;
}

const char* split_csv_record(const char*& p, const char* end, const CsvDialect& dialect,
                             CsvRecordFields& record, Index& lines) {
  record.fields.clear();
  record.quoted.clear();
  record.line = lines;
  std::string scratch;
  for (;;) {
    const CsvField field = read_csv_field(p, end, dialect, scratch);
    lines += field.line_feeds;
    if (field.mistake != nullptr) return field.mistake;
    if (static_cast<Index>(record.size()) == most_csv_columns)
      return "has more than 4194304 fields";
    record.fields.emplace_back(field.text);
    record.quoted.push_back(field.quoted);
    p = dialect.whitespace && *field.next != '\n' ? field.next : field.next + 1;
    if (*field.next == '\n') {
      ++lines;
      return nullptr;
    }
  }
}

std::string quoted_field(std::string_view text) {
  std::string shown = "'";
  for (const char c : text.substr(0, 40)) shown += static_cast<unsigned char>(c) < 32 ? ' ' : c;
  if (text.size() > 40) shown += "...";
  return shown + "'";
}

std::string listed_names(const std::vector<std::string>& names) {
  std::string list;
  for (std::size_t i = 0; i < names.size() && i < 10; ++i) list += (i > 0 ? ", " : "") + names[i];
  if (names.size() > 10) list += ", ... (" + std::to_string(names.size()) + " in all)";
  return list;
}

bool is_valid_utf8(std::string_view text) {
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
  if (is_valid_utf8(text)) return;
  throw InputError(file + ": the text " + quoted_field(text) + " is not UTF-8; say with " +
                   option("encoding") + " what it is, windows-1252 or latin1 in most cases");
}

}  // namespace tandem

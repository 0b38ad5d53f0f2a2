#include "core/data/csv_dialect.hpp"

#include <iconv.h>

#include <cerrno>
#include <cmath>
#include <map>
#include <optional>

#include "core/data/field_values.hpp"
#include "core/data/number.hpp"
#include "core/data/records.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

constexpr std::size_t most_head_fields = std::size_t{1} << 20;
constexpr std::size_t judged_records = 100;

// --- encodings and ends of lines ----------------------------------------------------------------

class IconvSource final : public ByteSource {
 public:
  IconvSource(std::unique_ptr<ByteSource> source, std::string name, std::string encoding)
      : source_(std::move(source)),
        name_(std::move(name)),
        encoding_(std::move(encoding)),
        handle_(::iconv_open("UTF-8", encoding_.c_str())),
        bytes_(std::size_t{1} << 16) {
    if (handle_ == invalid()) unknown();
  }
  IconvSource(const IconvSource&) = delete;
  IconvSource& operator=(const IconvSource&) = delete;
  ~IconvSource() override { ::iconv_close(handle_); }

  std::size_t read(char* to, std::size_t count) override {
    // A character of UTF-8 takes up to four bytes.
    if (count < 8) {
      while (small_used_ == small_.size()) {
        small_.resize(64);
        small_.resize(read(small_.data(), small_.size()));
        small_used_ = 0;
        if (small_.empty()) return 0;
      }
      count = std::min(count, small_.size() - small_used_);
      std::copy_n(small_.data() + small_used_, count, to);
      small_used_ += count;
      return count;
    }
    if (small_used_ < small_.size()) {
      count = std::min(count, small_.size() - small_used_);
      std::copy_n(small_.data() + small_used_, count, to);
      small_used_ += count;
      return count;
    }
    char* out = to;
    std::size_t room = count;
    while (out == to) {
      if (left_ == 0 || starved_) {
        std::copy_n(bytes_.data() + at_, left_, bytes_.data());
        at_ = 0;
        const std::size_t got = source_->read(bytes_.data() + left_, bytes_.size() - left_);
        before_ += static_cast<Index>(got);
        if (got == 0) {
          if (left_ > 0) invalid_bytes();
          return 0;
        }
        left_ += got;
        starved_ = false;
      }
      char* in = bytes_.data() + at_;
      const std::size_t had = left_;
      const std::size_t status = ::iconv(handle_, &in, &left_, &out, &room);
      at_ += had - left_;
      if (status != static_cast<std::size_t>(-1) || errno == E2BIG) continue;
      if (errno != EINVAL) invalid_bytes();
      starved_ = true;  // a character goes on in the next bytes
    }
    return static_cast<std::size_t>(out - to);
  }

 private:
  static iconv_t invalid() { return reinterpret_cast<iconv_t>(-1); }  // NOLINT
  [[noreturn]] void unknown() const {
    throw InputError(option("encoding") + ": '" + encoding_ +
                     "' is no encoding that iconv knows; expected utf-16, windows-1252 or latin1, "
                     "say (iconv --list lists them)");
  }
  [[noreturn]] void invalid_bytes() const {
    throw InputError(name_ + ": the bytes near " +
                     std::to_string(before_ - static_cast<Index>(left_)) + " are no text in " +
                     encoding_ + "; name another encoding with " + option("encoding"));
  }

  std::unique_ptr<ByteSource> source_;
  std::string name_;
  std::string encoding_;
  iconv_t handle_;
  std::vector<char> bytes_;
  std::size_t at_ = 0;
  std::size_t left_ = 0;
  bool starved_ = false;
  Index before_ = 0;
  std::vector<char> small_;
  std::size_t small_used_ = 0;
};

// Carriage returns alone as the ends of lines, as old Macintosh programs wrote them.
class LineFeedSource final : public ByteSource {
 public:
  explicit LineFeedSource(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}
  std::size_t read(char* to, std::size_t count) override {
    const std::size_t got = source_->read(to, count);
    std::replace(to, to + got, '\r', '\n');
    return got;
  }

 private:
  std::unique_ptr<ByteSource> source_;
};

// Lines that end with two carriage returns, as a program writes them that turns line feeds into
// both once too often: the first of the two becomes a blank, which is left out around a field.
class OneReturnSource final : public ByteSource {
 public:
  explicit OneReturnSource(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}
  std::size_t read(char* to, std::size_t count) override {
    if (count == 0) return 0;
    std::size_t got = 0;
    if (kept_) {
      to[got++] = *kept_;
      kept_.reset();
    }
    if (got < count) got += source_->read(to + got, count - got);
    for (std::size_t i = 0; i + 1 < got; ++i) {
      if (to[i] == '\r' && to[i + 1] == '\r') to[i] = ' ';
    }
    // What follows the last byte is not known yet.
    if (got > 0 && to[got - 1] == '\r') {
      char next = 0;
      if (source_->read(&next, 1) == 1) {
        kept_ = next;
        if (next == '\r') to[got - 1] = ' ';
      }
    }
    return got;
  }

 private:
  std::unique_ptr<ByteSource> source_;
  std::optional<char> kept_;
};

class LaterLinesSource final : public ByteSource {
 public:
  LaterLinesSource(std::unique_ptr<ByteSource> source, Index lines)
      : source_(std::move(source)), lines_(lines) {}
  std::size_t read(char* to, std::size_t count) override {
    for (;;) {
      const std::size_t got = source_->read(to, count);
      if (lines_ == 0 || got == 0) return got;
      std::size_t at = 0;
      while (lines_ > 0) {
        const auto* const feed = static_cast<const char*>(std::memchr(to + at, '\n', got - at));
        if (feed == nullptr) break;
        at = static_cast<std::size_t>(feed - to) + 1;
        --lines_;
      }
      if (lines_ > 0 || at == got) continue;
      std::memmove(to, to + at, got - at);
      return got - at;
    }
  }

 private:
  std::unique_ptr<ByteSource> source_;
  Index lines_;
};

// The encoding by the name that iconv knows it by; empty for UTF-8.
std::string encoding_of(const Input& input, std::string_view head, const Reading& asked,
                        bool of_model) {
  const auto starts = [&](std::string_view with) { return head.substr(0, with.size()) == with; };
  if (starts(std::string_view("\xFF\xFE\0\0", 4)) || starts(std::string_view("\0\0\xFE\xFF", 4))) {
    return "UTF-32";
  }
  if (starts("\xFF\xFE") || starts("\xFE\xFF")) return "UTF-16";
  if (starts("\xEF\xBB\xBF")) return "";
  if (!asked.encoding.empty()) {
    std::string name = asked.encoding;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (name == "UTF-8" || name == "UTF8") return "";
    std::string_view judged = head;  // not a character that the head's end cuts
    while (!judged.empty() && (judged.back() & 0x80) != 0) judged.remove_suffix(1);
    const bool ascii =
        std::all_of(judged.begin(), judged.end(), [](char c) { return (c & 0x80) == 0; });
    if (of_model && !ascii && is_valid_utf8(judged)) {
      throw InputError(input.name() + ": is UTF-8, and the data that the model was trained on is " +
                       asked.encoding + "; read this file with " + option("encoding") + " utf-8");
    }
    return name;
  }
  // Text of mostly Latin letters in UTF-16 has every other byte zero.
  const std::string_view part = head.substr(0, 4096);
  if (part.size() < 4 || part.find('\0') == std::string_view::npos) return "";
  std::array<std::size_t, 2> zeros{};
  for (std::size_t i = 0; i < part.size(); ++i) zeros[i % 2] += part[i] == 0 ? 1 : 0;
  const std::size_t pairs = part.size() / 2;
  if (zeros[0] == 0 && zeros[1] * 10 > pairs * 9) return "UTF-16LE";
  if (zeros[1] == 0 && zeros[0] * 10 > pairs * 9) return "UTF-16BE";
  return "";
}

// --- judging fields -----------------------------------------------------------------------------

bool is_delimiter(char c) { return c == ',' || c == ';' || c == '\t' || c == '|'; }

// A piece of something: another delimiter stands beside a digit. Not where the whole is a value.
bool is_fragment(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_delimiter(text[i])) continue;
    const bool before = i > 0 && number_detail::is_digit(text[i - 1]);
    const bool behind = i + 1 < text.size() && number_detail::is_digit(text[i + 1]);
    if (before || behind || i + 1 == text.size()) return !is_typed(text);
  }
  return false;
}

struct Judged {
  CsvDialect dialect;
  std::size_t fields = 1;  // of most records
  double score = 0;
  double typed = 0;  // share of the fields that are values
  double consistency = 0;
  bool first_alike = false;  // the first record has as many fields as most
};

std::size_t usual_size(const std::vector<CsvRecordFields>& records) {
  std::map<std::size_t, std::size_t> counts;
  for (const auto& record : records) ++counts[record.size()];
  std::size_t best = records.empty() ? 0 : records.front().size();
  for (const auto& [size, count] : counts) {
    if (count > counts[best]) best = size;
  }
  return best;
}

Judged judge(const TextHead& head, const CsvDialect& dialect) {
  Judged judged{.dialect = dialect};
  const auto records = first_records(head, dialect, judged_records);
  if (records.empty()) return judged;
  judged.fields = usual_size(records);
  judged.first_alike = records.front().size() == judged.fields ||
                       (records.size() > 1 && records.front().size() + 1 == judged.fields);
  std::size_t usual = 0;
  double clean = 0;
  std::size_t cells = 0;
  std::size_t typed = 0;
  for (std::size_t r = 0; r < records.size(); ++r) {
    const auto& record = records[r];
    if (record.size() != judged.fields) {
      // R's header has no name for the names of the rows.
      usual += r == 0 && records.size() > 1 && record.size() + 1 == judged.fields ? 1 : 0;
      continue;
    }
    ++usual;
    const std::size_t most = std::min<std::size_t>(record.size(), 200);
    for (std::size_t c = 0; c < most; ++c) {
      ++cells;
      if (record.quoted[c] || record[c].empty()) {
        clean += 1;
        // Blanks that stand between quotes separate, as in what R's write.table() makes.
        typed += dialect.whitespace && record.quoted[c] && r > 0 ? 1 : 0;
        continue;
      }
      const bool value = is_typed(record[c]);
      typed += value && r > 0 ? 1 : 0;
      clean += value || !is_fragment(record[c]) ? 1 : 0;
    }
  }
  // The record that a mistake has cut off counts as unusual.
  const char* p = head.begin();
  Index lines = 0;
  double total = static_cast<double>(records.size());
  CsvRecordFields record;
  for (std::size_t r = 0; r < records.size() && skip_empty_lines(p, head.end(), lines, dialect);
       ++r) {
    (void)split_csv_record(p, head.end(), dialect, record, lines);
  }
  if (records.size() < judged_records && skip_empty_lines(p, head.end(), lines, dialect))
    total += 3;
  judged.consistency = static_cast<double>(usual) / total;
  judged.typed = cells == 0 ? 0 : static_cast<double>(typed) / static_cast<double>(cells);
  const double share = cells == 0 ? 0 : clean / static_cast<double>(cells);
  const auto width = static_cast<double>(judged.fields);
  judged.score = judged.fields < 2 ? 0 : judged.consistency * share * share * (width - 1) / width;
  return judged;
}

// Lines that are one value each, "2024-01-31 12:30:05" or "1,5", need no cutting.
bool lines_are_values(const TextHead& head) {
  const char* p = head.begin();
  std::size_t lines = 0;
  std::size_t values = 0;
  while (p < head.end() && lines < judged_records) {
    const auto* const feed =
        static_cast<const char*>(std::memchr(p, '\n', static_cast<std::size_t>(head.end() - p)));
    const std::string_view line = csv_trimmed({p, static_cast<std::size_t>(feed - p)});
    p = feed + 1;
    if (line.empty() || line == "\r") continue;
    ++lines;
    double value = 0;
    const auto text = line.back() == '\r' ? line.substr(0, line.size() - 1) : line;
    values += parse_whole_number(text, value) || possible_dates(text).orders != 0 ||
                      parse_time(text, value)
                  ? 1
                  : 0;
  }
  return lines > 0 && values + 1 >= lines && values > 0;
}

std::string shown(const CsvDialect& dialect) {
  if (dialect.whitespace) return "blanks";
  return dialect.delimiter == '\t' ? "tabs" : "'" + std::string(1, dialect.delimiter) + "'";
}

CsvDialect find_delimiter(const TextHead& head, char comment, const std::string& file,
                          std::vector<std::string>& notices) {
  if (lines_are_values(head)) return {.comment = comment};
  std::vector<Judged> all;
  for (const char delimiter : {',', '\t', ';', '|'}) {
    all.push_back(judge(head, {.delimiter = delimiter, .comment = comment}));
  }
  const auto by_score = [](const Judged& a, const Judged& b) { return a.score < b.score; };
  const Judged best = *std::max_element(all.begin(), all.end(), by_score);
  // Blanks stand inside texts too: they separate where nothing else does and values come out.
  const Judged blanks = judge(head, {.delimiter = ' ', .whitespace = true, .comment = comment});
  // Where a mark cuts every line alike and blanks do not cut the header, they stand inside fields:
  // "when,speed" above "2024-01-05 12:00:00 +0530,3".
  const bool inside =
      best.fields >= 2 && best.consistency == 1 && best.first_alike && !blanks.first_alike;
  if (blanks.fields >= 2 && blanks.consistency > 0.9 && blanks.typed >= 0.4 && !inside &&
      blanks.score > 1.02 * best.score) {
    return blanks.dialect;
  }
  if (best.score <= 0) return {.comment = comment};
  for (const Judged& other : all) {
    if (other.dialect.delimiter == best.dialect.delimiter || other.score < 0.7 * best.score)
      continue;
    notices.push_back(file + ": the fields are separated by " + shown(best.dialect) + " into " +
                      std::to_string(best.fields) +
                      " columns, which gives the cleanest values, and " + "might be by " +
                      shown(other.dialect) + " into " + std::to_string(other.fields) + "; " +
                      option("delimiter") + " says otherwise");
  }
  return best.dialect;
}

std::string_view first_line(std::string_view text) {
  std::string_view line = text.substr(0, text.find('\n'));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

// "sep=;" as Excel reads and writes it; 0 where the line is none.
char separator_line(std::string_view line) {
  if (line.size() >= 2 && line.front() == '"' && line.back() == '"')
    line = line.substr(1, line.size() - 2);
  if (line.size() != 5) return 0;
  const auto is = [&](std::size_t i, char c) { return (line[i] | 0x20) == c; };
  return is(0, 's') && is(1, 'e') && is(2, 'p') && line[3] == '=' ? line[4] : '\0';
}

std::size_t filled(const CsvRecordFields& record) {
  return static_cast<std::size_t>(std::count_if(record.fields.begin(), record.fields.end(),
                                                [](const auto& field) { return !field.empty(); }));
}

}  // namespace

bool is_typed(std::string_view text) {
  double value = 0;
  return possible_numbers(text) != 0 || possible_dates(text).orders != 0 ||
         parse_time(text, value) || parse_true_false(text) >= 0;
}

Input as_text(const Input& input, const Reading& asked, bool of_model, std::string& encoding) {
  const std::string head = input.head(std::size_t{1} << 16);
  encoding = encoding_of(input, head, asked, of_model);
  Input decoded = input;
  if (!encoding.empty()) {
    decoded = Input::derived(
        input.name(),
        [input, encoding] {
          return std::make_unique<IconvSource>(input.open(), input.name(), encoding);
        },
        saturating_product(input.largest_size(), 4));
  }
  const std::string text = encoding.empty() ? head : decoded.head(std::size_t{1} << 16);
  if (text.find('\n') == std::string::npos && text.find('\r') + 1 < text.size() &&
      text.find('\r') != std::string::npos) {
    return Input::derived(
        input.name(), [decoded] { return std::make_unique<LineFeedSource>(decoded.open()); },
        decoded.largest_size());
  }
  if (const auto feed = text.find('\n');
      feed != std::string::npos && feed >= 2 && text[feed - 1] == '\r' && text[feed - 2] == '\r') {
    return Input::derived(
        input.name(), [decoded] { return std::make_unique<OneReturnSource>(decoded.open()); },
        decoded.largest_size());
  }
  return decoded;
}

Input without_first_lines(const Input& input, Index lines) {
  if (lines == 0) return input;
  return Input::derived(
      input.name(),
      [input, lines] { return std::make_unique<LaterLinesSource>(input.open(), lines); },
      input.largest_size());
}

TextHead read_text_head(const Input& input, std::size_t longest) {
  for (std::size_t size = std::size_t{1} << 18;; size *= 8) {
    TextHead head;
    head.text = input.head(size);
    head.whole = head.text.size() < size;
    if (head.text.compare(0, 3, "\xEF\xBB\xBF") == 0) head.text.erase(0, 3);
    if (head.text.find('\0') != std::string::npos) {
      throw InputError(input.name() +
                       ": contains zero bytes, so it is not a text file; name its format with " +
                       option("format") +
                       " if it is one of npy, npz, idx, parquet or arrow, or its encoding with " +
                       option("encoding") + " if it is text in UTF-16");
    }
    if (const auto first = head.text.find('\n');
        (first == std::string::npos || first + 1 == head.text.size()) &&
        head.text.find("\xE2\x80\xA8") != std::string::npos) {
      throw InputError(input.name() +
                       ": its lines end with U+2028 (LINE SEPARATOR), which is not read; put line "
                       "feeds in their place");
    }
    if (head.whole) {
      if (!head.text.empty() && head.text.back() != '\n') head.text += '\n';
    } else {
      // Quotes that are data in an unusual place are judged again when records are read.
      const char* const cut =
          last_record_end(head.text.data(), head.text.data() + head.text.size(), ',', '"');
      if (cut == nullptr && size <= longest / 8) continue;
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

std::vector<CsvRecordFields> first_records(const TextHead& head, const CsvDialect& dialect,
                                           std::size_t most) {
  std::vector<CsvRecordFields> records;
  const char* p = head.begin();
  Index lines = 0;
  std::size_t total = 0;
  while (records.size() < most && total < most_head_fields &&
         skip_empty_lines(p, head.end(), lines, dialect)) {
    CsvRecordFields record;
    if (split_csv_record(p, head.end(), dialect, record, lines) != nullptr) break;
    total += record.size();
    records.push_back(std::move(record));
  }
  return records;
}

FoundDialect find_dialect(const TextHead& head, const Reading& asked, bool tabs,
                          const std::string& file) {
  FoundDialect found;
  std::string_view text(head.text.data(), head.size);
  const char said = separator_line(first_line(text));
  found.separator_line = said != 0;
  if (said != 0) found.skip_lines = 1;
  if (asked.skip_lines >= 0) found.skip_lines = asked.skip_lines + (said != 0 ? 1 : 0);
  TextHead table = head;
  const auto drop_lines = [&](Index lines) {
    for (; lines > 0; --lines) {
      const auto feed = table.text.find('\n');
      if (feed == std::string::npos || feed + 1 > table.size) break;
      table.text.erase(0, feed + 1);
      table.size -= feed + 1;
    }
  };
  drop_lines(found.skip_lines);

  // Comments before the table.
  char comment = asked.comment.character;
  const char front = table.size > 0 ? table.text.front() : '\0';
  // MATLAB's and LaTeX's mark may also begin the name of a column, such as %change.
  const bool percent = front == '%' && table.size > 1 &&
                       std::string_view(" \t%\r\n").find(table.text[1]) != std::string_view::npos;
  if (asked.comment.automatic && (front == '#' || percent)) {
    std::size_t marked = 0;
    std::string_view rest(table.text.data(), table.size);
    while (!rest.empty() && rest.front() == front) {
      rest.remove_prefix(std::min(rest.find('\n') + 1, rest.size()));
      ++marked;
    }
    // Where every line begins with it, it is data.
    if (!csv_trimmed(rest).empty()) comment = front;
    if (comment != 0) {
      found.notices.push_back(file + ": lines that begin with " + std::string(1, comment) +
                              " are left out as comments; " + option("comment") +
                              " none says otherwise");
    }
  }

  if (!asked.delimiter.automatic()) {
    found.dialect = {.delimiter = asked.delimiter.whitespace ? ' ' : asked.delimiter.character,
                     .whitespace = asked.delimiter.whitespace,
                     .comment = comment};
  } else if (said != 0) {
    found.dialect = {.delimiter = said, .comment = comment};
  } else if (tabs) {
    found.dialect = {.delimiter = '\t', .comment = comment};
  } else {
    found.dialect = find_delimiter(table, comment, file, found.notices);
  }
  if (found.dialect.delimiter == '"' || found.dialect.delimiter == '\n' ||
      found.dialect.delimiter == '\r') {
    throw InputError(option("delimiter") + " cannot be a quote or the end of a line");
  }

  const auto records = first_records(table, found.dialect, 1000);
  const std::size_t usual = usual_size(records);
  // Lines before the table: a title, remarks.
  if (asked.skip_lines < 0 && usual >= 2 && records.size() >= 4) {
    std::size_t before = 0;
    while (before < records.size() && before < 100) {
      const auto& record = records[before];
      const bool words = std::none_of(record.fields.begin(), record.fields.end(), is_typed);
      const bool title = words && (record.size() == 1 ||
                                   (record.size() == usual && usual >= 3 && filled(record) <= 1) ||
                                   (before > 0 && record.size() < usual && filled(record) <= 2));
      if (!title) break;
      ++before;
    }
    if (before > 0 && before + 2 < records.size() && records[before].size() == usual) {
      const Index lines = records[before].line;
      found.notices.push_back(
          file + ": the first " +
          (lines == 1 ? std::string("line is") : std::to_string(lines) + " lines are") +
          " left out, since the table of " + std::to_string(usual) + " columns begins behind " +
          (lines == 1 ? "it" : "them") + "; " + option("skip_lines") + " says otherwise");
      found.skip_lines += lines;
      drop_lines(lines);
    }
  }
  // "#x y z" right before numbers names the columns.
  if (comment == front && comment != 0 && asked.comment.automatic &&
      asked.header != HeaderChoice::no) {
    std::string_view rest(table.text.data(), table.size);
    std::string_view last;
    while (!rest.empty() && rest.front() == comment) {
      last = first_line(rest);
      rest.remove_prefix(std::min(rest.find('\n') + 1, rest.size()));
    }
    last.remove_prefix(std::min(last.find_first_not_of(comment), last.size()));
    std::string line = std::string(csv_trimmed(last)) + "\n";
    line.append(16, '\0');
    const char* p = line.data();
    CsvRecordFields names;
    Index lines = 0;
    CsvDialect plain = found.dialect;
    plain.comment = 0;
    const bool cut = line[0] != '\n' && split_csv_record(p, line.data() + line.size() - 16, plain,
                                                         names, lines) == nullptr;
    const auto table_records = first_records(table, found.dialect, 2);
    const bool over_values =
        !table_records.empty() &&
        std::any_of(table_records[0].fields.begin(), table_records[0].fields.end(), is_typed);
    const bool words = std::none_of(names.fields.begin(), names.fields.end(), is_typed);
    if (cut && usual >= 2 && names.size() == usual && words && over_values) {
      found.names_in_comment = names.fields;
      found.notices.push_back(
          file + ": the columns are called as the last comment before them says: " +
          listed_names(names.fields) + "; " + option("header") + " no says otherwise");
    }
  }
  return found;
}

}  // namespace tandem

// NumPy's array file, format versions 1 to 3:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "core/data/readers.hpp"
#include "core/data/typed_values.hpp"
#include "core/external_memory.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

constexpr std::size_t block_bytes = std::size_t{1} << 18;
constexpr std::size_t longest_header = std::size_t{1} << 20;
constexpr std::size_t most_axes = 32;
constexpr std::size_t most_categories = std::size_t{1} << 20;
constexpr std::size_t longest_text = std::size_t{1} << 16;

struct Header {
  std::string type;  // "<f4"
  bool fortran = false;
  std::vector<Index> shape;
};

// The Python dictionary literal {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Header parse() {
    Header header;
    bool type = false;
    bool order = false;
    bool shape = false;
    expect('{');
    while (!take('}')) {
      const std::string key = text();
      expect(':');
      if (key == "descr" && !type) {
        skip_blanks();
        if (at_ < text_.size() && text_[at_] == '[') {
          fail(
              "holds records of several fields; expected plain numbers; write it as CSV: in "
              "Python, pandas.DataFrame(array).to_csv(\"table.csv\", index=False)");
        }
        header.type = text();
        type = true;
      } else if (key == "fortran_order" && !order) {
        header.fortran = boolean();
        order = true;
      } else if (key == "shape" && !shape) {
        header.shape = tuple();
        shape = true;
      } else {
        fail("the header has an unexpected entry");
      }
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    if (!type || !order || !shape) fail("the header lacks descr, fortran_order or shape");
    return header;
  }

  [[noreturn]] void fail(const std::string& what) const { throw InputError(name_ + ": " + what); }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) {
      fail("the header is damaged at character " + std::to_string(at_) + ": expected " +
           std::string(1, c));
    }
  }
  std::string text() {
    skip_blanks();
    const char quote = at_ < text_.size() ? text_[at_] : ' ';
    if (quote != '\'' && quote != '"') expect('\'');
    const auto end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("the header ends inside a text");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  bool boolean() {
    skip_blanks();
    for (const auto& [word, value] : {std::pair{"True", true}, std::pair{"False", false}}) {
      const std::string_view expected(word);
      if (text_.substr(at_, expected.size()) == expected) {
        at_ += expected.size();
        return value;
      }
    }
    fail("the header's fortran_order is neither True nor False");
  }
  std::vector<Index> tuple() {
    std::vector<Index> values;
    expect('(');
    while (!take(')')) {
      skip_blanks();
      Index value = 0;
      const auto result = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
      if (result.ec != std::errc{} || value < 0) fail("the header's shape is not sizes >= 0");
      at_ = static_cast<std::size_t>(result.ptr - text_.data());
      if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2 wrote 3L
      values.push_back(value);
      if (values.size() > most_axes) fail("the header's shape has too many axes");
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return values;
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
};

template <class U>
U load(const char* p, bool swap) {
  unsigned char bytes[sizeof(U)];
  std::memcpy(bytes, p, sizeof(U));
  if (swap) std::reverse(bytes, bytes + sizeof(U));
  U value;
  std::memcpy(&value, bytes, sizeof(U));
  return value;
}

template <Real T>
using Convert = void (*)(const char* from, T* to, std::size_t count, bool swap);

template <Real T, class U>
void convert(const char* from, T* to, std::size_t count, bool swap) {
  if constexpr (std::is_same_v<T, U>) {
    if (!swap) {
      std::memcpy(to, from, count * sizeof(T));
      return;
    }
  }
  for (std::size_t i = 0; i < count; ++i)
    to[i] = static_cast<T>(load<U>(from + i * sizeof(U), swap));
}
template <Real T>
void convert_half(const char* from, T* to, std::size_t count, bool swap) {
  for (std::size_t i = 0; i < count; ++i) {
    to[i] = static_cast<T>(half_value(load<std::uint16_t>(from + 2 * i, swap)));
  }
}
template <Real T>
void convert_bool(const char* from, T* to, std::size_t count, bool) {
  for (std::size_t i = 0; i < count; ++i) to[i] = from[i] != 0 ? T{1} : T{0};
}

// Remembers the numbers of a block that no T holds; `first`: the place of the block in the table.
template <Real T>
using FindRounded = void (*)(const char* from, const T* converted, std::size_t count, bool swap,
                             std::size_t first, Table<T>& table);

template <Real T, class U>
void find_rounded(const char* from, const T* converted, std::size_t count, bool swap,
                  std::size_t first, Table<T>& table) {
  for (std::size_t i = 0; i < count; ++i) {
    const U value = load<U>(from + i * sizeof(U), swap);
    if (!is_rounded(value, converted[i])) continue;
    if (table.rounded.size() == most_categories) {
      table.more_rounded = true;
      return;
    }
    table.rounded.emplace_back(first + i, std::to_string(value));
  }
}

template <Real T>
FindRounded<T> rounded_finder(std::string_view kind) {
  if (kind == "i8") return find_rounded<T, std::int64_t>;
  if (kind == "u8") return find_rounded<T, std::uint64_t>;
  if constexpr (sizeof(T) == 4) {
    if (kind == "i4") return find_rounded<T, std::int32_t>;
    if (kind == "u4") return find_rounded<T, std::uint32_t>;
  }
  return nullptr;
}

template <Real T>
Convert<T> converter(std::string_view kind) {
  if (kind == "f4") return convert<T, float>;
  if (kind == "f8") return convert<T, double>;
  if (kind == "f2") return convert_half<T>;
  if (kind == "i1") return convert<T, std::int8_t>;
  if (kind == "i2") return convert<T, std::int16_t>;
  if (kind == "i4") return convert<T, std::int32_t>;
  if (kind == "i8") return convert<T, std::int64_t>;
  if (kind == "u1") return convert<T, std::uint8_t>;
  if (kind == "u2") return convert<T, std::uint16_t>;
  if (kind == "u4") return convert<T, std::uint32_t>;
  if (kind == "u8") return convert<T, std::uint64_t>;
  if (kind == "b1") return convert_bool<T>;
  return nullptr;
}

void append_utf8(std::string& text, std::uint32_t point) {
  if (point >= 0xD800 && (point <= 0xDFFF || point > 0x10FFFF)) point = 0xFFFD;
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += static_cast<char>(0xC0 | (point >> 6));
    text += static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    text += static_cast<char>(0xE0 | (point >> 12));
    text += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    text += static_cast<char>(0xF0 | (point >> 18));
    text += static_cast<char>(0x80 | ((point >> 12) & 0x3F));
    text += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (point & 0x3F));
  }
}

// A vector of texts of a fixed number of characters ("U": 4 bytes each, "S": 1), as categories.
template <Real T>
void read_texts(ByteSource& source, bool wide, bool swap, std::size_t item, Index count,
                const std::string& name, Table<T>& table) {
  std::map<std::string, std::int32_t> codes;
  std::vector<char> bytes(item);
  std::vector<std::int32_t> found;
  for (Index i = 0; i < count; ++i) {
    if (read_fully(source, bytes.data(), item) != item) {
      throw InputError(name + ": ends before element " + std::to_string(i + 1) + " of " +
                       std::to_string(count));
    }
    std::string text;
    for (std::size_t at = 0; at < item; at += wide ? 4 : 1) {
      const std::uint32_t point = wide ? load<std::uint32_t>(bytes.data() + at, swap)
                                       : static_cast<unsigned char>(bytes[at]);
      if (point == 0) break;  // padding
      append_utf8(text, point);
    }
    const auto place =
        codes.emplace(std::move(text), static_cast<std::int32_t>(codes.size())).first;
    found.push_back(place->second);
    if (codes.size() > most_categories) {
      throw InputError(name + ": has more than " + std::to_string(most_categories) +
                       " distinct texts; expected categories");
    }
  }
  // The map is sorted already.
  std::vector<std::int32_t> order(codes.size());
  for (const auto& [text, code] : codes) {
    order[static_cast<std::size_t>(code)] = static_cast<std::int32_t>(table.categories.size());
    table.categories.push_back(text);
  }
  table.values.reserve(found.size());
  for (const auto code : found) {
    table.values.push_back(static_cast<T>(order[static_cast<std::size_t>(code)]));
  }
}

}  // namespace

template <Real T>
Table<T> read_npy_table(ByteSource& source, Index size, const std::string& name,
                        const MemoryBudget& budget) {
  unsigned char start[12];
  if (read_fully(source, reinterpret_cast<char*>(start), 8) != 8 ||
      std::memcmp(start, "\x93NUMPY", 6) != 0) {
    throw InputError(name + ": is not an .npy file: it does not begin with \\x93NUMPY");
  }
  const int version = start[6];
  if (version < 1 || version > 3) {
    throw InputError(name + ": is of .npy version " + std::to_string(version) +
                     ", expected 1, 2 or 3");
  }
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  if (read_fully(source, reinterpret_cast<char*>(start) + 8, length_bytes) != length_bytes) {
    throw InputError(name + ": ends inside the header");
  }
  std::size_t length = 0;
  for (std::size_t i = length_bytes; i-- > 0;) length = length << 8 | start[8 + i];
  if (length > longest_header) {
    throw InputError(name + ": its header claims " + std::to_string(length) +
                     " bytes; expected at most " + std::to_string(longest_header));
  }
  std::string header_text(length, '\0');
  if (read_fully(source, header_text.data(), length) != length) {
    throw InputError(name + ": ends inside the header");
  }
  HeaderParser parser(header_text, name);
  const Header header = parser.parse();

  if (header.shape.empty()) parser.fail("holds a single number, expected a vector or a matrix");
  Table<T> table;
  table.rows = header.shape[0];
  table.vector = header.shape.size() == 1;
  table.cols = 1;
  for (std::size_t axis = 1; axis < header.shape.size(); ++axis) {
    table.cols = saturating_product(table.cols, header.shape[axis]);
  }
  if (table.rows == 0 || table.cols == 0) parser.fail("is empty: one of its axes has length 0");
  const Index count = saturating_product(table.rows, table.cols);

  const char order = header.type.empty() ? '?' : header.type[0];
  const std::string_view kind =
      std::string_view(header.type).substr(std::min<std::size_t>(1, header.type.size()));
  const bool big = order == '>';
  const bool swap = big != (std::endian::native == std::endian::big);
  const bool known_order = order == '<' || order == '>' || order == '|' || order == '=';
  const Convert<T> convert_block = known_order ? converter<T>(kind) : nullptr;
  std::size_t item = 0;
  const bool texts = known_order && !kind.empty() && (kind[0] == 'U' || kind[0] == 'S');
  if (convert_block != nullptr) {
    item = static_cast<std::size_t>(kind[1] - '0');
  } else if (texts) {
    const auto digits = kind.substr(1);
    const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), item);
    if (result.ec != std::errc{} || result.ptr != digits.data() + digits.size() || item == 0 ||
        item > longest_text) {
      parser.fail("has elements of type " + header.type + ", which is not read");
    }
    item *= kind[0] == 'U' ? 4 : 1;
    if (table.cols != 1) parser.fail("holds a matrix of texts; expected numbers");
  } else {
    parser.fail("has elements of type '" + header.type.substr(0, 20) +
                "'; expected numbers: f2, f4, f8, i1 to i8, u1 to u8 or b1; convert it, in Python "
                "with array.astype(\"float64\")");
  }

  // numpy.save() to the same open file twice leaves two arrays in it.
  const auto require_end = [&] {
    char more = 0;
    if (source.read(&more, 1) == 0) return;
    parser.fail(
        "has bytes behind its array; if it holds several arrays, save them apart, or all "
        "in one .npz file");
  };
  const auto header_bytes = static_cast<Index>(8 + length_bytes + length);
  const Index bytes = saturating_product(count, static_cast<Index>(item));
  if (size >= 0 && bytes > size - header_bytes) {
    parser.fail("its header claims " + std::to_string(table.rows) + " rows of " +
                std::to_string(table.cols) + " elements, " + std::to_string(bytes) +
                " bytes, but " +
                (size < header_bytes ? "none" : std::to_string(size - header_bytes)) +
                " follow; is the file complete?");
  }
  budget.require(table_bytes(table.rows, table.cols, sizeof(T)),
                 std::to_string(table.rows) + " rows of " + std::to_string(table.cols) +
                     " columns in " + std::string(to_string(precision_of<T>)));
  if (texts) {
    read_texts(source, kind[0] == 'U', swap, item, count, name, table);
    require_end();
    return table;
  }

  const std::size_t per_block = block_bytes / item;
  std::vector<char> raw(per_block * item);
  std::vector<T> converted(per_block);
  // Where a column stands that is reached in Fortran order, for more than two axes.
  std::vector<Index> place;
  const bool transposed = header.fortran && header.shape.size() > 1;
  table.values.reserve(static_cast<std::size_t>(count));
  advise_huge_pages(table.values.data(), table.values.capacity() * sizeof(T));
  if (transposed) {
    table.values.resize(static_cast<std::size_t>(count));
    place.resize(static_cast<std::size_t>(table.cols));
    for (Index c = 0; c < table.cols; ++c) {
      Index rest = c;
      Index at = 0;
      for (std::size_t axis = 1; axis < header.shape.size(); ++axis) {
        at = at * header.shape[axis] + rest % header.shape[axis];
        rest /= header.shape[axis];
      }
      place[static_cast<std::size_t>(c)] = at;
    }
  }
  const FindRounded<T> find_rounded_numbers = rounded_finder<T>(kind);
  Index row = 0;
  Index col = 0;
  for (Index done = 0; done < count;) {
    const auto wanted = std::min(per_block, static_cast<std::size_t>(count - done));
    const std::size_t got = read_fully(source, raw.data(), wanted * item);
    if (got != wanted * item) {
      parser.fail("ends after " + std::to_string(done + static_cast<Index>(got / item)) + " of " +
                  std::to_string(count) + " elements; is the file complete?");
    }
    convert_block(raw.data(), converted.data(), wanted, swap);
    if (find_rounded_numbers != nullptr) {
      find_rounded_numbers(raw.data(), converted.data(), wanted, swap,
                           static_cast<std::size_t>(done), table);
    }
    if (transposed) {
      for (std::size_t k = 0; k < wanted; ++k) {
        table.values[static_cast<std::size_t>(row * table.cols +
                                              place[static_cast<std::size_t>(col)])] = converted[k];
        if (++row == table.rows) {
          row = 0;
          ++col;
        }
      }
    } else {
      visit_elements(table.values.data() + table.values.size(), static_cast<Index>(wanted),
                     external::Access::write);
      table.values.insert(table.values.end(), converted.begin(),
                          converted.begin() + static_cast<std::ptrdiff_t>(wanted));
    }
    done += static_cast<Index>(wanted);
  }
  if (transposed) {
    // The places were counted in the order of the file.
    for (auto& [place_of, text] : table.rounded) {
      const auto at = static_cast<Index>(place_of);
      place_of = static_cast<std::size_t>(at % table.rows * table.cols +
                                          place[static_cast<std::size_t>(at / table.rows)]);
    }
    std::sort(table.rounded.begin(), table.rounded.end());
  }
  require_end();
  return table;
}

template <Real T>
Dataset<T> read_npy(const Input& input, const ReadOptions& options) {
  const MemoryBudget budget(input.name(), options);
  const auto source = input.open();
  return make_dataset(read_npy_table<T>(*source, input.largest_size(), input.name(), budget),
                      static_cast<Table<T>*>(nullptr), input, options);
}

template Table<float> read_npy_table(ByteSource&, Index, const std::string&, const MemoryBudget&);
template Table<double> read_npy_table(ByteSource&, Index, const std::string&, const MemoryBudget&);
template Dataset<float> read_npy(const Input&, const ReadOptions&);
template Dataset<double> read_npy(const Input&, const ReadOptions&);

}  // namespace tandem

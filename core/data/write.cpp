#include "tandem/data/write.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>

#include "core/file.hpp"
#include "core/parallel.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

constexpr Index rows_per_piece = 2048;

bool needs_quotes(std::string_view text, char delimiter) {
  if (text.empty()) return false;
  // Blanks at the ends would be left out when the field is read.
  if (text.front() == ' ' || text.back() == ' ' || text.front() == '\t' || text.back() == '\t') {
    return true;
  }
  return std::any_of(text.begin(), text.end(),
                     [&](char c) { return c == delimiter || c == '"' || c == '\n' || c == '\r'; });
}

template <Real T>
void add_cell(CsvRecord& record, const Column& column, T value, const std::string& source) {
  if (std::isnan(value)) {
    record.add("");
  } else if (column.categorical()) {
    if (!(value >= 0 && value < static_cast<T>(column.categories.size()))) {
      throw InputError(source + ": the column " + column.name +
                       " has a code that stands for no category");
    }
    record.add(column.categories[static_cast<std::size_t>(value)]);
  } else {
    record.add(value);
  }
}

template <Real T>
void add_target(CsvRecord& record, const Dataset<T>& data, std::size_t row) {
  const Classes& texts = data.target_texts;
  if (!texts.labels.empty() && texts.labels[row] >= 0) {
    record.add(texts.names[static_cast<std::size_t>(texts.labels[row])]);
  } else {
    add_cell(record, data.target_column, data.target[row], data.source);
  }
}

template <class T>
constexpr std::string_view npy_type() {
  if constexpr (std::is_same_v<T, float>)
    return "<f4";
  else if constexpr (std::is_same_v<T, double>)
    return "<f8";
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return "<i4";
  else
    return "<i8";
}

// The header of format 1.0 and what `elements` writes behind it.
void write_npy_file(const std::string& path, const std::string& type, const std::string& shape,
                    const std::function<void(std::ostream&)>& elements) {
  static_assert(std::endian::native == std::endian::little, "elements are written as they lie");
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
  // The elements begin at a multiple of 64 bytes.
  constexpr std::size_t alignment = 64;
  constexpr std::size_t prefix = 10;
  header.append(alignment - 1 - (prefix + header.size()) % alignment, ' ');
  header += '\n';
  write_file(path, [&](std::ostream& out) {
    out.write("\x93NUMPY\x01\x00", 8);
    out.put(static_cast<char>(header.size() & 0xFF));
    out.put(static_cast<char>(header.size() >> 8));
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    elements(out);
  });
}

template <class T>
void write_array(const std::string& path, const std::string& shape, MatrixView<const T> matrix) {
  write_npy_file(path, std::string(npy_type<T>()), shape, [&](std::ostream& out) {
    const Index rows = matrix.contiguous() ? 1 : matrix.rows;
    const Index cols = matrix.contiguous() ? matrix.rows * matrix.cols : matrix.cols;
    for (Index i = 0; i < rows; ++i) {
      out.write(reinterpret_cast<const char*>(matrix.data + i * matrix.stride),
                static_cast<std::streamsize>(cols * static_cast<Index>(sizeof(T))));
    }
  });
}

// The code points of UTF-8; a byte that is none stands for itself.
std::u32string code_points(std::string_view text) {
  std::u32string points;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (more == 0 || i + static_cast<std::size_t>(more) > text.size()) {
      points += static_cast<char32_t>(lead);
      continue;
    }
    char32_t point = lead & (0x3FU >> more);
    for (int k = 0; k < more; ++k) {
      point = point << 6 | (static_cast<unsigned char>(text[i++]) & 0x3FU);
    }
    points += point;
  }
  return points;
}

}  // namespace

void CsvRecord::begin_field() {
  if (fields_++ > 0) text_ += delimiter_;
}

CsvRecord& CsvRecord::add(std::string_view text) {
  begin_field();
  if (!needs_quotes(text, delimiter_)) {
    text_ += text;
    return *this;
  }
  text_ += '"';
  for (const char c : text) {
    if (c == '"') text_ += '"';
    text_ += c;
  }
  text_ += '"';
  return *this;
}
CsvRecord& CsvRecord::add(float value) {
  begin_field();
  if (!std::isnan(value)) append_shortest(text_, value);
  return *this;
}
CsvRecord& CsvRecord::add(double value) {
  begin_field();
  if (!std::isnan(value)) append_shortest(text_, value);
  return *this;
}
CsvRecord& CsvRecord::add(Index value) {
  begin_field();
  append_shortest(text_, value);
  return *this;
}

template <Real T>
void write_csv(const std::string& path, const Dataset<T>& data, char delimiter, int threads) {
  if (threads <= 0) threads = available_cores();
  // How many belong to each row.
  const Index margins =
      data.rows() > 0 ? static_cast<Index>(data.base_margin.size()) / data.rows() : 0;
  write_file(path, [&](std::ostream& out) {
    CsvRecord header(delimiter);
    for (const auto& column : data.columns) header.add(column.name);
    if (data.has_target()) header.add(data.target_column.name);
    if (data.has_weights()) header.add("weight");
    if (data.has_groups()) header.add("group");
    for (Index k = 0; k < margins; ++k) {
      header.add(margins == 1 ? "base_margin" : "base_margin" + std::to_string(k));
    }
    out << header.text() << '\n';

    const auto fill = [&](Piece piece, std::string& text) {
      CsvRecord record(delimiter);
      text.clear();
      for (Index i = piece.begin; i < piece.end; ++i) {
        record.clear();
        const auto row = data.features.row(i);
        for (std::size_t j = 0; j < row.size(); ++j) {
          add_cell(record, data.columns[j], row[j], data.source);
        }
        const auto at = static_cast<std::size_t>(i);
        if (data.has_target()) add_target(record, data, at);
        if (data.has_weights()) record.add(data.weights[at]);
        if (data.has_groups()) record.add(data.groups[at]);
        for (Index k = 0; k < margins; ++k) {
          record.add(data.base_margin[static_cast<std::size_t>(i * margins + k)]);
        }
        // A line with nothing on it would be skipped when the file is read.
        text += record.text().empty() ? "\"\"" : record.text();
        text += '\n';
      }
    };
    // A few pieces at a time are formatted in parallel, then written in order.
    std::vector<std::string> texts(static_cast<std::size_t>(threads) * 4);
    const Index total = pieces(data.rows(), rows_per_piece);
    for (Index first = 0; first < total; first += static_cast<Index>(texts.size())) {
      const Index count = std::min(total - first, static_cast<Index>(texts.size()));
      parallel_for(threads, count, [&](Index k) {
        fill(piece_of(data.rows(), rows_per_piece, first + k), texts[static_cast<std::size_t>(k)]);
      });
      for (Index k = 0; k < count; ++k) {
        const auto& text = texts[static_cast<std::size_t>(k)];
        out.write(text.data(), static_cast<std::streamsize>(text.size()));
      }
    }
  });
}

void write_csv_table(const std::string& path, const std::vector<std::string>& header, Index rows,
                     const std::function<void(Index, CsvRecord&)>& fill) {
  write_file(path, [&](std::ostream& out) {
    CsvRecord record;
    for (const auto& name : header) record.add(name);
    out << record.text() << '\n';
    for (Index i = 0; i < rows; ++i) {
      record.clear();
      fill(i, record);
      out << (record.text().empty() ? "\"\"" : record.text()) << '\n';
    }
  });
}

template <class T>
void write_npy(const std::string& path, MatrixView<const T> matrix) {
  write_array(path, "(" + std::to_string(matrix.rows) + ", " + std::to_string(matrix.cols) + ")",
              matrix);
}

template <class T>
void write_npy(const std::string& path, std::span<const T> vector) {
  const auto size = static_cast<Index>(vector.size());
  write_array(path, "(" + std::to_string(size) + ",)",
              MatrixView<const T>{vector.data(), 1, size, size});
}

void write_npy(const std::string& path, std::span<const std::string> texts) {
  std::size_t longest = 1;
  for (const std::string& text : texts) longest = std::max(longest, code_points(text).size());
  write_npy_file(path, "<U" + std::to_string(longest), "(" + std::to_string(texts.size()) + ",)",
                 [&](std::ostream& out) {
                   for (const std::string& text : texts) {
                     std::u32string points = code_points(text);
                     points.resize(longest, U'\0');
                     out.write(reinterpret_cast<const char*>(points.data()),
                               static_cast<std::streamsize>(longest * sizeof(char32_t)));
                   }
                 });
}

template void write_csv(const std::string&, const Dataset<float>&, char, int);
template void write_csv(const std::string&, const Dataset<double>&, char, int);
template void write_npy(const std::string&, MatrixView<const float>);
template void write_npy(const std::string&, MatrixView<const double>);
template void write_npy(const std::string&, MatrixView<const std::int32_t>);
template void write_npy(const std::string&, MatrixView<const Index>);
template void write_npy(const std::string&, std::span<const float>);
template void write_npy(const std::string&, std::span<const double>);
template void write_npy(const std::string&, std::span<const std::int32_t>);
template void write_npy(const std::string&, std::span<const Index>);

}  // namespace tandem

// Writing data sets and tables. Every file appears whole or not at all.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// Features, then the target, the weights ("weight"), the groups ("group") and the base margins
// ("base_margin", or "base_margin0", ... where a row has several), under a header. Numbers are
// written as short as they read back to the same bits; categories as their texts; a missing value
// as an empty field. Fields are quoted where RFC 4180 asks for it. Lines end with \n. Throws
// InputError where the folder does not exist, SystemError where the file cannot be written.
template <Real T>
TANDEM_API void write_csv(const std::string& path, const Dataset<T>& data, char delimiter = ',',
                          int threads = 0);

// One record of a table that is written field by field.
class TANDEM_API CsvRecord {
 public:
  explicit CsvRecord(char delimiter = ',') : delimiter_(delimiter) {}
  CsvRecord& add(std::string_view text);
  CsvRecord& add(const char* text) { return add(std::string_view(text)); }
  CsvRecord& add(float value);
  CsvRecord& add(double value);
  CsvRecord& add(Index value);
  CsvRecord& add(std::int32_t value) { return add(static_cast<Index>(value)); }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  void clear() {
    text_.clear();
    fields_ = 0;
  }

 private:
  void begin_field();
  std::string text_;
  Index fields_ = 0;
  char delimiter_;
};

// A header, then `rows` records; fill(i, record) adds the fields of row i, in order of i.
TANDEM_API void write_csv_table(const std::string& path, const std::vector<std::string>& header,
                                Index rows, const std::function<void(Index, CsvRecord&)>& fill);

// NumPy format 1.0, C order, little-endian: float32, float64, int32 or int64.
template <class T>
TANDEM_API void write_npy(const std::string& path, MatrixView<const T> matrix);
template <class T>
TANDEM_API void write_npy(const std::string& path, std::span<const T> vector);
// Texts in UTF-8, as an array of NumPy's type U.
TANDEM_API void write_npy(const std::string& path, std::span<const std::string> texts);

}  // namespace tandem

// A named collection of scalars, texts and tensors, and the file it is kept in. Models and
// checkpoints are archives. docs/model-format.md specifies the file byte by byte.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

class TANDEM_API Archive {
 public:
  // A tensor's elements, little-endian in the file. uint8 carries flags and raw bytes.
  using TensorData =
      std::variant<std::vector<float>, std::vector<double>, std::vector<std::int32_t>,
                   std::vector<std::int64_t>, std::vector<std::uint8_t>>;
  struct Tensor {
    std::vector<Index> shape;
    TensorData data;
    bool operator==(const Tensor&) const = default;
  };
  using Value = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>,
                             std::vector<double>, Tensor>;

  // Names are paths such as "scaler/mean". Setting a name again replaces its value.
  void set(std::string_view name, bool value);
  void set(std::string_view name, std::int64_t value);
  void set(std::string_view name, int value) { set(name, static_cast<std::int64_t>(value)); }
  void set(std::string_view name, double value);  // every bit is kept, infinities and NaN too
  void set(std::string_view name, std::string value);
  void set(std::string_view name, const char* value) { set(name, std::string(value)); }
  void set(std::string_view name, std::string_view value) { set(name, std::string(value)); }
  void set(std::string_view name, std::vector<std::string> value);
  void set(std::string_view name, std::vector<double> value);
  template <class T>
  void set_tensor(std::string_view name, std::vector<T> values, std::vector<Index> shape) {
    set_value(name, Tensor{std::move(shape), std::move(values)});
  }
  template <class T>
  void set_tensor(std::string_view name, std::vector<T> values) {
    const auto size = static_cast<Index>(values.size());
    set_tensor(name, std::move(values), {size});
  }
  template <class T>
  void set_matrix(std::string_view name, const Matrix<T>& matrix) {
    set_tensor(name, matrix.values(), {matrix.rows(), matrix.cols()});
  }
  // Puts every entry of `part` under "prefix/".
  void set_part(std::string_view prefix, const Archive& part);

  [[nodiscard]] bool has(std::string_view name) const;
  // Each getter throws InputError that names the archive's origin and the entry where the entry is
  // missing or of another type.
  [[nodiscard]] bool get_bool(std::string_view name) const;
  [[nodiscard]] std::int64_t get_int(std::string_view name) const;
  // As get_int, and throws unless lowest <= value <= highest.
  [[nodiscard]] std::int64_t get_int(std::string_view name, std::int64_t lowest,
                                     std::int64_t highest) const;
  [[nodiscard]] double get_double(std::string_view name) const;
  [[nodiscard]] const std::string& get_string(std::string_view name) const;
  [[nodiscard]] const std::vector<std::string>& get_strings(std::string_view name) const;
  [[nodiscard]] const std::vector<double>& get_doubles(std::string_view name) const;
  // Checks the element type and, where expected_size >= 0, the number of elements.
  template <class T>
  [[nodiscard]] const std::vector<T>& get_tensor(std::string_view name,
                                                 Index expected_size = -1) const;
  template <class T>
  [[nodiscard]] Matrix<T> get_matrix(std::string_view name, Index expected_rows = -1,
                                     Index expected_cols = -1) const;
  [[nodiscard]] Archive part(std::string_view prefix) const;
  [[nodiscard]] bool has_part(std::string_view prefix) const;

  // Throws the InputError that a getter throws: "ORIGIN: NAME: what". For checks that a loader
  // makes beyond types and sizes (a child index inside the tree, a finite mean).
  [[noreturn]] void fail(std::string_view name, std::string_view what) const;

  // Where it was read from, for messages.
  [[nodiscard]] const std::string& origin() const noexcept { return origin_; }
  void set_origin(std::string origin) { origin_ = std::move(origin); }

  [[nodiscard]] const std::map<std::string, Value, std::less<>>& entries() const noexcept {
    return entries_;
  }
  [[nodiscard]] bool operator==(const Archive& other) const { return entries_ == other.entries_; }

 private:
  void set_value(std::string_view name, Value value);
  [[nodiscard]] const Value& find(std::string_view name) const;
  [[nodiscard]] const Tensor& find_tensor(std::string_view name) const;

  std::map<std::string, Value, std::less<>> entries_;
  std::string origin_ = "archive";
};

// Bytes of the file that holds `archive`. `kind` is "model" or "checkpoint".
[[nodiscard]] TANDEM_API std::vector<std::uint8_t> encode_archive(const Archive& archive,
                                                                  std::string_view kind);
// Throws InputError for anything that encode_archive did not write: truncated, altered (checksum),
// of another version or another kind. Allocates no more than a small multiple of bytes.size().
[[nodiscard]] TANDEM_API Archive decode_archive(std::span<const std::uint8_t> bytes,
                                                std::string_view kind, const std::string& origin);

// The file appears whole or not at all (temporary file, flush to disk, rename).
TANDEM_API void write_archive(const std::string& path, const Archive& archive,
                              std::string_view kind);
[[nodiscard]] TANDEM_API Archive read_archive(const std::string& path, std::string_view kind);

}  // namespace tandem

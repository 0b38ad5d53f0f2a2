#include "tandem/data/arrow.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "core/data/readers.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

struct ColumnValues {
  std::vector<double> values;           // NaN for a null
  std::vector<std::string> categories;  // of texts; values are then codes
};

[[noreturn]] void refuse(const ArrowOptions& options, std::string_view column,
                         const std::string& what) {
  throw InputError(options.source + ": column " + std::string(column) + ": " + what);
}

// Tells whether element `i` of the array, its offset not counted, is present.
class Validity {
 public:
  explicit Validity(const ArrowArray& array)
      : bits_(array.null_count != 0 && array.n_buffers > 0
                  ? static_cast<const std::uint8_t*>(array.buffers[0])
                  : nullptr),
        offset_(array.offset) {}
  [[nodiscard]] bool operator()(Index i) const {
    if (bits_ == nullptr) return true;
    const Index at = i + offset_;
    return ((bits_[at / 8] >> (at % 8)) & 1) != 0;
  }

 private:
  const std::uint8_t* bits_;
  Index offset_;
};

void check_buffers(const ArrowArray& array, std::int64_t needed, const ArrowOptions& options,
                   std::string_view column) {
  if (array.length < 0 || array.offset < 0 || array.n_buffers < needed ||
      (array.length > 0 && array.buffers[needed - 1] == nullptr && needed < 3)) {
    refuse(options, column, "the array has not the buffers that its format asks for");
  }
}

template <class Source>
std::vector<double> numbers(const ArrowArray& array, const ArrowOptions& options,
                            std::string_view column) {
  check_buffers(array, 2, options, column);
  const Validity present(array);
  const auto* from = static_cast<const Source*>(array.buffers[1]);
  std::vector<double> values(static_cast<std::size_t>(array.length),
                             std::numeric_limits<double>::quiet_NaN());
  for (Index i = 0; i < array.length; ++i) {
    if (!present(i)) continue;
    const Source value = from[i + array.offset];
    const auto number = static_cast<double>(value);
    if constexpr (std::is_integral_v<Source> && sizeof(Source) == 8) {
      constexpr auto exact = Source{1} << 53;
      bool outside = value > exact;
      if constexpr (std::is_signed_v<Source>) outside = outside || value < -exact;
      // 2^63 and 2^64, which the largest integers are rounded to, are no numbers of Source.
      const bool held = number < std::ldexp(1.0, std::numeric_limits<Source>::digits) &&
                        static_cast<Source>(number) == value;
      if (outside && !held) {
        refuse(options, column,
               "row " + std::to_string(i + 1) + ": " + std::to_string(value) +
                   " is no number of double precision; hand the column over as text");
      }
    }
    values[static_cast<std::size_t>(i)] = number;
  }
  return values;
}

std::vector<double> booleans(const ArrowArray& array, const ArrowOptions& options,
                             std::string_view column) {
  check_buffers(array, 2, options, column);
  const Validity present(array);
  const auto* bits = static_cast<const std::uint8_t*>(array.buffers[1]);
  std::vector<double> values(static_cast<std::size_t>(array.length),
                             std::numeric_limits<double>::quiet_NaN());
  for (Index i = 0; i < array.length; ++i) {
    const Index at = i + array.offset;
    if (present(i)) values[static_cast<std::size_t>(i)] = (bits[at / 8] >> (at % 8)) & 1;
  }
  return values;
}

// Half precision, by its fields.
double half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const double fraction = static_cast<double>(bits & 1023) / 1024;
  const double sign = (bits >> 15) != 0 ? -1 : 1;
  if (exponent == 31) {
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  }
  return sign *
         (exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15));
}

// The texts of the array; a null is an empty text, told apart by Validity.
template <class Offset>
std::vector<std::string_view> texts(const ArrowArray& array, const ArrowOptions& options,
                                    std::string_view column) {
  check_buffers(array, 2, options, column);
  std::vector<std::string_view> all(static_cast<std::size_t>(array.length));
  if (array.length == 0) return all;
  if (array.n_buffers < 3) refuse(options, column, "the array has no buffer of texts");
  const Validity present(array);
  const auto* offsets = static_cast<const Offset*>(array.buffers[1]);
  const auto* bytes = static_cast<const char*>(array.buffers[2]);
  for (Index i = 0; i < array.length; ++i) {
    if (!present(i)) continue;
    const Offset begin = offsets[i + array.offset];
    const Offset end = offsets[i + array.offset + 1];
    if (begin < 0 || end < begin) refuse(options, column, "the array's offsets fall");
    if (end > begin) {
      all[static_cast<std::size_t>(i)] = {bytes + begin, static_cast<std::size_t>(end - begin)};
    }
  }
  return all;
}

std::vector<std::string_view> texts_of(const ArrowArray& array, const std::string_view format,
                                       const ArrowOptions& options, std::string_view column) {
  return format == "u" ? texts<std::int32_t>(array, options, column)
                       : texts<std::int64_t>(array, options, column);
}

ColumnValues coded(const std::vector<std::string_view>& words, const std::vector<bool>& present) {
  ColumnValues column;
  std::map<std::string_view, double> code;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (present[i]) code.emplace(words[i], 0);
  }
  for (auto& [word, number] : code) {
    number = static_cast<double>(column.categories.size());
    column.categories.emplace_back(word);
  }
  column.values.reserve(words.size());
  for (std::size_t i = 0; i < words.size(); ++i) {
    column.values.push_back(present[i] ? code.at(words[i])
                                       : std::numeric_limits<double>::quiet_NaN());
  }
  return column;
}

ColumnValues read_column(const ArrowArray& array, const ArrowSchema& schema,
                         const ArrowOptions& options, std::string_view name) {
  const std::string_view format = schema.format == nullptr ? "" : schema.format;
  const auto plain = [&](std::string_view of) -> std::vector<double> {
    if (of == "b") return booleans(array, options, name);
    if (of == "c") return numbers<std::int8_t>(array, options, name);
    if (of == "C") return numbers<std::uint8_t>(array, options, name);
    if (of == "s") return numbers<std::int16_t>(array, options, name);
    if (of == "S") return numbers<std::uint16_t>(array, options, name);
    if (of == "i") return numbers<std::int32_t>(array, options, name);
    if (of == "I") return numbers<std::uint32_t>(array, options, name);
    if (of == "l") return numbers<std::int64_t>(array, options, name);
    if (of == "L") return numbers<std::uint64_t>(array, options, name);
    if (of == "f") return numbers<float>(array, options, name);
    if (of == "g") return numbers<double>(array, options, name);
    if (of == "e") {
      std::vector<double> values = numbers<std::uint16_t>(array, options, name);
      for (double& value : values) {
        if (!std::isnan(value)) value = half(static_cast<std::uint16_t>(value));
      }
      return values;
    }
    refuse(
        options, name,
        "has the Arrow format '" + std::string(of) +
            "'; expected integers, floats, booleans, texts (utf8) or dictionaries of texts: cast "
            "the column first");
  };
  if (schema.dictionary != nullptr && array.dictionary != nullptr) {
    const std::string_view words_format =
        schema.dictionary->format == nullptr ? "" : schema.dictionary->format;
    if (words_format != "u" && words_format != "U") {
      refuse(options, name, "is a dictionary of other things than texts; cast the column first");
    }
    const std::vector<std::string_view> words =
        texts_of(*array.dictionary, words_format, options, name);
    const Validity known(*array.dictionary);
    const std::vector<double> codes = plain(format);
    std::vector<std::string_view> texts(codes.size());
    std::vector<bool> present(codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i) {
      if (std::isnan(codes[i])) continue;
      if (!(codes[i] >= 0 && codes[i] < static_cast<double>(words.size()))) {
        refuse(options, name, "row " + std::to_string(i + 1) + ": its code has no text");
      }
      texts[i] = words[static_cast<std::size_t>(codes[i])];
      present[i] = known(static_cast<Index>(codes[i]));
    }
    return coded(texts, present);
  }
  if (format == "u" || format == "U") {
    const std::vector<std::string_view> words = texts_of(array, format, options, name);
    const Validity is_present(array);
    std::vector<bool> present(words.size());
    for (std::size_t i = 0; i < present.size(); ++i) present[i] = is_present(static_cast<Index>(i));
    return coded(words, present);
  }
  return {plain(format), {}};
}

}  // namespace

template <Real T>
Dataset<T> dataset_from_arrow(const ArrowArray& array, const ArrowSchema& schema,
                              const ArrowOptions& options) {
  if (array.release == nullptr || schema.release == nullptr) {
    throw InputError(options.source +
                     ": the Arrow array or schema was released before it was read");
  }
  if (schema.format == nullptr || std::string_view(schema.format) != "+s" ||
      array.n_children != schema.n_children) {
    throw InputError(options.source +
                     ": is no record batch; expected a struct array (format +s) with a child per "
                     "column");
  }
  if (array.null_count != 0 && array.n_buffers > 0 && array.buffers[0] != nullptr) {
    throw InputError(options.source + ": whole rows are null; drop them first");
  }
  Dataset<T> data;
  data.source = options.source;
  std::vector<ColumnValues> features;
  bool found_target = options.target.empty();
  bool found_weights = options.weights.empty();
  const auto place = [&](const ColumnValues& column, Index i) {
    return column.values[static_cast<std::size_t>(i + array.offset)];
  };
  for (std::int64_t c = 0; c < array.n_children; ++c) {
    const ArrowSchema& description = *schema.children[c];
    const std::string name = description.name == nullptr ? "" : description.name;
    ColumnValues column = read_column(*array.children[c], description, options, name);
    if (static_cast<Index>(column.values.size()) < array.length + array.offset) {
      refuse(options, name, "is shorter than the record batch");
    }
    if (!found_target && name == options.target) {
      found_target = true;
      data.target_column = {name, std::move(column.categories)};
      for (Index i = 0; i < array.length; ++i) {
        data.target.push_back(static_cast<T>(place(column, i)));
      }
    } else if (!found_weights && name == options.weights) {
      found_weights = true;
      for (Index i = 0; i < array.length; ++i) {
        const T weight = static_cast<T>(place(column, i));
        const std::string mistake = column.categories.empty()
                                        ? weight_mistake(weight)
                                        : "the weight is a text; expected a number >= 0";
        if (!mistake.empty())
          refuse(options, name, "row " + std::to_string(i + 1) + ": " + mistake);
        data.weights.push_back(weight);
      }
    } else {
      data.columns.push_back({name, std::move(column.categories)});
      features.push_back(std::move(column));
    }
  }
  const auto missing = [&](const std::string& name) {
    throw InputError(options.source + ": has no column '" + name + "'");
  };
  if (!found_target) missing(options.target);
  if (!found_weights) missing(options.weights);
  data.features = Matrix<T>(array.length, static_cast<Index>(features.size()));
  for (Index i = 0; i < array.length; ++i) {
    for (std::size_t j = 0; j < features.size(); ++j) {
      data.features(i, static_cast<Index>(j)) = static_cast<T>(place(features[j], i));
    }
  }
  return data;
}

template Dataset<float> dataset_from_arrow(const ArrowArray&, const ArrowSchema&,
                                           const ArrowOptions&);
template Dataset<double> dataset_from_arrow(const ArrowArray&, const ArrowSchema&,
                                            const ArrowOptions&);

}  // namespace tandem

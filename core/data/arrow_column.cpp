#include "core/data/arrow_column.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/data/field_values.hpp"
#include "core/data/typed_values.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using Layout = ArrowType::Layout;

ArrowType plain(Layout layout, DeclaredKind kind, std::size_t width, const char* name) {
  return {
      .layout = layout, .kind = kind, .width = width, .scale = 0, .per_second = 0, .name = name};
}

ArrowType unread(std::string why) {
  return {.layout = Layout::nothing,
          .kind = DeclaredKind::unread,
          .width = 0,
          .scale = 0,
          .per_second = 0,
          .name = std::move(why)};
}

// The numbers of "d:10,2" or "w:16".
std::vector<int> numbers_of(std::string_view text) {
  std::vector<int> numbers;
  while (!text.empty()) {
    int number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    if (result.ec != std::errc{}) return {};
    numbers.push_back(number);
    text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
    if (text.empty()) break;
    if (text.front() != ',') return {};
    text.remove_prefix(1);
  }
  return numbers;
}

std::int64_t units(char unit) {
  switch (unit) {
    case 's': return 1;
    case 'm': return 1000;
    case 'u': return 1000000;
    case 'n': return 1000000000;
    default: return 0;
  }
}

ArrowType decimal_type(std::string_view format) {
  const std::vector<int> numbers = numbers_of(format.substr(2));
  if (numbers.size() != 2 && numbers.size() != 3) return unread("is a decimal of no known size");
  const int bits = numbers.size() == 3 ? numbers[2] : 128;
  if ((bits != 32 && bits != 64 && bits != 128 && bits != 256) ||
      std::abs(static_cast<long>(numbers[1])) > most_decimal_scale) {
    return unread("is a decimal of " + std::to_string(bits) + " bits and " +
                  std::to_string(numbers[1]) + " places");
  }
  ArrowType type =
      plain(Layout::decimal, DeclaredKind::number, static_cast<std::size_t>(bits) / 8, "decimal");
  type.scale = numbers[1];
  return type;
}

// Dates, times, timestamps and durations.
ArrowType temporal_type(std::string_view format) {
  const char kind = format.size() > 1 ? format[1] : ' ';
  const char unit = format.size() > 2 ? format[2] : ' ';
  const bool zoned = kind == 's';
  if (format.size() != 3 && !(zoned && format.size() > 3 && format[3] == ':')) {
    return unread("holds dates or times of a kind that is not known");
  }
  ArrowType type = plain(Layout::int64, DeclaredKind::date, 8, "timestamp");
  type.per_second = units(unit);
  switch (kind) {
    case 'd':
      type.name = "date";
      if (unit == 'm') return type;  // milliseconds
      if (unit != 'D') break;
      type.layout = Layout::int32;
      type.width = 4;
      type.per_second = 0;
      return type;
    case 't':
      type.kind = DeclaredKind::time;
      type.name = "time";
      if (unit == 's' || unit == 'm') {
        type.layout = Layout::int32;
        type.width = 4;
      }
      if (type.per_second > 0) return type;
      break;
    case 's':
      if (type.per_second > 0) return type;
      break;
    case 'D':
      type.kind = DeclaredKind::time;
      type.name = "duration";
      if (type.per_second > 0) return type;
      break;
    case 'i': return unread("holds intervals of months and days");
    default: break;
  }
  return unread("holds dates or times of a kind that is not known");
}

}  // namespace

ArrowType arrow_type(std::string_view format) {
  constexpr DeclaredKind number = DeclaredKind::number;
  constexpr DeclaredKind text = DeclaredKind::text;
  if (format.size() == 1) {
    switch (format.front()) {
      case 'n': return plain(Layout::nothing, DeclaredKind::nothing, 0, "null");
      case 'b': return plain(Layout::bits, DeclaredKind::boolean, 0, "bool");
      case 'c': return plain(Layout::int8, number, 1, "int8");
      case 'C': return plain(Layout::uint8, number, 1, "uint8");
      case 's': return plain(Layout::int16, number, 2, "int16");
      case 'S': return plain(Layout::uint16, number, 2, "uint16");
      case 'i': return plain(Layout::int32, number, 4, "int32");
      case 'I': return plain(Layout::uint32, number, 4, "uint32");
      case 'l': return plain(Layout::int64, number, 8, "int64");
      case 'L': return plain(Layout::uint64, number, 8, "uint64");
      case 'e': return plain(Layout::half, number, 2, "halffloat");
      case 'f': return plain(Layout::float32, number, 4, "float");
      case 'g': return plain(Layout::float64, number, 8, "double");
      case 'u': return plain(Layout::bytes, text, 0, "utf8");
      case 'U': return plain(Layout::long_bytes, text, 0, "large_utf8");
      case 'z': return plain(Layout::bytes, text, 0, "binary");
      case 'Z': return plain(Layout::long_bytes, text, 0, "large_binary");
      default: break;
    }
  }
  if (format == "vu") return plain(Layout::views, text, 16, "utf8_view");
  if (format == "vz") return plain(Layout::views, text, 16, "binary_view");
  if (format.starts_with("w:")) {
    const std::vector<int> numbers = numbers_of(format.substr(2));
    if (numbers.size() == 1 && numbers[0] > 0 && numbers[0] <= (1 << 20)) {
      return plain(Layout::fixed, text, static_cast<std::size_t>(numbers[0]), "fixed_size_binary");
    }
  }
  if (format.starts_with("d:")) return decimal_type(format);
  if (format.starts_with("t")) return temporal_type(format);
  if (format == "+r") return unread("is run-end encoded");
  if (format.starts_with("+")) return unread("holds lists, maps, structs or unions");
  return unread("has the Arrow format '" + std::string(format) + "'");
}

DeclaredColumn arrow_declared(const ArrowSchema& schema) {
  DeclaredColumn declared;
  declared.name = schema.name == nullptr ? "" : schema.name;
  ArrowType type = arrow_type(schema.format == nullptr ? "" : schema.format);
  declared.kind = type.kind;
  declared.type = std::move(type.name);
  if (schema.dictionary == nullptr) return declared;
  const ArrowSchema& values = *schema.dictionary;
  type = arrow_type(values.format == nullptr ? "" : values.format);
  if (values.dictionary != nullptr || type.kind == DeclaredKind::unread ||
      type.kind == DeclaredKind::nothing) {
    declared.kind = DeclaredKind::unread;
    declared.type = "is a dictionary of other things than texts and numbers";
  } else {
    declared.kind = DeclaredKind::coded;
    declared.type = "dictionary of " + type.name;
  }
  return declared;
}

namespace {

// Tells whether element `i` of the array, its offset counted, is present.
class Validity {
 public:
  explicit Validity(const ArrowArray& array)
      : bits_(array.null_count != 0 && array.n_buffers > 0
                  ? static_cast<const std::uint8_t*>(array.buffers[0])
                  : nullptr) {}
  [[nodiscard]] bool all() const noexcept { return bits_ == nullptr; }
  [[nodiscard]] bool operator()(Index at) const {
    return bits_ == nullptr || ((bits_[at / 8] >> (at % 8)) & 1) != 0;
  }
  // Of `at` and the seven behind it. Requires: at is a multiple of 8, and not all().
  [[nodiscard]] unsigned eight(Index at) const { return bits_[at / 8]; }

 private:
  const std::uint8_t* bits_;
};

template <Real T>
class Stream final : public ColumnStream<T> {
 public:
  Stream(const ArrowArray& array, const ArrowType& type, const std::string& where,
         const MemoryBudget& budget, ValuesAs as, std::shared_ptr<const ArrowDictionary> dictionary,
         std::shared_ptr<const void> owner)
      : ColumnStream<T>(budget),
        owner_(std::move(owner)),
        array_(array),
        type_(type),
        where_(where),
        as_(as),
        present_(array),
        dictionary_(std::move(dictionary)),
        at_(array.offset) {
    check_buffers();
    if (dictionary_) {
      if (as != ValuesAs::texts) refuse("its values are not of the kind that is asked for");
      code_of_entry_.assign(dictionary_->size(), unused);
    }
  }

  void next(Index count, ColumnBatch<T>& batch) override {
    batch.begin(as_, count);
    if (count > array_.offset + array_.length - at_) refuse("has fewer values than the table rows");
    if (type_.layout == Layout::nothing) {
      for (Index i = 0; i < count; ++i) missing(i, batch);
    } else if (dictionary_) {
      look_up(count, batch);
    } else {
      convert(count, batch);
    }
    at_ += count;
  }

 private:
  static constexpr std::int32_t unused = -2;

  [[noreturn]] void refuse(const std::string& what) const {
    throw InputError(where_ + ": " + what);
  }

  void check_buffers() const {
    std::int64_t needed = 2;
    if (type_.layout == Layout::nothing) {
      needed = 0;
    } else if (type_.layout == Layout::bytes || type_.layout == Layout::long_bytes) {
      needed = 3;
    }
    bool there = array_.length >= 0 && array_.offset >= 0 && array_.n_buffers >= needed;
    // A buffer of texts of no bytes may be absent.
    if (there && array_.length > 0 && needed > 0) there = array_.buffers[1] != nullptr;
    if (!there) refuse("the array has not the buffers that its format asks for");
  }

  void missing(Index place, ColumnBatch<T>& batch) const {
    const auto at = static_cast<std::size_t>(place);
    switch (as_) {
      case ValuesAs::numbers:
      case ValuesAs::labels: batch.numbers[at] = std::numeric_limits<T>::quiet_NaN(); break;
      case ValuesAs::seconds: batch.seconds[at] = std::numeric_limits<double>::quiet_NaN(); break;
      case ValuesAs::texts: batch.codes[at] = -1; break;
    }
  }

  template <class U>
  [[nodiscard]] U value(Index at) const {
    U result;
    std::memcpy(
        &result,
        static_cast<const char*>(array_.buffers[1]) + static_cast<std::size_t>(at) * sizeof(U),
        sizeof(U));
    return result;
  }

  // Calls put(position in the array, place in the batch) for values that are present.
  template <class Put>
  void each(Index count, ColumnBatch<T>& batch, Put&& put) const {
    for (Index i = 0; i < count; ++i) {
      if (present_(at_ + i)) {
        put(at_ + i, i);
      } else {
        missing(i, batch);
      }
    }
  }

  void convert(Index count, ColumnBatch<T>& batch) {
    switch (type_.layout) {
      case Layout::int8: return whole<std::int8_t>(count, batch);
      case Layout::uint8: return whole<std::uint8_t>(count, batch);
      case Layout::int16: return whole<std::int16_t>(count, batch);
      case Layout::uint16: return whole<std::uint16_t>(count, batch);
      case Layout::int32: return whole<std::int32_t>(count, batch);
      case Layout::uint32: return whole<std::uint32_t>(count, batch);
      case Layout::int64: return whole<std::int64_t>(count, batch);
      case Layout::uint64: return whole<std::uint64_t>(count, batch);
      case Layout::half:
        return each(count, batch, [&](Index at, Index place) {
          put_real(half_value(value<std::uint16_t>(at)), place, batch);
        });
      case Layout::float32: return real<float>(count, batch);
      case Layout::float64: return real<double>(count, batch);
      case Layout::bits:
        return each(count, batch, [&](Index at, Index place) {
          const bool truth =
              ((static_cast<const std::uint8_t*>(array_.buffers[1])[at / 8] >> (at % 8)) & 1) != 0;
          if (as_ == ValuesAs::texts) {
            put_text(truth ? "true" : "false", place, batch);
          } else {
            batch.numbers[static_cast<std::size_t>(place)] = truth ? T{1} : T{0};
          }
        });
      case Layout::decimal:
        return each(count, batch, [&](Index at, Index place) { decimal(at, place, batch); });
      case Layout::bytes:
        return each(count, batch, [&](Index at, Index place) {
          put_text(text_between(value<std::int32_t>(at), value<std::int32_t>(at + 1)), place,
                   batch);
        });
      case Layout::long_bytes:
        return each(count, batch, [&](Index at, Index place) {
          put_text(text_between(value<std::int64_t>(at), value<std::int64_t>(at + 1)), place,
                   batch);
        });
      case Layout::views:
        return each(count, batch,
                    [&](Index at, Index place) { put_text(text_of_view(at), place, batch); });
      case Layout::fixed:
        return each(count, batch, [&](Index at, Index place) {
          put_text({static_cast<const char*>(array_.buffers[1]) +
                        static_cast<std::size_t>(at) * type_.width,
                    type_.width},
                   place, batch);
        });
      case Layout::nothing: break;
    }
  }

  template <class Whole>
  void whole(Index count, ColumnBatch<T>& batch) {
    if (type_.kind == DeclaredKind::date || type_.kind == DeclaredKind::time) {
      return each(count, batch, [&](Index at, Index place) {
        put_moment(moment_of(static_cast<std::int64_t>(value<Whole>(at)), type_.per_second), place,
                   batch);
      });
    }
    if (as_ == ValuesAs::texts) {
      return each(count, batch, [&](Index at, Index place) {
        put_text(std::to_string(value<Whole>(at)), place, batch);
      });
    }
    const bool large = put_small_wholes<Whole>(address<Whole>(), count, batch.numbers.data());
    leave_out_missing(count, batch);
    if (!large) return;
    const bool labels = as_ == ValuesAs::labels;
    each(count, batch,
         [&](Index at, Index place) { put_whole(value<Whole>(at), place, labels, batch); });
  }

  template <class Source>
  void real(Index count, ColumnBatch<T>& batch) {
    if (as_ == ValuesAs::texts) {
      return each(count, batch,
                  [&](Index at, Index place) { put_real(value<Source>(at), place, batch); });
    }
    put_reals<Source>(address<Source>(), count, batch.numbers.data());
    leave_out_missing(count, batch);
  }

  // Where the next value of this type lies.
  template <class U>
  [[nodiscard]] const char* address() const {
    return static_cast<const char*>(array_.buffers[1]) + static_cast<std::size_t>(at_) * sizeof(U);
  }

  // Numbers of rows that miss a value, whose places in the buffer hold anything.
  void leave_out_missing(Index count, ColumnBatch<T>& batch) const {
    if (present_.all()) return;
    T* const to = batch.numbers.data();
    const auto one = [&](Index i) {
      to[i] = present_(at_ + i) ? to[i] : std::numeric_limits<T>::quiet_NaN();
    };
    Index i = 0;
    while (i < count && (at_ + i) % 8 != 0) one(i++);
    for (; i + 8 <= count; i += 8) leave_out_missing(present_.eight(at_ + i), to + i);
    while (i < count) one(i++);
  }

  // Of eight rows, whose bits say which are present. Without branches: nobody can foresee them.
  static void leave_out_missing(unsigned present, T* to) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    constexpr auto missing = std::bit_cast<Bits>(std::numeric_limits<T>::quiet_NaN());
    for (unsigned k = 0; k < 8; ++k) {
      const Bits mask = Bits{0} - static_cast<Bits>((present >> k) & 1U);
      to[k] = std::bit_cast<T>((std::bit_cast<Bits>(to[k]) & mask) | (missing & ~mask));
    }
  }

  template <class Source>
  void put_real(Source number, Index place, ColumnBatch<T>& batch) {
    const auto at = static_cast<std::size_t>(place);
    if (as_ != ValuesAs::texts) {
      batch.numbers[at] = static_cast<T>(number);
    } else if (std::isnan(number)) {
      batch.codes[at] = -1;
    } else {
      batch.codes[at] = this->code_of(class_name(number));
    }
  }

  void put_text(std::string_view text, Index place, ColumnBatch<T>& batch) {
    if (as_ != ValuesAs::texts) refuse("its values are not of the kind that is asked for");
    batch.codes[static_cast<std::size_t>(place)] = this->code_of(text);
  }

  void put_moment(const Moment& moment, Index place, ColumnBatch<T>& batch) {
    const bool date = type_.kind == DeclaredKind::date;
    const double seconds = moment.seconds();
    if (date && !is_known_date(seconds)) {
      refuse("holds the time " + std::to_string(seconds) +
             " seconds from 1970-01-01; expected years 1 to 9999");
    }
    if (as_ == ValuesAs::texts) {
      put_text(date ? date_text(moment) : time_text(moment), place, batch);
    } else {
      batch.seconds[static_cast<std::size_t>(place)] = seconds;
    }
  }

  void decimal(Index at, Index place, ColumnBatch<T>& batch) {
    std::string bytes(
        static_cast<const char*>(array_.buffers[1]) + static_cast<std::size_t>(at) * type_.width,
        type_.width);
    if constexpr (std::endian::native == std::endian::little) {
      std::reverse(bytes.begin(), bytes.end());
    }
    const WholeDigits digits = whole_digits(bytes);
    const auto to = static_cast<std::size_t>(place);
    if (as_ == ValuesAs::texts) return put_text(decimal_text(digits, type_.scale), place, batch);
    batch.numbers[to] = decimal_value<T>(digits, type_.scale);
    if (type_.scale != 0 || digits.digits.size() < 8) return;
    // Of whole numbers, the digits that no T holds.
    if (digits.digits.size() < 19) {
      put_whole(std::stoll(decimal_text(digits, 0)), place, as_ == ValuesAs::labels, batch);
    } else if (as_ == ValuesAs::labels || batch.rounded.empty()) {
      batch.rounded.emplace_back(place, decimal_text(digits, 0));
    }
  }

  [[nodiscard]] std::string_view text_between(std::int64_t begin, std::int64_t end) const {
    if (begin < 0 || end < begin) refuse("the array's offsets fall");
    if (end == begin) return {};
    if (array_.buffers[2] == nullptr) refuse("the array has no buffer of texts");
    return {static_cast<const char*>(array_.buffers[2]) + begin,
            static_cast<std::size_t>(end - begin)};
  }

  // Sixteen bytes: the length, then the text itself where it has at most twelve, else its first
  // four, the number of a buffer, and where it begins there.
  [[nodiscard]] std::string_view text_of_view(Index at) const {
    const char* const view =
        static_cast<const char*>(array_.buffers[1]) + static_cast<std::size_t>(at) * 16;
    std::int32_t size = 0;
    std::memcpy(&size, view, sizeof size);
    if (size < 0) refuse("a text has a negative length");
    if (size <= 12) return {view + 4, static_cast<std::size_t>(size)};
    std::int32_t buffer = 0;
    std::int32_t begin = 0;
    std::memcpy(&buffer, view + 8, sizeof buffer);
    std::memcpy(&begin, view + 12, sizeof begin);
    // The last buffer holds the sizes of those of texts.
    const std::int64_t texts = array_.n_buffers - 3;
    if (buffer < 0 || buffer >= texts || begin < 0) refuse("a text lies in no buffer");
    const auto* const sizes =
        static_cast<const std::int64_t*>(array_.buffers[array_.n_buffers - 1]);
    if (static_cast<std::int64_t>(begin) + size > sizes[buffer]) {
      refuse("a text ends behind its buffer");
    }
    return {static_cast<const char*>(array_.buffers[2 + buffer]) + begin,
            static_cast<std::size_t>(size)};
  }

  [[nodiscard]] std::uint64_t code_at(Index at) const {
    switch (type_.layout) {
      case Layout::int8: return static_cast<std::uint64_t>(value<std::int8_t>(at));
      case Layout::uint8: return value<std::uint8_t>(at);
      case Layout::int16: return static_cast<std::uint64_t>(value<std::int16_t>(at));
      case Layout::uint16: return value<std::uint16_t>(at);
      case Layout::int32: return static_cast<std::uint64_t>(value<std::int32_t>(at));
      case Layout::uint32: return value<std::uint32_t>(at);
      case Layout::int64: return static_cast<std::uint64_t>(value<std::int64_t>(at));
      case Layout::uint64: return value<std::uint64_t>(at);
      default: break;
    }
    refuse("the codes of its dictionary are no whole numbers");
  }

  void look_up(Index count, ColumnBatch<T>& batch) {
    each(count, batch, [&](Index at, Index place) {
      const std::uint64_t entry = code_at(at);
      if (entry >= code_of_entry_.size()) {
        refuse("row " + std::to_string(at - array_.offset + 1) + ": its code has no text");
      }
      const auto known = static_cast<std::size_t>(entry);
      // Only texts that some row has are categories.
      std::int32_t& code = code_of_entry_[known];
      if (code == unused) {
        const auto& text = (*dictionary_)[known];
        code = text ? this->code_of(*text) : -1;
      }
      batch.codes[static_cast<std::size_t>(place)] = code;
    });
  }

  std::shared_ptr<const void> owner_;
  const ArrowArray& array_;
  ArrowType type_;
  const std::string& where_;
  ValuesAs as_;
  Validity present_;
  std::shared_ptr<const ArrowDictionary> dictionary_;
  std::vector<std::int32_t> code_of_entry_;
  Index at_;
};

}  // namespace

void append_dictionary(const ArrowArray& array, const ArrowType& type, const std::string& where,
                       const MemoryBudget& budget, ArrowDictionary& dictionary) {
  constexpr Index step = 1024;
  const auto stream =
      open_arrow_column<double>(array, type, where, budget, ValuesAs::texts, nullptr);
  budget.require(saturating_product(array.length, sizeof(std::optional<std::string>)),
                 "its dictionary");
  std::vector<std::int32_t> codes;
  ColumnBatch<double> batch;
  for (Index at = 0; at < array.length; at += step) {
    stream->next(std::min(step, array.length - at), batch);
    codes.insert(codes.end(), batch.codes.begin(), batch.codes.end());
  }
  const TextDictionary texts = stream->take_texts();
  for (const std::int32_t code : codes) {
    if (code < 0) {
      dictionary.emplace_back();
    } else {
      dictionary.emplace_back(texts.text(static_cast<std::size_t>(code)));
    }
  }
}

template <Real T>
std::unique_ptr<ColumnStream<T>> open_arrow_column(
    const ArrowArray& array, const ArrowType& type, const std::string& where,
    const MemoryBudget& budget, ValuesAs as, std::shared_ptr<const ArrowDictionary> dictionary,
    std::shared_ptr<const void> owner) {
  return std::make_unique<Stream<T>>(array, type, where, budget, as, std::move(dictionary),
                                     std::move(owner));
}

template std::unique_ptr<ColumnStream<float>> open_arrow_column(
    const ArrowArray&, const ArrowType&, const std::string&, const MemoryBudget&, ValuesAs,
    std::shared_ptr<const ArrowDictionary>, std::shared_ptr<const void>);
template std::unique_ptr<ColumnStream<double>> open_arrow_column(
    const ArrowArray&, const ArrowType&, const std::string&, const MemoryBudget&, ValuesAs,
    std::shared_ptr<const ArrowDictionary>, std::shared_ptr<const void>);

}  // namespace tandem

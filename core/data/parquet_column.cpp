#include "core/data/parquet_column.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/data/field_values.hpp"
#include "core/data/parquet_pages.hpp"
#include "core/data/typed_values.hpp"
#include "tandem/core/error.hpp"

namespace tandem::parquet {
namespace {

std::size_t width_of(Physical physical, std::int32_t type_length) {
  switch (physical) {
    case Physical::boolean: return 1;
    case Physical::int32:
    case Physical::float32: return 4;
    case Physical::int64:
    case Physical::float64: return 8;
    case Physical::int96: return 12;
    case Physical::fixed: return static_cast<std::size_t>(type_length);
    case Physical::bytes: break;
  }
  return 0;
}

std::int64_t units_per_second(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::milli: return 1000;
    case TimeUnit::micro: return 1000000;
    case TimeUnit::nano: break;
  }
  return 1000000000;
}

}  // namespace

ColumnType column_type(const SchemaElement& leaf, DeclaredColumn& declared) {
  ColumnType type;
  type.physical = *leaf.physical;
  type.optional = leaf.repetition == Repetition::optional;
  const auto refuse = [&](const std::string& what) {
    declared.kind = DeclaredKind::unread;
    declared.type = what;
    return type;
  };
  if (leaf.repetition == Repetition::repeated) return refuse("holds a list in each row");
  if (leaf.logical == Logical::other) return refuse("is " + leaf.other);
  if (type.physical == Physical::fixed && (leaf.type_length < 1 || leaf.type_length > (1 << 20))) {
    return refuse("has values of " + std::to_string(leaf.type_length) + " bytes");
  }
  type.width = width_of(type.physical, leaf.type_length);
  const bool whole = type.physical == Physical::int32 || type.physical == Physical::int64;
  const bool wide = type.physical == Physical::int64;
  const bool bytes = type.physical == Physical::bytes || type.physical == Physical::fixed;
  const auto is = [&](ValueType value, DeclaredKind kind, std::string name) {
    type.type = value;
    declared.kind = kind;
    declared.type = std::move(name);
    return type;
  };
  const auto contradiction = [&] {
    return refuse("has a logical type that its values contradict");
  };
  switch (leaf.logical) {
    case Logical::null: return is(ValueType::nothing, DeclaredKind::nothing, "null");
    case Logical::text:
      if (!bytes) return contradiction();
      return is(ValueType::text, DeclaredKind::text, "string");
    case Logical::uuid:
      if (type.physical != Physical::fixed || type.width != 16) return contradiction();
      return is(ValueType::uuid, DeclaredKind::text, "uuid");
    case Logical::half:
      if (type.physical != Physical::fixed || type.width != 2) return contradiction();
      return is(ValueType::half, DeclaredKind::number, "float16");
    case Logical::decimal:
      if (std::abs(static_cast<std::int64_t>(leaf.scale)) > most_decimal_scale ||
          type.width > most_decimal_bytes) {
        return refuse("is a decimal of " + std::to_string(leaf.scale) + " places");
      }
      type.scale = leaf.scale;
      if (!whole && !bytes) return contradiction();
      return is(wide    ? ValueType::decimal64
                : whole ? ValueType::decimal32
                        : ValueType::decimal_bytes,
                DeclaredKind::number, "decimal");
    case Logical::date:
      if (type.physical != Physical::int32) return contradiction();
      return is(ValueType::date, DeclaredKind::date, "date");
    case Logical::time:
      if (!whole) return contradiction();
      type.per_second = units_per_second(leaf.unit);
      return is(wide ? ValueType::time64 : ValueType::time32, DeclaredKind::time, "time");
    case Logical::timestamp:
      if (!wide) return contradiction();
      type.per_second = units_per_second(leaf.unit);
      return is(ValueType::timestamp, DeclaredKind::date, "timestamp");
    case Logical::integer:
      if (!whole) return contradiction();
      break;
    case Logical::none:
    case Logical::other: break;
  }
  switch (type.physical) {
    case Physical::boolean: return is(ValueType::boolean, DeclaredKind::boolean, "boolean");
    case Physical::int32:
      return leaf.is_signed ? is(ValueType::whole32, DeclaredKind::number, "int32")
                            : is(ValueType::natural32, DeclaredKind::number, "uint32");
    case Physical::int64:
      return leaf.is_signed ? is(ValueType::whole64, DeclaredKind::number, "int64")
                            : is(ValueType::natural64, DeclaredKind::number, "uint64");
    case Physical::int96: return is(ValueType::old_timestamp, DeclaredKind::date, "int96");
    case Physical::float32: return is(ValueType::float32, DeclaredKind::number, "float");
    case Physical::float64: return is(ValueType::float64, DeclaredKind::number, "double");
    case Physical::bytes:
    case Physical::fixed: break;
  }
  return is(ValueType::text, DeclaredKind::text, "binary");
}

namespace {

template <Real T>
class Stream final : public ColumnStream<T> {
 public:
  Stream(const Input& input, const ColumnChunk& chunk, const std::string& where,
         const MemoryBudget& budget, BufferPool& pool, const ColumnType& type, ValuesAs as)
      : ColumnStream<T>(budget),
        pages_(input, chunk, where, type.optional, budget, pool),
        where_(where),
        type_(type),
        as_(as),
        left_(chunk.values) {}

  void next(Index count, ColumnBatch<T>& batch) override {
    batch.begin(as_, count);
    for (Index done = 0; done < count;) {
      if (page_left_ == 0) {
        next_page();
        continue;
      }
      const Index now = std::min(count - done, page_left_);
      take(done, now, batch);
      done += now;
      page_left_ -= now;
    }
  }

 private:
  // The way from a page's bytes to values.
  enum class Way : std::uint8_t { dictionary, plain, bits, runs, delta, split, texts };

  [[noreturn]] void damaged(const std::string& what) const { pages_.damaged(what); }
  [[noreturn]] void refuse(const std::string& what) const {
    throw InputError(where_ + ": " + what);
  }

  // --- pages -------------------------------------------------------------------------------------

  void next_page() {
    Page page;
    for (;;) {
      if (!pages_.next(page)) {
        damaged("its pages hold " + std::to_string(left_) +
                " values fewer than the table has rows");
      }
      if (page.header.kind == PageKind::dictionary) {
        load_dictionary(page);
      } else if (page.header.kind == PageKind::data || page.header.kind == PageKind::data_v2) {
        break;
      }
    }
    page_left_ = page.header.values;
    if (page_left_ > left_) damaged("its pages hold more values than the table has rows");
    left_ -= page_left_;
    if (type_.optional) {
      packed_levels_ = page.packed_levels;
      if (packed_levels_) {
        bit_levels_ = BitLevels(page.levels);
      } else {
        levels_ = HybridDecoder(page.levels, 1);
      }
    }
    begin_values(page);
  }

  [[noreturn]] void unread_encoding(int encoding) const {
    refuse("has the encoding " + name_of(static_cast<Encoding>(encoding)) +
           ", which is not read for its type; write the file again, in Python: import "
           "pyarrow.parquet as p; p.write_table(p.read_table(OLD), NEW)");
  }

  void begin_values(const Page& page) {
    Bytes values = page.values;
    const Physical physical = type_.physical;
    const auto text_way = [&](TextDecoder::Kind kind) {
      way_ = Way::texts;
      if (!text_decoder_.begin(kind, values)) damaged("its lengths are damaged");
    };
    switch (static_cast<Encoding>(page.header.encoding)) {
      case Encoding::plain:
        if (physical == Physical::bytes) return text_way(TextDecoder::Kind::plain);
        way_ = physical == Physical::boolean ? Way::bits : Way::plain;
        plain_ = values;
        bit_ = 0;
        return;
      case Encoding::rle: {
        if (physical != Physical::boolean) break;
        if (values.size() < 4)
          values = {};
        else
          values = values.subspan(4);
        way_ = Way::runs;
        hybrid_ = HybridDecoder(values, 1);
        return;
      }
      case Encoding::plain_dictionary:
      case Encoding::rle_dictionary: {
        if (physical == Physical::boolean) break;
        if (!has_dictionary_) damaged("it refers to a dictionary, and there is none");
        const int width = values.empty() ? 0 : values[0];
        if (width > 32) damaged("its codes have " + std::to_string(width) + " bits");
        way_ = Way::dictionary;
        hybrid_ = values.empty() ? HybridDecoder() : HybridDecoder(values.subspan(1), width);
        return;
      }
      case Encoding::delta_binary:
        if (physical != Physical::int32 && physical != Physical::int64) break;
        way_ = Way::delta;
        if (!delta_.begin(values)) damaged("the header of its numbers is damaged");
        return;
      case Encoding::delta_length:
        if (physical != Physical::bytes) break;
        return text_way(TextDecoder::Kind::delta_length);
      case Encoding::delta_bytes:
        if (physical != Physical::bytes && physical != Physical::fixed) break;
        return text_way(TextDecoder::Kind::delta_bytes);
      case Encoding::byte_stream_split:
        if (type_.width == 0 || physical == Physical::boolean || physical == Physical::int96) break;
        way_ = Way::split;
        if (!split_.begin(values, type_.width)) damaged("its values are not whole");
        return;
      case Encoding::bit_packed: break;
    }
    unread_encoding(page.header.encoding);
  }

  void load_dictionary(const Page& page) {
    const auto encoding = static_cast<Encoding>(page.header.encoding);
    if (encoding != Encoding::plain && encoding != Encoding::plain_dictionary) {
      unread_encoding(page.header.encoding);
    }
    if (type_.physical == Physical::boolean) unread_encoding(page.header.encoding);
    const Index count = page.header.values;
    // Each value takes at least this many bytes.
    const auto least = static_cast<Index>(type_.width > 0 ? type_.width : 4);
    if (count > static_cast<Index>(page.values.size()) / least) {
      damaged("its dictionary claims more values than it has");
    }
    dictionary_.begin(as_, count);
    if (type_.width > 0) {
      convert(page.values.data(), 0, count, dictionary_);
    } else {
      if (!text_decoder_.begin(TextDecoder::Kind::plain, page.values) ||
          !take_texts(0, count, dictionary_)) {
        damaged("its dictionary ends in the middle");
      }
    }
    rounded_of_.clear();
    if (as_ == ValuesAs::labels && !dictionary_.rounded.empty()) {
      rounded_of_.assign(static_cast<std::size_t>(count), -1);
      for (std::size_t r = 0; r < dictionary_.rounded.size(); ++r) {
        rounded_of_[static_cast<std::size_t>(dictionary_.rounded[r].first)] =
            static_cast<std::int32_t>(r);
      }
    }
    dictionary_size_ = count;
    has_dictionary_ = true;
  }

  // --- values ------------------------------------------------------------------------------------

  // `count` rows of the page, which become those from `at` on of the batch.
  void take(Index at, Index count, ColumnBatch<T>& batch) {
    if (!type_.optional) return values(at, count, batch);
    std::uint32_t level = 0;
    if (!packed_levels_ && levels_.next_run(static_cast<std::size_t>(count), level)) {
      levels_.pass_run(static_cast<std::size_t>(count));
      if (level > 1) damaged("its levels are none of a flat column");
      return level == 1 ? values(at, count, batch) : missing(at, count, batch);
    }
    level_.resize(static_cast<std::size_t>(count));
    const bool read = packed_levels_
                          ? bit_levels_.next(level_.data(), static_cast<std::size_t>(count))
                          : levels_.next(level_.data(), static_cast<std::size_t>(count));
    if (!read) damaged("its levels end before its rows do");
    Index present = 0;
    std::uint32_t highest = 0;
    for (const std::uint32_t one : level_) {
      highest = std::max(highest, one);
      present += static_cast<Index>(one);
    }
    if (highest > 1) damaged("its levels are none of a flat column");
    if (present == count) return values(at, count, batch);
    if (present == 0) return missing(at, count, batch);
    // One more, so that what follows the last one can be looked at.
    present_.begin(as_, present + 1);
    values(0, present, present_);
    switch (as_) {
      case ValuesAs::numbers:
      case ValuesAs::labels:
        spread(present_.numbers, std::numeric_limits<T>::quiet_NaN(), batch.numbers.data() + at);
        break;
      case ValuesAs::seconds:
        spread(present_.seconds, std::numeric_limits<double>::quiet_NaN(),
               batch.seconds.data() + at);
        break;
      case ValuesAs::texts: spread(present_.codes, -1, batch.codes.data() + at); break;
    }
    if (!present_.rounded.empty()) spread_rounded(at, batch);
  }

  // To each level of 1 the next of the values, to each 0 `none`; without branches, as which rows
  // miss a value nobody can foresee.
  template <class Value>
  void spread(const std::vector<Value>& values, Value none, Value* to) const {
    const Value* from = values.data();
    for (const std::uint32_t level : level_) {
      *to++ = level != 0 ? *from : none;
      from += level;
    }
  }

  void spread_rounded(Index at, ColumnBatch<T>& batch) {
    auto next = present_.rounded.begin();
    Index from = 0;
    for (std::size_t i = 0; i < level_.size() && next != present_.rounded.end(); ++i) {
      if (level_[i] == 0) continue;
      if (next->first == from++) {
        batch.rounded.emplace_back(at + static_cast<Index>(i), std::move((next++)->second));
      }
    }
  }

  void missing(Index at, Index count, ColumnBatch<T>& batch) const {
    switch (as_) {
      case ValuesAs::numbers:
      case ValuesAs::labels:
        std::fill_n(batch.numbers.begin() + at, count, std::numeric_limits<T>::quiet_NaN());
        break;
      case ValuesAs::seconds:
        std::fill_n(batch.seconds.begin() + at, count, std::numeric_limits<double>::quiet_NaN());
        break;
      case ValuesAs::texts: std::fill_n(batch.codes.begin() + at, count, -1); break;
    }
  }

  // The next values of the page, of which none is missing.
  void values(Index at, Index count, ColumnBatch<T>& batch) {
    const auto size = static_cast<std::size_t>(count);
    switch (way_) {
      case Way::dictionary: return look_up(at, count, batch);
      case Way::plain: {
        if (size > plain_.size() / type_.width) ended();
        convert(plain_.data(), at, count, batch);
        plain_ = plain_.subspan(size * type_.width);
        return;
      }
      case Way::bits:
        if (size > plain_.size() * 8 - bit_) ended();
        raw_.resize(size);
        for (std::size_t i = 0; i < size; ++i, ++bit_) {
          raw_[i] = (plain_[bit_ / 8] >> (bit_ % 8)) & 1U;
        }
        break;
      case Way::runs:
        codes_.resize(size);
        if (!hybrid_.next(codes_.data(), size)) ended();
        raw_.resize(size);
        for (std::size_t i = 0; i < size; ++i) raw_[i] = codes_[i] != 0 ? 1 : 0;
        break;
      case Way::delta: {
        whole_.resize(size);
        if (!delta_.next(whole_.data(), size)) ended();
        raw_.resize(size * type_.width);
        for (std::size_t i = 0; i < size; ++i) {
          for (std::size_t k = 0; k < type_.width; ++k) {
            raw_[i * type_.width + k] =
                static_cast<std::uint8_t>(static_cast<std::uint64_t>(whole_[i]) >> (8 * k));
          }
        }
        break;
      }
      case Way::split:
        raw_.resize(size * type_.width);
        if (!split_.next(raw_.data(), size)) ended();
        break;
      case Way::texts:
        if (!take_texts(at, count, batch)) ended();
        return;
    }
    convert(raw_.data(), at, count, batch);
  }

  [[noreturn]] void ended() const {
    damaged("it has fewer values than it claims, or they are none");
  }

  void look_up(Index at, Index count, ColumnBatch<T>& batch) {
    const auto size = static_cast<std::size_t>(count);
    codes_.resize(size);
    if (!hybrid_.next(codes_.data(), size)) ended();
    const auto known = static_cast<std::uint32_t>(dictionary_size_);
    std::uint32_t largest = 0;
    for (const std::uint32_t code : codes_) largest = std::max(largest, code);
    if (size > 0 && largest >= known) damaged("a code refers to no value of the dictionary");
    const auto gather = [&](const auto& from, auto& to) {
      auto* const out = to.data() + at;
      for (std::size_t i = 0; i < size; ++i) out[i] = from[codes_[i]];
    };
    switch (as_) {
      case ValuesAs::numbers:
        gather(dictionary_.numbers, batch.numbers);
        if (!dictionary_.rounded.empty() && batch.rounded.empty()) {
          const auto& [place, text] = dictionary_.rounded.front();
          const auto found = std::find(codes_.begin(), codes_.end(), place);
          if (found != codes_.end())
            batch.rounded.emplace_back(at + (found - codes_.begin()), text);
        }
        break;
      case ValuesAs::labels:
        gather(dictionary_.numbers, batch.numbers);
        if (rounded_of_.empty()) break;
        for (std::size_t i = 0; i < size; ++i) {
          const std::int32_t rounded = rounded_of_[codes_[i]];
          if (rounded < 0) continue;
          batch.rounded.emplace_back(at + static_cast<Index>(i),
                                     dictionary_.rounded[static_cast<std::size_t>(rounded)].second);
        }
        break;
      case ValuesAs::seconds: gather(dictionary_.seconds, batch.seconds); break;
      case ValuesAs::texts: gather(dictionary_.codes, batch.codes); break;
    }
  }

  bool take_texts(Index at, Index count, ColumnBatch<T>& batch) {
    std::int32_t last = -1;
    Index place = at;
    return text_decoder_.next(
        static_cast<std::size_t>(count), [&](std::string_view text, bool same) {
          if (type_.width > 0 && text.size() != type_.width) damaged("a value has another length");
          if (type_.type == ValueType::text) {
            if (as_ != ValuesAs::texts) refuse_form();
            if (!same || last < 0) last = this->code_of(text);
            batch.codes[static_cast<std::size_t>(place++)] = last;
          } else if (type_.width > 0) {
            convert(reinterpret_cast<const std::uint8_t*>(text.data()), place++, 1, batch);
          } else {
            decimal(text, place++, batch);
          }
        });
  }

  // A reader asks for no form that a column does not have.
  [[noreturn]] void refuse_form() const {
    refuse("its values are not of the kind that is asked for");
  }

  // --- from bytes to numbers, seconds and texts --------------------------------------------------

  // `count` values of type_.width bytes each. Requires: type_.width > 0.
  void convert(const std::uint8_t* raw, Index at, Index count, ColumnBatch<T>& batch) {
    switch (type_.type) {
      case ValueType::whole32: return whole<std::int32_t>(raw, at, count, batch);
      case ValueType::natural32: return whole<std::uint32_t>(raw, at, count, batch);
      case ValueType::whole64: return whole<std::int64_t>(raw, at, count, batch);
      case ValueType::natural64: return whole<std::uint64_t>(raw, at, count, batch);
      case ValueType::float32: return real<float>(raw, at, count, batch);
      case ValueType::float64: return real<double>(raw, at, count, batch);
      case ValueType::half:
        return each(raw, at, count, [&](const std::uint8_t* p, Index place) {
          put_real(half_value(load_little_endian<std::uint16_t>(p)), place, batch);
        });
      case ValueType::boolean:
        return each(raw, at, count, [&](const std::uint8_t* p, Index place) {
          if (as_ == ValuesAs::texts) {
            batch.codes[static_cast<std::size_t>(place)] =
                this->code_of(*p != 0 ? "true" : "false");
          } else {
            batch.numbers[static_cast<std::size_t>(place)] = *p != 0 ? T{1} : T{0};
          }
        });
      case ValueType::decimal32:
        return each(raw, at, count, [&](const std::uint8_t* p, Index place) {
          small_decimal(load_little_endian<std::int32_t>(p), place, batch);
        });
      case ValueType::decimal64:
        return each(raw, at, count, [&](const std::uint8_t* p, Index place) {
          small_decimal(load_little_endian<std::int64_t>(p), place, batch);
        });
      case ValueType::decimal_bytes:
        return each(raw, at, count, [&](const std::uint8_t* p, Index place) {
          decimal({reinterpret_cast<const char*>(p), type_.width}, place, batch);
        });
      case ValueType::date:
        return each(raw, at, count, [&](const std::uint8_t* p, Index place) {
          put_date(moment_of(load_little_endian<std::int32_t>(p), 0), place, batch);
        });
      case ValueType::timestamp:
        return each(raw, at, count, [&](const std::uint8_t* p, Index place) {
          put_date(moment_of(load_little_endian<std::int64_t>(p), type_.per_second), place, batch);
        });
      case ValueType::old_timestamp:
        return each(raw, at, count, [&](const std::uint8_t* p, Index place) {
          // Nanoseconds of the day, then the Julian day.
          constexpr std::int64_t epoch = 2440588;
          constexpr std::uint64_t per_second = 1000000000;
          const auto nanos = load_little_endian<std::uint64_t>(p);
          const std::int64_t day =
              static_cast<std::int64_t>(load_little_endian<std::uint32_t>(p + 8)) - epoch;
          std::int64_t whole = day * 86400 + static_cast<std::int64_t>(nanos / per_second);
          auto rest = static_cast<std::int64_t>(nanos % per_second);
          // Of one sign, so that nothing cancels.
          if (whole < 0 && rest > 0) {
            ++whole;
            rest -= static_cast<std::int64_t>(per_second);
          }
          put_date({whole, rest, static_cast<std::int64_t>(per_second)}, place, batch);
        });
      case ValueType::time32:
        return each(raw, at, count, [&](const std::uint8_t* p, Index place) {
          put_time(moment_of(load_little_endian<std::int32_t>(p), type_.per_second), place, batch);
        });
      case ValueType::time64:
        return each(raw, at, count, [&](const std::uint8_t* p, Index place) {
          put_time(moment_of(load_little_endian<std::int64_t>(p), type_.per_second), place, batch);
        });
      case ValueType::text:
        if (as_ != ValuesAs::texts) refuse_form();
        return each(raw, at, count, [&](const std::uint8_t* p, Index place) {
          batch.codes[static_cast<std::size_t>(place)] =
              this->code_of({reinterpret_cast<const char*>(p), type_.width});
        });
      case ValueType::uuid:
        if (as_ != ValuesAs::texts) refuse_form();
        return each(raw, at, count, [&](const std::uint8_t* p, Index place) {
          batch.codes[static_cast<std::size_t>(place)] = this->code_of(uuid_text(p));
        });
      case ValueType::nothing: return missing(at, count, batch);
    }
  }

  template <class Put>
  void each(const std::uint8_t* raw, Index at, Index count, Put&& put) const {
    for (Index i = 0; i < count; ++i, raw += type_.width) put(raw, at + i);
  }

  template <class Whole>
  void whole(const std::uint8_t* raw, Index at, Index count, ColumnBatch<T>& batch) {
    if (as_ == ValuesAs::texts) {
      for (Index i = 0; i < count; ++i, raw += sizeof(Whole)) {
        batch.codes[static_cast<std::size_t>(at + i)] =
            this->code_of(std::to_string(load_little_endian<Whole>(raw)));
      }
      return;
    }
    if (!put_small_wholes<Whole>(raw, count, batch.numbers.data() + at)) return;
    const bool labels = as_ == ValuesAs::labels;
    for (Index i = 0; i < count; ++i, raw += sizeof(Whole)) {
      put_whole(load_little_endian<Whole>(raw), at + i, labels, batch);
    }
  }

  template <class Source>
  void real(const std::uint8_t* raw, Index at, Index count, ColumnBatch<T>& batch) {
    if (as_ == ValuesAs::texts) {
      for (Index i = 0; i < count; ++i, raw += sizeof(Source)) {
        put_real(load_little_endian<Source>(raw), at + i, batch);
      }
      return;
    }
    put_reals<Source>(raw, count, batch.numbers.data() + at);
  }

  template <class Source>
  void put_real(Source value, Index place, ColumnBatch<T>& batch) {
    const auto at = static_cast<std::size_t>(place);
    if (as_ == ValuesAs::texts) {
      batch.codes[at] = std::isnan(value) ? -1 : this->code_of(class_name(value));
    } else {
      batch.numbers[at] = static_cast<T>(value);
    }
  }

  void small_decimal(std::int64_t value, Index place, ColumnBatch<T>& batch) {
    const auto at = static_cast<std::size_t>(place);
    if (as_ == ValuesAs::texts) {
      batch.codes[at] = this->code_of(decimal_text(whole_digits(value), type_.scale));
    } else if (type_.scale == 0) {
      put_whole(value, place, as_ == ValuesAs::labels, batch);
    } else {
      batch.numbers[at] = decimal_value<T>(value, type_.scale);
    }
  }

  void decimal(std::string_view big_endian, Index place, ColumnBatch<T>& batch) {
    if (big_endian.size() > most_decimal_bytes) {
      damaged("a decimal number has " + std::to_string(big_endian.size()) + " bytes");
    }
    if (big_endian.size() <= 16) {
      // Most are small, whatever room they have.
      const bool negative =
          !big_endian.empty() && (static_cast<unsigned char>(big_endian.front()) & 0x80U) != 0;
      const char extension = static_cast<char>(negative ? 0xFF : 0);
      std::string_view rest = big_endian;
      while (rest.size() > 8 && rest.front() == extension) rest.remove_prefix(1);
      if (rest.size() <= 8) {
        std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
        for (const char byte : rest) value = value << 8 | static_cast<unsigned char>(byte);
        const auto whole = static_cast<std::int64_t>(value);
        // The bytes left out were copies of the sign.
        if ((whole < 0) == negative) return small_decimal(whole, place, batch);
      }
    }
    const WholeDigits value = whole_digits(big_endian);
    const auto at = static_cast<std::size_t>(place);
    if (as_ == ValuesAs::texts) {
      batch.codes[at] = this->code_of(decimal_text(value, type_.scale));
      return;
    }
    batch.numbers[at] = decimal_value<T>(value, type_.scale);
    // More digits than 18, of which no number keeps all.
    if (type_.scale == 0 && (as_ == ValuesAs::labels || batch.rounded.empty())) {
      batch.rounded.emplace_back(place, decimal_text(value, 0));
    }
  }

  void put_date(const Moment& moment, Index place, ColumnBatch<T>& batch) {
    const double seconds = moment.seconds();
    if (!is_known_date(seconds)) {
      refuse("holds the time " + std::to_string(seconds) +
             " seconds from 1970-01-01; expected years 1 to 9999");
    }
    const auto at = static_cast<std::size_t>(place);
    if (as_ == ValuesAs::texts) {
      batch.codes[at] = this->code_of(date_text(moment));
    } else {
      batch.seconds[at] = seconds;
    }
  }

  void put_time(const Moment& moment, Index place, ColumnBatch<T>& batch) {
    const auto at = static_cast<std::size_t>(place);
    if (as_ == ValuesAs::texts) {
      batch.codes[at] = this->code_of(time_text(moment));
    } else {
      batch.seconds[at] = moment.seconds();
    }
  }

  static std::string uuid_text(const std::uint8_t* p) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (int i = 0; i < 16; ++i) {
      if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
      text += digits[p[i] >> 4];
      text += digits[p[i] & 15U];
    }
    return text;
  }

  PageReader pages_;
  const std::string& where_;
  ColumnType type_;
  ValuesAs as_;
  Index left_;  // values of pages that are not begun
  Index page_left_ = 0;
  bool packed_levels_ = false;
  HybridDecoder levels_;
  BitLevels bit_levels_;
  std::vector<std::uint32_t> level_;
  ColumnBatch<T> present_;

  Way way_ = Way::plain;
  Bytes plain_;
  std::size_t bit_ = 0;
  HybridDecoder hybrid_;
  DeltaDecoder delta_;
  SplitDecoder split_;
  TextDecoder text_decoder_;
  std::vector<std::uint8_t> raw_;
  std::vector<std::int64_t> whole_;
  std::vector<std::uint32_t> codes_;

  bool has_dictionary_ = false;
  Index dictionary_size_ = 0;
  ColumnBatch<T> dictionary_;
  std::vector<std::int32_t> rounded_of_;  // places in dictionary_.rounded, -1 for none
};

}  // namespace

template <Real T>
std::unique_ptr<ColumnStream<T>> open_column(const Input& input, const ColumnChunk& chunk,
                                             const std::string& where, const MemoryBudget& budget,
                                             BufferPool& pool, const ColumnType& type,
                                             ValuesAs as) {
  return std::make_unique<Stream<T>>(input, chunk, where, budget, pool, type, as);
}

template std::unique_ptr<ColumnStream<float>> open_column(const Input&, const ColumnChunk&,
                                                          const std::string&, const MemoryBudget&,
                                                          BufferPool&, const ColumnType&, ValuesAs);
template std::unique_ptr<ColumnStream<double>> open_column(const Input&, const ColumnChunk&,
                                                           const std::string&, const MemoryBudget&,
                                                           BufferPool&, const ColumnType&,
                                                           ValuesAs);

}  // namespace tandem::parquet

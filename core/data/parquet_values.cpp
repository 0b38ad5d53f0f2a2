#include "core/data/parquet_values.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace tandem::parquet {
namespace {

// Up to 64 bits of a little-endian bit stream from bit `at` on. Requires: they are there.
std::uint64_t bits_at(Bytes bytes, std::size_t at, int width) {
  if (width == 0) return 0;
  const std::size_t byte = at / 8;
  const auto shift = static_cast<int>(at % 8);
  std::uint64_t word = 0;
  const std::size_t have = std::min<std::size_t>(8, bytes.size() - byte);
  std::memcpy(&word, bytes.data() + byte, have);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  word >>= shift;
  if (shift + width > 64) {
    word |= static_cast<std::uint64_t>(bytes[byte + 8]) << (64 - shift);
  }
  return width == 64 ? word : word & ((std::uint64_t{1} << width) - 1);
}

bool read_varint(Bytes bytes, std::size_t& at, std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (at >= bytes.size()) return false;
    const std::uint8_t next = bytes[at++];
    value |= static_cast<std::uint64_t>(next & 0x7FU) << shift;
    if ((next & 0x80U) == 0) return true;
  }
  return false;
}

std::uint64_t unzigzag(std::uint64_t raw) { return (raw >> 1) ^ (~(raw & 1) + 1); }

}  // namespace

bool HybridDecoder::begin_run() {
  std::uint64_t head = 0;
  std::size_t at = 0;
  bytes_ = bytes_.subspan((bit_ + 7) / 8);
  bit_ = 0;
  if (!read_varint(bytes_, at, head)) return false;
  bytes_ = bytes_.subspan(at);
  if ((head & 1) == 0) {
    const auto size = static_cast<std::size_t>((width_ + 7) / 8);
    if (bytes_.size() < size) return false;
    value_ = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value_ |= static_cast<std::uint32_t>(bytes_[i]) << (8 * i);
    }
    bytes_ = bytes_.subspan(size);
    run_ = head >> 1;
    return run_ > 0;
  }
  // A last group may be cut off behind the values that there are.
  const std::uint64_t groups = head >> 1;
  if (groups == 0 || groups > (std::uint64_t{1} << 40)) return false;
  packed_ = groups * 8;
  if (width_ > 0) {
    packed_ =
        std::min<std::uint64_t>(packed_, bytes_.size() * 8 / static_cast<std::size_t>(width_));
  }
  return packed_ > 0;
}

bool HybridDecoder::next(std::uint32_t* to, std::size_t count) {
  const auto width = static_cast<std::size_t>(width_);
  while (count > 0) {
    if (run_ == 0 && packed_ == 0 && !begin_run()) return false;
    if (run_ > 0) {
      const std::size_t now = static_cast<std::size_t>(std::min<std::uint64_t>(run_, count));
      std::fill(to, to + now, value_);
      to += now;
      count -= now;
      run_ -= now;
      continue;
    }
    const std::size_t now = static_cast<std::size_t>(std::min<std::uint64_t>(packed_, count));
    if (width == 1) {
      std::size_t i = 0;
      const auto one = [&] {
        to[i++] = (bytes_[bit_ / 8] >> (bit_ % 8)) & 1U;
        ++bit_;
      };
      while (i < now && bit_ % 8 != 0) one();
      for (; i + 8 <= now; i += 8, bit_ += 8) {
        const std::uint32_t eight = bytes_[bit_ / 8];
        for (std::size_t k = 0; k < 8; ++k) to[i + k] = (eight >> k) & 1U;
      }
      while (i < now) one();
    } else {
      // Eight bytes at a time as long as they are there.
      const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
      std::size_t i = 0;
      for (; i < now && bit_ / 8 + 8 <= bytes_.size(); ++i, bit_ += width) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes_.data() + bit_ / 8, 8);
        if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
        to[i] = static_cast<std::uint32_t>((word >> (bit_ % 8)) & mask);
      }
      for (; i < now; ++i, bit_ += width) {
        to[i] = static_cast<std::uint32_t>(bits_at(bytes_, bit_, width_));
      }
    }
    to += now;
    count -= now;
    packed_ -= now;
  }
  return true;
}

bool HybridDecoder::next_run(std::size_t count, std::uint32_t& value) {
  if (run_ == 0 && packed_ == 0 && !begin_run()) return false;
  if (run_ < count) return false;
  value = value_;
  return true;
}

bool BitLevels::next(std::uint32_t* to, std::size_t count) {
  if (count > bytes_.size() * 8 - at_) return false;
  for (std::size_t i = 0; i < count; ++i, ++at_) {
    to[i] = (bytes_[at_ / 8] >> (7 - at_ % 8)) & 1U;
  }
  return true;
}

bool DeltaDecoder::varint(std::uint64_t& value) { return read_varint(bytes_, at_, value); }

bool DeltaDecoder::begin(Bytes bytes) {
  *this = {};
  bytes_ = bytes;
  std::uint64_t first = 0;
  if (!varint(block_) || !varint(minis_) || !varint(total_) || !varint(first)) return false;
  constexpr std::uint64_t largest = std::uint64_t{1} << 24;
  if (block_ == 0 || block_ > largest || minis_ == 0 || minis_ > block_ || block_ % minis_ != 0 ||
      total_ > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) {
    return false;
  }
  mini_size_ = block_ / minis_;
  if (mini_size_ % 8 != 0) return false;
  left_ = total_;
  mini_ = minis_;
  value_ = unzigzag(first);
  first_ = true;
  return true;
}

bool DeltaDecoder::begin_block() {
  std::uint64_t least = 0;
  if (!varint(least) || bytes_.size() - at_ < minis_) return false;
  least_ = unzigzag(least);
  const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(at_);
  widths_.assign(begin, begin + static_cast<std::ptrdiff_t>(minis_));
  at_ += static_cast<std::size_t>(minis_);
  mini_ = 0;
  return true;
}

bool DeltaDecoder::begin_miniblock() {
  if (mini_ == minis_ && !begin_block()) return false;
  width_ = widths_[static_cast<std::size_t>(mini_++)];
  if (width_ > 64) return false;
  // The last miniblock is whole, though some writers cut it off.
  const std::size_t size =
      static_cast<std::size_t>(mini_size_) * static_cast<std::size_t>(width_) / 8;
  const std::uint64_t values = std::min(mini_size_, left_);
  const std::size_t needed =
      (static_cast<std::size_t>(values) * static_cast<std::size_t>(width_) + 7) / 8;
  if (bytes_.size() - at_ < needed) return false;
  mini_bytes_ = bytes_.subspan(at_, std::min(size, bytes_.size() - at_));
  at_ += mini_bytes_.size();
  mini_left_ = mini_size_;
  bit_ = 0;
  return true;
}

bool DeltaDecoder::next(std::int64_t* to, std::size_t count) {
  if (count > left_) return false;
  std::size_t i = 0;
  if (first_ && count > 0) {
    first_ = false;
    to[i++] = static_cast<std::int64_t>(value_);
    --left_;
  }
  while (i < count) {
    if (mini_left_ == 0 && !begin_miniblock()) return false;
    const std::size_t now =
        std::min(count - i, static_cast<std::size_t>(std::min(mini_left_, left_)));
    for (std::size_t k = 0; k < now; ++k) {
      value_ += least_ + bits_at(mini_bytes_, bit_, width_);
      bit_ += static_cast<std::size_t>(width_);
      to[i + k] = static_cast<std::int64_t>(value_);
    }
    i += now;
    mini_left_ -= now;
    left_ -= now;
  }
  return true;
}

namespace {

// Reads all numbers of a decoder, to find what stands behind them.
bool pass_all(DeltaDecoder decoder, Bytes& rest) {
  std::int64_t values[256];
  for (std::uint64_t left = decoder.total(); left > 0;) {
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(left, std::size(values)));
    if (!decoder.next(values, now)) return false;
    left -= now;
  }
  rest = decoder.rest();
  return true;
}

}  // namespace

bool TextDecoder::begin(Kind kind, Bytes bytes) {
  kind_ = kind;
  bytes_ = bytes;
  last_.clear();
  begun_ = false;
  // Prefixes that are taken over from text to text make much of few bytes; nobody's texts do so to
  // this degree, but for equal ones, which are not counted.
  constexpr std::uint64_t most_expansion = 4096;
  allowed_ = (std::uint64_t{64} << 20) + most_expansion * bytes.size();
  if (kind == Kind::plain) return true;
  if (kind == Kind::delta_bytes) {
    if (!prefixes_.begin(bytes) || !pass_all(prefixes_, bytes_)) return false;
  }
  return lengths_.begin(bytes_) && pass_all(lengths_, bytes_);
}

bool TextDecoder::length(DeltaDecoder& lengths, std::uint64_t& value) {
  std::int64_t length = 0;
  if (!lengths.next(&length, 1) || length < 0) return false;
  value = static_cast<std::uint64_t>(length);
  return true;
}

bool TextDecoder::one(std::string_view& text, bool& repeats) {
  std::uint64_t size = 0;
  std::uint64_t prefix = 0;
  if (kind_ == Kind::plain) {
    if (bytes_.size() < 4) return false;
    for (std::size_t i = 4; i-- > 0;) size = size << 8 | bytes_[i];
    bytes_ = bytes_.subspan(4);
  } else {
    if (kind_ == Kind::delta_bytes && !length(prefixes_, prefix)) return false;
    if (!length(lengths_, size)) return false;
  }
  if (size > bytes_.size()) return false;
  const auto* const begin = reinterpret_cast<const char*>(bytes_.data());
  bytes_ = bytes_.subspan(static_cast<std::size_t>(size));
  if (kind_ != Kind::delta_bytes) {
    text = {begin, static_cast<std::size_t>(size)};
    return true;
  }
  if (prefix > last_.size()) return false;
  repeats = begun_ && size == 0 && prefix == last_.size();
  begun_ = true;
  if (!repeats) {
    if (prefix > allowed_) return false;
    allowed_ -= prefix;
    last_.resize(static_cast<std::size_t>(prefix));
    last_.append(begin, static_cast<std::size_t>(size));
  }
  text = last_;
  return true;
}

bool SplitDecoder::begin(Bytes bytes, std::size_t width) {
  bytes_ = bytes;
  width_ = width;
  total_ = bytes.size() / width;
  at_ = 0;
  return bytes.size() % width == 0;
}

bool SplitDecoder::next(std::uint8_t* to, std::size_t count) {
  if (count > total_ - at_) return false;
  for (std::size_t k = 0; k < width_; ++k) {
    const std::uint8_t* const from = bytes_.data() + k * total_ + at_;
    for (std::size_t i = 0; i < count; ++i) to[i * width_ + k] = from[i];
  }
  at_ += count;
  return true;
}

}  // namespace tandem::parquet

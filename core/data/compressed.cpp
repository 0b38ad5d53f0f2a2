// gzip, bzip2, xz and zstd streams. Only a window of each stream is ever in memory, so that a file
// that expands without end costs time, not memory; readers bound what they keep.
#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <cstring>
#include <utility>

#include "core/data/input.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

constexpr std::size_t window = std::size_t{1} << 18;

// Common to both kinds: reads the stored bytes by windows.
class Stored {
 public:
  Stored(std::unique_ptr<ByteSource> source, std::string name)
      : source_(std::move(source)), name_(std::move(name)), bytes_(window) {}
  // Puts the next window into bytes; 0 at the end.
  std::size_t refill() {
    const std::size_t got = source_->read(bytes_.data(), bytes_.size());
    before_ += static_cast<Index>(got);
    return got;
  }
  [[nodiscard]] char* bytes() { return bytes_.data(); }
  // `unread`: how many bytes of the window are not yet used.
  [[noreturn]] void damaged(std::size_t unread) const {
    throw InputError(name_ + ": the compressed data is damaged near byte " +
                     std::to_string(before_ - static_cast<Index>(unread)) + " of the file");
  }
  // Behind a whole stream, at `next` with `left` bytes of the window: true where another begins,
  // which `first` tells. Zeros are padding, as tapes have it; other bytes are an InputError.
  [[nodiscard]] bool continues(const char* next, std::size_t left, char first) {
    if (*next == first) return true;
    const Index at = before_ - static_cast<Index>(left);
    do {
      for (std::size_t i = 0; i < left; ++i) {
        if (next[i] == 0) continue;
        throw InputError(name_ + ": the compressed data ends at byte " + std::to_string(at) +
                         " of the file, and bytes follow that are none; the file is damaged there");
      }
      left = refill();
      next = bytes();
    } while (left > 0);
    return false;
  }
  [[noreturn]] void truncated() const {
    throw InputError(name_ + ": the compressed data ends in the middle, after byte " +
                     std::to_string(before_) + " of the file; is the file complete?");
  }

 private:
  std::unique_ptr<ByteSource> source_;
  std::string name_;
  std::vector<char> bytes_;
  Index before_ = 0;
};

class InflateSource final : public ByteSource {
 public:
  // raw: deflate data without a gzip header, ending with its last block.
  InflateSource(std::unique_ptr<ByteSource> source, std::string name, bool raw)
      : stored_(std::move(source), std::move(name)), raw_(raw) {
    if (inflateInit2(&stream_, raw ? -MAX_WBITS : MAX_WBITS + 16) != Z_OK) throw std::bad_alloc();
  }
  InflateSource(const InflateSource&) = delete;
  InflateSource& operator=(const InflateSource&) = delete;
  ~InflateSource() override { inflateEnd(&stream_); }

  std::size_t read(char* to, std::size_t count) override {
    count = std::min(count, std::size_t{1} << 30);
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(count);
    while (stream_.avail_out == count && count > 0 && !ended_) {
      if (stream_.avail_in == 0 && !refill()) {
        if (between_members_) break;
        stored_.truncated();
      }
      if (between_members_) {
        if (!stored_.continues(reinterpret_cast<const char*>(stream_.next_in), stream_.avail_in,
                               '\x1f')) {
          ended_ = true;
          break;
        }
        inflateReset(&stream_);
        between_members_ = false;
      }
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        between_members_ = true;
        ended_ = raw_;
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        stored_.damaged(stream_.avail_in);
      }
    }
    return count - stream_.avail_out;
  }

 private:
  bool refill() {
    const std::size_t got = stored_.refill();
    stream_.next_in = reinterpret_cast<Bytef*>(stored_.bytes());
    stream_.avail_in = static_cast<uInt>(got);
    return got > 0;
  }

  Stored stored_;
  z_stream stream_{};
  bool raw_;
  bool between_members_ = false;
  bool ended_ = false;
};

class Bzip2Source final : public ByteSource {
 public:
  Bzip2Source(std::unique_ptr<ByteSource> source, std::string name)
      : stored_(std::move(source), std::move(name)) {
    begin();
  }
  Bzip2Source(const Bzip2Source&) = delete;
  Bzip2Source& operator=(const Bzip2Source&) = delete;
  ~Bzip2Source() override { BZ2_bzDecompressEnd(&stream_); }

  std::size_t read(char* to, std::size_t count) override {
    count = std::min(count, std::size_t{1} << 30);
    stream_.next_out = to;
    stream_.avail_out = static_cast<unsigned>(count);
    while (stream_.avail_out == count && count > 0 && !ended_) {
      if (stream_.avail_in == 0 && !refill()) {
        if (between_streams_) break;
        stored_.truncated();
      }
      if (between_streams_) {
        if (!stored_.continues(stream_.next_in, stream_.avail_in, 'B')) {
          ended_ = true;
          break;
        }
        restart();
      }
      const int status = BZ2_bzDecompress(&stream_);
      if (status == BZ_STREAM_END) {
        between_streams_ = true;
      } else if (status == BZ_MEM_ERROR) {
        throw std::bad_alloc();
      } else if (status != BZ_OK) {
        stored_.damaged(stream_.avail_in);
      }
    }
    return count - stream_.avail_out;
  }

 private:
  void begin() {
    if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) throw std::bad_alloc();
  }
  void restart() {
    const bz_stream old = stream_;
    BZ2_bzDecompressEnd(&stream_);
    stream_ = {};
    begin();
    stream_.next_in = old.next_in;
    stream_.avail_in = old.avail_in;
    stream_.next_out = old.next_out;
    stream_.avail_out = old.avail_out;
    between_streams_ = false;
  }
  bool refill() {
    const std::size_t got = stored_.refill();
    stream_.next_in = stored_.bytes();
    stream_.avail_in = static_cast<unsigned>(got);
    return got > 0;
  }

  Stored stored_;
  bz_stream stream_{};
  bool between_streams_ = false;
  bool ended_ = false;
};

class XzSource final : public ByteSource {
 public:
  XzSource(std::unique_ptr<ByteSource> source, std::string name)
      : stored_(std::move(source), std::move(name)) {
    constexpr std::uint64_t most_memory = std::uint64_t{1} << 30;  // xz -9 takes 65 MiB
    if (lzma_stream_decoder(&stream_, most_memory, LZMA_CONCATENATED) != LZMA_OK) {
      throw std::bad_alloc();
    }
  }
  XzSource(const XzSource&) = delete;
  XzSource& operator=(const XzSource&) = delete;
  ~XzSource() override { lzma_end(&stream_); }

  std::size_t read(char* to, std::size_t count) override {
    stream_.next_out = reinterpret_cast<std::uint8_t*>(to);
    stream_.avail_out = count;
    while (stream_.avail_out == count && count > 0 && !ended_) {
      if (stream_.avail_in == 0 && !exhausted_) {
        stream_.avail_in = stored_.refill();
        stream_.next_in = reinterpret_cast<const std::uint8_t*>(stored_.bytes());
        exhausted_ = stream_.avail_in == 0;
      }
      switch (lzma_code(&stream_, exhausted_ ? LZMA_FINISH : LZMA_RUN)) {
        case LZMA_OK: break;
        case LZMA_STREAM_END: ended_ = true; break;
        case LZMA_MEM_ERROR:
        case LZMA_MEMLIMIT_ERROR: throw std::bad_alloc();
        case LZMA_BUF_ERROR: stored_.truncated();
        default: stored_.damaged(stream_.avail_in);
      }
    }
    return count - stream_.avail_out;
  }

 private:
  Stored stored_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool exhausted_ = false;
  bool ended_ = false;
};

class ZstdSource final : public ByteSource {
 public:
  ZstdSource(std::unique_ptr<ByteSource> source, std::string name)
      : stored_(std::move(source), std::move(name)), stream_(ZSTD_createDStream()) {
    if (stream_ == nullptr) throw std::bad_alloc();
  }
  ZstdSource(const ZstdSource&) = delete;
  ZstdSource& operator=(const ZstdSource&) = delete;
  ~ZstdSource() override { ZSTD_freeDStream(stream_); }

  std::size_t read(char* to, std::size_t count) override {
    ZSTD_outBuffer out{to, count, 0};
    while (out.pos == 0 && count > 0) {
      // The decoder gives the bytes that it still holds before it takes more input.
      if (in_.pos == in_.size && !holds_) {
        in_ = {stored_.bytes(), stored_.refill(), 0};
        if (in_.size == 0) {
          if (!between_frames_) stored_.truncated();
          break;
        }
      }
      const std::size_t status = ZSTD_decompressStream(stream_, &out, &in_);
      if (ZSTD_isError(status) != 0) stored_.damaged(in_.size - in_.pos);
      between_frames_ = status == 0;
      holds_ = out.pos == out.size;
    }
    return out.pos;
  }

 private:
  Stored stored_;
  ZSTD_DStream* stream_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool between_frames_ = false;
  bool holds_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> decompress(std::unique_ptr<ByteSource> source, Compression compression,
                                       std::string name) {
  switch (compression) {
    case Compression::none: break;
    case Compression::gzip:
      return std::make_unique<InflateSource>(std::move(source), std::move(name), false);
    case Compression::bzip2:
      return std::make_unique<Bzip2Source>(std::move(source), std::move(name));
    case Compression::xz: return std::make_unique<XzSource>(std::move(source), std::move(name));
    case Compression::zstd: return std::make_unique<ZstdSource>(std::move(source), std::move(name));
  }
  return source;
}

std::unique_ptr<ByteSource> inflate_raw(std::unique_ptr<ByteSource> source, std::string name) {
  return std::make_unique<InflateSource>(std::move(source), std::move(name), true);
}

}  // namespace tandem

#include "systems/journal/snapshot_stream.hpp"

#include <algorithm>
#include <exception>
#include <istream>
#include <ostream>
#include <streambuf>

#include "systems/journal/bytes.hpp"
#include "systems/journal/crc32c.hpp"
#include "tandem/core/error.hpp"

namespace tandem::journal {
namespace {

constexpr std::uint32_t snapshot_magic = 0x31706E53;  // "Snp1"
constexpr std::size_t trailer_bytes = 24;
constexpr std::size_t chunk = 1 << 20;

// Passes on what is written to it in large pieces, with their checksum. An error of the file is
// kept, since streams swallow exceptions, and thrown by finish().
class Writer final : public std::streambuf {
 public:
  explicit Writer(AppendFile& file) : file_(file), buffer_(chunk) { reset(); }

  void finish(Sequence sequence) {
    put_out();
    if (error_) std::rethrow_exception(error_);
    std::vector<std::byte> trailer;
    append(trailer, length_);
    append(trailer, sequence);
    append(trailer, crc32c(trailer, crc_));
    append(trailer, snapshot_magic);
    file_.write(trailer);
  }

 private:
  void reset() { setp(buffer_.data(), buffer_.data() + buffer_.size()); }
  bool put_out() {
    const std::span<const char> text(pbase(), pptr());
    const std::span<const std::byte> bytes = std::as_bytes(text);
    crc_ = crc32c(bytes, crc_);
    length_ += bytes.size();
    try {
      if (!error_ && !bytes.empty()) file_.write(bytes);
    } catch (...) {
      error_ = std::current_exception();
    }
    reset();
    return !error_;
  }
  int_type overflow(int_type c) override {
    if (!put_out()) return traits_type::eof();
    if (!traits_type::eq_int_type(c, traits_type::eof())) sputc(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
  }
  int sync() override { return put_out() ? 0 : -1; }

  AppendFile& file_;
  std::vector<char> buffer_;
  std::uint32_t crc_ = 0;
  std::uint64_t length_ = 0;
  std::exception_ptr error_;
};

class Reader final : public std::streambuf {
 public:
  Reader(Storage& storage, const SnapshotInfo& snapshot)
      : storage_(storage), snapshot_(snapshot), length_(snapshot.bytes - trailer_bytes) {}

  // Reads what the caller has not, and says whether all is as it was written.
  bool whole() {
    while (!traits_type::eq_int_type(underflow_all(), traits_type::eof())) {
    }
    const std::vector<std::byte> trailer = storage_.read(snapshot_.path, length_, trailer_bytes);
    return trailer.size() == trailer_bytes && get<std::uint64_t>(trailer.data()) == length_ &&
           get<Sequence>(trailer.data() + 8) == snapshot_.sequence &&
           get<std::uint32_t>(trailer.data() + 16) == crc32c(std::span(trailer).first(16), crc_) &&
           get<std::uint32_t>(trailer.data() + 20) == snapshot_magic;
  }

 private:
  int_type underflow_all() {
    buffer_ =
        storage_.read(snapshot_.path, offset_,
                      static_cast<std::size_t>(std::min<std::uint64_t>(chunk, length_ - offset_)));
    if (buffer_.empty()) return traits_type::eof();
    crc_ = crc32c(buffer_, crc_);
    offset_ += buffer_.size();
    char* const text = reinterpret_cast<char*>(buffer_.data());
    setg(text, text, text + buffer_.size());
    return traits_type::to_int_type(*text);
  }
  int_type underflow() override { return underflow_all(); }

  Storage& storage_;
  const SnapshotInfo& snapshot_;
  std::uint64_t length_;
  std::uint64_t offset_ = 0;
  std::vector<std::byte> buffer_;
  std::uint32_t crc_ = 0;
};

}  // namespace

void write_snapshot_file(AppendFile& file, Sequence sequence,
                         const std::function<void(std::ostream&)>& fill) {
  Writer writer(file);
  std::ostream out(&writer);
  fill(out);
  writer.finish(sequence);
}

bool snapshot_is_whole(Storage& storage, const SnapshotInfo& snapshot) {
  return snapshot.bytes >= trailer_bytes && Reader(storage, snapshot).whole();
}

void read_snapshot_file(Storage& storage, const SnapshotInfo& snapshot,
                        const std::function<void(std::istream&)>& take) {
  if (snapshot.bytes < trailer_bytes) throw InputError(snapshot.path + ": is no whole snapshot");
  Reader reader(storage, snapshot);
  std::istream in(&reader);
  take(in);
  if (!reader.whole()) {
    throw InputError(snapshot.path +
                     ": is damaged: its checksum is wrong; remove it, and the one "
                     "before it is used");
  }
}

}  // namespace tandem::journal

// Record batches through Arrow's C data interface. Whoever hands one over answers for the buffers'
// sizes; all that stands in them, and which there are, may be anything.
#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "read_input.hpp"
#include "tandem/data/arrow.hpp"

namespace {

class Bytes {
 public:
  Bytes(const std::uint8_t* at, std::size_t left) : at_(at), left_(left) {}
  std::uint8_t next() {
    if (left_ == 0) return 0;
    --left_;
    return *at_++;
  }
  // So many bytes, the last ones zeros where the input ends.
  std::vector<std::uint8_t> take(std::size_t count) {
    std::vector<std::uint8_t> taken(count);
    const std::size_t have = std::min(count, left_);
    if (have > 0) std::memcpy(taken.data(), at_, have);
    at_ += have;
    left_ -= have;
    return taken;
  }

 private:
  const std::uint8_t* at_;
  std::size_t left_;
};

// An array and its schema with all that they point to.
struct Child {
  ArrowSchema schema{};
  ArrowArray array{};
  std::string format;
  std::string name;
  std::array<std::vector<std::uint8_t>, 3> memory;
  std::array<const void*, 3> buffers{};
};

constexpr std::array<const char*, 16> formats{"b", "c", "C", "s", "S", "i", "I",   "l",
                                              "L", "f", "g", "e", "u", "U", "tdD", ""};

void make(Child& child, std::size_t format, std::int64_t length, Bytes& bytes) {
  constexpr std::array<std::size_t, 16> width{1, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8, 2, 4, 8, 4, 8};
  child.format = formats[format];
  child.name = std::string(1, static_cast<char>('a' + bytes.next() % 4));
  const std::uint8_t shape = bytes.next();
  const std::int64_t offset = shape % 4;
  const auto elements = static_cast<std::size_t>(length + offset);
  child.memory[0] = bytes.take(elements / 8 + 1);
  child.memory[1] = bytes.take((elements + 1) * width[format]);
  if (child.format == "u" || child.format == "U") {
    // Offsets lie in the buffer of texts, or fall.
    child.memory[2] = bytes.take(64);
    for (std::size_t i = 0; i <= elements; ++i) {
      std::uint8_t* const at = child.memory[1].data() + i * width[format];
      const std::uint8_t within = *at % 65;
      std::memset(at, shape >= 128 && within == 64 ? 0xFF : 0, width[format]);
      if (shape < 128 || within != 64) *at = within;
    }
  }
  for (std::size_t b = 0; b < 3; ++b) child.buffers[b] = child.memory[b].data();
  if ((shape & 8) != 0) child.buffers[0] = nullptr;
  if ((shape & 16) != 0) child.buffers[1] = nullptr;
  child.schema.format = child.format.c_str();
  child.schema.name = (shape & 32) != 0 ? nullptr : child.name.c_str();
  child.array.length = length;
  child.array.null_count = (shape & 64) != 0 ? 0 : -1;
  child.array.offset = offset;
  child.array.n_buffers = child.memory[2].empty() ? 2 : 3;
  child.array.buffers = child.buffers.data();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  using namespace tandem;
  log::set_level(log::Level::off);
  Bytes bytes(input, size);
  const std::int64_t rows = bytes.next() % 20;
  const std::size_t columns = bytes.next() % 5;
  std::deque<Child> all;
  std::vector<ArrowSchema*> schemas;
  std::vector<ArrowArray*> arrays;
  const std::uint8_t batch = bytes.next();
  for (std::size_t c = 0; c < columns; ++c) {
    const std::uint8_t kind = bytes.next();
    Child& child = all.emplace_back();
    // Some columns are shorter than the batch.
    make(child, kind % 16, std::max<std::int64_t>(rows + (batch & 3) - (kind >= 240 ? 1 : 0), 0),
         bytes);
    if (kind >= 128 && kind < 240) {
      Child& words = all.emplace_back();
      make(words, kind % 2 == 0 ? 12 : 13, kind % 7, bytes);
      child.schema.dictionary = &words.schema;
      child.array.dictionary = &words.array;
    }
    schemas.push_back(&child.schema);
    arrays.push_back(&child.array);
  }
  const auto release_schema = [](ArrowSchema*) {};
  const auto release_array = [](ArrowArray*) {};
  ArrowSchema schema{};
  schema.format = "+s";
  schema.n_children = static_cast<std::int64_t>(columns);
  schema.children = schemas.data();
  schema.release = release_schema;
  ArrowArray array{};
  array.length = rows;
  array.offset = batch & 3;
  array.n_children = static_cast<std::int64_t>(columns);
  array.children = arrays.data();
  array.release = release_array;
  ArrowOptions options;
  if ((batch & 4) != 0) options.target = "a";
  if ((batch & 8) != 0) options.weights = "b";
  try {
    const Dataset<double> data = dataset_from_arrow<double>(array, schema, options);
    fuzz::require(data.rows() == rows);
    if (rows > 0 && data.cols() > 0) fuzz::check(data);
    (void)dataset_from_arrow<float>(array, schema, options);
  } catch (const InputError&) {
  }
  return 0;
}

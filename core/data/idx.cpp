// IDX, the format of the MNIST data (http://yann.lecun.com/exdb/mnist/): two zero bytes, the type,
// the number of axes, their lengths as big-endian 32-bit numbers, then the elements, big-endian.
#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>

#include "core/data/readers.hpp"
#include "core/memory.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

constexpr std::size_t block_elements = std::size_t{1} << 16;

template <Real T, class U>
void convert(const unsigned char* from, T* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    unsigned char bytes[sizeof(U)];
    for (std::size_t b = 0; b < sizeof(U); ++b) {
      bytes[std::endian::native == std::endian::little ? sizeof(U) - 1 - b : b] =
          from[i * sizeof(U) + b];
    }
    U value;
    std::memcpy(&value, bytes, sizeof(U));
    to[i] = static_cast<T>(value);
  }
}

// "train-images-idx3-ubyte.gz" → "train-labels-idx1-ubyte.gz", with and without the ending of a
// compressed file; empty where there is none.
std::string sibling_of(const std::string& path) {
  const std::filesystem::path whole(path);
  std::string name = whole.filename().string();
  const auto images = name.find("images");
  if (images == std::string::npos) return {};
  name.replace(images, 6, "labels");
  const auto axes = name.find("idx3");
  if (axes != std::string::npos) name.replace(axes, 4, "idx1");
  std::string stem = name;
  if (const auto dot = stem.rfind('.'); dot != std::string::npos) stem.resize(dot);
  for (const auto& candidate : {name, stem, name + ".gz"}) {
    const auto labels = whole.parent_path() / candidate;
    std::error_code ignored;
    if (std::filesystem::is_regular_file(labels, ignored)) return labels.string();
  }
  return {};
}

}  // namespace

template <Real T>
Table<T> read_idx_table(const Input& input, const MemoryBudget& budget) {
  const auto source = input.open();
  const auto fail = [&](const std::string& what) { throw InputError(input.name() + ": " + what); };
  unsigned char start[4];
  if (read_fully(*source, reinterpret_cast<char*>(start), 4) != 4 || start[0] != 0 ||
      start[1] != 0) {
    fail("is not an IDX file: it does not begin with two zero bytes");
  }
  Index item = 0;
  void (*convert_block)(const unsigned char*, T*, std::size_t) = nullptr;
  switch (start[2]) {
    case 0x08: item = 1, convert_block = convert<T, std::uint8_t>; break;
    case 0x09: item = 1, convert_block = convert<T, std::int8_t>; break;
    case 0x0B: item = 2, convert_block = convert<T, std::int16_t>; break;
    case 0x0C: item = 4, convert_block = convert<T, std::int32_t>; break;
    case 0x0D: item = 4, convert_block = convert<T, float>; break;
    case 0x0E: item = 8, convert_block = convert<T, double>; break;
    default: fail("has elements of the unknown type " + std::to_string(start[2]));
  }
  const int axes = start[3];
  if (axes == 0) fail("has no axes");
  Table<T> table;
  table.vector = axes == 1;
  table.cols = 1;
  for (int axis = 0; axis < axes; ++axis) {
    unsigned char length[4];
    if (read_fully(*source, reinterpret_cast<char*>(length), 4) != 4)
      fail("ends inside the header");
    const Index size = static_cast<Index>(length[0]) << 24 | static_cast<Index>(length[1]) << 16 |
                       static_cast<Index>(length[2]) << 8 | static_cast<Index>(length[3]);
    if (axis == 0)
      table.rows = size;
    else
      table.cols = saturating_product(table.cols, size);
  }
  if (table.rows == 0 || table.cols == 0) fail("is empty: one of its axes has length 0");
  const Index count = saturating_product(table.rows, table.cols);
  const Index bytes = saturating_product(count, item);
  const Index left = input.largest_size() - (4 + 4 * axes);
  const std::string claim =
      std::to_string(table.rows) + " rows of " + std::to_string(table.cols) + " elements";
  if (bytes > left) {
    fail("its header claims " + claim + ", " + std::to_string(bytes) + " bytes, but " +
         std::to_string(std::max<Index>(left, 0)) + " follow at most; is the file complete?");
  }
  budget.require(table_bytes(table.rows, table.cols, sizeof(T)), claim);
  table.values.reserve(static_cast<std::size_t>(count));
  std::vector<unsigned char> raw(block_elements * static_cast<std::size_t>(item));
  std::vector<T> converted(block_elements);
  for (Index done = 0; done < count;) {
    const auto wanted = std::min(block_elements, static_cast<std::size_t>(count - done));
    const std::size_t wanted_bytes = wanted * static_cast<std::size_t>(item);
    if (read_fully(*source, reinterpret_cast<char*>(raw.data()), wanted_bytes) != wanted_bytes) {
      fail("ends before its " + claim + " are complete");
    }
    convert_block(raw.data(), converted.data(), wanted);
    table.values.insert(table.values.end(), converted.begin(),
                        converted.begin() + static_cast<std::ptrdiff_t>(wanted));
    done += static_cast<Index>(wanted);
  }
  return table;
}

template <Real T>
Dataset<T> read_idx(const Input& input, const ReadOptions& options) {
  const MemoryBudget budget(input.name(), options);
  Table<T> table = read_idx_table<T>(input, budget);
  if (options.target.empty() && options.target_file.empty() && !table.vector) {
    const std::string labels = sibling_of(input.name());
    if (!labels.empty()) {
      Table<T> target = read_target_table<T>(labels, options);
      return make_dataset(std::move(table), &target, input, options);
    }
  }
  return make_dataset(std::move(table), static_cast<Table<T>*>(nullptr), input, options);
}

template Table<float> read_idx_table(const Input&, const MemoryBudget&);
template Table<double> read_idx_table(const Input&, const MemoryBudget&);
template Dataset<float> read_idx(const Input&, const ReadOptions&);
template Dataset<double> read_idx(const Input&, const ReadOptions&);

}  // namespace tandem

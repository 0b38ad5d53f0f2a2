// Data sets from bytes in memory and from streams.
#include <algorithm>
#include <istream>

#include "core/data/readers.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"

namespace tandem {
namespace {

// All that is left of the stream.
std::vector<std::byte> bytes_of(std::istream& in, const std::string& name,
                                const ReadOptions& options) {
  constexpr std::size_t first = std::size_t{1} << 16;
  const MemoryBudget budget(name, options);
  std::vector<std::byte> bytes;
  std::size_t size = 0;
  while (in.good()) {
    if (size == bytes.size()) {
      const std::size_t larger = std::max(first, 2 * size);
      // While the vector grows, both its memories are there.
      budget.require(static_cast<Index>(larger + size), "the stream");
      bytes.resize(larger);
    }
    in.read(reinterpret_cast<char*>(bytes.data() + size),
            static_cast<std::streamsize>(bytes.size() - size));
    size += static_cast<std::size_t>(in.gcount());
  }
  if (in.bad() || !in.eof()) throw SystemError(name + ": the stream cannot be read");
  bytes.resize(size);
  return bytes;
}

}  // namespace

template <Real T>
Dataset<T> read_dataset(std::span<const std::byte> bytes, const std::string& name,
                        const ReadOptions& options) {
  return read_input<T>(
      Input::memory(name, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}),
      options);
}

template <Real T>
Dataset<T> read_dataset(std::istream& in, const std::string& name, const ReadOptions& options) {
  const std::vector<std::byte> bytes = bytes_of(in, name, options);
  return read_dataset<T>(std::span(bytes), name, options);
}

#define TANDEM_INSTANTIATE(T)                                                      \
  template Dataset<T> read_dataset(std::span<const std::byte>, const std::string&, \
                                   const ReadOptions&);                            \
  template Dataset<T> read_dataset(std::istream&, const std::string&, const ReadOptions&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem

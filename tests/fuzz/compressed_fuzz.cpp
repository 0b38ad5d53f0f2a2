// gzip, bzip2 and raw deflate streams of any bytes, and the detection of the format behind them.
#include <vector>

#include "read_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tandem;
  const Input input = Input::memory("input", {bytes, size});
  // A fixed window: what the stream expands to does not matter to the memory taken.
  const auto drain = [](ByteSource& source) {
    std::vector<char> window(1 << 16);
    std::size_t total = 0;
    while (total < (std::size_t{1} << 24)) {
      const std::size_t got = source.read(window.data(), window.size());
      if (got == 0) return;
      total += got;
    }
  };
  try {
    drain(*input.open());
  } catch (const InputError&) {
  }
  try {
    drain(*inflate_raw(input.open_stored(), "input"));
  } catch (const InputError&) {
  }
  ReadOptions options = fuzz::options_for("auto");
  fuzz::read(bytes, size, options);
  return 0;
}

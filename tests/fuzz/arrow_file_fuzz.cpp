// An Arrow IPC file or stream.
#include "read_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tandem;
  ReadOptions options = fuzz::options_for("arrow");
  fuzz::read(bytes, size, options);
  options.last_column_is_target = true;
  options.reading.dates = DateUse::parts;
  fuzz::read(bytes, size, options);
  return 0;
}

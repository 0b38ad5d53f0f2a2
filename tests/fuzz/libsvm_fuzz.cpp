#include "read_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  tandem::fuzz::read(bytes, size, tandem::fuzz::options_for("libsvm"));
  return 0;
}

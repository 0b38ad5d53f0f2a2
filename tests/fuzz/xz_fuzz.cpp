// xz streams of any bytes, and damaged ones.
#include <lzma.h>

#include "damaged.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  tandem::fuzz::check_stream(bytes, size, [](const std::vector<std::uint8_t>& text) {
    std::vector<std::uint8_t> stream(lzma_stream_buffer_bound(text.size()));
    std::size_t used = 0;
    tandem::fuzz::require(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, nullptr, text.data(),
                                                  text.size(), stream.data(), &used,
                                                  stream.size()) == LZMA_OK);
    stream.resize(used);
    return stream;
  });
  return 0;
}

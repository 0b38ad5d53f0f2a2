// Zstandard frames of any bytes, and damaged ones.
#include <zstd.h>

#include <memory>

#include "damaged.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  tandem::fuzz::check_stream(bytes, size, [](const std::vector<std::uint8_t>& text) {
    const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                       &ZSTD_freeCCtx);
    (void)ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
    std::vector<std::uint8_t> stream(ZSTD_compressBound(text.size()));
    const std::size_t used =
        ZSTD_compress2(context.get(), stream.data(), stream.size(), text.data(), text.size());
    tandem::fuzz::require(ZSTD_isError(used) == 0);
    stream.resize(used);
    return stream;
  });
  return 0;
}

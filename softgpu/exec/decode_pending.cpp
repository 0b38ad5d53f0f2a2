// Families whose files define these give way to nothing where they are left out of a build.
#include "softgpu/exec/decoder.hpp"

namespace softgpu {
__attribute__((weak)) DecodeEntries matrix_decoders() { return {nullptr, 0}; }
__attribute__((weak)) DecodeEntries async_decoders() { return {nullptr, 0}; }
__attribute__((weak)) DecodeEntries texture_decoders() { return {nullptr, 0}; }
__attribute__((weak)) bool convert_small(FunctionDecoder&, const ptx::Instruction&) { return false; }
}  // namespace softgpu

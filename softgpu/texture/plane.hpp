// A texture as the handlers see it that fetch by whole warps: one image of one or two dimensions.
// Plain data: handlers are compiled per instruction set and must not instantiate library templates.
#pragma once

#include <cstddef>
#include <cstdint>

namespace softgpu {

struct Warp;
struct Op;

struct Plane {
  enum class Kind : std::uint8_t { is_signed, is_unsigned, real };
  enum class Mode : std::uint8_t { wrap, clamp, mirror, border };
  const std::byte* data = nullptr;
  std::uint64_t row_bytes = 0;
  std::int32_t extent[2] = {1, 1};  // texels
  Mode mode[2] = {Mode::clamp, Mode::clamp};
  Kind kind = Kind::real;
  std::uint32_t channels = 1;
  std::uint32_t bits = 32;     // of a channel
  std::uint32_t texel = 4;     // bytes
  bool floats = true;          // a fetch gives floats
  bool linear = false;         // the filter, of floats
  bool normalized_at = false;  // coordinates in [0, 1]
};

// The plane of a texture object, kept until forget_planes(); nullptr for a texture that only
// sample() can read. Raises the fault where the handle is no live object or its memory is gone.
const Plane* find_plane(Warp& warp, const Op* op, int lane, std::uint64_t handle);
// Lets go of the textures that this thread looked at: a kernel's end.
void forget_planes();

}  // namespace softgpu

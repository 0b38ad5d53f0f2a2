// Texture and surface objects: images with a sampler, and how threads read and write them.
//
// Sampling follows the CUDA Programming Guide, "Texture Fetching": linear filters weigh with 8 bits
// of fraction (9-bit fixed point, so that 1 is exact). How the hardware rounds a coordinate to
// those bits and in what precision it adds the weighted texels is not documented: here a coordinate
// is rounded to the nearest 256th of a texel and the sum is made in double precision and rounded
// once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace softgpu {

enum class ChannelKind : std::uint8_t { is_signed, is_unsigned, real };

// The format of a texel: one, two or four channels of the same width.
struct TexelFormat {
  ChannelKind kind = ChannelKind::real;
  std::uint8_t channels = 1;
  std::uint8_t bits = 32;   // of a channel: 8, 16 or 32
  bool normalized = false;  // the format itself says [0, 1] or [-1, 1]
  bool srgb = false;

  [[nodiscard]] std::size_t bytes() const { return std::size_t{channels} * bits / 8; }
};

// Texels in memory. A layered image has its layers as slices.
struct Image {
  std::byte* data = nullptr;
  TexelFormat format;
  std::size_t width = 0;   // texels
  std::size_t height = 1;  // at least 1
  std::size_t depth = 1;   // slices, layers or faces, at least 1
  std::size_t row_bytes = 0;
  std::size_t slice_bytes = 0;
  bool foreign = false;  // lies in memory of the program, which may free it
};

enum class AddressMode : std::uint8_t { wrap, clamp, mirror, border };

struct Texture {
  std::vector<Image> levels;    // of a mipmap; one otherwise
  std::shared_ptr<void> owner;  // keeps the texels alive
  AddressMode address[3] = {AddressMode::clamp, AddressMode::clamp, AddressMode::clamp};
  bool linear = false;
  bool linear_between_levels = false;
  bool normalized_coordinates = false;
  bool normalized_values = false;  // integers are read as [0, 1] or [-1, 1]
  bool memory_1d = false;          // linear memory: fetched by whole indices, zero outside
  float border[4] = {0, 0, 0, 0};
  float level_bias = 0;
  float lowest_level = 0;
  float highest_level = 0;
};

struct Surface {
  Image image;
  std::shared_ptr<void> owner;
};

// Objects by handle; a handle of 0 is none.
std::uint64_t add_texture(Texture texture);
std::uint64_t add_surface(Surface surface);
bool remove_texture(std::uint64_t handle);
bool remove_surface(std::uint64_t handle);
[[nodiscard]] std::shared_ptr<const Texture> find_texture(std::uint64_t handle);
[[nodiscard]] std::shared_ptr<const Surface> find_surface(std::uint64_t handle);
// Changes whenever a texture object goes: what is remembered of them is then stale.
[[nodiscard]] std::uint64_t texture_epoch();

// How coordinates are given.
enum class Geometry : std::uint8_t { d1, d2, d3, layered1, layered2, cube, layered_cube };

struct SamplePoint {
  Geometry geometry = Geometry::d1;
  bool whole = false;  // coordinates are texel numbers; no filter
  std::array<float, 3> at{};
  std::array<std::int32_t, 3> texel{};
  std::uint32_t layer = 0;
  float level = 0;  // of a mipmap
};

// Four channels, as the bits of what `tex` returns: floats, or integers extended to 32 bits.
using Channels = std::array<std::uint32_t, 4>;
[[nodiscard]] Channels sample(const Texture& texture, const SamplePoint& point);
// Component `which` of the four texels that a linear filter would use, in tld4's order.
[[nodiscard]] Channels gather(const Texture& texture, const SamplePoint& point, int which);
// True where a fetch gives floats: real channels, or integers read as normalized.
[[nodiscard]] bool gives_floats(const Texture& texture);

// Bytes of a surface at byte `x` of row `y` of slice `z`; nullptr where outside.
[[nodiscard]] std::byte* surface_bytes(const Surface& surface, std::int64_t x, std::int64_t y,
                                       std::int64_t z, std::size_t bytes);

}  // namespace softgpu

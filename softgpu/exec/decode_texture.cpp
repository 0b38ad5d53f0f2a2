// tex, tld4, txq, suld, sust, sured, suq: PTX ISA 9.0, sections 9.7.10 and 9.7.11. Textures are
// objects (unified mode); what a lane reads is computed by softgpu/texture.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "softgpu/check/checked_launch.hpp"
#include "softgpu/exec/decoder.hpp"
#include "softgpu/exec/scalar.hpp"
#include "softgpu/texture/plane.hpp"
#include "softgpu/texture/texture.hpp"

namespace softgpu {
namespace {

using ptx::Operand;

constexpr int error_invalid_texture = 18;
constexpr int error_invalid_surface = 37;
constexpr int error_illegal_address = 700;
constexpr int error_misaligned = 716;
constexpr int error_launch_failure = 719;

// Op::aux of all of these: bits 0-3 the geometry, then what each says.
constexpr std::uint32_t geometry_mask = 15;
constexpr std::uint32_t whole_flag = 1U << 4U;   // coordinates are integers
constexpr std::uint32_t halves_flag = 1U << 5U;  // two registers of two halves
constexpr std::uint32_t level_flag = 1U << 6U;   // a level is given
constexpr std::uint32_t grad_flag = 1U << 7U;    // derivatives are given
constexpr std::uint32_t component_shift = 8;     // of tld4

// Places in Pieces::more.
constexpr std::size_t at_handle = 0;
constexpr std::size_t at_coordinates = 1;
constexpr std::size_t at_layer = 4;
constexpr std::size_t at_level = 5;
constexpr std::size_t at_gradients = 6;
constexpr std::size_t sample_sources = 12;

std::uint32_t lane32(Warp& warp, std::uint32_t slot, int lane) {
  return slot == 0 ? 0 : lanes<std::uint32_t>(warp, slot)[lane];
}
float lane_float(Warp& warp, std::uint32_t slot, int lane) {
  return scalar::bits<float>(lane32(warp, slot, lane));
}

// The object of a handle that lanes usually share.
template <class Object>
class Finder {
 public:
  using Find = std::shared_ptr<const Object> (*)(std::uint64_t);
  Finder(Find find, int error, const char* what) : find_(find), error_(error), what_(what) {}

  const Object& of(Warp& warp, const Op* op, int lane, std::uint64_t handle) {
    if (!object_ || handle != handle_) {
      object_ = find_(handle);
      handle_ = handle;
      if (!object_) {
        raise_fault(warp, op, lane, error_,
                    std::to_string(handle) + " is not a live " + what_ + " object");
      }
      check_memory(warp, op, lane);
    }
    return *object_;
  }
  [[nodiscard]] std::shared_ptr<const Object> keep() const { return object_; }

 private:
  // Linear memory under a texture may be gone.
  void check_memory(Warp& warp, const Op* op, int lane) {
    if constexpr (std::is_same_v<Object, Texture>) {
      const Image& image = object_->levels.front();
      if (!image.foreign) return;
      MemoryRange range;
      const auto begin = reinterpret_cast<std::uint64_t>(image.data);
      const auto end =
          begin + (image.height - 1) * image.row_bytes + image.width * image.format.bytes();
      if (!Memory::instance().find(begin, range) || range.freed || end > range.end) {
        raise_fault(warp, op, lane, error_illegal_address,
                    "the memory under the texture object has been freed");
      }
    }
  }

  Find find_;
  int error_;
  const char* what_;
  std::uint64_t handle_ = 0;
  std::shared_ptr<const Object> object_;
};

// --- whole warps -------------------------------------------------------------------------------

// A texture that a thread's handlers looked at, valid while no texture object and no range of
// memory has gone.
struct KnownPlane {
  std::uint64_t handle = 0;
  std::uint64_t textures = 0;
  std::uint64_t memory = 0;
  std::shared_ptr<const Texture> texture;
  Plane plane;
  bool usable = false;
};
constexpr std::size_t known_planes = 8;  // by handle
// On the heap, as all that is large and a thread's own: some of what this library keeps for a
// thread has to be found in one instruction (counters.cpp), so that all of it comes out of the few
// hundred bytes that a process has for libraries that are loaded while it runs, as Python loads
// this one.
thread_local std::unique_ptr<KnownPlane[]> planes_of_thread;

bool make_plane(const Texture& texture, Plane& plane) {
  const Image& image = texture.levels.front();
  const TexelFormat& format = image.format;
  constexpr std::size_t largest = 0x7fffffff;
  plane.floats = gives_floats(texture);
  // Not here: mipmaps, and what is computed by more than a division.
  const bool strange =
      texture.levels.size() != 1 || format.srgb || image.width > largest ||
      image.height > largest || image.width == 0 || image.height == 0 ||
      (format.kind == ChannelKind::real ? format.bits == 8 : format.bits == 32 && plane.floats);
  if (strange) return false;
  plane.data = image.data;
  plane.row_bytes = image.row_bytes;
  plane.extent[0] = static_cast<std::int32_t>(image.width);
  plane.extent[1] = static_cast<std::int32_t>(image.height);
  for (std::size_t i = 0; i < 2; ++i) {
    switch (texture.address[i]) {
      case AddressMode::wrap: plane.mode[i] = Plane::Mode::wrap; break;
      case AddressMode::clamp: plane.mode[i] = Plane::Mode::clamp; break;
      case AddressMode::mirror: plane.mode[i] = Plane::Mode::mirror; break;
      case AddressMode::border: plane.mode[i] = Plane::Mode::border; break;
    }
  }
  switch (format.kind) {
    case ChannelKind::is_signed: plane.kind = Plane::Kind::is_signed; break;
    case ChannelKind::is_unsigned: plane.kind = Plane::Kind::is_unsigned; break;
    case ChannelKind::real: plane.kind = Plane::Kind::real; break;
  }
  plane.channels = format.channels;
  plane.bits = format.bits;
  plane.texel = static_cast<std::uint32_t>(format.bytes());
  plane.linear = texture.linear && plane.floats;
  plane.normalized_at = texture.normalized_coordinates;
  return true;
}

SamplePoint point_of(Warp& warp, const Op* op, int lane) {
  const std::uint32_t* more = static_cast<const Pieces*>(op->extra)->more;
  SamplePoint point;
  point.geometry = static_cast<Geometry>(op->aux & geometry_mask);
  point.whole = (op->aux & whole_flag) != 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::uint32_t slot = more[at_coordinates + i];
    if (point.whole) {
      point.texel[i] = static_cast<std::int32_t>(lane32(warp, slot, lane));
    } else {
      point.at[i] = lane_float(warp, slot, lane);
    }
  }
  point.layer = lane32(warp, more[at_layer], lane);
  if ((op->aux & level_flag) != 0) {
    const std::uint32_t level = lane32(warp, more[at_level], lane);
    point.level = point.whole ? static_cast<float>(static_cast<std::int32_t>(level))
                              : scalar::bits<float>(level);
  }
  return point;
}

// The level of detail of derivatives: log2 of the longer side of a pixel's footprint, in texels.
float level_of_gradients(Warp& warp, const Op* op, int lane, const Texture& texture) {
  const std::uint32_t* more = static_cast<const Pieces*>(op->extra)->more;
  const Image& image = texture.levels.front();
  const bool normalized = texture.normalized_coordinates;
  const double extents[3] = {normalized ? static_cast<double>(image.width) : 1,
                             normalized ? static_cast<double>(image.height) : 1,
                             normalized ? static_cast<double>(image.depth) : 1};
  double longest = 0;
  for (std::size_t side = 0; side < 2; ++side) {
    double square = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      const double d =
          static_cast<double>(lane_float(warp, more[at_gradients + 3 * side + i], lane)) *
          extents[i];
      square += d * d;
    }
    longest = std::max(longest, square);
  }
  return longest > 0 ? static_cast<float>(0.5 * std::log2(longest)) : -126.0F;
}

void give_channels(Warp& warp, const Op* op, int lane, const Channels& channels) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const bool halves = (op->aux & halves_flag) != 0;
  for (std::uint32_t i = 0; i < pieces.count; ++i) {
    if (pieces.slots[i] == 0) continue;
    std::uint32_t value = channels[i & 3U];
    if (halves) {
      const auto low = scalar::bits<float>(channels[2 * i & 3U]);
      const auto high = scalar::bits<float>(channels[(2 * i + 1) & 3U]);
      value = scalar::float_to_half(low) | scalar::float_to_half(high) << 16U;
    }
    lanes<std::uint32_t>(warp, pieces.slots[i])[lane] = value;
  }
}

void fetch_texture(Warp& warp, const Op* op, std::uint32_t mask) {
  const std::uint32_t* more = static_cast<const Pieces*>(op->extra)->more;
  Finder<Texture> textures(find_texture, error_invalid_texture, "texture");
  for (int l = 0; l < warp_size; ++l) {
    if (((mask >> l) & 1U) == 0) continue;
    const Texture& texture =
        textures.of(warp, op, l, lanes<std::uint64_t>(warp, more[at_handle])[l]);
    SamplePoint point = point_of(warp, op, l);
    if ((op->aux & grad_flag) != 0) point.level = level_of_gradients(warp, op, l, texture);
    if (point.whole) {
      // The layer is a whole number as it is.
      if (point.geometry == Geometry::layered1 || point.geometry == Geometry::layered2) {
        const auto last = static_cast<std::uint32_t>(texture.levels.front().depth - 1);
        point.texel[2] = static_cast<std::int32_t>(std::min(point.layer, last));
      }
    }
    give_channels(warp, op, l, sample(texture, point));
  }
}

void gather_texture(Warp& warp, const Op* op, std::uint32_t mask) {
  const std::uint32_t* more = static_cast<const Pieces*>(op->extra)->more;
  Finder<Texture> textures(find_texture, error_invalid_texture, "texture");
  for (int l = 0; l < warp_size; ++l) {
    if (((mask >> l) & 1U) == 0) continue;
    const Texture& texture =
        textures.of(warp, op, l, lanes<std::uint64_t>(warp, more[at_handle])[l]);
    const int component = static_cast<int>(op->aux >> component_shift & 3U);
    give_channels(warp, op, l, gather(texture, point_of(warp, op, l), component));
  }
}

// --- queries ------------------------------------------------------------------------------------

constexpr std::string_view query_names[] = {
    "width",
    "height",
    "depth",
    "channel_data_type",
    "channel_order",
    "normalized_coords",
    "num_mipmap_levels",
    "array_size",
    "num_samples",
    "force_unnormalized_coords",
    "filter_mode",
    "addr_mode_0",
    "addr_mode_1",
    "addr_mode_2",
    "memory_layout",
};

std::uint32_t answer(const Image& image, const Texture* texture, std::size_t query) {
  switch (query) {
    case 0: return static_cast<std::uint32_t>(image.width);
    case 1: return static_cast<std::uint32_t>(image.height);
    case 2: return static_cast<std::uint32_t>(image.depth);
    case 3: return 0;
    case 4: return 0;
    case 5: return texture != nullptr && texture->normalized_coordinates ? 1 : 0;
    case 6: return texture != nullptr ? static_cast<std::uint32_t>(texture->levels.size()) : 1;
    case 7: return static_cast<std::uint32_t>(image.depth);
    case 8: return 1;
    case 9: return texture != nullptr && !texture->normalized_coordinates ? 1 : 0;
    case 10: return texture != nullptr && texture->linear ? 1 : 0;
    case 11:
    case 12:
    case 13:
      return texture != nullptr ? static_cast<std::uint32_t>(texture->address[query - 11]) : 0;
    default: return 0;
  }
}

// aux: the query; Pieces::more: handle, level.
void query_texture(Warp& warp, const Op* op, std::uint32_t mask) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  Finder<Texture> textures(find_texture, error_invalid_texture, "texture");
  for (int l = 0; l < warp_size; ++l) {
    if (((mask >> l) & 1U) == 0) continue;
    const Texture& texture =
        textures.of(warp, op, l, lanes<std::uint64_t>(warp, pieces.more[0])[l]);
    const std::size_t level =
        std::min<std::size_t>(lane32(warp, pieces.more[1], l), texture.levels.size() - 1);
    if (pieces.slots[0] != 0) {
      lanes<std::uint32_t>(warp, pieces.slots[0])[l] =
          answer(texture.levels[level], &texture, op->aux);
    }
  }
}
void query_surface(Warp& warp, const Op* op, std::uint32_t mask) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  Finder<Surface> surfaces(find_surface, error_invalid_surface, "surface");
  for (int l = 0; l < warp_size; ++l) {
    if (((mask >> l) & 1U) == 0) continue;
    const Surface& surface =
        surfaces.of(warp, op, l, lanes<std::uint64_t>(warp, pieces.more[0])[l]);
    if (pieces.slots[0] != 0) {
      lanes<std::uint32_t>(warp, pieces.slots[0])[l] = answer(surface.image, nullptr, op->aux);
    }
  }
}

// --- surfaces -----------------------------------------------------------------------------------

// aux: bits 0-3 geometry, 4-5 what to do outside, 8-15 bytes of a value, 16 formatted (sust.p),
// 20-23 operation of sured, 24 signed.
constexpr std::uint32_t outside_trap = 0;
constexpr std::uint32_t outside_clamp = 1;
constexpr std::uint32_t formatted_flag = 1U << 16U;

enum class SurfaceOperation : std::uint32_t { add, min, max, bit_and, bit_or };

// Bytes of `bytes` at a lane's coordinates; nullptr where outside and nothing is to happen.
std::byte* surface_place(Warp& warp, const Op* op, int lane, const Surface& surface,
                         std::size_t bytes) {
  const std::uint32_t* more = static_cast<const Pieces*>(op->extra)->more;
  const Image& image = surface.image;
  std::int64_t x = static_cast<std::int32_t>(lane32(warp, more[at_coordinates], lane));
  std::int64_t y = static_cast<std::int32_t>(lane32(warp, more[at_coordinates + 1], lane));
  std::int64_t z = static_cast<std::int32_t>(lane32(warp, more[at_coordinates + 2], lane));
  const auto geometry = static_cast<Geometry>(op->aux & geometry_mask);
  if (geometry == Geometry::layered1 || geometry == Geometry::layered2) {
    z = static_cast<std::int32_t>(lane32(warp, more[at_layer], lane));
  }
  const std::size_t texel = image.format.bytes();
  if ((op->aux & formatted_flag) != 0) x *= static_cast<std::int64_t>(texel);
  if (static_cast<std::uint64_t>(x) % bytes != 0) {
    raise_fault(warp, op, lane, error_misaligned,
                "surface coordinate " + std::to_string(x) + " is not a multiple of " +
                    std::to_string(bytes) + " bytes");
  }
  std::byte* place = surface_bytes(surface, x, y, z, bytes);
  if (place != nullptr) return place;
  const std::uint32_t outside = op->aux >> 4U & 3U;
  if (outside == outside_trap) {
    raise_fault(warp, op, lane, error_launch_failure,
                "surface access at byte " + std::to_string(x) + " of row " + std::to_string(y) +
                    " of slice " + std::to_string(z) + ", beyond " +
                    std::to_string(image.width * texel) + " bytes by " +
                    std::to_string(image.height) + " rows by " + std::to_string(image.depth));
  }
  if (outside == outside_clamp) {
    const auto row = static_cast<std::int64_t>(image.width * texel);
    const auto size = static_cast<std::int64_t>(bytes);
    if (row < size) return nullptr;
    x = std::clamp<std::int64_t>(x, 0, (row - size) / size * size);
    y = std::clamp<std::int64_t>(y, 0, static_cast<std::int64_t>(image.height) - 1);
    z = std::clamp<std::int64_t>(z, 0, static_cast<std::int64_t>(image.depth) - 1);
    return surface_bytes(surface, x, y, z, bytes);
  }
  return nullptr;
}

void load_surface(Warp& warp, const Op* op, std::uint32_t mask) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  Finder<Surface> surfaces(find_surface, error_invalid_surface, "surface");
  const std::size_t size = op->aux >> 8U & 0xffU;
  for (int l = 0; l < warp_size; ++l) {
    if (((mask >> l) & 1U) == 0) continue;
    const Surface& surface =
        surfaces.of(warp, op, l, lanes<std::uint64_t>(warp, pieces.more[at_handle])[l]);
    const std::byte* p = surface_place(warp, op, l, surface, size * pieces.count);
    for (std::uint32_t i = 0; i < pieces.count; ++i) {
      std::uint64_t value = 0;
      if (p != nullptr) std::memcpy(&value, p + i * size, size);
      if (pieces.slots[i] == 0) continue;
      if (size == 8) {
        lanes<std::uint64_t>(warp, pieces.slots[i])[l] = value;
      } else {
        lanes<std::uint32_t>(warp, pieces.slots[i])[l] = static_cast<std::uint32_t>(value);
      }
    }
  }
}

// A value of 32 bits as a channel of the surface's format.
void store_channel(const TexelFormat& format, std::byte* to, std::uint32_t value) {
  if (format.kind == ChannelKind::real && format.bits == 16) {
    value = scalar::float_to_half(scalar::bits<float>(value));
  }
  std::memcpy(to, &value, format.bits / 8U);
}

void store_surface(Warp& warp, const Op* op, std::uint32_t mask) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  Finder<Surface> surfaces(find_surface, error_invalid_surface, "surface");
  const std::size_t size = op->aux >> 8U & 0xffU;
  for (int l = 0; l < warp_size; ++l) {
    if (((mask >> l) & 1U) == 0) continue;
    const Surface& surface =
        surfaces.of(warp, op, l, lanes<std::uint64_t>(warp, pieces.more[at_handle])[l]);
    const TexelFormat& format = surface.image.format;
    const bool formatted = (op->aux & formatted_flag) != 0;
    std::byte* p =
        surface_place(warp, op, l, surface, formatted ? format.bytes() : size * pieces.count);
    if (p == nullptr) continue;
    if (warp.state != nullptr) {
      check::written_by_surface(p, formatted ? format.bytes() : size * pieces.count);
    }
    if (formatted) {
      for (std::uint32_t i = 0; i < format.channels; ++i) {
        store_channel(format, p + i * format.bits / 8U,
                      i < pieces.count ? lane32(warp, pieces.slots[i], l) : 0);
      }
      continue;
    }
    for (std::uint32_t i = 0; i < pieces.count; ++i) {
      const std::uint64_t value = size == 8 ? lanes<std::uint64_t>(warp, pieces.slots[i])[l]
                                            : lanes<std::uint32_t>(warp, pieces.slots[i])[l];
      std::memcpy(p + i * size, &value, size);
    }
  }
}

template <class T>
void reduce_place(std::byte* place, T value, SurfaceOperation operation) {
  auto* p = reinterpret_cast<T*>(place);
  T old = __atomic_load_n(p, __ATOMIC_ACQUIRE);
  for (;;) {
    T next = old;
    using U = std::make_unsigned_t<T>;
    switch (operation) {
      case SurfaceOperation::add:
        next = static_cast<T>(static_cast<U>(old) + static_cast<U>(value));
        break;
      case SurfaceOperation::min: next = std::min(old, value); break;
      case SurfaceOperation::max: next = std::max(old, value); break;
      case SurfaceOperation::bit_and: next = old & value; break;
      case SurfaceOperation::bit_or: next = old | value; break;
    }
    if (__atomic_compare_exchange_n(p, &old, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
      return;
    }
  }
}

void reduce_surface(Warp& warp, const Op* op, std::uint32_t mask) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  Finder<Surface> surfaces(find_surface, error_invalid_surface, "surface");
  const std::size_t size = op->aux >> 8U & 0xffU;
  const auto operation = static_cast<SurfaceOperation>(op->aux >> 20U & 15U);
  const bool is_signed = (op->aux >> 24U & 1U) != 0;
  for (int l = 0; l < warp_size; ++l) {
    if (((mask >> l) & 1U) == 0) continue;
    const Surface& surface =
        surfaces.of(warp, op, l, lanes<std::uint64_t>(warp, pieces.more[at_handle])[l]);
    std::byte* p = surface_place(warp, op, l, surface, size);
    if (p == nullptr) continue;
    if (size == 8) {
      const std::uint64_t value = lanes<std::uint64_t>(warp, pieces.slots[0])[l];
      if (is_signed) {
        reduce_place(p, static_cast<std::int64_t>(value), operation);
      } else {
        reduce_place(p, value, operation);
      }
    } else {
      const std::uint32_t value = lanes<std::uint32_t>(warp, pieces.slots[0])[l];
      if (is_signed) {
        reduce_place(p, static_cast<std::int32_t>(value), operation);
      } else {
        reduce_place(p, value, operation);
      }
    }
  }
}

// --- decoding -----------------------------------------------------------------------------------

std::optional<Geometry> geometry_of(const ptx::Instruction& in) {
  struct Name {
    std::string_view name;
    Geometry geometry;
  };
  static constexpr Name names[] = {
      {"1d", Geometry::d1},
      {"2d", Geometry::d2},
      {"3d", Geometry::d3},
      {"a1d", Geometry::layered1},
      {"a2d", Geometry::layered2},
      {"cube", Geometry::cube},
      {"acube", Geometry::layered_cube},
  };
  for (const auto& word : in.modifiers) {
    for (const auto& known : names) {
      if (word == known.name) return known.geometry;
    }
  }
  return std::nullopt;
}

std::vector<const Operand*> items_of(const Operand& operand) {
  std::vector<const Operand*> all;
  if (operand.kind == Operand::Kind::vector) {
    for (const auto& item : operand.items) all.push_back(&item);
  } else {
    all.push_back(&operand);
  }
  return all;
}

using Service = void (*)(Warp&, const Op*, std::uint32_t);

// The last operation accesses a texture or a surface.
void touches_texels(FunctionDecoder& to) {
  Touch touch;
  touch.uncounted = true;
  to.touches(touch);
}

void emit_service(FunctionDecoder& to, Operation operation, Service service, std::uint32_t aux,
                  std::vector<std::uint32_t> slots, std::vector<std::uint32_t> more) {
  to.emit(operation, {.aux = aux, .imm = reinterpret_cast<std::int64_t>(service)});
  to.attach(std::move(slots), std::move(more));
  touches_texels(to);
}

// Handle, coordinates and layer of the operand in brackets, into their places.
bool read_place(FunctionDecoder& to, const ptx::Instruction& in, const Operand& operand,
                Geometry geometry, std::vector<std::uint32_t>& more) {
  if (operand.kind != Operand::Kind::address || operand.items.size() < 2) {
    to.fail(in.text() + ": expected [object, coordinates]");
  }
  if (operand.items.size() > 2) {
    to.unsupported("textures with a separate sampler (independent mode) do not come from CUDA");
    return false;
  }
  more[at_handle] = to.source(operand.items[0], 8);
  const auto coordinates = items_of(operand.items[1]);
  std::size_t next = 0;
  const bool layered = geometry == Geometry::layered1 || geometry == Geometry::layered2 ||
                       geometry == Geometry::layered_cube;
  if (layered) more[at_layer] = to.source(*coordinates[next++], 4);
  const std::size_t count = geometry == Geometry::d1 || geometry == Geometry::layered1   ? 1
                            : geometry == Geometry::d2 || geometry == Geometry::layered2 ? 2
                                                                                         : 3;
  if (coordinates.size() < next + count) to.fail(in.text() + " needs more coordinates");
  for (std::size_t i = 0; i < count; ++i) {
    more[at_coordinates + i] = to.source(*coordinates[next + i], 4);
  }
  return true;
}

void need(FunctionDecoder& to, const ptx::Instruction& in, std::size_t operands) {
  if (in.operands.size() < operands) {
    to.fail(in.text() + " needs " + std::to_string(operands) + " operands");
  }
}

std::vector<std::string_view> types_of(const ptx::Instruction& in) {
  std::vector<std::string_view> types;
  for (const auto& word : in.modifiers) {
    if (word == "f32" || word == "s32" || word == "u32" || word == "f16" || word == "f16x2") {
      types.push_back(word);
    }
  }
  return types;
}

void decode_tex(FunctionDecoder& to, const ptx::Instruction& in) {
  need(to, in, 2);
  const auto geometry = geometry_of(in);
  const auto types = types_of(in);
  if (!geometry) return to.unsupported("no multisample textures");
  if (types.size() != 2) to.fail("malformed " + in.text());
  std::vector<std::uint32_t> more(sample_sources, 0);
  if (!read_place(to, in, in.operands[1], *geometry, more)) return;
  auto aux = static_cast<std::uint32_t>(*geometry);
  if (types[1] == "s32") aux |= whole_flag;
  if (types[0] == "f16x2") aux |= halves_flag;
  std::size_t next = 2;
  if (in.has("level")) {
    need(to, in, next + 1);
    more[at_level] = to.source(in.operands[next++], 4);
    aux |= level_flag;
  } else if (in.has("grad")) {
    need(to, in, next + 2);
    for (std::size_t side = 0; side < 2; ++side) {
      const auto gradient = items_of(in.operands[next++]);
      for (std::size_t i = 0; i < std::min<std::size_t>(gradient.size(), 3); ++i) {
        more[at_gradients + 3 * side + i] = to.source(*gradient[i], 4);
      }
    }
    aux |= grad_flag;
  }
  if (in.operands.size() > next) {
    return to.unsupported("texel offsets and depth comparison do not come from CUDA");
  }
  std::vector<std::uint32_t> slots;
  for (const auto* item : items_of(in.operands[0])) slots.push_back(to.destination(*item, 4));
  if (slots.size() > 4) to.fail(in.text() + ": at most four destinations");
  if (in.operands[0].second) {
    // This destination says that the texels are resident, which they always are.
    const std::uint32_t p = to.predicate_destination(*in.operands[0].second);
    if (p != 0) to.emit(Operation::pred_mov, {.d = p, .a = to.constant_predicate(true)});
  }
  if ((*geometry == Geometry::d1 || *geometry == Geometry::d2) && types[0] != "f16x2") {
    emit_service(to, Operation::tex, fetch_texture, aux, std::move(slots), std::move(more));
  } else {
    emit_service(to, Operation::texels_read, fetch_texture, aux, std::move(slots), std::move(more));
  }
  to.approximated();
}

void decode_tld4(FunctionDecoder& to, const ptx::Instruction& in) {
  need(to, in, 2);
  const auto geometry = geometry_of(in);
  const auto types = types_of(in);
  if (!geometry || types.size() != 2 || in.modifiers.empty()) to.fail("malformed " + in.text());
  std::vector<std::uint32_t> more(sample_sources, 0);
  if (!read_place(to, in, in.operands[1], *geometry, more)) return;
  if (in.operands.size() > 2) {
    return to.unsupported("texel offsets and depth comparison do not come from CUDA");
  }
  const std::string& component = in.modifiers[0];
  const std::uint32_t which = component == "g"   ? 1
                              : component == "b" ? 2
                              : component == "a" ? 3
                                                 : 0;
  std::vector<std::uint32_t> slots;
  for (const auto* item : items_of(in.operands[0])) slots.push_back(to.destination(*item, 4));
  if (slots.size() > 4) to.fail(in.text() + ": at most four destinations");
  emit_service(to, Operation::texels_read, gather_texture,
               static_cast<std::uint32_t>(*geometry) | which << component_shift, std::move(slots),
               std::move(more));
}

void decode_query(FunctionDecoder& to, const ptx::Instruction& in) {
  need(to, in, 2);
  std::size_t query = std::size(query_names);
  for (const auto& word : in.modifiers) {
    const auto* found = std::find(std::begin(query_names), std::end(query_names), word);
    if (found != std::end(query_names)) {
      query = static_cast<std::size_t>(found - std::begin(query_names));
    }
  }
  if (query == std::size(query_names)) to.fail("unknown query " + in.text());
  if (in.operands[1].kind != Operand::Kind::address || in.operands[1].items.empty()) {
    to.fail(in.text() + ": expected [object]");
  }
  std::vector<std::uint32_t> more(2, 0);
  more[0] = to.source(in.operands[1].items[0], 8);
  if (in.has("level") && in.operands.size() > 2) more[1] = to.source(in.operands[2], 4);
  std::vector<std::uint32_t> slots{to.destination(in.operands[0], 4)};
  emit_service(to, Operation::texels_read, in.opcode == "suq" ? query_surface : query_texture,
               static_cast<std::uint32_t>(query), std::move(slots), std::move(more));
  to.touches({});  // it asks for a size, not for a texel
}

// A surface instruction's last word (.trap, .clamp, .zero): how it treats accesses outside.
std::uint32_t outside_of(const ptx::Instruction& in) {
  if (in.has("clamp")) return outside_clamp;
  return in.has("zero") ? 2 : outside_trap;
}

int size_of_value(const ptx::Instruction& in) {
  for (const auto& word : in.modifiers) {
    if (word == "b8" || word == "u8" || word == "s8") return 1;
    if (word == "b16" || word == "u16" || word == "s16") return 2;
    if (word == "b32" || word == "u32" || word == "s32" || word == "f32") return 4;
    if (word == "b64" || word == "u64" || word == "s64") return 8;
  }
  return 0;
}

void decode_surface(FunctionDecoder& to, const ptx::Instruction& in) {
  need(to, in, 2);
  const auto geometry = geometry_of(in);
  const int size = size_of_value(in);
  if (!geometry || size == 0 || *geometry == Geometry::cube ||
      *geometry == Geometry::layered_cube) {
    to.fail("malformed " + in.text());
  }
  const bool load = in.opcode == "suld";
  const Operand& place = in.operands[load ? 1 : 0];
  const Operand& value = in.operands[load ? 0 : 1];
  std::vector<std::uint32_t> more(sample_sources, 0);
  if (!read_place(to, in, place, *geometry, more)) return;
  std::uint32_t aux = static_cast<std::uint32_t>(*geometry) | outside_of(in) << 4U |
                      static_cast<std::uint32_t>(size) << 8U;
  if (in.has("p")) {
    if (in.opcode != "sust") return to.unsupported("formatted access exists for sust only");
    aux |= formatted_flag;
  }
  const int lane = size == 8 ? 8 : 4;
  std::vector<std::uint32_t> slots;
  for (const auto* item : items_of(value)) {
    slots.push_back(load ? to.destination(*item, lane) : to.source(*item, lane));
  }
  if (slots.size() > 4) to.fail(in.text() + ": at most four values");
  if (in.opcode == "sured") {
    std::uint32_t operation = 0;
    if (in.has("min")) operation = 1;
    if (in.has("max")) operation = 2;
    if (in.has("and")) operation = 3;
    if (in.has("or")) operation = 4;
    if (size < 4) to.fail("malformed " + in.text());
    aux |= operation << 20U;
    if (in.has("s32") || in.has("s64")) aux |= 1U << 24U;
  }
  emit_service(to, load ? Operation::texels_read : Operation::texels_written,
               load                  ? load_surface
               : in.opcode == "sust" ? store_surface
                                     : reduce_surface,
               aux, std::move(slots), std::move(more));
}

constexpr DecodeEntry texture_decode_table[] = {
    {"tex", decode_tex},       {"tld4", decode_tld4},    {"txq", decode_query},
    {"suq", decode_query},     {"suld", decode_surface}, {"sust", decode_surface},
    {"sured", decode_surface},
};

}  // namespace

const Plane* find_plane(Warp& warp, const Op* op, int lane, std::uint64_t handle) {
  if (!planes_of_thread) planes_of_thread = std::make_unique<KnownPlane[]>(known_planes);
  KnownPlane& known = planes_of_thread[handle % known_planes];
  // Read before the object is: what goes after that is noticed the next time.
  const std::uint64_t textures = texture_epoch();
  const std::uint64_t memory = Memory::instance().epoch();
  if (known.handle != handle || known.textures != textures || known.memory != memory ||
      !known.texture) {
    known.texture = nullptr;
    Finder<Texture> finder(find_texture, error_invalid_texture, "texture");
    known.usable = make_plane(finder.of(warp, op, lane, handle), known.plane);
    known.texture = finder.keep();
    known.handle = handle;
    known.textures = textures;
    known.memory = memory;
  }
  return known.usable ? &known.plane : nullptr;
}

void forget_planes() {
  for (std::size_t i = 0; planes_of_thread && i < known_planes; ++i) {
    planes_of_thread[i] = KnownPlane{};
  }
}

DecodeEntries texture_decoders() {
  return {texture_decode_table, sizeof(texture_decode_table) / sizeof(texture_decode_table[0])};
}

}  // namespace softgpu

#include "softgpu/texture/texture.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "softgpu/exec/scalar.hpp"

namespace softgpu {

namespace {

template <class Object>
class Registry {
 public:
  std::uint64_t add(Object object) {
    const std::unique_lock lock(mutex_);
    objects_[++last_] = std::make_shared<const Object>(std::move(object));
    return last_;
  }
  bool remove(std::uint64_t handle) {
    const std::unique_lock lock(mutex_);
    epoch_.fetch_add(1, std::memory_order_release);
    return objects_.erase(handle) != 0;
  }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }
  std::shared_ptr<const Object> find(std::uint64_t handle) const {
    const std::shared_lock lock(mutex_);
    const auto found = objects_.find(handle);
    return found == objects_.end() ? nullptr : found->second;
  }

 private:
  mutable std::shared_mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<const Object>> objects_;
  std::uint64_t last_ = 0;
  std::atomic<std::uint64_t> epoch_{1};
};

Registry<Texture>& textures() {
  static auto* all = new Registry<Texture>;  // outlives every static of the program
  return *all;
}
Registry<Surface>& surfaces() {
  static auto* all = new Registry<Surface>;
  return *all;
}

// std::floor of what is far from overflowing: a call, on a processor without SSE4.1, that costs
// more than all the rest of a fetch.
inline std::int64_t floor_of(double x) {
  const auto whole = static_cast<std::int64_t>(x);
  return whole - (static_cast<double>(whole) > x ? 1 : 0);
}

// The texels that one axis of a coordinate names: one, or two with the weight of the second. −1
// stands for the border.
struct Axis {
  std::int64_t first = 0;
  std::int64_t second = 0;
  double weight = 0;
};

inline std::int64_t place(std::int64_t i, std::int64_t size, AddressMode mode) {
  if (i >= 0 && i < size) return i;
  switch (mode) {
    case AddressMode::wrap: return ((i % size) + size) % size;
    case AddressMode::clamp: return std::clamp<std::int64_t>(i, 0, size - 1);
    case AddressMode::mirror: {
      const std::int64_t period = 2 * size;
      const std::int64_t within = ((i % period) + period) % period;
      return within < size ? within : period - 1 - within;
    }
    default: return -1;
  }
}

inline Axis axis_of(double coordinate, std::size_t extent, AddressMode mode, bool normalized,
                    bool linear) {
  const auto size = static_cast<std::int64_t>(extent);
  // Wrapping and mirroring exist for normalized coordinates only.
  if (!normalized && (mode == AddressMode::wrap || mode == AddressMode::mirror)) {
    mode = AddressMode::clamp;
  }
  double x = std::isnan(coordinate) ? 0 : coordinate;
  if (normalized) {
    if (!std::isfinite(x)) x = mode == AddressMode::wrap || mode == AddressMode::mirror ? 0 : x;
    if (mode == AddressMode::wrap) x -= std::floor(x);
    if (mode == AddressMode::mirror) x -= 2 * std::floor(x / 2);
    x *= static_cast<double>(extent);
  }
  x = std::clamp(x, -0x1p40, 0x1p40);
  Axis axis;
  if (!linear) {
    axis.first = place(floor_of(x), size, mode);
    axis.second = axis.first;
    return axis;
  }
  const std::int64_t steps = floor_of((x - 0.5) * 256 + 0.5);
  const std::int64_t first = steps >> 8;
  axis.weight = static_cast<double>(steps & 255) / 256;
  axis.first = place(first, size, mode);
  axis.second = place(first + 1, size, mode);
  return axis;
}

double linear_from_srgb(double x) {
  return x <= 0.04045 ? x / 12.92 : std::pow((x + 0.055) / 1.055, 2.4);
}

// Channels as they lie in memory, extended to 32 bits; halves as floats.
inline Channels raw_texel(const Image& image, std::int64_t x, std::int64_t y, std::int64_t z) {
  const std::byte* p = image.data + static_cast<std::size_t>(z) * image.slice_bytes +
                       static_cast<std::size_t>(y) * image.row_bytes +
                       static_cast<std::size_t>(x) * image.format.bytes();
  Channels c{};
  for (std::size_t i = 0; i < image.format.channels; ++i) {
    switch (image.format.bits) {
      case 8: {
        const auto v = static_cast<std::uint8_t>(p[i]);
        c[i] = image.format.kind == ChannelKind::is_signed
                   ? static_cast<std::uint32_t>(std::int32_t{static_cast<std::int8_t>(v)})
                   : v;
        break;
      }
      case 16: {
        std::uint16_t v = 0;
        std::memcpy(&v, p + 2 * i, 2);
        c[i] = v;
        if (image.format.kind == ChannelKind::is_signed) {
          c[i] = static_cast<std::uint32_t>(std::int32_t{static_cast<std::int16_t>(v)});
        } else if (image.format.kind == ChannelKind::real) {
          c[i] = std::bit_cast<std::uint32_t>(scalar::half_to_float(v));
        }
        break;
      }
      default: std::memcpy(&c[i], p + 4 * i, 4);
    }
  }
  return c;
}

inline double real_channel(const TexelFormat& format, std::uint32_t raw, std::size_t channel) {
  if (format.kind == ChannelKind::real) return std::bit_cast<float>(raw);
  if (format.kind == ChannelKind::is_unsigned) {
    const double x = raw / (format.bits == 8 ? 255.0 : format.bits == 16 ? 65535.0 : 4294967295.0);
    return format.srgb && channel < 3 ? linear_from_srgb(x) : x;
  }
  const double x = static_cast<std::int32_t>(raw);
  return std::max(-1.0, x / (format.bits == 8    ? 127.0
                             : format.bits == 16 ? 32767.0
                                                 : 2147483647.0));
}

std::uint32_t float_bits(double x) { return std::bit_cast<std::uint32_t>(static_cast<float>(x)); }

// Channels that a format lacks: nothing, and one for the fourth.
inline void fill_missing(const TexelFormat& format, bool floats, Channels& c) {
  for (std::size_t i = format.channels; i < 4; ++i) {
    c[i] = i < 3 ? 0U : floats ? float_bits(1.0) : 1U;
  }
}

// A position in an image: coordinates in its plane, and the slice.
struct Position {
  std::array<double, 3> at{};
  std::size_t dimensions = 1;
  std::int64_t slice = 0;  // layer or face
};

// Face and coordinates in [0, 1] of a direction, as the CUDA Programming Guide's table "Cubemap
// Fetch" has it.
void face_of(const std::array<float, 3>& direction, std::int64_t& face, double& s, double& t) {
  const double x = direction[0];
  const double y = direction[1];
  const double z = direction[2];
  double m = 0;
  if (std::abs(x) >= std::abs(y) && std::abs(x) >= std::abs(z)) {
    face = x >= 0 ? 0 : 1;
    m = std::abs(x);
    s = x >= 0 ? -z : z;
    t = -y;
  } else if (std::abs(y) >= std::abs(z)) {
    face = y >= 0 ? 2 : 3;
    m = std::abs(y);
    s = x;
    t = y >= 0 ? z : -z;
  } else {
    face = z >= 0 ? 4 : 5;
    m = std::abs(z);
    s = z >= 0 ? x : -x;
    t = -y;
  }
  if (!(m > 0)) m = 1;
  s = (s / m + 1) / 2;
  t = (t / m + 1) / 2;
}

Position position_of(const Image& image, const SamplePoint& point) {
  Position p;
  for (std::size_t i = 0; i < 3; ++i) p.at[i] = point.at[i];
  const auto last = static_cast<std::int64_t>(image.depth) - 1;
  switch (point.geometry) {
    case Geometry::d1: break;
    case Geometry::d2: p.dimensions = 2; break;
    case Geometry::d3: p.dimensions = 3; break;
    case Geometry::layered1: p.slice = std::min<std::int64_t>(point.layer, last); break;
    case Geometry::layered2:
      p.dimensions = 2;
      p.slice = std::min<std::int64_t>(point.layer, last);
      break;
    case Geometry::cube:
    case Geometry::layered_cube: {
      p.dimensions = 2;
      std::int64_t face = 0;
      face_of(point.at, face, p.at[0], p.at[1]);
      const std::int64_t cubes = std::max<std::int64_t>((last + 1) / 6, 1);
      const std::int64_t cube =
          point.geometry == Geometry::cube ? 0 : std::min<std::int64_t>(point.layer, cubes - 1);
      p.slice = std::min(6 * cube + face, last);
      break;
    }
  }
  return p;
}

bool is_cube(Geometry geometry) {
  return geometry == Geometry::cube || geometry == Geometry::layered_cube;
}

// All axes of a position.
std::array<Axis, 3> axes_of(const Texture& texture, const Image& image, const SamplePoint& point,
                            const Position& p, bool linear) {
  std::array<Axis, 3> axes{};
  const std::size_t extents[3] = {image.width, image.height, image.depth};
  for (std::size_t i = 0; i < p.dimensions; ++i) {
    const bool cube = is_cube(point.geometry);
    axes[i] = axis_of(p.at[i], extents[i], cube ? AddressMode::clamp : texture.address[i],
                      cube || texture.normalized_coordinates, linear);
  }
  if (p.dimensions < 3) axes[2].first = axes[2].second = p.slice;
  return axes;
}

Channels sample_image(const Texture& texture, const Image& image, const SamplePoint& point) {
  const bool floats = gives_floats(texture);
  const TexelFormat& format = image.format;
  Channels result{};
  if (point.whole) {
    const bool outside =
        point.texel[0] < 0 || static_cast<std::size_t>(point.texel[0]) >= image.width ||
        point.texel[1] < 0 || static_cast<std::size_t>(point.texel[1]) >= image.height ||
        point.texel[2] < 0 || static_cast<std::size_t>(point.texel[2]) >= image.depth;
    if (outside) return result;
    result = raw_texel(image, point.texel[0], point.texel[1], point.texel[2]);
    if (floats) {
      for (std::size_t c = 0; c < format.channels; ++c) {
        result[c] = float_bits(real_channel(format, result[c], c));
      }
    }
    fill_missing(format, floats, result);
    return result;
  }
  const Position p = position_of(image, point);
  const bool linear = texture.linear && floats;
  const auto axes = axes_of(texture, image, point, p, linear);
  if (!linear) {
    if (axes[0].first < 0 || axes[1].first < 0 || axes[2].first < 0) {
      for (std::size_t c = 0; c < 4; ++c) {
        result[c] = floats ? float_bits(texture.border[c])
                           : static_cast<std::uint32_t>(static_cast<std::int64_t>(std::clamp(
                                 static_cast<double>(texture.border[c]), -0x1p31, 0x1p31)));
      }
      return result;
    }
    result = raw_texel(image, axes[0].first, axes[1].first, axes[2].first);
    if (floats) {
      for (std::size_t c = 0; c < format.channels; ++c) {
        result[c] = float_bits(real_channel(format, result[c], c));
      }
    }
    fill_missing(format, floats, result);
    return result;
  }
  double sum[4] = {0, 0, 0, 0};
  for (unsigned corner = 0; corner < (1U << p.dimensions); ++corner) {
    std::int64_t at[3] = {0, 0, axes[2].first};
    double weight = 1;
    for (std::size_t i = 0; i < p.dimensions; ++i) {
      const bool second = ((corner >> i) & 1U) != 0;
      at[i] = second ? axes[i].second : axes[i].first;
      weight *= second ? axes[i].weight : 1 - axes[i].weight;
    }
    // A texel that has no weight must not spoil the sum with an infinity.
    if (weight == 0) continue;
    if (at[0] < 0 || at[1] < 0 || at[2] < 0) {
      for (std::size_t c = 0; c < 4; ++c) sum[c] += weight * static_cast<double>(texture.border[c]);
      continue;
    }
    const Channels raw = raw_texel(image, at[0], at[1], at[2]);
    for (std::size_t c = 0; c < format.channels; ++c) {
      sum[c] += weight * real_channel(format, raw[c], c);
    }
  }
  for (std::size_t c = 0; c < format.channels; ++c) result[c] = float_bits(sum[c]);
  fill_missing(format, true, result);
  return result;
}

// The value of sample() for a plane of floats with one channel, read through a point or linear
// filter: most of what programs read. False where it is something else, or leads outside.
inline bool sample_plane(const Texture& texture, const SamplePoint& point, Channels& result) {
  const Image& image = texture.levels.front();
  const TexelFormat& format = image.format;
  if (point.whole || format.channels != 1 || format.bits != 32 ||
      format.kind != ChannelKind::real || texture.levels.size() != 1) {
    return false;
  }
  if (point.geometry != Geometry::d2 && point.geometry != Geometry::d1) return false;
  const bool two = point.geometry == Geometry::d2;
  const bool normalized = texture.normalized_coordinates;
  const bool linear = texture.linear;
  const Axis x = axis_of(static_cast<double>(point.at[0]), image.width, texture.address[0],
                         normalized, linear);
  Axis y;
  if (two) {
    y = axis_of(static_cast<double>(point.at[1]), image.height, texture.address[1], normalized,
                linear);
  }
  if (x.first < 0 || x.second < 0 || y.first < 0 || y.second < 0) return false;
  const auto texel = [&](std::int64_t column, std::int64_t row) {
    float value = 0;
    std::memcpy(&value,
                image.data + static_cast<std::size_t>(row) * image.row_bytes +
                    static_cast<std::size_t>(column) * sizeof value,
                sizeof value);
    return value;
  };
  result = {0, 0, 0, float_bits(1.0)};
  if (!linear) {
    result[0] = std::bit_cast<std::uint32_t>(texel(x.first, y.first));
    return true;
  }
  double sum = 0;
  for (unsigned corner = 0; corner < (two ? 4U : 2U); ++corner) {
    const bool right = (corner & 1U) != 0;
    const bool below = (corner & 2U) != 0;
    double weight = right ? x.weight : 1 - x.weight;
    if (two) weight *= below ? y.weight : 1 - y.weight;
    if (weight == 0) continue;
    sum +=
        weight * static_cast<double>(texel(right ? x.second : x.first, below ? y.second : y.first));
  }
  result[0] = float_bits(sum);
  return true;
}

}  // namespace

std::uint64_t add_texture(Texture texture) { return textures().add(std::move(texture)); }
std::uint64_t add_surface(Surface surface) { return surfaces().add(std::move(surface)); }
bool remove_texture(std::uint64_t handle) { return textures().remove(handle); }
bool remove_surface(std::uint64_t handle) { return surfaces().remove(handle); }
std::shared_ptr<const Texture> find_texture(std::uint64_t handle) {
  return textures().find(handle);
}
std::shared_ptr<const Surface> find_surface(std::uint64_t handle) {
  return surfaces().find(handle);
}

std::uint64_t texture_epoch() { return textures().epoch(); }

bool gives_floats(const Texture& texture) {
  const TexelFormat& format = texture.levels.front().format;
  return format.kind == ChannelKind::real || format.normalized || texture.normalized_values;
}

Channels sample(const Texture& texture, const SamplePoint& point) {
  if (Channels result; sample_plane(texture, point, result)) return result;
  const auto last = static_cast<double>(texture.levels.size() - 1);
  if (texture.levels.size() == 1) return sample_image(texture, texture.levels.front(), point);
  double level = std::isnan(point.level) ? 0 : static_cast<double>(point.level);
  if (!point.whole) {
    level = std::clamp(level + static_cast<double>(texture.level_bias),
                       static_cast<double>(texture.lowest_level),
                       std::max(static_cast<double>(texture.lowest_level),
                                static_cast<double>(texture.highest_level)));
  }
  level = std::clamp(level, 0.0, last);
  if (point.whole || !texture.linear_between_levels || !gives_floats(texture)) {
    const auto nearest = static_cast<std::size_t>(std::floor(level + 0.5));
    return sample_image(texture, texture.levels[std::min(nearest, texture.levels.size() - 1)],
                        point);
  }
  const double steps = std::floor(level * 256 + 0.5);
  const auto first = static_cast<std::size_t>(std::floor(steps / 256));
  const double weight = (steps - static_cast<double>(first) * 256) / 256;
  const Channels low = sample_image(texture, texture.levels[first], point);
  if (weight == 0) return low;
  const Channels high = sample_image(texture, texture.levels[first + 1], point);
  Channels result{};
  for (std::size_t c = 0; c < 4; ++c) {
    result[c] = float_bits((1 - weight) * static_cast<double>(std::bit_cast<float>(low[c])) +
                           weight * static_cast<double>(std::bit_cast<float>(high[c])));
  }
  return result;
}

Channels gather(const Texture& texture, const SamplePoint& point, int which) {
  const Image& image = texture.levels.front();
  const auto channel = static_cast<std::size_t>(which & 3);
  const bool floats = gives_floats(texture);
  const Position p = position_of(image, point);
  const auto axes = axes_of(texture, image, point, p, true);
  const std::int64_t x[4] = {axes[0].first, axes[0].second, axes[0].second, axes[0].first};
  const std::int64_t y[4] = {axes[1].second, axes[1].second, axes[1].first, axes[1].first};
  Channels result{};
  for (std::size_t i = 0; i < 4; ++i) {
    if (x[i] < 0 || y[i] < 0) {
      result[i] = floats ? float_bits(texture.border[channel]) : 0;
      continue;
    }
    Channels c = raw_texel(image, x[i], y[i], axes[2].first);
    if (floats && channel < image.format.channels) {
      c[channel] = float_bits(real_channel(image.format, c[channel], channel));
    }
    fill_missing(image.format, floats, c);
    result[i] = c[channel];
  }
  return result;
}

std::byte* surface_bytes(const Surface& surface, std::int64_t x, std::int64_t y, std::int64_t z,
                         std::size_t bytes) {
  const Image& image = surface.image;
  const std::size_t row = image.width * image.format.bytes();
  if (x < 0 || y < 0 || z < 0 || static_cast<std::size_t>(x) + bytes > row ||
      static_cast<std::size_t>(y) >= image.height || static_cast<std::size_t>(z) >= image.depth) {
    return nullptr;
  }
  return image.data + static_cast<std::size_t>(z) * image.slice_bytes +
         static_cast<std::size_t>(y) * image.row_bytes + static_cast<std::size_t>(x);
}

}  // namespace softgpu

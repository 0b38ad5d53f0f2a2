// CUDA arrays, texture and surface objects: the interface over softgpu/texture.
#include "softgpu/texture/texture.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "softgpu/check/allocations.hpp"
#include "softgpu/device/options.hpp"
#include "softgpu/memory/memory.hpp"
#include "softgpu/runtime/array.hpp"
#include "softgpu/runtime/cuda_functions.hpp"
#include "softgpu/runtime/state.hpp"
#include "softgpu/runtime/task.hpp"

namespace softgpu::cuda {

namespace {

constexpr std::size_t pitch_multiple = 32;  // texturePitchAlignment
constexpr std::size_t most_bytes = std::size_t{1} << 40;

// The object that a cudaArray_t points to.
struct Array {
  cudaChannelFormatDesc format{};
  cudaExtent extent{};  // as it was asked for: zeros where there is no such dimension
  unsigned flags = 0;
  int device = 0;
  bool level = false;  // of a mipmap, which frees it
  Image image;
  std::shared_ptr<void> memory;
};

// The object that a cudaMipmappedArray_t points to.
struct Mipmap {
  std::vector<std::unique_ptr<Array>> levels;
};

struct TextureDescription {
  cudaResourceDesc resource{};
  cudaTextureDesc texture{};
  std::optional<cudaResourceViewDesc> view;
};

struct Objects {
  std::mutex mutex;
  std::map<const void*, std::unique_ptr<Array>> arrays;
  std::map<const void*, const Array*> levels;
  std::map<const void*, std::unique_ptr<Mipmap>> mipmaps;
  std::map<cudaTextureObject_t, TextureDescription> textures;
  std::map<cudaSurfaceObject_t, cudaResourceDesc> surfaces;
};
Objects& objects() {
  static auto* all = new Objects;  // outlives every static of the program
  return *all;
}

// The array of a handle; the caller holds the mutex.
const Array& find_array(const void* handle) {
  Objects& all = objects();
  if (const auto found = all.arrays.find(handle); found != all.arrays.end()) return *found->second;
  const auto level = all.levels.find(handle);
  require(level != all.levels.end(), cudaErrorInvalidResourceHandle,
          "the array is not one, or was freed");
  return *level->second;
}

// What a texture object was made of.
TextureDescription described(cudaTextureObject_t texture) {
  const std::scoped_lock lock(objects().mutex);
  const auto found = objects().textures.find(texture);
  require(found != objects().textures.end(), "the texture object is not one, or was destroyed");
  return found->second;
}

TexelFormat texel_format(const cudaChannelFormatDesc& d) {
  TexelFormat format;
  const int bits[4] = {d.x, d.y, d.z, d.w};
  std::uint8_t channels = 0;
  while (channels < 4 && bits[channels] != 0) ++channels;
  for (int i = 0; i < 4; ++i) {
    require(bits[i] == (i < channels ? bits[0] : 0), cudaErrorInvalidChannelDescriptor,
            "the channels that there are have to have the same number of bits");
  }
  require(channels == 1 || channels == 2 || channels == 4, cudaErrorInvalidChannelDescriptor,
          "an array has 1, 2 or 4 channels");
  require(bits[0] == 8 || bits[0] == 16 || bits[0] == 32, cudaErrorInvalidChannelDescriptor,
          "a channel has 8, 16 or 32 bits");
  format.channels = channels;
  format.bits = static_cast<std::uint8_t>(bits[0]);
  if (d.f == cudaChannelFormatKindSigned) {
    format.kind = ChannelKind::is_signed;
  } else if (d.f == cudaChannelFormatKindUnsigned) {
    format.kind = ChannelKind::is_unsigned;
  } else if (d.f == cudaChannelFormatKindFloat) {
    format.kind = ChannelKind::real;
    require(bits[0] != 8, cudaErrorInvalidChannelDescriptor,
            "a channel of floating point has 16 or 32 bits");
  } else if (d.f >= cudaChannelFormatKindUnsignedNormalized8X1 &&
             d.f <= cudaChannelFormatKindUnsignedNormalized16X4) {
    format.kind = ChannelKind::is_unsigned;
    format.normalized = true;
  } else if (d.f >= cudaChannelFormatKindSignedNormalized8X1 &&
             d.f <= cudaChannelFormatKindSignedNormalized16X4) {
    format.kind = ChannelKind::is_signed;
    format.normalized = true;
  } else {
    throw ApiError(cudaErrorNotSupported,
                   "textures of this channel format (block-compressed, NV12) are not supported");
  }
  return format;
}

std::unique_ptr<Array> make_array(const cudaChannelFormatDesc& format, const cudaExtent& extent,
                                  unsigned flags) {
  constexpr unsigned known =
      cudaArrayLayered | cudaArraySurfaceLoadStore | cudaArrayCubemap | cudaArrayTextureGather;
  require((flags & ~known) == 0,
          "flags has bits that no array flag has, or that the software GPU does not know (sparse "
          "arrays)");
  require(extent.width != 0, "the width is 0");
  const bool layered = (flags & cudaArrayLayered) != 0;
  if ((flags & cudaArrayCubemap) != 0) {
    require(extent.width == extent.height, "the faces of a cube map have to be square");
    require(extent.depth != 0, "the depth is 0");
    require(
        layered ? extent.depth % 6 == 0 : extent.depth == 6,
        "a cube map has 6 faces: its depth has to be 6, or a multiple of it where it is layered");
  } else {
    // A depth without a height has a meaning for layers only.
    require(extent.depth == 0 || extent.height != 0 || layered,
            "a depth without a height makes sense for layered arrays only");
    require(!layered || extent.depth != 0, "a layered array needs a depth: its number of layers");
  }
  auto array = std::make_unique<Array>();
  array->format = format;
  array->extent = extent;
  array->flags = flags;
  array->device = thread().device;
  Image& image = array->image;
  image.format = texel_format(format);
  image.width = extent.width;
  image.height = std::max<std::size_t>(extent.height, 1);
  image.depth = std::max<std::size_t>(extent.depth, 1);
  std::size_t bytes = 0;
  require(!__builtin_mul_overflow(image.width, image.format.bytes(), &image.row_bytes) &&
              !__builtin_mul_overflow(image.row_bytes, image.height, &image.slice_bytes) &&
              !__builtin_mul_overflow(image.slice_bytes, image.depth, &bytes),
          "the array is larger than any memory");
  require(bytes <= most_bytes, cudaErrorMemoryAllocation,
          "the array is larger than any device's memory");
  current_device().used = true;
  void* memory = Memory::instance().allocate(bytes, MemoryKind::device, array->device, 512);
  require(memory != nullptr, cudaErrorMemoryAllocation, "the system has no memory left");
  array->memory = std::shared_ptr<void>(memory, [](void* p) { Memory::instance().release(p); });
  image.data = static_cast<std::byte*>(memory);
  return array;
}

cudaArray_t keep_array(std::unique_ptr<Array> array) {
  auto* handle = reinterpret_cast<cudaArray_t>(array.get());
  const std::scoped_lock lock(objects().mutex);
  objects().arrays[array.get()] = std::move(array);
  return handle;
}

// --- copies -------------------------------------------------------------------------------------

struct Place {
  std::size_t element = 0;  // bytes of one
  std::size_t row = 0;      // bytes of a row
  std::size_t rows = 0;
};
Place place_in(cudaArray_const_t array) {
  const std::scoped_lock lock(objects().mutex);
  const Array& found = find_array(array);
  return {found.image.format.bytes(), found.image.row_bytes, found.image.height};
}

// A rectangle of `width` bytes by `height` rows at byte `x` of row `y`.
cudaMemcpy3DParms rectangle(std::size_t element, std::size_t width, std::size_t height,
                            cudaMemcpyKind kind) {
  require(width % element == 0, "the width in bytes is not a multiple of the array's element");
  cudaMemcpy3DParms copy{};
  copy.extent = {width / element, height, 1};
  copy.kind = kind;
  return copy;
}
cudaMemcpy3DParms to_array(cudaArray_t to, std::size_t x, std::size_t y, const void* from,
                           std::size_t pitch, std::size_t width, std::size_t height,
                           cudaMemcpyKind kind) {
  const Place place = place_in(to);
  require(x % place.element == 0, "the offset in bytes is not a multiple of the array's element");
  cudaMemcpy3DParms copy = rectangle(place.element, width, height, kind);
  copy.dstArray = to;
  copy.dstPos = {x / place.element, y, 0};
  copy.srcPtr = {const_cast<void*>(from), pitch, width, height};
  return copy;
}
cudaMemcpy3DParms from_array(void* to, std::size_t pitch, cudaArray_const_t from, std::size_t x,
                             std::size_t y, std::size_t width, std::size_t height,
                             cudaMemcpyKind kind) {
  const Place place = place_in(from);
  require(x % place.element == 0, "the offset in bytes is not a multiple of the array's element");
  cudaMemcpy3DParms copy = rectangle(place.element, width, height, kind);
  copy.srcArray = const_cast<cudaArray_t>(from);
  copy.srcPos = {x / place.element, y, 0};
  copy.dstPtr = {to, pitch, width, height};
  return copy;
}

// How a prepared copy is carried out.
struct Carrier {
  bool async = false;
  bool per_thread = false;
  cudaStream_t stream = nullptr;

  void operator()(const cudaMemcpy3DParms& copy) const {
    const cudaError_t result = async
                                   ? (per_thread ? cudaMemcpy3DAsync_ptsz(&copy, stream)
                                                 : cudaMemcpy3DAsync(&copy, stream))
                                   : (per_thread ? cudaMemcpy3D_ptds(&copy) : cudaMemcpy3D(&copy));
    require(result == cudaSuccess, result);
  }
};

// `count` bytes from byte `x` of row `y` on, row after row.
template <class Copy>
void copy_run(const Place& place, std::size_t x, std::size_t y, std::size_t count, Copy&& copy) {
  require(x < place.row || count == 0, "the copy begins beyond the end of a row of the array");
  std::size_t done = 0;
  while (done < count) {
    require(y < place.rows, "the copy goes beyond the last row of the array");
    const std::size_t part = std::min(count - done, place.row - x);
    copy(x, y, done, part);
    done += part;
    x = 0;
    ++y;
  }
}

cudaError_t copy_to_array(cudaArray_t to, std::size_t x, std::size_t y, const void* from,
                          std::size_t count, cudaMemcpyKind kind, const Carrier& carry) {
  return device_api([&] {
    copy_run(place_in(to), x, y, count,
             [&](std::size_t at_x, std::size_t at_y, std::size_t done, std::size_t part) {
               carry(to_array(to, at_x, at_y, static_cast<const std::byte*>(from) + done, part,
                              part, 1, kind));
             });
    return cudaSuccess;
  });
}
cudaError_t copy_from_array(void* to, cudaArray_const_t from, std::size_t x, std::size_t y,
                            std::size_t count, cudaMemcpyKind kind, const Carrier& carry) {
  return device_api([&] {
    copy_run(place_in(from), x, y, count,
             [&](std::size_t at_x, std::size_t at_y, std::size_t done, std::size_t part) {
               carry(from_array(static_cast<std::byte*>(to) + done, part, from, at_x, at_y, part, 1,
                                kind));
             });
    return cudaSuccess;
  });
}
cudaError_t copy_between(cudaArray_t to, std::size_t to_x, std::size_t to_y, cudaArray_const_t from,
                         std::size_t from_x, std::size_t from_y, std::size_t width,
                         std::size_t height, cudaMemcpyKind kind, const Carrier& carry) {
  const Place place = place_in(from);
  require(place_in(to).element == place.element, "the two arrays have elements of different size");
  require(to_x % place.element == 0 && from_x % place.element == 0,
          "the offset in bytes is not a multiple of the array's element");
  cudaMemcpy3DParms copy = rectangle(place.element, width, height, kind);
  copy.srcArray = const_cast<cudaArray_t>(from);
  copy.srcPos = {from_x / place.element, from_y, 0};
  copy.dstArray = to;
  copy.dstPos = {to_x / place.element, to_y, 0};
  carry(copy);
  return cudaSuccess;
}
cudaError_t copy_run_between(cudaArray_t to, std::size_t to_x, std::size_t to_y,
                             cudaArray_const_t from, std::size_t from_x, std::size_t from_y,
                             std::size_t count, cudaMemcpyKind kind, const Carrier& carry) {
  return device_api([&] {
    const Place target = place_in(to);
    copy_run(place_in(from), from_x, from_y, count,
             [&](std::size_t x, std::size_t y, std::size_t, std::size_t part) {
               copy_run(
                   target, to_x, to_y, part,
                   [&](std::size_t at_x, std::size_t at_y, std::size_t inner, std::size_t piece) {
                     copy_between(to, at_x, at_y, from, x + inner, y, piece, 1, kind, carry);
                   });
               to_y += (to_x + part) / target.row;
               to_x = (to_x + part) % target.row;
             });
    return cudaSuccess;
  });
}

// --- objects ------------------------------------------------------------------------------------

AddressMode address_mode(cudaTextureAddressMode mode) {
  require(mode >= cudaAddressModeWrap && mode <= cudaAddressModeBorder,
          "there is no address mode of this number");
  return static_cast<AddressMode>(mode);
}

// Texels in memory that the program allocated.
Image foreign_image(void* address, const cudaChannelFormatDesc& format) {
  Image image;
  image.format = texel_format(format);
  image.data = static_cast<std::byte*>(address);
  image.foreign = true;
  MemoryRange range;
  require_pointer(address, "address");
  require(Memory::instance().find(reinterpret_cast<std::uint64_t>(address), range),
          "the address is not in memory of the device");
  require(!range.freed, "the memory was freed");
  return image;
}

Texture make_texture(const cudaResourceDesc& resource, const cudaTextureDesc& description) {
  Texture texture;
  switch (resource.resType) {
    case cudaResourceTypeArray: {
      const std::scoped_lock lock(objects().mutex);
      const Array& array = find_array(resource.res.array.array);
      texture.levels.push_back(array.image);
      texture.owner = array.memory;
      break;
    }
    case cudaResourceTypeMipmappedArray: {
      const std::scoped_lock lock(objects().mutex);
      const auto found = objects().mipmaps.find(resource.res.mipmap.mipmap);
      require(found != objects().mipmaps.end(), cudaErrorInvalidResourceHandle,
              "the mipmapped array is not one, or was freed");
      auto owners = std::make_shared<std::vector<std::shared_ptr<void>>>();
      for (const auto& level : found->second->levels) {
        texture.levels.push_back(level->image);
        owners->push_back(level->memory);
      }
      texture.owner = owners;
      break;
    }
    case cudaResourceTypeLinear: {
      const auto& linear = resource.res.linear;
      Image image = foreign_image(linear.devPtr, linear.desc);
      image.width = linear.sizeInBytes / image.format.bytes();
      require(image.width != 0, "the width is 0, or less than an element");
      image.row_bytes = image.slice_bytes = linear.sizeInBytes;
      texture.levels.push_back(image);
      texture.memory_1d = true;
      break;
    }
    case cudaResourceTypePitch2D: {
      const auto& pitched = resource.res.pitch2D;
      Image image = foreign_image(pitched.devPtr, pitched.desc);
      image.width = pitched.width;
      image.height = pitched.height;
      image.row_bytes = pitched.pitchInBytes;
      require(image.width != 0, "the width is 0, or less than an element");
      require(image.height != 0, "the height is 0");
      require(image.height <= most_bytes, "the height is larger than any memory");
      require(image.width <= most_bytes, "the width is larger than any memory");
      require(pitched.pitchInBytes % pitch_multiple == 0,
              "pitchInBytes has to be a multiple of texturePitchAlignment (32)");
      require(image.width * image.format.bytes() <= pitched.pitchInBytes,
              "pitchInBytes is less than a row of elements");
      image.slice_bytes = image.row_bytes * image.height;
      texture.levels.push_back(image);
      break;
    }
    default: throw ApiError(cudaErrorInvalidValue, "there is no resource of this type");
  }
  for (int i = 0; i < 3; ++i) texture.address[i] = address_mode(description.addressMode[i]);
  const TexelFormat& format = texture.levels.front().format;
  const bool integers = format.kind != ChannelKind::real && !format.normalized;
  texture.normalized_coordinates = description.normalizedCoords != 0;
  texture.normalized_values = description.readMode == cudaReadModeNormalizedFloat && integers;
  require(!texture.normalized_values || format.bits <= 16, cudaErrorInvalidNormSetting,
          "cudaReadModeNormalizedFloat is for integers of 8 and 16 bits");
  texture.linear = description.filterMode == cudaFilterModeLinear;
  require(!texture.linear || gives_floats(texture), cudaErrorInvalidFilterSetting,
          "linear filtering is for textures that give floats: of floating point, or with "
          "cudaReadModeNormalizedFloat");
  texture.linear_between_levels = description.mipmapFilterMode == cudaFilterModeLinear;
  for (int i = 0; i < 4; ++i) texture.border[i] = description.borderColor[i];
  texture.level_bias = description.mipmapLevelBias;
  texture.lowest_level = description.minMipmapLevelClamp;
  texture.highest_level = description.maxMipmapLevelClamp;
  if (description.sRGB != 0) {
    for (auto& level : texture.levels) {
      level.format.srgb = format.bits == 8 && format.kind == ChannelKind::is_unsigned;
    }
  }
  return texture;
}

}  // namespace

bool view_array(cudaArray_const_t handle, ArrayView& view) {
  const std::scoped_lock lock(objects().mutex);
  Objects& all = objects();
  if (!all.arrays.contains(handle) && !all.levels.contains(handle)) return false;
  const Array& array = find_array(handle);
  view.data = array.image.data;
  view.element_bytes = array.image.format.bytes();
  view.row_bytes = array.image.row_bytes;
  view.slice_bytes = array.image.slice_bytes;
  view.width = array.image.width;
  view.height = array.image.height;
  view.depth = array.image.depth;
  return true;
}

extern "C" {

// --- arrays -------------------------------------------------------------------------------------

cudaChannelFormatDesc cudaCreateChannelDesc(int x, int y, int z, int w, cudaChannelFormatKind f) {
  return {x, y, z, w, f};
}

cudaError_t cudaMallocArray(cudaArray_t* out, const cudaChannelFormatDesc* format,
                            std::size_t width, std::size_t height, unsigned flags) {
  return device_api([&] {
    require_pointer(out, "out");
    require_pointer(format, "format");
    require((flags & cudaArrayLayered) == 0, "layered arrays are made by cudaMalloc3DArray");
    require((flags & cudaArrayCubemap) == 0, "cube maps are made by cudaMalloc3DArray");
    *out = keep_array(make_array(*format, {width, height, 0}, flags));
    return cudaSuccess;
  });
}

cudaError_t cudaMalloc3DArray(cudaArray_t* out, const cudaChannelFormatDesc* format,
                              cudaExtent extent, unsigned flags) {
  return device_api([&] {
    require_pointer(out, "out");
    require_pointer(format, "format");
    *out = keep_array(make_array(*format, extent, flags));
    return cudaSuccess;
  });
}

cudaError_t cudaFreeArray(cudaArray_t array) {
  return device_api([&] {
    if (array == nullptr) return cudaSuccess;
    wait_for_device(thread().device);
    const std::scoped_lock lock(objects().mutex);
    const auto found = objects().arrays.find(array);
    require(found != objects().arrays.end(), cudaErrorInvalidResourceHandle,
            "the array is not one, was freed, or is a level of a mipmapped array");
    // A texture that is left keeps the memory.
    if (options().check) {
      check::given_back(reinterpret_cast<std::uint64_t>(found->second->memory.get()));
    }
    objects().arrays.erase(found);
    return cudaSuccess;
  });
}

cudaError_t cudaMallocMipmappedArray(cudaMipmappedArray_t* out, const cudaChannelFormatDesc* format,
                                     cudaExtent extent, unsigned levels, unsigned flags) {
  return device_api([&] {
    require_pointer(out, "out");
    require_pointer(format, "format");
    require(levels != 0, "the number of levels is 0");
    const bool layered = (flags & (cudaArrayLayered | cudaArrayCubemap)) != 0;
    auto mipmap = std::make_unique<Mipmap>();
    std::size_t longest = std::max({extent.width, extent.height, layered ? 0 : extent.depth});
    unsigned most = 1;
    while (longest > 1) {
      longest /= 2;
      ++most;
    }
    levels = std::min(levels, most);
    const auto half = [](std::size_t x) { return x == 0 ? 0 : std::max<std::size_t>(x / 2, 1); };
    for (unsigned i = 0; i < levels; ++i) {
      mipmap->levels.push_back(make_array(*format, extent, flags));
      mipmap->levels.back()->level = true;
      extent = {half(extent.width), half(extent.height),
                layered ? extent.depth : half(extent.depth)};
    }
    auto* handle = mipmap.get();
    const std::scoped_lock lock(objects().mutex);
    for (const auto& level : mipmap->levels) objects().levels[level.get()] = level.get();
    objects().mipmaps[handle] = std::move(mipmap);
    *out = reinterpret_cast<cudaMipmappedArray_t>(handle);
    return cudaSuccess;
  });
}

cudaError_t cudaGetMipmappedArrayLevel(cudaArray_t* out, cudaMipmappedArray_const_t mipmap,
                                       unsigned level) {
  return device_api([&] {
    require_pointer(out, "out");
    const std::scoped_lock lock(objects().mutex);
    const auto found = objects().mipmaps.find(mipmap);
    require(found != objects().mipmaps.end(), cudaErrorInvalidResourceHandle,
            "the mipmapped array is not one, or was freed");
    require(level < found->second->levels.size(), "the mipmapped array has fewer levels");
    *out = reinterpret_cast<cudaArray_t>(found->second->levels[level].get());
    return cudaSuccess;
  });
}

cudaError_t cudaFreeMipmappedArray(cudaMipmappedArray_t mipmap) {
  return device_api([&] {
    if (mipmap == nullptr) return cudaSuccess;
    wait_for_device(thread().device);
    const std::scoped_lock lock(objects().mutex);
    const auto found = objects().mipmaps.find(mipmap);
    require(found != objects().mipmaps.end(), cudaErrorInvalidResourceHandle,
            "the mipmapped array is not one, or was freed");
    for (const auto& level : found->second->levels) objects().levels.erase(level.get());
    objects().mipmaps.erase(found);
    return cudaSuccess;
  });
}

cudaError_t cudaGetChannelDesc(cudaChannelFormatDesc* out, cudaArray_const_t array) {
  return device_api([&] {
    require_pointer(out, "out");
    const std::scoped_lock lock(objects().mutex);
    *out = find_array(array).format;
    return cudaSuccess;
  });
}

cudaError_t cudaArrayGetInfo(cudaChannelFormatDesc* format, cudaExtent* extent, unsigned* flags,
                             cudaArray_t array) {
  return device_api([&] {
    const std::scoped_lock lock(objects().mutex);
    const Array& found = find_array(array);
    if (format != nullptr) *format = found.format;
    if (extent != nullptr) *extent = found.extent;
    if (flags != nullptr) *flags = found.flags;
    return cudaSuccess;
  });
}

cudaError_t cudaArrayGetMemoryRequirements(cudaArrayMemoryRequirements* out, cudaArray_t array,
                                           int index) {
  return device_api([&] {
    require_pointer(out, "out");
    static_cast<void>(device(index));
    const std::scoped_lock lock(objects().mutex);
    const Array& found = find_array(array);
    *out = {};
    out->size = found.image.slice_bytes * found.image.depth;
    out->alignment = 512;
    return cudaSuccess;
  });
}

// --- copies -------------------------------------------------------------------------------------

cudaError_t cudaMemcpy2DToArray(cudaArray_t to, std::size_t x, std::size_t y, const void* from,
                                std::size_t pitch, std::size_t width, std::size_t height,
                                cudaMemcpyKind kind) {
  return device_api([&] {
    Carrier{}(to_array(to, x, y, from, pitch, width, height, kind));
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpy2DToArray_ptds(cudaArray_t to, std::size_t x, std::size_t y, const void* from,
                                     std::size_t pitch, std::size_t width, std::size_t height,
                                     cudaMemcpyKind kind) {
  return device_api([&] {
    Carrier{false, true, nullptr}(to_array(to, x, y, from, pitch, width, height, kind));
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpy2DToArrayAsync(cudaArray_t to, std::size_t x, std::size_t y, const void* from,
                                     std::size_t pitch, std::size_t width, std::size_t height,
                                     cudaMemcpyKind kind, cudaStream_t stream) {
  return device_api([&] {
    Carrier{true, false, stream}(to_array(to, x, y, from, pitch, width, height, kind));
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpy2DToArrayAsync_ptsz(cudaArray_t to, std::size_t x, std::size_t y,
                                          const void* from, std::size_t pitch, std::size_t width,
                                          std::size_t height, cudaMemcpyKind kind,
                                          cudaStream_t stream) {
  return device_api([&] {
    Carrier{true, true, stream}(to_array(to, x, y, from, pitch, width, height, kind));
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpy2DFromArray(void* to, std::size_t pitch, cudaArray_const_t from,
                                  std::size_t x, std::size_t y, std::size_t width,
                                  std::size_t height, cudaMemcpyKind kind) {
  return device_api([&] {
    Carrier{}(from_array(to, pitch, from, x, y, width, height, kind));
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpy2DFromArray_ptds(void* to, std::size_t pitch, cudaArray_const_t from,
                                       std::size_t x, std::size_t y, std::size_t width,
                                       std::size_t height, cudaMemcpyKind kind) {
  return device_api([&] {
    Carrier{false, true, nullptr}(from_array(to, pitch, from, x, y, width, height, kind));
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpy2DFromArrayAsync(void* to, std::size_t pitch, cudaArray_const_t from,
                                       std::size_t x, std::size_t y, std::size_t width,
                                       std::size_t height, cudaMemcpyKind kind,
                                       cudaStream_t stream) {
  return device_api([&] {
    Carrier{true, false, stream}(from_array(to, pitch, from, x, y, width, height, kind));
    return cudaSuccess;
  });
}
cudaError_t cudaMemcpy2DFromArrayAsync_ptsz(void* to, std::size_t pitch, cudaArray_const_t from,
                                            std::size_t x, std::size_t y, std::size_t width,
                                            std::size_t height, cudaMemcpyKind kind,
                                            cudaStream_t stream) {
  return device_api([&] {
    Carrier{true, true, stream}(from_array(to, pitch, from, x, y, width, height, kind));
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpy2DArrayToArray(cudaArray_t to, std::size_t to_x, std::size_t to_y,
                                     cudaArray_const_t from, std::size_t from_x, std::size_t from_y,
                                     std::size_t width, std::size_t height, cudaMemcpyKind kind) {
  return device_api([&] {
    return copy_between(to, to_x, to_y, from, from_x, from_y, width, height, kind, Carrier{});
  });
}
cudaError_t cudaMemcpy2DArrayToArray_ptds(cudaArray_t to, std::size_t to_x, std::size_t to_y,
                                          cudaArray_const_t from, std::size_t from_x,
                                          std::size_t from_y, std::size_t width, std::size_t height,
                                          cudaMemcpyKind kind) {
  return device_api([&] {
    return copy_between(to, to_x, to_y, from, from_x, from_y, width, height, kind,
                        Carrier{false, true, nullptr});
  });
}

cudaError_t cudaMemcpyToArray(cudaArray_t to, std::size_t x, std::size_t y, const void* from,
                              std::size_t count, cudaMemcpyKind kind) {
  return copy_to_array(to, x, y, from, count, kind, Carrier{});
}
cudaError_t cudaMemcpyToArray_ptds(cudaArray_t to, std::size_t x, std::size_t y, const void* from,
                                   std::size_t count, cudaMemcpyKind kind) {
  return copy_to_array(to, x, y, from, count, kind, Carrier{false, true, nullptr});
}
cudaError_t cudaMemcpyToArrayAsync(cudaArray_t to, std::size_t x, std::size_t y, const void* from,
                                   std::size_t count, cudaMemcpyKind kind, cudaStream_t stream) {
  return copy_to_array(to, x, y, from, count, kind, Carrier{true, false, stream});
}
cudaError_t cudaMemcpyToArrayAsync_ptsz(cudaArray_t to, std::size_t x, std::size_t y,
                                        const void* from, std::size_t count, cudaMemcpyKind kind,
                                        cudaStream_t stream) {
  return copy_to_array(to, x, y, from, count, kind, Carrier{true, true, stream});
}
cudaError_t cudaMemcpyFromArray(void* to, cudaArray_const_t from, std::size_t x, std::size_t y,
                                std::size_t count, cudaMemcpyKind kind) {
  return copy_from_array(to, from, x, y, count, kind, Carrier{});
}
cudaError_t cudaMemcpyFromArray_ptds(void* to, cudaArray_const_t from, std::size_t x, std::size_t y,
                                     std::size_t count, cudaMemcpyKind kind) {
  return copy_from_array(to, from, x, y, count, kind, Carrier{false, true, nullptr});
}
cudaError_t cudaMemcpyFromArrayAsync(void* to, cudaArray_const_t from, std::size_t x, std::size_t y,
                                     std::size_t count, cudaMemcpyKind kind, cudaStream_t stream) {
  return copy_from_array(to, from, x, y, count, kind, Carrier{true, false, stream});
}
cudaError_t cudaMemcpyFromArrayAsync_ptsz(void* to, cudaArray_const_t from, std::size_t x,
                                          std::size_t y, std::size_t count, cudaMemcpyKind kind,
                                          cudaStream_t stream) {
  return copy_from_array(to, from, x, y, count, kind, Carrier{true, true, stream});
}
cudaError_t cudaMemcpyArrayToArray(cudaArray_t to, std::size_t to_x, std::size_t to_y,
                                   cudaArray_const_t from, std::size_t from_x, std::size_t from_y,
                                   std::size_t count, cudaMemcpyKind kind) {
  return copy_run_between(to, to_x, to_y, from, from_x, from_y, count, kind, Carrier{});
}
cudaError_t cudaMemcpyArrayToArray_ptds(cudaArray_t to, std::size_t to_x, std::size_t to_y,
                                        cudaArray_const_t from, std::size_t from_x,
                                        std::size_t from_y, std::size_t count,
                                        cudaMemcpyKind kind) {
  return copy_run_between(to, to_x, to_y, from, from_x, from_y, count, kind,
                          Carrier{false, true, nullptr});
}

// --- texture and surface objects ----------------------------------------------------------------

cudaError_t cudaCreateTextureObject(cudaTextureObject_t* out, const cudaResourceDesc* resource,
                                    const cudaTextureDesc* texture,
                                    const cudaResourceViewDesc* view) {
  return device_api([&] {
    require_pointer(out, "out");
    require_pointer(resource, "resource");
    require_pointer(texture, "texture");
    if (view != nullptr && view->format != cudaResViewFormatNone) {
      throw ApiError(cudaErrorNotSupported,
                     "texture objects with a resource view are not supported");
    }
    const cudaTextureObject_t handle = add_texture(make_texture(*resource, *texture));
    TextureDescription description{*resource, *texture, std::nullopt};
    if (view != nullptr) description.view = *view;
    const std::scoped_lock lock(objects().mutex);
    objects().textures[handle] = description;
    *out = handle;
    return cudaSuccess;
  });
}

cudaError_t cudaDestroyTextureObject(cudaTextureObject_t texture) {
  return device_api([&] {
    if (texture == 0) return cudaSuccess;
    wait_for_device(thread().device);  // a kernel may use it
    require(remove_texture(texture), "the texture object is not one, or was destroyed");
    const std::scoped_lock lock(objects().mutex);
    objects().textures.erase(texture);
    return cudaSuccess;
  });
}

cudaError_t cudaGetTextureObjectResourceDesc(cudaResourceDesc* out, cudaTextureObject_t texture) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = described(texture).resource;
    return cudaSuccess;
  });
}
cudaError_t cudaGetTextureObjectTextureDesc(cudaTextureDesc* out, cudaTextureObject_t texture) {
  return device_api([&] {
    require_pointer(out, "out");
    *out = described(texture).texture;
    return cudaSuccess;
  });
}
cudaError_t cudaGetTextureObjectResourceViewDesc(cudaResourceViewDesc* out,
                                                 cudaTextureObject_t texture) {
  return device_api([&] {
    require_pointer(out, "out");
    const TextureDescription made = described(texture);
    require(made.view.has_value(), "the texture object was made without a resource view");
    *out = *made.view;
    return cudaSuccess;
  });
}

cudaError_t cudaCreateSurfaceObject(cudaSurfaceObject_t* out, const cudaResourceDesc* resource) {
  return device_api([&] {
    require_pointer(out, "out");
    require_pointer(resource, "resource");
    require(resource->resType == cudaResourceTypeArray,
            "a surface object is made from an array: resType has to be cudaResourceTypeArray");
    const std::scoped_lock lock(objects().mutex);
    const Array& array = find_array(resource->res.array.array);
    // The levels of a mipmapped array can be written without the flag, as programs rely on.
    require(array.level || (array.flags & cudaArraySurfaceLoadStore) != 0,
            "the array was made without cudaArraySurfaceLoadStore, which a surface object needs");
    const cudaSurfaceObject_t handle = add_surface({array.image, array.memory});
    objects().surfaces[handle] = *resource;
    *out = handle;
    return cudaSuccess;
  });
}

cudaError_t cudaDestroySurfaceObject(cudaSurfaceObject_t surface) {
  return device_api([&] {
    if (surface == 0) return cudaSuccess;
    wait_for_device(thread().device);
    require(remove_surface(surface), "the surface object is not one, or was destroyed");
    const std::scoped_lock lock(objects().mutex);
    objects().surfaces.erase(surface);
    return cudaSuccess;
  });
}

cudaError_t cudaGetSurfaceObjectResourceDesc(cudaResourceDesc* out, cudaSurfaceObject_t surface) {
  return device_api([&] {
    require_pointer(out, "out");
    const std::scoped_lock lock(objects().mutex);
    const auto found = objects().surfaces.find(surface);
    require(found != objects().surfaces.end(), "the surface object is not one, or was destroyed");
    *out = found->second;
    return cudaSuccess;
  });
}

}  // extern "C"

}  // namespace softgpu::cuda

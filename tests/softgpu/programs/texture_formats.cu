// timeout: 120
//
// Texture fetches against the formulas of the CUDA Programming Guide (Texture Fetching), bit by
// bit: elements of every format with one, two and four channels, every addressing mode for both
// kinds of coordinates, points and linear filters, in one, two and three dimensions. What the guide
// leaves open is as docs/softgpu.md says: fractions of a filter are rounded to 8 bits, sums are in
// double.
#include <cuda_fp16.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "check.cuh"

constexpr int width = 7, height = 5, depth = 4;

struct Mode {
  cudaTextureAddressMode address;
  cudaTextureFilterMode filter;
  cudaTextureReadMode read;
  bool normalized;
};

template <class R, int dims>
__global__ void fetch(cudaTextureObject_t t, const float3* at, R* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  if constexpr (dims == 1) out[i] = tex1D<R>(t, at[i].x);
  if constexpr (dims == 2) out[i] = tex2D<R>(t, at[i].x, at[i].y);
  if constexpr (dims == 3) out[i] = tex3D<R>(t, at[i].x, at[i].y, at[i].z);
}

template <class T>
struct Format;  // of one channel
template <>
struct Format<signed char> {
  static double read(signed char v) { return std::max(v / 127.0, -1.0); }
};
template <>
struct Format<unsigned char> {
  static double read(unsigned char v) { return v / 255.0; }
};
template <>
struct Format<short> {
  static double read(short v) { return std::max(v / 32767.0, -1.0); }
};
template <>
struct Format<unsigned short> {
  static double read(unsigned short v) { return v / 65535.0; }
};

template <class T, int n>
struct Vec;
#define VEC(T, one, two, four) \
  template <>                  \
  struct Vec<T, 1> {           \
    using type = one;          \
  };                           \
  template <>                  \
  struct Vec<T, 2> {           \
    using type = two;          \
  };                           \
  template <>                  \
  struct Vec<T, 4> {           \
    using type = four;         \
  };
VEC(signed char, signed char, char2, char4)
VEC(unsigned char, unsigned char, uchar2, uchar4)
VEC(short, short, short2, short4)
VEC(unsigned short, unsigned short, ushort2, ushort4)
VEC(int, int, int2, int4)
VEC(unsigned, unsigned, uint2, uint4)
VEC(float, float, float2, float4)

// The index of a texel, or -1 for the border, which is zero.
int address(cudaTextureAddressMode mode, int i, int n) {
  switch (mode) {
    case cudaAddressModeClamp: return std::min(std::max(i, 0), n - 1);
    case cudaAddressModeBorder: return i < 0 || i >= n ? -1 : i;
    case cudaAddressModeWrap: return ((i % n) + n) % n;
    default: {
      const int k = ((i % (2 * n)) + 2 * n) % (2 * n);
      return k < n ? k : 2 * n - 1 - k;
    }
  }
}

template <class T, int channels, int dims>
void check(const Mode& mode) {
  using E = typename Vec<T, channels>::type;
  const int size[3] = {width, dims > 1 ? height : 1, dims > 2 ? depth : 1};
  std::vector<T> texels(static_cast<std::size_t>(size[0]) * size[1] * size[2] * channels);
  Random random;
  for (T& v : texels) {
    const unsigned long long r = random.next();
    if constexpr (std::is_same_v<T, float>)
      v = static_cast<float>(static_cast<int>(r >> 44) - 524288) / 1024;
    else
      v = static_cast<T>(r >> 13);
  }
  cudaArray_t array;
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<E>();
  CUDA_OK(cudaMalloc3DArray(&array, &format,
                            cudaExtent{width, static_cast<std::size_t>(dims > 1 ? height : 0),
                                       static_cast<std::size_t>(dims > 2 ? depth : 0)}));
  cudaMemcpy3DParms copy{};
  copy.srcPtr = make_cudaPitchedPtr(texels.data(), width * sizeof(E), width, size[1]);
  copy.dstArray = array;
  copy.extent =
      cudaExtent{width, static_cast<std::size_t>(size[1]), static_cast<std::size_t>(size[2])};
  copy.kind = cudaMemcpyHostToDevice;
  CUDA_OK(cudaMemcpy3D(&copy));
  cudaResourceDesc resource{};
  resource.resType = cudaResourceTypeArray;
  resource.res.array.array = array;
  cudaTextureDesc desc{};
  for (auto& a : desc.addressMode) a = mode.address;
  desc.filterMode = mode.filter;
  desc.readMode = mode.read;
  desc.normalizedCoords = mode.normalized;
  cudaTextureObject_t texture;
  CUDA_OK(cudaCreateTextureObject(&texture, &resource, &desc, nullptr));
  constexpr int n = 96;
  std::vector<float3> at(n);
  for (float3& p : at) {
    // Inside and outside; odd thirty-seconds, which are no border between texels, and any places.
    const auto coordinate = [&](int extent) {
      const float v = random.below(2)
                          ? static_cast<float>(2 * static_cast<int>(random.below(48 * extent)) -
                                               32 * extent + 1) /
                                32
                          : (random.uniform() * 3 - 1) * extent;
      return mode.normalized ? v / extent : v;
    };
    p = make_float3(coordinate(size[0]), coordinate(size[1]), coordinate(size[2]));
  }
  float3* device_at;
  CUDA_OK(cudaMallocManaged(&device_at, n * sizeof(float3)));
  std::memcpy(device_at, at.data(), n * sizeof(float3));
  const bool floats = std::is_same_v<T, float> || mode.read == cudaReadModeNormalizedFloat;
  std::vector<double> got(n * channels);
  const auto run = [&](auto zero) {
    using R = decltype(zero);
    using Component = std::remove_reference_t<
        decltype(*reinterpret_cast<std::conditional_t<std::is_same_v<R, E>, T, float>*>(0))>;
    R* out;
    CUDA_OK(cudaMallocManaged(&out, n * sizeof(R)));
    fetch<R, dims><<<3, 32>>>(texture, device_at, out, n);
    CUDA_OK(cudaDeviceSynchronize());
    const auto* parts = reinterpret_cast<const Component*>(out);
    for (int i = 0; i < n * channels; ++i) got[i] = static_cast<double>(parts[i]);
    CUDA_OK(cudaFree(out));
  };
  if (floats)
    run(typename Vec<float, channels>::type{});
  else
    run(E{});
  const auto texel = [&](const int* i, int c) -> double {
    for (int d = 0; d < dims; ++d)
      if (i[d] < 0) return 0;
    const T v =
        texels[((static_cast<std::size_t>(dims > 2 ? i[2] : 0) * size[1] + (dims > 1 ? i[1] : 0)) *
                    width +
                i[0]) *
                   channels +
               c];
    if constexpr (std::is_integral_v<T> && sizeof(T) < 4) {
      if (floats) return static_cast<float>(Format<T>::read(v));
    }
    return static_cast<double>(v);
  };
  for (int i = 0; i < n; ++i) {
    const float p[3] = {at[i].x, at[i].y, at[i].z};
    for (int c = 0; c < channels; ++c) {
      double want = 0;
      int low[3] = {}, high[3] = {};
      double fraction[3] = {};
      for (int d = 0; d < dims; ++d) {
        double x = p[d];
        if (mode.normalized) {
          if (mode.address == cudaAddressModeWrap) x -= std::floor(x);
          if (mode.address == cudaAddressModeMirror) {
            const double whole = std::floor(x);
            x = static_cast<long long>(whole) % 2 == 0 ? x - whole : 1 - (x - whole);
          }
          x *= size[d];
        }
        if (mode.filter == cudaFilterModePoint) {
          low[d] = address(mode.address, static_cast<int>(std::floor(x)), size[d]);
        } else {
          const double b = x - 0.5;
          const double f = std::rint((b - std::floor(b)) * 256) / 256;
          int k = static_cast<int>(std::floor(b));
          low[d] = address(mode.address, k, size[d]);
          high[d] = address(mode.address, k + 1, size[d]);
          fraction[d] = f;
        }
      }
      if (mode.filter == cudaFilterModePoint) {
        want = texel(low, c);
      } else {
        for (int corner = 0; corner < 1 << dims; ++corner) {
          double weight = 1;
          int k[3] = {};
          for (int d = 0; d < dims; ++d) {
            weight *= corner >> d & 1 ? fraction[d] : 1 - fraction[d];
            k[d] = corner >> d & 1 ? high[d] : low[d];
          }
          if (weight != 0) want += weight * texel(k, c);
        }
        want = static_cast<float>(want);
      }
      const double off = std::abs(got[i * channels + c] - want);
      const bool right =
          mode.filter == cudaFilterModePoint
              ? off == 0
              : off <= std::abs(want) * 0x1p-23 + 1e-7 * (std::is_same_v<T, float> ? 512 : 1);
      CHECK_AT(right,
               "%d dims, %d channels of %zu bytes, address %d filter %d read %d normalized %d: at "
               "%g %g %g channel %d: %.9g, not %.9g",
               dims, channels, sizeof(T), mode.address, mode.filter, mode.read, mode.normalized,
               p[0], p[1], p[2], c, got[i * channels + c], want);
    }
  }
  CUDA_OK(cudaDestroyTextureObject(texture));
  CUDA_OK(cudaFreeArray(array));
  CUDA_OK(cudaFree(device_at));
}
template <class T, int channels>
void check_all() {
  for (const bool normalized : {false, true}) {
    for (const auto address : {cudaAddressModeClamp, cudaAddressModeBorder, cudaAddressModeWrap,
                               cudaAddressModeMirror}) {
      if (!normalized && address != cudaAddressModeClamp && address != cudaAddressModeBorder)
        continue;
      for (const auto read : {cudaReadModeElementType, cudaReadModeNormalizedFloat}) {
        if (read == cudaReadModeNormalizedFloat && (std::is_same_v<T, float> || sizeof(T) > 2))
          continue;
        for (const auto filter : {cudaFilterModePoint, cudaFilterModeLinear}) {
          if (filter == cudaFilterModeLinear && !std::is_same_v<T, float> &&
              read == cudaReadModeElementType)
            continue;
          const Mode mode{address, filter, read, normalized};
          check<T, channels, 1>(mode);
          check<T, channels, 2>(mode);
          check<T, channels, 3>(mode);
        }
      }
    }
  }
}
template <class T>
void check_channels() {
  check_all<T, 1>();
  check_all<T, 2>();
  check_all<T, 4>();
}
int main() {
  check_channels<signed char>();
  check_channels<unsigned char>();
  check_channels<short>();
  check_channels<unsigned short>();
  check_channels<int>();
  check_channels<unsigned>();
  check_channels<float>();
  return verdict();
}

// Texture and surface objects over arrays, linear and pitched memory, against the formulas of the
// CUDA Programming Guide. Coordinates are multiples of 1/256 of a texel, where the filter's weights
// are exact.
#include <algorithm>
#include <cmath>
#include <vector>

#include "check.cuh"

constexpr int width = 21;
constexpr int height = 13;
constexpr int depth = 5;

// --- 1D memory ----------------------------------------------------------------------------------

__global__ void fetch_1d(cudaTextureObject_t texture, float4* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = tex1Dfetch<float4>(texture, i - 2);
}

void test_linear_memory() {
  const int n = 100;
  std::vector<float4> in(n), out(n + 4);
  for (int i = 0; i < n; ++i) in[i] = make_float4(i, 2 * i, -i, 0.5f * i);
  float4 *device_in, *device_out;
  CUDA_OK(cudaMalloc(&device_in, n * sizeof(float4)));
  CUDA_OK(cudaMalloc(&device_out, (n + 4) * sizeof(float4)));
  CUDA_OK(cudaMemcpy(device_in, in.data(), n * sizeof(float4), cudaMemcpyHostToDevice));
  cudaResourceDesc resource = {};
  resource.resType = cudaResourceTypeLinear;
  resource.res.linear.devPtr = device_in;
  resource.res.linear.desc = cudaCreateChannelDesc<float4>();
  resource.res.linear.sizeInBytes = n * sizeof(float4);
  cudaTextureDesc description = {};
  cudaTextureObject_t texture = 0;
  CUDA_OK(cudaCreateTextureObject(&texture, &resource, &description, nullptr));
  fetch_1d<<<1, 128>>>(texture, device_out, n + 4);
  CUDA_OK(cudaMemcpy(out.data(), device_out, (n + 4) * sizeof(float4), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n + 4; ++i) {
    const bool inside = i >= 2 && i < n + 2;
    CHECK_AT(out[i].x == (inside ? in[i - 2].x : 0), "i = %d: %g", i, out[i].x);
    CHECK_AT(out[i].w == (inside ? in[i - 2].w : 0), "i = %d: %g", i, out[i].w);
  }
  cudaResourceDesc back = {};
  CUDA_OK(cudaGetTextureObjectResourceDesc(&back, texture));
  CHECK(back.resType == cudaResourceTypeLinear && back.res.linear.devPtr == device_in);
  CUDA_OK(cudaDestroyTextureObject(texture));
  CUDA_OK(cudaFree(device_in));
  CUDA_OK(cudaFree(device_out));
}

// --- 2D arrays ----------------------------------------------------------------------------------

__global__ void sample_2d(cudaTextureObject_t texture, const float2* at, float* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = tex2D<float>(texture, at[i].x, at[i].y);
}

int place(int i, int size, cudaTextureAddressMode mode, bool& outside) {
  switch (mode) {
    case cudaAddressModeWrap: return ((i % size) + size) % size;
    case cudaAddressModeMirror: {
      const int j = ((i % (2 * size)) + 2 * size) % (2 * size);
      return j < size ? j : 2 * size - 1 - j;
    }
    case cudaAddressModeBorder:
      if (i >= 0 && i < size) return i;
      outside = true;
      return 0;
    default: return i < 0 ? 0 : i >= size ? size - 1 : i;
  }
}

void test_2d(cudaTextureFilterMode filter, cudaTextureAddressMode mode, bool normalized) {
  std::vector<float> image(width * height);
  for (int i = 0; i < width * height; ++i) image[i] = (i * 37 % 101) - 50;
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  cudaArray_t array;
  CUDA_OK(cudaMallocArray(&array, &format, width, height));
  CUDA_OK(cudaMemcpy2DToArray(array, 0, 0, image.data(), width * sizeof(float),
                              width * sizeof(float), height, cudaMemcpyHostToDevice));
  cudaResourceDesc resource = {};
  resource.resType = cudaResourceTypeArray;
  resource.res.array.array = array;
  cudaTextureDesc description = {};
  description.addressMode[0] = description.addressMode[1] = mode;
  description.filterMode = filter;
  description.normalizedCoords = normalized;
  cudaTextureObject_t texture = 0;
  CUDA_OK(cudaCreateTextureObject(&texture, &resource, &description, nullptr));

  const int n = 3000;
  Random random;
  std::vector<float2> at(n);
  std::vector<double> x(n), y(n);
  for (int i = 0; i < n; ++i) {
    // In texels; powers of two would be needed for normalized ones to be exact, so those are put in
    // the middle of a 256th.
    x[i] = (static_cast<int>(random.below(60 * 256)) - 20 * 256) / 256.0;
    y[i] = (static_cast<int>(random.below(60 * 256)) - 20 * 256) / 256.0;
    if (normalized && filter == cudaFilterModePoint) {
      x[i] = std::floor(x[i]) + 0.5;
      y[i] = std::floor(y[i]) + 0.5;
    }
    at[i] = normalized ? make_float2(x[i] / width, y[i] / height) : make_float2(x[i], y[i]);
  }
  float2* device_at;
  float* device_out;
  CUDA_OK(cudaMalloc(&device_at, n * sizeof(float2)));
  CUDA_OK(cudaMalloc(&device_out, n * sizeof(float)));
  CUDA_OK(cudaMemcpy(device_at, at.data(), n * sizeof(float2), cudaMemcpyHostToDevice));
  sample_2d<<<(n + 127) / 128, 128>>>(texture, device_at, device_out, n);
  std::vector<float> out(n);
  CUDA_OK(cudaMemcpy(out.data(), device_out, n * sizeof(float), cudaMemcpyDeviceToHost));

  const cudaTextureAddressMode used =
      !normalized && (mode == cudaAddressModeWrap || mode == cudaAddressModeMirror)
          ? cudaAddressModeClamp
          : mode;
  const auto texel = [&](int i, int j) -> double {
    bool outside = false;
    const int column = place(i, width, used, outside);
    const int row = place(j, height, used, outside);
    return outside ? 0 : image[row * width + column];
  };
  for (int i = 0; i < n; ++i) {
    double expected = 0;
    // A normalized coordinate is a rounded number: the weights may be one 256th away.
    double tolerance = 0;
    if (filter == cudaFilterModePoint) {
      expected = texel(static_cast<int>(std::floor(x[i])), static_cast<int>(std::floor(y[i])));
    } else {
      const int column = static_cast<int>(std::floor(x[i] - 0.5));
      const int row = static_cast<int>(std::floor(y[i] - 0.5));
      const double a = x[i] - 0.5 - column;
      const double b = y[i] - 0.5 - row;
      expected = (1 - a) * (1 - b) * texel(column, row) + a * (1 - b) * texel(column + 1, row) +
                 (1 - a) * b * texel(column, row + 1) + a * b * texel(column + 1, row + 1);
      tolerance = normalized ? 2 * 101 / 256.0 : 1e-4;
    }
    CHECK_AT(std::fabs(out[i] - expected) <= tolerance,
             "filter %d, mode %d, normalized %d, (%g, %g): %g, expected %g", filter, mode,
             normalized, x[i], y[i], out[i], expected);
  }
  // Back out of the array.
  std::vector<float> again(width * height);
  CUDA_OK(cudaMemcpy2DFromArray(again.data(), width * sizeof(float), array, 0, 0,
                                width * sizeof(float), height, cudaMemcpyDeviceToHost));
  CHECK(again == image);
  CUDA_OK(cudaDestroyTextureObject(texture));
  CUDA_OK(cudaFreeArray(array));
  CUDA_OK(cudaFree(device_at));
  CUDA_OK(cudaFree(device_out));
}

// --- integers read as numbers, and four channels ------------------------------------------------

__global__ void sample_bytes(cudaTextureObject_t normalized, cudaTextureObject_t raw,
                             float4* floats, uchar4* bytes) {
  const int x = threadIdx.x;
  const int y = blockIdx.x;
  floats[y * width + x] = tex2D<float4>(normalized, x + 0.5f, y + 0.5f);
  bytes[y * width + x] = tex2D<uchar4>(raw, x + 0.5f, y + 0.5f);
}

void test_bytes() {
  std::vector<uchar4> image(width * height);
  for (int i = 0; i < width * height; ++i) image[i] = make_uchar4(i, 255 - i, i * 3, i * 7);
  // Pitched memory.
  uchar4* device_image;
  std::size_t pitch = 0;
  CUDA_OK(cudaMallocPitch(&device_image, &pitch, width * sizeof(uchar4), height));
  CUDA_OK(cudaMemcpy2D(device_image, pitch, image.data(), width * sizeof(uchar4),
                       width * sizeof(uchar4), height, cudaMemcpyHostToDevice));
  cudaResourceDesc resource = {};
  resource.resType = cudaResourceTypePitch2D;
  resource.res.pitch2D.devPtr = device_image;
  resource.res.pitch2D.desc = cudaCreateChannelDesc<uchar4>();
  resource.res.pitch2D.width = width;
  resource.res.pitch2D.height = height;
  resource.res.pitch2D.pitchInBytes = pitch;
  cudaTextureDesc description = {};
  description.addressMode[0] = description.addressMode[1] = cudaAddressModeClamp;
  cudaTextureObject_t raw = 0, normalized = 0;
  CUDA_OK(cudaCreateTextureObject(&raw, &resource, &description, nullptr));
  description.readMode = cudaReadModeNormalizedFloat;
  CUDA_OK(cudaCreateTextureObject(&normalized, &resource, &description, nullptr));
  float4* device_floats;
  uchar4* device_bytes;
  CUDA_OK(cudaMalloc(&device_floats, width * height * sizeof(float4)));
  CUDA_OK(cudaMalloc(&device_bytes, width * height * sizeof(uchar4)));
  sample_bytes<<<height, width>>>(normalized, raw, device_floats, device_bytes);
  std::vector<float4> floats(width * height);
  std::vector<uchar4> bytes(width * height);
  CUDA_OK(cudaMemcpy(floats.data(), device_floats, floats.size() * sizeof(float4),
                     cudaMemcpyDeviceToHost));
  CUDA_OK(cudaMemcpy(bytes.data(), device_bytes, bytes.size() * sizeof(uchar4),
                     cudaMemcpyDeviceToHost));
  for (int i = 0; i < width * height; ++i) {
    CHECK_AT(bytes[i].x == image[i].x && bytes[i].w == image[i].w, "i = %d", i);
    CHECK_AT(std::fabs(floats[i].y - image[i].y / 255.0f) < 1e-6f, "i = %d: %g", i, floats[i].y);
    CHECK_AT(std::fabs(floats[i].z - image[i].z / 255.0f) < 1e-6f, "i = %d: %g", i, floats[i].z);
  }
  // A filter needs numbers.
  description.readMode = cudaReadModeElementType;
  description.filterMode = cudaFilterModeLinear;
  cudaTextureObject_t none = 0;
  CHECK(cudaCreateTextureObject(&none, &resource, &description, nullptr) != cudaSuccess);
  (void)cudaGetLastError();
  CUDA_OK(cudaDestroyTextureObject(raw));
  CUDA_OK(cudaDestroyTextureObject(normalized));
  CUDA_OK(cudaFree(device_image));
  CUDA_OK(cudaFree(device_floats));
  CUDA_OK(cudaFree(device_bytes));
}

// --- 3D and layers ------------------------------------------------------------------------------

__global__ void sample_3d(cudaTextureObject_t volume, cudaTextureObject_t layers, float* out) {
  const int x = threadIdx.x;
  const int y = blockIdx.x;
  const int z = blockIdx.y;
  float* here = out + 2 * ((z * height + y) * width + x);
  here[0] = tex3D<float>(volume, x + 0.75f, y + 0.5f, z + 1.0f);
  here[1] = tex2DLayered<float>(layers, x + 1.0f, y + 0.5f, z);
}

void test_volumes() {
  std::vector<float> image(width * height * depth);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i * 31 % 97);
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  const cudaExtent extent = make_cudaExtent(width, height, depth);
  cudaTextureObject_t textures[2];
  cudaArray_t arrays[2];
  for (int i = 0; i < 2; ++i) {
    CUDA_OK(cudaMalloc3DArray(&arrays[i], &format, extent, i == 1 ? cudaArrayLayered : 0));
    cudaMemcpy3DParms copy = {};
    copy.srcPtr = make_cudaPitchedPtr(image.data(), width * sizeof(float), width, height);
    copy.dstArray = arrays[i];
    copy.extent = extent;
    copy.kind = cudaMemcpyHostToDevice;
    CUDA_OK(cudaMemcpy3D(&copy));
    cudaResourceDesc resource = {};
    resource.resType = cudaResourceTypeArray;
    resource.res.array.array = arrays[i];
    cudaTextureDesc description = {};
    for (auto& mode : description.addressMode) mode = cudaAddressModeClamp;
    description.filterMode = cudaFilterModeLinear;
    CUDA_OK(cudaCreateTextureObject(&textures[i], &resource, &description, nullptr));
    cudaChannelFormatDesc has = {};
    cudaExtent size = {};
    unsigned flags = 7;
    CUDA_OK(cudaArrayGetInfo(&has, &size, &flags, arrays[i]));
    CHECK(has.x == 32 && has.f == cudaChannelFormatKindFloat && size.width == width &&
          size.depth == depth && flags == (i == 1 ? cudaArrayLayered : 0u));
  }
  float* device_out;
  CUDA_OK(cudaMalloc(&device_out, 2 * image.size() * sizeof(float)));
  sample_3d<<<dim3(height, depth), width>>>(textures[0], textures[1], device_out);
  std::vector<float> out(2 * image.size());
  CUDA_OK(cudaMemcpy(out.data(), device_out, out.size() * sizeof(float), cudaMemcpyDeviceToHost));
  const auto texel = [&](int x, int y, int z) -> double {
    x = std::min(x, width - 1);
    z = std::min(z, depth - 1);
    return image[(z * height + y) * width + x];
  };
  for (int z = 0; z < depth; ++z) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const float* got = &out[2 * ((z * height + y) * width + x)];
        const double volume = 0.5 * (0.75 * texel(x, y, z) + 0.25 * texel(x + 1, y, z) +
                                     0.75 * texel(x, y, z + 1) + 0.25 * texel(x + 1, y, z + 1));
        const double layer = 0.5 * (texel(x, y, z) + texel(x + 1, y, z));
        CHECK_AT(std::fabs(got[0] - volume) < 1e-4, "(%d, %d, %d): %g, expected %g", x, y, z,
                 got[0], volume);
        CHECK_AT(std::fabs(got[1] - layer) < 1e-4, "(%d, %d, %d): %g, expected %g", x, y, z, got[1],
                 layer);
      }
    }
  }
  CUDA_OK(cudaFree(device_out));
  for (int i = 0; i < 2; ++i) {
    CUDA_OK(cudaDestroyTextureObject(textures[i]));
    CUDA_OK(cudaFreeArray(arrays[i]));
  }
}

// --- mipmaps ------------------------------------------------------------------------------------

__global__ void sample_levels(cudaTextureObject_t texture, float* out) {
  out[threadIdx.x] = tex2DLod<float>(texture, 0.5f, 0.5f, threadIdx.x * 0.25f);
}

void test_mipmap() {
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  cudaMipmappedArray_t mipmap;
  CUDA_OK(cudaMallocMipmappedArray(&mipmap, &format, make_cudaExtent(8, 8, 0), 4));
  for (int level = 0; level < 4; ++level) {
    cudaArray_t array;
    CUDA_OK(cudaGetMipmappedArrayLevel(&array, mipmap, level));
    const int side = 8 >> level;
    std::vector<float> image(side * side, 10.0f * level);
    CUDA_OK(cudaMemcpy2DToArray(array, 0, 0, image.data(), side * sizeof(float),
                                side * sizeof(float), side, cudaMemcpyHostToDevice));
  }
  cudaResourceDesc resource = {};
  resource.resType = cudaResourceTypeMipmappedArray;
  resource.res.mipmap.mipmap = mipmap;
  cudaTextureDesc description = {};
  description.addressMode[0] = description.addressMode[1] = cudaAddressModeClamp;
  description.normalizedCoords = 1;
  description.filterMode = description.mipmapFilterMode = cudaFilterModeLinear;
  description.maxMipmapLevelClamp = 2.5f;
  cudaTextureObject_t texture = 0;
  CUDA_OK(cudaCreateTextureObject(&texture, &resource, &description, nullptr));
  float* device_out;
  CUDA_OK(cudaMalloc(&device_out, 16 * sizeof(float)));
  sample_levels<<<1, 16>>>(texture, device_out);
  float out[16];
  CUDA_OK(cudaMemcpy(out, device_out, sizeof out, cudaMemcpyDeviceToHost));
  for (int i = 0; i < 16; ++i) {
    CHECK_AT(std::fabs(out[i] - 10 * std::min(i * 0.25f, 2.5f)) < 1e-4f, "level %g: %g", i * 0.25,
             out[i]);
  }
  CUDA_OK(cudaDestroyTextureObject(texture));
  CUDA_OK(cudaFreeMipmappedArray(mipmap));
  CUDA_OK(cudaFree(device_out));
}

// --- gathers and surfaces -----------------------------------------------------------------------

__global__ void gather(cudaTextureObject_t texture, float4* out) {
  out[threadIdx.x] = tex2Dgather<float4>(texture, threadIdx.x + 1.0f, 3.0f, 0);
}

__global__ void surfaces(cudaSurfaceObject_t from, cudaSurfaceObject_t to, int* seen) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y;
  if (x < width) {
    const float2 v = surf2Dread<float2>(from, x * sizeof(float2), y);
    surf2Dwrite(make_float2(v.y, v.x + 1), to, (width - 1 - x) * sizeof(float2), y);
  } else if (x < width + 2) {
    // Outside: nothing is written, zeros and the nearest texel are read.
    surf2Dwrite(make_float2(77, 77), to, x * sizeof(float2), y, cudaBoundaryModeZero);
    const float2 zero = surf2Dread<float2>(from, x * sizeof(float2), y, cudaBoundaryModeZero);
    const float2 last = surf2Dread<float2>(from, x * sizeof(float2), y, cudaBoundaryModeClamp);
    const float2 right = surf2Dread<float2>(from, (width - 1) * sizeof(float2), y);
    if (zero.x != 0 || last.x != right.x) atomicAdd(seen, 1);
  }
}

void test_surfaces() {
  std::vector<float2> image(width * height);
  for (int i = 0; i < width * height; ++i) image[i] = make_float2(i, -2 * i);
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float2>();
  cudaArray_t arrays[2];
  cudaSurfaceObject_t objects[2];
  cudaResourceDesc resource = {};
  resource.resType = cudaResourceTypeArray;
  for (int i = 0; i < 2; ++i) {
    CUDA_OK(cudaMallocArray(&arrays[i], &format, width, height, cudaArraySurfaceLoadStore));
    resource.res.array.array = arrays[i];
    CUDA_OK(cudaCreateSurfaceObject(&objects[i], &resource));
  }
  CUDA_OK(cudaMemcpy2DToArray(arrays[0], 0, 0, image.data(), width * sizeof(float2),
                              width * sizeof(float2), height, cudaMemcpyHostToDevice));
  int* device_seen;
  CUDA_OK(cudaMalloc(&device_seen, sizeof(int)));
  CUDA_OK(cudaMemset(device_seen, 0, sizeof(int)));
  surfaces<<<dim3(1, height), 32>>>(objects[0], objects[1], device_seen);
  std::vector<float2> out(width * height);
  int seen = 1;
  CUDA_OK(cudaMemcpy2DFromArray(out.data(), width * sizeof(float2), arrays[1], 0, 0,
                                width * sizeof(float2), height, cudaMemcpyDeviceToHost));
  CUDA_OK(cudaMemcpy(&seen, device_seen, sizeof seen, cudaMemcpyDeviceToHost));
  CHECK(seen == 0);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const float2 got = out[y * width + width - 1 - x];
      const float2 in = image[y * width + x];
      CHECK_AT(got.x == in.y && got.y == in.x + 1, "(%d, %d): %g %g", x, y, got.x, got.y);
    }
  }
  // Between arrays.
  CUDA_OK(
      cudaMemcpy2DArrayToArray(arrays[0], 0, 0, arrays[1], 0, 0, width * sizeof(float2), height));
  std::vector<float2> moved(width * height);
  CUDA_OK(cudaMemcpy2DFromArray(moved.data(), width * sizeof(float2), arrays[0], 0, 0,
                                width * sizeof(float2), height, cudaMemcpyDeviceToHost));
  for (std::size_t i = 0; i < out.size(); ++i) CHECK(moved[i].x == out[i].x);
  for (int i = 0; i < 2; ++i) {
    CUDA_OK(cudaDestroySurfaceObject(objects[i]));
    CUDA_OK(cudaFreeArray(arrays[i]));
  }
  CUDA_OK(cudaFree(device_seen));
}

void test_gather() {
  std::vector<float> image(width * height);
  for (int i = 0; i < width * height; ++i) image[i] = i;
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  cudaArray_t array;
  CUDA_OK(cudaMallocArray(&array, &format, width, height, cudaArrayTextureGather));
  CUDA_OK(cudaMemcpy2DToArray(array, 0, 0, image.data(), width * sizeof(float),
                              width * sizeof(float), height, cudaMemcpyHostToDevice));
  cudaResourceDesc resource = {};
  resource.resType = cudaResourceTypeArray;
  resource.res.array.array = array;
  cudaTextureDesc description = {};
  description.addressMode[0] = description.addressMode[1] = cudaAddressModeClamp;
  cudaTextureObject_t texture = 0;
  CUDA_OK(cudaCreateTextureObject(&texture, &resource, &description, nullptr));
  float4* device_out;
  CUDA_OK(cudaMalloc(&device_out, 16 * sizeof(float4)));
  gather<<<1, 16>>>(texture, device_out);
  float4 out[16];
  CUDA_OK(cudaMemcpy(out, device_out, sizeof out, cudaMemcpyDeviceToHost));
  for (int i = 0; i < 16; ++i) {
    // Between texels i and i + 1 of rows 2 and 3, counter-clockwise from the lower left.
    CHECK_AT(out[i].x == 3 * width + i && out[i].y == 3 * width + i + 1 &&
                 out[i].z == 2 * width + i + 1 && out[i].w == 2 * width + i,
             "i = %d: %g %g %g %g", i, out[i].x, out[i].y, out[i].z, out[i].w);
  }
  CUDA_OK(cudaDestroyTextureObject(texture));
  CUDA_OK(cudaFreeArray(array));
  CUDA_OK(cudaFree(device_out));
}

int main() {
  test_linear_memory();
  for (const auto filter : {cudaFilterModePoint, cudaFilterModeLinear}) {
    for (const auto mode : {cudaAddressModeClamp, cudaAddressModeBorder, cudaAddressModeWrap,
                            cudaAddressModeMirror}) {
      for (const bool normalized : {false, true}) test_2d(filter, mode, normalized);
    }
  }
  test_bytes();
  test_volumes();
  test_mipmap();
  test_surfaces();
  test_gather();
  CUDA_OK(cudaDeviceSynchronize());
  return verdict();
}

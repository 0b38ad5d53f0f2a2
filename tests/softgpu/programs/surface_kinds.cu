// run: all
// run: trap
//
// Surfaces of every dimension, with elements of 1 to 16 bytes and every mode for what lies outside:
// what a kernel writes is what the host and other kernels read, and nothing else changes.
#include <cstring>
#include <string>
#include <vector>

#include "capture.cuh"
#include "check.cuh"

enum Kind { line, plane, volume, lines, planes, cube, cubes };
const char* const kinds[] = {
    "1D", "2D", "3D", "1DLayered", "2DLayered", "cubemap", "cubemapLayered"};

template <class T, int kind, cudaSurfaceBoundaryMode mode>
__device__ void put(T v, cudaSurfaceObject_t s, int x, int y, int z) {
  const int at = x * static_cast<int>(sizeof(T));
  if constexpr (kind == line) surf1Dwrite(v, s, at, mode);
  if constexpr (kind == plane) surf2Dwrite(v, s, at, y, mode);
  if constexpr (kind == volume) surf3Dwrite(v, s, at, y, z, mode);
  if constexpr (kind == lines) surf1DLayeredwrite(v, s, at, z, mode);
  if constexpr (kind == planes) surf2DLayeredwrite(v, s, at, y, z, mode);
  if constexpr (kind == cube) surfCubemapwrite(v, s, at, y, z, mode);
  if constexpr (kind == cubes) surfCubemapLayeredwrite(v, s, at, y, z, mode);
}
template <class T, int kind, cudaSurfaceBoundaryMode mode>
__device__ T get(cudaSurfaceObject_t s, int x, int y, int z) {
  const int at = x * static_cast<int>(sizeof(T));
  if constexpr (kind == line) return surf1Dread<T>(s, at, mode);
  if constexpr (kind == plane) return surf2Dread<T>(s, at, y, mode);
  if constexpr (kind == volume) return surf3Dread<T>(s, at, y, z, mode);
  if constexpr (kind == lines) return surf1DLayeredread<T>(s, at, z, mode);
  if constexpr (kind == planes) return surf2DLayeredread<T>(s, at, y, z, mode);
  if constexpr (kind == cube) return surfCubemapread<T>(s, at, y, z, mode);
  if constexpr (kind == cubes) return surfCubemapLayeredread<T>(s, at, y, z, mode);
}

struct Size {
  int x, y, z;
};
template <class T>
__host__ __device__ T element(int x, int y, int z, int salt) {
  unsigned char bytes[sizeof(T)];
  for (int i = 0; i < static_cast<int>(sizeof(T)); ++i) {
    bytes[i] = static_cast<unsigned char>(x * 7 + y * 31 + z * 101 + i * 13 + salt);
  }
  T v;
  memcpy(&v, bytes, sizeof v);
  return v;
}

template <class T, int kind>
__global__ void write_inside(cudaSurfaceObject_t s, Size size, int salt) {
  const int x = threadIdx.x, y = blockIdx.x, z = blockIdx.y;
  if (x < size.x) put<T, kind, cudaBoundaryModeTrap>(element<T>(x, y, z, salt), s, x, y, z);
}
// Writes that go outside: nothing with `zero`, at the border with `clamp`.
template <class T, int kind, cudaSurfaceBoundaryMode mode>
__global__ void write_outside(cudaSurfaceObject_t s, Size size, int x, int y, int z, int salt) {
  put<T, kind, mode>(element<T>(1, 2, 3, salt), s, x, y, z);
}
template <class T, int kind, cudaSurfaceBoundaryMode mode>
__global__ void read_all(cudaSurfaceObject_t s, Size size, T* out) {
  // From -2 to two beyond the width and height.
  const int x = static_cast<int>(threadIdx.x) - 2, y = static_cast<int>(blockIdx.x) - 2;
  const int z = blockIdx.y;
  const int width = size.x + 4, height = size.y + 4;
  if (x >= size.x + 2) return;
  const int yy = kind == line || kind == lines ? 0 : y;
  out[(z * height + y + 2) * width + x + 2] = get<T, kind, mode>(s, x, yy, z);
}

template <class T, int kind>
void check_kind() {
  const bool flat = kind == line || kind == lines;
  const bool square = kind == cube || kind == cubes;
  const Size size{13,
                  flat     ? 1
                  : square ? 13
                           : 9,
                  kind == volume                    ? 5
                  : kind == lines || kind == planes ? 4
                  : kind == cube                    ? 6
                  : kind == cubes                   ? 12
                                                    : 1};
  cudaExtent extent{static_cast<std::size_t>(size.x), static_cast<std::size_t>(flat ? 0 : size.y),
                    static_cast<std::size_t>(kind == line || kind == plane ? 0 : size.z)};
  unsigned flags = cudaArraySurfaceLoadStore;
  if (kind == lines || kind == planes || kind == cubes) flags |= cudaArrayLayered;
  if (square) flags |= cudaArrayCubemap;
  cudaArray_t array;
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<T>();
  CUDA_OK(cudaMalloc3DArray(&array, &format, extent, flags));
  cudaResourceDesc resource{};
  resource.resType = cudaResourceTypeArray;
  resource.res.array.array = array;
  cudaSurfaceObject_t surface;
  CUDA_OK(cudaCreateSurfaceObject(&surface, &resource));
  write_inside<T, kind><<<dim3(size.y, size.z), 32>>>(surface, size, 5);
  CUDA_OK(cudaDeviceSynchronize());
  // The host's view.
  std::vector<T> host(static_cast<std::size_t>(size.x) * size.y * size.z);
  const auto read_host = [&] {
    cudaMemcpy3DParms copy{};
    copy.srcArray = array;
    copy.dstPtr = make_cudaPitchedPtr(host.data(), size.x * sizeof(T), size.x, size.y);
    copy.extent = cudaExtent{static_cast<std::size_t>(size.x), static_cast<std::size_t>(size.y),
                             static_cast<std::size_t>(size.z)};
    copy.kind = cudaMemcpyDeviceToHost;
    CUDA_OK(cudaMemcpy3D(&copy));
  };
  const auto same = [](const T& a, const T& b) { return std::memcmp(&a, &b, sizeof a) == 0; };
  read_host();
  for (int z = 0; z < size.z; ++z)
    for (int y = 0; y < size.y; ++y)
      for (int x = 0; x < size.x; ++x)
        CHECK_AT(same(host[(static_cast<std::size_t>(z) * size.y + y) * size.x + x],
                      element<T>(x, y, z, 5)),
                 "%s of %zu bytes, %d %d %d", kinds[kind], sizeof(T), x, y, z);
  T* out;
  const int width = size.x + 4, height = size.y + 4;
  CUDA_OK(cudaMallocManaged(&out, static_cast<std::size_t>(width) * height * size.z * sizeof(T)));
  for (const bool clamp : {false, true}) {
    std::memset(out, 0xee, static_cast<std::size_t>(width) * height * size.z * sizeof(T));
    if (clamp) {
      read_all<T, kind, cudaBoundaryModeClamp><<<dim3(height, size.z), 32>>>(surface, size, out);
    } else {
      read_all<T, kind, cudaBoundaryModeZero><<<dim3(height, size.z), 32>>>(surface, size, out);
    }
    CUDA_OK(cudaDeviceSynchronize());
    T nothing;
    std::memset(&nothing, 0, sizeof nothing);
    for (int z = 0; z < size.z; ++z)
      for (int y = -2; y < size.y + 2; ++y)
        for (int x = -2; x < size.x + 2; ++x) {
          const int yy = flat ? 0 : y;
          const int cx = std::min(std::max(x, 0), size.x - 1);
          const int cy = std::min(std::max(yy, 0), size.y - 1);
          const bool inside = cx == x && cy == yy;
          const T want = inside || clamp ? element<T>(cx, cy, z, 5) : nothing;
          CHECK_AT(same(out[(z * height + y + 2) * width + x + 2], want),
                   "%s of %zu bytes, %s, %d %d %d", kinds[kind], sizeof(T),
                   clamp ? "clamp" : "zero", x, y, z);
        }
  }
  write_outside<T, kind, cudaBoundaryModeZero><<<1, 1>>>(surface, size, size.x, 0, 0, 77);
  write_outside<T, kind, cudaBoundaryModeZero><<<1, 1>>>(surface, size, -1, 0, 0, 77);
  if (!flat)
    write_outside<T, kind, cudaBoundaryModeZero><<<1, 1>>>(surface, size, 0, size.y, 0, 77);
  CUDA_OK(cudaDeviceSynchronize());
  read_host();
  for (int z = 0; z < size.z; ++z)
    for (int y = 0; y < size.y; ++y)
      for (int x = 0; x < size.x; ++x)
        CHECK_AT(same(host[(static_cast<std::size_t>(z) * size.y + y) * size.x + x],
                      element<T>(x, y, z, 5)),
                 "%s of %zu bytes, %d %d %d changed", kinds[kind], sizeof(T), x, y, z);
  write_outside<T, kind, cudaBoundaryModeClamp><<<1, 1>>>(surface, size, size.x + 3, 0, 0, 77);
  CUDA_OK(cudaDeviceSynchronize());
  read_host();
  CHECK_AT(same(host[size.x - 1], element<T>(1, 2, 3, 77)), "%s of %zu bytes, clamped write",
           kinds[kind], sizeof(T));
  CUDA_OK(cudaDestroySurfaceObject(surface));
  CUDA_OK(cudaFreeArray(array));
  CUDA_OK(cudaFree(out));
}
template <class T>
void check_type() {
  check_kind<T, line>();
  check_kind<T, plane>();
  check_kind<T, volume>();
  check_kind<T, lines>();
  check_kind<T, planes>();
  check_kind<T, cube>();
  check_kind<T, cubes>();
}

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "all";
  if (mode == "trap") {
    cudaArray_t array;
    const cudaChannelFormatDesc format = cudaCreateChannelDesc<int>();
    CUDA_OK(cudaMalloc3DArray(&array, &format, cudaExtent{13, 9, 0}, cudaArraySurfaceLoadStore));
    cudaResourceDesc resource{};
    resource.resType = cudaResourceTypeArray;
    resource.res.array.array = array;
    cudaSurfaceObject_t surface;
    CUDA_OK(cudaCreateSurfaceObject(&surface, &resource));
    Capture capture;
    write_outside<int, plane, cudaBoundaryModeTrap><<<1, 1>>>(surface, Size{13, 9, 1}, 13, 0, 0, 1);
    const cudaError_t code = cudaDeviceSynchronize();
    const std::string text = capture.text();
    CHECK_AT(code == cudaErrorLaunchFailure, "%s", cudaGetErrorName(code));
    CHECK_AT(text.find("surface access at byte 52 of row 0") != std::string::npos, "%s",
             text.c_str());
    return verdict();
  }
  check_type<char>();
  check_type<short>();
  check_type<uchar4>();
  check_type<float>();
  check_type<int2>();
  check_type<ushort4>();
  check_type<float4>();
  return verdict();
}

// Advice on managed memory: kept and given back; all memory is where the kernels run anyway.
#include <algorithm>
#include <cstring>
#include <mutex>
#include <set>
#include <unordered_map>

#include "softgpu/runtime/pool.hpp"
#include "softgpu/runtime/state.hpp"

namespace softgpu::cuda {
namespace {

struct Advice {
  bool read_mostly = false;
  cudaMemLocation preferred{cudaMemLocationTypeInvalid, cudaInvalidDeviceId};
  cudaMemLocation prefetched{cudaMemLocationTypeInvalid, cudaInvalidDeviceId};
  std::set<int> accessed_by;
};

std::mutex& mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}
std::unordered_map<std::uint64_t, Advice>& advice_by_range() {
  static auto* advice = new std::unordered_map<std::uint64_t, Advice>;
  return *advice;
}

int id_of(const cudaMemLocation& location) {
  return location.type == cudaMemLocationTypeHost ? cudaCpuDeviceId : location.id;
}

}  // namespace

void advise(std::uint64_t begin, cudaMemoryAdvise advice, cudaMemLocation location) {
  const std::scoped_lock lock(mutex());
  Advice& known = advice_by_range()[begin];
  switch (advice) {
    case cudaMemAdviseSetReadMostly: known.read_mostly = true; break;
    case cudaMemAdviseUnsetReadMostly: known.read_mostly = false; break;
    case cudaMemAdviseSetPreferredLocation: known.preferred = location; break;
    case cudaMemAdviseUnsetPreferredLocation:
      known.preferred = {cudaMemLocationTypeInvalid, cudaInvalidDeviceId};
      break;
    case cudaMemAdviseSetAccessedBy: known.accessed_by.insert(id_of(location)); break;
    case cudaMemAdviseUnsetAccessedBy: known.accessed_by.erase(id_of(location)); break;
  }
}

void note_prefetch(std::uint64_t begin, cudaMemLocation location) {
  const std::scoped_lock lock(mutex());
  advice_by_range()[begin].prefetched = location;
}

cudaError_t range_attribute(void* data, std::size_t bytes, cudaMemRangeAttribute attribute,
                            std::uint64_t begin) {
  const std::scoped_lock lock(mutex());
  const Advice& known = advice_by_range()[begin];
  if (attribute == cudaMemRangeAttributeAccessedBy) {
    require(bytes % sizeof(int) == 0,
            "dataSize has to be a multiple of sizeof(int) for cudaMemRangeAttributeAccessedBy");
    auto* out = static_cast<int*>(data);
    std::fill_n(out, bytes / sizeof(int), cudaInvalidDeviceId);
    std::size_t i = 0;
    for (const int id : known.accessed_by) {
      if (i < bytes / sizeof(int)) out[i++] = id;
    }
    return cudaSuccess;
  }
  require(bytes == sizeof(int), "dataSize has to be sizeof(int) for this attribute");
  int value = 0;
  switch (attribute) {
    case cudaMemRangeAttributeReadMostly: value = known.read_mostly ? 1 : 0; break;
    case cudaMemRangeAttributePreferredLocation: value = id_of(known.preferred); break;
    case cudaMemRangeAttributeLastPrefetchLocation: value = id_of(known.prefetched); break;
    case cudaMemRangeAttributePreferredLocationType: value = known.preferred.type; break;
    case cudaMemRangeAttributePreferredLocationId: value = known.preferred.id; break;
    case cudaMemRangeAttributeLastPrefetchLocationType: value = known.prefetched.type; break;
    case cudaMemRangeAttributeLastPrefetchLocationId: value = known.prefetched.id; break;
    default:
      throw ApiError(cudaErrorInvalidValue, "there is no attribute of a range of this number");
  }
  std::memcpy(data, &value, sizeof value);
  return cudaSuccess;
}

}  // namespace softgpu::cuda

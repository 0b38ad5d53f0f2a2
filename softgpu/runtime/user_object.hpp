// Resources of the program that graphs keep alive.
#pragma once

#include <cstdint>
#include <mutex>

#include "softgpu/runtime/cuda_api.hpp"

namespace softgpu::cuda {

struct UserObject {
  void* resource = nullptr;
  cudaHostFn_t destroy = nullptr;
  std::int64_t references = 0;
};

void retain_user_object(UserObject& object, unsigned count);
// Calls the destructor with the last reference.
void release_user_object(UserObject& object, unsigned count);

}  // namespace softgpu::cuda

// CUDA arrays, as far as copies need to know them.
#pragma once

#include <cstddef>

#include "softgpu/runtime/cuda_api.hpp"

namespace softgpu::cuda {

// Where the elements of an array lie.
struct ArrayView {
  std::byte* data = nullptr;
  std::size_t element_bytes = 0;
  std::size_t row_bytes = 0;    // from one row to the next
  std::size_t slice_bytes = 0;  // from one slice or layer to the next
  std::size_t width = 0;        // elements
  std::size_t height = 1;       // at least 1
  std::size_t depth = 1;        // slices or layers, at least 1
};

// False where the handle is no live array.
[[nodiscard]] bool view_array(cudaArray_const_t array, ArrayView& view);

}  // namespace softgpu::cuda
